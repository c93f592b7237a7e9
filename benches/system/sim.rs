//! The simulated GitHub as a process, and its control API.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    bench::Bench,
    process::{LOOK_AGAIN, Program, command},
};

/// So long may it take to make its issues up.
const START: Duration = Duration::from_mins(5);

/// What it is filled with, and how it behaves.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub repos: usize,
    /// Open issues in each repository.
    pub issues: usize,
    /// Open issues in each repository that an agent works on.
    pub active: usize,
    pub latency: Duration,
    /// Primary and secondary limits, as GitHub documents them.
    pub has_limits: bool,
}

impl World {
    /// So many repositories of 100 open issues, 20 of them active, 80 ms away, with GitHub's limits.
    pub fn usual(repos: usize) -> Self {
        Self { repos, issues: 100, active: 20, latency: Duration::from_millis(80), has_limits: true }
    }

    pub fn without_limits(self) -> Self {
        Self { has_limits: false, ..self }
    }

    /// The names of its repositories.
    pub fn names(&self) -> Vec<String> {
        (1..=self.repos).map(|n| format!("acme/repo-{n:02}")).collect()
    }

    pub fn all_issues(&self) -> u64 {
        self.repos as u64 * self.issues as u64
    }
}

/// What it counted since the last reset.
#[derive(Debug, Deserialize)]
pub struct Counters {
    pub requests: u64,
    pub paid: u64,
    pub not_modified: u64,
    pub by_kind: BTreeMap<String, u64>,
    pub body_bytes: u64,
    pub quota_spent: u64,
    pub primary_limited: u64,
    pub secondary_limited: u64,
    pub max_in_flight: u64,
}

impl Counters {
    /// Requests for a page of issues.
    pub fn pages(&self) -> u64 {
        self.by_kind.get("issues.list").copied().unwrap_or(0)
    }
}

/// A request that it saw.
#[derive(Debug, Deserialize)]
pub struct Seen {
    pub at_ms: i64,
    pub kind: String,
    pub repo: Option<String>,
}

#[derive(Deserialize)]
struct Labelled {
    number: u64,
    labels: Vec<String>,
}

/// A running simulator.
pub struct Sim {
    pub world: World,
    pub url: String,
    pub token: String,
    http: reqwest::Client,
    /// Ends with this value.
    _program: Program,
}

impl Sim {
    pub async fn start(bench: &Bench, world: World) -> Result<Self> {
        let mut command = command(&bench.options.github_sim);
        command.args(["--port", "0", "--seed", "7"]);
        for (name, value) in
            [("--repos", world.repos), ("--issues", world.issues), ("--active", world.active * world.repos)]
        {
            command.arg(name).arg(value.to_string());
        }
        command.arg("--latency-ms").arg(world.latency.as_millis().to_string());
        if !world.has_limits {
            command.arg("--no-limits");
        }
        let mut program = Program::start(command, bench.path("github-sim.log"))?;
        let (url, token) = announced(&mut program).await?;
        Ok(Self { world, url, token, http: bench.http.clone(), _program: program })
    }

    pub async fn counters(&self) -> Result<Counters> {
        self.read("counters").await
    }

    /// The requests since the last reset, oldest first.
    pub async fn requests(&self) -> Result<Vec<Seen>> {
        self.read("requests").await
    }

    /// Every issue of a repository, with its labels.
    pub async fn labels(&self, repo: &str) -> Result<Vec<(u64, Vec<String>)>> {
        let issues: Vec<Labelled> = self.read(&format!("issues?repo={repo}")).await?;
        Ok(issues.into_iter().map(|issue| (issue.number, issue.labels)).collect())
    }

    /// Counts from zero again.
    pub async fn reset(&self) -> Result<()> {
        self.tell("reset", &json!({})).await
    }

    pub async fn set_latency(&self, ms: u64) -> Result<()> {
        self.tell("latency", &json!({ "ms": ms })).await
    }

    /// Changes what is on GitHub.
    pub async fn mutate(&self, change: &Value) -> Result<()> {
        self.tell("mutate", change).await
    }

    /// Sets webhooks up, and what goes wrong with them.
    pub async fn webhooks(&self, change: &Value) -> Result<Value> {
        let url = format!("{}/_sim/webhooks", self.url);
        let answer = self.http.post(url).json(change).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    pub async fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        let answer = self.http.get(format!("{}/_sim/{what}", self.url)).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn tell(&self, what: &str, body: &Value) -> Result<()> {
        let answer = self.http.post(format!("{}/_sim/{what}", self.url)).json(body).send().await?;
        if !answer.status().is_success() {
            bail!("/_sim/{what} refused {body}: {}", answer.text().await?);
        }
        Ok(())
    }
}

/// Waits for the line with its address and token.
async fn announced(program: &mut Program) -> Result<(String, String)> {
    let began = Instant::now();
    loop {
        let printed = program.printed()?;
        // A whole line only: it may be half written when we look.
        if let Some((line, _)) = printed.split_once('\n') {
            let mut words = line.strip_prefix("github-sim ").context("another first line")?.split(" token ");
            let (Some(url), Some(token)) = (words.next(), words.next()) else {
                bail!("the simulator announced {line:?}");
            };
            return Ok((url.to_owned(), token.to_owned()));
        }
        program.must_run()?;
        if began.elapsed() > START {
            bail!("the simulator is not ready after {START:?}");
        }
        sleep(LOOK_AGAIN).await;
    }
}
