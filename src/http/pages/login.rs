//! Signing in and out: `/login`, `/api/auth/logout`.

use askama::Template;
use axum::{
    extract::{FromRequestParts as _, Request, State},
    http::StatusCode,
    response::Response,
};
use secrecy::ExposeSecret;

use super::{
    frame::{Frame, Theme, safe_path},
    operator::{Form, Operator, Order, Visitor, VisitorsForm},
    refusal::{PageResult, see_other},
};
use crate::{
    engine::sessions::{self, Opened, SESSION_TTL},
    http::{
        App,
        params::Params,
        sign_in::{self, Way, cookies, password::Pair},
    },
};

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    frame: &'a Frame,
    /// Where to go then.
    callback: &'a str,
    /// What a link held that was opened.
    link: Option<&'a str>,
    has_password: bool,
    error: Option<&'a str>,
}

/// The page where one signs in.
pub async fn show(State(app): State<App>, request: Request) -> PageResult<Response> {
    let (mut parts, _) = request.into_parts();
    let params = Params::from_request_parts(&mut parts, &()).await?;
    let callback = safe_path(params.text("callbackUrl").unwrap_or("/"));
    let link = params.text("link");
    if link.is_none() && Operator::from_request_parts(&mut parts, &app).await.is_ok() {
        return Ok(see_other(&callback));
    }
    let Visitor(frame) = Visitor::from_request_parts(&mut parts, &app).await?;
    let has_password = matches!(app.access.doors.way(), Way::Password(_));
    frame.show(&Login { frame: &frame, callback: &callback, link, has_password, error: None })
}

/// Signs in, by a link or by a name and a password; whatever session was there before ends.
pub async fn enter(State(app): State<App>, sent: VisitorsForm) -> PageResult<Response> {
    let VisitorsForm { frame, form, parts } = sent;
    let from = app.access.doors.peer(&parts);
    let callback = safe_path(form.text("callbackUrl").unwrap_or("/"));
    let opened = if let Some(link) = form.text("link") {
        app.access.doors.attempt(from, app.engine.clock().now())?;
        let opened = sessions::open_by_link(&app.engine, link).await?;
        opened.ok_or("This link was used before, or its time is up; have another one made")
    } else {
        by_password(&app, &form, from).await?
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let has_password = matches!(app.access.doors.way(), Way::Password(_));
            let page =
                Login { frame: &frame, callback: &callback, link: None, has_password, error: Some(error) };
            let mut response = frame.show(&page)?;
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            return Ok(response);
        }
    };
    app.access.doors.let_in(from);
    if let Some(before) = sign_in::session(&parts, &app).await? {
        let caller = sign_in::caller(&before.name, before.id.clone());
        sessions::end(&app.engine, &caller, &before.id).await?;
    }
    let secret = opened.secret.expose_secret();
    Ok(frame.lead_with(&callback, cookies::SESSION, secret, Some(SESSION_TTL.as_secs())))
}

async fn by_password(
    app: &App,
    form: &Form,
    from: std::net::IpAddr,
) -> PageResult<Result<Opened, &'static str>> {
    let Way::Password(right) = app.access.doors.way() else {
        return Ok(Err("Sign in by a link: `dispatch login-link` prints one"));
    };
    let pair =
        Pair { user: form.exact("user").to_owned(), password: form.exact("password").to_owned().into() };
    if !app.access.doors.check(right, &pair, from, app.engine.clock().now())? {
        return Ok(Err("Name and password do not fit"));
    }
    Ok(Ok(sessions::open(&app.engine, right.user(), &right.source()).await?))
}

/// Signs out.
pub async fn leave(State(app): State<App>, order: Order) -> PageResult<Response> {
    let Order { caller, frame, session, .. } = order;
    if let Some(id) = session {
        sessions::end(&app.engine, &caller, &id).await?;
    }
    Ok(frame.lead_with("/login", cookies::SESSION, "", None))
}
