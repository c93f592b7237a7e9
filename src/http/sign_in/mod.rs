//! Who a request is of that shows no token: a session's cookie, a user's name and password, or nobody where nobody has
//! to sign in.

pub mod attempts;
pub mod cookies;
pub mod origin;
pub mod password;
mod peer;

use std::net::IpAddr;

use axum::http::{HeaderMap, Method, StatusCode, request::Parts};
use url::Url;

use self::{
    attempts::Attempts,
    password::{Pair, Password},
};
use super::{
    App,
    error::{ApiError, ApiResult},
};
use crate::{
    domain::{
        access::{Caller, Tier},
        digest::{hex, sha256},
        ids::TokenId,
        time::Timestamp,
    },
    engine::sessions::{self, CONSOLE, SignIn},
    store::sessions::{SessionRow, Shown, find_live},
};

/// The ways in, and what is known of those who try them.
pub struct Doors {
    way: Way,
    public: Option<Url>,
    /// How many proxies of ours stand before the server.
    proxies: usize,
    attempts: Attempts,
}

/// How one signs in.
pub enum Way {
    Link,
    Password(Box<Password>),
    Open { to_all: bool },
}

/// Somebody who needs no token.
pub struct Guest {
    pub caller: Caller,
    /// The session that was shown; none where each request shows all that is needed.
    pub session: Option<SessionRow>,
}

impl Default for Doors {
    fn default() -> Self {
        Self::new(SignIn::Link, None)
    }
}

impl Doors {
    /// `public` is where browsers reach the board, where that was said.
    pub fn new(sign_in: SignIn, public: Option<Url>) -> Self {
        let way = match sign_in {
            SignIn::Link => Way::Link,
            SignIn::Password { user, password } => Way::Password(Box::new(Password::new(user, password))),
            SignIn::Open { to_all } => Way::Open { to_all },
        };
        Self { way, public, proxies: 0, attempts: Attempts::default() }
    }

    /// So many proxies stand before the server, and each says who asked it.
    #[must_use]
    pub fn behind(self, proxies: usize) -> Self {
        Self { proxies, ..self }
    }

    /// The address that a request comes from.
    pub fn peer(&self, parts: &Parts) -> IpAddr {
        peer::peer(parts, self.proxies)
    }

    pub const fn way(&self) -> &Way {
        &self.way
    }

    pub fn is_open(&self) -> bool {
        matches!(self.way, Way::Open { .. })
    }

    /// Did the browser reach us by https?
    pub fn is_https(&self, headers: &HeaderMap) -> bool {
        origin::is_https(headers, self.public.as_ref())
    }

    /// Refuses what another site's page may have had a browser send.
    pub fn refuse_other_sites(&self, method: &Method, headers: &HeaderMap) -> ApiResult<()> {
        if method.is_safe() || origin::is_ours(headers, self.public.as_ref()) {
            return Ok(());
        }
        Err(cross_site("This was sent by a page of another site, and is not done"))
    }

    /// Is this pair the right one? Tries are counted but for one that was right a moment ago.
    pub fn check(&self, password: &Password, pair: &Pair, from: IpAddr, now: Timestamp) -> ApiResult<bool> {
        if password.knows(pair, now) {
            return Ok(true);
        }
        self.attempt(from, now)?;
        let admitted = password.admits(pair, now);
        if admitted {
            self.attempts.forget(from);
        }
        Ok(admitted)
    }

    /// Is this what a caller without a session is known by?
    pub fn is_guest(&self, id: &TokenId) -> bool {
        match &self.way {
            Way::Link => false,
            Way::Open { .. } => id.0 == nobody(),
            Way::Password(password) => id.0 == password.source(),
        }
    }

    /// Counts a try to sign in; too many are refused.
    pub fn attempt(&self, from: IpAddr, now: Timestamp) -> ApiResult<()> {
        self.attempts.take(from, now).map_err(|seconds| {
            ApiError::rate_limited(seconds)
                .said("Too many tries to sign in")
                .with_hint("wait as long as Retry-After says")
        })
    }

    /// Who was let in has all tries again.
    pub fn let_in(&self, from: IpAddr) {
        self.attempts.forget(from);
    }
}

/// Stands for a token where nobody signs in.
fn nobody() -> String {
    hex(&sha256("nobody signs in")[..8])
}

/// Who this is of; nobody where nothing is shown that is known here.
pub async fn find(parts: &Parts, app: &App) -> ApiResult<Option<Guest>> {
    let doors = &app.access.doors;
    if let Some(row) = session(parts, app).await? {
        let caller = caller(&row.name, row.id.clone());
        return Ok(Some(Guest { caller, session: Some(row) }));
    }
    let guest = |name: &str, id: String| Some(Guest { caller: caller(name, TokenId(id)), session: None });
    match &doors.way {
        Way::Link => Ok(None),
        Way::Open { to_all } if *to_all || origin::is_local(&parts.headers) => {
            Ok(guest(sessions::OPERATOR, nobody()))
        }
        Way::Open { .. } => Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "Without sign-in this server answers only to the names of its own machine, such as localhost",
        )
        .with_code("not_this_machine")
        .with_hint("open it as http://localhost, or set DISPATCH_ALLOW_OPEN=true")),
        Way::Password(password) => {
            let Some(pair) = Pair::of(&parts.headers) else { return Ok(None) };
            let admitted = doors.check(password, &pair, doors.peer(parts), app.engine.clock().now())?;
            Ok(if admitted { guest(password.user(), password.source()) } else { None })
        }
    }
}

/// As [`find`], for routes that speak JSON: what a page of another site could have sent is refused.
pub async fn find_for_json(parts: &Parts, app: &App) -> ApiResult<Option<Guest>> {
    let Some(guest) = find(parts, app).await? else { return Ok(None) };
    app.access.doors.refuse_other_sites(&parts.method, &parts.headers)?;
    let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(&parts.method);
    if has_body && !origin::is_json(&parts.headers) {
        return Err(cross_site("Without a token this needs the header Content-Type: application/json"));
    }
    Ok(Some(guest))
}

fn cross_site(message: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, message).with_code("cross_site")
}

/// The session whose cookie is shown, as long as what it hangs on still counts.
pub async fn session(parts: &Parts, app: &App) -> ApiResult<Option<SessionRow>> {
    let Some(secret) = cookies::find(&parts.headers, cookies::SESSION) else { return Ok(None) };
    let mut tx = app.engine.db().read_once().await?;
    let now = app.engine.clock().now();
    let shown = find_live(&mut tx, &hex(&sha256(secret)), now).await?;
    Ok(shown.filter(|shown| counts(app, shown)).map(|shown| shown.session))
}

fn counts(app: &App, shown: &Shown) -> bool {
    let source = shown.session.source.as_str();
    match &app.access.doors.way {
        Way::Link if source == CONSOLE => true,
        Way::Password(password) if source == password.source() => true,
        _ => shown.token_lives || app.access.is_maintainer(source),
    }
}

/// The caller that a session or a guest is.
pub fn caller(name: &str, token: TokenId) -> Caller {
    Caller { tier: Tier::Maintainer, token, named: Some(name.to_owned()) }
}
