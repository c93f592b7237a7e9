//! `/api/webhooks`: the webhook by which a repository tells us what changes.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{repo::RepoName, time::Timestamp},
    engine::hooks::{self, Added, How, Status},
    github::RemoteHook,
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::Fields,
    },
};

/// No address is longer.
const URL_MAX: usize = 2_000;

/// A webhook as GitHub shows it, which is without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Webhook)]
pub struct HookOut {
    /// GitHub's number of it.
    id: i64,
    /// Where it delivers to.
    url: String,
    active: bool,
    /// What it tells of.
    events: Vec<String>,
    /// Whether it delivers JSON; forms are not understood.
    json: bool,
    /// The status that its last delivery was answered with; null before the first.
    #[schema(required)]
    last_status: Option<i64>,
}

impl From<RemoteHook> for HookOut {
    fn from(hook: RemoteHook) -> Self {
        let RemoteHook { id, url, is_active, is_json, events, last_status } = hook;
        Self { id, url, active: is_active, events, json: is_json, last_status }
    }
}

/// A webhook that is there now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookAdded)]
pub struct AddedOut {
    repo_full_name: RepoName,
    /// False: it was there, and is now what it should be.
    created: bool,
    hook: HookOut,
}

impl From<Added> for AddedOut {
    fn from(added: Added) -> Self {
        let Added { repo, how, hook } = added;
        Self { repo_full_name: repo, created: how == How::Created, hook: hook.into() }
    }
}

/// How a repository is listened to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookStatus)]
pub struct StatusOut {
    repo_full_name: RepoName,
    /// Whether this server accepts deliveries at all.
    received: bool,
    /// The webhook that is known to lead here; null where none is known, and where an App is told.
    #[schema(required)]
    hook: Option<HookOut>,
    /// It is the webhook of the App that tells.
    by_app: bool,
    /// When something valid came last.
    #[schema(required)]
    heard_at: Option<Timestamp>,
    /// Something came within a day, and nothing that should have come is waited for.
    alive: bool,
    /// Deliveries of the last day that did not come at once.
    #[schema(minimum = 0)]
    missed: i64,
    /// How many of these were asked for again and are not here yet.
    #[schema(minimum = 0)]
    waiting: i64,
    /// When GitHub's list of deliveries was last compared with what came.
    #[schema(required)]
    looked_at: Option<Timestamp>,
    /// What GitHub keeps us from, and what to do.
    #[schema(required)]
    problem: Option<String>,
}

impl From<Status> for StatusOut {
    fn from(status: Status) -> Self {
        Self {
            repo_full_name: status.repo,
            received: status.is_received,
            hook: status.hook.map(HookOut::from),
            by_app: status.by_app,
            heard_at: status.heard_at,
            alive: status.is_alive,
            missed: status.missed.missed,
            waiting: status.missed.waiting,
            looked_at: status.looked_at,
            problem: status.problem,
        }
    }
}

/// Where deliveries are to go.
#[derive(ToSchema)]
pub struct HookBody {
    /// The server's own address, as GitHub reaches it; with another path than `/` it is taken as it is.
    #[schema(examples("https://dispatch.example.com"))]
    pub url: String,
}

/// That it is removed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookRemoved)]
pub struct RemovedOut {
    repo_full_name: RepoName,
    removed: bool,
}

/// Tells how a repository is listened to.
#[utoipa::path(
    get,
    path = "/api/webhooks/{owner}/{name}",
    operation_id = "webhookStatus",
    tag = "webhooks",
    security(("bearer" = ["maintainer"])),
    params(
        ("owner" = String, Path, description = "The part of its name before the slash.", example = "octocat"),
        ("name" = String, Path, description = "The part after it.", example = "hello-world"),
    ),
    responses(
        (status = 200, description = "What is known of its webhook.", body = StatusOut),
        (status = 404, description = "The repository is not tracked."),
    ),
)]
pub async fn status(
    State(app): State<App>,
    _: Maintainer,
    path: Result<Path<(String, String)>, PathRejection>,
) -> ApiResult<Json<StatusOut>> {
    let repo = repo_of(path)?;
    Ok(Json(hooks::status(&app.engine, &repo).await?.into()))
}

/// Adds the webhook of a repository on GitHub, or makes the one that is there what it should be.
///
/// Its secret is `WEBHOOK_SECRET`, its events are those that Dispatch reads. The server's token needs the permission
/// Webhooks (read and write).
#[utoipa::path(
    post,
    path = "/api/webhooks/{owner}/{name}",
    operation_id = "addWebhook",
    tag = "webhooks",
    security(("bearer" = ["maintainer"])),
    params(
        ("owner" = String, Path, description = "The part of its name before the slash.", example = "octocat"),
        ("name" = String, Path, description = "The part after it.", example = "hello-world"),
    ),
    request_body = HookBody,
    responses(
        (status = 200, description = "It was there; address, events and secret are as they should be.", body = AddedOut),
        (status = 201, description = "It was made.", body = AddedOut),
        (status = 404, description = "The repository is not tracked."),
        (status = 409, description = "The server has no `WEBHOOK_SECRET`."),
        (status = 502, description = "GitHub refused, or could not be asked."),
    ),
)]
pub async fn add(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    path: Result<Path<(String, String)>, PathRejection>,
    body: Fields,
) -> ApiResult<(StatusCode, Json<AddedOut>)> {
    let repo = repo_of(path)?;
    let url = body.short("url", URL_MAX)?.filter(|url| !url.trim().is_empty());
    let url = url.ok_or_else(|| {
        ApiError::invalid("url", "url is missing: the address of this server as GitHub reaches it")
    })?;
    let added = hooks::add(&app.engine, &caller, &repo, &url).await?;
    let status = if added.how == How::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(added.into())))
}

/// Removes the webhook of a repository that is known to lead here.
#[utoipa::path(
    delete,
    path = "/api/webhooks/{owner}/{name}",
    operation_id = "removeWebhook",
    tag = "webhooks",
    security(("bearer" = ["maintainer"])),
    params(
        ("owner" = String, Path, description = "The part of its name before the slash.", example = "octocat"),
        ("name" = String, Path, description = "The part after it.", example = "hello-world"),
    ),
    responses(
        (status = 200, description = "It is gone.", body = RemovedOut),
        (status = 404, description = "The repository is not tracked, or no webhook of it is known."),
        (status = 502, description = "GitHub refused, or could not be asked."),
    ),
)]
pub async fn remove(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    path: Result<Path<(String, String)>, PathRejection>,
) -> ApiResult<Json<RemovedOut>> {
    let repo = hooks::remove(&app.engine, &caller, &repo_of(path)?).await?;
    Ok(Json(RemovedOut { repo_full_name: repo, removed: true }))
}

fn repo_of(path: Result<Path<(String, String)>, PathRejection>) -> ApiResult<RepoName> {
    // What is no UTF-8 is no name either.
    let name = path.map_or_else(|_| String::new(), |Path((owner, name))| format!("{owner}/{name}"));
    name.parse().map_err(|rule| ApiError::invalid("repo", format!("repo: {rule}")))
}
