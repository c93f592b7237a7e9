//! Whatever happens to an item, in whatever order: what must hold of it holds after every step.

use std::time::Duration;

use dispatch::{
    domain::{
        access::{Caller, Tier},
        ids::{AgentName, IssueNumber, TokenId},
        pr_fix::{FixLane, FixStatus, FixType, Generation, Item, enqueue::Evidence, mark::Mark},
        queue::Ask,
        repo::RepoName,
        report::{Attempt, Report},
        task::Task,
    },
    engine::{
        pr_fix::{ack, enqueue, mark, sweep},
        queue,
        reports::{self, Received},
    },
    store::{pr_fix, pr_fix_notes},
};
use proptest::{
    prelude::*,
    test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner},
};
use serde_json::json;

use super::field::{API, TIMEOUT, sha, with};
use crate::support::{App, TestDb};

const REGRESSIONS: &str = "tests/proptest-regressions/pr_fix.txt";
const AGENTS: [&str; 3] = ["one", "two", "three"];
const PRS: [i64; 2] = [4, 5];
const OUTCOMES: [&str; 5] = ["pr_updated", "failed", "blocked", "already_addressed", "no_changes_needed"];

#[derive(Clone, Copy, Debug)]
enum Step {
    Enqueue {
        pr: usize,
        key: u8,
        lane: usize,
        head: bool,
    },
    Poll {
        agent: usize,
    },
    Ack {
        agent: usize,
        pr: usize,
    },
    /// Of the attempt that the agent was last given.
    Report {
        agent: usize,
        outcome: usize,
    },
    Mark {
        pr: usize,
        status: usize,
    },
    Requeue {
        pr: usize,
    },
    Sweep,
    Beat {
        agent: usize,
    },
    Wait {
        half: bool,
    },
    Push {
        pr: usize,
    },
    Mergeable {
        pr: usize,
        yes: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (pr, agent) = (0..PRS.len(), 0..AGENTS.len());
    prop_oneof![
        4 => (pr.clone(), 0..12u8, 0..10usize, any::<bool>())
            .prop_map(|(pr, key, lane, head)| Step::Enqueue { pr, key, lane, head }),
        5 => agent.clone().prop_map(|agent| Step::Poll { agent }),
        1 => (agent.clone(), pr.clone()).prop_map(|(agent, pr)| Step::Ack { agent, pr }),
        4 => (agent.clone(), 0..OUTCOMES.len()).prop_map(|(agent, outcome)| Step::Report { agent, outcome }),
        2 => (pr.clone(), 0..FixStatus::ALL.len()).prop_map(|(pr, status)| Step::Mark { pr, status }),
        1 => pr.clone().prop_map(|pr| Step::Requeue { pr }),
        1 => Just(Step::Sweep),
        1 => agent.prop_map(|agent| Step::Beat { agent }),
        2 => any::<bool>().prop_map(|half| Step::Wait { half }),
        2 => pr.clone().prop_map(|pr| Step::Push { pr }),
        1 => (pr, any::<bool>()).prop_map(|(pr, yes)| Step::Mergeable { pr, yes }),
    ]
}

struct World<'a> {
    app: &'a App,
    caller: Caller,
    repo: RepoName,
    /// What each agent was last given.
    given: [Option<Attempt>; 3],
    pulls: [IssueNumber; 3],
    pushes: u8,
}

fn name(agent: usize) -> AgentName {
    AGENTS[agent].parse().expect("a name")
}

