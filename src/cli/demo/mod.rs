//! `dispatch demo`: the real server over a simulated GitHub whose issues keep changing, and a few agents
//! that beat. Everything printed was read back over HTTP.

mod agents;
mod folder;
mod world;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Args;
use github_sim::{Seeding, Sim, SimConfig};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    client::Server,
    log,
    serve::{prepare, stop_signal},
    show,
};
use crate::{
    config::{Config, Database, Settings},
    domain::{access::Tier, ids::AgentName, repo::RepoName},
    github::Credentials,
};

/// Between two heartbeats of an agent.
const INTERVAL: Duration = Duration::from_secs(4);

/// Shows Dispatch at work without network, token or configuration: a simulated GitHub whose issues keep
/// changing, the server, and a few agents.
#[derive(Args)]
pub struct Demo {
    /// End by itself after so many seconds; without: at Ctrl-C.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// Agents that beat.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    agents: u8,
    /// Repositories whose issues change.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    repositories: u8,
    /// Port of the server; 0: a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

impl Demo {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        log::start("error");
        folder::remove_leftovers();
        let folder = folder::make()?;
        let sim = self.github().await;
        let (config, token) = self.config(&sim, folder.path())?;
        let ready = prepare(&config).await?;
        let url = format!("http://{}", ready.address);
        introduce(&url, &sim.url(), &token);
        let end = CancellationToken::new();
        let serving = ready.serve(&config, end.clone().cancelled_owned());
        let playing = self.play(&sim, &url, &token, end.clone());
        let (served, played) = tokio::join!(serving, playing);
        sim.stop().await;
        served?;
        played?;
        folder.close().context("the demo's folder could not be removed")?;
        Ok(ExitCode::SUCCESS)
    }

    async fn github(&self) -> Sim {
        let sim =
            Sim::start_with(SimConfig { latency: Duration::from_millis(30), ..SimConfig::default() }).await;
        let repos = usize::from(self.repositories);
        sim.populate(&Seeding { repos, issues: 20, closed: 5, active: 2 * repos, ..Seeding::default() });
        sim
    }

    fn config(&self, sim: &Sim, folder: &std::path::Path) -> anyhow::Result<(Config, String)> {
        let mut config = Config::read(&Settings::default())?;
        let token = format!("demo-{}", crate::clock::Ids::new(crate::clock::Clock::System).secret());
        config.bind = SocketAddr::from(([127, 0, 0, 1], self.port));
        config.database = Database::Sqlite { file: folder.join("dispatch.db"), directory: folder.to_owned() };
        config.data_dir = Some(folder.to_owned());
        config.tokens = vec![(token.clone().into(), Tier::Maintainer)];
        config.repositories = (1..=self.repositories)
            .map(|n| format!("acme/repo-{n:02}").parse::<RepoName>())
            .collect::<Result<_, _>>()?;
        config.github.api_url = sim.url().parse()?;
        config.github.credentials = Credentials::Token(sim.token().into());
        config.engine.heartbeat_interval = INTERVAL;
        config.engine.sync_max_staleness = Duration::from_secs(1);
        Ok((config, token))
    }

    /// Changes at GitHub and heartbeats of agents, until the end; then what it came to.
    async fn play(&self, sim: &Sim, url: &str, token: &str, end: CancellationToken) -> anyhow::Result<()> {
        let server = Server::at(url.to_owned(), Some(token.to_owned()))?;
        let names: Vec<AgentName> =
            (1..=self.agents).map(|n| format!("agent-{n}").parse()).collect::<Result<_, _>>()?;
        let time_up = async {
            match self.seconds {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        let played = tokio::select! {
            () = stop_signal() => Ok(()),
            () = time_up => Ok(()),
            played = agents::beat_all(&server, &names) => played,
            () = world::keep_changing(sim, usize::from(self.repositories)) => Ok(()),
        };
        let summary = summarise(&server, &sim.url()).await;
        end.cancel();
        played?;
        summary
    }
}

fn introduce(url: &str, github: &str, token: &str) {
    show::line(&format!(
        "\n  Dispatch {} shows itself; nothing here needs a network, a token or a configuration.\n\n  \
         server         {url}\n  simulated GitHub {github}  ({github}/_sim says what it can do)\n  token          {token}\n\n  \
         Try it from another terminal:\n    \
         curl -s -H \"Authorization: Bearer {token}\" \"{url}/api/issues?limit=3\"\n    \
         curl -s -H \"Authorization: Bearer {token}\" -X POST {url}/api/agents/me/heartbeat\n    \
         DISPATCH_URL={url} DISPATCH_AGENT_TOKEN={token} dispatch runs\n\n  Ctrl-C ends all of it.\n",
        env!("CARGO_PKG_VERSION")
    ));
}

/// What the server and GitHub have on record.
async fn summarise(server: &Server, github: &str) -> anyhow::Result<()> {
    let runs = server.get("/api/agent-runs?limit=1000&runType=heartbeat").await?;
    let runs = runs.as_array().cloned().unwrap_or_default();
    let count = |status: &str| runs.iter().filter(|run| run["status"] == status).count();
    let touched: usize = runs.iter().map(|run| run["touchedIssueUrls"].as_array().map_or(0, Vec::len)).sum();
    let issues = server.get("/api/issues").await?;
    let counters = Server::at(github.to_owned(), None)?.get("/_sim/counters").await?;
    show::line(&format!(
        "\n  {} heartbeats on record: {} ok, {} warning, {} error, {} cut short by the end; {touched} times an issue was touched\n  \
         {} issues in the cache; GitHub was asked {} times, {} of them were free (304), quota spent {}\n",
        runs.len(),
        count("ok"),
        count("warning"),
        count("error"),
        count("running"),
        issues.as_array().map_or(0, Vec::len),
        number(&counters, "requests"),
        number(&counters, "not_modified"),
        number(&counters, "quota_spent"),
    ));
    Ok(())
}

fn number(counters: &Value, name: &str) -> u64 {
    counters[name].as_u64().unwrap_or_default()
}
