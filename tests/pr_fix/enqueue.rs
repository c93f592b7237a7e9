//! Evidence: what it opens, what it changes, and how much of it is kept.

use serde_json::{Value, json};

use super::field::*;
use crate::{each_db, support::answers::strings};

each_db! {
    async fn the_first_evidence_is_an_item(db) {
        let app = with(db).await;
        let more = json!({ "type": "ci-failure", "issue": 1, "branch": "fix/4", "title": "T", "author": "mona",
            "url": "https://github.com/acme/api/pull/4", "repo": "ACME/Api" });
        let item = enqueue(&app, 4, "check_run:1", more).await;
        let now = app.clock.now().to_string();
        assert_eq!(item, json!({
            "id": item["id"], "repo": "acme/api", "pr": 4, "issue": 1, "branch": "fix/4", "lane": "NORMAL", "type": "CI_FAILURE",
            "reason": "it is red", "feedback": ["mend check_run:1"], "evidenceKeys": ["check_run:1"], "status": "QUEUED",
            "queuedAt": now, "updatedAt": now, "url": "https://github.com/acme/api/pull/4", "title": "T", "headSha": sha('a'),
            "attemptHeadSha": sha('a'), "author": "mona", "generation": 1, "fixAttempts": 1, "dispatchedAt": null,
            "dispatchedGeneration": null, "postDispatchEvidenceKeys": [], "agentHandouts": [], "handoutAcks": [],
            "handoutReclaims": 0, "heldBy": null, "heldUntil": null, "waitingSince": null,
        }));
        assert_eq!(crate::field::item(&app, 4).await, item);
        assert_eq!((history(&app, 4).await, audited(&app, "pr_fix_enqueue").await), (vec!["enqueue QUEUED".to_owned()], 1));
        // Other lanes, and none that is known.
        assert_eq!(enqueue(&app, 5, "k", json!({ "lane": "escalated" })).await["lane"], "ESCALATED");
        let human = enqueue(&app, 6, "k", json!({ "lane": "frontier", "type": "weird" })).await;
        assert_eq!((&human["lane"], &human["status"], &human["type"]), (&json!("NEEDS_HUMAN"), &json!("BLOCKED"), &json!("OTHER")));
        let log = "https://github.com/acme/api/actions/runs/7";
        assert_eq!(enqueue(&app, 7, "k", json!({ "url": log })).await["url"], Value::Null);
    }

    async fn the_table_of_statuses(db) {
        let app = with(db).await;
        // Status before, evidence, lane, and what the item is then.
        let cases = [
            ("QUEUED", "new", "NORMAL", "QUEUED NORMAL g1 a1 r0"),
            ("QUEUED", "old", "ESCALATED", "QUEUED NORMAL g1 a1 r0"),
            ("QUEUED", "new", "NEEDS_HUMAN", "BLOCKED NEEDS_HUMAN g1 a1 r0"),
            ("BLOCKED", "old", "NORMAL", "BLOCKED NEEDS_HUMAN g1 a1 r0"),
            ("BLOCKED", "new", "ESCALATED", "QUEUED ESCALATED g2 a2 r0"),
            ("FIXED", "old", "NORMAL", "QUEUED NORMAL g2 a2 r0"),
            ("FIXED", "moved", "NORMAL", "FIXED NORMAL g1 a1 r0"),
            ("FIXED", "new", "NORMAL", "QUEUED NORMAL g2 a2 r0"),
            ("STALE", "new", "NORMAL", "STALE NORMAL g1 a1 r0"),
            ("STALE", "old", "NORMAL", "STALE NORMAL g1 a1 r0"),
            ("IGNORED", "new", "NORMAL", "IGNORED NORMAL g1 a1 r0"),
            ("IGNORED", "old", "NORMAL", "IGNORED NORMAL g1 a1 r0"),
        ];
        for (n, (before, key, lane, want)) in cases.into_iter().enumerate() {
            let pr = 100 + i64::try_from(n).unwrap();
            enqueue(&app, pr, "old", json!({})).await;
            if before != "QUEUED" {
                // The pull request is not at GitHub: nothing speaks against the mark.
                assert_eq!(mark(&app, pr, before, json!({})).await.expect(200)["status"], before);
            }
            let more = if key == "moved" { json!({ "lane": lane, "headSha": sha('b') }) } else { json!({ "lane": lane }) };
            let key = if key == "moved" { "old" } else { key };
            enqueue(&app, pr, key, more).await;
            assert_eq!(state(&app, pr).await, want, "case {n}: {before}, {key}, {lane}");
        }
    }

    async fn a_capped_item_is_for_a_human(db) {
        let app = with(db).await;
        for attempt in 1..=5 {
            enqueue(&app, 100, &format!("k{attempt}"), json!({})).await;
            assert_eq!(state(&app, 100).await, format!("QUEUED NORMAL g{attempt} a{attempt} r0"));
            mark(&app, 100, "FIXED", json!({})).await.expect(200);
        }
        let blocked = enqueue(&app, 100, "k6", json!({})).await;
        assert_eq!((&blocked["status"], &blocked["lane"]), (&json!("BLOCKED"), &json!("NEEDS_HUMAN")));
        let note = last_note(&app, 100).await;
        assert!(note.as_str().unwrap().contains("a human is needed"), "{note}");
        assert_eq!(next_pr(&app, "coder").await, None);
    }

    async fn lists_are_bounded_and_old_evidence_stays_known(db) {
        let app = with(db).await;
        for n in 0..60 {
            enqueue(&app, 4, &format!("k{n:02}"), json!({ "feedback": format!("say {}", n / 2) })).await;
        }
        let item = item(&app, 4).await;
        let evidence = strings(&item["evidenceKeys"]);
        assert_eq!((evidence.len(), evidence[0].as_str(), evidence[39].as_str()), (40, "k20", "k59"));
        let feedback = strings(&item["feedback"]);
        assert_eq!((feedback.len(), feedback[0].as_str(), feedback[11].as_str()), (12, "say 18", "say 29"));
        mark(&app, 4, "BLOCKED", json!({})).await.expect(200);
        enqueue(&app, 4, "k00", json!({ "headSha": sha('b') })).await;
        assert_eq!(state(&app, 4).await, "BLOCKED NEEDS_HUMAN g1 a1 r0", "shown no more, and known still");
    }

    async fn late_evidence_is_kept_apart_while_an_attempt_is_out(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        enqueue(&app, 4, "before", json!({})).await;
        assert_eq!(next_pr(&app, "coder").await, Some(4));
        let late = async |key: &str, head: Value| {
            strings(&enqueue(&app, 4, key, json!({ "headSha": head })).await["postDispatchEvidenceKeys"])
        };
        assert_eq!(late("review:1", Value::Null).await, ["review:1@unknown"]);
        assert_eq!(late("k", json!(sha('b'))).await.len(), 1, "what is known is not late");
        assert_eq!(late("check_run:0", json!(sha('b'))).await[1], format!("check_run:0@{}", sha('b')));
        for n in 1..=18 {
            late(&format!("comment:{n}"), Value::Null).await;
        }
        let full = late("comment:19", Value::Null).await;
        assert_eq!((full.len(), full[0].as_str(), full[1].as_str()), (20, "review:1@unknown", "comment:1@unknown"), "a check makes room first");
        let more = late("comment:20", Value::Null).await;
        assert_eq!((more.len(), more[0].as_str()), (20, "comment:1@unknown"));
        // Asking again is the same attempt, and keeps them.
        assert_eq!(next_pr(&app, "coder").await, Some(4));
        assert_eq!(strings(&item(&app, 4).await["postDispatchEvidenceKeys"]).len(), 20);
        mark(&app, 4, "STALE", json!({})).await.expect(200);
        assert_eq!(app.db.count("SELECT count(*) FROM pr_fix_late_evidence").await, 0);
    }

    async fn a_renamed_repository_keeps_its_items(db) {
        let app = with(db).await;
        let id = enqueue(&app, 4, "k", json!({})).await["id"].clone();
        app.sim.repo(API).rename("core");
        app.next_beat("loader").await;
        app.next_beat("loader").await;
        assert_eq!(app.db.texts("SELECT full_name FROM repositories").await, ["acme/core"]);
        assert_eq!(app.db.texts("SELECT repo FROM pr_fix_items").await, ["acme/core"]);
        assert_eq!(enqueue(&app, 4, "k2", json!({})).await["id"], id, "by its former name");
        assert_eq!(enqueue(&app, 4, "k3", json!({ "repo": "acme/Core" })).await["id"], id);
        let task = next(&app, "coder", "").await;
        assert_eq!(task["pullRequest"]["repoFullName"], "acme/core");
        app.sim.repo("acme/core").edit_pull(4, |pull| pull.head_sha = sha('b'));
        let mut told = report_of(&task, "pr_updated");
        told["repoFullName"] = json!(API);
        assert_eq!(report(&app, "coder", told).await["prFixResolution"]["action"], "fixed");
    }
}
