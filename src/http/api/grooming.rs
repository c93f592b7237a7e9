//! Grooming by hand (`contract/operations.md` 3.8 and 3.9): `/api/issues/groom` and `/api/issues/actions/decompose`.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{actions::signed, claims::agent};
use crate::{
    domain::{
        grooming::{GroomAction, Split},
        ids::{AgentName, IssueId, IssueNumber},
        repo::RepoName,
        time::Timestamp,
        version::Version,
    },
    engine::actions::{self, Ask, Groom, Named},
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::Fields,
        if_match::{IfMatch, Seen, StaleView},
    },
};

/// The longest text that is kept with an issue.
const TEXT_MAX: usize = 2_000;
/// The most issues that one is split into, and the longest address of one.
const FOLLOW_UPS_MAX: usize = 100;
const URL_MAX: usize = 500;

/// What grooming came to.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct GroomBody {
    pub repo_full_name: RepoName,
    #[schema(minimum = 1)]
    pub issue_number: i64,
    pub action: GroomAction,
    /// Must be the issue's, if it is given.
    #[schema(max_length = 100)]
    pub issue_id: Option<String>,
    #[schema(max_length = 2_000)]
    pub grooming_summary: Option<String>,
    /// For `mark_not_ready`, which needs it.
    #[schema(max_length = 2_000)]
    pub not_ready_reason: Option<String>,
    /// For `mark_blocked`, which needs it.
    #[schema(max_length = 2_000)]
    pub blocked_reason: Option<String>,
    /// For `mark_needs_info`, which needs it.
    #[schema(max_length = 2_000)]
    pub needs_info_reason: Option<String>,
    /// Who grooms; this or `agentName` must be said.
    #[schema(max_length = 100)]
    pub actor: Option<String>,
    pub agent_name: Option<AgentName>,
}

/// A groomed issue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssueGroomed)]
pub struct GroomedOut {
    success: bool,
    #[schema(examples("promote_to_ready"))]
    action: &'static str,
    /// Only of an issue that was promoted: the others keep theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    labels: Option<Vec<String>>,
    groomed_at: Timestamp,
    version: Version,
}

/// Records what grooming came to.
///
/// `promote_to_ready` makes `status/ready` the only status, and puts an issue without a lane that is served into the
/// default lane; `escalate` puts it into the lane for escalations. The others keep the reason with the issue, and change
/// neither labels nor lane. Nothing here asks a model.
#[utoipa::path(
    post,
    path = "/api/issues/groom",
    operation_id = "groomIssue",
    tag = "grooming",
    security(("bearer" = ["maintainer"])),
    params(Seen),
    request_body = GroomBody,
    responses(
        (status = 200, description = "It is recorded.", body = GroomedOut),
        (status = 404, description = "No such issue is cached."),
        (status = 412, description = "The issue is not as the caller saw it.", body = StaleView),
    ),
)]
pub async fn groom(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    IfMatch(if_match): IfMatch,
    body: Fields,
) -> ApiResult<Json<GroomedOut>> {
    const MISSING: &str = "Missing required fields: repoFullName, issueNumber, action";
    let (repo, number) = place(&body, "repoFullName", MISSING)?;
    let action = body.string("action")?.ok_or_else(|| ApiError::invalid("action", MISSING))?;
    let action: GroomAction =
        action.parse().map_err(|rule| ApiError::invalid("action", format!("action: {rule}")))?;
    let signed = must_sign(&body)?;
    let summary = text(&body, "groomingSummary")?;
    let reasons = [
        ("notReadyReason", text(&body, "notReadyReason")?),
        ("blockedReason", text(&body, "blockedReason")?),
        ("needsInfoReason", text(&body, "needsInfoReason")?),
    ];
    let reason = match action.reason_field() {
        None => None,
        Some(field) => {
            let given = reasons.into_iter().find(|(name, _)| *name == field).and_then(|(_, given)| given);
            let message = format!("{field} is required for {}", action.word());
            Some(given.ok_or_else(|| ApiError::invalid(field, message))?)
        }
    };
    let id = body.short("issueId", 100)?.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    let issue = match id {
        Some(id) => Named::Both(IssueId(id), repo.as_str().to_owned(), number),
        None => Named::Place(repo, number),
    };
    // A header says more than a body here.
    let actor = caller.named.clone().unwrap_or(signed);
    let ask = Ask { issue, actor, if_match };
    let groomed = actions::groom(&app.engine, &caller, &ask, &Groom { action, summary, reason }).await?;
    let is_ready = action == GroomAction::PromoteToReady;
    Ok(Json(GroomedOut {
        success: true,
        action: action.word(),
        labels: is_ready.then_some(groomed.issue.labels),
        groomed_at: groomed.at,
        version: groomed.issue.version,
    }))
}

