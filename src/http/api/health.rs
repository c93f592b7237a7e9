//! Probes: `/api/health` (the contract's, with the periodic jobs), `/healthz` (is the process alive) and `/readyz` (can
//! it serve).

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::time::Timestamp,
    engine::jobs::JobState,
    http::{App, pages::Setting},
};

/// Probes wait a second; the answer must be there before.
const PING_LIMIT: Duration = Duration::from_millis(700);

/// What the server says of itself.
#[derive(Clone, Debug)]
pub struct About {
    pub version: &'static str,
    /// `legacy`, `basic`, `oidc` or `disabled`.
    pub auth_mode: &'static str,
    /// How it is set up, for the operators' page.
    pub settings: Vec<Setting>,
}

/// Can it serve?
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Does the database answer?
    ok: bool,
    database: DatabaseHealth,
    version: &'static str,
    /// How people sign in; left out when the database does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, pattern = "^(legacy|basic|oidc|disabled)$")]
    auth_mode: Option<&'static str>,
    /// What runs by itself; left out when the database does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SchedulerHealth, required = false)]
    scheduler: Option<SchedulerHealth>,
}

/// What runs by itself, in this process.
#[derive(Serialize, ToSchema)]
pub struct SchedulerHealth {
    /// Does this process run the jobs that only one of all processes on the database may run?
    leader: bool,
    /// The jobs that are switched on.
    jobs: Vec<JobHealth>,
}

/// A periodic job.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobHealth {
    #[schema(examples("sync"))]
    name: &'static str,
    /// When its last run in this process ended.
    #[schema(required)]
    last_run_at: Option<Timestamp>,
    #[schema(minimum = 1)]
    interval_ms: u64,
    /// It ran in this process before, and not for more than two intervals.
    overdue: bool,
    /// When it runs next in this process; null while it runs, and where another process does.
    #[schema(required)]
    next_run_at: Option<Timestamp>,
    /// Why its last run failed and what to do; null when it went well.
    #[schema(required)]
    last_error: Option<String>,
}

/// Does the database answer?
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseHealth {
    Ok,
    Error,
}

/// Is the process there?
#[derive(Serialize, ToSchema)]
pub struct Alive {
    ok: bool,
}

/// Says whether the database answers, and which version this is.
#[utoipa::path(
    get,
    path = "/api/health",
    operation_id = "getHealth",
    tag = "health",
    responses(
        (status = 200, description = "The server is in order.", body = Health),
        (status = 503, description = "The database does not answer.", body = Health),
    ),
)]
pub async fn health(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let ok = database_answers(&app).await;
    let health = Health {
        ok,
        database: if ok { DatabaseHealth::Ok } else { DatabaseHealth::Error },
        version: app.about.version,
        auth_mode: ok.then_some(app.about.auth_mode),
        scheduler: ok.then(|| scheduler(&app)),
    };
    (if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(health))
}

/// Says that the process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "probeLiveness",
    tag = "health",
    responses((status = 200, description = "The process is alive.", body = Alive)),
)]
pub async fn live() -> Json<Alive> {
    Json(Alive { ok: true })
}

/// Says whether the process can serve, as /api/health does.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "probeReadiness",
    tag = "health",
    responses(
        (status = 200, description = "The server is in order.", body = Health),
        (status = 503, description = "The database does not answer.", body = Health),
    ),
)]
pub async fn ready(app: State<App>) -> (StatusCode, Json<Health>) {
    health(app).await
}

fn scheduler(app: &App) -> SchedulerHealth {
    let (jobs, now) = (app.engine.jobs(), app.engine.clock().now());
    let health = |job: JobState| JobHealth {
        name: job.name,
        last_run_at: job.last_run_at,
        interval_ms: u64::try_from(job.interval.as_millis()).unwrap_or(u64::MAX),
        overdue: job.is_overdue(now),
        next_run_at: job.next_run_at,
        last_error: job.last_error,
    };
    SchedulerHealth { leader: jobs.leads(), jobs: jobs.list().into_iter().map(health).collect() }
}

async fn database_answers(app: &App) -> bool {
    let db = app.engine.db().clone();
    // The probe gives up waiting; the statement itself is never cut off.
    let ping = app.engine.tasks().spawn(async move { db.ping().await });
    matches!(tokio::time::timeout(PING_LIMIT, ping).await, Ok(Ok(Ok(()))))
}
