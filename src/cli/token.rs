//! `dispatch token`: credentials of a server.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    client::Target,
    show::{self, Format, text, time},
};
use crate::domain::ids::AgentName;

pub const MORE: &str = "\
Examples:
  dispatch token create --agent coder    a worker's token: it acts for coder only
  dispatch token create --name laptop    a maintainer's token
  dispatch token revoke ID               the id is in `dispatch token list`

A new token is printed once, to standard output; the server keeps its SHA-256 only.
Exit codes: 0 done; 2 error.";

/// Tokens that the server made; those of its environment are not listed.
#[derive(Args)]
pub struct Token {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

#[derive(Subcommand)]
enum Command {
    /// Make a token; it is shown once.
    Create {
        /// Bind it to this agent: it acts for that agent only. Without: a maintainer's token.
        #[arg(long)]
        agent: Option<AgentName>,
        /// A name to recognise it by.
        #[arg(long)]
        name: Option<String>,
    },
    /// List the tokens, without the tokens themselves.
    List,
    /// Revoke a token by its id: the next request that shows it is refused.
    Revoke {
        /// The id that `token list` shows.
        id: String,
    },
}

impl Token {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let server = self.target.open()?;
        match self.command {
            Command::Create { agent, name } => {
                let body = json!({ "agentName": agent, "name": name });
                let made = server.post("/api/tokens", &body, "token").await?;
                let token = text(&made, "token");
                show::value(self.format, &made, &token)?;
            }
            Command::List => {
                let rows = server.list("/api/tokens").await?;
                let columns: &[show::Column] = &[
                    ("id", |row| text(row, "id")),
                    ("name", |row| text(row, "name")),
                    ("tier", |row| text(row, "tier")),
                    ("agent", |row| text(row, "agentName")),
                    ("made", |row| time(row, "createdAt")),
                    ("revoked", |row| time(row, "revokedAt")),
                ];
                show::rows(
                    self.format,
                    &rows,
                    columns,
                    "no token was made here; `dispatch token create` makes one",
                )?;
            }
            Command::Revoke { id } => {
                let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
                let row = server.delete(&format!("/api/tokens/{id}"), "id").await?;
                show::value(self.format, &row, &format!("revoked {id}"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
