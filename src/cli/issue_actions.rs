//! What operators do to issues by the command line: `dispatch move`, `label`, `unlabel`, `comment`, `assign`, `unassign`,
//! `groom`.

use std::{io::Read as _, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::{
    agent::Reference,
    client::Target,
    show::{self, Format, text},
};
use crate::domain::{
    grooming::GroomAction,
    ids::AgentName,
    labels::{AGENT_PREFIX, OWNER_PREFIX, Status, agent_label},
};

pub const MORE_OF_MOVE: &str = "\
Examples:
  dispatch move octocat/hello-world#7 in-review    any column may follow any
  dispatch move octocat/hello-world#7 done         ends the claim on it

Exit codes: 0 done, also when the issue was there already; 2 error.";

pub const MORE_OF_LABEL: &str = "\
Examples:
  dispatch label octocat/hello-world#7 type/bug
  dispatch label octocat/hello-world#7 \"good first issue\"

Exit codes: 0 done, also when it has the label already; 2 error.";

pub const MORE_OF_UNLABEL: &str = "\
Examples:
  dispatch unlabel octocat/hello-world#7 type/bug

Exit codes: 0 done, also when it has no such label; 2 error.";

pub const MORE_OF_COMMENT: &str = "\
Examples:
  dispatch comment octocat/hello-world#7 \"Which version is this about?\"
  dispatch comment octocat/hello-world#7 - < answer.md

Exit codes: 0 done, also when GitHub gets it later; 2 error.";

pub const MORE_OF_ASSIGN: &str = "\
Examples:
  dispatch assign octocat/hello-world#7 coder          its label becomes agent/coder
  dispatch assign octocat/hello-world#7 ann --owner    its label becomes owner/ann

Exit codes: 0 done; 2 error.";

pub const MORE_OF_UNASSIGN: &str = "\
Examples:
  dispatch unassign octocat/hello-world#7
  dispatch unassign octocat/hello-world#7 --owner

Exit codes: 0 done; 2 error, also when it was nobody's.";

pub const MORE_OF_GROOM: &str = "\
Examples:
  dispatch groom octocat/hello-world#7 promote_to_ready --summary \"Clear, and small\"
  dispatch groom octocat/hello-world#7 mark_needs_info --reason \"Which version?\"

Exit codes: 0 done; 2 error.";

/// Who does it, where, and how it is shown.
#[derive(Args)]
struct Doing {
    /// Who is named in the audit log.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

/// Moves a card of the board.
#[derive(Args)]
pub struct Move {
    /// The issue, as owner/name#7 or the address of its page.
    #[arg(value_name = "ISSUE")]
    issue: Reference,
    /// The column: backlog, ready, in-progress, in-review, blocked, done.
    #[arg(value_parser = status)]
    status: Status,
    #[command(flatten)]
    doing: Doing,
}

fn status(text: &str) -> Result<Status, String> {
    let found = Status::ALL.into_iter().find(|status| status.word() == text);
    found.ok_or_else(|| format!("one of {}", Status::ALL.map(Status::word).join(", ")))
}

/// Adds a label to an issue.
#[derive(Args)]
pub struct Label {
    /// The issue, as owner/name#7 or the address of its page.
    #[arg(value_name = "ISSUE")]
    issue: Reference,
    /// The label; GitHub makes one that is new.
    #[arg(value_name = "LABEL")]
    name: String,
    #[command(flatten)]
    doing: Doing,
}

/// Removes a label from an issue.
#[derive(Args)]
pub struct Unlabel {
    /// The issue, as owner/name#7 or the address of its page.
    #[arg(value_name = "ISSUE")]
    issue: Reference,
    /// The label.
    label: String,
    #[command(flatten)]
    doing: Doing,
}

/// Comments on an issue.
#[derive(Args)]
pub struct Comment {
    /// The issue, as owner/name#7 or the address of its page.
    #[arg(value_name = "ISSUE")]
    issue: Reference,
    /// The text, in Markdown; `-` reads it from standard input.
    text: String,
    #[command(flatten)]
    doing: Doing,
}

/// Assigns an issue to an agent or to a person.
#[derive(Args)]
pub struct Assign {
    /// The issue, as owner/name#7 or the address of its page.
    #[arg(value_name = "ISSUE")]
    issue: Reference,
    /// Whose it is to be, in place of whoever has it.
    name: String,
    /// It is a person's name.
    #[arg(long)]
    owner: bool,
    #[command(flatten)]
    doing: Doing,
}

/// Takes an issue from whoever it is assigned to.
#[derive(Args)]
pub struct Unassign {
    /// The issue, as owner/name#7 or the address of its page.
    #[arg(value_name = "ISSUE")]
    issue: Reference,
    /// From its owner, instead of its agent.
    #[arg(long)]
    owner: bool,
    #[command(flatten)]
    doing: Doing,
}

/// Records what grooming an issue came to.
#[derive(Args)]
pub struct Groom {
    /// The issue, as owner/name#7 or the address of its page.
    #[arg(value_name = "ISSUE")]
    issue: Reference,
    /// What it came to: `promote_to_ready`, `escalate`, `mark_not_ready`, `mark_needs_info`, `mark_blocked`.
    action: GroomAction,
    /// Why; the last three want it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// What was found.
    #[arg(long, value_name = "TEXT")]
    summary: Option<String>,
    #[command(flatten)]
    doing: Doing,
}

impl Move {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let more = json!({ "oldLabels": [], "newLabels": [self.status.label()] });
        let words = format!("{} is {} now", self.issue, self.status.word());
        self.doing.act(&self.issue, "move", more, "labels", |_| words).await
    }
}

impl Label {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let words = |answer: &Value| format!("{}: {}", self.issue, labels(answer));
        self.doing.act(&self.issue, "label", json!({ "label": self.name }), "labels", words).await
    }
}

