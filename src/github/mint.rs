//! What a request shows, and how an installation comes to its token
//! (docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app).

use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};
use tokio::time::Instant;

use super::{
    answer::Answer,
    auth::{self, Auth, Fetched, Installation, NoToken, Shown},
    client::{Client, VERSION, fault, receive},
    error::{AppFault, Error},
    kind::{kind, result},
    limits::Refusal,
    verdict::{Verdict, judge},
    wire::AccessToken,
};
use crate::metrics::Stopwatch;

impl Client {
    /// What a request that goes out now shows; an installation may have to ask for it first.
    pub(super) async fn present(&self) -> Result<Shown, Error> {
        let installation = match &self.auth {
            Auth::Token(shown) | Auth::Anonymous(shown) => return Ok(shown.clone()),
            Auth::Installation(installation) => installation,
        };
        let shown =
            installation.tokens.present(&self.clock, async || self.fetch_token(installation).await).await;
        shown.map_err(|reason| match reason {
            NoToken::TurnedAway(refusal) => self.limits.turned_away(refusal),
            NoToken::Failed(error) => error,
        })
    }

    async fn fetch_token(&self, installation: &Installation) -> Result<Fetched, NoToken> {
        let began = Instant::now();
        let outcome = self.ask_for_token(installation).await;
        let (id, ms) = (installation.id.0, began.elapsed().as_millis());
        match &outcome {
            Ok(token) => {
                tracing::debug!(installation = id, ms, until = %token.ends_at, "a token for the installation");
            }
            Err(reason) => tracing::warn!(installation = id, ms, ?reason, "no token for the installation"),
        }
        outcome
    }

    async fn ask_for_token(&self, installation: &Installation) -> Result<Fetched, NoToken> {
        let now = self.clock.now();
        let refused = || NoToken::TurnedAway(Refusal::App(AppFault::Key));
        let app_token = installation.app_token(now).ok_or_else(refused)?;
        let answer = self.post_for_token(installation, app_token).await.map_err(NoToken::Failed)?;
        if answer.status != StatusCode::CREATED {
            return Err(why_not(&answer));
        }
        let token: AccessToken = answer.json().map_err(NoToken::Failed)?;
        // By GitHub's own clock, so that ours may differ.
        let lifetime = token.expires_at.since(answer.date().unwrap_or(now));
        auth::fetched(&token.token, now.plus(lifetime)).ok_or(NoToken::Failed(Error::Malformed))
    }

    async fn post_for_token(
        &self,
        installation: &Installation,
        app_token: HeaderValue,
    ) -> Result<Answer, Error> {
        let id = installation.id.0.to_string();
        let url = self.url(&["app", "installations", &id, "access_tokens"]);
        let watch = Stopwatch::start();
        let asked = kind(&Method::POST, &self.api, &url);
        let request = self.http.post(url).header("x-github-api-version", VERSION);
        let response = request.header(AUTHORIZATION, app_token).send().await;
        let outcome = match response {
            Ok(response) => receive(response).await,
            Err(error) => Err(fault(&error, Error::ConnectionLost)),
        };
        self.traffic.asked(asked, result(&outcome), watch.elapsed());
        outcome
    }
}

/// What an answer without a token means.
fn why_not(answer: &Answer) -> NoToken {
    match judge(answer) {
        Verdict::TurnedAway(Refusal::Credentials) => NoToken::TurnedAway(Refusal::App(AppFault::Key)),
        Verdict::TurnedAway(refusal) => NoToken::TurnedAway(refusal),
        Verdict::Failed(Error::NotFound) => NoToken::TurnedAway(Refusal::App(AppFault::Installation)),
        Verdict::Failed(Error::Forbidden) => NoToken::TurnedAway(Refusal::App(AppFault::Suspended)),
        Verdict::Failed(error) => NoToken::Failed(error),
        Verdict::Elsewhere => NoToken::Failed(Error::RedirectRefused),
        Verdict::Whole | Verdict::NotModified => {
            NoToken::Failed(Error::Unexpected { status: answer.status.as_u16() })
        }
    }
}
