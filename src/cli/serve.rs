//! `dispatch serve`: the server, from its first line to its graceful end.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use axum::{ServiceExt as _, serve::ListenerExt as _};
use clap::Args;
use tokio::net::TcpListener;

use super::{
    first_start::{self, AdminToken},
    greeting, log, login_link,
    open::{self, Opened},
};
use crate::{
    config::{Config, Settings, Told, Variable, check_names},
    engine::{Engine, events, lifecycle, repos, webhooks},
    http::{
        App,
        api::health::About,
        auth::Access,
        front::Front,
        pages::{Setting, Shown},
        patience::Patient,
        sign_in::Doors,
    },
    scheduler,
};

/// How long the server finishes what it began after it was asked to stop.
const GRACE: Duration = Duration::from_secs(10);

/// A client that reads nothing of its answer for so long is given up.
const READ_WITHIN: Duration = Duration::from_secs(30);

pub const MORE: &str = "\
Each variable of the environment is also a flag; a flag wins. A bad value stops the start with the variable, \
the fault and an example; a misspelt DISPATCH_* name is a warning with the nearest known one. \
DISPATCH_URL and the token of `dispatch heartbeat` and other commands are theirs, not the server's.

Examples:
  GITHUB_TOKEN=... GITHUB_REPOSITORIES=octocat/hello-world dispatch serve
  dispatch serve --bind 0.0.0.0:3000 --data-dir /var/lib/dispatch

Exit codes: 0 stopped by Ctrl-C or SIGTERM, after what was begun was finished (at most 10 s); 2 error.";

/// Runs the server.
#[derive(Args)]
pub struct Serve {
    /// Print the first lines, with the address, as one line of JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        log::start("info", self.settings.logging());
        let config = Config::read(&self.settings)?;
        login_link::check(&config.sign_in)?;
        for warning in config.warnings.iter().cloned().chain(environment_warnings()) {
            tracing::warn!("{warning}");
        }
        let ready = prepare(&config).await?;
        let (address, engine) = (ready.address, &ready.opened.engine);
        // Before anybody is told that the server is there, and may ask it to end.
        let stop = stop_signal();
        tracing::info!(version = env!("CARGO_PKG_VERSION"), %address, database = ?engine.db().dialect(), "listening");
        let link = login_link::for_terminal(engine, &config, address).await?;
        greeting::print(engine, &config, address, (&ready.admin, link), self.json).await?;
        ready.serve(&config, stop).await?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// A server that only has to be let go.
pub struct Ready {
    pub opened: Opened,
    pub address: SocketAddr,
    pub admin: AdminToken,
    listener: TcpListener,
}

/// Opens everything that a server needs: its database, its first token, its port.
pub async fn prepare(config: &Config) -> anyhow::Result<Ready> {
    let opened = open::open(config).await?;
    repos::seed(&opened.engine, &config.repositories).await?;
    let admin = first_start::admin_token(&opened.engine, config).await?;
    let listener = TcpListener::bind(config.bind).await.with_context(|| {
        format!(
            "{} cannot be listened on; is it in use? --port or, for `serve`, DISPATCH_BIND or PORT choose another",
            config.bind
        )
    })?;
    let address = listener.local_addr()?;
    Ok(Ready { opened, address, admin, listener })
}

impl Ready {
    /// Serves until `stop`, with everything periodic.
    pub async fn serve(
        self,
        config: &Config,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let engine = &self.opened.engine;
        scheduler::start(engine, &config.schedule);
        serve(engine, app(engine, config), self.listener, stop).await
    }
}

fn environment_warnings() -> Vec<String> {
    check_names(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))
}

fn app(engine: &Engine, config: &Config) -> App {
    let access = Access::new(config.tokens.iter().cloned(), config.requests_per_second)
        .with_metrics_public(config.metrics_public)
        .with_doors(
            Doors::new(config.sign_in.clone(), config.public_url.clone()).behind(config.trusted_proxies),
        );
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        auth_mode: config.auth_mode.name(),
        settings: config.variables.iter().map(setting).collect(),
    };
    App::new(engine.clone(), access, about)
}

fn setting(variable: &Variable) -> Setting {
    let value = match &variable.value {
        Told::Is(value) => Shown::Is(value.clone()),
        Told::Secret => Shown::Secret,
        Told::Default(value) => Shown::Default(value.clone()),
        Told::Unset => Shown::Unset,
    };
    Setting { group: variable.group.clone(), variable: variable.name.clone(), value }
}

/// Serves until `stop`, then finishes what writes, for at most 10 s.
pub async fn serve(
    engine: &Engine,
    app: App,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    events::start(engine);
    webhooks::start(engine);
    let service = Front::new(app).into_make_service_with_connect_info::<SocketAddr>();
    let stopping = engine.tasks().stopping().clone();
    // The way to the address of a caller leads through `tap_io`.
    let listener = Patient::new(listener, READ_WITHIN).tap_io(|_| {});
    let server = axum::serve(listener, service)
        .with_graceful_shutdown(async move { stopping.cancelled().await })
        .into_future();
    // Not one of the tasks that the end waits for: an idle keep-alive connection must not hold it up.
    let mut server = tokio::task::JoinSet::from_iter([server]);
    tokio::select! {
        () = stop => tracing::info!("stopping: finishing what was begun"),
        ended = server.join_next() => {
            ended.transpose().context("the server failed")?.transpose().context("the server failed")?;
        }
    }
    if !engine.tasks().finish(GRACE).await {
        tracing::warn!(seconds = GRACE.as_secs(), "stopped before everything was finished; nothing is lost");
    }
    if let Err(error) = lifecycle::stop(engine).await {
        tracing::warn!(%error, "the end could not be recorded; the next start records it");
    }
    events::end(engine).await;
    server.abort_all();
    engine.db().close().await;
    Ok(())
}

/// Ctrl-C or SIGTERM. From the call on, neither ends the process by itself: call it when nothing long stands between
/// it and its waiting.
pub fn stop_signal() -> impl Future<Output = ()> + Send + 'static {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let both = signal(SignalKind::interrupt()).and_then(|interrupt| {
            let terminate = signal(SignalKind::terminate())?;
            Ok((interrupt, terminate))
        });
        async move {
            match both {
                Ok((mut interrupt, mut terminate)) => {
                    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                }
                // Without handlers the signals do what they always do.
                Err(_) => std::future::pending().await,
            }
        }
    }
    #[cfg(not(unix))]
    async {
        drop(tokio::signal::ctrl_c().await);
    }
}
