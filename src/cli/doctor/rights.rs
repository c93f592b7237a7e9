//! Permissions: what Dispatch needs, against what GitHub says that we hold
//! (docs.github.com/rest/authentication/permissions-required-for-github-apps).

use super::report::{Check, Line};
use crate::github::{Grant, Grants, Identity};

/// What lacks for what is to come.
const LATER: &str = "claims will not be able to write labels and comments";

/// What can be said of the credentials as a whole; nothing of those whose own line says it.
pub fn of(identity: &Identity) -> Option<Line> {
    match identity {
        Identity::Anonymous | Identity::NoUser => None,
        Identity::User { scopes: Some(scopes), .. } => Some(classic(scopes)),
        Identity::User { scopes: None, .. } => Some(Line::ok(
            Check::GitHubPermissions,
            "GitHub does not list those of such a token; reading is tried on each repository, writing cannot be tried",
        )),
        Identity::Installation { grants, .. } => Some(installation(*grants)),
    }
}

fn classic(scopes: &[String]) -> Line {
    let has = |wanted: &str| scopes.iter().any(|scope| scope == wanted);
    if has("repo") {
        return Line::ok(Check::GitHubPermissions, "scope repo: reads and writes wherever its user may");
    }
    if has("public_repo") {
        return Line::ok(Check::GitHubPermissions, "scope public_repo: public repositories only");
    }
    Line::warning(
        Check::GitHubPermissions,
        format!("without the scope repo it reads public repositories only, and {LATER}"),
        "give it the scope repo (or public_repo)",
    )
}

fn installation(grants: Grants) -> Line {
    let held = [
        ("Metadata", grants.metadata, Grant::Read),
        ("Issues", grants.issues, Grant::Write),
        ("Pull requests", grants.pull_requests, Grant::Write),
    ];
    let list = |least: Grant| -> Vec<&str> {
        let lacking = held.iter().filter(|(_, held, wanted)| *held < least.min(*wanted));
        lacking.map(|(name, ..)| *name).collect()
    };
    let grant = "change it in the App's settings, then let the account accept the change";
    match (list(Grant::Read).as_slice(), list(Grant::Write).as_slice()) {
        ([], []) => Line::ok(Check::GitHubPermissions, "Metadata: read; Issues and Pull requests: write"),
        ([], write) => Line::warning(
            Check::GitHubPermissions,
            format!("no write permission for {}: {LATER}", write.join(" and ")),
            grant,
        ),
        (read, _) => Line::error(
            Check::GitHubPermissions,
            format!("no read permission for {}, which every sync needs", read.join(" and ")),
            grant,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::report::Status, *};

    #[test]
    fn an_installation_needs_to_read_and_will_need_to_write() {
        use Grant::{None, Read, Write};

        let cases = [
            (Read, Write, Write, Status::Ok, "Metadata"),
            (Read, Read, Write, Status::Warning, "for Issues: claims"),
            (Read, Read, Read, Status::Warning, "for Issues and Pull requests: claims"),
            (Read, None, None, Status::Error, "read permission for Issues and Pull requests,"),
            (Read, Write, None, Status::Error, "read permission for Pull requests,"),
            (None, Write, Write, Status::Error, "read permission for Metadata,"),
        ];
        for (metadata, issues, pull_requests, status, words) in cases {
            let line = installation(Grants { metadata, issues, pull_requests });
            assert!(line.status == status && line.message.contains(words), "{line:?}");
        }
    }

    #[test]
    fn a_classic_token_tells_by_its_scopes() {
        let of = |scopes: &[&str]| {
            let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
            of(&Identity::User { login: "octocat".to_owned(), scopes: Some(scopes) }).unwrap().status
        };
        assert_eq!((of(&["gist", "repo"]), of(&["public_repo"])), (Status::Ok, Status::Ok));
        assert_eq!((of(&[]), of(&["repo:status"])), (Status::Warning, Status::Warning));
    }
}
