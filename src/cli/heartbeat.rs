//! `dispatch heartbeat AGENT --local`: one pass over an embedded database, without a server.

use std::{process::ExitCode, time::Duration};

use clap::Args;

use super::{log, open};
use crate::{
    config::{Config, LOCAL_DEADLINE, Settings, check_names},
    domain::{
        access::{Caller, Tier},
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

/// Runs one heartbeat: syncs the tracked repositories, records the run, prints the answer.
///
/// Exit code 0: ok or warning; 2: error.
#[derive(Args)]
pub struct Heartbeat {
    /// The agent's name.
    agent: AgentName,
    /// Without a server: over the embedded database of the data directory.
    #[arg(long, required = true)]
    local: bool,
    /// Track this repository from now on; may be given several times.
    #[arg(long = "repo", value_name = "OWNER/NAME")]
    repos: Vec<RepoName>,
    #[command(flatten)]
    settings: Settings,
}

impl Heartbeat {
    #[expect(clippy::print_stdout, reason = "the answer is what the command is for")]
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        log::start("warn");
        let mut config = Config::read(&self.settings)?;
        if !config.deadline_is_set {
            // No server goes on reading after the answer, so the answer waits for the reading.
            config.engine.heartbeat_deadline = LOCAL_DEADLINE;
        }
        for warning in check_names(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
            tracing::warn!("{warning}");
        }
        let opened = open::open(&config).await?;
        let engine = &opened.engine;
        repos::seed(engine, &config.repositories).await?;
        track(engine, &self.repos).await?;
        let outcome = heartbeat(engine, engine.beat(self.agent, None)).await;
        engine.tasks().finish(Duration::from_secs(10)).await;
        lifecycle::stop(engine).await?;
        engine.db().close().await;
        let (Beaten::Recorded(answer) | Beaten::Replayed(answer) | Beaten::Unrecorded(answer)) = outcome
        else {
            anyhow::bail!("a heartbeat without a key was taken for another one");
        };
        println!("{}", serde_json::to_string_pretty(&answer)?);
        Ok(if answer.status == PassStatus::Error { ExitCode::from(2) } else { ExitCode::SUCCESS })
    }
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
