//! What operators do to issues (`contract/operations.md` 3.3 to 3.5): `/api/issues/move`, `label`, `unlabel`, `comment`.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::claims::agent;
use crate::{
    domain::{
        access::Caller,
        ids::{AgentName, IssueId, IssueNumber, OutboxId},
        labels::{LABEL_MAX, LabelEdit, Status, first_status},
        outbox::{EntryState, TEXT_MAX},
        version::{self, Version},
    },
    engine::actions::{self, Ask, Changed, Move, Named},
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::Fields,
        if_match::{IfMatch, Seen, StaleView},
    },
};

/// The longest name of who did it.
pub(super) const ACTOR_MAX: usize = 100;
/// The longest id of an issue that is looked up.
const ID_MAX: usize = 100;
/// The most labels that an issue has at GitHub.
const LABELS_MAX: usize = 100;
/// Labels of these kinds are written by those who count tries, and by nobody else.
const COUNTED: [&str; 2] = ["blocked/infra-attempt/", "blocked/infra-model/"];

/// From which column of the board to which.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct MoveBody {
    #[schema(max_length = 100)]
    pub issue_id: String,
    #[schema(examples("acme/api"))]
    pub repo_full_name: String,
    #[schema(minimum = 1)]
    pub issue_number: i64,
    /// The labels of the card; its first `status/…` is the column that it leaves.
    #[schema(max_items = 100)]
    pub old_labels: Vec<String>,
    /// Its first `status/…` is the column where it is to be. The other labels of both lists do not count.
    #[schema(max_items = 100)]
    pub new_labels: Vec<String>,
    /// Who is named in the audit log.
    #[schema(max_length = 100)]
    pub actor: Option<String>,
}

/// Which issue, and which label.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct LabelBody {
    #[schema(max_length = 100)]
    pub issue_id: String,
    #[schema(examples("acme/api"))]
    pub repo_full_name: String,
    #[schema(minimum = 1)]
    pub issue_number: i64,
    #[schema(max_length = 50, examples("type/bug"))]
    pub label: String,
    /// `remove`; anything else adds.
    #[schema(examples("add"))]
    pub action: Option<String>,
    /// Who is named in the audit log.
    #[schema(max_length = 100)]
    pub actor: Option<String>,
    pub agent_name: Option<AgentName>,
}

/// Which issue, and which label of it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct UnlabelBody {
    #[schema(max_length = 100)]
    pub issue_id: String,
    #[schema(examples("acme/api"))]
    pub repo_full_name: String,
    #[schema(minimum = 1)]
    pub issue_number: i64,
    #[schema(max_length = 50, examples("type/bug"))]
    pub label: String,
    /// Who is named in the audit log.
    #[schema(max_length = 100)]
    pub actor: Option<String>,
    pub agent_name: Option<AgentName>,
}

/// Which issue, and what is to be said there.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CommentBody {
    #[schema(max_length = 100)]
    pub issue_id: String,
    #[schema(examples("acme/api"))]
    pub repo_full_name: String,
    #[schema(minimum = 1)]
    pub issue_number: i64,
    /// Markdown, posted as it is; 65000 bytes at most.
    #[schema(max_length = 65_000, examples("Looks good."))]
    pub body: String,
    /// Who is named in the audit log.
    #[schema(max_length = 100)]
    pub actor: Option<String>,
    /// On whose behalf.
    pub agent_name: Option<AgentName>,
}

/// The issue as Dispatch shows it after the change; GitHub has it soon, or an entry of the outbox says why not.
#[derive(Serialize, ToSchema)]
#[schema(as = IssueMoved)]
pub struct MovedOut {
    success: bool,
    labels: Vec<String>,
    version: Version,
}

