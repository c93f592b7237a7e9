//! Whatever happens at GitHub, and whatever goes wrong on the way: one clean pass and one sweep later the
//! cache equals GitHub.
//!
//! A case is a sequence of changes, passes and faults. `PROPTEST_CASES` sets the number of cases for both
//! databases. Ten thousand take longer than nextest lets a test run, so run them like this:
//!
//! ```text
//! PROPTEST_CASES=10000 cargo test --release --features failpoints --test convergence sqlite
//! ```
//!
//! The seed of a failure is written to `tests/proptest-regressions/convergence.txt`, which is committed; its
//! cases run first. `proptest` shortens what failed; the sequence is printed.

mod support;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dispatch::domain::labels::Rules;
use github_sim::{Fault, FaultKind, Match, NewIssue, Repo, Sim, SimConfig};
use proptest::{
    prelude::*,
    test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner},
};
use serde_json::json;
use support::{App, AppBuilder, TestDb, world};

const REGRESSIONS: &str = "tests/proptest-regressions/convergence.txt";
const LABELS: [&str; 8] = [
    "status/ready",
    "status/in-progress",
    "status/done",
    "priority/p0",
    "agent/coder",
    "agent/Reviewer",
    "bug",
    HIDDEN,
];
const HIDDEN: &str = "wontfix";
/// The repositories of a case; the last is not tracked.
const REPOS: usize = 3;
const TRACKED: usize = 2;
/// As the product's default, in seconds.
const RETENTION_S: i64 = 30 * 24 * 3600;

/// One step of a case.
#[derive(Clone, Debug)]
enum Op {
    Change(usize, Change),
    /// The change happens just before a request of the next passes is served.
    Meanwhile {
        kind: &'static str,
        after: u32,
        repo: usize,
        change: Change,
    },
    Advance(u64),
    Beat,
    Sync {
        sweep: bool,
    },
    Refresh(usize, u64),
    /// Two heartbeats, a sync and a refresh at once.
    AllAtOnce(usize, u64),
    Fault {
        kind: FaultKind,
        on: &'static str,
        after: u32,
        times: u32,
    },
    Mend,
    /// The server stops as by SIGTERM and starts again.
    Restart,
}

/// What happens at GitHub; numbers choose among what is there.
#[derive(Clone, Debug)]
enum Change {
    Open(Vec<usize>),
    /// So many issues within one second.
    Bulk(usize),
    /// So many edits within one second.
    BulkEdit(usize),
    /// An issue that was closed before the time that is kept.
    LongClosed,
    Edit(u64, Edit),
    OpenPull,
    MergePull(u64),
    ClosePull(u64),
    Rename(u8),
}

#[derive(Clone, Debug)]
enum Edit {
    Title,
    Body,
    Label(usize),
    Unlabel(usize),
    Assign,
    Comment,
    Close,
    Reopen,
    Delete,
    Transfer(usize),
    Touch,
}

/// Three of ten cases begin with more than a page of issues of one second.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    let bulk = (0..TRACKED, 60..=130usize).prop_map(|(repo, count)| Op::Change(repo, Change::Bulk(count)));
    let crowd = prop_oneof![7 => Just(vec![]), 3 => prop::collection::vec(bulk, 1..4)];
    (crowd, prop::collection::vec(op(), 1..24)).prop_map(|(crowd, ops)| [crowd, ops].concat())
}

fn op() -> impl Strategy<Value = Op> {
    let kind = || prop::sample::select(vec!["issues.list", "issues.list", "issues.get"]);
    prop_oneof![
        20 => (0..REPOS, change()).prop_map(|(repo, change)| Op::Change(repo, change)),
        4 => (kind(), 0..5u32, 0..TRACKED, change())
            .prop_map(|(kind, after, repo, change)| Op::Meanwhile { kind, after, repo, change }),
        6 => prop::sample::select(vec![0, 1, 3, 61]).prop_map(Op::Advance),
        7 => Just(Op::Beat),
        2 => prop::bool::weighted(0.3).prop_map(|sweep| Op::Sync { sweep }),
        2 => (0..TRACKED, 0..8u64).prop_map(|(repo, pick)| Op::Refresh(repo, pick)),
        2 => (0..TRACKED, 0..8u64).prop_map(|(repo, pick)| Op::AllAtOnce(repo, pick)),
        4 => (fault(), prop::sample::select(vec!["", "issues.list", "issues.get", "repos.get"]), 0..5u32, 1..4u32)
            .prop_map(|(kind, on, after, times)| Op::Fault { kind, on, after, times }),
        2 => Just(Op::Mend),
        1 => Just(Op::Restart),
    ]
}

