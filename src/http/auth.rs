//! Who calls: extractors that stand in a handler's signature, so that forgetting one does not compile.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Path},
    http::{Method, header, request::Parts},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    App,
    error::{ApiError, ApiResult},
    params::Params,
    rate::Rate,
    sign_in::{self, Doors},
};
use crate::{
    domain::{
        access::{Caller, Denied, Scope, Tier},
        digest::{hex, sha256},
        ids::{AgentName, TokenId},
        time::Timestamp,
    },
    engine::access::record_denial,
    store::{Db, tokens},
};

/// The tokens that open this server, by the SHA-256 of each.
pub struct Access {
    tokens: HashMap<[u8; 32], Tier>,
    rate: Rate,
    metrics_public: bool,
    /// For those who show no token.
    pub(super) doors: Doors,
}

impl Access {
    pub fn new(tokens: impl IntoIterator<Item = (SecretString, Tier)>, requests_per_second: u32) -> Self {
        let hashed = |(token, tier): (SecretString, Tier)| (sha256(token.expose_secret()), tier);
        let tokens = tokens.into_iter().map(hashed).collect();
        Self { tokens, rate: Rate::new(requests_per_second), metrics_public: false, doors: Doors::default() }
    }

    /// Takes one request of whoever is limited; else the seconds until there is one again.
    pub(super) fn take(&self, caller: &Caller, now: Timestamp) -> Result<(), u64> {
        if caller.tier == Tier::Maintainer { Ok(()) } else { self.rate.take(&caller.token, now) }
    }

    /// Whether anybody may read metrics.
    pub fn with_metrics_public(self, metrics_public: bool) -> Self {
        Self { metrics_public, ..self }
    }

    /// Is it good as long as the process lives? What Dispatch made itself may be revoked.
    pub fn is_lasting(&self, token: &TokenId) -> bool {
        self.doors.is_guest(token) || self.tokens.keys().any(|digest| id_of(digest) == *token)
    }

    /// How operators sign in without a token.
    pub fn with_doors(self, doors: Doors) -> Self {
        Self { doors, ..self }
    }

    /// Is this the id of a maintainer's token of the configuration?
    pub(super) fn is_maintainer(&self, id: &str) -> bool {
        let mut maintainers = self.tokens.iter().filter(|(_, tier)| **tier == Tier::Maintainer);
        maintainers.any(|(digest, _)| id_of(digest).0 == id)
    }

    /// What a token opens: one of the configuration, or one that Dispatch made and nobody revoked.
    async fn tier(&self, token: &str, db: &Db) -> ApiResult<Option<(TokenId, Tier)>> {
        let digest = sha256(token);
        let id = id_of(&digest);
        if let Some(tier) = self.tokens.get(&digest) {
            return Ok(Some((id, tier.clone())));
        }
        let mut tx = db.read_once().await?;
        let made = tokens::find_live(&mut tx, &hex(&digest)).await?;
        Ok(made.map(|row| (id, row.tier())))
    }
}

/// What a token is called wherever it must not be shown.
fn id_of(digest: &[u8; 32]) -> TokenId {
    TokenId(hex(&digest[..8]))
}

/// Anybody with a valid token: the worker routes.
pub struct Worker(pub Caller);

/// A maintainer: every other route.
pub struct Maintainer(pub Caller);

/// A caller that acts for the agent in the path, which it may.
pub struct Acting {
    pub caller: Caller,
    pub agent: AgentName,
}

/// The same where the contract ties every worker to its agent: a token that is bound to nobody is refused.
pub struct Bound {
    pub agent: AgentName,
}

/// An agent that asks for its next task: strictly for itself (`contract/agents.md` 1.5).
pub struct Polling {
    pub caller: Caller,
    pub agent: AgentName,
}

impl FromRequestParts<App> for Worker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let caller = authenticate(parts, app).await?;
        app.access.take(&caller, app.engine.clock().now()).map_err(ApiError::rate_limited)?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<App> for Maintainer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let Worker(caller) = Worker::from_request_parts(parts, app).await?;
        match caller.may_maintain() {
            Ok(()) => Ok(Self(caller)),
            Err(denied) => Err(refuse(parts, app, &caller, denied).await),
        }
    }
}

