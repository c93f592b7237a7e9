//! `dispatch checkpoint`: how far the agent is; that renews its claim.

use std::process::ExitCode;

use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Shown, Who, add, not_yours};
use crate::{
    cli::{
        client::Target,
        show::{self, Format, harmless, text, time},
    },
    domain::claim::Checkpoint,
};

pub const MORE: &str = "\
Renews the claim. Without --claim it is about what the agent worked on last. `done` ends the claim and leaves the labels.

Examples:
  dispatch checkpoint branch-created --agent coder --branch fix-7
  dispatch checkpoint tests-running --claim \"$CLAIM_ID\" --summary 'unit tests pass'
  dispatch checkpoint blocked --reason 'the API key is missing'

Exit codes: 0 noted, and the claim is renewed; 4 the claim is lost, or there is none: stop working; 2 error.";

/// The kinds, and the words of both vocabularies that mean them.
const KINDS: [(&str, &[&str], Checkpoint); 9] = [
    ("claimed", &["issue_claimed", "issue-claimed", "in_progress", "in-progress"], Checkpoint::IssueClaimed),
    ("repo-prepared", &["repo_prepared"], Checkpoint::RepoPrepared),
    ("branch-created", &["branch_created"], Checkpoint::BranchCreated),
    ("changes-made", &["changes_made"], Checkpoint::ChangesMade),
    ("tests-running", &["tests_running"], Checkpoint::TestsRunning),
    ("pr-opened", &["pr_opened"], Checkpoint::PrOpened),
    ("feedback-received", &["feedback_received"], Checkpoint::FeedbackReceived),
    ("done", &["work_complete", "work-complete", "complete", "completed"], Checkpoint::WorkComplete),
    ("blocked", &["stuck"], Checkpoint::Blocked),
];

/// How far an agent is.
#[derive(Args)]
pub struct Say {
    /// What was reached.
    #[arg(ignore_case = true, value_parser = kinds())]
    kind: String,
    #[command(flatten)]
    who: Who,
    /// What there is to say about it.
    #[arg(long, value_name = "TEXT")]
    summary: Option<String>,
    /// What the work waits for; with `blocked`.
    #[arg(long, value_name = "TEXT", required_if_eq("kind", "blocked"))]
    reason: Option<String>,
    /// The branch that is worked on.
    #[arg(long)]
    branch: Option<String>,
    /// Address of the pull request.
    #[arg(long, value_name = "URL")]
    pr_url: Option<String>,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

fn kinds() -> impl clap::builder::TypedValueParser<Value = String> {
    let values = KINDS.map(|(kind, others, _)| PossibleValue::new(kind).aliases(others.iter().copied()));
    PossibleValuesParser::new(values).map(|word| word)
}

impl Say {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let agent = self.who.name()?;
        let mut body = json!({ "agentName": agent.as_str(), "checkpoint": self.kind });
        add(&mut body, "summary", self.summary.as_deref());
        add(&mut body, "blockerReason", self.reason.as_deref());
        add(&mut body, "branch", self.branch.as_deref());
        add(&mut body, "prUrl", self.pr_url.as_deref());
        self.shown.add_to(&mut body);
        let server = self.target.open()?;
        let answer = server.send(Method::POST, "/api/agent-work/checkpoint", Some(&body)).await?;
        let has_none = matches!(answer.status, StatusCode::CONFLICT | StatusCode::NOT_FOUND);
        if has_none && answer.body["error"].is_string() {
            return not_yours(self.format, &answer.body);
        }
        if !answer.status.is_success() {
            return Err(server.refusal(&answer));
        }
        let work = answer.body;
        if !work["checkpoint"].is_string() {
            return Err(server.stranger(answer.status));
        }
        let until = time(&work, "expiresAt");
        let until =
            if until.is_empty() { "; the claim has ended".to_owned() } else { format!(", until {until}") };
        let words = format!("{agent} is at {}{until}", text(&work, "checkpoint"));
        show::value(self.format, &work, &harmless(&words))?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_its_checkpoint_to_the_server() {
        for (kind, others, checkpoint) in KINDS {
            for word in [&[kind], others].concat() {
                assert_eq!(Checkpoint::written(word), Some(checkpoint), "{word}");
            }
        }
        for name in Checkpoint::WORK_NAMES.split(", ") {
            let known = KINDS.iter().any(|(kind, others, _)| {
                [&[*kind], *others].concat().iter().any(|word| word.eq_ignore_ascii_case(name))
            });
            assert!(known, "{name}");
        }
    }
}
