//! What an agent that lost its memory asks first: where it was. Both vocabularies tell of one claim.

use serde_json::json;

use super::{active, checkpoint, id, shown, start};
use crate::{
    each_db,
    field::*,
    support::{BOUND, UNBOUND, app::send},
};

each_db! {
    async fn the_context_is_that_of_the_contract(db) {
        let app = with_issues(db, 1).await;
        assert_eq!(app.get("/api/agents/coder/active-work").await.text, "{\"hasActiveWork\":false}");
        let granted = claim(&app, 1, "Coder").await.expect(200);
        let answer = app.get("/api/agents/cODER/active-work").await;
        let want = json!({ "hasActiveWork": true, "context": {
            "issueId": id(&app, 1).await, "repoFullName": API, "issueNumber": 1, "agentName": "Coder", "checkpoint": "issue_claimed",
            "nextAction": "inspect_issue", "leaseId": granted["claimId"], "lane": "default", "status": "open",
            "labels": ["bug", "agent/Coder", "status/in-progress"],
            "claimId": granted["claimId"], "fence": granted["fence"], "expiresAt": granted["expiresAt"],
        } });
        assert_eq!(answer.expect(200), want, "branch and prUrl are absent");
        let more = json!({ "branch": "fix/1", "prUrl": "https://github.com/acme/api/pull/2" });
        checkpoint(&app, "coder", "PR_OPENED", more).await.expect(200);
        app.db.sql("UPDATE issues SET current_lane = 'frontier'").await;
        let context = active(&app, "coder").await["context"].clone();
        assert_eq!((&context["branch"], &context["prUrl"]), (&json!("fix/1"), &json!("https://github.com/acme/api/pull/2")));
        assert_eq!(context["lane"], "frontier");
    }

    async fn what_is_told_in_one_vocabulary_shows_in_the_other(db) {
        let app = with_issues(db, 1).await;
        let granted = lease(&app, 1, "coder").await.expect(200);
        let steps = [
            ("REPO_PREPARED", "issue_claimed", "inspect_issue"),
            ("BRANCH_CREATED", "branch_created", "continue_changes"),
            ("CHANGES_MADE", "changes_made", "open_pr"),
            ("TESTS_RUNNING", "changes_made", "open_pr"),
            ("PR_OPENED", "pr_opened", "check_pr_status"),
            ("feedback_received", "feedback_received", "address_pr_feedback"),
            ("BLOCKED", "work_complete", "finish_or_block"),
        ];
        for (word, name, action) in steps {
            checkpoint(&app, "coder", word, json!({ "blockerReason": "why" })).await.expect(200);
            let context = active(&app, "coder").await["context"].clone();
            assert_eq!((&context["checkpoint"], &context["nextAction"]), (&json!(name), &json!(action)), "{word}");
        }
        let named = json!([{ "claimId": granted["claimId"], "fence": granted["fence"], "checkpoint": "work_complete" }]);
        assert_eq!(renew(&app, "coder", named).await[0]["state"], "renewed");
        let context = active(&app, "coder").await["context"].clone();
        assert_eq!((&context["checkpoint"], &context["nextAction"]), (&json!("work_complete"), &json!("finish_or_block")));
        unclaim(&app, 1, "coder").await.expect(200);
        checkpoint(&app, "coder", "PR_OPENED", json!({})).await.expect(404);
    }

    async fn the_claim_that_was_renewed_last_is_shown(db) {
        let app = with_issues(db, 3).await;
        for number in [1, 2, 3] {
            claim(&app, number, "coder").await.expect(200);
            app.tick();
        }
        let number = async || active(&app, "coder").await["context"]["issueNumber"].as_i64();
        assert_eq!(number().await, Some(3));
        let first = start(&app, 1, "coder").await.expect(201);
        assert_eq!(number().await, Some(1));
        app.tick();
        claim(&app, 2, "coder").await.expect(200);
        assert_eq!(number().await, Some(2));
        // Renewed at once with others, what was worked on comes first.
        checkpoint(&app, "coder", "BRANCH_CREATED", shown(&first)).await.expect(200);
        lease(&app, 2, "coder").await.expect(200);
        app.next_beat("coder").await;
        assert_eq!(number().await, Some(1));
        status(&app, 1, "done").await.expect(200);
        unclaim(&app, 2, "coder").await.expect(200);
        app.sim.repo(API).close_issue(1);
        app.next_beat("loader").await;
        assert_eq!(number().await, Some(3));
    }

    async fn asking_changes_nothing(db) {
        let app = with_issues(db, 1).await;
        lease(&app, 1, "coder").await.expect(200);
        app.advance(10 * TTL);
        let audit = app.db.count("SELECT count(*) FROM audit_log").await;
        assert_eq!(active(&app, "coder").await["hasActiveWork"], true, "nobody took it back");
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log").await, audit);
        assert_eq!(app.db.texts("SELECT state FROM claims").await, ["CLAIMED"]);
    }

    async fn workers_ask_for_their_agent_only(db) {
        let app = with_issues(db, 1).await;
        let ask = async |token, agent: &str| send(app.request("GET", &format!("/api/agents/{agent}/active-work"), token)).await;
        ask(BOUND, "bound").await.expect(200);
        assert_eq!(ask(BOUND, "other").await.expect(403)["code"], "other_agent");
        assert_eq!(ask(UNBOUND, "other").await.expect(403)["code"], "unbound_token");
        assert_eq!(ask(crate::support::MAINTAINER, "a%20b").await.expect(400)["field"], "agentName");
    }
}
