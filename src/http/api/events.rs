//! `GET /api/events`: what changed, as hints to read again, for as long as the caller listens.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, Method},
    response::{IntoResponse, Sse, sse::Event},
};
use futures_util::stream;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{
        access::Denied,
        event::{Hint, Kind, Wanted, WantedRepo},
        ids::AgentName,
        repo::RepoName,
    },
    engine::events::{self, Guest, Listener, Said},
    http::{
        App,
        auth::{Worker, refuse_and_record},
        error::{ApiError, ApiResult},
        params::Params,
    },
    store::repos,
};

const LAST: HeaderName = HeaderName::from_static("last-event-id");

/// Tells nginx to hand on what it gets at once.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A listener that was cut off comes back after so long.
const COME_BACK_AFTER: Duration = Duration::from_secs(2);

/// Kinds, separated by commas.
#[derive(ToSchema)]
#[schema(
    value_type = String,
    as = EventKinds,
    pattern = "^(issue|claim|run|outbox|repository)(,(issue|claim|run|outbox|repository))*$",
    examples("issue,claim")
)]
pub struct Kinds(pub String);

/// Which hints.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Hints {
    /// Only these kinds, separated by commas: `issue`, `claim`, `run`, `outbox`, `repository`.
    pub kind: Option<Kinds>,
    /// The `id` of an event, as in the header, which counts before it: for browsers, which begin without one.
    pub after: Option<String>,
    /// Only what is in this repository, or may be.
    pub repo: Option<RepoName>,
    /// Of claims and runs only this agent's. Hints of other kinds name no agent and are heard all the same.
    pub agent: Option<AgentName>,
}

/// What the listener heard last.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct Heard {
    /// The `id` of the last event: what came after it is told first. Where that cannot be told, the first event is
    /// `reset`.
    #[param(rename = "Last-Event-ID")]
    pub last_event_id: Option<String>,
}

/// Listens to what changes, as server-sent events.
///
/// Each event names what to read again and holds nothing of its content; a field that is null means all of them. Events
/// are called by their `kind`, but the first, `ready`: whatever is committed after it is told (what happened at
/// once may be told as one). `reset` means that something was missed: read everything again. A client that falls
/// behind is cut off, and comes back with `Last-Event-ID`. A worker hears of issues, claims and its own runs.
#[utoipa::path(
    get,
    path = "/api/events",
    operation_id = "listen",
    tag = "events",
    security(("bearer" = ["worker"])),
    params(Hints, Heard),
    responses(
        (
            status = 200,
            description = "Events, until one side ends it. The schema is that of each event's `data`.",
            body = Hint,
            content_type = "text/event-stream",
            headers(("X-Accel-Buffering" = String, description = "`no`: proxies must not keep events back.")),
        ),
        (status = 403, description = "A kind was asked for that needs a maintainer's token: code `maintainer_required`."),
    ),
)]
pub async fn listen(
    State(app): State<App>,
    Worker(caller): Worker,
    headers: HeaderMap,
    params: Params,
) -> ApiResult<impl IntoResponse> {
    let may_hear = Wanted::of(&caller.tier);
    let kinds = kinds(&params)?;
    let repo = wanted_repo(&app, params.repo("repo")?).await?;
    let wanted = Wanted { repo, agent: params.agent("agent")?, ..may_hear };
    let wanted = match kinds {
        Some(kinds) if kinds.iter().all(|kind| wanted.kinds.contains(kind)) => Wanted { kinds, ..wanted },
        Some(_) => {
            return Err(refuse_and_record(&app, &caller, Denied::Tier, &Method::GET, "/api/events").await);
        }
        None => wanted,
    };
    // An id that cannot even be read is of another life.
    let last = headers.get(LAST).map(|id| id.to_str().unwrap_or_default()).or_else(|| params.text("after"));
    let is_revocable = !app.access.is_lasting(&caller.token);
    let guest = Guest { token: &caller.token, tier: &caller.tier, is_revocable };
    let listener = events::listen(&app.engine, guest, wanted, last)?;
    let said = stream::unfold(listener, async |mut listener: Listener| {
        let said = listener.next().await?;
        Some((Ok::<_, Infallible>(event(said)), listener))
    });
    Ok(([(UNBUFFERED, "no")], Sse::new(said)))
}

/// A repository is heard of by whatever name it has or had.
async fn wanted_repo(app: &App, name: Option<RepoName>) -> ApiResult<Option<WantedRepo>> {
    let Some(name) = name else { return Ok(None) };
    let mut tx = app.engine.db().read_once().await?;
    let id = repos::find_id(&mut tx, &name).await?;
    Ok(Some(WantedRepo { name, id }))
}

fn kinds(params: &Params) -> ApiResult<Option<Vec<Kind>>> {
    let Some(text) = params.text("kind") else { return Ok(None) };
    let named: Option<Vec<Kind>> = text.split(',').map(|name| Kind::named(name.trim())).collect();
    named.map(Some).ok_or_else(|| {
        ApiError::invalid(
            "kind",
            "kind must be one or more of issue, claim, run, outbox and repository, separated by commas",
        )
    })
}

fn event(said: Said) -> Event {
    match said {
        Said::Ready(id) => Event::default().event("ready").id(id).retry(COME_BACK_AFTER).data("{}"),
        Said::Reset(id) => Event::default().event("reset").id(id).retry(COME_BACK_AFTER).data("{}"),
        Said::Hint(id, hint) => {
            // A value of ours: it is JSON.
            let data = serde_json::to_string(hint.as_ref()).unwrap_or_default();
            Event::default().event(hint.kind.as_str()).id(id).data(data)
        }
        // No data: a client takes the id and hears nothing.
        Said::Alive(id) => Event::default().id(id).comment(""),
    }
}
