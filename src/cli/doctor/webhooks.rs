//! Webhooks: whether deliveries that do not come are found.

use super::report::{Check, Line, Report};
use crate::{
    domain::repo::RepoName,
    github::{Error, GitHub, HookSource, Which},
};

/// Said once, whatever the number of repositories: the first that there are credentials for stands for all.
pub async fn check(github: &GitHub, repos: &[RepoName], report: &mut Report) {
    let outcome = if github.is_app() {
        github.deliveries(&HookSource::App, Which::Newest, None).await.map(drop)
    } else {
        let Some(repo) = repos.iter().find(|repo| github.knows(repo)) else { return };
        github.hooks(repo).await.map(drop)
    };
    report.add(judge(github.is_app(), outcome));
}

fn judge(is_app: bool, outcome: Result<(), Error>) -> Line {
    let check = Check::Webhooks;
    match (outcome, is_app) {
        (Ok(()), _) => {
            Line::ok(check, "received; GitHub shows what it delivered, so what does not come is found")
        }
        (Err(Error::NotFound), true) => Line::warning(
            check,
            "the App has no webhook",
            "set its address and secret in the App's settings, or use `dispatch webhook add`",
        ),
        (Err(Error::NotFound | Error::Forbidden), _) => Line::warning(
            check,
            "deliveries that do not come are not found: GitHub shows no webhooks to these credentials",
            "give the token the permission Webhooks (read and write), or the scope admin:repo_hook; until then syncs find what was missed",
        ),
        (Err(error), _) => {
            let what = format!("not checked: {}", error.code().what());
            Line::warning(check, what, error.code().remedy())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::report::Status, *};

    #[test]
    fn what_keeps_us_from_looking_is_named() {
        let cases = [
            (false, Ok(()), Status::Ok, "is found"),
            (true, Ok(()), Status::Ok, "is found"),
            (true, Err(Error::NotFound), Status::Warning, "no webhook"),
            (false, Err(Error::NotFound), Status::Warning, "shows no webhooks"),
            (false, Err(Error::Forbidden), Status::Warning, "shows no webhooks"),
            (false, Err(Error::TimedOut), Status::Warning, "not checked"),
        ];
        for (is_app, outcome, status, words) in cases {
            let line = judge(is_app, outcome);
            assert!(line.status == status && line.message.contains(words), "{line:?}");
        }
    }
}
