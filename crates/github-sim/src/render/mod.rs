//! GitHub's JSON, as its reference documents it (docs.github.com/rest/issues/issues and neighbours).

mod app;
mod check;
mod comment;
mod commit;
mod hook;
mod issue;
mod label;
mod pull;
mod repository;
mod review;
mod run;
mod user;

pub(crate) use app::{app, installation, permissions};
pub(crate) use check::{check_run, ended_suite, status};
pub(crate) use comment::comment;
pub(crate) use commit::{commit, line_comment};
pub(crate) use hook::{delivery, delivery_item, hook};
pub(crate) use issue::issue;
pub(crate) use label::{LabelBody, label};
pub(crate) use pull::{pull, pull_summary};
pub(crate) use repository::{full_repository, repository, repository_summary};
pub(crate) use review::review;
pub(crate) use run::{job, run};
pub(crate) use user::{UserBody, account};

/// The two bases from which every URL in the JSON is built.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    /// Base of the API, without a slash at its end.
    pub api: String,
    /// Base of the web pages, without a slash at its end.
    pub html: String,
}

/// An object with another one's fields added.
pub(crate) fn with(mut body: serde_json::Value, more: serde_json::Value) -> serde_json::Value {
    if let (Some(body), serde_json::Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}
