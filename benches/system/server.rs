//! `dispatch serve` as a process, and the questions that the cases ask it.

use std::{net::TcpListener, path::PathBuf, process::Command, time::Duration};

use anyhow::{Result, bail};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{
    bench::Bench,
    database::Database,
    options::Backend,
    process::{LOOK_AGAIN, Program, command},
    sim::Sim,
};

/// The maintainer token of every agent here.
pub const TOKEN: &str = "bench-maintainer-token";

/// So long may a start take, migrations included.
const START: Duration = Duration::from_mins(1);

/// A heartbeat's answer, as far as the cases look at it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub status: String,
    pub summary: String,
    pub warnings: Vec<String>,
    pub errors: Vec<String>,
    pub touched_issue_urls: Vec<String>,
    pub run_id: Option<String>,
    pub next_heartbeat_at: String,
}

/// A recorded run.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub id: String,
    pub status: String,
    pub finished_at: Option<String>,
}

/// Where a server is run: its database, data directory and settings, which outlive the process.
pub struct Site {
    database: Database,
    data: PathBuf,
    settings: Vec<(&'static str, String)>,
}

impl Site {
    pub async fn new(bench: &Bench, backend: Backend, sim: &Sim) -> Result<Self> {
        let settings = vec![
            ("GITHUB_API_URL", sim.url.clone()),
            ("GITHUB_TOKEN", sim.token.clone()),
            ("GITHUB_REPOSITORIES", sim.world.names().join(",")),
            ("DISPATCH_AGENT_TOKEN", TOKEN.to_owned()),
        ];
        let database = Database::create(bench, backend).await?;
        Ok(Self { database, data: bench.path("data"), settings })
    }

    /// With another environment variable.
    pub fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((variable, value.into()));
        self
    }

    pub async fn remove(self) -> Result<()> {
        self.database.remove().await
    }

    fn command(&self, bench: &Bench, port: u16) -> Command {
        let mut command = command(&bench.options.dispatch);
        command.arg("serve").envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.env("DISPATCH_BIND", format!("127.0.0.1:{port}")).env("DISPATCH_DATA_DIR", &self.data);
        if let Some(url) = self.database.url() {
            command.env("DATABASE_URL", url);
        }
        if let Some(filter) = std::env::var_os("DISPATCH_LOG") {
            command.env("DISPATCH_LOG", filter);
        }
        command
    }
}

/// A running server.
pub struct Server {
    pub program: Program,
    pub url: String,
    /// From the start of the process to its first healthy answer.
    pub started_in: Duration,
    http: reqwest::Client,
}

impl Server {
    pub async fn start(bench: &Bench, site: &Site) -> Result<Self> {
        let port = free_port()?;
        let url = format!("http://127.0.0.1:{port}");
        let began = Instant::now();
        let program = Program::start(site.command(bench, port), bench.path("dispatch.log"))?;
        let mut server = Self { program, url, started_in: Duration::ZERO, http: bench.http.clone() };
        while !server.is_healthy().await {
            server.program.must_run()?;
            if began.elapsed() > START {
                bail!("dispatch is not healthy after {START:?}:\n{}", server.program.tail());
            }
            sleep(LOOK_AGAIN).await;
        }
        server.started_in = began.elapsed();
        Ok(server)
    }

    async fn is_healthy(&self) -> bool {
        let answer = self.http.get(format!("{}/healthz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// One heartbeat, and how long it took.
    pub async fn beat(&self, agent: &str) -> Result<(Answer, Duration)> {
        let began = Instant::now();
        let answer = beat(&self.http, &self.url, agent).await.map_err(anyhow::Error::msg)?;
        Ok((answer, began.elapsed()))
    }

    /// One heartbeat that must be `ok`.
    pub async fn good_beat(&self, agent: &str) -> Result<(Answer, Duration)> {
        let (answer, took) = self.beat(agent).await?;
        if answer.status != "ok" {
            bail!("a heartbeat was not ok: {answer:?}");
        }
        Ok((answer, took))
    }

    /// Beats until every repository is in the cache; says how long that took and how many beats.
    pub async fn load(&self, limit: Duration) -> Result<(Duration, u64)> {
        let began = Instant::now();
        let mut beats = 0;
        loop {
            let (answer, _) = self.beat("loader").await?;
            beats += 1;
            if answer.status == "ok" && !answer.summary.contains("left for the next pass") {
                return Ok((began.elapsed(), beats));
            }
            if !answer.errors.is_empty() || began.elapsed() > limit {
                bail!("not loaded after {:?}: {answer:?}", began.elapsed());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// All recorded heartbeats, page by page.
    pub async fn runs(&self) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        let mut cursor = String::new();
        loop {
            let url = format!("{}/api/agent-runs?runType=heartbeat&limit=1000{cursor}", self.url);
            let answer = self.http.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?;
            let next = answer.headers().get("x-next-cursor").cloned();
            runs.append(&mut answer.json::<Vec<Run>>().await?);
            let Some(next) = next else { return Ok(runs) };
            cursor = format!("&cursor={}", next.to_str()?);
        }
    }

    /// How many issues of these repositories are in the cache.
    pub async fn cached_issues(&self, repos: &[String]) -> Result<u64> {
        let mut count = 0;
        for repo in repos {
            let url = format!("{}/api/issues?repo={repo}", self.url);
            let answer = self.http.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?;
            count += answer.json::<Vec<serde::de::IgnoredAny>>().await?.len() as u64;
        }
        Ok(count)
    }
}

/// Sends one heartbeat; the error says what came instead of an answer with code 200.
pub async fn beat(http: &reqwest::Client, server: &str, agent: &str) -> Result<Answer, String> {
    let request = http.post(format!("{server}/api/agents/{agent}/heartbeat")).bearer_auth(TOKEN);
    let answer = request.send().await.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
    let status = answer.status();
    let body = answer.text().await.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
    if status != 200 {
        return Err(format!("{status}: {body}"));
    }
    serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))
}

/// A port that nobody listens on now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