/// Which issue was split, and into which.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct DecomposeBody {
    pub repo: RepoName,
    #[schema(minimum = 1)]
    pub issue_number: i64,
    /// False takes it back.
    pub decomposed: bool,
    /// Addresses of the issues that it was split into.
    #[schema(max_items = 100)]
    pub follow_up_urls: Option<Vec<String>>,
    #[schema(max_length = 2_000)]
    pub note: Option<String>,
    /// Who split it; this or `agentName` must be said.
    #[schema(max_length = 100)]
    pub actor: Option<String>,
    pub agent_name: Option<AgentName>,
}

/// An issue that was split, or is whole again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssueDecomposed)]
pub struct DecomposedOut {
    success: bool,
    issue_id: IssueId,
    decomposed: bool,
    #[schema(required)]
    decomposed_at: Option<Timestamp>,
    follow_up_urls: Vec<String>,
    version: Version,
}

/// Records that an issue was split into others, or that it was not after all.
///
/// The issue stays open and in the queue, for those who do not leave such issues out (`exclude_decomposed`). GitHub is not
/// told.
#[utoipa::path(
    post,
    path = "/api/issues/actions/decompose",
    operation_id = "decomposeIssue",
    tag = "grooming",
    security(("bearer" = ["maintainer"])),
    params(Seen),
    request_body = DecomposeBody,
    responses(
        (status = 200, description = "It is recorded.", body = DecomposedOut),
        (status = 404, description = "No such issue is cached."),
        (status = 412, description = "The issue is not as the caller saw it.", body = StaleView),
    ),
)]
pub async fn decompose(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    IfMatch(if_match): IfMatch,
    body: Fields,
) -> ApiResult<Json<DecomposedOut>> {
    const MISSING: &str = "Missing required fields: repo, issueNumber, decomposed";
    let (repo, number) = place(&body, "repo", MISSING)?;
    let decomposed = body.boolean("decomposed")?.ok_or_else(|| ApiError::invalid("decomposed", MISSING))?;
    let signed = must_sign(&body)?;
    let message = format!("followUpUrls must be an array of http addresses, {FOLLOW_UPS_MAX} at most");
    let follow_up_urls = body.strings("followUpUrls", is_address, &message)?.unwrap_or_default();
    if follow_up_urls.len() > FOLLOW_UPS_MAX {
        return Err(ApiError::invalid("followUpUrls", message));
    }
    let note = text(&body, "note")?;
    let ask = Ask { issue: Named::Place(repo, number), actor: signed, if_match };
    let split = Split { decomposed, note, follow_up_urls, ..Split::default() };
    let (issue_id, split, version) = actions::decompose(&app.engine, &caller, &ask, &split).await?;
    Ok(Json(DecomposedOut {
        success: true,
        issue_id,
        decomposed: split.decomposed,
        decomposed_at: split.at,
        follow_up_urls: split.follow_up_urls,
        version,
    }))
}

fn place(body: &Fields, field: &str, missing: &'static str) -> ApiResult<(RepoName, IssueNumber)> {
    let repo = body.string(field)?.ok_or_else(|| ApiError::invalid(field, missing))?;
    let repo = repo.parse().map_err(|rule| ApiError::invalid(field, format!("{field}: {rule}")))?;
    let number = body.positive("issueNumber")?.ok_or_else(|| ApiError::invalid("issueNumber", missing))?;
    Ok((repo, IssueNumber(number)))
}

/// A text without blanks around it; a blank one is none.
fn text(body: &Fields, field: &str) -> ApiResult<Option<String>> {
    let text = body.short(field, TEXT_MAX)?.map(|text| text.trim().to_owned());
    Ok(text.filter(|text| !text.is_empty()))
}

/// Who grooms must say so, and with one name.
fn must_sign(body: &Fields) -> ApiResult<String> {
    let signed = signed(body)?.ok_or_else(|| ApiError::invalid("actor", "Missing required field: actor"))?;
    match agent(body, "agentName")? {
        Some(agent) if !signed.eq_ignore_ascii_case(agent.as_str()) => {
            Err(ApiError::invalid("actor", "actor and agentName name two; send one of them"))
        }
        _ => Ok(signed),
    }
}

fn is_address(text: &str) -> bool {
    let is_http = || text.parse::<url::Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    text.len() <= URL_MAX && !text.contains('\0') && is_http()
}
