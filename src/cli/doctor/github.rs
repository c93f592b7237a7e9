//! GitHub: there, itself, and what it says of our credentials.

use std::{collections::HashMap, time::Duration};

use super::{
    database::skew,
    report::{Check, Line, Report},
    repositories, rights, webhooks, words,
};
use crate::{
    clock::{Clock, Ids},
    domain::{notice::Code, repo::RepoName, time::ahead_by},
    github::{Error, Examiner, GitHub, Identity, Quota, Reached, Settings, Silence, Trouble},
};

/// A request is not waited for any longer, whatever is configured for the server.
const PATIENCE: Duration = Duration::from_secs(10);

/// `Date` leaves out what is below a second.
const GRAIN: Duration = Duration::from_secs(1);

/// What one set of credentials turned out to be.
pub struct Account {
    pub identity: Identity,
    /// Requests that are left; nothing where no limit is set.
    pub quota: Option<Quota>,
}

/// By the installation's name; with one set of credentials, by none.
pub type Accounts = HashMap<Option<String>, Account>;

pub async fn check(
    mut settings: Settings,
    repos: &[RepoName],
    clock: &Clock,
    receives_webhooks: bool,
    report: &mut Report,
) {
    settings.request_timeout = settings.request_timeout.min(PATIENCE);
    let github = match GitHub::new(&settings, clock, &Ids::new(clock.clone())) {
        Ok(github) => github,
        Err(error) => {
            let text = error.to_string();
            let (what, remedy) = text.split_once("; ").unwrap_or((&text, "correct it"));
            report.add(Line::error(Check::GitHub, what, remedy));
            return repositories::skipped(repos, report);
        }
    };
    let host = settings.api_url.host_str().unwrap_or("GITHUB_API_URL").to_owned();
    match github.reach().await {
        Ok(reached) => {
            report.add(Line::ok(Check::GitHub, "reachable").about(host));
            if let Some(line) = clocks(reached) {
                report.add(line);
            }
        }
        Err(trouble) => {
            let (what, remedy) = explain(&trouble);
            report.add(Line::error(Check::GitHub, what, remedy).about(host));
            return repositories::skipped(repos, report);
        }
    }
    let mut accounts = Accounts::new();
    for examiner in github.examiners() {
        if let Some(account) = examine(examiner, report).await {
            accounts.insert(examiner.name().map(str::to_owned), account);
        }
    }
    repositories::check(&github, &accounts, repos, report).await;
    if receives_webhooks {
        webhooks::check(&github, repos, report).await;
    }
}

/// Nothing where the answer bears no time.
fn clocks(Reached { date, asked, heard }: Reached) -> Option<Line> {
    Some(skew(Check::GitHubClock, ahead_by(date?, GRAIN, asked, heard)))
}

/// One set of credentials; nothing when it opens nothing.
async fn examine(examiner: Examiner<'_>, report: &mut Report) -> Option<Account> {
    let about = |line: Line| match examiner.name() {
        Some(name) => line.about(name),
        None => line,
    };
    let identity = match examiner.identity().await {
        Ok(identity) => identity,
        Err(trouble) => {
            let (what, remedy) = explain(&trouble);
            report.add(about(Line::error(Check::GitHubCredentials, what, remedy)));
            return None;
        }
    };
    let line = credentials(&identity);
    let is_barred = line.status == super::report::Status::Error;
    report.add(about(line));
    if is_barred {
        return None;
    }
    let quota = match examiner.quota().await {
        Ok(quota) => {
            report.add(about(left(quota)));
            quota
        }
        Err(trouble) => {
            let (what, remedy) = explain(&trouble);
            report.add(about(Line::error(Check::GitHubQuota, what, remedy)));
            return None;
        }
    };
    if let Some(line) = rights::of(&identity) {
        report.add(about(line));
    }
    Some(Account { identity, quota })
}

fn credentials(identity: &Identity) -> Line {
    let check = Check::GitHubCredentials;
    match identity {
        Identity::Anonymous => Line::warning(check, Code::Anonymous.what(), Code::Anonymous.remedy()),
        Identity::User { login, scopes: Some(_) } => {
            Line::ok(check, format!("classic token of {}", words::plain(login)))
        }
        Identity::User { login, scopes: None } => {
            Line::ok(check, format!("fine-grained token of {}", words::plain(login)))
        }
        Identity::NoUser => Line::warning(
            check,
            "a token that belongs to no user; such tokens end within hours",
            "for a server set a personal access token, or a GitHub App",
        ),
        Identity::Installation { is_suspended: true, account, .. } => Line::error(
            check,
            format!("the installation of the GitHub App on {} is suspended", words::plain(account)),
            Code::InstallationSuspended.remedy(),
        ),
        Identity::Installation { app, account, .. } => {
            Line::ok(check, format!("GitHub App {} on {}", words::plain(app), words::plain(account)))
        }
    }
}

