//! What an agent is told to do next (`contract/agents.md` 3.1).

use serde::{Deserialize, Serialize};

use super::{
    ids::{AgentName, IssueNumber},
    repo::RepoName,
};

/// What an agent does next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Task {
    /// Nothing to do now.
    #[serde(rename_all = "camelCase")]
    Idle { should_run: bool, reason: String },
    /// Work on an issue until there is a pull request.
    #[serde(rename_all = "camelCase")]
    Implement {
        should_run: bool,
        agent_name: AgentName,
        /// As it is stored for the issue.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = String, required = false)]
        lane: Option<String>,
        issue: TaskIssue,
        instructions: String,
        stop_after: String,
        forbidden_actions: Vec<String>,
    },
}

/// An issue as a task names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskIssue {
    pub repo_full_name: RepoName,
    pub number: IssueNumber,
    pub title: String,
    /// The issue's page at GitHub.
    #[schema(format = "uri")]
    pub url: String,
}

impl Task {
    /// Nothing to do.
    pub fn idle() -> Self {
        Self::Idle { should_run: false, reason: "No work available".to_owned() }
    }

    /// A ready issue; nothing is reserved, the claim decides who gets it.
    pub fn implement(agent: AgentName, lane: Option<String>, issue: TaskIssue) -> Self {
        let TaskIssue { repo_full_name, number, .. } = &issue;
        let instructions = format!(
            "Claim {repo_full_name}#{number} for {agent} before you touch it; if the claim is refused, ask for the next \
             task. Read the issue and its comments, make the smallest change that resolves it, run the project's own \
             tests, and open one pull request that refers to the issue (or update the one that is open already)."
        );
        let stop_after = format!(
            "Stop as soon as one pull request for {repo_full_name}#{number} is open or updated, and report what came of it."
        );
        Self::Implement {
            should_run: true,
            agent_name: agent,
            lane,
            instructions,
            stop_after,
            forbidden_actions: FORBIDDEN.map(str::to_owned).to_vec(),
            issue,
        }
    }
}

/// What nobody does who implements an issue.
const FORBIDDEN: [&str; 3] = [
    "Merge no pull request, not even your own.",
    "Groom no other issue: leave its labels, its lane and its status as they are.",
    "Claim no second issue before this one is reported.",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_have_the_form_of_the_contract() {
        assert_eq!(
            serde_json::to_string(&Task::idle()).unwrap(),
            r#"{"type":"idle","shouldRun":false,"reason":"No work available"}"#
        );
        let issue = TaskIssue {
            repo_full_name: "acme/api".parse().unwrap(),
            number: IssueNumber(42),
            title: "t".into(),
            url: "u".into(),
        };
        let task = Task::implement("a".parse().unwrap(), Some("local".into()), issue.clone());
        let text = serde_json::to_string(&task).unwrap();
        let head = r#"{"type":"implement","shouldRun":true,"agentName":"a","lane":"local","issue":{"repoFullName":"acme/api","number":42,"title":"t","url":"u"},"instructions":"#;
        assert!(text.starts_with(head), "{text}");
        assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task);
        let without = serde_json::to_value(Task::implement("a".parse().unwrap(), None, issue)).unwrap();
        assert!(without.get("lane").is_none());
        assert_eq!(without["forbiddenActions"].as_array().map(Vec::len), Some(3));
    }
}
