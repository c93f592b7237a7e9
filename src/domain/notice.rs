//! The one table of warnings and errors that a pass can produce, each with its remedy.
//!
//! Every message reads `<phase>: <subject>: <what happened>; <what to do>`. No message holds a secret or
//! text that came from another system.

use std::fmt;

pub use super::subject::Subject;
use super::{repo::RepoName, time::Timestamp};

/// A step of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Renew,
    Sync,
    Reconcile,
    Recover,
    Publish,
    Record,
}

impl Phase {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Renew => "renew",
            Self::Sync => "sync",
            Self::Reconcile => "reconcile",
            Self::Recover => "recover",
            Self::Publish => "publish",
            Self::Record => "record",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Does a person have to mend something before the pass can do its work?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Warning,
    Critical,
}

/// Everything that can be said; [`Code::name`], [`Code::what`] and [`Code::remedy`] are the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    RepoNotFound,
    RepoForbidden,
    ReadOnly,
    RepoUnavailable,
    IssuesDisabled,
    RepoReplaced,
    RenamedToTracked,
    GitHubFailed { status: u16 },
    GitHubUnexpected { status: u16 },
    TimedOut,
    ConnectionLost,
    AnswerCut,
    AnswerMalformed,
    RedirectRefused,
    ReadTooLong,
    ReadAborted,
    Stopping,
    StillReading { waited_ms: u64 },
    QuotaReserved { until: Timestamp },
    SecondaryLimit { until: Timestamp },
    BreakerOpen { until: Timestamp },
    PointsUsedUp { left_out: usize },
    Anonymous,
    NoRepositories,
    CredentialsRefused,
    AppRefused,
    InstallationNotFound,
    InstallationSuspended,
    NoInstallation,
    NotGitHub,
    EveryRepoFailed { count: usize },
    DatabaseFailed,
    Interrupted,
    ClaimsSilent { count: i64 },
    WritesForbidden { until: Timestamp },
    WriteRefused,
}

