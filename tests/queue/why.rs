//! Why an issue is served, or is not.

use serde_json::json;

use super::field::*;
use crate::{
    each_db,
    support::{BOUND, UNBOUND, app::send},
};

each_db! {
    async fn what_is_served_says_where_it_stands(db) {
        let app = with(db, vec![ready("a"), ready("b").label("priority/p1")]).await;
        let first = why(&app, 2, "?agent=Me").await;
        assert_eq!(first, json!({
            "issueId": id_of(&app, API, 2).await, "repo": API, "number": 2, "agent": "Me", "lane": "local",
            "served": true, "claimable": true, "reasons": [], "rank": 112, "rankingReason": "priority/p1, ready", "place": 1,
        }));
        let second = why(&app, 1, "?agent=me&lane=LOCAL").await;
        assert_eq!((&second["place"], &second["rank"]), (&json!(2), &json!(412)));
    }

    async fn every_reason_is_told(db) {
        let issues = vec![
            ready("blocker"),
            ready("Update deps").label("status/blocked").label("agent/other").body("blocked by #1"),
        ];
        let app = with(db, issues).await;
        app.db.sql("UPDATE issues SET decomposed = TRUE WHERE number = 2").await;
        let told = why(&app, 2, "?agent=me&lane=cloud&exclude_decomposed=true").await;
        assert_eq!(codes(&told), [
            "done_or_blocked", "assigned_to_other", "automated", "decomposed", "dependency_blocked", "other_lane",
        ]);
        assert_eq!((&told["served"], told.get("rank"), told.get("place")), (&json!(false), None, None));
        let wide = why(&app, 2, "?agent=me&includeClaimed=true&includeRenovate=true").await;
        assert_eq!(codes(&wide), ["done_or_blocked", "dependency_blocked"]);
        for reason in told["reasons"].as_array().unwrap() {
            assert!(reason["message"].as_str().unwrap().len() > 10, "{reason}");
        }
    }

    async fn claims_and_closed_lanes_are_explained(db) {
        let app = with(db, vec![ready("a"), ready("b"), ready("c")]).await;
        claim(&app, 1, "Other").await;
        let told = why(&app, 1, "?agent=me").await;
        assert_eq!(codes(&told), ["assigned_to_other", "claimed_by_other"]);
        assert_eq!(told["reasons"][1]["message"], "Other holds it");
        assert_eq!(codes(&why(&app, 1, "?agent=other").await), [""; 0]);
        put(&app, 2, "backlog").await;
        assert_eq!(codes(&why(&app, 2, "?agent=me").await), ["closed_lane"]);
        let asked_for = why(&app, 2, "?agent=me&lane=backlog").await;
        assert_eq!((&asked_for["served"], &asked_for["claimable"]), (&json!(true), &json!(false)));
        app.sim.repo(API).close_issue(3);
        app.next_beat("loader").await;
        assert_eq!(codes(&why(&app, 3, "?agent=me").await), ["closed", "done_or_blocked"]);
    }

    async fn hidden_issues_are_explained_too(db) {
        let app = with(db, vec![ready("a"), ready("b")]).await;
        let (one, two) = (id_of(&app, API, 1).await, id_of(&app, API, 2).await);
        app.sim.repo(API).delete_issue(1);
        app.next_beat("loader").await;
        app.delete(&format!("/api/automation/repos/{API}")).await;
        for (id, code) in [(one, "gone"), (two, "untracked")] {
            let told = app.get(&format!("/api/issues/{id}/why?agent=me")).await.expect(200);
            assert_eq!(codes(&told), [code]);
        }
        app.get("/api/issues/none/why?agent=me").await.expect(404);
        app.get("/api/issues/%00/why?agent=me").await.expect(404);
    }

    async fn workers_ask_for_themselves(db) {
        let app = with(db, vec![ready("a")]).await;
        let path = format!("/api/issues/{}/why", id_of(&app, API, 1).await);
        let own = send(app.request("GET", &path, BOUND)).await.expect(200);
        assert_eq!(own["agent"], "bound");
        send(app.request("GET", &format!("{path}?agent=BOUND"), BOUND)).await.expect(200);
        let refused = send(app.request("GET", &format!("{path}?agent=other"), BOUND)).await.expect(403);
        assert_eq!(refused["code"], "other_agent");
        send(app.request("GET", &format!("{path}?agent=any"), UNBOUND)).await.expect(200);
        for (query, field) in [("", "agent"), ("?agent=a%20b", "agent"), ("?agent=me&lane=nope", "lane")] {
            assert_eq!(app.get(&format!("{path}{query}")).await.expect(400)["field"], field, "{query}");
        }
    }
}
