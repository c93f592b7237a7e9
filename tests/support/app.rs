//! The server under test, in this process: real HTTP on a real port.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use dispatch::{
    cli::serve,
    clock::{Clock, Ids, ManualClock},
    domain::{access::Tier, time::Timestamp},
    engine::{
        self, Engine, Writes,
        lead::{self, Campaign, Leader, Office},
        lifecycle, retention,
        sessions::SignIn,
    },
    github::{AppCredentials, AppKey, Credentials, GitHub, Settings},
    http::{self, api::health::About, auth::Access, sign_in::Doors},
};
use github_sim::{Sim, SimConfig};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use super::{Answer, BOUND, MAINTAINER, START_MS, TestDb, UNBOUND, spec};

/// How a server under test is set up.
pub struct AppBuilder {
    pub sim: SimConfig,
    pub repos: Vec<String>,
    pub anonymous: bool,
    pub token: Option<String>,
    /// Instead of a token: the private key of the App with the id 7, and its installations.
    pub app: Option<(String, String)>,
    pub api_url: Option<String>,
    pub engine: engine::Settings,
    pub points_per_minute: u32,
    pub request_timeout: Duration,
    /// How often a request is sent again that failed in a way that may pass.
    pub retries: u32,
    pub requests_per_second: u32,
    pub metrics_public: bool,
    pub sign_in: SignIn,
    /// How many proxies stand before the server.
    pub proxies: usize,
    /// Stands still until a test moves it; the simulator shares it.
    pub manual_clock: bool,
    pub seed: u64,
}

impl Default for AppBuilder {
    fn default() -> Self {
        Self {
            sim: SimConfig::default(),
            repos: Vec::new(),
            anonymous: false,
            token: None,
            app: None,
            api_url: None,
            engine: engine_settings(),
            points_per_minute: 600,
            request_timeout: Duration::from_secs(5),
            retries: 2,
            requests_per_second: 100,
            metrics_public: false,
            sign_in: SignIn::Link,
            proxies: 0,
            manual_clock: true,
            seed: 7,
        }
    }
}

/// The defaults of the product, but that no test waits for the pace of writes.
pub fn engine_settings() -> engine::Settings {
    let writes = Writes { enabled: true, interval: Duration::ZERO };
    engine::Settings { writes, ..engine::Settings::default() }
}

/// A server, its database and its GitHub.
pub struct App {
    pub sim: Sim,
    pub clock: ManualClock,
    pub engine: Engine,
    pub db: Arc<TestDb>,
    pub address: SocketAddr,
    client: reqwest::Client,
    stop: Arc<Notify>,
    server: Option<JoinHandle<()>>,
}

impl AppBuilder {
    /// The simulator first: tests fill it before the server starts.
    pub async fn simulator(&mut self) -> (Sim, ManualClock) {
        let clock = ManualClock::new(Timestamp(START_MS));
        if self.manual_clock {
            self.sim.clock = github_sim::Clock::Manual(github_sim::ManualClock::new(START_MS));
        }
        (Sim::start_with(self.sim.clone()).await, clock)
    }

    /// Starts simulator and server; every repository of `repos` exists and is tracked.
    pub async fn start(mut self, db: TestDb) -> App {
        let (sim, clock) = self.simulator().await;
        for repo in &self.repos {
            sim.create_repo(repo);
        }
        self.start_with(Arc::new(db), sim, clock).await
    }

    fn credentials(&self, sim: &Sim) -> Credentials {
        match (self.anonymous, &self.app, &self.token) {
            (true, ..) => Credentials::Anonymous,
            (_, Some((pem, installations)), _) => {
                let key = AppKey::from_pem(pem).expect("a key");
                let installations = installations.parse().expect("installations");
                Credentials::App(AppCredentials { app: "7".to_owned(), key, installations })
            }
            (_, None, Some(token)) => Credentials::Token(token.clone().into()),
            (_, None, None) => Credentials::Token(sim.token().into()),
        }
    }

