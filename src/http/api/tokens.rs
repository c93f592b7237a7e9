//! `/api/tokens`: credentials made by Dispatch. A token is shown once, when it is made.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

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
        params::{Limit, Params},
    },
    store::tokens::{self, TokenRow},
};

/// The longest name.
const NAME_MAX: usize = 100;

/// A token that Dispatch made, without the token itself.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Token)]
pub struct TokenOut {
    id: TokenId,
    name: String,
    tier: TokenTier,
    /// The agent that a worker's token is bound to.
    #[schema(required)]
    agent_name: Option<AgentName>,
    created_at: Timestamp,
    created_by: String,
    #[schema(required)]
    revoked_at: Option<Timestamp>,
}

/// What a token is good for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenTier {
    Worker,
    Maintainer,
}

impl From<TokenRow> for TokenOut {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            tier: if row.agent.is_some() { TokenTier::Worker } else { TokenTier::Maintainer },
            agent_name: row.agent,
            created_at: row.created_at,
            created_by: row.created_by,
            revoked_at: row.revoked_at,
        }
    }
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = NewToken)]
pub struct MadeOut {
    /// Shown now and never again.
    token: String,
    #[serde(flatten)]
    row: TokenOut,
}

/// What token to make.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct TokenBody {
    /// For people; the agent's name unless said.
    #[schema(max_length = 100)]
    pub name: Option<String>,
    /// Makes it a worker's token, bound to this agent; a maintainer's without.
    pub agent_name: Option<AgentName>,
}

/// Lists the tokens that Dispatch made, newest first, revoked ones among them.
#[utoipa::path(
    get,
    path = "/api/tokens",
    operation_id = "listTokens",
    tag = "tokens",
    security(("bearer" = ["maintainer"])),
    params(Limit),
    responses((status = 200, description = "The newest tokens, 1000 at most.", body = Vec<TokenOut>)),
)]
pub async fn list(State(app): State<App>, _: Maintainer, params: Params) -> ApiResult<Json<Vec<TokenOut>>> {
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT);
    let mut tx = app.engine.db().read_once().await?;
    let rows = tokens::list(&mut tx, limit).await?;
    Ok(Json(rows.into_iter().map(TokenOut::from).collect()))
}

/// Makes a token.
///
/// With `agentName` a worker's, bound to that agent; without, a maintainer's.
#[utoipa::path(
    post,
    path = "/api/tokens",
    operation_id = "createToken",
    tag = "tokens",
    security(("bearer" = ["maintainer"])),
    request_body = TokenBody,
    responses((status = 201, description = "The token, shown now and never again.", body = MadeOut)),
)]
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
#[utoipa::path(
    delete,
    path = "/api/tokens/{id}",
    operation_id = "revokeToken",
    tag = "tokens",
    security(("bearer" = ["maintainer"])),
    params(("id" = TokenId, Path, description = "The `id` of its row.")),
    responses(
        (status = 200, description = "It opens nothing any more.", body = TokenOut),
        (status = 404, description = "No such token was made here."),
    ),
)]
pub async fn revoke(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    id: Result<Path<String>, PathRejection>,
) -> ApiResult<Json<TokenOut>> {
    // What is no UTF-8 is no id either.
    let id = TokenId(id.map_or_else(|_| String::new(), |Path(id)| id));
    let row = engine::tokens::revoke(&app.engine, &caller, &id).await?;
    Ok(Json(row.into()))
}