/// Moves a card of the board: the new status becomes the issue's only one.
///
/// What GitHub has now is read first where that can be done, so that the last wish wins. `status/done` ends the claim on
/// the issue; no other label is touched.
#[utoipa::path(
    post,
    path = "/api/issues/move",
    operation_id = "moveIssue",
    tag = "actions",
    security(("bearer" = ["maintainer"])),
    params(Seen),
    request_body = MoveBody,
    responses(
        (status = 200, description = "The card is there.", body = MovedOut),
        (status = 404, description = "No such issue is cached."),
        (status = 412, description = "The issue is not as the caller saw it.", body = StaleView),
    ),
)]
pub async fn move_issue(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    IfMatch(if_match): IfMatch,
    body: Fields,
) -> ApiResult<Json<MovedOut>> {
    const MISSING: &str = "Missing required fields";
    let (issue, repo, number) = named(&body, MISSING)?;
    let labels = |field: &'static str| -> ApiResult<Option<Status>> {
        let message = format!("{field} must be an array of strings, {LABELS_MAX} at most");
        let labels = body.strings(field, |_| true, &message)?;
        let labels = labels.ok_or_else(|| ApiError::invalid(field, MISSING))?;
        if labels.len() > LABELS_MAX {
            return Err(ApiError::invalid(field, message));
        }
        status(field, &labels)
    };
    let to = Move { from: labels("oldLabels")?, to: labels("newLabels")? };
    let ask = Ask { issue: Named::Both(issue, repo, number), actor: actor(&body, &caller)?, if_match };
    let Changed { labels, version, .. } = actions::move_issue(&app.engine, &caller, &ask, to).await?;
    Ok(Json(MovedOut { success: true, labels, version }))
}

/// The column that these labels name.
fn status(field: &'static str, labels: &[String]) -> ApiResult<Option<Status>> {
    match first_status(labels) {
        None => Ok(None),
        Some((_, Some(status))) => Ok(Some(status)),
        Some((label, None)) => {
            let label: String = label.chars().take(LABEL_MAX).collect();
            let allowed = Status::ALL.map(Status::label).join(", ");
            Err(ApiError::invalid(field, format!("Invalid status label: {label}. Allowed: {allowed}")))
        }
    }
}

/// What was done with a label.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LabelAction {
    Add,
    Remove,
}

/// The labels of an issue after one of them was added or removed.
#[derive(Serialize, ToSchema)]
#[schema(as = LabelSet)]
pub struct LabelledOut {
    success: bool,
    action: LabelAction,
    label: String,
    labels: Vec<String>,
    version: Version,
}

/// Adds a label to an issue, or removes one.
///
/// The issue is the one with this id, whatever place the request names. What is so already changes nothing. Who removes
/// the label of an agent that holds the issue, or adds `status/done`, ends its claim.
#[utoipa::path(
    post,
    path = "/api/issues/label",
    operation_id = "labelIssue",
    tag = "actions",
    security(("bearer" = ["maintainer"])),
    params(Seen),
    request_body = LabelBody,
    responses(
        (status = 200, description = "The label is there, or gone.", body = LabelledOut),
        (status = 404, description = "No such issue is cached."),
        (status = 412, description = "The issue is not as the caller saw it.", body = StaleView),
    ),
)]
pub async fn label(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    IfMatch(if_match): IfMatch,
    body: Fields,
) -> ApiResult<Json<LabelledOut>> {
    let wanted = body.string("action")? != Some("remove");
    edit(&app, &caller, if_match, &body, wanted).await
}

/// Removes a label from an issue; one that is not there is no fault.
#[utoipa::path(
    post,
    path = "/api/issues/unlabel",
    operation_id = "unlabelIssue",
    tag = "actions",
    security(("bearer" = ["maintainer"])),
    params(Seen),
    request_body = UnlabelBody,
    responses(
        (status = 200, description = "The label is gone.", body = LabelledOut),
        (status = 404, description = "No such issue is cached."),
        (status = 412, description = "The issue is not as the caller saw it.", body = StaleView),
    ),
)]
pub async fn unlabel(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    IfMatch(if_match): IfMatch,
    body: Fields,
) -> ApiResult<Json<LabelledOut>> {
    edit(&app, &caller, if_match, &body, false).await
}