impl Code {
    /// The stable name of the code, as logs and documentation use it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RepoNotFound => "repo_not_found",
            Self::RepoForbidden => "repo_forbidden",
            Self::ReadOnly => "read_only",
            Self::RepoUnavailable => "repo_unavailable",
            Self::IssuesDisabled => "issues_disabled",
            Self::RepoReplaced => "repo_replaced",
            Self::RenamedToTracked => "renamed_to_tracked",
            Self::GitHubFailed { .. } => "github_failed",
            Self::GitHubUnexpected { .. } => "github_unexpected",
            Self::TimedOut => "timed_out",
            Self::ConnectionLost => "connection_lost",
            Self::AnswerCut => "answer_cut",
            Self::AnswerMalformed => "answer_malformed",
            Self::RedirectRefused => "redirect_refused",
            Self::ReadTooLong => "read_too_long",
            Self::ReadAborted => "read_aborted",
            Self::Stopping => "stopping",
            Self::StillReading { .. } => "still_reading",
            Self::QuotaReserved { .. } => "quota_reserved",
            Self::SecondaryLimit { .. } => "secondary_limit",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::PointsUsedUp { .. } => "points_used_up",
            Self::Anonymous => "anonymous",
            Self::NoRepositories => "no_repositories",
            Self::CredentialsRefused => "credentials_refused",
            Self::AppRefused => "app_refused",
            Self::InstallationNotFound => "installation_not_found",
            Self::InstallationSuspended => "installation_suspended",
            Self::NoInstallation => "no_installation",
            Self::NotGitHub => "not_github",
            Self::EveryRepoFailed { .. } => "every_repo_failed",
            Self::DatabaseFailed => "database_failed",
            Self::Interrupted => "interrupted",
            Self::ClaimsSilent { .. } => "claims_silent",
            Self::WritesForbidden { .. } => "writes_forbidden",
            Self::WriteRefused => "write_refused",
        }
    }

    /// What happened.
    pub fn what(&self) -> String {
        match self {
            Self::RepoNotFound => "GitHub answered 404".into(),
            Self::RepoForbidden => "GitHub answered 403".into(),
            Self::ReadOnly => {
                "the repository is archived or the conversation locked (GitHub answered 403)".into()
            }
            Self::RepoUnavailable => "GitHub answered 451 (unavailable for legal reasons)".into(),
            Self::IssuesDisabled => "issues are turned off there (GitHub answered 410)".into(),
            Self::RenamedToTracked => "it was renamed, and is tracked under its new name already".into(),
            Self::RepoReplaced => "the name now belongs to another repository".into(),
            Self::GitHubFailed { status } => format!("GitHub failed with {status}"),
            Self::GitHubUnexpected { status } => {
                format!("GitHub answered {status}, which this request should never get")
            }
            Self::TimedOut => "GitHub did not answer in time".into(),
            Self::ConnectionLost => "the connection to GitHub failed".into(),
            Self::AnswerCut => "GitHub's answer ended before it was whole".into(),
            Self::AnswerMalformed => "GitHub's answer is not of the documented form".into(),
            Self::RedirectRefused => "GitHub redirected to another host, which is not followed".into(),
            Self::ReadTooLong => "the read was stopped at its limit of 5 min".into(),
            Self::ReadAborted => "the read ended by a fault of Dispatch itself".into(),
            Self::Stopping => "the server is stopping".into(),
            Self::StillReading { waited_ms } => format!("still being read after {waited_ms} ms"),
            Self::QuotaReserved { until } => {
                format!("the hourly quota is used up but for the reserve, until {until}")
            }
            Self::SecondaryLimit { until } => format!("a secondary rate limit asks to wait until {until}"),
            Self::BreakerOpen { until } => {
                format!("failed too often in a row, so no request goes out until {until}")
            }
            Self::PointsUsedUp { left_out } => format!(
                "the points of this minute are used up, {left_out} not looked at for more than a minute"
            ),
            Self::Anonymous => {
                "read without credentials: public repositories only, 60 requests an hour".into()
            }
            Self::NoRepositories => "none is tracked".into(),
            Self::CredentialsRefused => "the credentials were refused (401)".into(),
            Self::AppRefused => "the key of the GitHub App was refused (401)".into(),
            Self::InstallationNotFound => "there is no such installation of the GitHub App (404)".into(),
            Self::InstallationSuspended => {
                "no token was given out for the installation of the GitHub App (403)".into()
            }
            Self::NoInstallation => "no installation of the GitHub App is configured for its owner".into(),
            Self::NotGitHub => "what answers at GITHUB_API_URL is not GitHub's REST API".into(),
            Self::EveryRepoFailed { count } => format!("{count} of {count} failed"),
            Self::DatabaseFailed => "a statement failed".into(),
            Self::Interrupted => "the process that ran this pass ended before the pass did".into(),
            Self::ClaimsSilent { count } => format!("{count} not renewed for longer than the ttl"),
            Self::WritesForbidden { until } => {
                format!("the credentials may not write to issues (403), so nothing is sent until {until}")
            }
            Self::WriteRefused => "GitHub refused a write for good, so it is parked".into(),
        }
    }

    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::RepoNotFound => "check the name, and that the token can read the repository",
            Self::RepoForbidden => "give the token read access to Issues and Metadata of this repository",
            Self::ReadOnly => {
                "unarchive or unlock it, or discard what waits for it with `dispatch outbox discard`"
            }
            Self::RepoUnavailable => "stop tracking it with DELETE /api/automation/repos/{owner}/{repo}",
            Self::IssuesDisabled => "turn issues on in its settings, or stop tracking it",
            Self::RenamedToTracked => "stop tracking the old name",
            Self::RepoReplaced => "stop tracking it and add it again to start with an empty cache",
            Self::GitHubFailed { .. } | Self::TimedOut | Self::ConnectionLost | Self::AnswerCut => {
                "the next pass tries again; if it stays, look at GitHub's status page and at this machine's network"
            }
            Self::GitHubUnexpected { .. } | Self::AnswerMalformed => {
                "the next pass tries again; if it stays, check what stands between Dispatch and GitHub (proxy, GITHUB_API_URL)"
            }
            Self::RedirectRefused => "set GITHUB_API_URL to the host that answers itself",
            Self::ReadTooLong => "nothing is lost; the next pass goes on where this read stopped",
            Self::ReadAborted => "the next pass tries again; please report it with the server's log",
            Self::Stopping => "nothing is lost; the next pass goes on where this one stopped",
            Self::StillReading { .. } => "nothing; the read goes on and serves the next heartbeat",
            Self::QuotaReserved { .. } | Self::SecondaryLimit { .. } | Self::BreakerOpen { .. } => {
                "nothing; the cache is served as it is and reading resumes by itself"
            }
            Self::PointsUsedUp { .. } => {
                "nothing; the next pass reads those first; DISPATCH_GITHUB_POINTS_PER_MINUTE raises the rate"
            }
            Self::Anonymous => "set GITHUB_TOKEN",
            Self::NoRepositories => {
                "add one with POST /api/automation/repos, or set GITHUB_REPOSITORIES before the first start"
            }
            Self::CredentialsRefused => {
                "set GITHUB_TOKEN to a token that is valid and not expired; with a GitHub App, check that it is still installed"
            }
            Self::AppRefused => {
                "check that GITHUB_APP_PRIVATE_KEY is a key of the App of GITHUB_APP_ID, and that this machine's clock is right"
            }
            Self::InstallationNotFound => {
                "set GITHUB_APP_INSTALLATION_ID to the number in the address of the installation's settings page, and check GITHUB_APP_ID"
            }
            Self::InstallationSuspended => {
                "end its suspension in the settings of the account that installed the App"
            }
            Self::NoInstallation => {
                "install the App there and add owner:id to GITHUB_APP_INSTALLATION_ID, or stop tracking the repository"
            }
            Self::NotGitHub => {
                "set GITHUB_API_URL to https://api.github.com, or to https://HOST/api/v3 for Enterprise Server"
            }
            Self::EveryRepoFailed { .. } => "see the warnings for each",
            Self::DatabaseFailed => {
                "check that the database is reachable, writable and has room; the server's log has the cause"
            }
            Self::Interrupted => "nothing; the next pass does the work again",
            Self::ClaimsSilent { .. } => {
                "see staleLeases of GET /api/agent-work; release what nobody works on, or let agents renew their claims"
            }
            Self::WritesForbidden { .. } => {
                "give the token write access to Issues and Pull requests; nothing is lost meanwhile"
            }
            Self::WriteRefused => {
                "see why with `dispatch outbox list --state parked`, then retry or discard it"
            }
        }
    }

    /// Is it about GitHub or the database as a whole rather than about one repository?
    const fn subject(&self) -> Option<Subject> {
        match self {
            Self::QuotaReserved { .. }
            | Self::SecondaryLimit { .. }
            | Self::BreakerOpen { .. }
            | Self::PointsUsedUp { .. }
            | Self::Anonymous
            | Self::CredentialsRefused
            | Self::AppRefused
            | Self::InstallationNotFound
            | Self::InstallationSuspended
            | Self::WritesForbidden { .. }
            | Self::NotGitHub => Some(Subject::GitHub),
            Self::DatabaseFailed => Some(Subject::Database),
            Self::NoRepositories | Self::EveryRepoFailed { .. } => Some(Subject::Repositories),
            _ => None,
        }
    }

    /// When the pause ends that it speaks of.
    pub const fn until(&self) -> Option<Timestamp> {
        match *self {
            Self::QuotaReserved { until } | Self::SecondaryLimit { until } | Self::BreakerOpen { until } => {
                Some(until)
            }
            _ => None,
        }
    }

    /// A pause that somebody asked for: nothing failed, and nothing needs mending.
    pub const fn is_patience(&self) -> bool {
        matches!(
            self,
            Self::QuotaReserved { .. }
                | Self::SecondaryLimit { .. }
                | Self::BreakerOpen { .. }
                | Self::PointsUsedUp { .. }
                | Self::Stopping
        )
    }

    /// Critical is only what a person must mend (`design.md` section 1).
    pub const fn severity(&self) -> Severity {
        match self {
            Self::NoRepositories
            | Self::CredentialsRefused
            | Self::AppRefused
            | Self::NotGitHub
            | Self::EveryRepoFailed { .. }
            | Self::DatabaseFailed
            | Self::Interrupted => Severity::Critical,
            _ => Severity::Warning,
        }
    }
}

