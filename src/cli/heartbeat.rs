//! `dispatch heartbeat AGENT`: one pass, on a server or over an embedded database.

use std::{io::IsTerminal as _, process::ExitCode, time::Duration};

use anyhow::anyhow;
use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{
    agent::NOT_YOURS,
    client::Target,
    log, open,
    progress::spinner,
    show::{self, Format},
};
use crate::{
    config::{Config, LOCAL_DEADLINE, Settings, check_names},
    domain::{
        access::{Caller, Tier},
        heartbeat::{HeartbeatAnswer, LeaseState},
        ids::{AgentName, TokenId},
        repo::RepoName,
        run::PassStatus,
    },
    engine::{
        Engine, Error,
        heartbeat::{Beaten, heartbeat},
        lifecycle, repos,
    },
};

pub const MORE: &str = "\
Brings the tracked repositories up to date with GitHub, records the run, and prints the answer: in words on \
a terminal, else as JSON.

Examples:
  dispatch heartbeat coder                                    on the server of DISPATCH_URL
  dispatch heartbeat coder --claim ID --fence 17              the same, and is that claim still ours?
  dispatch heartbeat me --local --repo octocat/hello-world    without a server
  dispatch heartbeat me --local --strict --json               for scripts

Exit codes: 0 ok or warning; 1 warning, with --strict; 2 error: of the pass (its answer is printed), or \
there is no answer (said on standard error); 4 the claim of --claim is lost: stop working on it.

The settings below `GitHub`, `Issues` and `Heartbeat` are those of `dispatch serve`; they count with --local.";

/// What counts with --local stands in the long help only; what only a server needs, nowhere.
pub fn shorten_help(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| match arg.get_help_heading() {
        Some("Access") => arg.hide(true),
        Some("Server") if matches!(arg.get_id().as_str(), "bind" | "port") => arg.hide(true),
        Some("Server" | "GitHub" | "Issues" | "Heartbeat" | "Log") => arg.hide_short_help(true),
        _ => arg,
    })
}

/// One heartbeat.
#[derive(Args)]
pub struct Heartbeat {
    /// The agent's name: letters, digits, `.`, `_` and `-`, at most 44.
    agent: AgentName,
    /// Without a server: over the embedded database of the data directory.
    #[arg(long)]
    local: bool,
    /// With --local: track this repository from now on; may be given several times.
    #[arg(long = "repo", value_name = "OWNER/NAME", requires = "local")]
    repos: Vec<RepoName>,
    /// On a server: renew this claim, as `claim` printed it, and say whether it is lost. Without it all leased claims of
    /// the agent are renewed.
    #[arg(long, value_name = "ID", requires = "fence", conflicts_with = "local")]
    claim: Option<String>,
    /// The fence of that claim.
    #[arg(long, value_name = "NUMBER", requires = "claim", value_parser = clap::value_parser!(i64).range(1..))]
    fence: Option<i64>,
    /// A warning ends with exit code 1.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    settings: Settings,
}

impl Heartbeat {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        log::start("warn", self.settings.logging());
        let (format, strict) = (self.format, self.strict);
        let answer = if self.local { Box::pin(self.locally()).await? } else { self.on_server().await? };
        // Without a terminal a program reads: it gets the whole answer.
        if format.json || !std::io::stdout().is_terminal() {
            show::line(&serde_json::to_string_pretty(&answer)?)?;
        } else {
            explain(&answer)?;
        }
        if answer.asked.leases.iter().flatten().any(|lease| lease.state == LeaseState::Lost) {
            show::aside("the claim is lost; stop working on it");
            return Ok(ExitCode::from(NOT_YOURS));
        }
        Ok(match answer.status {
            PassStatus::Ok => ExitCode::SUCCESS,
            PassStatus::Warning => ExitCode::from(u8::from(strict)),
            PassStatus::Error => ExitCode::from(2),
        })
    }

    async fn on_server(self) -> anyhow::Result<HeartbeatAnswer> {
        let server = self.target.open()?;
        let progress = spinner("waiting for the pass");
        let named = self.claim.map(|claim| json!({ "claims": [{ "claimId": claim, "fence": self.fence }] }));
        let path = format!("/api/agents/{}/heartbeat", self.agent);
        let answer = server.send(Method::POST, &path, named.as_ref()).await;
        progress.finish_and_clear();
        let answer = answer?;
        // A 503 of the heartbeat has the same shape; other refusals have not.
        let has_shape = answer.body["status"].is_string();
        match answer.status {
            status if status.is_success() || (status == StatusCode::SERVICE_UNAVAILABLE && has_shape) => {
                if !has_shape {
                    return Err(server.stranger(answer.status));
                }
                serde_json::from_value(answer.body)
                    .map_err(|_| anyhow!("the server's answer is of another version; use its own `dispatch`"))
            }
            _ => Err(server.refusal(&answer)),
        }
    }

    async fn locally(self) -> anyhow::Result<HeartbeatAnswer> {
        let mut config = Config::read(&self.settings)?;
        if !config.deadline_is_set {
            // No server goes on reading after the answer, so the answer waits for the reading.
            config.engine.heartbeat_deadline = LOCAL_DEADLINE;
        }
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for warning in config.warnings.iter().cloned().chain(check_names(names)) {
            tracing::warn!("{warning}");
        }
        let opened = open::open(&config).await?;
        let engine = &opened.engine;
        repos::seed(engine, &config.repositories).await?;
        track(engine, &self.repos).await?;
        let progress = spinner("reading from GitHub");
        let outcome = heartbeat(engine, engine.beat(self.agent, None)).await;
        progress.finish_and_clear();
        engine.tasks().finish(Duration::from_secs(10)).await;
        lifecycle::stop(engine).await?;
        engine.db().close().await;
        let (Beaten::Recorded(answer) | Beaten::Replayed(answer) | Beaten::Unrecorded(answer)) = outcome
        else {
            anyhow::bail!("a heartbeat without a key was taken for another one");
        };
        Ok(answer)
    }
}

/// The answer for a person.
fn explain(answer: &HeartbeatAnswer) -> anyhow::Result<()> {
    show::line(&format!("{}: {}", answer.status.as_str(), answer.summary))?;
    let lists = [
        (&answer.errors, "error: "),
        (&answer.warnings, "warning: "),
        (&answer.touched_issue_urls, "touched: "),
    ];
    for (list, mark) in lists {
        for item in list {
            show::line(&format!("  {mark}{item}"))?;
        }
    }
    show::line(&format!("next heartbeat: {}", answer.next_heartbeat_at))
}

async fn track(engine: &Engine, names: &[RepoName]) -> anyhow::Result<()> {
    let caller = Caller {
        tier: Tier::Maintainer,
        token: TokenId("command-line".to_owned()),
        named: Some("command-line".to_owned()),
    };
    for name in names {
        match repos::add(engine, &caller, name).await {
            Ok(_) | Err(Error::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
