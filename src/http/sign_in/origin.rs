//! Whether a request comes from a page of ours: what a browser shows by itself counts for nothing where another site's
//! page may have made it do so.

use axum::http::{HeaderMap, header};
use url::Url;

use crate::domain::address::is_loopback;

/// Did no other site's page send this? Clients that are no browsers say neither and have no cookies to lose.
pub fn is_ours(headers: &HeaderMap, public: Option<&Url>) -> bool {
    if let Some(site) = text(headers, "sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(headers, "origin") else { return true };
    let Ok(origin) = Url::parse(origin) else { return false };
    let ours = |host: &str| {
        let same = Url::parse(&format!("{}://{host}", origin.scheme()));
        same.is_ok_and(|same| same.origin() == origin.origin())
    };
    // A proxy names the host that the browser named; no page can make a browser send that header.
    let named = ["host", "x-forwarded-host"].into_iter().filter_map(|name| text(headers, name));
    origin.has_host()
        && (named.into_iter().any(ours) || public.is_some_and(|public| public.origin() == origin.origin()))
}

/// Was this machine asked for by a name that is nobody else's? A page whose name was made to lead here has another.
pub fn is_local(headers: &HeaderMap) -> bool {
    let host = text(headers, "host").unwrap_or_default();
    Url::parse(&format!("http://{host}")).is_ok_and(|url| is_loopback(&url))
}

/// Did the browser reach us by https?
pub fn is_https(headers: &HeaderMap, public: Option<&Url>) -> bool {
    text(headers, "x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
        || public.is_some_and(|public| public.scheme() == "https")
}

/// Is the body JSON? No page can have a browser send that elsewhere without asking there first.
pub fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let value = |text: &'static str| axum::http::HeaderValue::from_static(text);
        pairs.iter().map(|(name, text)| (axum::http::HeaderName::from_static(name), value(text))).collect()
    }

    #[test]
    fn only_pages_of_ours_count() {
        let public: Url = "https://board.example.org".parse().unwrap();
        let cases: [(&[(&str, &str)], bool); 14] = [
            (&[], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("origin", "http://a.example:3000"), ("host", "a.example:3000")], true),
            (&[("origin", "https://a.example"), ("host", "a.example:443")], true),
            (&[("origin", "http://a.example:3001"), ("host", "a.example:3000")], false),
            (&[("origin", "http://evil.example"), ("host", "a.example")], false),
            (&[("origin", "null"), ("host", "a.example")], false),
            (
                &[("origin", "https://a.example"), ("host", "10.0.0.1"), ("x-forwarded-host", "a.example")],
                true,
            ),
            (&[("origin", "https://board.example.org"), ("host", "10.0.0.1:3000")], true),
            (&[("origin", "http://board.example.org"), ("host", "10.0.0.1:3000")], false),
            (&[("origin", "http://a.example")], false),
        ];
        for (pairs, want) in cases {
            assert_eq!(is_ours(&headers(pairs), Some(&public)), want, "{pairs:?}");
        }
    }

    #[test]
    fn names_of_this_machine() {
        for (host, want) in [
            ("localhost:3000", true),
            ("127.0.0.1", true),
            ("[::1]:3000", true),
            ("evil.example:3000", false),
            ("localhost.evil.example", false),
        ] {
            assert_eq!(is_local(&headers(&[("host", host)])), want, "{host}");
        }
        assert!(!is_local(&HeaderMap::new()));
    }
}
