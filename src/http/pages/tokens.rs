//! Tokens made and revoked by forms; a token is shown on the answer to its form, and nowhere else.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::Response,
};
use secrecy::ExposeSecret;

use super::{
    frame::{Frame, Theme},
    operator::{Form, Operator, Order},
    outcome::Sent,
    refusal::{PageResult, see_other},
};
use crate::{
    domain::ids::{AgentName, TokenId},
    engine::{self, tokens::Made},
    http::{
        App,
        error::{ApiError, ApiResult},
    },
};

/// The longest name.
const NAME_MAX: usize = 100;

#[derive(Template)]
#[template(path = "settings/token.html")]
struct New<'a> {
    frame: &'a Frame,
    made: &'a Made,
}

impl New<'_> {
    fn token(&self) -> &str {
        self.made.token.expose_secret()
    }
}

/// Makes a token and shows it, this once: it goes into no cookie, no address and no cache.
pub async fn create(State(app): State<App>, order: Order) -> PageResult<Response> {
    let (name, agent) = match asked(&order.form) {
        Ok(asked) => asked,
        Err(error) => return Sent::from(order).end(Err(error)),
    };
    let made = engine::tokens::create(&app.engine, &order.caller, &name, agent).await?;
    // This page cannot be come back to: what leads back to it leads to that of all tokens.
    let frame = order.frame.leading_back_to("/settings");
    let mut response = frame.show(&New { frame: &frame, made: &made })?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Whoever comes by the address of that form, which a browser may keep, is led to where tokens are made.
pub async fn lead(_: Operator) -> Response {
    see_other("/settings#tokens")
}

fn asked(form: &Form) -> ApiResult<(String, Option<AgentName>)> {
    let agent = form.text("agent").map(str::parse::<AgentName>).transpose();
    let agent = agent.map_err(|rule| ApiError::invalid("agent", format!("Agent: {rule}")))?;
    let refuse = |rule: &str| Err(ApiError::invalid("agent", rule));
    match (form.text("for"), &agent) {
        (Some("worker"), None) => return refuse("Name the agent that the token is bound to"),
        (Some("maintainer"), Some(_)) => {
            return refuse("A maintainer's token is bound to no agent: leave the agent out");
        }
        (Some("worker" | "maintainer"), _) => {}
        _ => return Err(ApiError::invalid("for", "Choose what the token is for")),
    }
    let name = form.text("name").or(agent.as_ref().map(AgentName::as_str)).unwrap_or("maintainer");
    if name.chars().count() > NAME_MAX {
        return Err(ApiError::invalid(
            "name",
            format!("The name must be at most {NAME_MAX} characters long"),
        ));
    }
    Ok((name.to_owned(), agent))
}

/// Revokes a token, and ends the sessions that hang on it.
pub async fn revoke(State(app): State<App>, order: Order) -> PageResult<Response> {
    let sent = Sent::from(order);
    let id = TokenId(sent.form.needed("id")?.to_owned());
    let done = engine::tokens::revoke(&app.engine, &sent.caller, &id).await;
    sent.end(done.map_err(ApiError::from).map(|row| format!("The token {} opens nothing any more", row.name)))
}
