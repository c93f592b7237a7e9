//! `dispatch queue` and `dispatch why`: what an agent is served, and why an issue is or is not.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{Who, find, next::Asking, reference::Reference};
use crate::cli::{
    client::Target,
    show::{self, Format, harmless, text},
};

pub const MORE_OF_QUEUE: &str = "\
Examples:
  dispatch queue --agent coder
  dispatch queue --lane local --limit 5
  dispatch queue --include-claimed --json | jq -r '.[].url'

Exit codes: 0 done, also when the queue is empty; 2 error.";

pub const MORE_OF_WHY: &str = "\
Examples:
  dispatch why acme/api#7 --agent coder
  dispatch why acme/api#7 --lane local --json | jq -r '.reasons[].code'

Exit codes: 0 explained, whether it is served or not; 2 error.";

/// What an agent is served, first things first.
#[derive(Args)]
pub struct Queue {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    asking: Asking,
    /// So many rows at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

/// Why an issue is in the queue, or is not.
#[derive(Args)]
pub struct Why {
    /// The issue, as owner/name#number or the address of its page.
    #[arg(value_name = "OWNER/NAME#NUMBER")]
    issue: Reference,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

impl Queue {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let agent = self.who.name()?;
        let query = self.asking.query(&[("limit", self.limit.to_string())]);
        let rows = self.target.open()?.list(&format!("/api/agents/{agent}/queue?{query}")).await?;
        let columns: &[show::Column] = &[
            ("what", what),
            ("lane", |row| text(row, "lane")),
            ("title", |row| text(row, "title")),
            ("why here", |row| text(row, "rankingReason")),
        ];
        let empty =
            format!("nothing is served to {agent}; `dispatch why owner/name#7` says what keeps an issue out");
        show::rows(self.format, &rows, columns, &empty)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Issues and fixes of pull requests name their place in different fields.
fn what(row: &Value) -> String {
    if row["pr"].is_null() {
        format!("{}#{}", text(row, "repoFullName"), text(row, "number"))
    } else {
        format!("{}#{}, a pull request", text(row, "repo"), text(row, "pr"))
    }
}

impl Why {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let agent = self.who.name()?;
        let server = self.target.open()?;
        let issue = find(&server, &self.issue, &agent).await?;
        let query = self.asking.query(&[("agent", agent.to_string())]);
        let why =
            server.get(&format!("/api/issues/{}/why?{query}", text(&issue, "issueId")), "reasons").await?;
        if self.format.json {
            show::json(&why)?;
            return Ok(ExitCode::SUCCESS);
        }
        let lane = text(&why, "lane");
        if why["served"] == true {
            let place = text(&why, "place");
            let place = if place.is_empty() {
                "behind the first thousand".to_owned()
            } else {
                format!("at place {place}")
            };
            let words = format!(
                "{} is in {agent}'s queue, {place}, in the lane {lane}: {}",
                self.issue,
                text(&why, "rankingReason")
            );
            show::line(&harmless(&words))?;
            if why["claimable"] != true {
                show::line("but it does not come as the next task")?;
            }
        } else {
            show::line(&harmless(&format!("{} is not served to {agent} (lane {lane}):", self.issue)))?;
        }
        if why["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()) {
            let columns: &[show::Column] =
                &[("rule", |row| text(row, "code")), ("because", |row| text(row, "message"))];
            show::rows(self.format, &why["reasons"], columns, "")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
