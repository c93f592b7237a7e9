//! GitHub App credentials from the front door: which keys work, what a token costs and when, several
//! installations, and what is said when something is wrong.

mod support;

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use github_sim::{Fault, FaultKind, Match, Permission, Sim, SimApp};
use serde_json::Value;
use support::{App, AppBuilder, MAINTAINER, TestDb, answers::strings, app::send, child, world};

const API: &str = "acme/api";
const WEB: &str = "beta/web";
const MINUTE: Duration = Duration::from_mins(1);

/// A simulator with these repositories and an App that is installed on `acme` and `beta`.
struct World {
    builder: AppBuilder,
    db: TestDb,
    sim: Sim,
    clock: dispatch::clock::ManualClock,
    app: SimApp,
    acme: u64,
    beta: u64,
}

impl World {
    async fn new(db: TestDb, repos: &[&str]) -> Self {
        let repos: Vec<String> = repos.iter().map(|&name| name.to_owned()).collect();
        let mut builder = AppBuilder { repos, ..AppBuilder::default() };
        let (sim, clock) = builder.simulator().await;
        for repo in &builder.repos {
            sim.create_repo(repo).open_issue("One");
        }
        let app = sim.create_app(7);
        let (acme, beta) = (app.install("acme", Permission::Write), app.install("beta", Permission::Write));
        Self { builder, db, sim, clock, app, acme, beta }
    }

    /// The server with that key and these installations.
    async fn start_with(mut self, key: String, installations: String) -> App {
        self.builder.app = Some((key, installations));
        self.builder.start_with(Arc::new(self.db), self.sim, self.clock).await
    }

    async fn start(self) -> App {
        let (key, installations) = (self.app.private_key_pem(), self.both());
        self.start_with(key, installations).await
    }

    fn both(&self) -> String {
        format!("Acme:{},beta:{}", self.acme, self.beta)
    }
}

fn kind(app: &App, kind: &str) -> u64 {
    app.sim.counters().by_kind.get(kind).copied().unwrap_or(0)
}

fn tokens(app: &App) -> u64 {
    kind(app, "access_tokens.create")
}

fn said(beat: &Value) -> Vec<String> {
    [strings(&beat["warnings"]), strings(&beat["errors"])].concat()
}

#[track_caller]
fn assert_ok(beat: &Value) {
    assert_eq!(beat["status"], "ok", "{beat}");
}

