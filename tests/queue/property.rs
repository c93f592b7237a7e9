//! The rules in words and the queue by index are the same rules: whatever there is and whatever is asked for, the
//! queue holds exactly what no rule bars, in the order of the ranks, and the next task is the first that may be claimed.

use dispatch::{
    domain::{
        claim::Fence,
        ids::{AgentName, IssueId, IssueNumber, RepoId},
        issue::{Derived, IssueState, Ours, RemoteIssue},
        queue::{Ask, bars, is_claimable, rank},
        task::Task,
        time::Timestamp,
    },
    engine::queue as verbs,
    store::{
        self,
        issues::{self, IssueWrite},
        queue,
    },
};
use proptest::{
    prelude::*,
    test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner},
};

use crate::support::{App, START_MS, TestDb};

const REGRESSIONS: &str = "tests/proptest-regressions/queue.txt";
const LABELS: [&str; 14] = [
    "status/ready",
    "status/ready",
    "status/in-progress",
    "status/in-review",
    "status/backlog",
    "status/blocked",
    "status/done",
    "priority/p0",
    "priority/p1",
    "priority/p3",
    "agent/me",
    "agent/other",
    "renovate",
    "bug",
];
const LANES: [Option<&str>; 5] = [None, Some("local"), Some("Normal"), Some("backlog"), Some("gone")];
const ASKED: [Option<&str>; 4] = [None, Some("local"), Some("backlog"), Some("cloud")];
const DAY_MS: i64 = 24 * 3_600_000;

#[derive(Clone, Debug)]
struct Spec {
    labels: Vec<&'static str>,
    lane: Option<&'static str>,
    open: bool,
    decomposed: bool,
    blockers: i64,
    holder: Option<&'static str>,
    days: i64,
}

#[derive(Clone, Debug)]
struct Case {
    issues: Vec<Spec>,
    asks: Vec<Ask>,
    about: prop::sample::Index,
}

fn spec() -> impl Strategy<Value = Spec> {
    let labels =
        (prop::sample::select(&LABELS[..7]), prop::collection::vec(prop::sample::select(&LABELS[..]), 0..3));
    let holder = prop_oneof![6 => Just(None), 1 => Just(Some("me")), 1 => Just(Some("other"))];
    let flags =
        (prop::bool::weighted(0.9), prop::bool::weighted(0.2), prop_oneof![5 => Just(0), 1 => 1..3i64]);
    (labels, prop::sample::select(&LANES[..]), flags, holder, 0..20i64).prop_map(
        |((status, more), lane, (open, decomposed, blockers), holder, days)| {
            let mut labels = [vec![status], more].concat();
            // Who holds an issue has its label on it, or holds it no more.
            labels.extend(match holder {
                Some("me") => Some("agent/me"),
                Some(_) => Some("agent/other"),
                None => None,
            });
            Spec { labels, lane, open, decomposed, blockers, holder, days }
        },
    )
}

