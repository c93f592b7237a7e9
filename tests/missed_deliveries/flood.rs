//! A thousand deliveries, some lost, doubled and overtaken, and `kill -9` in their middle.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use dispatch::{
    clock::{Clock, ManualClock},
    engine::{hooks, pulls::read},
};
use github_sim::{Conclusion, NewIssue, PullState, Repo, ReviewState, Sim, SimConfig, WebhookFaults};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::task::block_in_place;

use crate::{
    each_db,
    hooked::{API, SECRET, builder, delivered},
    support::{
        TestDb,
        child::{Server, dispatch},
        pulls, world,
    },
};

/// Changes before the process is killed, and after.
const HALF: u64 = 650;
/// Failures that one look goes through; where there are more the repository is read.
const LISTED: usize = 500;
/// Deliveries under way at once.
const AT_ONCE: usize = 8;

#[expect(clippy::disallowed_types, reason = "the test starts the program")]
fn command(home: &tempfile::TempDir, db: &TestDb, sim: &Sim) -> std::process::Command {
    let mut command = dispatch(home.path());
    command.env("DATABASE_URL", db.url()).env("GITHUB_API_URL", sim.url()).env("GITHUB_TOKEN", sim.token());
    command.env("GITHUB_REPOSITORIES", API).env("WEBHOOK_SECRET", SECRET);
    // Nothing reads but what the test asks for.
    command.env("DISPATCH_SCHEDULER_ENABLED", "false").env("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0");
    command
}

/// Somebody changes something.
fn change(repo: &Repo, rng: &mut StdRng, serial: u64) {
    if rng.random_range(0..5) < 2 {
        return change_pull(repo, rng, 60, serial);
    }
    let number = rng.random_range(1..=60);
    if repo.issue(number).is_none() {
        return;
    }
    match rng.random_range(0..10) {
        0..4 => repo.set_title(number, &format!("Title {serial}")),
        4 => repo.add_label(number, &format!("priority/p{}", serial % 4)),
        5 => _ = repo.comment(number, "mona", "Hello"),
        6 => repo.close_issue(number),
        7 => repo.reopen_issue(number),
        8 => repo.set_body(number, &format!("Text {serial}")),
        _ => _ = repo.open_issue(NewIssue::new(format!("New {serial}"))),
    }
    if serial.is_multiple_of(97) {
        repo.delete_issue(number);
    }
}

/// Somebody opens a pull request about some of so many issues, or does something to one. Checks run to their end: that they
/// began is told nobody.
pub fn change_pull(repo: &Repo, rng: &mut StdRng, issues: u64, serial: u64) {
    let of = |is_open: bool| -> Vec<u64> {
        let wanted = |pull: &PullState| pull.is_open() == is_open && pull.pull.merged_at.is_none();
        repo.pulls().into_iter().filter(wanted).map(|pull| pull.issue.number).collect()
    };
    let (open, closed) = (of(true), of(false));
    let issue = rng.random_range(1..=issues);
    let body = format!("Fixes #{issue}, closes #{}", rng.random_range(1..=issues));
    let what = rng.random_range(0..20);
    if open.len() < 5 || what == 0 {
        let author = if serial.is_multiple_of(2) { "github-actions[bot]" } else { "mona" };
        let new = NewIssue::new(format!("Pull request {serial}")).body(body).author(author);
        repo.open_pull(new, &format!("work/issue-{issue}"));
        return;
    }
    let number = open[rng.random_range(0..open.len())];
    let who = ["mona", "hubot", "monalisa"][rng.random_range(0..3)];
    match what {
        1 => repo.set_title(number, &format!("Title {serial}")),
        2 => repo.set_body(number, &body),
        3..6 => _ = repo.push(number),
        6 => repo.close_pull(number),
        7 => repo.merge_pull(number),
        8 => repo.add_label(number, &format!("size/{}", serial % 4)),
        9 => repo.edit_pull(number, |pull| pull.draft = !pull.draft),
        10 => repo.edit_pull(number, |pull| pull.base = format!("release-{}", serial % 3)),
        11..14 => {
            let says = [ReviewState::Approved, ReviewState::ChangesRequested, ReviewState::Commented];
            let review = repo.review(number, who, says[rng.random_range(0..3)], "As I said");
            if rng.random_range(0..5) == 0 {
                repo.dismiss(review);
            }
        }
        14 => _ = repo.comment_on_line(number, who, ("src/a.rs", 7), "Not like this"),
        15 => closed.last().map_or((), |number| repo.reopen_issue(*number)),
        _ => {
            let ends = [Conclusion::Success, Conclusion::Failure, Conclusion::TimedOut];
            let (name, end) = (format!("check-{}", rng.random_range(0..3)), ends[rng.random_range(0..3)]);
            repo.check_of(number, ["CI", "Docs"][rng.random_range(0..2)], &name, Some(end));
        }
    }
}

