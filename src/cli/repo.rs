//! `dispatch repo`: what the server tracks.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    client::{Server, Target},
    show::{self, Format, text, time},
};
use crate::domain::repo::RepoName;

pub const MORE: &str = "\
Examples:
  dispatch repo add octocat/hello-world
  dispatch repo sync octocat/hello-world --sweep
  dispatch repo list --json

Exit codes: 0 done; 2 error, and for `sync` also when a repository could not be read (the table says which).";

/// Tracked repositories of a server.
#[derive(Args)]
pub struct Repo {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

#[derive(Subcommand)]
enum Command {
    /// Track a repository.
    Add {
        /// The repository, as owner/name.
        #[arg(value_name = "OWNER/NAME")]
        repository: RepoName,
    },
    /// Stop tracking a repository; its issues leave every list.
    Remove {
        /// The repository, as owner/name.
        #[arg(value_name = "OWNER/NAME")]
        repository: RepoName,
    },
    /// List the tracked repositories.
    List,
    /// Read repositories from GitHub now: one, or all.
    Sync {
        /// The repository, as owner/name; without it: all.
        #[arg(value_name = "OWNER/NAME")]
        repository: Option<RepoName>,
        /// Read every open issue anew, to find what vanished unseen.
        #[arg(long)]
        sweep: bool,
    },
}

impl Repo {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let server = self.target.open()?;
        match self.command {
            Command::Add { repository } => {
                let body = json!({ "fullName": repository.as_str() });
                let row = server.post("/api/automation/repos", &body, "fullName").await?;
                show::value(
                    self.format,
                    &row,
                    &format!("tracking {repository}; its next read fills the cache"),
                )?;
            }
            Command::Remove { repository } => {
                let answer = server.delete(&format!("/api/automation/repos/{repository}"), "success").await?;
                show::value(self.format, &answer, &format!("no longer tracking {repository}"))?;
            }
            Command::List => {
                let rows = server.list("/api/automation/repos").await?;
                let empty = "no repository is tracked; add one with `dispatch repo add owner/name`";
                show::rows(self.format, &rows, COLUMNS, empty)?;
            }
            Command::Sync { repository, sweep } => {
                return sync(&server, self.format, repository, sweep).await;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

const COLUMNS: &[show::Column] = &[
    ("repository", |row| text(row, "fullName")),
    ("branch", |row| text(row, "defaultBranch")),
    ("open PRs", |row| text(row, "openPRCount")),
    ("confirmed", |row| time(row, "lastSyncedAt")),
    ("last error", |row| text(row, "syncError")),
];

async fn sync(
    server: &Server,
    format: Format,
    repo: Option<RepoName>,
    sweep: bool,
) -> anyhow::Result<ExitCode> {
    let mut body = json!({ "sweep": sweep });
    if let Some(repo) = repo {
        body["repoFullName"] = repo.as_str().into();
    }
    let progress = super::progress::spinner("reading from GitHub");
    let answer = server.post("/api/sync", &body, "results").await;
    progress.finish_and_clear();
    let answer = answer?;
    if format.json {
        show::json(&answer)?;
    } else {
        let columns: &[show::Column] = &[
            ("repository", |row| text(row, "repo")),
            ("open issues current", |row| text(row, "synced")),
            ("error", |row| text(row, "error")),
        ];
        let empty = "no repository is tracked; add one with `dispatch repo add owner/name`";
        show::rows(format, &answer["results"], columns, empty)?;
    }
    Ok(if answer["success"] == Value::Bool(true) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
