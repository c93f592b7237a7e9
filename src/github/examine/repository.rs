//! One repository: is it there, under which name, and what is open to us
//! (docs.github.com/rest/repos/repos#get-a-repository).

use reqwest::header::HeaderValue;
use serde::de::{DeserializeOwned, IgnoredAny};
use url::Url;

use super::{Identity, Trouble, asking, wire};
use crate::{
    domain::repo::RepoName,
    github::{
        GitHub,
        client::{Client, HOPS_MAX},
        error::Error,
        verdict::{Verdict, judge},
    },
};

/// What is open to us in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoAccess {
    /// As GitHub spells it now.
    pub full_name: RepoName,
    pub is_archived: bool,
    pub has_issues: bool,
    pub is_private: bool,
    /// Whether the user's role there reaches to labels (triage or more); nothing where GitHub does not say.
    pub role_may_label: Option<bool>,
    /// Whether its issues can be listed, where only trying tells.
    pub issues: Result<(), Trouble>,
}

impl GitHub {
    /// Examines a repository with the credentials for its owner: one request, or two where `identity` does not tell
    /// whether its issues can be read. Waits for its points.
    pub async fn examine_repository(
        &self,
        repo: &RepoName,
        identity: &Identity,
    ) -> Result<RepoAccess, Trouble> {
        let client = self.client(repo)?;
        let url = client.url(&["repos", repo.owner(), repo.name()]);
        let found: wire::Repo = follow(client, url).await?;
        let mut access = RepoAccess {
            full_name: found.full_name,
            is_archived: found.archived,
            has_issues: found.has_issues,
            is_private: found.private,
            role_may_label: found.permissions.map(|role| role.triage || role.push),
            issues: Ok(()),
        };
        let untold = matches!(identity, Identity::User { scopes: None, .. } | Identity::NoUser);
        if untold && access.has_issues {
            let mut url = client.url(&["repos", repo.owner(), repo.name(), "issues"]);
            url.set_query(Some("state=all&per_page=1"));
            access.issues = match follow::<Vec<IgnoredAny>>(client, url).await.map(drop) {
                // That says nothing of the repository.
                Err(Trouble::Refused(error @ Error::Backoff(_))) => return Err(error.into()),
                tried => tried,
            };
        }
        Ok(access)
    }
}

/// Asks, and goes where redirects lead as long as that is the API's own host.
async fn follow<T: DeserializeOwned>(client: &Client, mut url: Url) -> Result<T, Trouble> {
    let home = url.origin();
    for _ in 0..=HOPS_MAX {
        client.limits.wait().await.map_err(Error::Backoff)?.spend();
        let _permit = client.turn().await;
        let shown = client.present().await?;
        let header: Option<&HeaderValue> = shown.header.as_ref();
        let answer = asking::ask(client, &url, header).await?;
        if judge(&answer) != Verdict::Elsewhere {
            return asking::content(client, &answer);
        }
        url = answer.location(&url).ok_or(Error::Malformed)?;
        if url.origin() != home {
            break;
        }
    }
    Err(Error::RedirectRefused.into())
}