fn left(quota: Option<Quota>) -> Line {
    let Some(Quota { limit, remaining, resets_at }) = quota else {
        return Line::ok(Check::GitHubQuota, "no limit is set there");
    };
    let what = format!("{remaining} of {limit} requests are left until {resets_at}");
    // Ordinary reads leave a tenth alone.
    if remaining > limit / 10 {
        return Line::ok(Check::GitHubQuota, what);
    }
    let remedy =
        "nothing; reading resumes by itself then; if it stays so, give Dispatch credentials of its own";
    Line::warning(Check::GitHubQuota, what, remedy)
}

/// What a trouble means, and what to do.
pub fn explain(trouble: &Trouble) -> (String, String) {
    match trouble {
        Trouble::Silent(silence) => {
            let (what, remedy) = silent(*silence);
            (what.to_owned(), with_proxy(remedy))
        }
        Trouble::Lacks(permissions) => (
            format!("GitHub answered 403 and asks for the permission {permissions}"),
            "grant it to the token or the App".to_owned(),
        ),
        // Its remedy speaks of passes.
        Trouble::Refused(Error::Failed { status }) => (
            format!("GitHub failed with {status}"),
            "try again; if it stays, look at GitHub's status page".to_owned(),
        ),
        Trouble::Refused(Error::RedirectRefused) => (
            "what answers there redirects to another address".to_owned(),
            Code::NotGitHub.remedy().to_owned(),
        ),
        Trouble::Refused(Error::TimedOut) => explain(&Trouble::Silent(Silence::TimedOut)),
        Trouble::Refused(error) => (error.code().what(), error.code().remedy().to_owned()),
    }
}

const fn silent(silence: Silence) -> (&'static str, &'static str) {
    match silence {
        Silence::Name => ("its name has no address", "check GITHUB_API_URL and this machine's DNS"),
        Silence::Refused => ("nothing listens there", "check GITHUB_API_URL and the firewall"),
        Silence::Unreachable => ("no way leads there", "check this machine's network"),
        Silence::Certificate => (
            "its certificate is not trusted",
            "install the CA that signed it (SSL_CERT_FILE names a file of CAs), and check GITHUB_API_URL",
        ),
        Silence::Tls => ("TLS failed", "check the scheme and port in GITHUB_API_URL"),
        Silence::Proxy => ("the proxy does not let us through", "check the proxy's address and login"),
        Silence::TimedOut => ("it did not answer in time", "check this machine's network and the firewall"),
        Silence::Lost => ("the connection ended early", "check what stands between this machine and GitHub"),
    }
}

/// Requests may go by a proxy without anybody thinking of it.
fn with_proxy(remedy: &str) -> String {
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let set = names.iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    set.map_or_else(
        || remedy.to_owned(),
        |name| format!("{remedy}; {name} is set, so look at that proxy too"),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::report::Status, *};
    use crate::domain::time::Timestamp;

    #[test]
    fn little_quota_is_a_warning() {
        let of = |remaining| left(Some(Quota { limit: 60, remaining, resets_at: Timestamp(0) })).status;
        assert_eq!((of(60), of(7), of(6), of(0)), (Status::Ok, Status::Ok, Status::Warning, Status::Warning));
        assert_eq!(left(None).status, Status::Ok);
    }

    #[test]
    fn every_silence_has_its_own_words() {
        use Silence::{Certificate, Lost, Name, Proxy, Refused, TimedOut, Tls, Unreachable};

        let all = [Name, Refused, Unreachable, Certificate, Tls, Proxy, TimedOut, Lost];
        let words: std::collections::HashSet<_> = all.iter().map(|it| silent(*it).0).collect();
        assert_eq!(words.len(), all.len());
    }

    #[test]
    fn a_suspended_installation_is_an_error_and_a_users_token_is_not() {
        let identity = |is_suspended| Identity::Installation {
            app: "dispatch".to_owned(),
            account: "acme".to_owned(),
            grants: crate::github::Grants {
                metadata: crate::github::Grant::Read,
                issues: crate::github::Grant::Write,
                pull_requests: crate::github::Grant::Write,
            },
            is_suspended,
        };
        assert_eq!(credentials(&identity(true)).status, Status::Error);
        assert_eq!(credentials(&identity(false)).message, "GitHub App dispatch on acme");
        assert_eq!(credentials(&Identity::NoUser).status, Status::Warning);
    }
}
