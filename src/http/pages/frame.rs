//! What all pages share: who looks, light or dark, what the last form came to, and the token of their forms.

use askama::Template;
use axum::{
    http::{HeaderMap, HeaderValue, Uri, header, request::Parts},
    response::{Html, IntoResponse, Response},
};
use subtle::ConstantTimeEq;

use super::{
    assets::{NAMES, Names},
    flash::Flash,
    refusal::{PageResult, see_other},
    time::Moment,
};
use crate::{
    domain::{
        digest::{hex, sha256},
        time::Timestamp,
    },
    http::{App, error::ApiError, sign_in::cookies},
};

/// The pages that every page leads to.
const NAVIGATION: [(&str, &str); 10] = [
    ("/", "Overview"),
    ("/board", "Board"),
    ("/agents", "Agents"),
    ("/runs", "Runs"),
    ("/automation/pr-fix-queue", "PR fixes"),
    ("/projects", "Projects"),
    ("/repositories", "Repositories"),
    ("/outbox", "Outbox"),
    ("/audit", "Audit"),
    ("/settings", "Settings"),
];

/// The frame of a page.
#[derive(Clone)]
pub struct Frame {
    /// Who is signed in.
    pub user: Option<String>,
    /// Nobody has to sign in, and everybody is told so.
    pub is_open: bool,
    /// Does a session end by signing out?
    pub has_session: bool,
    /// What every form sends back, so that another site's cannot.
    pub csrf: String,
    /// The same for forms that need nobody to be signed in.
    pub visit_csrf: String,
    pub flash: Option<Flash>,
    pub theme: Theme,
    /// Where this page is, for what leads back to it.
    pub here: String,
    pub now: Timestamp,
    is_https: bool,
    cookies: Vec<String>,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    System,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// How the switch shows it.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::System => "◐",
            Self::Light => "☀",
            Self::Dark => "☾",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.word() == name)
    }
}

impl Frame {
    /// The frame of a browser that is not signed in.
    pub fn of_visitor(parts: &Parts, app: &App) -> Self {
        let is_https = app.access.doors.is_https(&parts.headers);
        let visit = cookies::find(&parts.headers, cookies::VISIT).map(str::to_owned);
        let mut given = Vec::new();
        let visit = visit.unwrap_or_else(|| {
            let visit = app.engine.secret();
            given.push(cookies::set(cookies::VISIT, &visit, None, is_https));
            visit
        });
        let flash = Flash::of(&parts.headers);
        if flash.is_some() {
            given.push(cookies::clear(cookies::FLASH, is_https));
        }
        let theme = cookies::find(&parts.headers, cookies::THEME).and_then(Theme::named);
        Self {
            user: None,
            is_open: app.access.doors.is_open(),
            has_session: false,
            csrf: token_of(&visit),
            visit_csrf: token_of(&visit),
            flash,
            theme: theme.unwrap_or(Theme::System),
            here: path_of(&parts.uri),
            now: app.engine.clock().now(),
            is_https,
            cookies: given,
        }
    }

    /// The frame of somebody who is signed in; the forms of a session are its own.
    pub fn of_user(parts: &Parts, app: &App, user: &str, has_session: bool) -> Self {
        let mut frame = Self { user: Some(user.to_owned()), ..Self::of_visitor(parts, app) };
        if let Some(session) = cookies::find(&parts.headers, cookies::SESSION).filter(|_| has_session) {
            frame.csrf = token_of(session);
            frame.has_session = true;
        }
        frame
    }

    /// The frame of an answer that has no address of its own.
    #[must_use]
    pub fn leading_back_to(self, path: &str) -> Self {
        Self { here: path.to_owned(), ..self }
    }

    #[expect(clippy::unused_self, reason = "templates ask the frame")]
    pub fn names(&self) -> &'static Names {
        &NAMES
    }

    /// The pages that this one leads to: name, path, and whether it is this one.
    pub fn navigation(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let here = self.here.split('?').next().unwrap_or_default();
        NAVIGATION.into_iter().map(move |(path, name)| (name, path, is_in(here, path)))
    }

    /// A time as people say it.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates hand on what they bind")]
    pub fn moment(&self, at: &Timestamp) -> Moment {
        Moment { at: *at, now: self.now }
    }

    /// Is this the token of this browser's forms?
    pub fn admits(&self, token: &str) -> bool {
        self.csrf.as_bytes().ct_eq(token.as_bytes()).into()
    }

    /// The page.
    pub fn show(&self, page: &impl Template) -> PageResult<Response> {
        let html = page.render().map_err(|error| ApiError::internal(error.to_string()))?;
        let mut response = Html(html).into_response();
        let private = HeaderValue::from_static("private, no-cache");
        response.headers_mut().insert(header::CACHE_CONTROL, private);
        give(response.headers_mut(), &self.cookies);
        Ok(response)
    }

    /// Leads to another page, which tells what this came to.
    pub fn lead_to(&self, path: &str, flash: &Flash) -> Response {
        let mut response = see_other(&safe_path(path));
        give(response.headers_mut(), &[flash.cookie(self.is_https)]);
        response
    }

    /// Leads to another page and gives a cookie.
    pub fn lead_with(&self, path: &str, name: &str, value: &str, seconds: Option<u64>) -> Response {
        let mut response = see_other(&safe_path(path));
        let cookie = match value {
            "" => cookies::clear(name, self.is_https),
            value => cookies::set(name, value, seconds, self.is_https),
        };
        give(response.headers_mut(), &[cookie]);
        response
    }
}

/// Is this page that one, or below it?
fn is_in(here: &str, page: &str) -> bool {
    let rest = here.strip_prefix(page);
    rest.is_some_and(|rest| rest.is_empty() || (page != "/" && rest.starts_with('/')))
}

fn give(headers: &mut HeaderMap, cookies: &[String]) {
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

/// Nobody who sees it can tell the cookie that it comes from.
fn token_of(secret: &str) -> String {
    hex(&sha256(format!("forms of {secret}"))[..16])
}

fn path_of(uri: &Uri) -> String {
    uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()
}

/// The longest path that is gone back to.
const PATH_MAX: usize = 2_000;

/// A path of this server, whatever was asked for: a link to us must not lead elsewhere.
pub fn safe_path(path: &str) -> String {
    const BASE: &str = "http://here.invalid";
    let leads_out = !path.starts_with('/') || path.starts_with("//") || path.len() > PATH_MAX;
    if leads_out || path.chars().any(|c| c == '\\' || c.is_control()) {
        return "/".to_owned();
    }
    // As a browser reads it.
    let read = url::Url::parse(BASE).and_then(|base| base.join(path));
    match read {
        Ok(url) if url.as_str().starts_with(&format!("{BASE}/")) => {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            let path = url.path();
            // What is left after dots are taken out may look like another host.
            if path.starts_with("//") { "/".to_owned() } else { format!("{path}{query}") }
        }
        _ => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_nowhere_but_here() {
        for (path, want) in [
            ("/board?lane=a&q=%3Cb%3E", "/board?lane=a&q=%3Cb%3E"),
            ("/issues/acme/api/7#x", "/issues/acme/api/7"),
            ("", "/"),
            ("board", "/"),
            ("//evil.example/x", "/"),
            ("/\\evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("/..//evil.example", "/"),
            ("/./\u{a0}/evil", "/%C2%A0/evil"),
            ("https://evil.example", "/"),
            ("javascript:alert(1)", "/"),
            ("/%2f%2fevil.example", "/%2f%2fevil.example"),
        ] {
            assert_eq!(safe_path(path), want, "{path:?}");
        }
    }
}
