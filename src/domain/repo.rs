//! Repositories: their names, where the wish to track them came from, and how far their cache is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{
    ids::{RepoId, TokenId},
    time::Timestamp,
};

/// `owner/name` as GitHub spells it; compares without case.
#[derive(Clone, Debug, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(transparent)]
#[serde(transparent)]
#[schema(
    value_type = String,
    pattern = "^[A-Za-z0-9_-]{1,39}/[A-Za-z0-9._-]{1,100}$",
    examples("octocat/hello-world")
)]
pub struct RepoName(String);

/// Why a text is not `owner/name`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotARepoName {
    #[error("write it as owner/name, for example octocat/hello-world")]
    NotTwoParts,
    #[error("the owner is 1 to 39 letters, digits or '-' (GitHub's rule for account names)")]
    Owner,
    #[error("the name is 1 to 100 letters, digits, '.', '_' or '-', and not '.' or '..'")]
    Name,
}

impl RepoName {
    /// `owner/name`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two spellings of one name have in common.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The part before the slash.
    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or("", |(owner, _)| owner)
    }

    /// The part after the slash.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

impl FromStr for RepoName {
    type Err = NotARepoName;

    fn from_str(text: &str) -> Result<Self, NotARepoName> {
        let (owner, name) = text.split_once('/').ok_or(NotARepoName::NotTwoParts)?;
        if name.contains('/') {
            return Err(NotARepoName::NotTwoParts);
        }
        // Enterprise Managed Users have an underscore in their account names.
        let owner_char = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if owner.is_empty() || owner.len() > 39 || !owner.bytes().all(owner_char) {
            return Err(NotARepoName::Owner);
        }
        let name_char = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        if name.is_empty() || name.len() > 100 || !name.bytes().all(name_char) || matches!(name, "." | "..") {
            return Err(NotARepoName::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

impl PartialEq for RepoName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for RepoName {}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RepoName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Who asked for a repository to be tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RepoSource {
    /// `GITHUB_REPOSITORIES` (or `--repo`).
    Env,
    /// The API.
    User,
}

/// A tracked repository with what the last read left behind.
#[derive(Clone, Debug)]
pub struct TrackedRepo {
    pub id: RepoId,
    pub name: RepoName,
    /// GitHub's own number of the repository; known after the first read.
    pub github_id: Option<i64>,
    pub sync: SyncState,
}

/// How far the cache of one repository is; written only by reads of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncState {
    pub phase: LoadPhase,
    /// ETag of the probe and the token it belongs to (GitHub scopes ETags by token).
    pub etag: Option<(ETag, TokenId)>,
    /// When GitHub last confirmed the cache (a 304, or a 200 that was applied).
    pub confirmed_at: Option<Timestamp>,
    /// Which label rules the derived columns follow; another value means they must be derived anew.
    pub rules: String,
    pub failures: i64,
}

/// An entity tag, quotes and weakness prefix included, opaque to us.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct ETag(pub String);

/// Where the reading of a repository stands. Times are GitHub's `updated_at`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadPhase {
    /// Never read.
    #[default]
    New,
    /// First load, open issues: everything up to `cursor` is applied.
    Open { began: Timestamp, cursor: Option<Timestamp> },
    /// First load, lately closed issues: everything up to `cursor` is applied.
    Closed { began: Timestamp, cursor: Timestamp },
    /// Loaded: everything that changed before `mark` is applied.
    Loaded { mark: Timestamp },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_with_the_reason() {
        for good in ["a/b", "acme/api.v2", "A-1/_x", "acme/.github", "corp_emu/x"] {
            assert!(good.parse::<RepoName>().is_ok(), "{good}");
        }
        let cases = [
            ("acme", NotARepoName::NotTwoParts),
            ("acme/api/x", NotARepoName::NotTwoParts),
            ("/api", NotARepoName::Owner),
            ("ac me/api", NotARepoName::Owner),
            ("acme/", NotARepoName::Name),
            ("acme/..", NotARepoName::Name),
            ("acme/a?b", NotARepoName::Name),
        ];
        for (bad, why) in cases {
            assert_eq!(bad.parse::<RepoName>().unwrap_err(), why, "{bad}");
        }
    }

    #[test]
    fn names_compare_without_case_and_keep_their_spelling() {
        let name: RepoName = "Acme/API".parse().unwrap();
        assert_eq!(name, "acme/api".parse().unwrap());
        assert_eq!((name.owner(), name.name()), ("Acme", "API"));
    }
}
