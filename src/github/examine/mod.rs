//! What GitHub says of our credentials and of repositories, for `dispatch doctor`.
//!
//! Unlike a pass, an examination asks once, remembers no failure, and keeps what a person needs who looks for
//! the cause: why there was no answer, what GitHub's clock shows, which permissions are held.

mod asking;
mod repository;
mod silence;
mod wire;

pub use repository::RepoAccess;
pub use silence::Silence;
pub use wire::{Grant, Grants};

use super::{
    GitHub,
    auth::{Auth, Installation},
    client::Client,
    error::{AppFault, Error},
    limits::Quota,
};
use crate::domain::time::Timestamp;

/// Why an examination did not find what it looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No answer came.
    Silent(Silence),
    /// 403 for want of one of these permissions, in GitHub's words (`issues=read; pull_requests=read`).
    Lacks(String),
    /// As a pass would meet it.
    Refused(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// GitHub answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// What its clock showed, to the second, and ours before and after.
    pub date: Option<Timestamp>,
    pub asked: Timestamp,
    pub heard: Timestamp,
}

/// Who GitHub takes us for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    Anonymous,
    User {
        login: String,
        /// A classic token's; GitHub tells none of a fine-grained one.
        scopes: Option<Vec<String>>,
    },
    /// A token that belongs to no user: an installation's, as GitHub Actions hands them out.
    NoUser,
    Installation {
        app: String,
        account: String,
        grants: Grants,
        is_suspended: bool,
    },
}

/// One set of credentials under examination.
#[derive(Clone, Copy)]
pub struct Examiner<'g>(&'g Client);

impl GitHub {
    /// Is GitHub there, at the address that is set? Shows no credentials to whoever answers, and is free.
    pub async fn reach(&self) -> Result<Reached, Trouble> {
        let Some(client) = self.0.clients().next() else { return Err(Error::NoInstallation.into()) };
        let url = client.url(&["rate_limit"]);
        let asked = client.clock.now();
        let answer = asking::ask(client, &url, None).await?;
        asking::is_github(&answer)?;
        Ok(Reached { date: answer.date(), asked, heard: client.clock.now() })
    }

    /// Every set of credentials.
    pub fn examiners(&self) -> impl Iterator<Item = Examiner<'_>> {
        self.0.clients().map(Examiner)
    }
}

impl Examiner<'_> {
    /// What to call the installation, where there are several.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Who these credentials are; at most one request.
    pub async fn identity(&self) -> Result<Identity, Trouble> {
        match &self.0.auth {
            Auth::Anonymous(_) => Ok(Identity::Anonymous),
            Auth::Token(shown) => self.user(shown.header.as_ref()).await,
            Auth::Installation(installation) => self.installation(installation).await,
        }
    }

    /// What is left of the hour (docs.github.com/rest/rate-limit/rate-limit: asking is free); nothing where no limit
    /// is set, as an Enterprise Server may have it.
    pub async fn quota(&self) -> Result<Option<Quota>, Trouble> {
        let shown = self.0.present().await?;
        let answer = asking::ask(self.0, &self.0.url(&["rate_limit"]), shown.header.as_ref()).await?;
        match asking::content::<wire::RateLimits>(self.0, &answer) {
            Ok(limits) => Ok(Some(limits.into())),
            Err(Trouble::Refused(Error::NotFound)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    async fn user(&self, header: Option<&reqwest::header::HeaderValue>) -> Result<Identity, Trouble> {
        let answer = asking::ask(self.0, &self.0.url(&["user"]), header).await?;
        match asking::content::<wire::User>(self.0, &answer) {
            Ok(user) => Ok(Identity::User { login: user.login, scopes: asking::scopes(&answer) }),
            Err(Trouble::Lacks(_) | Trouble::Refused(Error::Forbidden)) => Ok(Identity::NoUser),
            Err(trouble) => Err(trouble),
        }
    }

    async fn installation(&self, installation: &Installation) -> Result<Identity, Trouble> {
        let header = installation.app_token(self.0.clock.now()).ok_or(Error::App(AppFault::Key))?;
        let url = self.0.url(&["app", "installations", &installation.id.0.to_string()]);
        let answer = asking::ask(self.0, &url, Some(&header)).await?;
        match asking::content::<wire::Installed>(self.0, &answer) {
            Ok(installed) => Ok(installed.into()),
            Err(Trouble::Refused(Error::Unauthorized)) => Err(Error::App(AppFault::Key).into()),
            Err(Trouble::Refused(Error::NotFound)) => Err(Error::App(AppFault::Installation).into()),
            Err(trouble) => Err(trouble),
        }
    }
}
