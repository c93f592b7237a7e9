//! `dispatch demo`: the real server over a simulated GitHub whose issues keep changing, and a few agents
//! that beat. Everything printed was read back over HTTP.

mod agents;
mod folder;
mod world;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Args;
use github_sim::{Seeding, Sim, SimConfig};
use reqwest::Method;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::folder::Folder;
use super::{
    client::Server,
    log, login_link,
    serve::{prepare, stop_signal},
    show::{self, Format},
};
use crate::{
    config::{Config, Database, Logging, Settings},
    domain::{access::Tier, ids::AgentName, repo::RepoName},
    github::Credentials,
};

/// Between two heartbeats of an agent.
const INTERVAL: Duration = Duration::from_secs(4);

pub const MORE: &str = "\
Nothing real is touched: the server listens on loopback, its database lies in a temporary folder, and GitHub \
is simulated in this process. When the demo ends, however it ends, neither a process nor the folder is left.

Examples:
  dispatch demo
  dispatch demo --seconds 20 --agents 5
  dispatch demo --seconds 20 --json | jq -c .event

Exit codes: 0 ended by Ctrl-C, SIGTERM or --seconds; 2 error.";

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
    /// Print what happens as lines of JSON.
    #[arg(long)]
    json: bool,
    /// What a demo starts beside itself: waits for the end of standard input, then removes this folder.
    #[arg(long, hide = true, value_name = "FOLDER")]
    clear_away: Option<PathBuf>,
}

impl Demo {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(folder) = &self.clear_away {
            folder::clear_away(folder)?;
            return Ok(ExitCode::SUCCESS);
        }
        log::start("error", &Logging::default());
        folder::remove_leftovers();
        let folder = Folder::make()?;
        let sim = self.github().await;
        let (config, token) = self.config(&sim, folder.path())?;
        let ready = prepare(&config).await?;
        let url = format!("http://{}", ready.address);
        let link = login_link::console_link(&ready.opened.engine, &url).await?;
        self.introduce(&url, &sim.url(), &token, &link);
        let end = CancellationToken::new();
        let serving = ready.serve(&config, end.clone().cancelled_owned());
        let playing = self.play(&sim, &url, &token, end.clone());
        let (served, played) = tokio::join!(serving, playing);
        sim.stop().await;
        served?;
        played?;
        folder.remove().context("the demo's folder could not be removed")?;
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
            played = agents::beat_all(&server, &names, self.format()) => played,
            () = world::keep_changing(sim, usize::from(self.repositories)) => Ok(()),
        };
        let summary = self.summarise(&server, &sim.url()).await;
        end.cancel();
        played?;
        summary
    }

    const fn format(&self) -> Format {
        Format { json: self.json }
    }

    fn introduce(&self, url: &str, github: &str, token: &str, link: &str) {
        let started =
            json!({ "event": "started", "url": url, "github": github, "token": token, "board": link });
        let words = format!(
            "\n  Dispatch {} shows itself; nothing here needs a network, a token or a configuration.\n\n  \
             server         {url}\n  the board      {link}\n  simulated GitHub {github}  ({github}/_sim says what it can do)\n  token          {token}\n  \
             the API        {url}/api/docs\n\n  \
             Try it from another terminal:\n    \
             curl -s -H \"Authorization: Bearer {token}\" \"{url}/api/issues?limit=3\"\n    \
             curl -s -H \"Authorization: Bearer {token}\" -X POST {url}/api/agents/me/heartbeat\n    \
             DISPATCH_URL={url} DISPATCH_AGENT_TOKEN={token} dispatch runs\n\n  Ctrl-C ends all of it.\n",
            env!("CARGO_PKG_VERSION")
        );
        show::event(self.format(), &started, &words);
    }

    /// What the server and GitHub have on record.
    async fn summarise(&self, server: &Server, github: &str) -> anyhow::Result<()> {
        let runs = server.list("/api/agent-runs?limit=1000&runType=heartbeat").await?;
        let runs = runs.as_array().map(Vec::as_slice).unwrap_or_default();
        let count = |status: &str| runs.iter().filter(|run| run["status"] == status).count();
        let touched: usize =
            runs.iter().map(|run| run["touchedIssueUrls"].as_array().map_or(0, Vec::len)).sum();
        let issues = server.list("/api/issues").await?.as_array().map_or(0, Vec::len);
        let github = Server::at(github.to_owned(), None)?;
        let counters = github.send(Method::GET, "/_sim/counters", None).await?.body;
        let number = |name: &str| counters[name].as_u64().unwrap_or_default();
        let (ok, warning, error, running) = (count("ok"), count("warning"), count("error"), count("running"));
        let (requests, free, spent) = (number("requests"), number("not_modified"), number("quota_spent"));
        let beats = runs.len();
        let ended = json!({
            "event": "ended",
            "heartbeats": { "all": beats, "ok": ok, "warning": warning, "error": error, "running": running },
            "touched": touched,
            "issues": issues,
            "github": { "requests": requests, "notModified": free, "quotaSpent": spent },
        });
        let words = format!(
            "\n  {beats} heartbeats on record: {ok} ok, {warning} warning, {error} error, {running} cut short by the end; \
             {touched} times an issue was touched\n  \
             {issues} issues in the cache; GitHub was asked {requests} times, {free} of them were free (304), quota spent {spent}\n"
        );
        show::event(self.format(), &ended, &words);
        Ok(())
    }
}
