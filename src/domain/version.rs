//! Which state of an issue somebody saw, so that a change can be tied to it.

use std::{fmt, str::FromStr};

use serde::Serialize;

use super::{
    digest::{hex, sha256},
    issue::Issue,
};

/// Names what Dispatch shows of an issue: title, text, state, labels, assignees, lane, and what operators said of it.
/// Another version is another decision; comments and times are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(as = IssueVersion, value_type = String, pattern = "^[0-9a-f]{32}$", examples("9f86d081884c7d659a2feaa0c55ad015"))]
pub struct Version(String);

impl Version {
    pub fn of(issue: &Issue) -> Self {
        // GitHub has labels and assignees in no order.
        let mut labels: Vec<String> = issue.labels.iter().map(|label| label.to_lowercase()).collect();
        labels.sort_unstable();
        let mut assignees: Vec<&String> = issue.assignees.iter().collect();
        assignees.sort_unstable();
        let (split, grooming) = (&issue.split, &issue.grooming);
        let content = (
            (&issue.id, &issue.title, &issue.body, issue.state, labels, assignees, &issue.current_lane),
            (split.decomposed, &split.note, &split.follow_up_urls),
            (&grooming.summary, &grooming.not_ready_reason, &grooming.blocked_reason),
            (&grooming.needs_info_reason, &grooming.next_action),
        );
        let text = serde_json::to_vec(&content).unwrap_or_default();
        Self(hex(&sha256(text)[..16]))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What `If-Match` demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Whatever it is.
    Any,
    OneOf(Vec<String>),
}

/// The text names no version.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("name the version that you saw, as in If-Match: \"9f86d081884c7d659a2feaa0c55ad015\"")]
pub struct NotAVersion;

impl IfMatch {
    pub fn admits(&self, version: &Version) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version.0),
        }
    }
}

impl FromStr for IfMatch {
    type Err = NotAVersion;

    /// A list of versions, quoted or bare. A weak one counts, too: proxies that compress make tags weak.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let bare = |one: &str| {
            let one = one.trim();
            one.strip_prefix("W/").unwrap_or(one).trim_matches('"').to_owned()
        };
        let versions: Vec<String> = text.split(',').map(bare).filter(|one| !one.is_empty()).collect();
        match versions.as_slice() {
            [] => Err(NotAVersion),
            [one] if one == "*" => Ok(Self::Any),
            _ => Ok(Self::OneOf(versions)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_recognised_in_every_form() {
        let version = Version("ab".to_owned());
        for (shown, admits) in [
            ("ab", true),
            ("\"ab\"", true),
            ("W/\"ab\"", true),
            ("\"x\", \"ab\"", true),
            ("*", true),
            ("\"abc\"", false),
            ("\"x\", *", false),
        ] {
            assert_eq!(shown.parse::<IfMatch>().unwrap().admits(&version), admits, "{shown}");
        }
        for nothing in ["", " ", "\"\"", ",", "W/\"\""] {
            assert_eq!(nothing.parse::<IfMatch>(), Err(NotAVersion), "{nothing:?}");
        }
    }
}
