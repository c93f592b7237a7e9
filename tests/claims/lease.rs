//! Time: leases run out, held claims last, late writers are refused; and GitHub's word against a claim.

use std::time::Duration;

use github_sim::{Fault, FaultKind};
use serde_json::json;

use super::field::*;
use crate::{each_db, support::answers::strings};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);

each_db! {
    async fn a_lease_is_taken_back_at_its_ttl_and_not_before(db) {
        let app = with_issues(db, 1).await;
        let granted = lease(&app, 1, "coder").await.expect(200);
        app.advance(TTL.saturating_sub(MS));
        let beat = app.beat("other").await;
        assert!(beat["summary"].as_str().unwrap().contains("0 claims recovered"), "{beat}");
        claim(&app, 1, "other").await.expect(409);
        app.advance(MS);
        let beat = app.beat("other").await;
        assert!(beat["summary"].as_str().unwrap().contains("1 claim recovered"), "{beat}");
        assert_eq!(strings(&beat["touchedIssueUrls"]), ["https://github.com/acme/api/issues/1"]);
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
        let named = json!([{ "claimId": granted["claimId"], "fence": granted["fence"] }]);
        let leases = renew(&app, "coder", named).await;
        assert_eq!((leases[0]["state"].as_str(), &leases[0]["expiresAt"]), (Some("lost"), &json!(null)));
        let rows = app.get(&format!("/api/audit?repo={API}")).await.expect(200);
        assert_eq!((&rows[0]["action"], &rows[0]["actor"]), (&json!("stale_agentwork_released"), &json!("system")));
    }

    async fn an_overdue_lease_is_renewed_by_whoever_comes_first(db) {
        let app = with_issues(db, 2).await;
        let one = lease(&app, 1, "coder").await.expect(200);
        lease(&app, 2, "coder").await.expect(200);
        app.advance(TTL + MS);
        let taken = claim(&app, 2, "other").await.expect(200);
        let leases = renew(&app, "coder", json!([{ "claimId": one["claimId"], "fence": one["fence"] }])).await;
        assert_eq!(leases[0]["state"], "renewed", "nobody took it back before its holder came");
        assert_eq!(leases[0]["expiresAt"], "2026-01-01T01:00:00.001Z");
        assert_labels(&app, 1, &["agent/coder", "bug", "status/in-progress"]).await;
        assert_labels(&app, 2, &["agent/other", "bug", "status/in-progress"]).await;
        assert!(taken["fence"].as_i64() > one["fence"].as_i64());
        assert_sound(&app).await;
    }

    async fn a_plain_heartbeat_renews_leases_and_makes_none(db) {
        let app = with_issues(db, 2).await;
        lease(&app, 1, "coder").await.expect(200);
        claim(&app, 2, "coder").await.expect(200);
        for _ in 0..3 {
            app.advance(TTL.saturating_sub(MS));
            app.beat("CODER").await;
        }
        app.advance(TTL);
        app.beat("other").await;
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
        assert_labels(&app, 2, &["agent/coder", "bug", "status/in-progress"]).await;
    }

    async fn a_held_claim_lasts_a_day_from_its_holders_last_word(db) {
        let app = with_issues(db, 1).await;
        claim(&app, 1, "batch").await.expect(200);
        app.advance(23 * HOUR);
        let beat = app.beat("other").await;
        assert_eq!(beat["status"], "warning");
        let warning = strings(&beat["warnings"]);
        assert!(warning[0].starts_with("recover: claims: 1 not renewed for longer than the ttl; "), "{warning:?}");
        claim(&app, 1, "other").await.expect(409);
        claim(&app, 1, "batch").await.expect(200);
        app.advance(23 * HOUR);
        app.beat("other").await;
        claim(&app, 1, "other").await.expect(409);
        app.advance(2 * HOUR);
        claim(&app, 1, "other").await.expect(200);
        assert_labels(&app, 1, &["agent/other", "bug", "status/in-progress"]).await;
    }

    async fn no_clock_runs_in_review_and_it_begins_anew_after(db) {
        let app = with_issues(db, 1).await;
        lease(&app, 1, "coder").await.expect(200);
        status(&app, 1, "in-review").await.expect(200);
        app.advance(99 * HOUR);
        app.beat("other").await;
        claim(&app, 1, "other").await.expect(409);
        app.sim.repo(API).remove_label(1, "status/in-review");
        app.sim.repo(API).add_label(1, "status/in-progress");
        app.next_beat("other").await;
        app.advance(TTL.saturating_sub(Duration::from_secs(11)));
        app.beat("other").await;
        claim(&app, 1, "other").await.expect(409);
        app.advance(Duration::from_secs(21));
        app.beat("other").await;
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
    }

    async fn a_named_renewal_makes_a_held_claim_leased_and_reports_progress(db) {
        let app = with_issues(db, 1).await;
        let granted = claim(&app, 1, "coder").await.expect(200);
        let named = json!([{ "claimId": granted["claimId"], "fence": granted["fence"], "checkpoint": "branch_created", "summary": "half way" },
            { "claimId": "none", "fence": 1 }]);
        let leases = renew(&app, "coder", named).await;
        assert_eq!((leases[0]["state"].as_str(), leases[1]["state"].as_str()), (Some("renewed"), Some("lost")));
        assert_eq!(app.db.texts("SELECT terms || checkpoint || summary || state FROM claims").await, ["leasedbranch_createdhalf wayIN_PROGRESS"]);
        app.advance(TTL);
        app.beat("other").await;
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
    }

    async fn what_a_heartbeat_says_of_a_claim_is_in_its_history_once(db) {
        let app = with_issues(db, 1).await;
        let granted = claim(&app, 1, "coder").await.expect(200);
        app.db.sql("UPDATE claims SET state = 'BLOCKED', blocker = 'waits'").await;
        let named = json!([{ "claimId": granted["claimId"], "fence": granted["fence"], "checkpoint": "branch_created" }]);
        for _ in 0..2 {
            app.tick();
            renew(&app, "coder", named.clone()).await;
        }
        assert_eq!(app.db.count("SELECT count(*) FROM claim_history WHERE action = 'checkpoint'").await, 1);
        assert_eq!(app.db.texts("SELECT state || COALESCE(blocker, '') FROM claims").await, ["IN_PROGRESS"]);
    }

    async fn a_holder_beats_again_in_time_whatever_github_asks_for(db) {
        let app = with_issues(db, 1).await;
        lease(&app, 1, "coder").await.expect(200);
        app.sim.fault(Fault::new(FaultKind::SecondaryLimit { status: 429, retry_after: Some(3_600) }));
        app.advance(Duration::from_mins(1));
        let (holder, other) = (app.beat("coder").await, app.beat("other").await);
        assert_eq!(holder["nextHeartbeatAt"], "2026-01-01T00:11:00.000Z", "a third of the ttl");
        assert!(other["nextHeartbeatAt"].as_str() > Some("2026-01-01T01:00:00.000Z"), "{other}");
    }

    async fn a_status_by_another_renews_no_lease(db) {
        let app = with_issues(db, 2).await;
        for number in [1, 2] {
            lease(&app, number, "coder").await.expect(200);
        }
        app.advance(TTL.saturating_sub(MS));
        for (number, agent) in [(1, "other"), (2, "coder")] {
            let body = and(named(&app, number, agent).await, json!({ "status": "in-progress" }));
            app.post("/api/issues/status", body).await.expect(200);
        }
        app.advance(MS);
        app.beat("other").await;
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
        assert_labels(&app, 2, &["agent/coder", "bug", "status/in-progress"]).await;
    }

    async fn nobody_renews_the_claim_of_another(db) {
        let app = with_issues(db, 1).await;
        let granted = lease(&app, 1, "coder").await.expect(200);
        let named = json!([{ "claimId": granted["claimId"], "fence": granted["fence"] }]);
        assert_eq!(renew(&app, "thief", named).await[0]["state"], "lost");
        let wrong = json!([{ "claimId": granted["claimId"], "fence": granted["fence"].as_i64().unwrap() + 1 }]);
        assert_eq!(renew(&app, "coder", wrong).await[0]["state"], "lost");
    }

    async fn heartbeats_name_claims_in_the_right_form_only(db) {
        let app = with_issues(db, 1).await;
        let cases = [
            (json!([{}]), "claims[0]: claimId is required"),
            (json!([{ "claimId": "x" }]), "claims[0]: fence is required"),
            (json!([{ "claimId": "x", "fence": "1" }]), "claims[0]: fence must be a positive integer"),
            (json!([{ "claimId": "x", "fence": 1 }, { "claimId": 1, "fence": 1 }]), "claims[1]: claimId must be a string"),
            (json!([{ "claimId": "x", "fence": 1, "checkpoint": "later" }]), "claims[0]: checkpoint must be one of"),
        ];
        for (claims, words) in cases {
            let refused = app.post("/api/agents/coder/heartbeat", json!({ "claims": claims })).await.expect(400);
            assert!(refused["error"].as_str().unwrap().starts_with(words), "{refused}");
            assert!(refused["field"].as_str().unwrap().starts_with("claims["), "{refused}");
        }
    }

    async fn a_replayed_heartbeat_tells_of_the_same_leases(db) {
        let app = with_issues(db, 1).await;
        let granted = lease(&app, 1, "coder").await.expect(200);
        let body = json!({ "claims": [{ "claimId": granted["claimId"], "fence": granted["fence"] }] });
        let beat = async || {
            let request = app.request("POST", "/api/agents/coder/heartbeat", crate::support::MAINTAINER);
            crate::support::app::send(request.header("idempotency-key", "k").body(body.to_string())).await
        };
        let first = beat().await;
        app.advance(TTL);
        let again = beat().await;
        assert_eq!((again.header("idempotent-replay"), again.json()), (Some("true"), first.json()));
        assert_eq!(first.json()["leases"][0]["state"], "renewed");
    }

    async fn a_removed_label_revokes_and_a_closed_issue_ends_the_claim(db) {
        let app = with_issues(db, 4).await;
        for number in 1..=4 {
            lease(&app, number, "coder").await.expect(200);
        }
        app.next_beat("coder").await;
        app.sim.repo(API).remove_label(1, "agent/coder");
        app.sim.repo(API).close_issue(2);
        app.sim.repo(API).delete_issue(3);
        app.sim.repo(API).add_label(4, "agent/other");
        app.next_beat("coder").await;
        let ended = "SELECT i.number || ' ' || c.end_reason FROM claims c JOIN issues i ON i.id = c.issue_id
            WHERE c.ended_at IS NOT NULL ORDER BY i.number";
        assert_eq!(app.db.texts(ended).await, ["1 revoked", "2 issue_ended", "3 issue_ended"]);
        assert_labels(&app, 1, &["bug", "status/in-progress"]).await;
        claim(&app, 4, "other").await.expect(409);
        let rows = app.get(&format!("/api/audit?repo={API}")).await.expect(200);
        let actions: Vec<_> = rows.as_array().unwrap().iter().filter_map(|row| row["action"].as_str()).collect();
        assert!(actions.contains(&"claim_revoked") && actions.contains(&"claim_ended"), "{actions:?}");
        assert_sound(&app).await;
    }

    async fn an_untracked_repository_ends_its_claims(db) {
        let app = with_issues(db, 1).await;
        lease(&app, 1, "coder").await.expect(200);
        app.delete("/api/automation/repos/acme/api").await.expect(200);
        assert_eq!(app.db.texts("SELECT end_reason FROM claims").await, ["untracked"]);
        let audited = "SELECT notes FROM audit_log WHERE action = 'claim_ended' AND repo = 'acme/api'";
        assert!(app.db.texts(audited).await[0].starts_with("coder held the issue"), "a claim ends on record");
        app.post("/api/automation/repos", json!({ "fullName": API })).await.expect(201);
        app.next_beat("coder").await;
        let refused = claim(&app, 1, "other").await.expect(409);
        assert!(refused["error"].as_str().unwrap().contains("already assigned to coder"), "the label is still there");
    }
}
