//! What is served, rule by rule.

use dispatch::domain::labels::Rules;
use github_sim::{Fault, FaultKind, Match, NewIssue};
use serde_json::json;

use super::field::*;
use crate::each_db;

each_db! {
    async fn only_ready_work_and_work_in_progress_is_served(db) {
        let status = |word: &str| NewIssue::new(word).label(format!("status/{word}"));
        let mut issues: Vec<_> = ["backlog", "ready", "in-progress", "in-review", "blocked", "done"].map(status).into();
        issues.push(NewIssue::new("none"));
        issues.push(ready("ready and done").label("Status/Done"));
        issues.push(ready("ready and blocked").label("status/blocked"));
        let app = with(db, issues).await;
        assert_eq!(numbers(&app, "me", "").await, [3, 2]);
        // What is asked for beyond that keeps all but done, blocked and backlog.
        assert_eq!(numbers(&app, "me", "?includeClaimed=true").await, [3, 4, 2, 7]);
        assert_eq!(next_number(&app, "me", "").await, Some(3));
    }

    async fn others_issues_are_not_served(db) {
        let issues = vec![
            ready("free"),
            ready("mine").label("agent/Me"),
            ready("another's").label("agent/other"),
            ready("another's first").label("agent/other").label("agent/me"),
        ];
        let app = with(db, issues).await;
        assert_eq!(numbers(&app, "me", "").await, [2, 1]);
        assert_eq!(numbers(&app, "other", "").await, [3, 4, 1]);
        assert_eq!(numbers(&app, "third", "").await, [1]);
        let wide = queue(&app, "me", "?includeClaimed=true").await;
        let matches: Vec<_> = wide.iter().map(|item| (item["number"].as_i64(), item["agentMatch"].as_bool())).collect();
        assert_eq!(matches, [(Some(2), Some(true)), (Some(1), Some(false)), (Some(3), Some(false)), (Some(4), Some(false))]);
    }

    async fn what_updaters_made_is_left_out(db) {
        let issues = vec![
            ready("work"),
            ready("Dependency Dashboard"),
            ready("Update dependency serde to v2"),
            ready("labelled").label("Dependencies"),
            ready("labelled too").label("renovate"),
            ready("Update departments"),
        ];
        let app = with(db, issues).await;
        assert_eq!(numbers(&app, "me", "").await, [1, 6]);
        assert_eq!(numbers(&app, "me", "?includeRenovate=true").await, [1, 2, 3, 4, 5, 6]);
        assert_eq!(numbers(&app, "me", "?includeRenovate=yes").await, [1, 6], "only true is true");
        app.sim.repo(API).close_issue(1);
        app.sim.repo(API).close_issue(6);
        app.next_beat("loader").await;
        assert_eq!(next_number(&app, "me", "").await, None);
        assert_eq!(next_number(&app, "me", "?includeRenovate=true").await, Some(2));
    }

    async fn excluded_labels_are_served_to_nobody(db) {
        let issues = vec![ready("work"), ready("not ours").label("WontFix")];
        let app = built(ruled(Rules::new(["wontfix"])), db, issues).await;
        for query in ["", "?includeClaimed=true", "?includeRenovate=true"] {
            assert_eq!(numbers(&app, "me", query).await, [1], "{query}");
        }
        assert_eq!(codes(&why(&app, 2, "?agent=me").await), ["excluded"]);
    }

    async fn what_is_decomposed_is_left_out_on_demand(db) {
        let app = with(db, vec![ready("whole"), ready("parts")]).await;
        app.db.sql("UPDATE issues SET decomposed = TRUE WHERE number = 1").await;
        assert_eq!(numbers(&app, "me", "").await, [1, 2]);
        assert_eq!(next_number(&app, "me", "").await, Some(1));
        assert_eq!(numbers(&app, "me", "?exclude_decomposed=true").await, [2]);
        assert_eq!(numbers(&app, "me", "?exclude_decomposed=true&includeClaimed=true").await, [2]);
        assert_eq!(next_number(&app, "me", "?exclude_decomposed=true").await, Some(2));
        assert_eq!(queue(&app, "me", "").await[0]["decomposed"], true);
    }

    async fn closed_deleted_and_untracked_issues_leave_at_once(db) {
        let app = with(db, vec![ready("a"), ready("b"), ready("c")]).await;
        app.sim.repo(API).close_issue(1);
        app.sim.repo(API).delete_issue(2);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [3]);
        app.delete(&format!("/api/automation/repos/{API}")).await;
        assert_eq!(numbers(&app, "me", "?includeClaimed=true").await, [0; 0]);
        assert_eq!(next(&app, "me", "").await, json!({ "type": "idle", "shouldRun": false, "reason": "No work available" }));
        app.post("/api/automation/repos", json!({ "fullName": API })).await;
        assert_eq!(numbers(&app, "me", "").await, [3]);
    }

    async fn a_read_that_is_under_way_shows_nothing_of_what_is_tracked_no_more(db) {
        let app = std::sync::Arc::new(with(db, vec![ready("a"), ready("b")]).await);
        app.sim.repo(API).set_title(1, "changed");
        app.sim.repo(API).open_issue(ready("new"));
        app.tick();
        let held = app.sim.fault(Fault::new(FaultKind::Held).on(Match::kind("issues.list").and(Match::repo(API))));
        let reader = std::sync::Arc::clone(&app);
        let mut beats = tokio::task::JoinSet::from_iter([async move { reader.beat("reader").await }]);
        while app.sim.fault_hits(held) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        app.delete(&format!("/api/automation/repos/{API}")).await.expect(200);
        app.sim.clear_fault(held);
        beats.join_next().await.expect("one").expect("a heartbeat");
        assert_eq!(app.db.texts("SELECT title FROM issues WHERE number = 1").await, ["changed"], "the read went on");
        assert_eq!(app.db.count("SELECT count(*) FROM issues WHERE shown = TRUE").await, 0);
        assert_eq!(numbers(&app, "me", "?includeClaimed=true").await, [0; 0]);
        assert_eq!(app.get("/api/agents/me/work-summary").await.expect(200)["issues"]["local"], json!({ "queued": 0, "inProgress": 0 }));
        app.post("/api/automation/repos", json!({ "fullName": API })).await.expect(201);
        assert_eq!(numbers(&app, "me", "").await, [1, 2, 3]);
    }

    async fn a_claim_is_its_holders_alone(db) {
        let app = with(db, vec![ready("a"), ready("b")]).await;
        claim(&app, 1, "me").await;
        assert_eq!(numbers(&app, "me", "").await, [1, 2], "in progress, and one's own");
        assert_eq!(numbers(&app, "other", "").await, [2]);
        assert_eq!(numbers(&app, "other", "?includeClaimed=true").await, [1, 2], "for those who map ids to lanes");
        // Whoever holds an issue is its agent: the column says what the claims say.
        let apart = "SELECT count(*) FROM claims c JOIN issues i ON i.id = c.issue_id
                     WHERE c.ended_at IS NULL AND (i.agent IS NULL OR i.agent <> c.agent_key)";
        assert_eq!(app.db.count(apart).await, 0);
        app.sim.repo(API).add_label(1, "agent/other");
        app.next_beat("loader").await;
        assert_eq!(app.db.count(apart).await, 0);
        assert_eq!((numbers(&app, "me", "").await, numbers(&app, "other", "").await), (vec![1, 2], vec![2]));
        unclaim(&app, 1, "me").await;
        assert_eq!(app.db.count(apart).await, 0);
        assert_eq!(numbers(&app, "other", "").await, [1, 2], "its label is the first now");
    }
}
