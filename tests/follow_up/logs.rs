//! The log of a failing job comes to its item, whoever told of the failure, and is asked for once.

use dispatch::{engine::webhooks::Door, github::webhook::Secrets};
use github_sim::{Conclusion, Fault, FaultKind, Match, NewIssue, Repo};
use serde_json::Value;

use crate::{
    API, builder, each_db, pass,
    support::{App, TestDb, answers::strings},
};

const PATH: &str = "/api/pr-followup/sync";
const SECRET: &str = "a-secret-of-webhooks-71c0";
const LOG: &str = "2026-01-01T00:00:00.0000000Z running 3 tests\n2026-01-01T00:00:01.0000000Z error: assertion failed: left == right\n";

/// A server that GitHub tells of the pull request of a bot, which was looked at; its number.
async fn listening(db: TestDb) -> (App, Repo, u64) {
    let mut builder = builder();
    builder.engine.webhooks = Door::Signed(Secrets::parse(SECRET).expect("a secret"));
    let app = builder.start(db).await;
    let repo = app.sim.repo(API);
    let pull = repo.open_pull(NewIssue::new("Raise x").author("github-actions[bot]"), "bump/x");
    app.next_beat("loader").await;
    repo.add_webhook(&app.url("/api/github/webhook"), SECRET);
    told(&app).await;
    look(&app).await;
    app.tick();
    app.sim.reset_counters();
    (app, repo, pull)
}

async fn told(app: &App) {
    app.sim.webhooks_idle().await;
    while app.db.count("SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'").await > 0 {
        tokio::task::yield_now().await;
    }
}

async fn look(app: &App) -> Value {
    pass(app, PATH).await
}

async fn feedback(app: &App) -> Vec<String> {
    let queued = app.get("/api/pr-fix-queue/queued").await.expect(200);
    assert_eq!(queued[0]["type"], "CI_FAILURE", "{queued}");
    strings(&queued[0]["feedback"])
}

/// How often logs were asked for.
fn logs_read(app: &App) -> u64 {
    app.sim.counters().by_kind.get("job_logs.get").copied().unwrap_or_default()
}

