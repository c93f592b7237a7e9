//! Each repository: is it there, under that name, and what is open to us.

use std::collections::HashMap;

use futures_util::{StreamExt as _, stream};

use super::{
    github::{Accounts, explain},
    report::{Check, Line, Report},
};
use crate::{
    domain::{notice::Code, repo::RepoName},
    github::{Error, GitHub, Identity, RepoAccess, Trouble},
};

/// Repositories that are examined at once.
const AT_ONCE: usize = 8;

/// One in so many of the requests that are left may go into an examination.
const SHARE: u32 = 4;

/// What is tracked and what is configured, each once.
pub fn union(tracked: Vec<RepoName>, configured: Vec<RepoName>) -> Vec<RepoName> {
    let mut names = tracked;
    for name in configured {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// GitHub cannot be asked about any.
pub fn skipped(repos: &[RepoName], report: &mut Report) {
    if !repos.is_empty() {
        let what = format!("{} not checked, as GitHub cannot be asked", repos.len());
        report.add(Line::warning(Check::Repository, what, "mend the lines about GitHub first"));
    }
}

pub async fn check(github: &GitHub, accounts: &Accounts, repos: &[RepoName], report: &mut Report) {
    if repos.is_empty() {
        let none = Code::NoRepositories;
        report.add(Line::warning(Check::Repository, none.what(), none.remedy()));
    }
    let Plan { go, no_account, no_quota } = plan(github, accounts, repos);
    let examined = stream::iter(go)
        .map(async |(repo, identity)| judge(repo, identity, github.examine_repository(repo, identity).await))
        .buffered(AT_ONCE);
    let lines: Vec<Line> = examined.collect().await;
    for line in lines {
        report.add(line);
    }
    skipped(&no_account, report);
    if !no_quota.is_empty() {
        let what = format!("{} not checked, to leave requests to the server", no_quota.len());
        report.add(Line::warning(Check::Repository, what, "run doctor again when the quota is reset"));
    }
}

/// Which repositories are examined, and which are left out for what reason.
struct Plan<'r> {
    go: Vec<(&'r RepoName, &'r Identity)>,
    no_account: Vec<RepoName>,
    no_quota: Vec<RepoName>,
}

fn plan<'r>(github: &GitHub, accounts: &'r Accounts, repos: &'r [RepoName]) -> Plan<'r> {
    let mut plan = Plan { go: Vec::new(), no_account: Vec::new(), no_quota: Vec::new() };
    let mut spent: HashMap<Option<&str>, u32> = HashMap::new();
    for repo in repos {
        // An owner without installation costs no request: the examination says so.
        if !github.knows(repo) {
            plan.go.push((repo, &Identity::Anonymous));
            continue;
        }
        let name = github.account(repo);
        let Some(account) = accounts.get(&name.map(str::to_owned)) else {
            plan.no_account.push(repo.clone());
            continue;
        };
        let spent = spent.entry(name).or_default();
        *spent += 2;
        if account.quota.is_some_and(|quota| *spent > quota.remaining / SHARE) {
            plan.no_quota.push(repo.clone());
        } else {
            plan.go.push((repo, &account.identity));
        }
    }
    plan
}

fn judge(repo: &RepoName, identity: &Identity, outcome: Result<RepoAccess, Trouble>) -> Line {
    let line = match outcome {
        Ok(access) => found(repo, identity, &access),
        Err(Trouble::Refused(Error::Backoff(backoff))) => {
            let code = backoff.code();
            Line::warning(Check::Repository, format!("not checked: {}", code.what()), code.remedy())
        }
        Err(trouble) => {
            let (what, remedy) = explain(&trouble);
            Line::error(Check::Repository, what, remedy)
        }
    };
    line.about(repo.as_str())
}

fn found(repo: &RepoName, identity: &Identity, access: &RepoAccess) -> Line {
    let check = Check::Repository;
    if !access.has_issues {
        let off = Code::IssuesDisabled;
        return Line::error(check, "issues are turned off there", off.remedy());
    }
    if let Err(trouble) = &access.issues {
        let (what, remedy) = explain(trouble);
        return Line::error(check, format!("its issues cannot be read: {what}"), remedy);
    }
    if access.is_archived {
        let remedy = "stop tracking it, or take it out of the archive";
        return Line::warning(check, "archived: nothing can be written there", remedy);
    }
    if access.full_name != *repo {
        let what = format!("its name is {} now", access.full_name.as_str());
        return Line::warning(
            check,
            what,
            "the old name works as long as GitHub redirects it; use the new one",
        );
    }
    // For others than users that field does not tell of issues.
    if matches!(identity, Identity::User { .. }) && access.role_may_label == Some(false) {
        let what = "can be read; the user's role there reaches to no labels, so claims will not be able to write them";
        return Line::warning(check, what, "give the user the role Triage or more");
    }
    let kind = if access.is_private { "private" } else { "public" };
    Line::ok(check, format!("can be read ({kind})"))
}

#[cfg(test)]
mod tests {
    use super::{super::report::Status, *};

    fn name(text: &str) -> RepoName {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_open_to_us_is_judged() {
        let user = Identity::User { login: "octocat".to_owned(), scopes: None };
        let good = RepoAccess {
            full_name: name("acme/api"),
            is_archived: false,
            has_issues: true,
            is_private: true,
            role_may_label: Some(true),
            issues: Ok(()),
        };
        let lacks = Err(Trouble::Lacks("issues=read".to_owned()));
        let cases = [
            (Ok(good.clone()), Status::Ok, "can be read (private)"),
            (Ok(RepoAccess { full_name: name("ACME/api"), ..good.clone() }), Status::Ok, "can be read"),
            (Ok(RepoAccess { full_name: name("acme/new"), ..good.clone() }), Status::Warning, "acme/new now"),
            (Ok(RepoAccess { is_archived: true, ..good.clone() }), Status::Warning, "archived"),
            (Ok(RepoAccess { has_issues: false, ..good.clone() }), Status::Error, "turned off"),
            (Ok(RepoAccess { role_may_label: Some(false), ..good.clone() }), Status::Warning, "role"),
            (Ok(RepoAccess { role_may_label: None, ..good.clone() }), Status::Ok, "can be read"),
            (Ok(RepoAccess { issues: lacks, ..good.clone() }), Status::Error, "issues=read"),
            (Err(Trouble::Refused(Error::NotFound)), Status::Error, "404"),
            (Err(Trouble::Refused(Error::NoInstallation)), Status::Error, "no installation"),
            (Err(Trouble::Refused(Error::UnavailableForLegalReasons)), Status::Error, "451"),
        ];
        for (outcome, status, words) in cases {
            let line = judge(&name("acme/api"), &user, outcome);
            assert!(line.status == status && line.message.contains(words), "{line:?}");
        }
        let installed = Identity::NoUser;
        let outcome = Ok(RepoAccess { role_may_label: Some(false), ..good });
        assert_eq!(judge(&name("acme/api"), &installed, outcome).status, Status::Ok);
    }

    #[test]
    fn each_repository_is_there_once() {
        let all = union(vec![name("acme/api")], vec![name("ACME/API"), name("acme/web")]);
        assert_eq!(all, [name("acme/api"), name("acme/web")]);
    }
}
