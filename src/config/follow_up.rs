//! Variables of what follows pull requests and failing workflows.

use clap::Args;

use super::values::given;
use crate::engine::FollowUp;

const HEADING: &str = "Follow-up";
const CI_LABELS: &str = "type/bug,status/ready";
const BOTS: &str = "github-actions[bot]";

/// See the fields.
#[derive(Args, Clone, Default)]
pub struct Variables {
    /// Labels of issues about workflows that fail on the default branch, separated by commas or newlines [default: type/bug,status/ready]
    #[arg(long = "ci-failure-labels", env = "DISPATCH_CI_FAILURE_LABELS", value_name = "LIST", help_heading = HEADING)]
    ci_failure_labels: Option<String>,
    /// Whose pull requests are followed, separated by commas or newlines [default: `github-actions[bot]`]
    #[arg(long = "pr-followup-bot-identities", env = "PR_FOLLOWUP_BOT_IDENTITIES", value_name = "LIST", help_heading = HEADING)]
    bot_identities: Option<String>,
    /// Owners of repositories whose pull requests are followed, separated by commas or newlines; unset: all.
    #[arg(long = "pr-followup-branch-owners", env = "PR_FOLLOWUP_BRANCH_OWNERS", value_name = "LIST", help_heading = HEADING)]
    branch_owners: Option<String>,
}

/// The Node edition's documentation shows a JSON list, its code reads commas: both are understood.
fn list(value: Option<&String>, default: &str) -> Vec<String> {
    let text = given(value).unwrap_or(default);
    if let Ok(names) = serde_json::from_str::<Vec<String>>(text) {
        return names
            .into_iter()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
    }
    let names = text.split([',', '\n']).map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// Nothing here can be wrong.
pub fn read(variables: &Variables) -> FollowUp {
    FollowUp {
        ci_labels: list(variables.ci_failure_labels.as_ref(), CI_LABELS),
        bots: list(variables.bot_identities.as_ref(), BOTS),
        owners: list(variables.branch_owners.as_ref(), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_either_form() {
        let bots = |text: &str| {
            read(&Variables { bot_identities: Some(text.to_owned()), ..Variables::default() }).bots
        };
        assert_eq!(bots("a[bot], b\nc"), ["a[bot]", "b", "c"]);
        assert_eq!(bots(r#"["a[bot]", "b"]"#), ["a[bot]", "b"]);
        assert_eq!(bots(" "), ["github-actions[bot]"]);
        assert_eq!(read(&Variables::default()), FollowUp::default());
    }
}
