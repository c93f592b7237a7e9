//! What Dispatch sends: a server that meets everything its reads can meet, and each of its requests.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use dispatch::{
    clock::{Clock, Ids},
    domain::{
        ids::IssueNumber,
        outbox::{Asker, NewIssue, StateEdit},
        pull_event::PullNow,
    },
    engine::{
        outbox::{self, Turn},
        publish,
    },
    github::{AppCredentials, AppKey, Credentials, GitHub, Reading, Settings},
    store::{issue_facts, issue_list, repos},
};
use github_sim::{
    CiRun, Conclusion, Exchange, Fault, FaultKind, Match, NewIssue as Opened, Permission, ReviewState, Sim,
    SimConfig,
};
use serde_json::json;

use crate::{
    check::Checker,
    hooked,
    support::{App, AppBuilder, TestDb},
};

pub const API: &str = "acme/api";
pub const WEB: &str = "acme/web";

/// The kinds of the client's requests, and in how many places of `src/github` their URL is made. A request that is
/// new there belongs here, and something below that makes the client send it.
const SENT: [(&str, usize); 35] = [
    ("access_tokens.create", 1),
    ("app_deliveries.get", 0),
    // One address of deliveries, for all that is asked about them.
    ("app_deliveries.list", 1),
    ("app_deliveries.redeliver", 0),
    ("blocked_by.list", 1),
    // One address of comments, for posting and for looking.
    ("comments.create", 1),
    ("comments.delete", 0),
    ("comments.list", 0),
    // One address of a comment, for changing and for deleting it.
    ("comments.update", 1),
    ("commits.list", 1),
    ("deliveries.get", 0),
    ("deliveries.list", 0),
    ("deliveries.redeliver", 0),
    ("hooks.create", 0),
    ("hooks.delete", 0),
    // One address of webhooks; deliveries lie below it.
    ("hooks.list", 1),
    ("hooks.update", 0),
    ("installations.get", 1),
    // The list's address.
    ("issues.create", 0),
    ("issues.get", 1),
    ("issues.list", 2),
    ("issues.update", 1),
    // One address of labels; a removal names its label behind it.
    ("job_logs.get", 1),
    ("jobs.list", 1),
    ("labels.add", 1),
    ("labels.remove", 0),
    ("line_comments.list", 1),
    ("check_runs.list", 1),
    ("pulls.get", 1),
    ("pulls.list", 1),
    ("rate_limit.get", 2),
    ("repos.get", 2),
    ("reviews.list", 1),
    ("runs.list", 1),
    ("user.get", 1),
];

#[tokio::test]
async fn every_request_of_the_client_is_described() {
    let mut exchanges = with_a_token().await;
    exchanges.extend(as_an_app().await);
    exchanges.extend(as_nobody().await);
    exchanges.extend(as_a_doctor().await);
    exchanges.extend(hooked::by_a_token().await);
    exchanges.extend(hooked::by_an_app().await);
    exchanges.extend(pull_requests().await);
    let mut checker = Checker::new();
    let faults: Vec<String> = exchanges
        .iter()
        .flat_map(|it| {
            let mut faults = checker.request(it);
            faults.extend(checker.answer(it));
            faults
        })
        .collect();
    assert_eq!(faults, [""; 0], "{} of {}: {}", faults.len(), exchanges.len(), faults.join("\n"));
    let kinds: BTreeSet<&str> = exchanges.iter().map(|it| it.kind).collect();
    assert_eq!(
        kinds,
        BTreeSet::from(SENT.map(|(kind, _)| kind)),
        "what the client sends, and what these scenes make it send"
    );
    let statuses: BTreeSet<u16> = exchanges.iter().map(|it| it.status).collect();
    assert_eq!(
        statuses,
        BTreeSet::from([200, 201, 202, 204, 301, 302, 304, 404, 410]),
        "what was met on the way"
    );
    let opaque = exchanges.iter().filter(|it| it.path.starts_with("/repositories/")).count();
    assert!(opaque > 0, "`Link` and `Location` were followed");
}

