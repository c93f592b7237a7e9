//! Who looks at pages and sends forms: extractors, so that no page is shown and no form carried out without them.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{Method, StatusCode, request::Parts},
};
use url::form_urlencoded;

use super::{
    frame::Frame,
    refusal::{PageResult, Refusal},
};
use crate::{
    domain::{access::Caller, ids::TokenId},
    http::{
        App,
        auth::{self, Maintainer},
        error::ApiError,
        sign_in,
    },
};

/// An operator who is signed in: by a session, a name and a password, or a maintainer's token.
pub struct Operator {
    pub caller: Caller,
    pub frame: Frame,
    /// The session, where there is one.
    pub session: Option<TokenId>,
}

impl FromRequestParts<App> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> PageResult<Self> {
        if auth::bearer(parts).is_some() {
            let Maintainer(caller) = Maintainer::from_request_parts(parts, app).await?;
            let frame = Frame::of_user(parts, app, caller.actor(), false);
            return Ok(Self { caller, frame, session: None });
        }
        let Some(guest) = sign_in::find(parts, app).await? else {
            return Err(ask_to_sign_in(parts));
        };
        app.access.doors.refuse_other_sites(&parts.method, &parts.headers)?;
        let frame = Frame::of_user(parts, app, guest.caller.actor(), guest.session.is_some());
        Ok(Self { caller: guest.caller, frame, session: guest.session.map(|session| session.id) })
    }
}

fn ask_to_sign_in(parts: &Parts) -> Refusal {
    let by_script = parts.headers.get("sec-fetch-dest").is_some_and(|place| place == "empty");
    if by_script {
        return Refusal::SignInFirst;
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    // What a form sent is lost; its page is not.
    Refusal::SignIn(if parts.method == Method::GET { path } else { "/" }.to_owned())
}

/// What a form sent.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// A field without blanks around it; nothing where it is empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// A field as it was sent.
    pub fn exact(&self, name: &str) -> &str {
        let field = self.0.iter().find(|(field, _)| field == name);
        field.map_or("", |(_, value)| value)
    }

    /// A field that must be there.
    pub fn needed(&self, name: &'static str) -> PageResult<&str> {
        self.text(name).ok_or_else(|| ApiError::invalid(name, format!("{name} is missing")).into())
    }

    /// Where the form wants to lead afterwards.
    pub fn back(&self) -> &str {
        self.text("back").unwrap_or("/")
    }

    async fn read(request: Request, app: &App) -> PageResult<Self> {
        let bytes = Bytes::from_request(request, app).await.map_err(|_| {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "What was sent is longer than 1 MiB")
        })?;
        let fields = form_urlencoded::parse(&bytes);
        let fields: Vec<_> = fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        if fields.iter().any(|(_, value)| value.contains('\0')) {
            return Err(ApiError::bad_request("A field must not hold the character U+0000").into());
        }
        Ok(Self(fields))
    }
}

/// A form of a page of ours that an operator sent.
pub struct Order {
    pub caller: Caller,
    pub frame: Frame,
    pub session: Option<TokenId>,
    pub form: Form,
}

impl FromRequest<App> for Order {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> PageResult<Self> {
        let (mut parts, body) = request.into_parts();
        let Operator { caller, frame, session } = Operator::from_request_parts(&mut parts, app).await?;
        let form = Form::read(Request::from_parts(parts, body), app).await?;
        must_be_ours(&frame, &form)?;
        Ok(Self { caller, frame, session, form })
    }
}

/// A browser that need not be signed in.
pub struct Visitor(pub Frame);

impl FromRequestParts<App> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> PageResult<Self> {
        Ok(Self(Frame::of_visitor(parts, app)))
    }
}

/// A form of a page of ours from a browser that need not be signed in.
pub struct VisitorsForm {
    pub frame: Frame,
    pub form: Form,
    /// Of the request: what else it shows.
    pub parts: Parts,
}

impl FromRequest<App> for VisitorsForm {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> PageResult<Self> {
        let (parts, body) = request.into_parts();
        app.access.doors.refuse_other_sites(&parts.method, &parts.headers)?;
        let frame = Frame::of_visitor(&parts, app);
        let form = Form::read(Request::from_parts(parts.clone(), body), app).await?;
        must_be_ours(&frame, &form)?;
        Ok(Self { frame, form, parts })
    }
}

fn must_be_ours(frame: &Frame, form: &Form) -> PageResult<()> {
    if frame.admits(form.exact("csrf")) {
        return Ok(());
    }
    let message = "This form is not one that this browser was shown, or it is out of date";
    let error = ApiError::new(StatusCode::FORBIDDEN, message).with_code("cross_site");
    Err(error.with_hint("go back, load the page again, and send it again").into())
}