fn fault() -> impl Strategy<Value = FaultKind> {
    let limit = |(status, retry_after)| FaultKind::SecondaryLimit { status, retry_after };
    prop_oneof![
        6 => Just(FaultKind::Status(500)),
        4 => Just(FaultKind::Reset),
        4 => Just(FaultKind::Truncate),
        4 => Just(FaultKind::WrongJson),
        2 => Just(FaultKind::LostAnswer),
        1 => Just(FaultKind::Hang),
        2 => (prop::sample::select(vec![403, 429]), prop::option::of(1..90u64)).prop_map(limit),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let label = || 0..LABELS.len();
    let edit = prop_oneof![
        1 => Just(Edit::Title),
        1 => Just(Edit::Body),
        2 => label().prop_map(Edit::Label),
        2 => label().prop_map(Edit::Unlabel),
        1 => Just(Edit::Assign),
        1 => Just(Edit::Comment),
        2 => Just(Edit::Close),
        1 => Just(Edit::Reopen),
        2 => Just(Edit::Delete),
        2 => (0..REPOS).prop_map(Edit::Transfer),
        1 => Just(Edit::Touch),
    ];
    prop_oneof![
        6 => prop::collection::vec(label(), 0..3).prop_map(Change::Open),
        1 => (1..=130usize).prop_map(Change::Bulk),
        1 => (1..=130usize).prop_map(Change::BulkEdit),
        1 => Just(Change::LongClosed),
        12 => (0..8u64, edit).prop_map(|(pick, edit)| Change::Edit(pick, edit)),
        1 => Just(Change::OpenPull),
        1 => (0..4u64).prop_map(Change::MergePull),
        1 => (0..4u64).prop_map(Change::ClosePull),
        1 => (0..3u8).prop_map(Change::Rename),
    ]
}

/// The repositories of a case at GitHub.
#[derive(Clone)]
struct Github {
    repos: Vec<Repo>,
    /// The names under which they were tracked.
    names: Vec<String>,
    /// Makes every text another one.
    serial: Arc<AtomicU64>,
}

impl Github {
    fn new(sim: &Sim, case: u64) -> Self {
        let names: Vec<_> = (0..REPOS).map(|n| format!("case{case}/r{n}")).collect();
        let repos = names.iter().map(|name| sim.create_repo(name)).collect();
        Self { repos, names, serial: Arc::default() }
    }

    fn text(&self) -> String {
        format!("text {}", self.serial.fetch_add(1, Ordering::Relaxed))
    }

    fn issue(&self, repo: usize, pick: u64) -> Option<u64> {
        let numbers: Vec<_> = self.repos[repo].issues().iter().map(|issue| issue.number).collect();
        chosen(&numbers, pick)
    }

    fn change(&self, at: usize, change: &Change, now_s: i64) {
        let repo = &self.repos[at];
        let pull = |pick| {
            let numbers: Vec<_> = repo.pulls().iter().map(|pull| pull.issue.number).collect();
            chosen(&numbers, pick)
        };
        match change {
            Change::Open(labels) => {
                let labels = labels.iter().map(|&label| LABELS[label]);
                repo.open_issue(NewIssue::new(self.text()).labels(labels));
            }
            Change::Bulk(count) => repo.seed(*count, |_| self.text()),
            Change::BulkEdit(count) => {
                for issue in repo.issues().iter().take(*count) {
                    repo.set_body(issue.number, &self.text());
                }
            }
            Change::LongClosed => {
                let at = now_s - RETENTION_S - 60;
                let number = repo.open_issue(NewIssue::new(self.text()).created_at(at).updated_at(at));
                repo.edit_issue(number, |issue| {
                    issue.state = github_sim::State::Closed;
                    issue.closed_at = Some(at + 1);
                    issue.updated_at = at + 1;
                });
            }
            Change::Edit(pick, edit) => {
                if let Some(number) = self.issue(at, *pick) {
                    self.edit(at, number, edit);
                }
            }
            Change::OpenPull => _ = repo.open_pull(self.text(), "fix/it"),
            Change::MergePull(pick) => _ = pull(*pick).map(|number| repo.merge_pull(number)),
            Change::ClosePull(pick) => _ = pull(*pick).map(|number| repo.close_pull(number)),
            Change::Rename(name) => {
                repo.rename(&format!("r{at}{}", ["", "-new", "-newer"][usize::from(*name)]));
            }
        }
    }

    fn edit(&self, at: usize, number: u64, edit: &Edit) {
        let repo = &self.repos[at];
        match edit {
            Edit::Title => repo.set_title(number, &self.text()),
            Edit::Body => repo.set_body(number, &self.text()),
            Edit::Label(label) => repo.add_label(number, LABELS[*label]),
            Edit::Unlabel(label) => repo.remove_label(number, LABELS[*label]),
            Edit::Assign => repo.assign(number, &format!("user{}", number % 3)),
            Edit::Comment => _ = repo.comment(number, "mona", &self.text()),
            Edit::Close => repo.close_issue(number),
            Edit::Reopen => repo.reopen_issue(number),
            Edit::Delete => repo.delete_issue(number),
            Edit::Transfer(to) if *to == at => {}
            Edit::Transfer(to) => _ = repo.transfer_issue(number, &self.repos[*to].full_name()),
            Edit::Touch => repo.touch(number),
        }
    }
}

fn chosen(numbers: &[u64], pick: u64) -> Option<u64> {
    let count = u64::try_from(numbers.len()).ok().filter(|count| *count > 0)?;
    Some(numbers[usize::try_from(pick % count).expect("an index")])
}

/// A server that serves case after case, each with repositories of its own.
struct Bench {
    app: App,
    cases: u64,
    starts: u64,
}

/// Each start makes other ids: the clock stands still, so that only the seed tells them apart.
fn builder(seed: u64) -> AppBuilder {
    let mut builder = AppBuilder {
        sim: SimConfig::default().without_limits(),
        points_per_minute: 0,
        // A hanging answer costs real time; a machine that is slow enough to meet this by chance is forgiven.
        request_timeout: Duration::from_millis(400),
        retries: 0,
        seed,
        ..AppBuilder::default()
    };
    builder.engine.rules = Rules::new([HIDDEN]);
    builder
}

impl Bench {
    async fn new(db: TestDb) -> Self {
        Self { app: builder(0).start(db).await, cases: 0, starts: 1 }
    }

    async fn run(mut self, ops: &[Op]) -> (Self, Result<(), TestCaseError>) {
        self.cases += 1;
        let github = Github::new(&self.app.sim, self.cases);
        for name in &github.names[..TRACKED] {
            self.app.post("/api/automation/repos", json!({ "fullName": name })).await.expect(201);
        }
        for op in ops {
            self = self.step(&github, op).await;
        }
        let outcome = self.converges(&github).await;
        // The next case starts small.
        self.app.db.sql("DELETE FROM repositories; DELETE FROM runs; DELETE FROM audit_log").await;
        github.repos.iter().for_each(Repo::delete);
        (self, outcome)
    }

    async fn step(self, github: &Github, op: &Op) -> Self {
        let app = &self.app;
        match op {
            Op::Change(repo, change) => github.change(*repo, change, app.sim.now_ms() / 1000),
            Op::Meanwhile { kind, after, repo, change } => {
                let (github, repo, change) = (github.clone(), *repo, change.clone());
                let on = Match::kind(*kind).and(Match::repo(github.repos[repo].full_name()));
                let hook = app.sim.hook(on, move |sim| github.change(repo, &change, sim.now_ms() / 1000));
                hook.after(*after).times(1);
            }
            Op::Advance(seconds) => app.advance(Duration::from_secs(*seconds)),
            Op::Beat => self.beat("coder").await,
            Op::Sync { sweep } => self.sync(*sweep).await,
            Op::Refresh(repo, pick) => self.refresh(github, *repo, *pick).await,
            Op::AllAtOnce(repo, pick) => {
                let (one, other, sync) = (self.beat("coder"), self.beat("reviewer"), self.sync(false));
                tokio::join!(one, other, sync, self.refresh(github, *repo, *pick));
            }
            Op::Fault { kind, on, after, times } => {
                let on = if on.is_empty() { Match::any() } else { Match::kind(*on) };
                // One answer that never comes is enough to wait for.
                let times = if *kind == FaultKind::Hang { 1 } else { *times };
                app.sim.fault(Fault::new(kind.clone()).on(on).after(*after).times(times));
            }
            Op::Mend => app.sim.clear_faults(),
            Op::Restart => return self.restart().await,
        }
        self
    }

    async fn restart(self) -> Self {
        let Self { app, cases, starts } = self;
        let (db, sim, clock) = app.stop().await;
        Self { app: builder(starts).start_with(db, sim, clock).await, cases, starts: starts + 1 }
    }

    async fn beat(&self, agent: &str) {
        let beat = self.app.beat(agent).await;
        assert!(["ok", "warning", "error"].contains(&beat["status"].as_str().expect("a status")), "{beat}");
    }

    async fn sync(&self, sweep: bool) {
        self.app.post("/api/sync", json!({ "sweep": sweep })).await.expect(200);
    }

    async fn refresh(&self, github: &Github, repo: usize, pick: u64) {
        let Some(number) = github.issue(repo, pick) else { return };
        let body = json!({ "repoFullName": github.names[repo], "issueNumber": number });
        let answer = self.app.post("/api/issues/refresh", body).await;
        assert!([200, 502].contains(&answer.status), "{}", answer.text);
    }

    /// Faults end, time passes, one clean pass, one sweep.
    async fn converges(&self, github: &Github) -> Result<(), TestCaseError> {
        self.app.sim.clear_faults();
        self.app.sim.clear_hooks();
        self.app.advance(Duration::from_hours(2));
        self.until_clean("a pass", || async {
            let beat = self.app.beat("coder").await;
            (beat["status"] == "ok", beat)
        })
        .await?;
        for at in 0..TRACKED {
            self.nothing_missing(github, at).await?;
        }
        self.until_clean("a sweep", || async {
            let synced = self.app.post("/api/sync", json!({ "sweep": true })).await.expect(200);
            (synced["success"] == true, synced)
        })
        .await?;
        for at in 0..TRACKED {
            self.all_equal(github, at).await?;
        }
        Ok(())
    }

    /// A busy machine may let a request time out by chance; that was no clean pass.
    async fn until_clean<F>(&self, what: &str, pass: impl Fn() -> F) -> Result<(), TestCaseError>
    where
        F: Future<Output = (bool, serde_json::Value)>,
    {
        for _ in 0..5 {
            let (clean, answer) = pass().await;
            if clean {
                return Ok(());
            }
            let by_chance = answer.to_string().contains("did not answer in time");
            prop_assert!(by_chance, "{} was not clean: {}", what, answer);
            self.app.advance(Duration::from_hours(1));
        }
        Err(TestCaseError::fail(format!("{what} was never clean")))
    }

    /// Before the sweep: what vanished may linger, nothing else may differ.
    async fn nothing_missing(&self, github: &Github, at: usize) -> Result<(), TestCaseError> {
        let (mut cached, expected) = self.both(github, at).await;
        let there =
            |number: &i64| github.repos[at].issue(u64::try_from(*number).expect("a number")).is_some();
        cached.retain(|number, _| there(number));
        same("before the sweep", at, &cached, &expected)
    }

    /// After the sweep: the same issues, also in their addresses.
    async fn all_equal(&self, github: &Github, at: usize) -> Result<(), TestCaseError> {
        let (cached, expected) = self.both(github, at).await;
        same("after the sweep", at, &cached, &expected)?;
        let name = github.repos[at].full_name();
        let path = format!("/api/issues?repo={}&includeClosed=true", github.names[at]);
        for issue in self.app.get(&path).await.expect(200).as_array().expect("an array") {
            let number = issue["number"].as_i64().expect("a number");
            if expected.contains_key(&number) {
                let url = format!("https://github.com/{name}/issues/{number}");
                prop_assert_eq!(issue["url"].as_str(), Some(url.as_str()));
                prop_assert_eq!(issue["repository"]["fullName"].as_str(), Some(name.as_str()));
            }
        }
        Ok(())
    }

    async fn both(&self, github: &Github, at: usize) -> (Views, Views) {
        let mut cached = world::cached(&self.app, &github.names[at]).await;
        let mut expected = world::expected_of(&github.repos[at], &[HIDDEN]);
        let cutoff = self.app.sim.now_ms() / 1000 - RETENTION_S;
        for issue in github.repos[at].issues() {
            // Closed long ago: kept when it was cached before, not fetched otherwise.
            if issue.closed_at.is_some_and(|closed_at| closed_at < cutoff) {
                let number = i64::try_from(issue.number).expect("a number");
                expected.remove(&number);
                cached.remove(&number);
            }
        }
        (cached, expected)
    }
}

type Views = BTreeMap<i64, world::View>;

fn same(when: &str, at: usize, cached: &Views, expected: &Views) -> Result<(), TestCaseError> {
    let numbers = cached.keys().chain(expected.keys());
    let differing: BTreeMap<_, _> = numbers
        .filter(|number| cached.get(number) != expected.get(number))
        .map(|number| (number, (cached.get(number), expected.get(number))))
        .collect();
    prop_assert!(differing.is_empty(), "{}, r{}: cached, expected: {:#?}", when, at, differing);
    Ok(())
}

/// Runs the property; a failure names the shortest sequence that was found.
fn property(default_cases: u32, db: impl AsyncFn() -> TestDb) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let cases = std::env::var("PROPTEST_CASES").ok().map(|cases| cases.parse().expect("a number"));
    let config = Config {
        cases: cases.unwrap_or(default_cases),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        max_shrink_iters: 1_000,
        ..Config::default()
    };
    let bench = RefCell::new(None);
    let outcome = TestRunner::new(config).run(&ops(), |ops| {
        let kept = bench.take();
        runtime.block_on(async {
            let bench_now = match kept {
                Some(bench) => bench,
                None => Bench::new(db().await).await,
            };
            let (bench_now, outcome) = bench_now.run(&ops).await;
            // After a failure the next attempt starts from nothing.
            bench.replace(outcome.is_ok().then_some(bench_now));
            outcome
        })
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, ops)) => panic!("{reason}\nthe sequence: {ops:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

mod sqlite {
    #[test]
    fn every_history_converges() {
        super::property(300, super::TestDb::sqlite);
    }
}

mod postgres {
    #[test]
    fn every_history_converges() {
        super::property(60, super::TestDb::postgres);
    }
}

/// What the property, or a look at the code, found once.
mod scripted {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_change_behind_a_page_of_the_same_second_is_seen() {
        let bench = Bench::new(TestDb::sqlite().await).await;
        let bulk = || Op::Change(1, Change::Bulk(102));
        let edit = Op::Change(1, Change::Edit(0, Edit::Title));
        let (bench, outcome) = bench.run(&[Op::Beat, Op::Advance(61), bulk(), Op::Beat, edit.clone()]).await;
        outcome.expect("seen by a delta");
        let (_, outcome) = bench.run(&[bulk(), Op::Beat, edit]).await;
        outcome.expect("seen by a first load");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_leaves_a_page_while_the_next_is_fetched_hides_nothing() {
        let mut bench = Bench::new(TestDb::sqlite().await).await;
        let mut faults = Vec::new();
        for edit in [Edit::Delete, Edit::Close, Edit::Transfer(0)] {
            for early in [true, false] {
                for after in 0..6 {
                    let load = [Op::Change(1, Change::Bulk(130)), Op::Advance(61)];
                    let delta =
                        [Op::Beat, Op::Advance(61), Op::Change(1, Change::BulkEdit(130)), Op::Advance(61)];
                    let change = Change::Edit(0, edit.clone());
                    let mut ops = load.to_vec();
                    if early {
                        ops.extend(delta);
                    }
                    ops.push(Op::Meanwhile { kind: "issues.list", after, repo: 1, change });
                    ops.push(Op::Beat);
                    let (next, outcome) = bench.run(&ops).await;
                    bench = next;
                    if let Err(error) = outcome {
                        faults.push(format!(
                            "{edit:?} delta={early} after={after}: {}",
                            &error.to_string()[..60]
                        ));
                    }
                }
            }
        }
        assert!(faults.is_empty(), "{faults:#?}");
    }
}
