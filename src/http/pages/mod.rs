//! Pages for operators: HTML from templates, forms that work without a script, and the headers that keep both safe.

#![expect(
    clippy::struct_field_names,
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_self,
    reason = "templates call methods of their struct, hand over references, and a page is named like what it lists"
)]

mod activity;
mod assets;
mod audit;
mod board;
mod chart;
mod configuration;
mod deliveries;
mod flash;
mod fleet;
mod frame;
mod issue;
mod list;
mod login;
mod markdown;
mod operator;
mod outbox;
mod outcome;
mod overview;
mod pr_fix;
mod projects;
mod refusal;
mod repositories;
mod runs;
mod settings;
mod time;
mod tokens;
mod work;

use axum::{
    Router,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::Response,
    routing::{MethodRouter, get, post},
};

pub use self::{
    activity::Memo,
    configuration::{Setting, Shown},
};
use super::App;

/// Pages load and send nothing elsewhere, hold no script or style of their own, and are in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What every page says to browsers. `same-origin` and not `no-referrer`: with that, forms would not say where they come
/// from.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Pages that are open to those who are not signed in.
pub const PUBLIC: [&str; 3] = ["/login", "/theme", "/assets/{file}"];

/// Every page, and what takes its forms; who may see it stands in the handlers' signatures.
fn list() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/login", get(login::show).post(login::enter)),
        ("/api/auth/logout", post(login::leave)),
        ("/agents", get(fleet::show_all)),
        ("/agents/{agent}", get(fleet::show)),
        ("/work/release", post(work::release)),
        ("/work/reassign", post(work::reassign)),
        ("/runs", get(runs::show_all)),
        ("/runs/{id}", get(runs::show)),
        ("/automation/pr-fix-queue", get(pr_fix::show_all)),
        ("/automation/pr-fix-queue/{owner}/{repo}/{number}", get(pr_fix::show)),
        ("/automation/pr-fix-queue/mark", post(pr_fix::mark)),
        ("/automation/pr-fix-queue/requeue", post(pr_fix::requeue)),
        ("/projects", get(projects::show)),
        ("/repositories", get(repositories::show)),
        ("/automation", get(repositories::show)),
        ("/repositories/add", post(repositories::add)),
        ("/repositories/remove", post(repositories::remove)),
        ("/repositories/sync", post(repositories::sync)),
        ("/outbox", get(outbox::show)),
        ("/outbox/retry", post(outbox::retry)),
        ("/outbox/discard", post(outbox::discard)),
        ("/deliveries", get(deliveries::show)),
        ("/deliveries/retry", post(deliveries::retry)),
        ("/audit", get(audit::show)),
        ("/audit/export", get(audit::export)),
        ("/settings", get(configuration::show)),
        ("/settings/tokens", get(tokens::lead).post(tokens::create)),
        ("/settings/tokens/revoke", post(tokens::revoke)),
        ("/settings/sessions/end", post(configuration::end_session)),
        ("/", get(overview::show)),
        ("/board", get(board::show)),
        ("/board/column/{status}", get(board::show_column)),
        ("/board/cards", get(board::show_cards)),
        ("/board/move", post(board::move_card)),
        ("/issues/{owner}/{repo}/{number}", get(issue::show)),
        ("/issues/{owner}/{repo}/{number}/{action}", post(issue::acts::act)),
        ("/theme", post(settings::choose_theme)),
        ("/assets/{file}", get(assets::serve)),
    ]
}

/// The paths of all pages.
pub fn paths() -> impl Iterator<Item = &'static str> {
    list().into_iter().map(|(path, _)| path)
}

/// The routes of the pages.
pub fn router(app: &App) -> Router<App> {
    let routes =
        list().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    routes.layer(axum::middleware::map_response_with_state(app.clone(), finish))
}

/// What is the same for the answers of all pages.
async fn finish(State(app): State<App>, mut response: Response) -> Response {
    refusal::show(&mut response, app.access.doors.is_open());
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
