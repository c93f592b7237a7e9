//! Requests that an App makes for itself and not for an installation: shown is a JSON web token
//! (docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app).

use reqwest::{
    Method,
    header::{AUTHORIZATION, IF_NONE_MATCH},
};
use serde::de::DeserializeOwned;
use url::Url;

use super::{
    GitHub,
    answer::Answer,
    auth::{Auth, Installation},
    client::{Client, Fetched, VERSION, Validator, fault, receive},
    error::{AppFault, Error},
    kind::{kind, result},
    limits::Refusal,
    link,
    verdict::{Verdict, judge},
};
use crate::{
    domain::{ids::TokenId, repo::ETag},
    metrics::Stopwatch,
};

/// What ETags of such answers belong to: the token is another one each time.
const THE_APP: &str = "app";

impl GitHub {
    /// A client of the App; which of its installations it is for makes no difference here.
    pub(super) fn app_client(&self) -> Result<&Client, Error> {
        let is_app = |client: &&Client| matches!(client.auth, Auth::Installation(_));
        self.0.clients().find(is_app).ok_or(Error::NoInstallation)
    }
}

impl Client {
    /// Asks for what is there unless it is what `held` stands for.
    pub(super) async fn get_as_app<T: DeserializeOwned>(
        &self,
        url: Url,
        held: Option<&Validator>,
    ) -> Result<Fetched<Option<T>>, Error> {
        let token = TokenId(THE_APP.to_owned());
        let held = held.filter(|(_, of)| *of == token).map(|(etag, _)| etag);
        let answer = self.as_app(Method::GET, url.clone(), held).await?;
        let content = match judge(&answer) {
            Verdict::NotModified => None,
            _ => Some(answer.json()?),
        };
        Ok(Fetched {
            content,
            etag: answer.etag().map(|etag| (etag, token)),
            next: link::next(&answer.headers, &url)?,
            at: answer.date().unwrap_or_else(|| self.clock.now()),
            moved: false,
        })
    }

    /// Sends one request. What its answer says of quotas is said of the App, not of its installations: nothing of
    /// that is noted.
    pub(super) async fn as_app(
        &self,
        method: Method,
        url: Url,
        etag: Option<&ETag>,
    ) -> Result<Answer, Error> {
        let Auth::Installation(installation) = &self.auth else { return Err(Error::NoInstallation) };
        // Never an error: the semaphore is never closed.
        let _permit = self.turn().await;
        let answer = self.send_as_app(installation, method, url, etag).await?;
        match judge(&answer) {
            _ if answer.status.is_success() => Ok(answer),
            Verdict::NotModified if etag.is_some() => Ok(answer),
            Verdict::TurnedAway(Refusal::Credentials) => Err(Error::App(AppFault::Key)),
            Verdict::TurnedAway(refusal) => Err(self.limits.turned_away(refusal)),
            Verdict::Failed(error) => Err(error),
            Verdict::Elsewhere => Err(Error::RedirectRefused),
            Verdict::Whole | Verdict::NotModified => {
                Err(Error::Unexpected { status: answer.status.as_u16() })
            }
        }
    }

    async fn send_as_app(
        &self,
        installation: &Installation,
        method: Method,
        url: Url,
        etag: Option<&ETag>,
    ) -> Result<Answer, Error> {
        let token = installation.app_token(self.clock.now()).ok_or(Error::App(AppFault::Key))?;
        let (watch, asked) = (Stopwatch::start(), kind(&method, &self.api, &url));
        let request = self.http.request(method, url).header("x-github-api-version", VERSION);
        let mut request = request.header(AUTHORIZATION, token);
        if let Some(ETag(tag)) = etag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let outcome = match request.send().await {
            Ok(response) => receive(response).await,
            Err(error) => Err(fault(&error, Error::ConnectionLost)),
        };
        self.traffic.asked(asked, result(&outcome), watch.elapsed());
        outcome
    }
}
