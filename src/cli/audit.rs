//! `dispatch audit`: the audit log, as a table or as a whole export.

use std::process::ExitCode;

use clap::Args;

use super::{
    agent::reference::Reference,
    client::Target,
    progress,
    records::{first_of, query},
    show::{self, Format, text, time},
};
use crate::{
    domain::{ids::AgentName, repo::RepoName, time::Timestamp},
    http::export::{csv, jsonl},
};

pub const MORE: &str = "\
`--csv` and `--jsonl` print every row that matches, whatever their number, and need no more memory for many. \
In CSV a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return has a `'` before it, so that no \
spreadsheet runs it; lists of labels are joined by blanks.

Examples:
  dispatch audit --repo octocat/hello-world
  dispatch audit --agent coder --action claim_issue --from 2026-01-31
  dispatch audit --issue octocat/hello-world#7
  dispatch audit --limit 1000 --json
  dispatch audit --from 2026-01-01 --to 2026-02-01 --csv > january.csv

Exit codes: 0 done, also when nothing matches; 2 error.";

/// Rows that are asked for at once.
const PAGE: u16 = 1_000;

/// The audit log, newest first.
#[derive(Args)]
pub struct Audit {
    /// Only what this actor decided.
    #[arg(long)]
    actor: Option<String>,
    /// Only what is about this agent, whoever decided it.
    #[arg(long)]
    agent: Option<AgentName>,
    /// Only this action, such as `claim_issue`.
    #[arg(long)]
    action: Option<String>,
    /// Only rows about this repository.
    #[arg(long, value_name = "OWNER/NAME", conflicts_with = "issue")]
    repo: Option<RepoName>,
    /// Only rows about this issue.
    #[arg(long, value_name = "OWNER/NAME#NUMBER")]
    issue: Option<Reference>,
    /// Only what was decided then or later: a day, or a time such as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Timestamp>,
    /// Only what was decided before then.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<Timestamp>,
    /// So many rows at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
    /// Print all rows as CSV, with a head.
    #[arg(long, conflicts_with_all = ["json", "jsonl", "limit"])]
    csv: bool,
    /// Print all rows as JSON, one in a line.
    #[arg(long, conflicts_with_all = ["json", "limit"])]
    jsonl: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

/// A day is its first moment, by UTC.
fn moment(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    whole
        .parse()
        .map_err(|_| "write a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z".to_owned())
}

impl Audit {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        if self.csv || self.jsonl {
            return self.export().await;
        }
        let rows = self.target.open()?.list(&self.path(self.limit)).await?;
        let columns: &[show::Column] = &[
            ("when", |row| time(row, "createdAt")),
            ("actor", |row| text(row, "actor")),
            ("action", |row| text(row, "action")),
            ("repository", |row| text(row, "repoFullName")),
            ("done", |row| if row["success"] == true { "yes".into() } else { "refused".into() }),
            ("notes", |row| first_of(&text(row, "errorMessage"), &text(row, "notes"))),
        ];
        let is_about_repo_alone = self.repo.is_some() && self.filters().iter().flatten().count() == 1;
        let empty = if is_about_repo_alone {
            "nothing is recorded about this repository"
        } else if self.filters().iter().any(Option::is_some) {
            "nothing is recorded that matches"
        } else {
            "nothing is recorded yet"
        };
        show::rows(self.format, &rows, columns, empty)?;
        Ok(ExitCode::SUCCESS)
    }

    fn filters(&self) -> [Option<(&'static str, String)>; 7] {
        let repo = self.repo.as_ref().or(self.issue.as_ref().map(|issue| &issue.repo));
        [
            self.actor.clone().map(|actor| ("actor", actor)),
            self.agent.as_ref().map(|agent| ("agent", agent.to_string())),
            self.action.clone().map(|action| ("action", action)),
            repo.map(|repo| ("repo", repo.to_string())),
            self.issue.as_ref().map(|issue| ("issue", issue.number.to_string())),
            self.from.map(|from| ("from", from.to_string())),
            self.to.map(|to| ("to", to.to_string())),
        ]
    }

    fn path(&self, limit: u16) -> String {
        let filters = self.filters();
        let given = filters.iter().flatten().map(|(name, value)| (*name, Some(value.as_str())));
        format!("/api/audit?{}", query(limit, &given.collect::<Vec<_>>()))
    }

    /// Page by page: no more than one is held.
    async fn export(&self) -> anyhow::Result<ExitCode> {
        let server = self.target.open()?;
        let spinner = progress::spinner("rows of the audit log: 0");
        let (first, mut cursor, mut count) = (self.path(PAGE), None::<String>, 0);
        loop {
            let path = match &cursor {
                Some(cursor) => format!("{first}&{}", one_pair("cursor", cursor)),
                None => first.clone(),
            };
            let (rows, next) = server.page(&path).await?;
            let piece = if self.csv { csv(&rows, cursor.is_none())? } else { jsonl(&rows) };
            count += rows.len();
            spinner.set_message(format!("rows of the audit log: {count}"));
            if !show::piece(&piece)? || next.is_none() {
                break;
            }
            cursor = next;
        }
        spinner.finish_and_clear();
        Ok(ExitCode::SUCCESS)
    }
}

fn one_pair(name: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_first_moment() {
        assert_eq!(moment("2026-01-31").unwrap().to_string(), "2026-01-31T00:00:00.000Z");
        assert_eq!(moment("2026-01-31T12:00:00+02:00").unwrap().to_string(), "2026-01-31T10:00:00.000Z");
        assert!(moment("yesterday").is_err() && moment("2026-02-31").is_err());
    }
}