impl World<'_> {
    async fn take(&mut self, step: Step) {
        let (app, engine) = (self.app, &self.app.engine);
        match step {
            Step::Enqueue { pr, key, lane, head } => {
                let lane =
                    [FixLane::Escalated, FixLane::NeedsHuman].get(lane).copied().unwrap_or(FixLane::Normal);
                let pull = app.sim.repo(API).pulls()[pr].pull.head_sha.clone();
                let kind = ["review", "check_run", "linked"][usize::from(key) % 3];
                let evidence = Evidence {
                    repo: self.repo.clone(),
                    pr: IssueNumber(PRS[pr]),
                    reason: "red".into(),
                    feedback: format!("say {key}"),
                    key: format!("{kind}:{key}"),
                    lane,
                    kind: FixType::ALL[usize::from(key) % 4],
                    issue: None,
                    branch: None,
                    url: None,
                    title: None,
                    head_sha: head.then_some(pull),
                    author: None,
                };
                enqueue::enqueue(engine, &self.caller, &evidence).await.expect("enqueued");
            }
            Step::Poll { agent } => {
                let told = queue::next_task(engine, &Ask::of(name(agent))).await.expect("told");
                let again = queue::next_task(engine, &Ask::of(name(agent))).await.expect("told");
                assert_eq!(told, again, "asking twice changes nothing");
                if let Task::FollowupPr { pr_fix_item, pull_request, .. } = told {
                    self.given[agent] = Some(pr_fix_item);
                    self.pulls[agent] = pull_request.number;
                }
            }
            Step::Ack { agent, pr } => {
                let generation = self.given[agent].as_ref().map_or(1, |attempt| attempt.generation);
                let pull = (&self.repo, IssueNumber(PRS[pr]));
                let _ = ack::ack(engine, &self.caller, pull, Generation(generation), &name(agent)).await;
            }
            Step::Report { agent, outcome } => {
                let report: Report = serde_json::from_value(json!({
                    "taskType": "followup-pr", "outcome": OUTCOMES[outcome], "repoFullName": API,
                    "pullRequestNumber": self.pulls[agent], "prFixItem": self.given[agent],
                }))
                .expect("a report");
                let payload_hash = report.payload_hash(None);
                let received = Received { agent: name(agent), report, payload_hash, key: None };
                reports::report(engine, &received).await.expect("recorded");
            }
            Step::Mark { pr, status } => {
                let ask = Mark {
                    status: FixStatus::ALL[status],
                    note: None,
                    generation: None,
                    attempt_head_sha: None,
                    already_addressed: false,
                    evidence: None,
                };
                let _ = mark::mark(engine, &self.caller, (&self.repo, IssueNumber(PRS[pr])), &ask).await;
            }
            Step::Requeue { pr } => {
                let pull = (&self.repo, IssueNumber(PRS[pr]));
                let _ = mark::requeue(engine, &self.caller, pull, false, None).await;
            }
            Step::Sweep => drop(sweep::sweep(engine).await.expect("swept")),
            Step::Beat { agent } => drop(app.beat(AGENTS[agent]).await),
            Step::Wait { half } => app.advance(if half { TIMEOUT / 2 } else { TIMEOUT }),
            Step::Push { pr } => {
                self.pushes = self.pushes.wrapping_add(1);
                let letter = char::from(b'a' + self.pushes % 6);
                super::field::push(app, PRS[pr].unsigned_abs(), letter);
            }
            Step::Mergeable { pr, yes } => super::field::mergeable(app, PRS[pr].unsigned_abs(), Some(yes)),
        }
    }

    async fn item(&self, pr: i64) -> Option<Item> {
        let mut tx = self.app.engine.db().read().await.expect("a snapshot");
        pr_fix::find(&mut tx, &self.repo, IssueNumber(pr)).await.expect("read")
    }

    /// What must hold of every item, and of the record.
    async fn check(&self, before: &[Option<Item>], step: Step) -> Result<(), TestCaseError> {
        let db = &self.app.db;
        for (pr, before) in PRS.into_iter().zip(before) {
            let Some(item) = self.item(pr).await else {
                prop_assert!(before.is_none(), "{step:?}: an item is gone");
                continue;
            };
            let rise =
                item.generation.0 - before.as_ref().map_or(item.generation, |before| before.generation).0;
            prop_assert!((0..=1).contains(&rise), "{step:?}: {before:?} -> {item:?}");
            let is_queued = item.status == FixStatus::Queued;
            prop_assert!(is_queued || item.hold.is_none() && item.waiting.is_none(), "{step:?}: {item:?}");
            prop_assert!(item.hold.is_none() || item.waiting.is_none(), "{step:?}: {item:?}");
            prop_assert!(
                item.status != FixStatus::Blocked || item.lane == FixLane::NeedsHuman,
                "{step:?}: {item:?}"
            );
            let mut tx = self.app.engine.db().read().await.expect("a snapshot");
            if let Some(hold) = &item.hold {
                let handout = pr_fix_notes::find_handout(&mut tx, &item, &hold.agent).await.expect("read");
                prop_assert!(handout.is_some() && item.is_dispatched(), "{step:?}: {item:?}");
            }
            let late = pr_fix_notes::list_late_evidence(&mut tx, &item.id).await.expect("read");
            prop_assert!(is_queued || late.is_empty(), "{step:?}: {item:?} {late:?}");
            let is_by_hand = matches!(step, Step::Mark { .. });
            let over = item.fix_attempts > 5
                && before.as_ref().is_some_and(|it| it.fix_attempts < item.fix_attempts);
            prop_assert!(!over || is_by_hand, "{step:?}: {item:?}");
        }
        let doubled = "SELECT count(*) FROM (SELECT holder_key FROM pr_fix_items WHERE holder_key IS NOT NULL
            GROUP BY holder_key HAVING count(*) > 1) AS doubled";
        prop_assert_eq!(db.count(doubled).await, 0, "{:?}: an agent has two", step);
        let recorded = "SELECT (SELECT count(*) FROM audit_log WHERE action LIKE 'pr_fix_%') - (SELECT count(*) FROM pr_fix_history)";
        prop_assert_eq!(db.count(recorded).await, 0, "{:?}: an audit row for each event", step);
        prop_assert_eq!(db.count("SELECT count(*) FROM reports WHERE state = 'pending'").await, 0);
        Ok(())
    }
}

