//! `dispatch outbox`: what the server wants at GitHub.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    client::{Server, Target},
    show::{self, Format, text, time},
};
use crate::domain::{
    outbox::{EntryStates, Kind},
    repo::RepoName,
};

pub const MORE: &str = "\
Examples:
  dispatch outbox list --state parked     what GitHub does not take, with the reason
  dispatch outbox retry ID                the id is in `dispatch outbox list`
  dispatch outbox discard ID              it is never sent

Exit codes: 0 done, also when nothing matches; 2 error.";

/// Writes to GitHub: labels, comments, edits, new issues.
#[derive(Args)]
pub struct Outbox {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

#[derive(Subcommand)]
enum Command {
    /// List entries, oldest first.
    List {
        /// Only entries of this repository.
        #[arg(long, value_name = "OWNER/NAME")]
        repo: Option<RepoName>,
        /// Only these states, with commas between them: pending, settled, parked, discarded.
        #[arg(long, default_value = EntryStates::WAITING)]
        state: EntryStates,
        /// Only this kind: label, comment, edit, `create_issue`.
        #[arg(long)]
        kind: Option<Kind>,
        /// So many rows at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        limit: u16,
    },
    /// Have an entry tried again now.
    Retry {
        /// The id that `outbox list` shows.
        id: String,
    },
    /// Give an entry up: it is never sent.
    Discard {
        /// The id that `outbox list` shows.
        id: String,
    },
}

const COLUMNS: &[show::Column] = &[
    ("id", |row| text(row, "id")),
    ("asked for", |row| time(row, "createdAt")),
    ("issue", place),
    ("what", |row| text(row, "what")),
    ("state", |row| text(row, "state")),
    ("tries", |row| text(row, "attempts")),
    ("next try", |row| time(row, "nextTryAt")),
    ("error", |row| text(row, "error")),
];

fn place(row: &Value) -> String {
    match row["issueNumber"].as_i64().or_else(|| row["pullNumber"].as_i64()) {
        Some(number) => format!("{}#{number}", text(row, "repoFullName")),
        None => text(row, "repoFullName"),
    }
}

impl Outbox {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let server = self.target.open()?;
        match self.command {
            Command::List { repo, state, kind, limit } => {
                let mut query = url::form_urlencoded::Serializer::new(String::new());
                let state = state.to_string();
                query.append_pair("limit", &limit.to_string()).append_pair("state", &state);
                let filters = [("repo", repo.as_ref().map(RepoName::as_str)), ("kind", kind.map(Kind::word))];
                query.extend_pairs(filters.iter().filter_map(|(name, value)| Some((name, (*value)?))));
                let rows = server.list(&format!("/api/outbox?{}", query.finish())).await?;
                let is_filtered =
                    state != EntryStates::WAITING || filters.iter().any(|(_, value)| value.is_some());
                let empty = if is_filtered { "no entry matches" } else { "nothing is to be written" };
                show::rows(self.format, &rows, COLUMNS, empty)?;
            }
            Command::Retry { id } => {
                let row = operate(&server, &id, "retry").await?;
                let words = match text(&row, "state").as_str() {
                    "settled" => format!("sent: {}", text(&row, "what")),
                    _ if row["error"].is_null() => format!("to be sent: {}", text(&row, "what")),
                    state => format!("{state}: {}", text(&row, "error")),
                };
                show::value(self.format, &row, &words)?;
            }
            Command::Discard { id } => {
                let row = operate(&server, &id, "discard").await?;
                show::value(self.format, &row, &format!("discarded: {}", text(&row, "what")))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn operate(server: &Server, id: &str, word: &str) -> anyhow::Result<Value> {
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    server.post(&format!("/api/outbox/{id}/{word}"), &json!({}), "id").await
}
