//! `/api/tokens`: credentials made by Dispatch. A token is shown once, when it is made.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::{
    domain::{
        ids::{AgentName, TokenId},
        page::DEFAULT_LIMIT,
        time::Timestamp,
    },
    engine,
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::Fields,
        params::Params,
    },
    store::tokens::{self, TokenRow},
};

/// The longest name.
const NAME_MAX: usize = 100;

/// A token on the wire, without the token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenOut {
    id: TokenId,
    name: String,
    tier: &'static str,
    agent_name: Option<AgentName>,
    created_at: Timestamp,
    created_by: String,
    revoked_at: Option<Timestamp>,
}

impl From<TokenRow> for TokenOut {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            tier: if row.agent.is_some() { "worker" } else { "maintainer" },
            agent_name: row.agent,
            created_at: row.created_at,
            created_by: row.created_by,
            revoked_at: row.revoked_at,
        }
    }
}

/// A token that was just made.
#[derive(Serialize)]
pub struct MadeOut {
    /// Shown now and never again.
    token: String,
    #[serde(flatten)]
    row: TokenOut,
}

/// The tokens made here, newest first, revoked ones among them.
pub async fn list(State(app): State<App>, _: Maintainer, params: Params) -> ApiResult<Json<Vec<TokenOut>>> {
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT);
    let mut tx = app.engine.db().read_once().await?;
    let rows = tokens::list(&mut tx, limit).await?;
    Ok(Json(rows.into_iter().map(TokenOut::from).collect()))
}

/// Makes a token: with `agentName` a worker's, bound to that agent; without, a maintainer's.
pub async fn create(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    body: Fields,
) -> ApiResult<(StatusCode, Json<MadeOut>)> {
    let agent = match body.string("agentName")? {
        None => None,
        Some(text) => {
            let name = text.parse::<AgentName>();
            Some(name.map_err(|rule| ApiError::invalid("agentName", format!("agentName: {rule}")))?)
        }
    };
    let name =
        body.short("name", NAME_MAX)?.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| agent.as_ref().map_or("maintainer", AgentName::as_str).to_owned());
    let made = engine::tokens::create(&app.engine, &caller, &name, agent).await?;
    let token = made.token.expose_secret().to_owned();
    Ok((StatusCode::CREATED, Json(MadeOut { token, row: made.row.into() })))
}

/// Revokes a token: the next request that shows it is refused.
pub async fn revoke(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    Path(id): Path<String>,
) -> ApiResult<Json<TokenOut>> {
    let row = engine::tokens::revoke(&app.engine, &caller, &TokenId(id)).await?;
    Ok(Json(row.into()))
}
