//! What a notice is about.

use std::fmt;

use super::repo::RepoName;

/// The second part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Repo(RepoName),
    Repositories,
    GitHub,
    /// GitHub as one of several installations of an App sees it, by the name of its owner.
    Installation(String),
    Database,
    Run,
    /// `owner/name#number`.
    Issue(String),
    Claims,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repo(name) => name.fmt(f),
            Self::Repositories => f.write_str("repositories"),
            Self::GitHub => f.write_str("GitHub"),
            Self::Installation(owner) => write!(f, "GitHub ({owner})"),
            Self::Database => f.write_str("database"),
            Self::Run => f.write_str("run"),
            Self::Issue(name) => f.write_str(name),
            Self::Claims => f.write_str("claims"),
        }
    }
}
