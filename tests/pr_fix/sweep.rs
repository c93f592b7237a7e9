//! Sweeps: what silent agents have is taken back, with a look at GitHub.

use std::{sync::Arc, time::Duration};

use github_sim::{Fault, FaultKind, Match};
use serde_json::json;
use tokio::{sync::Notify, task::JoinSet};

use super::field::*;
use crate::each_db;

each_db! {
    async fn what_nobody_acknowledged_is_taken_back(db) {
        let app = with(db).await;
        for pr in [4, 5, 6, 7] {
            enqueue(&app, pr, "k", json!({})).await;
            assert_eq!(next_pr(&app, &format!("agent-{pr}")).await, Some(pr));
        }
        ack(&app, 5, 1, "agent-5").await.expect(200);
        app.sim.repo(API).merge_pull(6);
        let nothing = json!({ "success": true, "examined": 0, "reclaimed": 0, "blocked": 0, "stale": 0, "unknownState": 0,
            "skipped": 0, "waiting": 0, "woken": 0, "errors": [] });
        assert_eq!(sweep(&app).await, nothing);
        app.advance(TIMEOUT / 2);
        app.beat("agent-7").await;
        // The beat saw that a pull request was merged.
        assert_eq!(state(&app, 6).await, "STALE NORMAL g1 a1 r0");
        app.db.sql("UPDATE pr_fix_items SET status = 'QUEUED', is_open = TRUE, holder_name = 'agent-6', holder_key = 'agent-6',
            held_until = 0 WHERE pr = 6").await;
        app.advance(TIMEOUT / 2);
        let swept = sweep(&app).await;
        assert_eq!(swept, and(nothing, json!({ "examined": 4, "reclaimed": 1, "stale": 1, "skipped": 2 })));
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g2 a1 r1");
        assert_eq!(state(&app, 5).await, "QUEUED NORMAL g1 a1 r0", "acknowledged");
        assert_eq!(state(&app, 6).await, "STALE NORMAL g1 a1 r0");
        assert_eq!(state(&app, 7).await, "QUEUED NORMAL g1 a1 r0", "heard of");
        assert_eq!(item(&app, 4).await["heldBy"], json!(null));
        assert_eq!((audited(&app, "pr_fix_reclaim").await, audited(&app, "pr_fix_stale").await), (1, 2));
    }

    async fn what_github_does_not_tell_is_left(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        next_pr(&app, "coder").await;
        hide_pulls(&app);
        app.advance(TIMEOUT);
        let swept = sweep(&app).await;
        assert_eq!((&swept["unknownState"], &swept["reclaimed"]), (&json!(1), &json!(0)));
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g1 a1 r0");
        app.sim.clear_faults();
        assert_eq!(sweep(&app).await["reclaimed"], 1);
    }

    async fn an_item_that_is_taken_back_too_often_is_for_a_human(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        for round in 1..=4 {
            assert_eq!(next_pr(&app, "coder").await, Some(4));
            app.advance(TIMEOUT);
            let swept = sweep(&app).await;
            assert_eq!((&swept["reclaimed"], &swept["blocked"]), (&json!(1), &json!(i64::from(round == 4))));
        }
        assert_eq!(state(&app, 4).await, "BLOCKED NEEDS_HUMAN g4 a1 r4");
        requeue(&app, 4, json!({})).await.expect(200);
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g5 a1 r0");
    }

    async fn one_sweep_at_a_time(db) {
        let app = Arc::new(with(db).await);
        enqueue(&app, 4, "k", json!({})).await;
        next_pr(&app, "coder").await;
        app.advance(TIMEOUT);
        app.sim.fault(Fault::new(FaultKind::Delay(Duration::from_secs(1))).on(Match::kind("pulls.get")));
        let reached = Arc::new(Notify::new());
        let tells = Arc::clone(&reached);
        app.sim.hook(Match::kind("pulls.get"), move |_| tells.notify_one());
        let first = Arc::clone(&app);
        let mut first = JoinSet::from_iter([async move { sweep(&first).await }]);
        reached.notified().await;
        let busy = post(&app, "sweep", json!({})).await.expect(409);
        assert_eq!((&busy["error"], &busy["locked"]), (&json!("PR-fix hand-out sweep is already running"), &json!(true)));
        assert_eq!(first.join_next().await.unwrap().unwrap()["reclaimed"], 1);
    }

    async fn a_sweep_goes_past_what_it_leaves(db) {
        let app = with(db).await;
        for pr in 100..230 {
            enqueue(&app, pr, "k", json!({})).await;
            assert_eq!(next_pr(&app, &format!("agent-{pr}")).await, Some(pr));
        }
        // None of them is at GitHub, but the last.
        enqueue(&app, 4, "k", json!({})).await;
        app.advance(Duration::from_millis(1));
        assert_eq!(next_pr(&app, "coder").await, Some(4));
        app.advance(TIMEOUT);
        let swept = sweep(&app).await;
        assert_eq!((&swept["examined"], &swept["unknownState"], &swept["reclaimed"]), (&json!(131), &json!(130), &json!(1)));
    }
}
