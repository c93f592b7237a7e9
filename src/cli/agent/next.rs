//! `dispatch next`: what the agent does next.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use serde_json::Value;
use tokio::time::Instant;

use super::{IDLE, Who, shell::Output};
use crate::{
    cli::{
        client::{Polled, Server, Target},
        show::{harmless, text},
    },
    clock::{Clock, Ids},
};

/// Between two questions of `--wait`; a poll of an unchanged queue is answered without a body.
const EVERY: Duration = Duration::from_secs(2);
/// Added to it by chance, so that agents that started together do not ask together.
const SPREAD: Duration = Duration::from_millis(500);

pub const MORE: &str = "\
Asks; nothing is reserved. `dispatch claim` decides who gets the issue, and who does not asks again.

Examples:
  dispatch next --agent coder
  dispatch next --wait 60 --lane local            asks until there is a task, for a minute
  dispatch next --json | jq -r .issue.url
  task=$(dispatch next --shell) && eval \"$task\" && echo \"$TASK_TYPE $TASK_ISSUE: $TASK_TITLE\"

--shell prints TASK_TYPE (`implement`, `followup-pr`, `idle`), TASK_REPO, TASK_ISSUE (owner/name#7), TASK_TITLE, \
TASK_URL, TASK_LANE, TASK_PR (owner/name#8), TASK_PR_URL, TASK_ITEM, TASK_GENERATION, TASK_REASON, TASK_INSTRUCTIONS, \
TASK_STOP_AFTER and TASK_FORBIDDEN. The values are quoted: no title of an issue runs as a command.

Exit codes: 0 there is a task; 3 there is none now; 2 error.";

/// What an agent may ask for.
#[derive(Args)]
pub struct Asking {
    /// From this lane only, by its id or a former one.
    #[arg(long, value_name = "LANE")]
    lane: Option<String>,
    /// Without issues that were split into others.
    #[arg(long)]
    exclude_decomposed: bool,
    /// Also what other agents are at.
    #[arg(long)]
    include_claimed: bool,
    /// Also what updaters of dependencies opened.
    #[arg(long)]
    include_renovate: bool,
}

impl Asking {
    /// As a query string, with more.
    pub fn query(&self, more: &[(&str, String)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.lane.iter().map(|lane| ("lane", lane)));
        let flags = [
            ("exclude_decomposed", self.exclude_decomposed),
            ("includeClaimed", self.include_claimed),
            ("includeRenovate", self.include_renovate),
        ];
        query.extend_pairs(flags.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| (name, "true")));
        query.extend_pairs(more);
        query.finish()
    }
}

/// The next task of an agent.
#[derive(Args)]
pub struct Next {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    asking: Asking,
    /// Ask until there is a task: for so many seconds, or as long as it takes.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "4294967295")]
    wait: Option<u32>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

impl Next {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let agent = self.who.name()?;
        let path = format!("/api/agents/{agent}/next-task?{}", self.asking.query(&[]));
        let server = self.target.open()?;
        let task = ask(&server, &path, Duration::from_secs(self.wait.unwrap_or(0).into())).await?;
        let code = if is_idle(&task) { IDLE } else { 0 };
        self.output.end(&task, &words(&task), &variables(&task), code)
    }
}

fn is_idle(task: &Value) -> bool {
    task["shouldRun"] != true
}

/// Asks for a task, and again until there is one or the time is up.
async fn ask(server: &Server, path: &str, wait: Duration) -> anyhow::Result<Value> {
    let (began, ids) = (Instant::now(), Ids::new(Clock::System));
    let (mut task, mut tag) = (Value::Null, None);
    loop {
        if let Polled::New(answer, its_tag) = server.poll(path, tag.as_deref(), "shouldRun").await? {
            (task, tag) = (answer, its_tag);
        }
        let left = wait.saturating_sub(began.elapsed());
        if !is_idle(&task) || left.is_zero() {
            return Ok(task);
        }
        tokio::time::sleep(left.min(EVERY + ids.jitter(SPREAD))).await;
    }
}

/// `owner/name#7`, or nothing.
fn named(place: &Value) -> String {
    if place.is_null() {
        String::new()
    } else {
        format!("{}#{}", text(place, "repoFullName"), text(place, "number"))
    }
}

/// One line for each text of a list.
fn lines(list: &Value) -> String {
    let all: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    all.join("\n")
}

fn variables(task: &Value) -> [(&'static str, String); 14] {
    let (issue, pull, item) = (&task["issue"], &task["pullRequest"], &task["prFixItem"]);
    let repo = if issue.is_null() { text(pull, "repoFullName") } else { text(issue, "repoFullName") };
    let reason = if is_idle(task) { text(task, "reason") } else { lines(&task["reasons"]) };
    [
        ("TASK_TYPE", text(task, "type")),
        ("TASK_REPO", repo),
        ("TASK_ISSUE", named(issue)),
        ("TASK_TITLE", text(issue, "title")),
        ("TASK_URL", text(issue, "url")),
        ("TASK_LANE", text(task, "lane")),
        ("TASK_PR", named(pull)),
        ("TASK_PR_URL", text(pull, "url")),
        ("TASK_ITEM", text(item, "id")),
        ("TASK_GENERATION", text(item, "generation")),
        ("TASK_REASON", reason),
        ("TASK_INSTRUCTIONS", text(task, "instructions")),
        ("TASK_STOP_AFTER", text(task, "stopAfter")),
        ("TASK_FORBIDDEN", lines(&task["forbiddenActions"])),
    ]
}

/// The task for a person, or for a model that reads.
fn words(task: &Value) -> String {
    if is_idle(task) {
        return format!("idle: {}", harmless(&text(task, "reason")));
    }
    let (issue, pull) = (&task["issue"], &task["pullRequest"]);
    let subject = if pull.is_null() { issue } else { pull };
    let head = format!("{} {}  {}", text(task, "type"), named(subject), text(issue, "title"));
    let list = |list: &Value| {
        let all: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        all.into_iter().map(|one| format!("- {one}")).collect::<Vec<_>>()
    };
    let parts = [vec![head, text(subject, "url")], list(&task["reasons"])].concat().into_iter();
    let parts = parts.chain([text(task, "instructions"), text(task, "stopAfter")]);
    let parts = parts.chain(list(&task["forbiddenActions"]));
    let lines: Vec<String> =
        parts.filter(|part| !part.is_empty()).map(|part| harmless(part.trim_end())).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fix_of_a_pull_request_has_all_its_variables() {
        let task = json!({
            "type": "followup-pr", "shouldRun": true, "agentName": "a", "lane": "NORMAL",
            "pullRequest": { "repoFullName": "acme/api", "number": 7, "url": "https://x/pull/7" },
            "prFixItem": { "id": "i1", "generation": 3 }, "reasons": ["one", "two"],
            "instructions": "i", "stopAfter": "s", "forbiddenActions": ["x", "y", "z"],
        });
        let variables = variables(&task);
        let of = |name: &str| variables.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        let want = [
            ("TASK_TYPE", "followup-pr"),
            ("TASK_REPO", "acme/api"),
            ("TASK_ISSUE", ""),
            ("TASK_TITLE", ""),
            ("TASK_PR", "acme/api#7"),
            ("TASK_PR_URL", "https://x/pull/7"),
            ("TASK_ITEM", "i1"),
            ("TASK_GENERATION", "3"),
            ("TASK_REASON", "one\ntwo"),
            ("TASK_FORBIDDEN", "x\ny\nz"),
        ];
        for (name, value) in want {
            assert_eq!(of(name), value, "{name}");
        }
        assert_eq!(
            words(&task),
            "followup-pr acme/api#7\nhttps://x/pull/7\n- one\n- two\ni\ns\n- x\n- y\n- z"
        );
        assert!(variables.iter().all(|(name, _)| MORE.contains(name)), "the help names them all");
    }

    #[test]
    fn idleness_empties_every_variable_of_the_task_before() {
        let task = json!({ "type": "idle", "shouldRun": false, "reason": "No work available" });
        let variables = variables(&task);
        let filled: Vec<_> = variables.iter().filter(|(_, value)| !value.is_empty()).collect();
        assert_eq!(filled.len(), 2, "{filled:?}");
        assert_eq!(words(&task), "idle: No work available");
    }
}
