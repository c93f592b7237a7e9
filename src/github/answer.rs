//! What came back over the wire, before anybody asks for its content.

use std::time::Duration;

use reqwest::{
    StatusCode,
    header::{AsHeaderName, CONTENT_TYPE, DATE, ETAG, HeaderMap, LOCATION, RETRY_AFTER},
};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use url::Url;

use super::{error::Error, limits::Quota};
use crate::domain::{repo::ETag, time::Timestamp};

/// Status, headers and the whole body.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    fn text(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// When GitHub made it, to the second.
    pub fn date(&self) -> Option<Timestamp> {
        let parser = jiff::fmt::rfc2822::DateTimeParser::new();
        let date = parser.parse_timestamp(self.text(DATE)?).ok()?;
        Some(Timestamp(date.as_millisecond()))
    }

    pub fn etag(&self) -> Option<ETag> {
        self.text(ETAG).map(|tag| ETag(tag.to_owned()))
    }

    /// Where a redirect leads that `from` was answered with. One that drops the query means the same question.
    pub fn location(&self, from: &Url) -> Option<Url> {
        let mut to = from.join(self.text(LOCATION)?).ok()?;
        if to.query().is_none() {
            to.set_query(from.query());
        }
        Some(to)
    }

    /// How long GitHub asks to wait; it writes seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.text(RETRY_AFTER)?.parse().ok().map(Duration::from_secs)
    }

    /// The hourly quota of REST requests; other resources have quotas of their own.
    pub fn quota(&self) -> Option<Quota> {
        if self.text("x-ratelimit-resource").is_some_and(|resource| resource != "core") {
            return None;
        }
        let reset: i64 = self.number("x-ratelimit-reset")?;
        Some(Quota {
            limit: self.number("x-ratelimit-limit")?,
            remaining: self.number("x-ratelimit-remaining")?,
            resets_at: Timestamp(reset.saturating_mul(1_000)),
        })
    }

    /// The body as JSON; the error tells a cut answer from one of another form, and both from HTML.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| match (error.classify(), self.claims_json()) {
            (Category::Data, _) | (Category::Syntax, true) => Error::Malformed,
            (Category::Eof | Category::Io, true) => Error::Cut,
            (Category::Syntax | Category::Eof | Category::Io, false) => Error::NotGitHub,
        })
    }

    fn claims_json(&self) -> bool {
        let kind = self.text(CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        kind == "application/json" || kind.ends_with("+json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&'static str, &str)], body: &str) -> Answer {
        let named = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Answer { status: StatusCode::OK, headers: named.collect(), body: body.into() }
    }

    #[test]
    fn reads_the_headers() {
        let answer = answer(
            &[
                ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
                ("etag", "W/\"abc\""),
                ("retry-after", "60"),
                ("x-ratelimit-limit", "5000"),
                ("x-ratelimit-remaining", "4999"),
                ("x-ratelimit-reset", "1767225600"),
                ("x-ratelimit-resource", "core"),
            ],
            "",
        );
        let at = Timestamp(1_767_225_600_000);
        assert_eq!(answer.date(), Some(at));
        assert_eq!(answer.etag(), Some(ETag("W/\"abc\"".into())));
        assert_eq!(answer.retry_after(), Some(Duration::from_mins(1)));
        assert_eq!(answer.quota(), Some(Quota { limit: 5_000, remaining: 4_999, resets_at: at }));
    }

    #[test]
    fn other_quotas_and_nonsense_are_passed_over() {
        let core = [("x-ratelimit-limit", "1"), ("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "1")];
        assert!(answer(&core, "").quota().is_some());
        let search = [core.as_slice(), &[("x-ratelimit-resource", "search")]].concat();
        assert_eq!(answer(&search, "").quota(), None);
        assert_eq!(answer(&core[..2], "").quota(), None);
        assert_eq!(answer(&[("date", "yesterday"), ("retry-after", "soon")], "").date(), None);
    }

    #[test]
    fn a_redirect_keeps_the_question() {
        let from = Url::parse("https://api.github.com/repos/a/b/issues?state=all").unwrap();
        let cases = [
            (
                "https://api.github.com/repositories/1/issues?x=1",
                "https://api.github.com/repositories/1/issues?x=1",
            ),
            ("/repositories/1/issues", "https://api.github.com/repositories/1/issues?state=all"),
        ];
        for (location, want) in cases {
            assert_eq!(answer(&[("location", location)], "").location(&from).unwrap().as_str(), want);
        }
        assert_eq!(answer(&[], "").location(&from), None);
    }

    #[test]
    fn a_body_that_does_not_fit_says_why() {
        let json = ("content-type", "application/json; charset=utf-8");
        let html = ("content-type", "text/html");
        let cases = [
            (vec![json], "[1]", Ok(vec![1])),
            (vec![html], "[1]", Ok(vec![1])),
            (vec![json], "[1", Err(Error::Cut)),
            (vec![json], "", Err(Error::Cut)),
            (vec![json], "{\"a\":1}", Err(Error::Malformed)),
            (vec![json], "[\"a\"]", Err(Error::Malformed)),
            (vec![json], "<html>", Err(Error::Malformed)),
            (vec![html], "<html>", Err(Error::NotGitHub)),
            (vec![html], "", Err(Error::NotGitHub)),
            (vec![], "hello", Err(Error::NotGitHub)),
        ];
        for (headers, body, want) in cases {
            assert_eq!(answer(&headers, body).json::<Vec<u8>>(), want, "{headers:?} {body}");
        }
    }
}