each_db! {
    async fn every_form_of_the_key_works(db) {
        let world = World::new(db, &[API]).await;
        let (pkcs1, pkcs8) = (world.app.private_key_pem(), world.app.private_key_pkcs8_pem());
        let builder = world.builder;
        let db = Arc::new(world.db);
        let installation = world.acme.to_string();
        for key in [pkcs1.clone(), pkcs8.clone(), pkcs1.replace('\n', "\\n"), pkcs8.replace('\n', "\\n")] {
            let repos = builder.repos.clone();
            let builder = AppBuilder { repos, app: Some((key, installation.clone())), ..AppBuilder::default() };
            let app = builder.start_with(Arc::clone(&db), world.sim.clone(), world.clock.clone()).await;
            app.sim.repo(API).open_issue("Another");
            let beat = app.next_beat("coder").await;
            assert_ok(&beat);
            assert!(!strings(&beat["touchedIssueUrls"]).is_empty());
            world::assert_same(&app, API).await;
            app.stop().await;
        }
    }

    async fn thirty_two_reads_at_once_fetch_one_token(db) {
        let names: Vec<String> = (1..=32).map(|n| format!("acme/r{n:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let world = World::new(db, &names).await;
        world.sim.set_latency(Duration::from_millis(20));
        let app = world.start().await;
        let beats = join_all((0..4).map(|n| app.beat(&format!("agent-{n}")))).await;
        beats.iter().for_each(assert_ok);
        assert_eq!((tokens(&app), kind(&app, "issues.list")), (1, 32));
        assert_eq!(app.sim.counters().by_status.get(&401), None);
    }

    async fn a_token_costs_one_paid_read_per_repository_and_hour(db) {
        let names: Vec<String> = (1..=10).map(|n| format!("acme/r{n:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let app = World::new(db, &names).await.start().await;
        assert_ok(&app.beat("coder").await);
        // The token is renewed 5 min before its end: in the minutes 55, 110 and 165.
        let mut costs = Vec::new();
        for _ in 0..3 {
            app.sim.reset_counters();
            for _ in 0..60 {
                app.advance(MINUTE);
                assert_ok(&app.beat("coder").await);
            }
            let counters = app.sim.counters();
            costs.push((kind(&app, "issues.list") - counters.not_modified, tokens(&app)));
            assert_eq!(counters.by_status.keys().copied().collect::<Vec<_>>(), [200, 201, 304]);
            assert_eq!(counters.quota_spent, 11, "reads of the installation, and the App's one request");
        }
        println!("10 repositories, a heartbeat a minute: (paid reads, tokens) in each of 3 hours: {costs:?}");
        assert_eq!(costs, [(10, 1); 3]);
    }

    async fn a_renewal_that_fails_leaves_the_old_token_while_it_is_good(db) {
        let app = World::new(db, &[API]).await.start().await;
        assert_ok(&app.beat("coder").await);
        let fault = Fault::new(FaultKind::Status(502)).on(Match::kind("access_tokens.create"));
        let fault = app.sim.fault(fault);
        app.advance(56 * MINUTE);
        assert_ok(&app.beat("coder").await);
        app.advance(2 * MINUTE);
        assert_ok(&app.beat("coder").await);
        assert_eq!(app.sim.fault_hits(fault), 2, "one try each time");
        app.advance(2 * MINUTE);
        let beat = app.beat("coder").await;
        assert!(said(&beat)[0].starts_with("sync: acme/api: GitHub failed with 502; "), "{beat}");
        app.sim.clear_faults();
        assert_ok(&app.next_beat("coder").await);
        assert_eq!(app.sim.counters().by_status.get(&401), None);
    }

    async fn a_token_that_ended_early_is_replaced_once(db) {
        let world = World::new(db, &[API]).await;
        let (sim_app, acme) = (world.app.clone(), world.acme);
        let app = world.start().await;
        assert_ok(&app.beat("coder").await);
        sim_app.revoke_tokens(acme);
        app.sim.reset_counters();
        assert_ok(&app.next_beat("coder").await);
        assert_eq!((tokens(&app), app.sim.counters().by_status[&401]), (1, 1));

        app.sim.fault(Fault::new(FaultKind::BadCredentials).on(Match::kind("issues.list")));
        app.sim.reset_counters();
        let beat = app.next_beat("coder").await;
        assert_eq!(beat["status"], "error");
        assert!(said(&beat)[0].starts_with("sync: GitHub (Acme): the credentials were refused (401); "), "{beat}");
        assert_eq!((tokens(&app), kind(&app, "issues.list")), (1, 2), "tried again once");
        app.next_beat("coder").await;
        assert_eq!(kind(&app, "issues.list"), 2, "and not again for a minute");
    }

    async fn installations_share_no_limit(db) {
        let app = World::new(db, &[API, WEB]).await.start().await;
        assert_ok(&app.beat("coder").await);
        assert_eq!(tokens(&app), 2);
        let limit = FaultKind::SecondaryLimit { status: 403, retry_after: Some(600) };
        app.sim.fault(Fault::new(limit).on(Match::repo(API)).times(1));
        app.next_beat("coder").await;
        app.sim.repo(WEB).open_issue("Two");
        app.sim.reset_counters();
        let beat = app.next_beat("coder").await;
        assert_eq!(strings(&beat["warnings"]), [
            "sync: GitHub (Acme): a secondary rate limit asks to wait until 2026-01-01T00:10:10.000Z; \
             nothing; the cache is served as it is and reading resumes by itself"
        ]);
        assert_eq!(strings(&beat["touchedIssueUrls"]), ["https://github.com/beta/web/issues/2"]);
        assert_eq!(app.sim.counters().requests, 1, "nothing goes to the limited installation");
        let next = beat["nextHeartbeatAt"].as_str().unwrap();
        assert!(next < "2026-01-01T00:01:30", "{next}");
        let synced = app.post("/api/sync", serde_json::json!({})).await.expect(200);
        let errors: Vec<bool> =
            synced["results"].as_array().unwrap().iter().map(|result| result["error"].is_null()).collect();
        assert_eq!(errors, [false, true], "{synced}");
        app.advance(10 * MINUTE);
        assert_ok(&app.beat("coder").await);
    }

    async fn a_wrong_key_is_an_error_with_its_remedy(db) {
        let world = World::new(db, &[API]).await;
        let wrong = world.sim.create_app(8).private_key_pem();
        let installation = world.acme.to_string();
        let app = world.start_with(wrong, installation).await;
        let remedy = "sync: GitHub: the key of the GitHub App was refused (401); check that GITHUB_APP_PRIVATE_KEY \
                      is a key of the App of GITHUB_APP_ID, and that this machine's clock is right";
        for _ in 0..3 {
            let beat = app.next_beat("coder").await;
            assert_eq!(beat["status"], "error");
            assert_eq!(said(&beat).iter().filter(|line| *line == remedy).count(), 1, "{beat}");
        }
        assert_eq!(tokens(&app), 1, "not shown again for a minute");
    }

    async fn unknown_and_suspended_installations_and_owners_without_any_are_told_apart(db) {
        let world = World::new(db, &[API, WEB, "gamma/x"]).await;
        let (sim_app, acme) = (world.app.clone(), world.acme);
        let (key, installations) = (world.app.private_key_pem(), format!("acme:{acme},beta:404"));
        let app = world.start_with(key, installations).await;
        let unknown = "sync: GitHub (beta): there is no such installation of the GitHub App (404); set \
                       GITHUB_APP_INSTALLATION_ID to the number in the address of the installation's settings page, \
                       and check GITHUB_APP_ID";
        let nobody = "sync: gamma/x: no installation of the GitHub App is configured for its owner; install the App \
                      there and add owner:id to GITHUB_APP_INSTALLATION_ID, or stop tracking the repository";
        for _ in 0..2 {
            let beat = app.next_beat("coder").await;
            assert_eq!(beat["status"], "warning");
            assert_eq!(said(&beat), [unknown, nobody]);
        }
        world::assert_same(&app, API).await;
        sim_app.suspend(acme);
        app.advance(60 * MINUTE);
        let beat = app.beat("coder").await;
        assert_eq!(beat["status"], "error", "every repository failed");
        let suspended = "sync: GitHub (acme): no token was given out for the installation of the GitHub App (403); ";
        assert!(said(&beat).iter().any(|line| line.starts_with(suspended)), "{beat}");
        sim_app.unsuspend(acme);
        app.advance(2 * MINUTE);
        assert_eq!(said(&app.beat("coder").await), [unknown, nobody]);
    }

    async fn a_default_installation_reads_for_all_other_owners(db) {
        let world = World::new(db, &[API, WEB]).await;
        let (key, installations) = (world.app.private_key_pem(), format!("beta:{},{}", world.beta, world.acme));
        let app = world.start_with(key, installations).await;
        assert_ok(&app.beat("coder").await);
        world::assert_same(&app, API).await;
        world::assert_same(&app, WEB).await;
    }

    async fn no_secret_gets_into_a_log_or_an_answer(db) {
        let sim = Sim::start().await;
        sim.create_repo(API).open_issue("One");
        let app = sim.create_app(7);
        let (acme, wrong) = (app.install("acme", Permission::Write), sim.create_app(8));
        let home = tempfile::TempDir::new().unwrap();
        for (key, installation) in [
            (app.private_key_pem(), acme.to_string()),
            (app.private_key_pkcs8_pem().replace('\n', "\\n"), format!("acme:{acme},beta:404")),
            (wrong.private_key_pem(), acme.to_string()),
        ] {
            let mut command = child::dispatch(home.path());
            command.env("DATABASE_URL", db.url()).env("GITHUB_API_URL", sim.url());
            command.env("GITHUB_APP_ID", "7").env("GITHUB_APP_INSTALLATION_ID", installation);
            command.env("DISPATCH_LOG", "trace").env("GITHUB_APP_PRIVATE_KEY", &key).env("GITHUB_REPOSITORIES", "acme/api,beta/web");
            let server = child::Server::start(command);
            let beat = server.beat("coder").await.expect("an answer");
            let repos = server.request("GET", "/api/automation/repos");
            let text = [beat.text, send(repos).await.text, server.drain().join("\n")].concat();
            assert!(text.contains("asked GitHub") || text.contains("no token for the installation"), "{text}");
            let lines = key.split(['\n', '\\']).map(|line| line.trim_start_matches('n'));
            for secret in lines.filter(|line| line.len() > 20).chain(["ghs_", "eyJ", MAINTAINER]) {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }
}
