//! What an agent is told to do next (`contract/agents.md` 3.1).

use serde::{Deserialize, Serialize};

use super::{
    ids::{AgentName, IssueNumber},
    pr_fix::{FixLane, Item},
    repo::RepoName,
    report::Attempt,
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
    /// Another attempt at a pull request that is there.
    #[serde(rename_all = "camelCase")]
    FollowupPr {
        should_run: bool,
        agent_name: AgentName,
        lane: FixLane,
        /// Where the work came from, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = TaskSource, required = false)]
        issue: Option<TaskSource>,
        pull_request: TaskPull,
        /// Names this attempt: to be shown in the report.
        pr_fix_item: Attempt,
        reasons: Vec<String>,
        instructions: String,
        stop_after: String,
        forbidden_actions: Vec<String>,
    },
}

/// The issue behind a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskSource {
    /// In lower case.
    pub repo_full_name: RepoName,
    pub number: IssueNumber,
}

/// A pull request as a task names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskPull {
    /// In lower case.
    pub repo_full_name: RepoName,
    pub number: IssueNumber,
    /// The pull request's page at GitHub, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub url: Option<String>,
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
        Self::Idle { should_run: false, reason: NO_WORK.to_owned() }
    }

    /// Nothing to do, as so many issues wait for their pull requests.
    pub fn idle_behind(deferred: usize) -> Self {
        if deferred == 0 {
            return Self::idle();
        }
        let issues = if deferred == 1 { "issue" } else { "issues" };
        let note =
            format!("{deferred} ready {issues} deferred: linked PR follow-up is owned by the PR-fix queue");
        Self::Idle { should_run: false, reason: format!("{NO_WORK} ({note})") }
    }

    /// A pull request that needs another attempt, with what was said of it.
    pub fn followup_pr(agent: AgentName, item: &Item, feedback: &[String]) -> Self {
        let mut reasons: Vec<String> = Vec::new();
        for text in std::iter::once(&item.reason).chain(feedback) {
            if !text.trim().is_empty() && !reasons.contains(text) {
                reasons.push(text.clone());
            }
        }
        let pull = item.pull_request();
        let instructions = format!(
            "Check out the branch of the open pull request {pull} and mend what the reasons say: resolve conflicts, make \
             the checks pass, answer the reviews. Run the project's own tests and push to that same branch. Beat \
             (POST /api/agents/{agent}/heartbeat) while you work: without a sign of life the attempt goes to another."
        );
        let stop_after = format!(
            "Stop as soon as {pull} is updated, and report what came of it with this prFixItem, also when nothing had to be \
             done or nothing could be."
        );
        let repo_full_name = item.repo.clone();
        Self::FollowupPr {
            should_run: true,
            agent_name: agent,
            lane: item.lane,
            issue: item.issue.map(|number| TaskSource { repo_full_name: repo_full_name.clone(), number }),
            pull_request: TaskPull { repo_full_name, number: item.pr, url: item.url.clone() },
            pr_fix_item: Attempt { id: item.id.0.clone(), generation: item.generation.0 },
            reasons,
            instructions,
            stop_after,
            forbidden_actions: FORBIDDEN_IN_FOLLOWUPS.map(str::to_owned).to_vec(),
        }
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

const NO_WORK: &str = "No work available";

/// What nobody does who mends a pull request.
const FORBIDDEN_IN_FOLLOWUPS: [&str; 3] = [
    "Merge no pull request, this one least of all.",
    "Open no other pull request: push to the branch of this one.",
    "Claim no issue before this attempt is reported.",
];

/// What nobody does who implements an issue.
const FORBIDDEN: [&str; 3] = [
    "Merge no pull request, not even your own.",
    "Groom no other issue: leave its labels, its lane and its status as they are.",
    "Claim no second issue before this one is reported.",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pr_fix::tests::held;

    #[test]
    fn another_attempt_has_the_form_of_the_contract() {
        let item = Item { issue: Some(IssueNumber(3)), ..held() };
        let feedback = ["red", "mend it", " ", "mend it"].map(str::to_owned);
        let task = Task::followup_pr("a".parse().unwrap(), &item, &feedback);
        let text = serde_json::to_string(&task).unwrap();
        let head = r#"{"type":"followup-pr","shouldRun":true,"agentName":"a","lane":"NORMAL","issue":{"repoFullName":"acme/api","number":3},"pullRequest":{"repoFullName":"acme/api","number":7},"prFixItem":{"id":"i","generation":1},"reasons":["red","mend it"],"instructions":"#;
        assert!(text.starts_with(head), "{text}");
        assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task);
        let alone = Item { url: Some("u".into()), ..held() };
        let value = serde_json::to_value(Task::followup_pr("a".parse().unwrap(), &alone, &[])).unwrap();
        assert_eq!((value.get("issue"), &value["pullRequest"]["url"]), (None, &"u".into()));
        assert_eq!(value["forbiddenActions"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn what_is_held_back_is_counted() {
        let reason = |deferred| serde_json::to_value(Task::idle_behind(deferred)).unwrap()["reason"].clone();
        assert_eq!(reason(0), "No work available");
        let rest = "deferred: linked PR follow-up is owned by the PR-fix queue)";
        assert_eq!(reason(1), format!("No work available (1 ready issue {rest}"));
        assert_eq!(reason(2), format!("No work available (2 ready issues {rest}"));
    }

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
