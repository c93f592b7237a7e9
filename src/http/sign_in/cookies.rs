//! Cookies: what browsers show by themselves, and how they are given one.

use axum::http::HeaderMap;

/// Who is signed in.
pub const SESSION: &str = "dispatch_session";
/// A browser that is not signed in, so that its forms are its own.
pub const VISIT: &str = "dispatch_visit";
/// What the next page says first.
pub const FLASH: &str = "dispatch_flash";
/// Light or dark.
pub const THEME: &str = "dispatch_theme";

/// Over https a name that browsers take from this host alone.
const HOST_ONLY: &str = "__Host-";

/// The value of a cookie; the one that only this host can set comes first.
pub fn find<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all("cookie").into_iter().filter_map(|value| value.to_str().ok());
    let pairs: Vec<(&str, &str)> =
        all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('=')).collect();
    let named = |wanted: &str| pairs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    named(&format!("{HOST_ONLY}{name}")).or_else(|| named(name)).filter(|value| !value.is_empty())
}

/// A `Set-Cookie` that no script can read; `seconds` none: until the browser is closed.
pub fn set(name: &str, value: &str, seconds: Option<u64>, is_https: bool) -> String {
    let (prefix, secure) = if is_https { (HOST_ONLY, "; Secure") } else { ("", "") };
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    format!("{prefix}{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}")
}

/// A `Set-Cookie` that takes it away.
pub fn clear(name: &str, is_https: bool) -> String {
    set(name, "", Some(0), is_https)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_this_host_comes_first() {
        let headers = HeaderMap::from_iter([(
            axum::http::header::COOKIE,
            "a=1; dispatch_session=other; __Host-dispatch_session=ours; b".parse().unwrap(),
        )]);
        assert_eq!(find(&headers, SESSION), Some("ours"));
        assert_eq!((find(&headers, "a"), find(&headers, "b"), find(&headers, "c")), (Some("1"), None, None));
    }

    #[test]
    fn cookies_are_closed_to_scripts_and_to_other_sites() {
        let cookie = set(SESSION, "x", Some(60), true);
        let want = "__Host-dispatch_session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(cookie, want);
        assert_eq!(clear(FLASH, false), "dispatch_flash=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }
}
