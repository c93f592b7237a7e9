//! Items whose pull requests are closed at GitHub, or whose repository is tracked no more.

use std::time::Duration;

use serde_json::json;

use super::field::*;
use crate::each_db;

each_db! {
    async fn a_read_that_sees_a_pull_request_closed_ends_its_item(db) {
        let app = with(db).await;
        for pr in [4, 5, 6, 7] {
            enqueue(&app, pr, "k", json!({})).await;
        }
        next_pr(&app, "coder").await;
        mark(&app, 5, "BLOCKED", json!({})).await.expect(200);
        mark(&app, 6, "IGNORED", json!({})).await.expect(200);
        app.tick();
        let repo = app.sim.repo(API);
        repo.merge_pull(4);
        repo.close_pull(5);
        repo.close_pull(6);
        app.next_beat("loader").await;
        for (pr, want) in [
            (4, "STALE NORMAL g1 a1 r0"),
            (5, "STALE NEEDS_HUMAN g1 a1 r0"),
            (6, "IGNORED NORMAL g1 a1 r0"),
            (7, "QUEUED NORMAL g1 a1 r0"),
        ] {
            assert_eq!(state(&app, pr).await, want);
        }
        assert_eq!((last_note(&app, 4).await, audited(&app, "pr_fix_stale").await), (json!("the pull request is merged or closed"), 2));
        assert_eq!(next_pr(&app, "coder").await, Some(7));
        // Evidence of yesterday does not bring it back.
        assert_eq!(enqueue(&app, 4, "k2", json!({})).await["status"], "STALE");
        let before = history(&app, 4).await.len();
        app.next_beat("loader").await;
        assert_eq!(history(&app, 4).await.len(), before);
    }

    async fn untracking_ends_all_items_of_the_repository(db) {
        let app = with(db).await;
        for pr in [4, 5] {
            enqueue(&app, pr, "k", json!({})).await;
        }
        enqueue(&app, 4, "k", json!({ "repo": "acme/other" })).await;
        app.delete("/api/automation/repos/acme/api").await.expect(200);
        let open = "SELECT count(*) FROM pr_fix_items WHERE is_open = TRUE AND repo = ";
        assert_eq!(app.db.count(&format!("{open}'acme/api'")).await, 0);
        assert_eq!(app.db.count(&format!("{open}'acme/other'")).await, 1);
        assert_eq!(last_note(&app, 4).await, "the repository is tracked no more");
        assert_eq!(audited(&app, "pr_fix_stale").await, 2);
    }

    async fn closed_pull_requests_are_forgotten_one_day(db) {
        let app = with(db).await;
        for (pr, status) in [(100, "STALE"), (101, "IGNORED"), (102, "FIXED"), (103, "BLOCKED")] {
            enqueue(&app, pr, "k", json!({})).await;
            mark(&app, pr, status, json!({})).await.expect(200);
        }
        app.advance(Duration::from_hours(24 * 31));
        enqueue(&app, 104, "k", json!({})).await;
        mark(&app, 104, "STALE", json!({})).await.expect(200);
        app.prune().await;
        let left = app.db.texts("SELECT CAST(pr AS TEXT) FROM pr_fix_items ORDER BY pr").await;
        assert_eq!(left, ["101", "102", "103", "104"]);
        assert_eq!(app.db.count("SELECT count(*) FROM pr_fix_history").await, 2, "what happened long ago, too");
        assert_eq!(app.db.count("SELECT count(*) FROM pr_fix_evidence").await, 4);
    }
}
