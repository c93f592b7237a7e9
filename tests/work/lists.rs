//! `GET /api/agent-work`: who works on what, and what nobody renewed.

use serde_json::{Value, json};

use super::{checkpoint, finish, shown, start, start_free};
use crate::{
    each_db,
    field::*,
    support::{App, BOUND, UNBOUND, app::send},
};

async fn list(app: &App, query: &str) -> Value {
    app.get(&format!("/api/agent-work{query}")).await.expect(200)
}

/// Agent and state of each row.
fn rows(list: &Value) -> Vec<(&str, &str)> {
    let rows = list.as_array().expect("an array").iter();
    rows.map(|row| (row["agentName"].as_str().expect("a name"), row["state"].as_str().expect("a state")))
        .collect()
}

each_db! {
    async fn work_is_listed_with_its_issue(db) {
        let app = with_issues(db, 2).await;
        let answer = app.get("/api/agent-work").await;
        assert_eq!(answer.text, "{\"activeWork\":[],\"staleLeases\":[]}");
        let begun = start(&app, 1, "one").await.expect(201);
        app.tick();
        start_free(&app, "two").await.expect(201);
        let listed = list(&app, "").await;
        assert_eq!(rows(&listed["activeWork"]), [("two", "CLAIMED"), ("one", "CLAIMED")], "renewed last first");
        let at = "2026-01-01T00:00:00.000Z";
        let want = json!({
            "id": begun["id"], "agentName": "one", "issueId": begun["issueId"], "runId": null, "state": "CLAIMED",
            "checkpoint": "CLAIMED", "branch": null, "prUrl": null, "leaseExpiresAt": "2026-01-01T00:30:00.000Z",
            "lastHeartbeatAt": at, "summary": null, "blockerReason": null, "createdAt": at, "updatedAt": at,
            "issueNumber": 1, "issueTitle": "Issue 0", "repoFullName": API,
        });
        assert_eq!(listed["activeWork"][1], want);
        let free = &listed["activeWork"][0];
        for name in ["issueId", "issueNumber", "issueTitle", "repoFullName"] {
            assert_eq!(free.get(name), Some(&Value::Null), "{name} is there and null");
        }
        for token in [BOUND, UNBOUND] {
            send(app.request("GET", "/api/agent-work", token)).await.expect(200);
        }
    }

    async fn filters_are_those_of_the_contract(db) {
        let app = with_issues(db, 3).await;
        start(&app, 1, "One").await.expect(201);
        start(&app, 2, "two").await.expect(201);
        app.tick();
        checkpoint(&app, "two", "BLOCKED", json!({ "blockerReason": "why" })).await.expect(200);
        start(&app, 3, "three").await.expect(201);
        app.tick();
        finish(&app, "three", "STALE", json!({})).await.expect(200);
        start(&app, 3, "four").await.expect(201);
        finish(&app, "four", "DONE", json!({})).await.expect(200);
        let active = async |query: &str| list(&app, query).await["activeWork"].clone();
        let all = [("three", "STALE"), ("two", "BLOCKED"), ("One", "CLAIMED")];
        assert_eq!(rows(&active("").await), all);
        assert_eq!(rows(&active("?include_stale=no").await), all, "only `false` leaves them out");
        assert_eq!(rows(&active("?include_stale=false").await), [("two", "BLOCKED"), ("One", "CLAIMED")]);
        assert_eq!(rows(&active("?agent=ONE").await), [("One", "CLAIMED")]);
        assert_eq!(rows(&active("?agent=nobody").await), []);
        assert_eq!(rows(&active("?state=DONE").await), [("four", "DONE")]);
        assert_eq!(rows(&active("?state=STALE&include_stale=false").await), [("three", "STALE")]);
        assert_eq!(rows(&active("?state=BLOCKED&agent=two").await), [("two", "BLOCKED")]);
        for (query, field, words) in [
            ("?state=blocked", "state", "Invalid state: \"blocked\". Must be one of: CLAIMED, IN_PROGRESS, "),
            ("?agent=a%2Fb", "agent", "agent: an agent name is 1 to 44"),
            ("?limit=0", "limit", "limit must be"),
            ("?cursor=x", "cursor", "cursor: not a cursor"),
        ] {
            let refused = app.get(&format!("/api/agent-work{query}")).await.expect(400);
            assert!(refused["error"].as_str().unwrap().starts_with(words), "{query}: {refused}");
            assert_eq!(refused["field"], field);
        }
    }

    async fn pages_follow_one_another(db) {
        let app = with_issues(db, 1).await;
        for n in 0..7 {
            start_free(&app, &format!("agent-{n}")).await.expect(201);
            if n % 3 == 0 {
                app.tick();
            }
        }
        let whole = list(&app, "").await["activeWork"].clone();
        let (mut path, mut paged) = ("/api/agent-work?limit=3&include_stale=false".to_owned(), Vec::new());
        loop {
            let answer = app.get(&path).await;
            paged.extend(answer.expect(200)["activeWork"].as_array().unwrap().clone());
            let Some(link) = answer.header("link") else { break };
            path = link.split(['<', '>']).nth(1).unwrap().to_owned();
        }
        assert_eq!(Value::Array(paged), whole);
    }

    async fn stale_leases_are_those_that_nobody_renewed(db) {
        let app = with_issues(db, 4).await;
        let first = claim(&app, 1, "batch").await.expect(200);
        app.tick();
        claim(&app, 2, "batch").await.expect(200);
        claim(&app, 3, "reviewed").await.expect(200);
        status(&app, 3, "in-review").await.expect(200);
        let begun = start(&app, 4, "leased").await.expect(201);
        checkpoint(&app, "leased", "BRANCH_CREATED", and(shown(&begun), json!({ "summary": "s", "branch": "b" }))).await.expect(200);
        app.advance(TTL.saturating_sub(std::time::Duration::from_secs(10)));
        let listed = list(&app, "?state=DONE&agent=nobody").await;
        assert_eq!(listed["activeWork"], json!([]));
        let want = json!({
            "id": format!("lease-{}", first["claimId"].as_str().unwrap()), "agentName": "batch", "issueId": listed["staleLeases"][0]["issueId"],
            "runId": null, "state": "STALE", "checkpoint": "issue_claimed", "branch": null, "prUrl": null,
            "leaseExpiresAt": "2026-01-01T00:30:00.000Z", "lastHeartbeatAt": "2026-01-01T00:00:00.000Z", "summary": null,
            "blockerReason": "Lease expired", "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
            "issueNumber": 1, "issueTitle": "Issue 0", "repoFullName": API,
        });
        assert_eq!(listed["staleLeases"], json!([want]), "whatever the filters");
        app.advance(std::time::Duration::from_secs(10));
        let stale = list(&app, "").await["staleLeases"].clone();
        assert_eq!(rows(&stale), [("batch", "STALE"), ("batch", "STALE"), ("leased", "STALE")], "the oldest first; none in review");
        let leased = &stale[2];
        assert_eq!((&leased["checkpoint"], &leased["summary"], &leased["branch"]), (&json!("branch_created"), &json!(null), &json!("b")));
        app.beat("x").await;
        assert_eq!(list(&app, "").await["staleLeases"].as_array().unwrap().len(), 2, "the leased one was taken back");
        unclaim(&app, 1, "batch").await.expect(200);
        assert_eq!(list(&app, "").await["staleLeases"].as_array().unwrap().len(), 1);
    }

    async fn no_more_than_fifty_stale_leases_are_shown(db) {
        let app = with_issues(db, 1).await;
        for n in 0..52 {
            start_free(&app, &format!("agent-{n}")).await.expect(201);
            app.advance(std::time::Duration::from_millis(1));
        }
        app.advance(TTL);
        let stale = list(&app, "?limit=1").await["staleLeases"].clone();
        let rows = rows(&stale);
        assert_eq!((rows.len(), rows[0].0, rows[49].0), (50, "agent-0", "agent-49"));
    }
}
