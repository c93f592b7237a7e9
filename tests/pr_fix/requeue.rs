//! Another chance from the beginning, by an operator's word and GitHub's.

use serde_json::json;

use super::field::*;
use crate::each_db;

each_db! {
    async fn a_requeue_begins_anew(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        mark(&app, 4, "BLOCKED", json!({})).await.expect(200);
        push(&app, 4, 'b');
        app.db.sql("UPDATE pr_fix_items SET fix_attempts = 5, handout_reclaims = 3").await;
        let answer = requeue(&app, 4, json!({ "note": "try once more" })).await.expect(200);
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g2 a1 r0");
        assert_eq!(answer["item"]["attemptHeadSha"], sha('b'));
        assert_eq!((history(&app, 4).await[2].as_str(), last_note(&app, 4).await), ("requeue QUEUED", json!("try once more")));
        assert_eq!(audited(&app, "pr_fix_requeue").await, 1);
        let refused = requeue(&app, 4, json!({})).await.expect(400);
        assert_eq!(refused["error"], "Cannot requeue: item is QUEUED, not BLOCKED or FIXED");
        for status in ["STALE", "IGNORED"] {
            mark(&app, 4, status, json!({})).await.expect(200);
            let refused = requeue(&app, 4, json!({})).await.expect(400);
            assert_eq!(refused["error"], format!("Cannot requeue: item is {status}, not BLOCKED or FIXED"));
        }
    }

    async fn a_closed_pull_request_is_not_requeued(db) {
        let app = with(db).await;
        let gone = "Cannot requeue: upstream PR is merged or closed";
        for pr in [4, 5, 6, 7] {
            enqueue(&app, pr, "k", json!({})).await;
            mark(&app, pr, "BLOCKED", json!({})).await.expect(200);
        }
        assert_eq!(requeue(&app, 4, json!({ "isPrMergedOrClosed": true })).await.expect(400)["error"], gone);
        app.sim.repo(API).merge_pull(5);
        // Whatever the caller says.
        assert_eq!(requeue(&app, 5, json!({ "isPrMergedOrClosed": false })).await.expect(400)["error"], gone);
        app.sim.repo(API).close_pull(6);
        assert_eq!(requeue(&app, 6, json!({})).await.expect(400)["error"], gone);
        hide_pulls(&app);
        requeue(&app, 7, json!({})).await.expect(200);
        app.sim.clear_faults();
        app.sim.repo(API).archive();
        assert_eq!(requeue(&app, 4, json!({})).await.expect(400)["error"], "Cannot requeue: repository is archived");
        assert_eq!(state(&app, 4).await, "BLOCKED NEEDS_HUMAN g1 a1 r0");
    }
}
