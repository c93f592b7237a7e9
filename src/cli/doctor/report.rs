//! What doctor found: lines, and how they are printed.

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, stdout},
    process::ExitCode,
};

use serde::Serialize;

use crate::cli::show::{self, Format};

/// How a check ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    #[default]
    Ok,
    Warning,
    Error,
}

/// What a line is about; the names are those of `--json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    Configuration,
    DataDirectory,
    AdminToken,
    DatabaseFile,
    KeyFile,
    Database,
    DatabaseTables,
    DatabaseWriting,
    DatabaseClock,
    Port,
    Tokens,
    #[serde(rename = "github")]
    GitHub,
    #[serde(rename = "github_clock")]
    GitHubClock,
    #[serde(rename = "github_credentials")]
    GitHubCredentials,
    #[serde(rename = "github_quota")]
    GitHubQuota,
    #[serde(rename = "github_permissions")]
    GitHubPermissions,
    Repository,
    Webhooks,
}

impl Check {
    const fn label(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::DataDirectory => "data directory",
            Self::AdminToken => "admin token",
            Self::DatabaseFile => "database file",
            Self::KeyFile => "key file",
            Self::Database => "database",
            Self::DatabaseTables => "database: tables",
            Self::DatabaseWriting => "database: writing",
            Self::DatabaseClock => "database: clock",
            Self::Port => "port",
            Self::Tokens => "tokens",
            Self::GitHub => "GitHub",
            Self::GitHubClock => "GitHub: clock",
            Self::GitHubCredentials => "GitHub: credentials",
            Self::GitHubQuota => "GitHub: quota",
            Self::GitHubPermissions => "GitHub: permissions",
            Self::Repository => "repository",
            Self::Webhooks => "webhooks",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub check: Check,
    /// A variable, a file, an installation, a repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub status: Status,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Line {
    pub fn ok(check: Check, message: impl Into<String>) -> Self {
        Self { check, subject: None, status: Status::Ok, message: message.into(), remedy: None }
    }

    pub fn warning(check: Check, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: Status::Warning, remedy: Some(remedy.into()), ..Self::ok(check, message) }
    }

    pub fn error(check: Check, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: Status::Error, ..Self::warning(check, message, remedy) }
    }

    pub fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    fn text(&self, colour: bool) -> String {
        // The word carries the status; the colour only repeats it.
        let (word, code) = match self.status {
            Status::Ok => ("ok", "32"),
            Status::Warning => ("warning", "33"),
            Status::Error => ("error", "31"),
        };
        let padded = format!("{word:<8}");
        let mut text = if colour { format!("\u{1b}[{code}m{padded}\u{1b}[0m") } else { padded };
        let parts = [Some(self.check.label()), self.subject.as_deref(), Some(&self.message)];
        // Writing to a string cannot fail.
        let _ = write!(text, " {}", parts.into_iter().flatten().collect::<Vec<_>>().join(": "));
        if let Some(remedy) = &self.remedy {
            let _ = write!(text, "; {remedy}");
        }
        text
    }
}

/// All findings, in the order of the checks.
#[derive(Default, Serialize)]
pub struct Report {
    status: Status,
    checks: Vec<Line>,
}

impl Report {
    pub fn add(&mut self, line: Line) {
        self.status = self.status.max(line.status);
        self.checks.push(line);
    }

    #[cfg(test)]
    pub fn worst(&self) -> Status {
        self.status
    }

    pub fn exit_code(&self, strict: bool) -> ExitCode {
        match self.status {
            Status::Ok => ExitCode::SUCCESS,
            Status::Warning => ExitCode::from(u8::from(strict)),
            Status::Error => ExitCode::from(2),
        }
    }

    /// Prints it as JSON or for a person.
    pub fn print(&self, format: Format) -> anyhow::Result<()> {
        if format.json {
            return show::line(&serde_json::to_string_pretty(self)?);
        }
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = stdout().is_terminal() && !no_colour;
        for line in &self.checks {
            show::line(&line.text(colour))?;
        }
        show::line(&self.summary())
    }

    fn summary(&self) -> String {
        let count = |status| self.checks.iter().filter(|line| line.status == status).count();
        let named =
            |count, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
        let (errors, warnings) = (count(Status::Error), count(Status::Warning));
        format!("{}, {}, {} ok", named(errors, "error"), named(warnings, "warning"), count(Status::Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_a_word_and_the_worst_counts() {
        let mut report = Report::default();
        report.add(Line::ok(Check::GitHubCredentials, "token of octocat"));
        assert_eq!(report.exit_code(true), ExitCode::SUCCESS);
        report.add(Line::warning(Check::Port, "a", "b").about("0.0.0.0:80"));
        assert_eq!(report.exit_code(false), ExitCode::SUCCESS);
        assert_eq!(report.exit_code(true), ExitCode::from(1));
        report.add(Line::error(Check::Repository, "c", "d").about("acme/api"));
        assert_eq!(report.exit_code(false), ExitCode::from(2));
        let lines: Vec<String> = report.checks.iter().map(|line| line.text(false)).collect();
        let want = [
            "ok       GitHub: credentials: token of octocat",
            "warning  port: 0.0.0.0:80: a; b",
            "error    repository: acme/api: c; d",
        ];
        assert_eq!(lines, want);
        assert_eq!(report.checks[2].text(true), "\u{1b}[31merror   \u{1b}[0m repository: acme/api: c; d");
        assert_eq!(report.summary(), "1 error, 1 warning, 1 ok");
        let json = serde_json::to_string(&report.checks[0]).unwrap();
        assert_eq!(json, r#"{"check":"github_credentials","status":"ok","message":"token of octocat"}"#);
    }
}
