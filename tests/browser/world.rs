//! The real program over a database of its own, with the simulated GitHub behind it.

#![expect(clippy::disallowed_types, reason = "the tests start the program")]

use std::process::{Command, Output};

use github_sim::{NewIssue, Sim, SimConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::{
    API,
    support::{
        Answer, TestDb,
        app::send,
        child::{Server, dispatch},
    },
};

pub struct World {
    pub sim: Sim,
    pub db: TestDb,
    pub server: Server,
    home: TempDir,
    repos: Vec<String>,
}

fn command(home: &TempDir, db: &TestDb, sim: &Sim, repos: &[String]) -> Command {
    let mut command = dispatch(home.path());
    command.env("DATABASE_URL", db.url()).env("GITHUB_API_URL", sim.url()).env("GITHUB_TOKEN", sim.token());
    command.env("GITHUB_REPOSITORIES", repos.join(",")).env("DISPATCH_GITHUB_WRITE_INTERVAL_MS", "0");
    // Nothing happens by itself, and GitHub is read when somebody asks for it, each time.
    command.env("DISPATCH_SCHEDULER_ENABLED", "false").env("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
    command.env("WEBHOOK_SECRET", "a secret that is long enough");
    command
}

impl World {
    /// A server that tracks these repositories.
    pub async fn start(repos: &[&str]) -> Self {
        let (sim, db) =
            (Sim::start_with(SimConfig::default().without_limits()).await, TestDb::sqlite().await);
        let repos: Vec<String> = repos.iter().map(|&name| name.to_owned()).collect();
        for name in &repos {
            sim.create_repo(name);
        }
        let home = TempDir::new().expect("a folder");
        let command = command(&home, &db, &sim, &repos);
        let server = block_in_place(|| Server::start(command));
        Self { sim, db, server, home, repos }
    }

    /// One with three issues of [`API`] that are ready, and an agent that was heard of.
    pub async fn at_work() -> Self {
        let world = Self::start(&[API]).await;
        world.sim.repo(API).seed(3, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
        world.beat("coder").await;
        world
    }

    /// The same server once more, listening here.
    pub fn start_at(&self, address: &str) -> Server {
        let mut command = command(&self.home, &self.db, &self.sim, &self.repos);
        command.env("DISPATCH_BIND", address);
        block_in_place(|| Server::start(command))
    }

    pub async fn beat(&self, agent: &str) {
        self.server.beat(agent).await.expect("an answer").expect(200);
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        post(&self.server, path, body).await
    }

    /// Runs a command against the server with this token.
    pub fn run(&self, token: &str, arguments: &[&str]) -> Output {
        let mut command = dispatch(self.home.path());
        command.env("DISPATCH_URL", &self.server.url).env("DISPATCH_AGENT_TOKEN", token).args(arguments);
        block_in_place(|| command.output().expect("it runs"))
    }

    pub fn labels(&self, number: u64) -> Vec<String> {
        let mut labels = self.sim.repo(API).issue(number).expect("the issue").labels;
        labels.sort();
        labels
    }
}

pub async fn post(server: &Server, path: &str, body: Value) -> Answer {
    send(server.request("POST", path).body(body.to_string())).await
}

/// The id of an issue of [`API`].
pub async fn id_of(server: &Server, number: u64) -> String {
    let path = format!("/api/issues/state?repo={API}&number={number}");
    let state = send(server.request("GET", &path)).await.expect(200);
    state["issueId"].as_str().expect("an id").to_owned()
}

/// Moves a card as another operator does.
pub async fn move_card(server: &Server, number: u64, to: &str) {
    let body = json!({
        "issueId": id_of(server, number).await, "repoFullName": API, "issueNumber": number,
        "oldLabels": [], "newLabels": [format!("status/{to}")],
    });
    post(server, "/api/issues/move", body).await.expect(200);
}

/// Is a card in this column? As a script asks for it.
pub fn is_in(id: &str, column: &str) -> String {
    format!("document.getElementById('card-{id}')?.closest('[data-column]').dataset.column === '{column}'")
}