    /// Starts the server over what is there.
    pub async fn start_with(self, db: Arc<TestDb>, sim: Sim, manual: ManualClock) -> App {
        let clock = if self.manual_clock { Clock::Manual(manual.clone()) } else { Clock::System };
        let ids = Ids::seeded(clock.clone(), self.seed);
        let credentials = self.credentials(&sim);
        let settings = Settings {
            api_url: self.api_url.unwrap_or_else(|| sim.url()).parse().expect("an address"),
            credentials,
            concurrency: 8,
            points_per_minute: self.points_per_minute,
            request_timeout: self.request_timeout,
            retries: self.retries,
            user_agent: "dispatch-tests".to_owned(),
        };
        let github = GitHub::new(&settings, &clock, &ids).expect("a client");
        let engine = Engine::new(db.open().await, github, clock, ids, self.engine);
        lifecycle::start(&engine).await.expect("a database that can be written");
        let names: Vec<_> = self.repos.iter().map(|name| name.parse().expect("owner/name")).collect();
        engine::repos::seed(&engine, &names).await.expect("seeded repositories");
        let access = access(self.requests_per_second).with_metrics_public(self.metrics_public);
        let access = access.with_doors(Doors::new(self.sign_in, None).behind(self.proxies));
        let app = http::App::new(engine.clone(), access, about());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its number");
        let stop = Arc::new(Notify::new());
        let (stopped, serving) = (Arc::clone(&stop), engine.clone());
        #[expect(clippy::disallowed_methods, reason = "the test owns its server")]
        let server = tokio::spawn(async move {
            let stop = async move { stopped.notified().await };
            serve::serve(&serving, app, listener, stop).await.expect("a clean end");
        });
        App { sim, clock: manual, engine, db, address, client: client(), stop, server: Some(server) }
    }
}

fn access(requests_per_second: u32) -> Access {
    let bound = Tier::Worker("bound".parse().expect("a name"));
    let tokens = [(MAINTAINER, Tier::Maintainer), (BOUND, bound), (UNBOUND, Tier::UnboundWorker)];
    Access::new(tokens.map(|(token, tier)| (token.into(), tier)), requests_per_second)
}

fn about() -> About {
    About { version: "test", auth_mode: "legacy", settings: Vec::new() }
}

/// A client that waits long and follows nothing.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().timeout(Duration::from_mins(1));
    builder.redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

impl App {
    /// A server with these repositories, all at rest.
    pub async fn with_repos(db: TestDb, repos: &[&str]) -> Self {
        let repos = repos.iter().map(|&name| name.to_owned()).collect();
        AppBuilder { repos, ..AppBuilder::default() }.start(db).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request with a token.
    pub fn request(&self, method: &str, path: &str, token: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.client.request(method, self.url(path)).bearer_auth(token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request("GET", path, MAINTAINER)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request("POST", path, MAINTAINER).body(body.to_string())).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request("DELETE", path, MAINTAINER)).await
    }

    /// A heartbeat; asserts 200.
    #[track_caller]
    pub fn beat(&self, agent: &str) -> impl Future<Output = Value> + use<> {
        let request = self.request("POST", &format!("/api/agents/{agent}/heartbeat"), MAINTAINER);
        async move { send(request).await.expect(200) }
    }

    /// Moves time on here and at GitHub, far enough that the next heartbeat reads anew.
    pub fn tick(&self) {
        self.advance(Duration::from_secs(10));
    }

    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
        if let github_sim::Clock::Manual(clock) = self.sim.clock() {
            clock.advance(span);
        }
    }

    /// This server's proof that it leads: a new term.
    pub async fn leader(&self) -> Leader {
        match lead::campaign(&self.engine, Office::Record).await.expect("the database") {
            Campaign::Won(leader) => leader,
            Campaign::Lost { until } => panic!("another leads until {until}"),
        }
    }

    /// Forgets old records, as the scheduler does every hour; how many.
    pub async fn prune(&self) -> u64 {
        retention::prune(&self.engine, &self.leader().await).await.expect("the database")
    }

    /// Time moves on, then a heartbeat.
    pub async fn next_beat(&self, agent: &str) -> Value {
        self.tick();
        self.beat(agent).await
    }

    /// Stops the server as SIGTERM does, and gives back what survives it.
    pub async fn stop(mut self) -> (Arc<TestDb>, Sim, ManualClock) {
        self.stop.notify_one();
        if let Some(server) = self.server.take() {
            server.await.expect("a clean end");
        }
        (Arc::clone(&self.db), self.sim.clone(), self.clock.clone())
    }
}

/// Sends and reads the whole answer, which must be as the description says.
pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    try_send(request).await.expect("an answer")
}

/// As [`send`], but the server may be killed before it has answered.
pub async fn try_send(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let (client, request) = request.build_split();
    let request = request?;
    let (method, path) = (request.method().to_string(), request.url().path().to_owned());
    let answer = Answer::read(client.execute(request).await?).await?;
    spec::check(&method, &path, &answer);
    Ok(answer)
}
