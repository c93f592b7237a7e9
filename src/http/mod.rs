//! HTTP: every route in one list, every layer with its reason.

pub mod api;
mod around;
pub mod auth;
mod docs;
mod error;
mod etag;
pub mod export;
mod fields;
pub mod front;
mod if_match;
mod openapi;
pub mod pages;
mod params;
pub mod patience;
mod rate;
pub mod sign_in;
mod signed;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, http::HeaderName, middleware, response::IntoResponse};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, CompressionLevel},
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::around::REQUEST_ID;
use self::{api::health::About, around::around, auth::Access, error::ApiError};
use crate::engine::Engine;

/// The largest body that is read; webhooks have a limit of their own.
const BODY_MAX: usize = 1024 * 1024;

/// Where the next page of a list starts.
pub const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// What handlers share.
#[derive(Clone)]
pub struct App(Arc<AppParts>);

pub struct AppParts {
    pub engine: Engine,
    pub access: Access,
    pub about: About,
    /// For deliveries of webhooks.
    pub room: signed::Room,
    /// What is answered again before all routes.
    pub front: front::Repeats,
    /// What all viewers of the overview are shown of what went on lately.
    pub activity: pages::Memo,
}

impl std::ops::Deref for App {
    type Target = AppParts;

    fn deref(&self) -> &AppParts {
        &self.0
    }
}

impl App {
    pub fn new(engine: Engine, access: Access, about: About) -> Self {
        Self(Arc::new(AppParts {
            engine,
            access,
            about,
            room: signed::Room::default(),
            front: front::Repeats::default(),
            activity: pages::Memo::default(),
        }))
    }
}

/// Every route. Path, method and description stand above the handler, who may call it in its signature.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(api::heartbeat::beat))
        .routes(routes!(api::queue::next_task))
        .routes(routes!(api::queue::queue))
        .routes(routes!(api::queue::work_summary))
        .routes(routes!(api::active_work::active))
        .routes(routes!(api::reports::report))
        .routes(routes!(api::pr_fix::queued))
        .routes(routes!(api::pr_fix::history))
        .routes(routes!(api::pr_fix_changes::enqueue))
        .routes(routes!(api::pr_fix_changes::mark))
        .routes(routes!(api::pr_fix_changes::requeue))
        .routes(routes!(api::pr_fix_handouts::ack))
        .routes(routes!(api::pr_fix_handouts::sweep))
        .routes(routes!(api::work::list, api::operators::operate))
        .routes(routes!(api::work::start))
        .routes(routes!(api::work::checkpoint))
        .routes(routes!(api::work::finish))
        .routes(routes!(api::operators::sweep))
        .routes(routes!(api::sync::sync))
        .routes(routes!(api::sync::scheduled))
        .routes(routes!(api::issues::list))
        .routes(routes!(api::issues::state))
        .routes(routes!(api::issues::refresh))
        .routes(routes!(api::claims::claim))
        .routes(routes!(api::claims::unclaim))
        .routes(routes!(api::claims::status))
        .routes(routes!(api::claims::claimed))
        .routes(routes!(api::actions::move_issue))
        .routes(routes!(api::actions::label))
        .routes(routes!(api::actions::unlabel))
        .routes(routes!(api::actions::comment))
        .routes(routes!(api::assignments::assign))
        .routes(routes!(api::assignments::agents))
        .routes(routes!(api::assignments::unassign))
        .routes(routes!(api::grooming::groom))
        .routes(routes!(api::grooming::decompose))
        .routes(routes!(api::triage::untriaged))
        .routes(routes!(api::triage::prune_closed))
        .routes(routes!(api::lanes::show, api::lanes::classify))
        .routes(routes!(api::pr_health::refresh))
        .routes(routes!(api::why::why))
        .routes(routes!(api::repos::list_plain, api::repos::add_plain))
        .routes(routes!(api::repos::list, api::repos::add))
        .routes(routes!(api::repos::remove))
        .routes(routes!(api::automation::list, api::automation::sync))
        .routes(routes!(api::ci_failures::sync))
        .routes(routes!(api::pr_followup::sync))
        .routes(routes!(api::pr_reconcile::list, api::pr_reconcile::reconcile))
        .routes(routes!(api::runs::list, api::runs::record))
        .routes(routes!(api::audit::list))
        .routes(routes!(api::events::listen))
        .routes(routes!(api::outbox::list))
        .routes(routes!(api::outbox::retry))
        .routes(routes!(api::outbox::discard))
        .routes(routes!(api::webhook::github))
        .routes(routes!(api::webhook::issues))
        .routes(routes!(api::webhook::pr_followup))
        .routes(routes!(api::deliveries::list))
        .routes(routes!(api::deliveries::retry))
        .routes(routes!(api::hooks::status, api::hooks::add, api::hooks::remove))
        .routes(routes!(api::tokens::list, api::tokens::create))
        .routes(routes!(api::tokens::revoke))
        .routes(routes!(api::login_links::create))
        .routes(routes!(api::health::health))
        .routes(routes!(api::health::live))
        .routes(routes!(api::health::ready))
        .routes(routes!(api::metrics::metrics))
        .routes(routes!(docs::document))
        .routes(routes!(docs::page))
        .routes(routes!(docs::asset))
}

/// The description of every route (OpenAPI 3.1).
pub fn openapi() -> OpenApi {
    openapi::complete(routes().into_openapi())
}

/// The server's routes in their layers.
pub fn router(app: App) -> Router {
    let routes = Router::from(routes())
        .merge(pages::router(&app))
        .fallback(|| async {
            ApiError::not_found("No such route; /api/docs lists all, /api/health says which version answers")
        })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() });
    layers(routes, &app).with_state(app)
}

/// Every layer in one step, the outermost first: layers that come one by one are each copied for every request.
fn layers(routes: Router<App>, app: &App) -> Router<App> {
    routes.layer((
        // Outermost: everything inside has a name, and ends.
        middleware::from_fn_with_state(app.clone(), around),
        // A panic is a fault of ours, and still an answer.
        CatchPanicLayer::custom(|_| ApiError::internal("a handler panicked").into_response()),
        // Packing harder takes longer than sending the difference: a board of a thousand cards is 110 KB instead of 90.
        CompressionLayer::new().quality(CompressionLevel::Fastest),
        DefaultBodyLimit::max(BODY_MAX),
    ))
}
