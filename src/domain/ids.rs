//! Names and identifiers; each is its own type, so a mix-up does not compile.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

/// Declares an opaque identifier in text form.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A cached issue, the same for as long as it is cached.
    #[derive(utoipa::ToSchema)]
    #[schema(value_type = String, format = "uuid", examples("019b76da-a800-7c3f-8000-3b1c5ad0e001"))]
    IssueId
}
text_id! {
    /// A tracked (or once tracked) repository.
    #[derive(utoipa::ToSchema)]
    #[schema(value_type = String, format = "uuid", examples("019b76da-a800-7c3f-8000-3b1c5ad0e002"))]
    RepoId
}
text_id! {
    /// One `AgentRun`.
    #[derive(utoipa::ToSchema)]
    #[schema(value_type = String, format = "uuid", examples("019b76da-a800-7c3f-8000-3b1c5ad0e003"))]
    RunId
}
text_id! {
    /// One read of a repository that changed something; runs that shared it name it.
    ReadId
}
text_id! {
    /// One process of Dispatch, from its start to its end.
    InstanceId
}
text_id! {
    /// One claim: one attempt of one agent.
    #[derive(utoipa::ToSchema)]
    #[schema(value_type = String, format = "uuid", examples("019b76da-a800-7c3f-8000-3b1c5ad0e005"))]
    ClaimId
}
text_id! {
    /// One pull request in the PR-fix queue; with a generation it names an attempt.
    #[derive(utoipa::ToSchema)]
    #[schema(value_type = String, format = "uuid", examples("019b76da-a800-7c3f-8000-3b1c5ad0e006"))]
    PrFixId
}
text_id! {
    /// One row of the audit log.
    #[derive(utoipa::ToSchema)]
    #[schema(value_type = String, format = "uuid", examples("019b76da-a800-7c3f-8000-3b1c5ad0e004"))]
    AuditId
}
text_id! {
    /// One entry of the outbox: a write that GitHub has or is to get.
    #[derive(utoipa::ToSchema)]
    #[schema(value_type = String, format = "uuid", examples("019b76da-a800-7c3f-8000-3b1c5ad0e006"))]
    OutboxId
}
text_id! {
    /// Which credential was shown: the start of its SHA-256, never the credential.
    #[derive(utoipa::ToSchema)]
    #[schema(value_type = String, pattern = "^[0-9a-f]{16}$", examples("9f86d081884c7d65"))]
    TokenId
}

/// The number of an issue or pull request within its repository.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    sqlx::Type,
    utoipa::ToSchema,
)]
#[sqlx(transparent)]
#[serde(transparent)]
#[schema(minimum = 1, examples(42))]
pub struct IssueNumber(pub i64);

impl fmt::Display for IssueNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The longest agent name: GitHub label names end at 50 characters and `agent/` must fit.
pub const AGENT_NAME_MAX: usize = 44;

/// An agent's name: a letter or digit, then up to 43 letters, digits, `.`, `_` or `-`; compares without case.
#[derive(Clone, Debug, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(transparent)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,43}$", examples("coder"))]
pub struct AgentName(String);

/// The text is not an agent name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an agent name is 1 to 44 characters: a letter or digit, then letters, digits, '.', '_' or '-'")]
pub struct NotAnAgentName;

impl AgentName {
    /// The name as it was first written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two spellings of one name have in common.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for AgentName {
    type Err = NotAnAgentName;

    fn from_str(text: &str) -> Result<Self, NotAnAgentName> {
        let mut characters = text.bytes();
        let starts_well = characters.next().is_some_and(|c| c.is_ascii_alphanumeric());
        let goes_on = characters.all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c));
        if starts_well && goes_on && text.len() <= AGENT_NAME_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnAgentName)
        }
    }
}

impl PartialEq for AgentName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for AgentName {}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AgentName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agent_names_follow_the_rule() {
        for good in ["a", "Coder-1", "0.x_y", &"a".repeat(44)] {
            assert!(good.parse::<AgentName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "a b", "a/b", "ä", "a\n", &"a".repeat(45)] {
            assert_eq!(bad.parse::<AgentName>().unwrap_err(), NotAnAgentName, "{bad:?}");
        }
    }

    #[test]
    fn agent_names_compare_without_case() {
        let (a, b): (AgentName, AgentName) = ("Coder".parse().unwrap(), "cODER".parse().unwrap());
        assert_eq!(a, b);
        assert_eq!(a.key(), b.key());
        assert_eq!(a.to_string(), "Coder");
    }
}
