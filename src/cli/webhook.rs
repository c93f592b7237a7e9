//! `dispatch webhook`: how repositories tell the server what changes.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    client::{Server, Target},
    show::{self, Format, text, time},
};
use crate::domain::repo::RepoName;

pub const MORE: &str = "\
The server asks GitHub with its own credentials (a token needs the permission Webhooks, read and write; a classic one \
the scope admin:repo_hook) and gives the webhook its own WEBHOOK_SECRET, which is never shown.

Examples:
  dispatch webhook add octocat/hello-world --address https://dispatch.example.com
  dispatch webhook status octocat/hello-world
  dispatch webhook remove octocat/hello-world

Exit codes: 0 done; 2 error, as when GitHub does not let the server's credentials use webhooks.";

/// Webhooks of repositories, on GitHub.
#[derive(Args)]
pub struct Webhook {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

#[derive(Subcommand)]
enum Command {
    /// Add the webhook of a repository, or make the one that is there what it should be.
    Add {
        /// The repository, as owner/name.
        #[arg(value_name = "OWNER/NAME")]
        repository: RepoName,
        /// Address of the server as GitHub reaches it; its receiver is found below it.
        #[arg(long, value_name = "URL")]
        address: String,
    },
    /// Tell whether a repository is listened to, and what keeps it from that.
    Status {
        /// The repository, as owner/name.
        #[arg(value_name = "OWNER/NAME")]
        repository: RepoName,
    },
    /// Remove the webhook of a repository that is known to lead here.
    Remove {
        /// The repository, as owner/name.
        #[arg(value_name = "OWNER/NAME")]
        repository: RepoName,
    },
}

impl Webhook {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let server = self.target.open()?;
        match self.command {
            Command::Add { repository, address } => {
                let added = server.post(&place(&repository), &json!({ "url": address }), "hook").await?;
                let word =
                    if added["created"] == Value::Bool(true) { "made" } else { "there, and up to date" };
                let words = format!(
                    "the webhook of {repository} is {word}: {}\nGitHub pings it now; `dispatch webhook status {repository}` tells whether that came",
                    text(&added["hook"], "url")
                );
                show::value(self.format, &added, &words)?;
            }
            Command::Status { repository } => status(&server, self.format, &repository).await?,
            Command::Remove { repository } => {
                let removed = server.delete(&place(&repository), "removed").await?;
                show::value(self.format, &removed, &format!("the webhook of {repository} is removed"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn place(repo: &RepoName) -> String {
    format!("/api/webhooks/{repo}")
}

const COLUMNS: &[show::Column] = &[
    ("repository", |row| text(row, "repoFullName")),
    ("webhook", address),
    ("last heard", |row| time(row, "heardAt")),
    ("alive", |row| if row["alive"] == Value::Bool(true) { "yes" } else { "no" }.to_owned()),
    ("missed in a day", |row| text(row, "missed")),
    ("waited for", |row| text(row, "waiting")),
    ("problem", problem),
];

async fn status(server: &Server, format: Format, repo: &RepoName) -> anyhow::Result<()> {
    let status = server.get(&place(repo), "received").await?;
    if format.json {
        return show::json(&status);
    }
    show::rows(format, &json!([status]), COLUMNS, "")
}

fn address(row: &Value) -> String {
    match (&row["hook"], &row["byApp"]) {
        (Value::Object(_), _) => text(&row["hook"], "url"),
        (_, Value::Bool(true)) => "the App's".to_owned(),
        _ => "none is known".to_owned(),
    }
}

fn problem(row: &Value) -> String {
    if row["received"] == Value::Bool(false) {
        return "the server receives none; set WEBHOOK_SECRET".to_owned();
    }
    if row["hook"]["json"] == Value::Bool(false) {
        return "it delivers forms; set its content type to application/json".to_owned();
    }
    if row["hook"]["active"] == Value::Bool(false) {
        return "it is switched off on GitHub".to_owned();
    }
    text(row, "problem")
}
