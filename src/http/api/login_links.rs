//! `/api/auth/login-link`: links that sign a person in at the board, once.

use axum::{Json, extract::State, http::StatusCode};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::time::Timestamp,
    engine::sessions,
    http::{App, auth::Maintainer, error::ApiResult},
};

/// A link that was just made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoginLink)]
pub struct LinkOut {
    /// To be opened on this server, by one person; shown now and never again.
    #[schema(examples("/login?link=dsl_0c6f"))]
    path: String,
    /// It leads nowhere from then on.
    expires_at: Timestamp,
}

/// Makes a link that signs in at the board once.
///
/// Who opens it acts as an operator for two weeks, or until the token is revoked that the link was made by.
#[utoipa::path(
    post,
    path = "/api/auth/login-link",
    operation_id = "createLoginLink",
    tag = "tokens",
    security(("bearer" = ["maintainer"])),
    responses((status = 201, description = "The link, shown now and never again.", body = LinkOut)),
)]
pub async fn create(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
) -> ApiResult<(StatusCode, Json<LinkOut>)> {
    let link = sessions::make_link(&app.engine, &caller).await?;
    let path = format!("/login?link={}", link.secret.expose_secret());
    Ok((StatusCode::CREATED, Json(LinkOut { path, expires_at: link.expires_at })))
}
