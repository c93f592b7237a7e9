//! Query strings: parameters are read one by one, so that a refusal names the parameter and the rule.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::{HeaderMap, HeaderValue, Uri, header, request::Parts},
};

use utoipa::IntoParams;

use super::error::{ApiError, ApiResult};
use crate::domain::{
    ids::{AgentName, IssueId},
    page::{Cursor, LIMIT_MAX, NotACursor, Page, Skipped},
    repo::RepoName,
    time::Timestamp,
};

/// The parameters of a query string; an empty one counts as absent, unknown ones are ignored.
pub struct Params {
    values: HashMap<String, String>,
    uri: Uri,
}

/// How much of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `Params` reads")]
pub struct Limit {
    /// The most rows; more than 1000 counts as 1000.
    #[param(minimum = 1)]
    pub limit: Option<i64>,
}

/// What an agent asks the queue for; a switch is on when it is `true`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `Params` reads")]
pub struct Asking {
    /// Only issues of this lane, by its id or a former one. Issues without a lane are in the default lane.
    #[param(example = "local")]
    pub lane: Option<String>,
    /// Leaves issues out that have been split into others.
    pub exclude_decomposed: Option<bool>,
    /// Others' issues too, and every status but done, blocked and backlog.
    #[param(rename = "includeClaimed")]
    pub include_claimed: Option<bool>,
    /// What updaters of dependencies made, too.
    #[param(rename = "includeRenovate")]
    pub include_renovate: Option<bool>,
}

/// What the agent shows of an earlier answer.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `etag::answer` reads")]
pub struct Shown {
    /// The `ETag` of an earlier answer; while the answer is the same, it is not sent again.
    #[param(rename = "If-None-Match")]
    pub if_none_match: Option<String>,
}

/// Where a page of a list starts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `Params` reads")]
pub struct Start {
    /// The `X-Next-Cursor` of the page before.
    pub cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let Query(values): Query<HashMap<String, String>> =
            Query::from_request_parts(parts, state).await.map_err(|_| {
                ApiError::bad_request("The query string cannot be read; percent-encode its values")
            })?;
        // PostgreSQL has no place for it in a text, and no value of ours holds it.
        if let Some((name, _)) = values.iter().find(|(_, value)| value.contains('\0')) {
            return Err(ApiError::invalid(name, format!("{name} must not hold the character U+0000")));
        }
        Ok(Self { values, uri: parts.uri.clone() })
    }
}

/// The issue in the path.
pub struct IssueInPath(pub IssueId);

impl<S: Send + Sync> FromRequestParts<S> for IssueInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let unknown = || ApiError::not_found("Issue not found in local cache");
        let Path(params) =
            Path::<HashMap<String, String>>::from_request_parts(parts, &()).await.map_err(|_| unknown())?;
        // PostgreSQL has no place for it in a text, and no id of ours holds it.
        let id = params.get("issueId").filter(|id| !id.contains('\0')).ok_or_else(unknown)?;
        Ok(Self(IssueId(id.clone())))
    }
}

impl Params {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub fn repo(&self, name: &str) -> ApiResult<Option<RepoName>> {
        self.parsed(name)
    }

    pub fn agent(&self, name: &str) -> ApiResult<Option<AgentName>> {
        self.parsed(name)
    }

    /// An RFC 3339 time.
    pub fn time(&self, name: &str) -> ApiResult<Option<Timestamp>> {
        self.parsed(name)
    }

    /// A value that is read from its text.
    pub fn parsed<T>(&self, name: &str) -> ApiResult<Option<T>>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|rule| ApiError::invalid(name, format!("{name}: {rule}")))
    }

    /// `limit`: a whole number from 1 to [`LIMIT_MAX`]; larger ones are cut to it.
    pub fn limit(&self) -> ApiResult<Option<i64>> {
        let Some(text) = self.text("limit") else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(limit) if limit >= 1 => Ok(Some(limit.min(LIMIT_MAX))),
            _ => {
                Err(ApiError::invalid("limit", format!("limit must be a whole number from 1 to {LIMIT_MAX}")))
            }
        }
    }

    /// `cursor`, as an earlier page gave it out.
    pub fn cursor(&self) -> ApiResult<Option<Cursor>> {
        self.cursor_of("cursor")
    }

    /// The same by another name, where a page has several lists.
    pub fn cursor_of(&self, name: &str) -> ApiResult<Option<Cursor>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        Cursor::decode(text).map(Some).map_err(not_a_cursor)
    }

    /// `cursor` of a list whose order changes under it.
    pub fn skipped(&self) -> ApiResult<Skipped> {
        let Some(text) = self.text("cursor") else { return Ok(Skipped::default()) };
        Skipped::decode(text).unwrap_or(Err(NotACursor)).map_err(not_a_cursor)
    }

    /// The headers that lead to the next page: `Link` and `X-Next-Cursor`.
    pub fn next_page<T>(&self, page: &Page<T>) -> HeaderMap {
        let next = page.next.as_ref().map(Cursor::encode);
        next.map_or_else(HeaderMap::new, |next| self.next_page_at(&next))
    }

    /// The address that was asked for, but for where the list starts: there, or at its beginning.
    pub fn address(&self, cursor: Option<&str>) -> String {
        self.address_of("cursor", cursor)
    }

    /// The same where another parameter says where the list starts.
    pub fn address_of(&self, name: &str, place: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let mut others: Vec<_> = self.values.iter().filter(|(other, _)| *other != name).collect();
        others.sort();
        query.extend_pairs(others).extend_pairs(place.map(|place| (name, place)));
        match query.finish().as_str() {
            "" => self.uri.path().to_owned(),
            query => format!("{}?{query}", self.uri.path()),
        }
    }

    /// The same headers for a cursor.
    pub fn next_page_at(&self, next: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let link = format!("<{}>; rel=\"next\"", self.address(Some(next)));
        for (name, value) in [(header::LINK, link), (super::NEXT_CURSOR, next.to_owned())] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        headers
    }
}

/// The refusal of a `cursor`.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
pub fn not_a_cursor(rule: NotACursor) -> ApiError {
    ApiError::invalid("cursor", format!("cursor: {rule}"))
}
