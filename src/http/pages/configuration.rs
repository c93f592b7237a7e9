//! What this server is set to, who may use it, and what runs by itself: `/settings`.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    frame::{Frame, Theme},
    operator::{Operator, Order},
    outcome::Sent,
    refusal::PageResult,
    time,
};
use crate::{
    domain::ids::TokenId,
    engine::{self, jobs::JobState},
    http::{App, error::ApiError},
    store::{
        sessions::{self, SessionRow},
        tokens::{self, TokenRow},
    },
};

/// Tokens and sessions that are shown of each.
const SHOWN: i64 = 200;

/// A variable of the configuration, without what is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What it belongs to, as in the help.
    pub group: String,
    pub variable: String,
    pub value: Shown,
}

/// What may be shown of a variable's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It was set to this.
    Is(String),
    /// It was set; to what is nobody's business.
    Secret,
    /// It was not set, and this holds.
    Default(String),
    Unset,
}

/// A group of variables.
struct Group<'a> {
    name: &'a str,
    settings: Vec<&'a Setting>,
}

fn grouped(settings: &[Setting]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for setting in settings {
        match groups.iter_mut().find(|group| group.name == setting.group) {
            Some(group) => group.settings.push(setting),
            None => groups.push(Group { name: &setting.group, settings: vec![setting] }),
        }
    }
    groups
}

#[derive(Template)]
#[template(path = "settings/page.html")]
struct Settings<'a> {
    frame: &'a Frame,
    version: &'static str,
    auth_mode: &'static str,
    leads: bool,
    groups: Vec<Group<'a>>,
    tokens: Vec<TokenRow>,
    sessions: Vec<SessionRow>,
    own: Option<TokenId>,
    jobs: Vec<JobState>,
}

impl Settings<'_> {
    fn is_own(&self, session: &SessionRow) -> bool {
        self.own.as_ref() == Some(&session.id)
    }

    fn is_overdue(&self, job: &JobState) -> bool {
        job.is_overdue(self.frame.now)
    }

    fn interval(&self, job: &JobState) -> String {
        time::span(job.interval)
    }
}

/// The page.
pub async fn show(State(app): State<App>, operator: Operator) -> PageResult<Response> {
    let frame = &operator.frame;
    let mut tx = app.engine.db().read().await?;
    let tokens = tokens::list(&mut tx, SHOWN).await?;
    let sessions = sessions::list_live(&mut tx, frame.now, SHOWN).await?;
    drop(tx);
    let jobs = app.engine.jobs();
    frame.show(&Settings {
        frame,
        version: app.about.version,
        auth_mode: app.about.auth_mode,
        leads: jobs.leads(),
        groups: grouped(&app.about.settings),
        tokens,
        sessions,
        own: operator.session,
        jobs: jobs.list(),
    })
}

/// Ends a session, of whomever.
pub async fn end_session(State(app): State<App>, order: Order) -> PageResult<Response> {
    let sent = Sent::from(order);
    let id = TokenId(sent.form.needed("id")?.to_owned());
    let done = engine::sessions::end(&app.engine, &sent.caller, &id).await;
    sent.end(done.map_err(ApiError::from).map(|()| "The session is ended".to_owned()))
}
