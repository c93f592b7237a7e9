//! `dispatch claim` and `dispatch release`: an issue becomes the agent's, and is nobody's again.

use std::process::ExitCode;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

use super::{Shown, Who, add, find, not_yours, reference::Reference, say, shell::Output};
use crate::{
    cli::{
        client::Target,
        show::{self, Format, harmless, text, time},
    },
    domain::labels::Status,
};

pub const MORE_OF_CLAIM: &str = "\
The claim is leased: renew it by `dispatch checkpoint` or `dispatch heartbeat`, or it ends DISPATCH_CLAIM_TTL_MS later. \
Who holds it already renews it.

Examples:
  dispatch claim acme/api#7 --agent coder
  claim=$(dispatch claim \"$TASK_ISSUE\" --shell) && eval \"$claim\" && echo \"$CLAIM_ID until $CLAIM_EXPIRES_AT\"

--shell prints CLAIM_ID, CLAIM_FENCE, CLAIM_EXPIRES_AT and CLAIM_ISSUE_ID.

Exit codes: 0 the issue is the agent's; 4 it is another's, who is named on standard error; 2 error.";

pub const MORE_OF_RELEASE: &str = "\
What was in progress is ready again, for anybody; --status says where it stands instead.

Examples:
  dispatch release acme/api#7 --agent coder
  dispatch release acme/api#7 --status in-review --claim \"$CLAIM_ID\"
  dispatch release acme/api#7 --status blocked --reason 'needs a decision on the format'

Exit codes: 0 the issue is nobody's; 4 the claim of --claim was lost before; 2 error.";

/// An issue for an agent.
#[derive(Args)]
pub struct Claim {
    /// The issue, as owner/name#number or the address of its page.
    #[arg(value_name = "OWNER/NAME#NUMBER")]
    issue: Reference,
    #[command(flatten)]
    who: Who,
    /// Whoever holds it; wants a maintainer's token.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

/// An issue that an agent gives up.
#[derive(Args)]
pub struct Release {
    /// The issue, as owner/name#number or the address of its page.
    #[arg(value_name = "OWNER/NAME#NUMBER")]
    issue: Reference,
    #[command(flatten)]
    who: Who,
    /// Where it stands from now on.
    #[arg(long, value_parser = statuses())]
    status: Option<String>,
    /// Why it is blocked; with `--status blocked`.
    #[arg(long, value_name = "TEXT", required_if_eq("status", "blocked"))]
    reason: Option<String>,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

fn statuses() -> impl clap::builder::TypedValueParser<Value = String> {
    // Whoever says that an issue is done or in progress does not mean to give it up.
    let fitting = [Status::Backlog, Status::Ready, Status::InReview, Status::Blocked];
    PossibleValuesParser::new(fitting.map(Status::word)).map(|word| word)
}

impl Claim {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let agent = self.who.name()?;
        let server = self.target.open()?;
        let mut body = find(&server, &self.issue, &agent).await?;
        body["lease"] = true.into();
        body["force"] = self.force.into();
        let claim = match say(&server, "/api/issues/claim", &body, "claimId").await? {
            Ok(claim) => claim,
            Err(refusal) => return not_yours(self.output.format, &refusal),
        };
        for warning in claim["warnings"].as_array().into_iter().flatten() {
            show::aside(&format!("{}: {}", self.issue, warning.as_str().unwrap_or_default()));
        }
        let id = text(&claim, "claimId");
        let (fence, until) = (text(&claim, "fence"), time(&claim, "expiresAt"));
        let words = format!("{} is {agent}'s until {until}: claim {id}, fence {fence}", self.issue);
        let variables = [
            ("CLAIM_ID", id),
            ("CLAIM_FENCE", fence),
            ("CLAIM_EXPIRES_AT", text(&claim, "expiresAt")),
            ("CLAIM_ISSUE_ID", text(&body, "issueId")),
        ];
        self.output.end(&claim, &harmless(&words), &variables, 0)
    }
}

impl Release {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let agent = self.who.name()?;
        let server = self.target.open()?;
        let mut body = find(&server, &self.issue, &agent).await?;
        self.shown.add_to(&mut body);
        if let Some(status) = &self.status {
            let mut body = body.clone();
            body["status"] = status.as_str().into();
            add(&mut body, "blockedReason", self.reason.as_deref());
            if let Err(refusal) = say(&server, "/api/issues/status", &body, "status").await? {
                return not_yours(self.format, &refusal);
            }
        }
        let released = match say(&server, "/api/issues/unclaim", &body, "labels").await? {
            Ok(released) => released,
            Err(refusal) => return not_yours(self.format, &refusal),
        };
        let (status, note) = (text(&released, "status"), text(&released, "statusNote"));
        let status = if status.is_empty() { String::new() } else { format!("; {status}") };
        let note = if note.is_empty() { note } else { format!(" ({note})") };
        show::value(self.format, &released, &harmless(&format!("{} is nobody's{status}{note}", self.issue)))?;
        Ok(ExitCode::SUCCESS)
    }
}