/// The client's code makes as many URLs as are checked here.
#[test]
fn every_url_of_the_client_is_in_the_table() {
    let made = urls_in(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/github")));
    let known = SENT.iter().map(|(_, places)| places).sum::<usize>();
    assert_eq!(made, known, "a URL of src/github that SENT does not have, or one too many there");
}

#[expect(clippy::disallowed_methods, reason = "the test reads the client's code")]
fn urls_in(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("the client").map(|entry| entry.expect("an entry").path());
    let urls = |path: PathBuf| match path.is_dir() {
        true if path.ends_with("tests") => 0,
        true => urls_in(&path),
        false => std::fs::read_to_string(path).expect("a text").matches(".url(&[").count(),
    };
    entries.map(urls).sum()
}

pub fn builder() -> AppBuilder {
    let sim = SimConfig { keep_exchanges: true, cursor_links_over: 150, ..SimConfig::default() };
    let repos = vec![API.to_owned(), WEB.to_owned()];
    AppBuilder { sim, repos, ..AppBuilder::default() }
}

async fn beat(app: &App) {
    app.next_beat("coder").await;
}

async fn with_a_token() -> Vec<Exchange> {
    let app = builder().start(TestDb::sqlite().await).await;
    let (api, web) = (app.sim.repo(API), app.sim.repo(WEB));
    // All of one second, so that the first load goes by `Link`.
    api.seed(250, |n| format!("Issue {n}"));
    web.seed(3, |n| format!("Issue {n}"));
    let pull = api.open_pull("A pull request", "fix/1");
    let mended = api.open_pull("Another", "fix/2");
    api.block(9, WEB, 3);
    beat(&app).await;
    beat(&app).await;
    // Labels are written, one of them with a blank and a slash in its name.
    api.add_label(20, "status/in-progress");
    api.add_label(20, "agent/other one");
    beat(&app).await;
    let state = app.get(&format!("/api/issues/state?repo={API}&number=20")).await.expect(200);
    let named = json!({ "issueId": state["issueId"], "repoFullName": API, "issueNumber": 20, "agentName": "coder",
        "force": true });
    app.post("/api/issues/claim", named.clone()).await.expect(200);
    app.post("/api/issues/unclaim", named).await.expect(200);
    // Whether a pull request has moved, and whether one is there.
    for (number, seen) in [(mended, 200), (9998, 404)] {
        let evidence = json!({ "repo": API, "pr": number, "reason": "red", "feedback": "red", "evidenceKey": "check_run:1",
            "headSha": "0".repeat(40) });
        app.post("/api/pr-fix-queue/enqueue", evidence).await.expect(200);
        app.post("/api/pr-fix-queue/mark", json!({ "repo": API, "pr": number, "status": "FIXED" }))
            .await
            .expect(200);
        assert!(app.sim.exchanges().iter().any(|it| it.kind == "pulls.get" && it.status == seen));
    }
    call_a_human(&app, mended).await;
    follow_up(&app).await;
    write(&app, 30).await;
    // A page of changes, and more than a page.
    app.tick();
    api.close_issue(7);
    api.merge_pull(pull);
    beat(&app).await;
    app.tick();
    for number in 10..130 {
        api.add_label(number, "type/bug");
    }
    beat(&app).await;
    // Issues that are gone are looked up.
    app.tick();
    api.delete_issue(1);
    web.delete_issue(1);
    web.transfer_issue(2, API);
    beat(&app).await;
    app.advance(Duration::from_mins(2));
    app.post("/api/sync", json!({ "sweep": true })).await.expect(200);
    app.post("/api/issues/refresh", json!({ "repoFullName": API, "issueNumber": 2 })).await.expect(200);
    // A number that nobody has, in a repository that is there.
    app.post("/api/issues/refresh", json!({ "repoFullName": API, "issueNumber": 9999 })).await;
    app.sim.create_repo("acme/later");
    app.post("/api/automation/repos", json!({ "fullName": "acme/later" })).await.expect(201);
    beat(&app).await;
    app.tick();
    api.rename("renamed");
    web.disable_issues();
    beat(&app).await;
    beat(&app).await;
    app.sim.exchanges()
}

/// A pull request's label and comment: made, changed before they were taken away, taken away.
async fn call_a_human(app: &App, pull: u64) {
    let mark = async |status: &str| {
        app.post(
            "/api/pr-fix-queue/mark",
            json!({ "repo": API, "pr": pull, "status": status, "note": status }),
        )
        .await
        .expect(200);
    };
    mark("BLOCKED").await;
    let hold = app.sim.fault(Fault::new(FaultKind::Reset).on(Match::kind("comments.delete")).times(1));
    mark("QUEUED").await;
    assert_eq!(app.sim.fault_hits(hold), 1);
    mark("BLOCKED").await;
    publish::publish(&app.engine).await.expect("the database");
    mark("QUEUED").await;
    publish::publish(&app.engine).await.expect("the database");
    assert_eq!(app.db.count("SELECT count(*) FROM outbox WHERE state = 'pending'").await, 0);
}

/// What follows commits and workflow runs: twice, the second time nothing changed.
async fn follow_up(app: &App) {
    let api = app.sim.repo(API);
    let pull = api.open_pull("A bot's", "bot/1");
    api.edit_issue(pull, |issue| "github-actions[bot]".clone_into(&mut issue.author));
    beat(app).await;
    api.push_commit("main", "A commit");
    for _ in 0..2 {
        api.add_run(CiRun::new("CI", "failure").job("test", "failure", "error: red"));
        app.tick();
    }
    for _ in 0..2 {
        app.post("/api/automation/sync", json!({ "repo": API })).await.expect(200);
        app.post("/api/ci-failures/sync", json!({})).await.expect(200);
        app.post("/api/pr-followup/sync", json!({})).await.expect(200);
    }
}

/// Comments, edits and a new issue; the answers to what is posted are lost, so that it is looked for.
async fn write(app: &App, number: i64) {
    let (engine, by) = (&app.engine, Asker::system());
    let mut tx = engine.db().write().await.expect("a transaction");
    let repo = repos::find_tracked(&mut tx, &API.parse().expect("a name")).await.expect("a read");
    let repo = repo.expect("tracked").id;
    let issue = issue_list::find(&mut tx, &repo, IssueNumber(number)).await.expect("a read").expect("cached");
    let turn = Turn::take(&mut tx, &issue.id).await.expect("locked");
    let issue = issue_facts::find(&mut tx, &issue.id).await.expect("a read").expect("cached");
    outbox::comment(engine, &mut tx, &issue, "A comment", &by).await.expect("recorded");
    outbox::retitle(engine, &mut tx, &issue, "Another title", &by).await.expect("recorded");
    outbox::rewrite(engine, &mut tx, &issue, "Another text", &by).await.expect("recorded");
    outbox::set_state(engine, &mut tx, turn, &issue, StateEdit::NotPlanned, &by).await.expect("recorded");
    let new = NewIssue { title: "New".into(), body: "Text".into(), labels: vec!["bug".into()] };
    outbox::create(engine, &mut tx, &repo, new, &by).await.expect("recorded");
    tx.commit().await.expect("committed");
    for kind in ["comments.create", "issues.create"] {
        app.sim.fault(Fault::new(FaultKind::LostAnswer).on(Match::kind(kind)).times(1));
    }
    for _ in 0..4 {
        publish::publish(engine).await.expect("the database");
        app.tick();
    }
    let waits = "SELECT count(*) FROM outbox WHERE state = 'pending'";
    assert_eq!(app.db.count(waits).await, 0);
    // One more of each, with an answer.
    let mut tx = engine.db().write().await.expect("a transaction");
    outbox::comment(engine, &mut tx, &issue, "Another comment", &by).await.expect("recorded");
    let new = NewIssue { title: "Newer".into(), ..NewIssue::default() };
    outbox::create(engine, &mut tx, &repo, new, &by).await.expect("recorded");
    let turn = Turn::take(&mut tx, &issue.id).await.expect("locked");
    outbox::set_state(engine, &mut tx, turn, &issue, StateEdit::Reopened, &by).await.expect("recorded");
    tx.commit().await.expect("committed");
    assert_eq!(publish::publish(engine).await.expect("the database").pending, 0);
}

async fn as_an_app() -> Vec<Exchange> {
    let mut builder = builder();
    let (sim, clock) = builder.simulator().await;
    for repo in &builder.repos {
        sim.create_repo(repo).open_issue("One");
    }
    let app = sim.create_app(7);
    let installation = app.install("acme", Permission::Write);
    builder.app = Some((app.private_key_pem(), format!("acme:{installation}")));
    let server = builder.start_with(Arc::new(TestDb::sqlite().await), sim, clock).await;
    beat(&server).await;
    // The token ends; another one is asked for.
    server.advance(Duration::from_mins(65));
    beat(&server).await;
    server.sim.exchanges()
}

async fn as_nobody() -> Vec<Exchange> {
    let app = AppBuilder { anonymous: true, ..builder() }.start(TestDb::sqlite().await).await;
    app.sim.repo(API).open_issue("One");
    beat(&app).await;
    beat(&app).await;
    app.sim.exchanges()
}

/// Lists of pull requests, what speaks for and against one, and what changed of them since.
async fn pull_requests() -> Vec<Exchange> {
    let sim = Sim::start_with(builder().sim).await;
    let repo = sim.create_repo(API);
    for n in 0..101 {
        repo.open_pull(Opened::new(format!("Pull request {n}")).body("Fixes #1"), &format!("issue-{n}"));
    }
    repo.edit_pull(2, |pull| pull.fork = Some("mona".to_owned()));
    repo.merge_pull(3);
    for n in 0..101 {
        repo.review(1, &format!("reviewer-{n}"), ReviewState::ChangesRequested, "No");
        repo.check(1, &format!("check-{n}"), Some(Conclusion::Failure));
    }
    repo.check(1, "check-1", None);
    let (github, name, one) = (
        client_of(&sim, Credentials::Token(sim.token().into())),
        &API.parse().expect("a name"),
        IssueNumber(1),
    );
    let whole = |reading: &Reading<Vec<PullNow>>| match reading {
        Reading::New { content, etag } => (content.len(), etag.clone()),
        Reading::Same => panic!("nothing was held"),
    };
    let (open, etag) = whole(&github.open_pulls(name, None, None).await.expect("a list"));
    assert_eq!(open, 100);
    let again = github.open_pulls(name, etag.as_ref(), None).await.expect("a list");
    assert!(matches!(again, Reading::Same));
    let Ok(Reading::New { content: pull, .. }) = github.pull_now(name, one, None, None).await else {
        panic!("no pull request")
    };
    assert_eq!((pull.mergeable_state.as_deref(), pull.head.branch.as_str()), (Some("clean"), "issue-0"));
    let Ok(Reading::New { content: reviews, etag }) = github.reviews(name, one, None, None).await else {
        panic!("no reviews")
    };
    assert_eq!(reviews.len(), 101);
    let again = github.reviews(name, one, etag.as_ref(), None).await.expect("a list");
    assert!(matches!(again, Reading::Same), "both pages are as they were");
    repo.review(1, "reviewer-0", ReviewState::Approved, "");
    let Ok(Reading::New { content: reviews, .. }) = github.reviews(name, one, etag.as_ref(), None).await
    else {
        panic!("no reviews")
    };
    assert_eq!(reviews.len(), 102, "the first page is as it was");
    let read = github.check_runs(name, &pull.head.sha, None, None).await;
    let Ok(Reading::New { content: runs, .. }) = read else { panic!("no checks") };
    let running: Vec<&str> =
        runs.iter().filter(|run| run.conclusion.is_none()).map(|run| run.name.as_str()).collect();
    assert_eq!((runs.len(), running), (101, vec!["check-1"]));
    sim.exchanges()
}

/// What `dispatch doctor` asks: with a token, and as an App.
async fn as_a_doctor() -> Vec<Exchange> {
    let sim = Sim::start_with(builder().sim).await;
    sim.create_repo(API).open_issue("One");
    let app = sim.create_app(7);
    let installations = app.install("acme", Permission::Write).to_string().parse().expect("an installation");
    let key = AppKey::from_pem(&app.private_key_pem()).expect("a key");
    let as_app = AppCredentials { app: "7".to_owned(), key, installations };
    for credentials in [Credentials::Token(sim.token().into()), Credentials::App(as_app)] {
        let (repo, github) = (API.parse().expect("a name"), client_of(&sim, credentials));
        github.reach().await.expect("GitHub");
        for examiner in github.examiners() {
            let identity = examiner.identity().await.expect("somebody");
            examiner.quota().await.expect("a quota");
            github.examine_repository(&repo, &identity).await.expect("the repository");
        }
    }
    sim.exchanges()
}

fn client_of(sim: &Sim, credentials: Credentials) -> GitHub {
    let settings = Settings {
        api_url: sim.url().parse().expect("an address"),
        credentials,
        concurrency: 1,
        points_per_minute: 0,
        request_timeout: Duration::from_secs(10),
        retries: 0,
        user_agent: "dispatch-tests".to_owned(),
    };
    let clock = Clock::System;
    GitHub::new(&settings, &clock, &Ids::new(clock.clone())).expect("a client")
}