async fn edit(
    app: &App,
    caller: &Caller,
    if_match: Option<version::IfMatch>,
    body: &Fields,
    wanted: bool,
) -> ApiResult<Json<LabelledOut>> {
    const MISSING: &str = "Missing required fields: issueId, repoFullName, issueNumber, label";
    let (issue, ..) = named(body, MISSING)?;
    let label = required(body, "label", LABEL_MAX, MISSING)?;
    if label.chars().any(char::is_control) {
        return Err(ApiError::invalid("label", "label must be one line of text"));
    }
    let key = label.to_lowercase();
    if wanted && let Some(prefix) = COUNTED.iter().find(|prefix| key.starts_with(*prefix)) {
        return Err(ApiError::invalid("label", format!("Labels {prefix}* cannot be added by hand")));
    }
    let ask = Ask { issue: Named::Id(issue), actor: actor(body, caller)?, if_match };
    let edit = LabelEdit { label, wanted };
    let Changed { labels, version, .. } = actions::label(&app.engine, caller, &ask, &edit).await?;
    let action = if wanted { LabelAction::Add } else { LabelAction::Remove };
    Ok(Json(LabelledOut { success: true, action, label: edit.label, labels, version }))
}

/// A comment on its way.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CommentWanted)]
pub struct CommentedOut {
    success: bool,
    /// Where it is; null until GitHub has it.
    #[schema(required, format = "uri")]
    url: Option<String>,
    /// Its entry in the outbox.
    outbox_id: OutboxId,
    /// `pending` until GitHub has it; `parked` where GitHub did not take it.
    state: EntryState,
}

/// Comments on an issue, as it is. Asking again comments again.
#[utoipa::path(
    post,
    path = "/api/issues/comment",
    operation_id = "commentIssue",
    tag = "actions",
    security(("bearer" = ["maintainer"])),
    params(Seen),
    request_body = CommentBody,
    responses(
        (status = 200, description = "The comment is recorded, and sent once.", body = CommentedOut),
        (status = 404, description = "No such issue is cached."),
        (status = 412, description = "The issue is not as the caller saw it.", body = StaleView),
    ),
)]
pub async fn comment(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    IfMatch(if_match): IfMatch,
    body: Fields,
) -> ApiResult<Json<CommentedOut>> {
    const MISSING: &str = "Missing required fields: issueId, repoFullName, issueNumber, body";
    let (issue, repo, number) = named(&body, MISSING)?;
    let text = body.string("body")?.filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| ApiError::invalid("body", MISSING))?;
    if text.len() > TEXT_MAX {
        return Err(ApiError::invalid("body", format!("body must be at most {TEXT_MAX} bytes")));
    }
    let agent = agent(&body, "agentName")?;
    let ask = Ask { issue: Named::Both(issue, repo, number), actor: actor(&body, &caller)?, if_match };
    let sent = actions::comment(&app.engine, &caller, &ask, text, agent.as_ref()).await?;
    Ok(Json(CommentedOut { success: true, url: sent.url, outbox_id: sent.entry, state: sent.state }))
}

/// The issue that a body names by id and by place.
pub(super) fn named(body: &Fields, missing: &'static str) -> ApiResult<(IssueId, String, IssueNumber)> {
    let issue = required(body, "issueId", ID_MAX, missing)?;
    let repo = body.string("repoFullName")?.map(str::trim).filter(|text| !text.is_empty());
    let repo = repo.ok_or_else(|| ApiError::invalid("repoFullName", missing))?.to_owned();
    let number = body.positive("issueNumber")?.ok_or_else(|| ApiError::invalid("issueNumber", missing))?;
    Ok((IssueId(issue), repo, IssueNumber(number)))
}

/// A text that is not blank.
pub(super) fn required(body: &Fields, field: &str, most: usize, missing: &'static str) -> ApiResult<String> {
    let text = body.short(field, most)?.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    text.ok_or_else(|| ApiError::invalid(field, missing))
}

/// Who is named as having done it: by the body, else by the request's header.
pub(super) fn actor(body: &Fields, caller: &Caller) -> ApiResult<String> {
    Ok(signed(body)?.unwrap_or_else(|| caller.actor().to_owned()))
}

/// Who signs by the body: `actor`, or `agentName`.
pub(super) fn signed(body: &Fields) -> ApiResult<Option<String>> {
    let actor = body.short("actor", ACTOR_MAX)?.map(|text| text.trim().to_owned());
    let agent = agent(body, "agentName")?;
    Ok(actor.filter(|text| !text.is_empty()).or(agent.map(|agent| agent.to_string())))
}