/// Who reads metrics: a maintainer, because they name repositories, or anybody where the operator says so.
pub struct Observer;

impl FromRequestParts<App> for Observer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        if !app.access.metrics_public {
            Maintainer::from_request_parts(parts, app).await?;
        }
        Ok(Self)
    }
}

impl FromRequestParts<App> for Acting {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        acting(parts, app, Scope::BoundOnly).await
    }
}

impl FromRequestParts<App> for Bound {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let Acting { agent, .. } = acting(parts, app, Scope::Strict).await?;
        Ok(Self { agent })
    }
}

async fn acting(parts: &mut Parts, app: &App, scope: Scope) -> ApiResult<Acting> {
    let Worker(caller) = Worker::from_request_parts(parts, app).await?;
    acting_as(parts, app, caller, scope).await
}

async fn acting_as(parts: &mut Parts, app: &App, caller: Caller, scope: Scope) -> ApiResult<Acting> {
    let agent = agent_in_path(parts).await?;
    match caller.may_act_for(&agent, scope) {
        Ok(()) => Ok(Acting { caller, agent }),
        Err(denied) => Err(refuse(parts, app, &caller, denied).await),
    }
}

impl FromRequestParts<App> for Polling {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        // Before it matters for whom: nobody is told what to groom any more.
        let Worker(caller) = Worker::from_request_parts(parts, app).await?;
        if Params::from_request_parts(parts, &()).await?.text("mode") == Some("groom") {
            return Err(ApiError::gone(GROOM_RETIRED).with_code("groom_retired"));
        }
        let Acting { caller, agent } = acting_as(parts, app, caller, Scope::Strict).await?;
        Ok(Self { caller, agent })
    }
}

const GROOM_RETIRED: &str = "Handing grooming out to external agents is retired; a groomer runs inside Dispatch: POST /api/groomer/run";

pub(super) async fn authenticate(parts: &Parts, app: &App) -> ApiResult<Caller> {
    let Some(shown) = bearer(parts) else {
        let guest = sign_in::find_for_json(parts, app).await?.ok_or_else(ApiError::unauthorized)?;
        return Ok(guest.caller);
    };
    let known = app.access.tier(shown, app.engine.db()).await?;
    let (token, tier) = known.ok_or_else(ApiError::unauthorized)?;
    let named = parts.headers.get("x-agent-name").and_then(|name| name.to_str().ok());
    let named = named.map(str::trim).filter(|name| !name.is_empty() && name.len() <= 100).map(str::to_owned);
    Ok(Caller { tier, token, named })
}

/// The token of `Authorization: Bearer …`; the scheme's case does not matter.
pub(super) fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|token| !token.is_empty())
}

async fn agent_in_path(parts: &mut Parts) -> ApiResult<AgentName> {
    let refuse = |rule: &dyn std::fmt::Display| ApiError::invalid("agentName", format!("agentName: {rule}"));
    let Path(params) = Path::<HashMap<String, String>>::from_request_parts(parts, &())
        .await
        .map_err(|_| refuse(&crate::domain::ids::NotAnAgentName))?;
    let name = params.get("agentName").map_or("", String::as_str);
    name.parse().map_err(|rule| refuse(&rule))
}

/// Refuses what only the body of a POST could tell, and puts it on record.
pub async fn record_and_refuse(app: &App, caller: &Caller, denied: Denied, path: &str) -> ApiError {
    refuse_and_record(app, caller, denied, &Method::POST, path).await
}

/// Refuses what no extractor could tell, and puts it on record.
pub async fn refuse_and_record(
    app: &App,
    caller: &Caller,
    denied: Denied,
    method: &Method,
    path: &str,
) -> ApiError {
    record_denial(&app.engine, caller, &denied, method.as_str(), path).await;
    denied.into()
}

async fn refuse(parts: &Parts, app: &App, caller: &Caller, denied: Denied) -> ApiError {
    record_denial(&app.engine, caller, &denied, parts.method.as_str(), parts.uri.path()).await;
    denied.into()
}
