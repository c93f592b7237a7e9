//! `/api/outbox`: what Dispatch wants at GitHub, and what operators do about it.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{
        ids::{IssueId, IssueNumber, OutboxId},
        outbox::{EntryState, EntryStates, Kind},
        page::DEFAULT_LIMIT,
        repo::RepoName,
        time::Timestamp,
    },
    engine::outbox,
    http::{
        App,
        auth::Maintainer,
        error::ApiResult,
        params::{Limit, Params, Start},
    },
    store::outbox_list::{self, Entry, Filter, Word, Write},
};

/// A write to GitHub, from the wish to its end.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OutboxEntry)]
pub struct EntryOut {
    id: OutboxId,
    kind: Kind,
    state: EntryState,
    repo_full_name: RepoName,
    /// Null for an issue that is to be opened, and for pull requests.
    #[schema(required)]
    issue_number: Option<IssueNumber>,
    #[schema(required)]
    issue_id: Option<IssueId>,
    /// What is wanted, in words.
    #[schema(examples("add the label status/done"))]
    what: String,
    /// What is wanted, as it is kept: `label` and `wanted`, or `comment`, `edit` or `create_issue`; or `call`, the comment
    /// of a pull request that says why a human is needed, null when it is to be taken away.
    #[schema(value_type = Object)]
    content: Value,
    /// How often it was tried since it was asked for, or since the last retry.
    #[schema(minimum = 0)]
    attempts: i64,
    /// Why the last try did not work, or why it is parked.
    #[schema(required)]
    error: Option<String>,
    /// An earlier try was never answered, so it may be at GitHub already. Comments and new issues are looked for before
    /// they are sent again; for the rest it makes no difference.
    unsure: bool,
    /// It is being sent right now.
    sending: bool,
    /// When it may be tried again; null unless it is pending.
    #[schema(required)]
    next_try_at: Option<Timestamp>,
    /// Where what was made is on GitHub: a comment, or an issue.
    #[schema(required)]
    url: Option<String>,
    /// The number of the issue that was opened.
    #[schema(required)]
    created_number: Option<IssueNumber>,
    /// Who asked for it; null for labels of issues, of which the audit log tells.
    #[schema(required)]
    actor: Option<String>,
    #[schema(required)]
    agent_name: Option<String>,
    created_at: Timestamp,
    /// Milliseconds since it was asked for.
    #[schema(minimum = 0)]
    age_ms: u64,
    /// When GitHub had it, or it was discarded.
    #[schema(required)]
    settled_at: Option<Timestamp>,
    /// The pull request that it is wanted of; `issueNumber` is null then.
    #[schema(required)]
    pull_number: Option<IssueNumber>,
}

impl EntryOut {
    fn new(entry: Entry, now: Timestamp) -> Self {
        let content = match &entry.write {
            Write::Label(edit) => json!(edit),
            Write::Other(content) => json!(content),
        };
        let pending = entry.state == EntryState::Pending;
        let sending = pending && entry.sending_until.is_some_and(|until| until > now);
        let age = now.since(entry.created_at).as_millis();
        Self {
            kind: entry.write.kind(),
            what: entry.write.in_words(),
            content,
            sending,
            next_try_at: pending.then_some(entry.next_try_at),
            age_ms: u64::try_from(age).unwrap_or(u64::MAX),
            url: entry.made.as_ref().map(|made| made.url.clone()),
            created_number: entry.made.and_then(|made| made.number),
            id: entry.id,
            state: entry.state,
            repo_full_name: entry.repo,
            issue_number: entry.number,
            issue_id: entry.issue,
            attempts: entry.attempts,
            error: entry.error,
            unsure: entry.unsure && !sending,
            actor: entry.actor,
            agent_name: entry.agent,
            created_at: entry.created_at,
            settled_at: entry.settled_at,
            pull_number: entry.pull,
        }
    }
}

/// Which entries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OutboxFilter {
    /// Only entries of this repository.
    pub repo: Option<RepoName>,
    /// Only entries in this state, or in one of these.
    #[param(inline)]
    pub state: Option<EntryStates>,
    /// Only entries of this kind.
    pub kind: Option<Kind>,
}

/// Lists what is to be written to GitHub and what lately was, oldest first.
///
/// With `DISPATCH_GITHUB_WRITES=off` all of it stays `pending`.
#[utoipa::path(
    get,
    path = "/api/outbox",
    operation_id = "listOutbox",
    tag = "outbox",
    security(("bearer" = ["maintainer"])),
    params(OutboxFilter, Limit, Start),
    responses((status = 200, description = "A page of the outbox.", body = Vec<EntryOut>)),
)]
pub async fn list(
    State(app): State<App>,
    _: Maintainer,
    params: Params,
) -> ApiResult<(HeaderMap, Json<Vec<EntryOut>>)> {
    let filter =
        Filter { repo: params.repo("repo")?, states: params.parsed("state")?, kind: params.parsed("kind")? };
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT);
    let cursor = params.cursor()?;
    let mut tx = app.engine.db().read().await?;
    let page = outbox_list::list(&mut tx, &filter, cursor.as_ref(), limit).await?;
    drop(tx);
    let (headers, now) = (params.next_page(&page), app.engine.clock().now());
    Ok((headers, Json(page.rows.into_iter().map(|entry| EntryOut::new(entry, now)).collect())))
}

/// Has an entry tried again now: a parked one, or one that waits for its next try.
///
/// It is sent at once if the pace allows it; the answer is the entry after that. A comment or a new issue that went out and
/// was never answered is looked for, and then sent, half a minute after that.
#[utoipa::path(
    post,
    path = "/api/outbox/{id}/retry",
    operation_id = "retryOutboxEntry",
    tag = "outbox",
    security(("bearer" = ["maintainer"])),
    params(("id" = OutboxId, Path, description = "The `id` of the entry.")),
    responses(
        (status = 200, description = "It is tried again.", body = EntryOut),
        (status = 404, description = "No such entry."),
        (status = 409, description = "It came to its end, is being sent right now, or its repository is tracked no more."),
    ),
)]
pub async fn retry(
    State(app): State<App>,
    caller: Maintainer,
    id: Result<Path<String>, PathRejection>,
) -> ApiResult<Json<EntryOut>> {
    operate(&app, &caller, id, Word::Retry).await
}

/// Gives an entry up: it is never sent, and the cache shows what GitHub says again.
///
/// What was tried and never answered may be at GitHub all the same (`unsure`).
#[utoipa::path(
    post,
    path = "/api/outbox/{id}/discard",
    operation_id = "discardOutboxEntry",
    tag = "outbox",
    security(("bearer" = ["maintainer"])),
    params(("id" = OutboxId, Path, description = "The `id` of the entry.")),
    responses(
        (status = 200, description = "It is given up.", body = EntryOut),
        (status = 404, description = "No such entry."),
        (status = 409, description = "It came to its end, or is being sent right now."),
    ),
)]
pub async fn discard(
    State(app): State<App>,
    caller: Maintainer,
    id: Result<Path<String>, PathRejection>,
) -> ApiResult<Json<EntryOut>> {
    operate(&app, &caller, id, Word::Discard).await
}

async fn operate(
    app: &App,
    Maintainer(caller): &Maintainer,
    id: Result<Path<String>, PathRejection>,
    word: Word,
) -> ApiResult<Json<EntryOut>> {
    // What is no text for a database is the id of nothing.
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    let id = if id.contains('\0') { String::new() } else { id };
    let entry = outbox::operate(&app.engine, caller, &OutboxId(id), word).await?;
    Ok(Json(EntryOut::new(entry, app.engine.clock().now())))
}