fn ask() -> impl Strategy<Value = Ask> {
    let agents = prop::sample::select(&["me", "Other", "third"][..]);
    (agents, prop::sample::select(&ASKED[..]), any::<[bool; 3]>()).prop_map(
        |(agent, lane, [whole, wide, updates])| Ask {
            agent: agent.parse().expect("a name"),
            lane: lane.map(str::to_owned),
            exclude_decomposed: whole,
            include_claimed: wide,
            include_automated: updates,
            after: None,
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    (prop::collection::vec(spec(), 1..14), prop::collection::vec(ask(), 4), any::<prop::sample::Index>())
        .prop_map(|(issues, asks, about)| Case { issues, asks, about })
}

/// Puts the issues of a case in the place of all that are there.
async fn put(app: &App, repo: &RepoId, specs: &[Spec]) -> store::Result<()> {
    let rules = &app.engine.settings().rules;
    let remote: Vec<RemoteIssue> = specs.iter().enumerate().map(|(n, spec)| remote(n, spec)).collect();
    let write = |(issue, spec): (&'_ RemoteIssue, &Spec)| {
        let holder = spec.holder.map(|name| name.parse::<AgentName>().expect("a name"));
        let ours = Ours { holder, lane: spec.lane.map(str::to_owned), ..Ours::default() };
        Derived::of(issue.state, &issue.title, &issue.labels, &ours, rules)
    };
    let writes: Vec<_> = remote
        .iter()
        .zip(specs)
        .map(|(issue, spec)| IssueWrite {
            id: IssueId(format!("i{:03}", issue.number.0)),
            issue: std::borrow::Cow::Borrowed(issue),
            content_hash: issue.content_hash(),
            derived: write((issue, spec)),
            listed_blockers: 0,
        })
        .collect();
    let mut tx = app.engine.db().write().await?;
    tx.query("DELETE FROM issues").execute().await?;
    issues::upsert(&mut tx, repo, &writes, Timestamp(START_MS)).await?;
    for (n, (write, spec)) in writes.iter().zip(specs).enumerate() {
        tx.query("UPDATE issues SET current_lane = $1, decomposed = $2, open_blockers = $3 WHERE id = $4")
            .bind(spec.lane)
            .bind(spec.decomposed)
            .bind(spec.blockers)
            .bind(&write.id)
            .execute()
            .await?;
        let Some(holder) = spec.holder.filter(|_| spec.open) else { continue };
        tx.query(
            "INSERT INTO claims (id, fence, agent_name, agent_key, issue_id, terms, state, checkpoint, started, created_at,
                renewed_at, expires_at) VALUES ($1, $2, $3, $4, $5, 'held', 'CLAIMED', 'issue_claimed', FALSE, 0, 0, 0)",
        )
        .bind(format!("c{n}"))
        .bind(Fence(i64::try_from(n).expect("small")))
        .bind(holder)
        .bind(holder)
        .bind(&write.id)
        .execute()
        .await?;
    }
    tx.commit().await
}

fn remote(n: usize, spec: &Spec) -> RemoteIssue {
    let number = i64::try_from(n + 1).expect("small");
    RemoteIssue {
        github_id: number,
        number: IssueNumber(number),
        title: "t".to_owned(),
        body: None,
        state: if spec.open { IssueState::Open } else { IssueState::Closed },
        url: String::new(),
        labels: spec.labels.iter().map(|&label| label.to_owned()).collect(),
        assignees: Vec::new(),
        comments: 0,
        created_at: Timestamp(START_MS - spec.days * DAY_MS),
        updated_at: Timestamp(START_MS),
        closed_at: None,
        blockers: None,
    }
}

async fn check(app: &App, ask: &Ask, specs: &[Spec], about: usize) -> Result<(), TestCaseError> {
    let (aging, now) = (app.engine.settings().aging, app.engine.clock().now());
    let mut tx = app.engine.db().read().await.expect("a reader");
    let mut wanted = Vec::new();
    for n in 1..=specs.len() {
        let id = IssueId(format!("i{n:03}"));
        let subject = queue::find(&mut tx, &id).await.expect("read").expect("the issue").candidate;
        if bars(&subject.facts, ask).is_empty() {
            wanted.push((
                rank(&subject.facts, &ask.agent, aging, now),
                subject.id,
                is_claimable(&subject.facts),
            ));
        }
    }
    drop(tx);
    wanted.sort();
    let all: Vec<_> = wanted.iter().map(|(_, id, _)| id.clone()).collect();
    for limit in [1_000, 3] {
        let (mut ask, mut served) = (ask.clone(), Vec::new());
        loop {
            let page = verbs::list(&app.engine, &ask, limit).await.expect("read");
            served.extend(page.served.into_iter().map(|served| served.id));
            ask.after = page.next;
            if ask.after.is_none() {
                break;
            }
        }
        prop_assert_eq!(&served, &all, "{:?}, {} at a time", ask, limit);
    }
    let first = wanted.iter().find(|(.., claimable)| *claimable).map(|(_, id, _)| id.clone());
    let next = match verbs::next_task(&app.engine, ask).await.expect("read") {
        Task::Implement { issue, .. } => Some(IssueId(format!("i{:03}", issue.number.0))),
        Task::Idle { .. } | Task::FollowupPr { .. } => None,
    };
    prop_assert_eq!(&next, &first, "{:?}", ask);
    let about = IssueId(format!("i{:03}", about + 1));
    let why = verbs::why(&app.engine, &about, ask).await.expect("read");
    let place = wanted.iter().position(|(_, id, _)| *id == about).map(|at| at + 1);
    prop_assert_eq!((why.reasons.is_empty(), why.place), (place.is_some(), place), "{:?} {:?}", about, ask);
    Ok(())
}

/// Runs the property; a failure names the smallest case that was found.
fn property(default_cases: u32, db: impl AsyncFn() -> TestDb) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let cases = std::env::var("PROPTEST_CASES").ok().map(|cases| cases.parse().expect("a number"));
    let config = Config {
        cases: cases.unwrap_or(default_cases),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        max_shrink_iters: 500,
        ..Config::default()
    };
    let (app, repo) = runtime.block_on(async {
        let app = App::with_repos(db().await, &["acme/api"]).await;
        let mut tx = app.engine.db().read_once().await.expect("a reader");
        let name = "acme/api".parse().expect("owner/name");
        let repo = store::repos::find_tracked(&mut tx, &name).await.expect("read").expect("tracked").id;
        drop(tx);
        (app, repo)
    });
    let outcome = TestRunner::new(config).run(&case(), |case| {
        runtime.block_on(async {
            put(&app, &repo, &case.issues).await.expect("written");
            for ask in &case.asks {
                check(&app, ask, &case.issues, case.about.index(case.issues.len())).await?;
            }
            Ok(())
        })
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => panic!("{reason}\nthe case: {case:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

mod sqlite {
    #[test]
    fn why_admits_exactly_what_the_queue_serves() {
        super::property(250, super::TestDb::sqlite);
    }
}

mod postgres {
    #[test]
    fn why_admits_exactly_what_the_queue_serves() {
        super::property(125, super::TestDb::postgres);
    }
}
