//! Two hundred listeners and fifty changes a second, slow readers among them.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    API, each_db,
    ear::{Ear, Heard},
    support::{App, AppBuilder},
};

const LISTENERS: usize = 200;
const SLOW: usize = 20;
const CHANGES: usize = 250;
const EVERY: Duration = Duration::from_millis(20);

/// Runs that were recorded, and when that was known.
type Changes = Vec<(String, Instant)>;

/// What a listener has heard: runs by name, and when it last heard of all of them.
#[derive(Default)]
struct Known {
    runs: HashSet<String>,
    all_at: Option<Instant>,
}

impl Known {
    fn hear(&mut self, heard: &Heard) {
        match (heard.name.as_str(), heard.data["id"].as_str()) {
            ("run", Some(id)) => drop(self.runs.insert(id.to_owned())),
            ("run", None) | ("reset", _) => self.all_at = Some(Instant::now()),
            _ => {}
        }
    }

    fn covers(&self, changes: &[(String, Instant)]) -> bool {
        changes.iter().all(|(id, at)| self.runs.contains(id) || self.all_at.is_some_and(|all| all > *at))
    }
}

/// Resident memory of this process, in KiB.
#[expect(clippy::disallowed_methods, reason = "the test asks the system")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Listens until it knows of every change, and comes back when it is cut off. How often it had to.
async fn listen(app: Arc<App>, is_slow: bool, mut done: watch::Receiver<Option<Arc<Changes>>>) -> usize {
    let (mut ear, _) = Ear::open(&app, "kind=run").await;
    let mut known = Known::default();
    let mut cut_off = 0;
    if is_slow {
        // Reads nothing while things happen.
        done.wait_for(Option::is_some).await.expect("the end");
    }
    loop {
        let all = done.borrow().clone();
        if all.is_some_and(|all| known.covers(&all)) {
            return cut_off;
        }
        tokio::select! {
            heard = ear.next() => if let Some(heard) = heard {
                known.hear(&heard);
            } else {
                cut_off += 1;
                let last = ear.last.clone();
                let (back, first) = Ear::back(&app, "kind=run", &last).await;
                known.hear(&first);
                ear = back;
            },
            changed = done.changed() => changed.expect("the writer lives"),
        }
    }
}

async fn change(app: &App, n: usize) -> (String, Instant) {
    let body: Value = json!({
        "agentName": format!("agent-{}", n % 10), "runType": "load", "status": "ok", "startedAt": "2026-01-01T00:00:00Z"
    });
    let run = app.post("/api/agent-runs", body).await.expect(201);
    (run["id"].as_str().expect("an id").to_owned(), Instant::now())
}

each_db! {
    async fn no_change_is_missed_by_who_reads_and_slow_ones_catch_up(db) {
        let builder = AppBuilder { repos: vec![API.to_owned()], manual_clock: false, ..AppBuilder::default() };
        let app = Arc::new(builder.start(db).await);
        let (tell, done) = watch::channel(None);
        let listeners: Vec<_> =
            (0..LISTENERS).map(|n| app.engine.tasks().spawn(listen(Arc::clone(&app), n < SLOW, done.clone()))).collect();
        while app.engine.events().listeners() < LISTENERS {
            tokio::task::yield_now().await;
        }
        let before = resident();
        let (began, mut changes) = (Instant::now(), Vec::with_capacity(CHANGES));
        let mut beat = tokio::time::interval(EVERY);
        for n in 0..CHANGES {
            beat.tick().await;
            let app = Arc::clone(&app);
            changes.push(app.clone().engine.tasks().spawn(async move { change(&app, n).await }));
        }
        let changes: Changes = join_all(changes).await.into_iter().map(|done| done.expect("no panic")).collect();
        let (took, after) = (began.elapsed(), resident());
        tell.send(Some(Arc::new(changes))).expect("somebody listens");
        let ended = tokio::time::timeout(Duration::from_secs(30), join_all(listeners)).await.expect("all know of all");
        let cut_off: usize = ended.into_iter().map(|ended| ended.expect("no panic")).sum();
        println!(
            "{LISTENERS} listeners, {SLOW} of them slow: {CHANGES} changes in {took:?}, all known {:?} after the first; \
             cut off {cut_off} times; RSS {before} -> {after} KiB",
            began.elapsed()
        );
        // The ring is full of small hints at most, and a listener has no queue of its own.
        assert!(after.saturating_sub(before) < 64 * 1024, "{before} -> {after} KiB");
    }
}
