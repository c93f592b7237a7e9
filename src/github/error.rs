//! Why GitHub did not give what was asked for.

use std::fmt;

use super::limits::Backoff;
use crate::domain::notice::Code;

/// The end of a request that failed. Holds neither secrets nor text from GitHub; the words are those of
/// [`Code::what`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// 404: not there, or not for these credentials.
    NotFound,
    /// A redirect of a write that leads into another repository.
    Transferred,
    /// 403 that is no limit.
    Forbidden,
    /// 403 to a write: the repository is archived.
    ReadOnly,
    /// 403 to a comment: the conversation is locked; the issue takes the rest.
    Locked,
    /// 451.
    UnavailableForLegalReasons,
    /// 410 where a list was asked for.
    IssuesDisabled,
    /// 401. Whoever asks next meets a [`Backoff`] for a minute.
    Unauthorized,
    /// No token for the installation. Whoever asks next meets a [`Backoff`] for a minute.
    App(AppFault),
    /// The App is not installed on the repository's owner, as far as the operator says.
    NoInstallation,
    /// 5xx.
    Failed { status: u16 },
    /// A status that the request should never get.
    Unexpected { status: u16 },
    /// Not answered whole within [`super::Settings::request_timeout`].
    TimedOut,
    /// No connection (name, route, TLS), or lost before an answer.
    ConnectionLost,
    /// The answer's body ended early.
    Cut,
    /// JSON of another form than documented, or more than 32 MiB of it.
    Malformed,
    /// A redirect or link to another host, or more than three redirects.
    RedirectRefused,
    /// No answer that GitHub gives: HTML, or a 404 without a message.
    NotGitHub,
    /// Not sent, or answered with a limit.
    Backoff(Backoff),
}

/// Why GitHub gave an App no token for an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppFault {
    /// 401: the key is not the App's, or there is no such App.
    Key,
    /// 404.
    Installation,
    /// 403: its owner suspended it.
    Suspended,
}

impl AppFault {
    /// The entry of the table of warnings and errors.
    pub(super) fn code(self) -> Code {
        match self {
            Self::Key => Code::AppRefused,
            Self::Installation => Code::InstallationNotFound,
            Self::Suspended => Code::InstallationSuspended,
        }
    }
}

impl Error {
    /// The entry of the table of warnings and errors.
    pub fn code(&self) -> Code {
        match *self {
            Self::NotFound => Code::RepoNotFound,
            Self::Forbidden => Code::RepoForbidden,
            Self::ReadOnly | Self::Locked => Code::ReadOnly,
            Self::Transferred => Code::WriteRefused,
            Self::UnavailableForLegalReasons => Code::RepoUnavailable,
            Self::IssuesDisabled => Code::IssuesDisabled,
            Self::Unauthorized => Code::CredentialsRefused,
            Self::App(fault) => fault.code(),
            Self::NoInstallation => Code::NoInstallation,
            Self::Failed { status } => Code::GitHubFailed { status },
            Self::Unexpected { status } => Code::GitHubUnexpected { status },
            Self::TimedOut => Code::TimedOut,
            Self::ConnectionLost => Code::ConnectionLost,
            Self::Cut => Code::AnswerCut,
            Self::Malformed => Code::AnswerMalformed,
            Self::RedirectRefused => Code::RedirectRefused,
            Self::NotGitHub => Code::NotGitHub,
            Self::Backoff(backoff) => backoff.code(),
        }
    }

    /// May the same GET succeed when it is sent again at once? A time-out may not: the time is gone.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Failed { status } => matches!(status, 500 | 502 | 503 | 504),
            other => matches!(other, Self::ConnectionLost | Self::Cut),
        }
    }

    /// Does it tell of GitHub being unwell, rather than of what was asked for?
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::TimedOut | Self::ConnectionLost | Self::Cut)
    }

    /// Is just this one thing not to be had, while GitHub is well and others may be read?
    pub fn is_refusal(&self) -> bool {
        self.is_answer() || matches!(self, Self::Malformed | Self::RedirectRefused)
    }

    /// Did GitHub itself answer, in good health?
    pub(super) fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::NotFound
                | Self::Transferred
                | Self::Forbidden
                | Self::ReadOnly
                | Self::Locked
                | Self::UnavailableForLegalReasons
                | Self::IssuesDisabled
                | Self::Unexpected { .. }
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code().what())
    }
}

impl std::error::Error for Error {}