/// Waits until so many requests went out.
async fn until_sent(sim: &Sim, sent: u64) {
    while sim.webhook_counters().sent < sent {
        tokio::task::yield_now().await;
    }
}

each_db! {
    async fn a_flood_with_a_kill_in_its_middle_is_whole_after_one_repair(db) {
        let (db, home) = (Arc::new(db), tempfile::tempdir().expect("a folder"));
        let sim = Sim::start_with(SimConfig::default().without_limits()).await;
        let repo = sim.create_repo(API);
        repo.seed(60, |n| format!("Issue {n}"));
        let mut server = block_in_place(|| Server::start(command(&home, &db, &sim)));
        server.beat("coder").await.expect("an answer").expect(200);
        let hook = repo.add_webhook(&format!("{}/api/github/webhook", server.url), SECRET);
        let faults = WebhookFaults { seed: 11, lost: 0.01, doubled: 0.05, reordered: 0.05, at_once: AT_ONCE, ..WebhookFaults::default() };
        sim.webhook_faults(faults);
        let mut rng = StdRng::seed_from_u64(11);
        for serial in 0..HALF / 2 {
            change(&repo, &mut rng, serial);
        }
        until_sent(&sim, HALF / 4).await;
        block_in_place(|| server.kill());
        // Some find nobody; some of what was stored was not applied.
        let killed_at = sim.webhook_counters().sent;
        for serial in HALF / 2..HALF {
            change(&repo, &mut rng, serial);
        }
        until_sent(&sim, killed_at + 10).await;
        if db.is_postgres() {
            db.sql("UPDATE instances SET expires_at = 0").await;
        }
        server = block_in_place(|| Server::start(command(&home, &db, &sim)));
        repo.move_webhook(hook, &format!("{}/api/github/webhook", server.url));
        for serial in HALF..2 * HALF {
            change(&repo, &mut rng, serial);
        }
        sim.webhooks_idle().await;
        block_in_place(|| server.terminate());
        let counted = sim.webhook_counters();
        assert!(counted.events > 1_000 && counted.lost > 0 && counted.failed > 0 && counted.doubled > 0, "{counted:?}");
        // The repair: one look by a process over the same database.
        let app = dispatch_at(&db, &sim).await;
        delivered(&app).await;
        repo.move_webhook(hook, &app.url("/api/github/webhook"));
        hooks::look(&app.engine).await.expect("the database");
        delivered(&app).await;
        world::assert_same(&app, API).await;
        // The job of pull requests, for what deliveries left in doubt.
        read::read_due(&app.engine).await.expect("the database");
        pulls::assert_same(&app, API).await;
        // Each GUID is one row, and every one of them came to its end.
        let unsettled = "SELECT count(*) FROM webhook_deliveries WHERE state NOT IN ('applied', 'ignored')";
        assert_eq!(app.db.count(unsettled).await, 0);
        let stored: BTreeSet<String> = app.db.texts("SELECT guid FROM webhook_deliveries").await.into_iter().collect();
        let mut came: HashMap<String, bool> = HashMap::new();
        for delivery in sim.webhook_deliveries() {
            *came.entry(delivery.guid).or_default() |= (200..300).contains(&delivery.code);
        }
        let forgotten: Vec<_> = came.iter().filter(|(guid, came)| **came && !stored.contains(*guid)).collect();
        assert!(forgotten.is_empty(), "accepted and not stored: {forgotten:?}");
        let made_up = app.db.count("SELECT count(*) FROM missed_deliveries").await;
        // One that was stored when the process was killed came, though nobody said so.
        let unanswered = came.iter().filter(|(guid, came)| !**came && stored.contains(*guid)).count();
        assert!(unanswered <= 2 * AT_ONCE, "{unanswered}");
        let absent = came.values().filter(|came| !**came).count() - unanswered;
        let least = i64::try_from(absent.min(LISTED)).expect("a number");
        assert!(made_up > 0 && made_up >= least, "{made_up} of {absent}");
    }
}

/// This process as a server over that database and that GitHub, an hour later: nothing is leased to the dead any more.
async fn dispatch_at(db: &Arc<TestDb>, sim: &Sim) -> crate::support::App {
    let later = Clock::System.now().plus(Duration::from_hours(1));
    let mut builder = builder();
    builder.points_per_minute = 0;
    builder.request_timeout = Duration::from_secs(20);
    builder.start_with(Arc::clone(db), sim.clone(), ManualClock::new(later)).await
}