/// One message of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub phase: Phase,
    pub subject: Subject,
    pub code: Code,
}

impl Notice {
    pub fn new(phase: Phase, subject: Subject, code: Code) -> Self {
        Self { phase, subject, code }
    }

    /// A notice of the sync phase: about `repo`, unless the code concerns something larger.
    pub fn sync(repo: &RepoName, code: Code) -> Self {
        let subject = code.subject().unwrap_or_else(|| Subject::Repo(repo.clone()));
        Self::new(Phase::Sync, subject, code)
    }

    /// A notice of the sync phase about the whole of it.
    pub fn sync_whole(code: Code) -> Self {
        let subject = code.subject().unwrap_or(Subject::GitHub);
        Self::new(Phase::Sync, subject, code)
    }

    /// Names the installation that it concerns, if there are several and it concerns no less than one.
    #[must_use]
    pub fn seen_by(mut self, installation: Option<&str>) -> Self {
        if let (Subject::GitHub, Some(owner)) = (&self.subject, installation) {
            self.subject = Subject::Installation(owner.to_owned());
        }
        self
    }

    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, subject, code } = self;
        write!(f, "{phase}: {subject}: {}; {}", code.what(), code.remedy())
    }
}

/// One example of every code, for documentation and for tests that ask whether a message is in the table.
pub fn table() -> Vec<Code> {
    let until = Timestamp(0);
    vec![
        Code::RepoNotFound,
        Code::RepoForbidden,
        Code::RepoUnavailable,
        Code::IssuesDisabled,
        Code::RepoReplaced,
        Code::RenamedToTracked,
        Code::GitHubFailed { status: 500 },
        Code::GitHubUnexpected { status: 418 },
        Code::TimedOut,
        Code::ConnectionLost,
        Code::AnswerCut,
        Code::AnswerMalformed,
        Code::RedirectRefused,
        Code::ReadTooLong,
        Code::ReadAborted,
        Code::Stopping,
        Code::StillReading { waited_ms: 25_000 },
        Code::QuotaReserved { until },
        Code::SecondaryLimit { until },
        Code::BreakerOpen { until },
        Code::PointsUsedUp { left_out: 3 },
        Code::Anonymous,
        Code::NoRepositories,
        Code::CredentialsRefused,
        Code::AppRefused,
        Code::InstallationNotFound,
        Code::InstallationSuspended,
        Code::NoInstallation,
        Code::NotGitHub,
        Code::EveryRepoFailed { count: 2 },
        Code::DatabaseFailed,
        Code::Interrupted,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_name_a_cause_and_a_remedy() {
        let table = table();
        let mut names: Vec<_> = table.iter().map(Code::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), table.len());
        for code in &table {
            assert!(!code.what().is_empty() && !code.remedy().is_empty(), "{}", code.name());
            assert!(!code.remedy().ends_with('.') && !code.what().contains(';'), "{}", code.name());
        }
    }

    #[test]
    fn a_notice_reads_as_phase_subject_cause_remedy() {
        let notice = Notice::sync(&"acme/api".parse().unwrap(), Code::RepoNotFound);
        assert_eq!(
            notice.to_string(),
            "sync: acme/api: GitHub answered 404; check the name, and that the token can read the repository"
        );
        assert_eq!(notice.severity(), Severity::Warning);
    }
}
