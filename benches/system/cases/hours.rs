//! What standing still costs a GitHub App: its token ends every hour, and ETags end with the token.
//!
//! Hours are not waited for: engine and simulator run in this process, over real HTTP, with clocks that are
//! moved by hand, a minute at a time.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use dispatch::{
    clock::{Clock, Ids, ManualClock},
    domain::time::Timestamp,
    engine::{self, Engine, heartbeat::Beaten, lifecycle},
    github::{AppCredentials, AppKey, Credentials, GitHub, Settings},
    store::Db,
};
use github_sim::{Permission, Seeding, Sim, SimConfig};

use super::{Backend, Bench, Row};
use crate::{
    database::Database,
    spread::{Spread, count},
};

const HOURS: usize = 3;
const MINUTE: Duration = Duration::from_mins(1);

/// 2026-01-01T00:00:00Z
const START_MS: i64 = 1_767_225_600_000;

const fn repos(quick: bool) -> usize {
    if quick { 10 } else { 30 }
}

pub fn title(quick: bool) -> String {
    format!(
        "{HOURS} hours of a heartbeat a minute, nothing changes: {} repositories x 100 open issues [one process, clocks moved by hand]",
        repos(quick)
    )
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let repos = repos(bench.options.quick);
    let (app, token) =
        (hours(bench, backend, repos, true).await?, hours(bench, backend, repos, false).await?);
    let many = repos as u64;
    let per_hour = |figures: &Spread<u64>| figures.write(|all| format!("{} / {many}", count(all)));
    Ok(vec![
        Row::section("as a GitHub App, whose token ends every hour"),
        Row::new("  paid reads per hour / repositories", per_hour(&app.paid))
            .must_be("1 per repository and hour", app.paid.is_always(many)),
        Row::new("  tokens fetched per hour", app.tokens.counts()).must_be("1", app.tokens.is_always(1)),
        Row::new("  reads per hour", app.reads.counts()),
        Row::new("  of these free (304)", app.free.counts()),
        Row::section("with a token that does not end"),
        Row::new("  paid reads per hour / repositories", per_hour(&token.paid))
            .must_be("0", token.paid.is_always(0)),
        Row::new("  reads per hour", token.reads.counts()),
    ])
}

/// One figure for each hour.
#[derive(Default)]
struct Hours {
    reads: Spread<u64>,
    free: Spread<u64>,
    paid: Spread<u64>,
    tokens: Spread<u64>,
}

async fn hours(bench: &Bench, backend: Backend, repos: usize, is_app: bool) -> Result<Hours> {
    let theirs = github_sim::ManualClock::new(START_MS);
    let clock = github_sim::Clock::Manual(theirs.clone());
    let sim = Sim::start_with(SimConfig { clock, ..SimConfig::default() }).await;
    sim.populate(&Seeding { repos, issues: 100, ..Seeding::default() });
    let database = Database::create(bench, backend).await?;
    let ours = ManualClock::new(Timestamp(START_MS));
    let engine = engine(&database, &bench.path("hours"), &sim, &ours, is_app).await?;
    let names: Vec<_> = (1..=repos).map(|n| format!("acme/repo-{n:02}").parse()).collect::<Result<_, _>>()?;
    engine::repos::seed(&engine, &names).await?;
    // The first load, with the first token.
    beat(&engine).await?;
    let mut hours = Hours::default();
    for _ in 0..HOURS {
        sim.reset_counters();
        for _ in 0..60 {
            theirs.advance(MINUTE);
            ours.advance(MINUTE);
            beat(&engine).await?;
        }
        let counters = sim.counters();
        let of_kind = |kind: &str| counters.by_kind.get(kind).copied().unwrap_or(0);
        let reads = of_kind("issues.list");
        hours.reads.add(reads);
        hours.free.add(counters.not_modified);
        hours.paid.add(reads - counters.not_modified);
        hours.tokens.add(of_kind("access_tokens.create"));
    }
    engine.tasks().finish(Duration::from_secs(10)).await;
    engine.db().close().await;
    sim.stop().await;
    database.remove().await?;
    Ok(hours)
}

async fn engine(
    database: &Database,
    folder: &Path,
    sim: &Sim,
    ours: &ManualClock,
    is_app: bool,
) -> Result<Engine> {
    let clock = Clock::Manual(ours.clone());
    let ids = Ids::seeded(clock.clone(), 7);
    let settings = Settings {
        api_url: sim.url().parse()?,
        credentials: if is_app { app(sim)? } else { Credentials::Token(sim.token().into()) },
        concurrency: 8,
        points_per_minute: 600,
        request_timeout: Duration::from_secs(20),
        retries: 2,
        user_agent: "dispatch-bench".to_owned(),
    };
    let github = GitHub::new(&settings, &clock, &ids)?;
    let db = if let Some(url) = database.url() {
        Db::open_postgres(&url).await?
    } else {
        std::fs::create_dir_all(folder)?;
        Db::open_sqlite(&folder.join("dispatch.db")).await?
    };
    let engine = Engine::new(db, github, clock, ids, engine::Settings::default());
    lifecycle::start(&engine).await?;
    Ok(engine)
}

fn app(sim: &Sim) -> Result<Credentials> {
    let app = sim.create_app(7);
    let installation = app.install("acme", Permission::Read);
    let key = AppKey::from_pem(&app.private_key_pem()).ok().context("the simulator's key")?;
    let installations = installation.to_string().parse().ok().context("an installation")?;
    Ok(Credentials::App(AppCredentials { app: "7".to_owned(), key, installations }))
}

async fn beat(engine: &Engine) -> Result<()> {
    let beat = engine.beat("coder".parse()?, None);
    let Beaten::Recorded(answer) = engine::heartbeat::heartbeat(engine, beat).await else {
        bail!("a heartbeat was not recorded");
    };
    ensure!(
        answer.errors.is_empty() && answer.warnings.is_empty(),
        "{:?} {:?}",
        answer.errors,
        answer.warnings
    );
    Ok(())
}
