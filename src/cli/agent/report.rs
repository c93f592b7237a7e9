//! `dispatch report`: what came of a task.

use std::process::ExitCode;

use anyhow::bail;
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use serde_json::{Value, json};

use super::{Who, add, reference::Reference};
use crate::{
    cli::{
        client::Target,
        show::{self, Format, harmless, text},
    },
    clock::{Clock, Ids},
    domain::report::{TaskOutcome, TaskType},
};

pub const MORE: &str = "\
A report is a run on record; no claim and no label changes by it. With --key the same report sent again is recorded once; without \
it this command makes a key of its own, for when the answer gets lost and it sends the report again.

Examples:
  dispatch report pr_opened --issue acme/api#7 --pr https://github.com/acme/api/pull/8 --key \"$CLAIM_ID\"
  dispatch report failed --issue acme/api#7 --error 'the tests do not compile'
  dispatch report pr_updated --pr \"$TASK_PR\" --item \"$TASK_ITEM\" --generation \"$TASK_GENERATION\" --summary 'rebased'

Exit codes: 0 recorded, or it was before; 2 error, also when the key belongs to another report.";

/// What an agent reports.
#[derive(Args)]
pub struct Report {
    /// What came of the task.
    #[arg(ignore_case = true, value_parser = outcomes())]
    outcome: String,
    #[command(flatten)]
    who: Who,
    /// The issue, as owner/name#number or the address of its page.
    #[arg(long, value_name = "OWNER/NAME#NUMBER", required_unless_present = "pr")]
    issue: Option<Reference>,
    /// The pull request, as owner/name#number or the address of its page.
    #[arg(long, value_name = "OWNER/NAME#NUMBER")]
    pr: Option<Reference>,
    /// The fix of a pull request that the task was about: the id of its `prFixItem`.
    #[arg(long, value_name = "ID", requires_all = ["generation", "pr"])]
    item: Option<String>,
    /// Its generation.
    #[arg(long, value_name = "NUMBER", requires = "item", value_parser = clap::value_parser!(i64).range(1..))]
    generation: Option<i64>,
    /// What kind of task it was; `followup-pr` with --item, else `implement`.
    #[arg(long = "type", value_name = "TYPE", value_parser = PossibleValuesParser::new(TaskType::ALL.map(TaskType::as_str)))]
    task_type: Option<String>,
    /// What was done.
    #[arg(long, value_name = "TEXT")]
    summary: Option<String>,
    /// What went wrong.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Why nothing had to be done; with `already_addressed`.
    #[arg(long, value_name = "TEXT")]
    evidence: Option<String>,
    /// When the task began, as 2026-01-31T12:00:00Z; it counts within 24 hours.
    #[arg(long, value_name = "TIME")]
    started_at: Option<String>,
    /// Names this report; a claim's id is a good one.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

/// The contract's words, in any case.
fn outcomes() -> impl clap::builder::TypedValueParser<Value = String> {
    PossibleValuesParser::new(TaskOutcome::ALL.map(TaskOutcome::as_str)).map(|word| word.to_lowercase())
}

impl Report {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let body = self.body()?;
        let agent = self.who.name()?;
        let server = self.target.open()?;
        let answer = server.insist(&format!("/api/agents/{agent}/tasks/report"), &body).await?;
        if !answer.status.is_success() {
            return Err(server.refusal(&answer));
        }
        let told = answer.body;
        if !told["agentRunId"].is_string() {
            return Err(server.stranger(answer.status));
        }
        let before = if told["duplicate"] == true { " before" } else { "" };
        let fix = &told["prFixResolution"];
        let fix = match text(fix, "action").as_str() {
            "" | "none" => String::new(),
            action => format!("; the pull request's fix: {action} {}", text(fix, "reason")),
        };
        let words = format!("recorded{before} as run {}{fix}", text(&told, "agentRunId"));
        show::value(self.format, &told, &harmless(words.trim_end()))?;
        Ok(ExitCode::SUCCESS)
    }

    fn body(&self) -> anyhow::Result<Value> {
        if let (Some(issue), Some(pr)) = (&self.issue, &self.pr)
            && issue.repo != pr.repo
        {
            bail!("--issue is of {} and --pr of {}; a report is about one repository", issue.repo, pr.repo);
        }
        let usual = if self.item.is_some() { TaskType::FollowupPr } else { TaskType::Implement };
        let task_type = self.task_type.as_deref().unwrap_or(usual.as_str());
        let mut body = json!({ "taskType": task_type, "outcome": self.outcome });
        if let Some(either) = self.issue.as_ref().or(self.pr.as_ref()) {
            body["repoFullName"] = either.repo.as_str().into();
        }
        if let Some(issue) = &self.issue {
            body["issueNumber"] = issue.number.into();
        }
        if let Some(pr) = &self.pr {
            body["pullRequestNumber"] = pr.number.into();
            add(&mut body, "pullRequestUrl", pr.url.as_deref());
        }
        if let (Some(id), Some(generation)) = (&self.item, self.generation) {
            body["prFixItem"] = json!({ "id": id, "generation": generation });
        }
        add(&mut body, "summary", self.summary.as_deref());
        add(&mut body, "error", self.error.as_deref());
        add(&mut body, "evidence", self.evidence.as_deref());
        add(&mut body, "startedAt", self.started_at.as_deref());
        body["idempotencyKey"] = self.key.clone().unwrap_or_else(|| Ids::new(Clock::System).next()).into();
        Ok(body)
    }
}