impl Unlabel {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let words = |answer: &Value| format!("{}: {}", self.issue, labels(answer));
        self.doing.act(&self.issue, "unlabel", json!({ "label": self.label }), "labels", words).await
    }
}

impl Comment {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut body = self.text;
        if body == "-" {
            body.clear();
            std::io::stdin().read_to_string(&mut body).context("standard input cannot be read as text")?;
        }
        let words = |answer: &Value| match text(answer, "url").as_str() {
            "" => format!("recorded, and {}: dispatch outbox list", text(answer, "state")),
            url => url.to_owned(),
        };
        self.doing.act(&self.issue, "comment", json!({ "body": body }), "outboxId", words).await
    }
}

impl Assign {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (action, value) = if self.owner {
            ("assign_owner", format!("{OWNER_PREFIX}{}", self.name))
        } else {
            let agent: AgentName = self.name.parse()?;
            ("assign_agent", agent_label(&agent))
        };
        let words = format!("{} is assigned: {value}", self.issue);
        let more = json!({ "action": action, "value": value });
        self.doing.act(&self.issue, "actions", more, "labels", |_| words).await
    }
}

impl Unassign {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (action, prefix) =
            if self.owner { ("unassign_owner", OWNER_PREFIX) } else { ("unassign_agent", AGENT_PREFIX) };
        let words = format!("{} has no {prefix}* label any more", self.issue);
        self.doing.act(&self.issue, "unassign", json!({ "action": action }), "removed", |_| words).await
    }
}

impl Groom {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut more = json!({ "action": self.action.word(), "groomingSummary": self.summary });
        if let Some(field) = self.action.reason_field() {
            more[field] = self.reason.into();
        }
        if self.doing.by.is_none() {
            more["actor"] = "operator".into();
        }
        let words = format!("{}: {}", self.issue, self.action.word());
        self.doing.act(&self.issue, "groom", more, "groomedAt", |_| words).await
    }
}

impl Doing {
    /// Finds the issue, does something to it, and prints the answer, which has `field`.
    async fn act(
        &self,
        issue: &Reference,
        path: &str,
        mut body: Value,
        field: &str,
        words: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<ExitCode> {
        let server = self.target.open()?;
        let state = format!("/api/issues/state?repo={}&number={}", issue.repo, issue.number);
        body["issueId"] = server.get(&state, "issueId").await?["issueId"].take();
        body["repoFullName"] = issue.repo.as_str().into();
        body["issueNumber"] = issue.number.into();
        if let Some(by) = &self.by {
            body["actor"] = by.as_str().into();
        }
        let answer = server.post(&format!("/api/issues/{path}"), &body, field).await?;
        show::value(self.format, &answer, &words(&answer))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn labels(answer: &Value) -> String {
    let labels = answer["labels"].as_array().into_iter().flatten().filter_map(Value::as_str);
    labels.collect::<Vec<_>>().join(", ")
}
