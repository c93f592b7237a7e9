//! A repository that may not be read any more keeps nobody's work from others.

use dispatch::engine::{pr_followup, pr_reconcile};
use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use super::field::*;
use crate::{each_db, support::App};

/// From now on GitHub refuses whatever is asked of the repository.
async fn refuse(app: &App) {
    app.sim.fault(Fault::new(FaultKind::Status(403)).on(Match::path_contains(format!("/repos/{API}"))));
    app.tick();
    let beat = app.next_beat("watcher").await;
    assert!(
        beat["warnings"].to_string().contains("403") || beat["errors"].to_string().contains("403"),
        "{beat}"
    );
}

/// Puts an item back to where a closed pull request's never is.
async fn reopen_item(app: &App, pr: i64) {
    let sql = "UPDATE pr_fix_items SET status = 'QUEUED', is_open = TRUE WHERE status = 'STALE' AND pr = ";
    app.db.sql(&format!("{sql}{pr}")).await;
    assert_eq!(state(app, pr).await, "QUEUED NORMAL g1 a1 r0");
}

each_db! {
    async fn what_the_dead_had_goes_to_the_living(db) {
        let app = with(db).await;
        for pr in [4, 5] {
            enqueue(&app, pr, "k", json!({})).await;
            assert_eq!(next_pr(&app, &format!("dead-{pr}")).await, Some(pr));
        }
        ack(&app, 5, 1, "dead-5").await.expect(200);
        let issue = app.get(&format!("/api/issues/state?repo={API}&number=1")).await.expect(200);
        let claim = json!({ "issueId": issue["issueId"], "repoFullName": API, "issueNumber": 1, "agentName": "dead-1",
            "lease": true });
        app.post("/api/issues/claim", claim).await.expect(200);
        refuse(&app).await;
        app.advance(TIMEOUT);
        // Without GitHub's word a sweep leaves hand-outs; claims hang on nobody's word.
        let swept = sweep(&app).await;
        assert_eq!((&swept["examined"], &swept["unknownState"], &swept["skipped"]), (&json!(2), &json!(1), &json!(1)), "{swept}");
        let swept = app.post("/api/agent-work/sweep", json!({})).await.expect(200);
        assert_eq!(app.db.texts("SELECT end_reason FROM claims").await, ["expired"], "{swept}");
        // Whoever wants work gets what the dead had, the one that never began and the one that did.
        assert_eq!(next_pr(&app, "alive-1").await, Some(4));
        assert_eq!(next_pr(&app, "alive-2").await, Some(5));
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g2 a1 r1");
        assert_eq!(state(&app, 5).await, "QUEUED NORMAL g2 a2 r0");
        assert_eq!(next(&app, "alive-3", "").await["issue"]["number"], 1);
    }

    async fn what_is_known_to_be_closed_is_reaped(db) {
        let app = with(db).await;
        let repo = app.sim.repo(API);
        // One of a bot is open: its follow-up has something to read.
        repo.edit_issue(7, |issue| issue.author = "github-actions[bot]".to_owned());
        enqueue(&app, 6, "k", json!({})).await;
        // Whether its issue is to be closed only GitHub can say.
        repo.set_body(6, "Fixes #1");
        repo.merge_pull(6);
        app.next_beat("loader").await;
        assert_eq!(state(&app, 6).await, "STALE NORMAL g1 a1 r0");
        refuse(&app).await;
        reopen_item(&app, 6).await;
        let followed = pr_followup::sync(&app.engine).await.expect("the database").expect("its turn");
        assert_eq!((followed.repos_failed, followed.stale_reaped), (1, 1), "{followed:?}");
        assert_eq!(state(&app, 6).await, "STALE NORMAL g1 a1 r0");
        reopen_item(&app, 6).await;
        app.advance(TIMEOUT);
        let reconciled = pr_reconcile::reconcile(&app.engine, None).await.expect("a pass").expect("its turn");
        assert_eq!((reconciled.errors.len(), reconciled.fixes_stale), (1, 1), "{reconciled:?}");
        assert_eq!(state(&app, 6).await, "STALE NORMAL g1 a1 r0");
    }
}
