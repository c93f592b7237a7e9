//! `POST /api/issues/{issueId}/pr-health/refresh` (`contract/operations.md` 3.11).

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        ids::IssueNumber,
        pull::{LinkedPull, health::Decision},
        time::Timestamp,
    },
    engine::pulls::refresh,
    http::{
        App,
        auth::Maintainer,
        error::{ApiResult, ErrorBody},
        params::IssueInPath,
    },
};

/// The pull request of an issue, and how it fares; all of it is empty where there is none.
#[derive(Default, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
#[serde(rename_all = "camelCase")]
pub struct LinkedPrColumns {
    #[schema(required)]
    linked_pr_number: Option<IssueNumber>,
    #[schema(required)]
    linked_pr_url: Option<String>,
    /// Is there something for an agent to do about it?
    linked_pr_needs_followup: bool,
    /// What that is, in words.
    linked_pr_followup_reasons: Vec<String>,
    #[schema(required)]
    linked_pr_review_decision: Option<Decision>,
    /// As GitHub spells it.
    #[schema(required, examples("clean", "dirty", "behind"))]
    linked_pr_merge_state: Option<String>,
    #[schema(required)]
    linked_pr_health_checked_at: Option<Timestamp>,
}

impl From<Option<LinkedPull>> for LinkedPrColumns {
    fn from(linked: Option<LinkedPull>) -> Self {
        let Some(linked) = linked else { return Self::default() };
        Self {
            linked_pr_number: Some(linked.number),
            linked_pr_url: Some(linked.url),
            linked_pr_needs_followup: linked.needs_followup,
            linked_pr_followup_reasons: linked.reasons,
            linked_pr_review_decision: linked.decision,
            linked_pr_merge_state: linked.merge_state,
            linked_pr_health_checked_at: linked.checked_at,
        }
    }
}

/// What was found.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PrHealthRefreshed)]
pub struct RefreshedOut {
    success: bool,
    #[serde(flatten)]
    linked: LinkedPrColumns,
}

/// Reads the pull request of an issue from GitHub, and how it fares.
///
/// The open pull requests of its repository are listed first: one that is about the issue by its branch or by a closing
/// keyword becomes the issue's, and one that was closed is it no more.
#[utoipa::path(
    post,
    path = "/api/issues/{issueId}/pr-health/refresh",
    operation_id = "refreshPrHealth",
    tag = "issues",
    security(("bearer" = ["maintainer"])),
    params(("issueId" = String, Path, description = "Which issue.")),
    responses(
        (status = 200, description = "What GitHub says now.", body = RefreshedOut),
        (status = 404, description = "No such issue is cached."),
        (status = 502, description = "GitHub could not be read.", body = ErrorBody),
    ),
)]
pub async fn refresh(
    State(app): State<App>,
    _: Maintainer,
    IssueInPath(issue): IssueInPath,
) -> ApiResult<Json<RefreshedOut>> {
    let linked = refresh::refresh(&app.engine, &issue).await?.into();
    Ok(Json(RefreshedOut { success: true, linked }))
}
