//! What pages of lists share: how many rows, the way to the rest, filters in the address, links to elsewhere.

use askama::Template;
use axum::{http::StatusCode, response::Response};

use super::{frame::Frame, refusal::PageResult};
use crate::{
    domain::{
        page::{Cursor, Page},
        time::Timestamp,
    },
    http::{
        error::{ApiError, ApiResult},
        params::Params,
    },
};

/// Rows of a page.
pub const ROWS: i64 = 50;

/// The ways from one page of a list to others.
pub struct Paging {
    /// Where the list goes on.
    pub next: Option<String>,
    /// Where it begins, unless that is here.
    pub start: Option<String>,
}

impl Paging {
    pub fn of<T>(params: &Params, page: &Page<T>) -> Self {
        let next = page.next.as_ref().map(Cursor::encode);
        Self::after(params, next.as_deref())
    }

    /// For a list that is not the only one of its page: the parameter that says where it starts, and where it stands there.
    pub fn within<T>(params: &Params, page: &Page<T>, (name, place): (&str, &str)) -> Self {
        let at = |cursor: Option<&str>| format!("{}#{place}", params.address_of(name, cursor));
        let next = page.next.as_ref().map(|next| at(Some(&next.encode())));
        Self { next, start: params.text(name).map(|_| at(None)) }
    }

    /// For lists that go on after a name.
    pub fn after(params: &Params, place: Option<&str>) -> Self {
        let start = params.text("cursor").map(|_| params.address(None));
        Self { next: place.map(|place| params.address(Some(place))), start }
    }
}

/// Cuts rows, of which one more than `limit` was read; with the one after which the list goes on.
pub fn cut<T>(mut rows: Vec<T>, limit: i64) -> (Vec<T>, Option<usize>) {
    let limit = usize::try_from(limit).unwrap_or(0);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.len().checked_sub(1).filter(|_| more);
    (rows, last)
}

/// What a list came to; or what is wrong with what was asked for, which its page says above the form that holds it.
pub fn forgiven<T: Default>(read: ApiResult<T>) -> ApiResult<(T, Option<ApiError>)> {
    match read {
        Ok(list) => Ok((list, None)),
        Err(error) if error.status() == StatusCode::BAD_REQUEST => Ok((T::default(), Some(error))),
        Err(error) => Err(error),
    }
}

/// The page of a list, by the status of what is wrong where something is.
pub fn show(frame: &Frame, page: &impl Template, fault: Option<StatusCode>) -> PageResult<Response> {
    let mut response = frame.show(page)?;
    if let Some(status) = fault {
        *response.status_mut() = status;
    }
    Ok(response)
}

/// A field of a form for a time in the address.
pub struct TimeField<'a> {
    /// As it stands there.
    pub text: &'a str,
    /// Of the input: text where no calendar could show it.
    pub kind: &'static str,
    pub value: String,
}

impl<'a> TimeField<'a> {
    pub fn of(params: &'a Params, name: &str) -> Self {
        let text = params.text(name).unwrap_or_default();
        match moment(params, name) {
            Ok(at) => {
                let value = at.map(local).unwrap_or_default();
                Self { text, kind: "datetime-local", value }
            }
            Err(_) => Self { text, kind: "text", value: text.to_owned() },
        }
    }
}

/// As an input takes it, no longer than it must be.
fn local(at: Timestamp) -> String {
    let whole = at.to_string();
    let text =
        ["Z", ".000", ":00"].iter().fold(whole.as_str(), |text, end| text.strip_suffix(end).unwrap_or(text));
    text.to_owned()
}

/// A time in the address: whole, or without an offset, which is UTC, or a day, which is its first moment.
pub fn moment(params: &Params, name: &str) -> ApiResult<Option<Timestamp>> {
    let Some(text) = params.text(name) else { return Ok(None) };
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let rule = format!("{name}: write a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z");
    let read = whole.parse().or_else(|_| format!("{whole}Z").parse());
    read.map(Some).map_err(|_| ApiError::invalid(name, rule))
}

/// Both ends of a span of time in the address.
pub fn span(params: &Params) -> ApiResult<(Option<Timestamp>, Option<Timestamp>)> {
    let (from, until) = (moment(params, "from")?, moment(params, "to")?);
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        return Err(ApiError::invalid("to", "to must be later than from"));
    }
    Ok((from, until))
}

/// An address that somebody else named, where it is one of the web's: others could be scripts.
pub fn web_address(text: &str) -> Option<&str> {
    let url = url::Url::parse(text).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(text)
}

/// What an issue's or a pull request's address at GitHub is called.
pub fn short_address(url: &str) -> String {
    let Ok(parsed) = url::Url::parse(url) else { return url.to_owned() };
    let parts: Vec<&str> = parsed.path_segments().map(Iterator::collect).unwrap_or_default();
    match parts.as_slice() {
        [owner, repo, "issues" | "pull", number] => format!("{owner}/{repo}#{number}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_web_are_links() {
        for (text, is_one) in [
            ("https://github.com/acme/api/pull/7", true),
            ("http://ghe.example/x", true),
            ("javascript:alert(1)", false),
            (" JaVaScRiPt:alert(1)", false),
            ("data:text/html,<script>", false),
            ("/board", false),
            ("", false),
        ] {
            assert_eq!(web_address(text).is_some(), is_one, "{text}");
        }
    }

    #[test]
    fn addresses_are_short_where_they_are_github_s() {
        assert_eq!(short_address("https://github.com/acme/api/issues/7"), "acme/api#7");
        assert_eq!(short_address("https://github.com/acme/api/pull/8"), "acme/api#8");
        assert_eq!(short_address("https://example.org/x"), "https://example.org/x");
    }

    #[test]
    fn a_list_that_goes_on_says_after_which_row() {
        assert_eq!(cut(vec![1, 2, 3], 2), (vec![1, 2], Some(1)));
        assert_eq!(cut(vec![1, 2], 2), (vec![1, 2], None));
        assert_eq!(cut(Vec::<u8>::new(), 0), (vec![], None));
    }
}
