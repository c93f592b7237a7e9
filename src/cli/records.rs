//! `dispatch runs`: the record of what agents did.

use std::process::ExitCode;

use clap::Args;

use super::{
    client::Target,
    show::{self, Format, text, time},
};
use crate::domain::ids::AgentName;

pub const MORE_OF_RUNS: &str = "\
Examples:
  dispatch runs --agent coder --status error
  dispatch runs --type heartbeat --limit 10 --json

Exit codes: 0 done, also when nothing matches; 2 error.";

/// Runs of agents, newest first.
#[derive(Args)]
pub struct Runs {
    /// Only this agent's.
    #[arg(long)]
    agent: Option<AgentName>,
    /// Only this type, such as `heartbeat`.
    #[arg(long = "type", value_name = "TYPE")]
    run_type: Option<String>,
    /// Only this status: ok, warning, error, running, or what an agent reported.
    #[arg(long)]
    status: Option<String>,
    /// So many rows at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

/// A query string; filters that are not given are left out.
pub fn query(limit: u16, filters: &[(&str, Option<&str>)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    for (name, value) in filters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

impl Runs {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let filters = [
            ("agent", self.agent.as_ref().map(AgentName::as_str)),
            ("runType", self.run_type.as_deref()),
            ("status", self.status.as_deref()),
        ];
        let path = format!("/api/agent-runs?{}", query(self.limit, &filters));
        let rows = self.target.open()?.list(&path).await?;
        let columns: &[show::Column] = &[
            ("started", |row| time(row, "startedAt")),
            ("agent", |row| text(row, "agentName")),
            ("type", |row| text(row, "runType")),
            ("status", |row| text(row, "status")),
            ("summary", |row| first_of(&text(row, "errorMessage"), &text(row, "summary"))),
        ];
        let is_filtered = filters.iter().any(|(_, value)| value.is_some());
        let empty = if is_filtered {
            "no run matches"
        } else {
            "no runs yet; `dispatch heartbeat AGENT` makes the first"
        };
        show::rows(self.format, &rows, columns, empty)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The one text, or the other where it is empty.
pub fn first_of(one: &str, other: &str) -> String {
    if one.is_empty() { other.to_owned() } else { one.to_owned() }
}
