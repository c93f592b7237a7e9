//! Heartbeats that could do most of their work: what failed is a warning with its remedy, the rest is applied.

mod support;

use std::time::{Duration, Instant};

use github_sim::{Fault, FaultKind, Match};
use serde_json::{Value, json};
use support::{App, AppBuilder, answers::strings, table, world};

const API: &str = "acme/api";
const WEB: &str = "acme/web";
const OPS: &str = "acme/ops";

/// The longest that the simulator may take in tests whose subject is a time-out.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

fn url(repo: &str, number: u64) -> String {
    format!("https://github.com/{repo}/issues/{number}")
}

fn touched(beat: &Value) -> Vec<String> {
    strings(&beat["touchedIssueUrls"])
}

/// `syncError` of a tracked repository.
async fn sync_error(app: &App, repo: &str) -> Option<String> {
    let repos = app.get("/api/automation/repos").await.expect(200);
    let row = repos.as_array().expect("an array").iter().find(|row| row["fullName"] == repo);
    row.expect("it is tracked")["syncError"].as_str().map(str::to_owned)
}

async fn three(db: support::TestDb) -> App {
    let repos = [API, WEB, OPS].map(str::to_owned).to_vec();
    let builder = AppBuilder { repos, request_timeout: REQUEST_TIMEOUT, ..AppBuilder::default() };
    let app = builder.start(db).await;
    table::expect(&app.beat("coder").await, &[]);
    app
}

/// `API` fails in this way while the others change; then it is well again.
async fn fails_alone(app: &App, what: &str, kind: FaultKind, code: &str, changed: bool) {
    app.tick();
    let others = [WEB, OPS].map(|repo| (repo, app.sim.repo(repo).open_issue(what)));
    let own = changed.then(|| app.sim.repo(API).open_issue(what));
    let fault = app.sim.fault(Fault::new(kind).on(Match::repo(API)));
    let beat = app.next_beat("coder").await;
    assert!(app.sim.fault_hits(fault) > 0, "{what}: the fault never struck");
    table::expect(&beat, &[code]);
    assert_eq!(beat["status"], "warning", "{what}: {beat}");
    let about = table::about(&beat, API);
    assert_eq!(about.len(), 1, "{what}: {beat}");
    assert_eq!(table::code_of(&about[0]).name(), code, "{what}");
    let mut want = others.map(|(repo, number)| url(repo, number));
    want.sort();
    assert_eq!(touched(&beat), want, "{what}");
    let summary = beat["summary"].as_str().expect("a summary");
    assert!(
        summary.starts_with("3 repositories: 0 unchanged, 2 changed, 1 failed; 2 issues touched;"),
        "{what}: {summary}"
    );
    let shown = sync_error(app, API).await;
    assert!(shown.is_some(), "{what}: no syncError");
    assert_eq!((sync_error(app, WEB).await, sync_error(app, OPS).await), (None, None), "{what}");

    app.sim.clear_fault(fault);
    let beat = app.next_beat("coder").await;
    table::expect(&beat, &[]);
    assert_eq!(touched(&beat), own.map(|number| url(API, number)).into_iter().collect::<Vec<_>>(), "{what}");
    assert_eq!(sync_error(app, API).await, None, "{what}: syncError stays after the recovery");
    for repo in [API, WEB, OPS] {
        world::assert_same(app, repo).await;
    }
}

