//! The queue beside issues: what comes first, what is held back, and how that is told.

use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{Answer, App, MAINTAINER, app::send},
};

async fn poll(app: &App, path: &str, tag: Option<&str>) -> Answer {
    let mut request = app.request("GET", path, MAINTAINER);
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    send(request).await
}

async fn issue(app: &App, agent: &str, query: &str) -> Option<i64> {
    next(app, agent, query).await["issue"]["number"].as_i64()
}

async fn why(app: &App, number: i64) -> Value {
    let state = app.get(&format!("/api/issues/state?repo={API}&number={number}")).await.expect(200);
    let id = state["issueId"].as_str().expect("an id");
    app.get(&format!("/api/issues/{id}/why?agent=other")).await.expect(200)
}

each_db! {
    async fn pull_requests_come_before_issues(db) {
        let app = with(db).await;
        assert_eq!(next(&app, "coder", "").await["type"], "implement");
        enqueue(&app, 4, "k", json!({})).await;
        assert_eq!(next(&app, "coder", "").await["type"], "followup-pr");
        assert_eq!(next(&app, "other", "").await["type"], "implement");
        assert_eq!(next(&app, "third", "?lane=local").await["type"], "implement");
    }

    async fn the_issue_behind_a_pull_request_is_not_given_out(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({ "issue": 1 })).await;
        assert_eq!(next_pr(&app, "coder").await, Some(4));
        for query in ["", "?lane=local", "?includeClaimed=true"] {
            assert_eq!(issue(&app, "other", query).await, Some(2), "{query}");
        }
        // Also where no pull requests are served, and while it waits or is for a human.
        mark(&app, 4, "BLOCKED", json!({})).await.expect(200);
        assert_eq!(issue(&app, "other", "").await, Some(2));
        mark(&app, 4, "FIXED", json!({ "alreadyAddressed": true })).await.expect(200);
        assert_eq!(issue(&app, "other", "").await, Some(1), "nothing is to be done about its pull request");
        enqueue(&app, 4, "k2", json!({ "issue": 3 })).await;
        next_pr(&app, "coder").await;
        assert_eq!(issue(&app, "other", "").await, Some(1));
        // An issue of the same number elsewhere.
        enqueue(&app, 9, "k", json!({ "issue": 1, "repo": "acme/web", "lane": "NEEDS_HUMAN" })).await;
        assert_eq!(issue(&app, "other", "").await, Some(1));
    }

    async fn an_idle_answer_counts_what_is_held_back(db) {
        let app = with(db).await;
        for (pr, number) in [(4, 1), (5, 2), (6, 3)] {
            enqueue(&app, pr, "k", json!({ "issue": number })).await;
            next_pr(&app, &format!("agent-{pr}")).await;
        }
        let reason = async |query: &str| {
            let task = next(&app, "other", query).await;
            assert_eq!((&task["type"], &task["shouldRun"]), (&json!("idle"), &json!(false)));
            task["reason"].as_str().unwrap().to_owned()
        };
        let note = "deferred: linked PR follow-up is owned by the PR-fix queue";
        assert_eq!(reason("").await, format!("No work available (3 ready issues {note})"));
        assert_eq!(reason("?lane=cloud").await, "No work available");
        app.sim.repo(API).close_issue(1);
        app.sim.repo(API).add_label(2, "status/blocked");
        app.next_beat("loader").await;
        assert_eq!(reason("").await, format!("No work available (1 ready issue {note})"));
        assert_eq!(wanting_beat(&app, "other").await["reason"], reason("").await);
    }

    async fn an_item_of_one_lane_holds_its_issue_back_in_all(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({ "issue": 1, "lane": "ESCALATED" })).await;
        assert_eq!(issue(&app, "other", "?lane=local").await, Some(2));
        assert_eq!(next(&app, "other", "?lane=frontier").await["type"], "followup-pr");
    }

    async fn why_tells_of_the_pull_request(db) {
        let app = with(db).await;
        assert_eq!(why(&app, 1).await["reasons"], json!([]));
        enqueue(&app, 4, "k", json!({ "issue": 1 })).await;
        let tells = async |words: &str| {
            let told = why(&app, 1).await;
            assert_eq!((&told["served"], &told["claimable"], &told["place"]), (&json!(true), &json!(false), &json!(1)), "{told}");
            let message = format!("its pull request acme/api#4 is in the PR-fix queue: {words}");
            assert_eq!(told["reasons"], json!([{ "code": "pr_fix", "message": message }]));
        };
        tells("to be handed out, lane NORMAL").await;
        let task = next(&app, "coder", "").await;
        tells("in the hands of coder").await;
        mergeable(&app, 4, Some(false));
        settle(&app, "coder", &task, "pr_updated").await;
        tells("waiting for it to change").await;
        mark(&app, 4, "BLOCKED", json!({})).await.expect(200);
        tells("for a human to look at").await;
        mark(&app, 4, "STALE", json!({})).await.expect(200);
        assert_eq!(why(&app, 1).await["claimable"], true);
    }

    async fn the_list_begins_with_pull_requests(db) {
        let app = with(db).await;
        let row = enqueue(&app, 4, "k", json!({ "issue": 1, "type": "REVIEW_FEEDBACK" })).await;
        enqueue(&app, 5, "k", json!({ "type": "CI_FAILURE", "lane": "ESCALATED" })).await;
        next_pr(&app, "coder").await;
        let list = async |query: &str| {
            let answer = app.get(&format!("/api/agents/coder/queue{query}")).await.expect(200);
            answer.as_array().unwrap().clone()
        };
        let all = list("").await;
        let kinds: Vec<_> = all.iter().map(|item| item["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["pr-review-fix", "pr-review-fix", "issue", "issue", "issue"]);
        assert_eq!(all[0]["pr"], 5);
        let mut want = row.clone();
        let fields = want.as_object_mut().unwrap();
        for name in ["type", "fixAttempts", "dispatchedAt", "dispatchedGeneration", "postDispatchEvidenceKeys", "handoutAcks",
            "handoutReclaims", "heldBy", "heldUntil", "waitingSince"] {
            fields.remove(name).expect(name);
        }
        fields.insert("type".into(), json!("pr-review-fix"));
        fields.insert("fixType".into(), json!("REVIEW_FEEDBACK"));
        fields.insert("rankingReason".into(), json!("queued PR review-fix item (REVIEW_FEEDBACK)"));
        assert_eq!(all[1], want);
        assert_eq!(list("?lane=local").await[0]["pr"], 4);
        assert_eq!(list("?lane=frontier").await.len(), 1);
        assert_eq!(list("?lane=cloud").await.len(), 0);
        assert_eq!((list("?limit=1").await.len(), list("?limit=3").await.len()), (1, 3));
    }

    async fn behind_ten_thousand_pull_requests_come_the_issues(db) {
        let app = with(db).await;
        app.db.sql("WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10001)
            INSERT INTO pr_fix_items (id, repo, pr, lane, kind, kind_rank, reason, status, is_open, queued_at, updated_at, turn_at,
                generation, fix_attempts, handout_reclaims)
            SELECT '019b76da-a800-7000-8000-' || (100000000000 + n), 'acme/web', n, 'NORMAL', 'OTHER', 3, 'red', 'QUEUED', TRUE, n, n, n, 1, 1, 0 FROM numbers").await;
        let page = async |query: &str| {
            let answer = poll(&app, &format!("/api/agents/coder/queue?{query}"), None).await;
            let cursor = answer.header("x-next-cursor").map(str::to_owned);
            let items = answer.expect(200).as_array().unwrap().clone();
            (items.iter().map(|item| item["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), cursor)
        };
        let (first, cursor) = page("cursor=skip~9998&limit=2").await;
        assert_eq!(first, ["pr-review-fix", "pr-review-fix"]);
        let (second, cursor) = page(&format!("limit=2&cursor={}", cursor.expect("more"))).await;
        assert_eq!(second, ["issue", "issue"]);
        let (third, cursor) = page(&format!("limit=2&cursor={}", cursor.expect("more"))).await;
        assert_eq!((third.len(), cursor), (1, None));
        let (across, _) = page("cursor=skip~9999&limit=3").await;
        assert_eq!(across, ["pr-review-fix", "issue", "issue"]);
    }

    async fn tags_follow_what_is_handed_out(db) {
        let app = with(db).await;
        let path = "/api/agents/coder/next-task";
        let tag = async |known: Option<&str>, status: u16| {
            let answer = poll(&app, path, known).await;
            assert_eq!(answer.status, status, "{}", answer.text);
            answer.header("etag").unwrap().to_owned()
        };
        let implement = tag(None, 200).await;
        tag(Some(&implement), 304).await;
        enqueue(&app, 4, "k", json!({})).await;
        let handed = tag(Some(&implement), 200).await;
        tag(Some(&handed), 304).await;
        app.advance(TIMEOUT / 2);
        tag(Some(&handed), 304).await;
        enqueue(&app, 4, "k2", json!({})).await;
        let told_more = tag(Some(&handed), 200).await;
        mark(&app, 4, "STALE", json!({})).await.expect(200);
        tag(Some(&told_more), 200).await;
        tag(Some(&implement), 304).await;
        let list = "/api/agents/coder/queue";
        let known = poll(&app, list, None).await.header("etag").unwrap().to_owned();
        assert_eq!(poll(&app, list, Some(&known)).await.status, 304);
        enqueue(&app, 5, "k", json!({})).await;
        assert_eq!(poll(&app, list, Some(&known)).await.status, 200);
    }

    async fn a_summary_counts_by_lane(db) {
        let app = with(db).await;
        for (pr, lane) in [(4, "NORMAL"), (5, "NORMAL"), (6, "ESCALATED"), (7, "NEEDS_HUMAN")] {
            enqueue(&app, pr, "k", json!({ "lane": lane })).await;
        }
        next_pr(&app, "coder").await;
        enqueue(&app, 8, "k", json!({})).await;
        mark(&app, 8, "IGNORED", json!({})).await.expect(200);
        let summary = app.get("/api/agents/coder/work-summary").await.expect(200);
        assert_eq!(summary["prFixes"], json!({
            "local": { "total": 2, "blocked": 0 }, "frontier": { "total": 1, "blocked": 0 }, "needsHuman": { "total": 1, "blocked": 1 },
        }));
    }
}
