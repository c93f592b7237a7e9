//! Marks: what is applied, and what is opened again instead.

use serde_json::json;

use super::field::*;
use crate::{each_db, support::BOUND};

each_db! {
    async fn fixed_is_believed_when_the_head_moved(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let refused = mark(&app, 4, "fixed", json!({ "note": "done", "generation": 1 })).await.expect(200);
        assert_eq!((&refused["status"], &refused["applied"], &refused["generation"]), (&json!("QUEUED"), &json!(false), &json!(2)));
        let note = last_note(&app, 4).await;
        assert!(note.as_str().unwrap().starts_with("done; the pull request's head has not moved"), "{note}");
        push(&app, 4, 'b');
        let fixed = mark(&app, 4, "FIXED", json!({ "generation": 2 })).await.expect(200);
        assert_eq!((&fixed["status"], &fixed["applied"], &fixed["headSha"]), (&json!("FIXED"), &json!(true), &json!(sha('b'))));
        assert_eq!(history(&app, 4).await, ["enqueue QUEUED", "mark QUEUED", "mark FIXED"]);
        assert_eq!(audited(&app, "pr_fix_mark").await, 2);
        let asked_before = asked(&app);
        assert_eq!(mark(&app, 4, "FIXED", json!({})).await.expect(200)["applied"], true);
        assert_eq!(asked(&app), asked_before, "what is fixed is not looked at again");
    }

    async fn who_had_nothing_to_do_and_what_github_does_not_tell(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let addressed = json!({ "alreadyAddressed": true, "evidence": "see #9" });
        assert_eq!(mark(&app, 4, "FIXED", addressed).await.expect(200)["status"], "FIXED");
        assert_eq!(last_note(&app, 4).await, "already addressed; see #9");
        assert_eq!(asked(&app), 0);
        enqueue(&app, 5, "k", json!({})).await;
        hide_pulls(&app);
        assert_eq!(mark(&app, 5, "FIXED", json!({})).await.expect(200)["applied"], true);
    }

    async fn a_baseline_of_the_caller_counts_where_none_is_known(db) {
        let app = with(db).await;
        for (pr, shown, want) in [(4, "aaaaaaa", "QUEUED"), (5, "bbbbbbb", "FIXED")] {
            enqueue(&app, pr, "k", json!({ "headSha": null })).await;
            let answer = mark(&app, pr, "FIXED", json!({ "attemptHeadSha": shown })).await.expect(200);
            assert_eq!(answer["status"], want, "{shown}");
        }
    }

    async fn late_evidence_reopens_what_is_settled(db) {
        let app = with(db).await;
        // Key, its head, the head at GitHub, and whether the mark is applied.
        let cases = [
            ("review:1", 'a', 'b', false),
            ("check_run:1", 'b', 'b', false),
            ("check_run:1", 'a', 'b', true),
            ("linked-health:1", 'b', 'b', true),
        ];
        for (pr, (key, seen, head, applied)) in (4..).zip(cases) {
            enqueue(&app, pr, "k", json!({})).await;
            assert_eq!(next_pr(&app, &format!("agent-{pr}")).await, Some(pr));
            enqueue(&app, pr, key, json!({ "headSha": sha(seen) })).await;
            push(&app, u64::try_from(pr).unwrap(), head);
            let answer = mark(&app, pr, "BLOCKED", json!({ "generation": 1 })).await.expect(200);
            let want = if applied { ("BLOCKED", 1) } else { ("QUEUED", 2) };
            assert_eq!((answer["status"].as_str().unwrap(), answer["generation"].as_i64().unwrap()), want, "{key}");
            assert_eq!((&answer["applied"], &answer["postDispatchEvidenceKeys"]), (&json!(applied), &json!([])), "{key}");
            assert_eq!(answer["heldBy"], json!(null), "{key}");
            mark(&app, pr, "STALE", json!({})).await.expect(200);
        }
    }

    async fn an_unreadable_head_makes_a_check_count(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        next_pr(&app, "coder").await;
        enqueue(&app, 4, "check_run:1", json!({})).await;
        hide_pulls(&app);
        assert_eq!(mark(&app, 4, "BLOCKED", json!({})).await.expect(200)["status"], "QUEUED");
    }

    async fn lanes_follow_marks(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({ "lane": "ESCALATED" })).await;
        mark(&app, 4, "BLOCKED", json!({})).await.expect(200);
        assert_eq!(state(&app, 4).await, "BLOCKED NEEDS_HUMAN g1 a1 r0");
        mark(&app, 4, "QUEUED", json!({})).await.expect(200);
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g2 a2 r0");
        mark(&app, 4, "queued", json!({})).await.expect(200);
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g2 a2 r0");
        mark(&app, 4, "IGNORED", json!({})).await.expect(200);
        assert_eq!(state(&app, 4).await, "IGNORED NORMAL g2 a2 r0");
        app.sim.repo(API).archive();
        let archived = mark(&app, 4, "QUEUED", json!({})).await.expect(409);
        assert!(archived["error"].as_str().unwrap().contains("archived"), "{archived}");
        assert_eq!(state(&app, 4).await, "IGNORED NORMAL g2 a2 r0");
    }

    async fn another_generation_is_refused_and_nothing_is_written(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let refused = mark(&app, 4, "BLOCKED", json!({ "generation": 2 })).await.expect(409);
        assert!(refused["error"].as_str().unwrap().contains("generation mismatch"), "{refused}");
        assert_eq!((state(&app, 4).await.as_str(), history(&app, 4).await.len()), ("QUEUED NORMAL g1 a1 r0", 1));
        assert_eq!(audited(&app, "pr_fix_mark").await, 0);
    }

    async fn what_workers_may_say(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let say = |status: &str, more| and(json!({ "repo": API, "pr": 4, "status": status }), more);
        for status in ["QUEUED", "ignored"] {
            let refused = post_as(&app, BOUND, "mark", say(status, json!({ "generation": 1 }))).await.expect(403);
            assert_eq!(refused["code"], "maintainer_required");
        }
        let denied = "SELECT count(*) FROM audit_log WHERE action = 'auth_tier_denied' AND actor = 'bound'";
        assert_eq!(app.db.count(denied).await, 1, "throttled: one a minute of a path");
        let refused = post_as(&app, BOUND, "mark", say("STALE", json!({}))).await.expect(400);
        assert_eq!(refused["error"], "generation is required for agent/bridge marks (#1074)");
        assert_eq!(refused["field"], "generation");
        let stale = post_as(&app, BOUND, "mark", say("STALE", json!({ "generation": 1 }))).await.expect(200);
        assert_eq!((&stale["status"], &stale["applied"]), (&json!("STALE"), &json!(true)));
    }
}
