//! Lists and histories.

use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{App, BOUND, UNBOUND, app::send},
};

async fn queued(app: &App, query: &str) -> Vec<Value> {
    let answer = app.get(&format!("/api/pr-fix-queue/queued{query}")).await.expect(200);
    answer.as_array().expect("a bare array").clone()
}

async fn prs(app: &App, query: &str) -> Vec<i64> {
    queued(app, query).await.iter().map(|item| item["pr"].as_i64().expect("a number")).collect()
}

each_db! {
    async fn queued_lists_what_there_is_to_do(db) {
        let app = with(db).await;
        for (pr, kind, lane) in [(10, "OTHER", "NORMAL"), (11, "CI_FAILURE", "NEEDS_HUMAN"), (12, "CI_FAILURE", "ESCALATED"), (13, "MERGE_CONFLICT", "NORMAL")] {
            app.tick();
            enqueue(&app, pr, "k", json!({ "type": kind, "lane": lane })).await;
        }
        enqueue(&app, 14, "k", json!({})).await;
        mark(&app, 14, "FIXED", json!({})).await.expect(200);
        assert_eq!(prs(&app, "").await, [13, 12, 10]);
        assert_eq!(prs(&app, "?include_blocked=true").await, [13, 11, 12, 10]);
        assert_eq!(prs(&app, "?prioritize_by_type=false&include_blocked=true").await, [10, 11, 12, 13]);
        assert_eq!(prs(&app, "?lane=NORMAL").await, [13, 10]);
        assert_eq!(prs(&app, "?lane=needs-human&include_blocked=true").await, [11]);
        assert_eq!(prs(&app, "?lane=needs_human").await, [0; 0]);
        assert_eq!(prs(&app, "?limit=1").await, [13]);
        next_pr(&app, "coder").await;
        assert_eq!(prs(&app, "?limit=1").await, [13], "whoever has it");
        let refused = app.get("/api/pr-fix-queue/queued?lane=local").await.expect(400);
        assert_eq!((&refused["error"], &refused["field"]), (&json!("Invalid lane. Valid lanes: NORMAL, ESCALATED, NEEDS_HUMAN"), &json!("lane")));
        for token in [BOUND, UNBOUND] {
            send(app.request("GET", "/api/pr-fix-queue/queued", token)).await.expect(200);
        }
    }

    async fn queued_goes_on_page_by_page(db) {
        let app = with(db).await;
        for pr in 10..15 {
            app.tick();
            enqueue(&app, pr, "k", json!({})).await;
        }
        let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
        loop {
            let page = app.get(&format!("/api/pr-fix-queue/queued{query}")).await;
            let next = page.header("x-next-cursor").map(str::to_owned);
            seen.extend(page.expect(200).as_array().expect("a list").iter().map(|item| item["pr"].as_i64()));
            let Some(next) = next else { break };
            query = format!("?limit=2&cursor={next}");
        }
        assert_eq!(seen, [10, 11, 12, 13, 14].map(Some));
        for bad in ["x", "3~id", "skip~x", "skip~-1"] {
            let refused = app.get(&format!("/api/pr-fix-queue/queued?cursor={bad}")).await.expect(400);
            assert_eq!(refused["field"], "cursor", "{bad}");
        }
    }

    async fn a_history_is_newest_first_and_bounded(db) {
        let app = with(db).await;
        for n in 0..210 {
            app.advance(std::time::Duration::from_millis(n % 2));
            enqueue(&app, 4, &format!("k{n}"), json!({ "reason": format!("r{n}") })).await;
        }
        let path = "/api/pr-fix-queue/history?repo=ACME/api&pr=4";
        let told = app.get(path).await.expect(200);
        let events = told["history"].as_array().unwrap();
        assert_eq!((events.len(), &events[0]["evidenceKey"], &events[49]["evidenceKey"]), (50, &json!("k209"), &json!("k160")));
        assert_eq!(events[0], json!({ "at": app.clock.now().to_string(), "action": "enqueue", "status": "QUEUED", "lane": "NORMAL",
            "reason": "r209", "note": null, "evidenceKey": "k209" }));
        let item = item(&app, 4).await;
        let head: Vec<_> = ["id", "repo", "pr", "lane", "status", "type", "reason", "queuedAt", "updatedAt"].into();
        let head: serde_json::Map<String, Value> = head.into_iter().map(|name| (name.to_owned(), item[name].clone())).collect();
        assert_eq!(told["item"], Value::Object(head));
        for (limit, want) in [("1", 1), ("200", 200), ("5000", 200)] {
            let told = app.get(&format!("{path}&limit={limit}")).await.expect(200);
            assert_eq!(told["history"].as_array().unwrap().len(), want);
        }
    }

    async fn what_a_history_refuses(db) {
        let app = with(db).await;
        let path = "/api/pr-fix-queue/history";
        let missing = "Missing required query parameters: repo, pr";
        for (query, status, error) in [
            ("", 400, missing),
            ("?repo=acme/api", 400, missing),
            ("?pr=4", 400, missing),
            ("?repo=acme/api&pr=x", 400, "Invalid pr: x"),
            ("?repo=acme/api&pr=0", 400, "Invalid pr: 0"),
            ("?repo=acme/api&pr=4&limit=none", 400, "Invalid limit: none"),
            ("?repo=acme/api&pr=4&limit=0", 400, "Invalid limit: 0"),
            ("?repo=acme/api&pr=4", 404, "No PR-fix item for acme/api#4"),
        ] {
            assert_eq!(app.get(&format!("{path}{query}")).await.expect(status)["error"], error, "{query}");
        }
    }
}