each_db! {
    async fn one_repository_is_refused_while_the_others_are_read(db) {
        let app = three(db).await;
        for (n, (what, kind, code)) in [
            ("404", FaultKind::Status(404), "repo_not_found"),
            ("403", FaultKind::Forbidden, "repo_forbidden"),
            ("410", FaultKind::Status(410), "issues_disabled"),
            ("451", FaultKind::Status(451), "repo_unavailable"),
            ("422", FaultKind::Status(422), "github_unexpected"),
            ("redirect", FaultKind::RedirectElsewhere("http://127.0.0.1:1/".into()), "redirect_refused"),
        ].into_iter().enumerate() {
            fails_alone(&app, what, kind, code, n % 2 == 0).await;
        }
    }

    async fn one_repository_fails_while_the_others_are_read(db) {
        let app = three(db).await;
        for (n, (what, kind, code)) in [
            ("500", FaultKind::Status(500), "github_failed"),
            ("503", FaultKind::Status(503), "github_failed"),
            ("reset", FaultKind::Reset, "connection_lost"),
            ("lost answer", FaultKind::LostAnswer, "connection_lost"),
        ].into_iter().enumerate() {
            fails_alone(&app, what, kind, code, n % 2 == 0).await;
        }
    }

    async fn one_repository_is_too_slow_while_the_others_are_read(db) {
        let app = three(db).await;
        fails_alone(&app, "hang", FaultKind::Hang, "timed_out", true).await;
        fails_alone(&app, "hang again", FaultKind::Hang, "timed_out", false).await;
        let slow = FaultKind::SlowBody { chunk: 8, every: Duration::from_millis(100) };
        fails_alone(&app, "slow body", slow, "timed_out", true).await;
    }

    async fn one_repository_answers_nonsense_while_the_others_are_read(db) {
        let app = three(db).await;
        for (n, (what, kind, code)) in [
            ("truncated", FaultKind::Truncate, "answer_cut"),
            ("wrong JSON", FaultKind::WrongJson, "answer_malformed"),
            // A page of a proxy for one repository is no wrong GITHUB_API_URL: the others were read.
            ("HTML", FaultKind::NotJson, "answer_malformed"),
            ("404 of a proxy", FaultKind::StatusWithBody(404, "not here".into()), "answer_malformed"),
        ].into_iter().enumerate() {
            fails_alone(&app, what, kind, code, n % 2 == 0).await;
        }
    }

    async fn a_body_that_is_only_slow_is_read(db) {
        let app = three(db).await;
        app.sim.repo(API).open_issue("One");
        let slow = FaultKind::SlowBody { chunk: 4_096, every: Duration::from_millis(20) };
        app.sim.fault(Fault::new(slow).on(Match::repo(API)));
        let beat = app.next_beat("coder").await;
        table::expect(&beat, &[]);
        assert_eq!(touched(&beat), [url(API, 1)]);
    }

    async fn a_fault_that_passes_is_no_warning(db) {
        let app = three(db).await;
        app.sim.repo(API).open_issue("One");
        for kind in [FaultKind::Status(502), FaultKind::Reset] {
            app.sim.fault(Fault::new(kind).on(Match::repo(API)).times(1));
        }
        let beat = app.next_beat("coder").await;
        table::expect(&beat, &[]);
        assert_eq!(touched(&beat), [url(API, 1)]);
        assert_eq!(app.sim.counters().by_status.get(&502), Some(&1));
    }

    async fn a_name_that_github_does_not_know_is_tracked_and_shows_its_error(db) {
        let app = App::with_repos(db, &[API]).await;
        table::expect(&app.beat("coder").await, &[]);
        app.post("/api/automation/repos", json!({ "fullName": "acme/later" })).await.expect(201);
        let beat = app.next_beat("coder").await;
        table::expect(&beat, &["repo_not_found"]);
        assert_eq!(table::about(&beat, "acme/later").len(), 1);
        assert_eq!(sync_error(&app, "acme/later").await, Some(table::about(&beat, "acme/later").remove(0)));
        app.sim.create_repo("acme/later").open_issue("One");
        let beat = app.next_beat("coder").await;
        table::expect(&beat, &[]);
        assert_eq!(touched(&beat), [url("acme/later", 1)]);
        assert_eq!(sync_error(&app, "acme/later").await, None);
    }

    async fn issues_that_are_turned_off_and_on_again(db) {
        let app = three(db).await;
        let api = app.sim.repo(API);
        api.open_issue("One");
        table::expect(&app.next_beat("coder").await, &[]);
        api.disable_issues();
        let beat = app.next_beat("coder").await;
        table::expect(&beat, &["issues_disabled"]);
        assert_eq!(table::about(&beat, API).len(), 1);
        assert_eq!(world::cached(&app, API).await.len(), 1, "what is cached stays");
        api.enable_issues();
        table::expect(&app.next_beat("coder").await, &[]);
        world::assert_same(&app, API).await;
        let ops = app.sim.create_repo("acme/off");
        ops.disable_issues();
        app.post("/api/automation/repos", json!({ "fullName": "acme/off" })).await.expect(201);
        table::expect(&app.next_beat("coder").await, &["issues_disabled"]);
    }

    async fn a_name_taken_over_or_tracked_twice_says_so(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        table::expect(&app.beat("coder").await, &[]);
        // `acme/core` is tracked before `acme/api` becomes it.
        app.post("/api/automation/repos", json!({ "fullName": "acme/core" })).await.expect(201);
        app.sim.repo(API).rename("acme/core");
        let beat = app.next_beat("coder").await;
        table::expect(&beat, &["renamed_to_tracked"]);
        assert_eq!(table::about(&beat, API).len(), 1);
        app.delete(&format!("/api/automation/repos/{API}")).await.expect(200);
        table::expect(&app.next_beat("coder").await, &[]);
        // The old name of `acme/web` leads to a stranger now.
        app.sim.repo(WEB).delete();
        let stranger = app.sim.create_repo(WEB);
        stranger.rename("acme/stranger");
        stranger.open_issue("Not ours");
        let beat = app.next_beat("coder").await;
        table::expect(&beat, &["repo_replaced"]);
        assert_eq!(table::about(&beat, WEB).len(), 1);
    }

    async fn without_a_token_public_repositories_are_read_with_a_warning(db) {
        let repos = vec![API.to_owned(), WEB.to_owned()];
        let mut builder = AppBuilder { repos, anonymous: true, ..AppBuilder::default() };
        let (sim, clock) = builder.simulator().await;
        sim.create_repo(API).open_issue("One");
        let web = sim.create_repo(WEB);
        web.open_issue("Secret");
        web.set_private(true);
        let app = builder.start_with(std::sync::Arc::new(db), sim, clock).await;
        let beat = app.beat("coder").await;
        table::expect(&beat, &["anonymous", "repo_not_found"]);
        assert_eq!(beat["status"], "warning");
        assert_eq!(table::about(&beat, "GitHub").len(), 1);
        assert!(table::about(&beat, "GitHub")[0].contains("60 requests an hour; set GITHUB_TOKEN"));
        assert_eq!(table::about(&beat, WEB).len(), 1);
        assert_eq!(touched(&beat), [url(API, 1)]);
        let counters = app.sim.counters();
        assert_eq!(counters.anonymous, counters.requests);
        web.set_private(false);
        let beat = app.next_beat("coder").await;
        table::expect(&beat, &["anonymous"]);
        assert_eq!(touched(&beat), [url(WEB, 1)]);
    }

    async fn without_a_token_the_hour_runs_out_and_comes_back(db) {
        let repos = [API, WEB, OPS].map(str::to_owned).to_vec();
        let app = AppBuilder { repos, anonymous: true, ..AppBuilder::default() }.start(db).await;
        let mut passes = 0;
        let backed_off = loop {
            let beat = app.next_beat("coder").await;
            let codes = table::check(&beat);
            assert!(codes.contains("anonymous"), "{beat}");
            if codes.contains("quota_reserved") {
                break beat;
            }
            passes += 1;
            assert!(passes < 30, "60 requests never ran out");
        };
        // 6 requests at the first pass, 3 at each other, 6 of 60 in reserve.
        assert!((16..=18).contains(&passes), "{passes} passes");
        assert_eq!(backed_off["status"], "warning");
        let counters = app.sim.counters();
        assert_eq!(counters.primary_limited, 0, "the reserve was not kept");
        let reset = app.sim.requests()[0].at_ms + 3_600_000;
        let until = dispatch::domain::time::Timestamp(reset).to_string();
        assert!(table::about(&backed_off, "GitHub").iter().any(|message| message.contains(&until)), "{backed_off}");
        let asked_before = counters.requests;
        app.tick();
        let began = Instant::now();
        let beat = app.beat("coder").await;
        assert!(began.elapsed() < Duration::from_secs(2), "a back-off is answered at once");
        table::expect(&beat, &["anonymous", "quota_reserved"]);
        assert_eq!(app.sim.counters().requests, asked_before);
        assert!(beat["nextHeartbeatAt"].as_str().unwrap() >= until.as_str(), "{beat}");
        app.advance(Duration::from_hours(1));
        table::expect(&app.beat("coder").await, &["anonymous"]);
    }

    async fn at_the_deadline_the_answer_goes_out_and_the_read_goes_on(db) {
        let deadline = Duration::from_millis(400);
        let mut builder = AppBuilder { repos: vec![API.into(), WEB.into()], ..AppBuilder::default() };
        builder.engine.heartbeat_deadline = deadline;
        let app = builder.start(db).await;
        settle(&app).await;
        app.sim.repo(API).open_issue("Slow");
        app.sim.repo(WEB).open_issue("Fast");
        let late = FaultKind::Delay(Duration::from_millis(1_500));
        app.sim.fault(Fault::new(late).on(Match::repo(API)));
        app.tick();
        app.sim.reset_counters();
        let began = Instant::now();
        let beat = app.beat("coder").await;
        let took = began.elapsed();
        assert!(took >= deadline && took < deadline + Duration::from_millis(300), "{took:?}");
        table::expect(&beat, &["still_reading"]);
        let about = table::about(&beat, API);
        assert_eq!(about.len(), 1);
        assert!(about[0].contains("still being read after 400 ms"), "{}", about[0]);
        assert_eq!(touched(&beat), [url(WEB, 1)]);
        assert!(beat["summary"].as_str().unwrap().contains(", 1 left for the next pass;"), "{beat}");
        assert_eq!(sync_error(&app, API).await, None, "slow is not failed");
        // The clock stands still: the same read serves everybody from now on.
        settle(&app).await;
        assert_eq!(app.sim.counters().requests, 2, "one request for each repository");
        world::assert_same(&app, API).await;
    }
}

/// Beats until nothing is left to be read.
async fn settle(app: &App) {
    for _ in 0..20 {
        let beat = app.beat("coder").await;
        if beat["status"] == "ok" {
            return;
        }
        table::expect(&beat, &["still_reading"]);
    }
    panic!("never settled");
}