async fn play(app: &App, steps: &[Step]) -> Result<(), TestCaseError> {
    app.db.sql("DELETE FROM pr_fix_items; DELETE FROM audit_log; DELETE FROM runs").await;
    for pr in PRS {
        app.sim.repo(API).edit_pull(pr.unsigned_abs(), |pull| {
            pull.head_sha = sha('a');
            pull.mergeable = Some(true);
        });
    }
    let caller = Caller { tier: Tier::Maintainer, token: TokenId("0".into()), named: None };
    let repo = API.parse().expect("a name");
    let mut world =
        World { app, caller, repo, given: Default::default(), pulls: [IssueNumber(PRS[0]); 3], pushes: 0 };
    for step in steps {
        let mut before = Vec::new();
        for pr in PRS {
            before.push(world.item(pr).await);
        }
        world.take(*step).await;
        app.advance(Duration::from_millis(1));
        world.check(&before, *step).await?;
    }
    Ok(())
}

/// Plays random histories; a failure names the shortest that was found.
fn histories(default_cases: u32, db: impl AsyncFn() -> TestDb) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let cases = std::env::var("PROPTEST_CASES").ok().map(|cases| cases.parse().expect("a number"));
    let config = Config {
        cases: cases.unwrap_or(default_cases),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        max_shrink_iters: 300,
        ..Config::default()
    };
    let app = runtime.block_on(async { with(db().await).await });
    let run = TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..40), |steps| runtime.block_on(play(&app, &steps)));
    match run {
        Ok(()) => {}
        Err(TestError::Fail(why, steps)) => panic!("{why}\nafter {steps:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
    runtime.block_on(async { drop(app) });
}

#[test]
fn histories_on_sqlite() {
    histories(100, TestDb::sqlite);
}

#[test]
fn histories_on_postgres() {
    histories(25, TestDb::postgres);
}