each_db! {
    async fn a_failure_that_a_webhook_told_of_gets_its_log_once(db) {
        let (app, repo, pull) = listening(db).await;
        let job = repo.job(pull, "unit", Conclusion::Failure, LOG);
        told(&app).await;
        assert_eq!(app.sim.counters().requests, 0, "a delivery asks GitHub nothing");
        let before = feedback(&app).await;
        assert!(matches!(before.as_slice(), [text] if text.starts_with("Check unit failed") && !text.contains("assertion")), "{before:?}");
        let answer = look(&app).await;
        assert_eq!((&answer["enqueued"], &answer["skipped"]), (&0.into(), &1.into()), "{answer}");
        let after = feedback(&app).await;
        assert!(matches!(after.as_slice(), [text] if text.contains("assertion failed: left == right") && text.ends_with(&format!("/job/{job}"))), "{after:?}");
        // An agent gets it, as an attempt that it is: more words are no new evidence.
        let task = app.get("/api/agents/coder/next-task").await.expect(200);
        assert_eq!((&task["type"], &task["prFixItem"]["generation"]), (&"followup-pr".into(), &1.into()), "{task}");
        assert!(task["reasons"].to_string().contains("assertion failed"), "{task}");
        assert_eq!(app.db.count("SELECT count(*) FROM pr_fix_late_evidence").await, 0);
        // The checks are others each time, and the job is the one that it was.
        for round in 0..3 {
            repo.check(pull, &format!("lint-{round}"), Some(Conclusion::Success));
            told(&app).await;
            look(&app).await;
        }
        assert_eq!((logs_read(&app), feedback(&app).await), (1, after));
        // Another run of it is another failure.
        repo.job(pull, "unit", Conclusion::Failure, "error: it broke elsewhere");
        told(&app).await;
        look(&app).await;
        assert!(feedback(&app).await.concat().contains("it broke elsewhere"));
        assert_eq!(logs_read(&app), 2);
    }

    async fn a_poll_and_a_webhook_tell_the_same(db) {
        let (app, repo, pull) = listening(db).await;
        app.sim.lose_webhooks(2);
        repo.job(pull, "unit", Conclusion::Failure, LOG);
        told(&app).await;
        let answer = look(&app).await;
        assert_eq!(answer["enqueued"], 1, "{answer}");
        let by_poll = feedback(&app).await;
        assert!(by_poll.len() == 1 && by_poll[0].contains("assertion failed"), "{by_poll:?}");
        // What was lost comes now.
        for lost in app.sim.webhook_deliveries().into_iter().filter(|it| it.code == 502) {
            app.sim.redeliver_webhook(lost.id);
        }
        told(&app).await;
        look(&app).await;
        assert_eq!((logs_read(&app), feedback(&app).await), (1, by_poll));
    }

    async fn a_log_that_is_not_to_be_had_is_asked_for_once(db) {
        let (app, repo, pull) = listening(db).await;
        let mut asked = 0;
        for status in [403, 404, 410] {
            let fault = app.sim.fault(Fault::new(FaultKind::Status(status)).on(Match::kind("job_logs.get")));
            repo.job(pull, &format!("unit-{status}"), Conclusion::Failure, LOG);
            told(&app).await;
            let answer = look(&app).await;
            assert_eq!(answer["reposFailed"], 0, "{status}: {answer}");
            app.sim.clear_fault(fault);
            asked += 1;
            for round in 0..2 {
                repo.check(pull, &format!("lint-{status}-{round}"), Some(Conclusion::Success));
                look(&app).await;
            }
            assert_eq!(logs_read(&app), asked, "{status}");
        }
        assert_eq!(feedback(&app).await.len(), 3);
        assert!(!feedback(&app).await.concat().contains("assertion"));
    }

    async fn a_log_that_github_fails_to_give_is_asked_for_again(db) {
        let (app, repo, pull) = listening(db).await;
        let other = repo.open_pull(NewIssue::new("Raise y").author("github-actions[bot]"), "bump/y");
        told(&app).await;
        look(&app).await;
        let fault = app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::kind("job_logs.get")));
        // Nothing is told of what fails; only a look finds it.
        app.sim.lose_webhooks(100);
        repo.job(pull, "unit", Conclusion::Failure, LOG);
        repo.job(pull, "lint", Conclusion::Failure, "error: it is not formatted");
        repo.set_merge_state(pull, "dirty");
        repo.comment(other, "mona", "replace `a` with `b`");
        app.next_beat("loader").await;
        let answer = look(&app).await;
        assert_eq!((&answer["reposFailed"], &answer["prsScanned"], &answer["enqueued"]), (&1.into(), &2.into(), &4.into()), "{answer}");
        let kept = app.db.texts("SELECT kind || ' ' || status FROM pr_fix_items ORDER BY pr").await;
        assert_eq!(kept, ["MERGE_CONFLICT QUEUED", "REVIEW_FEEDBACK QUEUED"], "the conflict goes before the checks");
        let failed = "SELECT text FROM pr_fix_feedback WHERE text LIKE 'Check %' ORDER BY text";
        assert_eq!(app.db.texts(failed).await.len(), 2);
        // The checks are as they were, and their logs are asked for again.
        let answer = look(&app).await;
        assert_eq!((&answer["reposFailed"], &answer["enqueued"]), (&1.into(), &0.into()), "{answer}");
        app.sim.clear_fault(fault);
        assert_eq!(look(&app).await["reposFailed"], 0);
        let after = app.db.texts(failed).await;
        assert!(after.len() == 2 && after[0].contains("it is not formatted") && after[1].contains("assertion failed"), "{after:?}");
    }
}
