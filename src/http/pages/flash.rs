//! What a form came to, told by the next page: kept in a cookie until then.

use axum::http::HeaderMap;
use url::form_urlencoded;

use crate::http::sign_in::cookies;

/// The longest text that is told.
const TEXT_MAX: usize = 600;

/// Seconds that it waits for its page.
const WAITS: u64 = 60;

/// What came of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    pub text: String,
    pub is_error: bool,
}

impl Flash {
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: false }
    }

    pub fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: true }
    }

    /// What the browser was given to tell.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let value = cookies::find(headers, cookies::FLASH)?;
        let (kind, text) = form_urlencoded::parse(value.as_bytes()).next()?;
        let is_error = kind == "failed";
        (is_error || kind == "done").then(|| Self { text: text.into_owned(), is_error })
    }

    /// The cookie that has the next page tell it.
    pub fn cookie(&self, is_https: bool) -> String {
        let text: String = self.text.chars().take(TEXT_MAX).collect();
        let kind = if self.is_error { "failed" } else { "done" };
        let value = form_urlencoded::Serializer::new(String::new()).append_pair(kind, &text).finish();
        cookies::set(cookies::FLASH, &value, Some(WAITS), is_https)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_told() {
        let flash = Flash::failed("50 % <b>; \"ä\" = x");
        let cookie = flash.cookie(false);
        let pair = cookie.split(';').next().unwrap();
        let headers = HeaderMap::from_iter([(axum::http::header::COOKIE, pair.parse().unwrap())]);
        assert_eq!(Flash::of(&headers), Some(flash));
        assert_eq!(Flash::of(&HeaderMap::new()), None);
    }
}
