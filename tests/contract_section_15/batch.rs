//! The batch client: one maintainer token, one name, many claims that it never renews.

use std::time::Duration;

use github_sim::NewIssue;
use serde_json::{Value, json};

use super::{API, and, at_github, client::Client, named, with_issues};
use crate::{
    each_db,
    support::{App, answers::strings},
};

async fn queue(client: &Client<'_>, query: &str) -> Vec<Value> {
    client
        .get(&format!("/api/agents/batch/queue{query}"))
        .await
        .expect(200)
        .as_array()
        .expect("a bare array")
        .clone()
}

fn numbers(items: &[Value]) -> Vec<i64> {
    items.iter().map(|item| item["number"].as_i64().expect("a number")).collect()
}

/// What this client takes as a candidate.
fn is_candidate(item: &Value, lane: &str) -> bool {
    let labels = strings(&item["labels"]);
    let status = labels.iter().find(|label| label.starts_with("status/"));
    item["lane"] == lane
        && status.is_some_and(|label| label == "status/ready")
        && (item["claimable"] == true || item["agentMatch"] == true)
}

async fn put(client: &Client<'_>, item: &Value, lane: &str) {
    let path = format!("/api/issues/{}/lane", item["issueId"].as_str().expect("an id"));
    let body = json!({ "classification": { "lane": lane, "confidence": "high", "reason": "because" } });
    client.post(&path, body).await.expect(200);
}

async fn claim(app: &App, number: i64, agent: &str) -> Value {
    let client = Client::new(app);
    client.post("/api/issues/claim", named(&client, number, agent).await).await.expect(200)
}

each_db! {
    async fn many_claims_under_one_name_last_though_none_is_renewed(db) {
        let app = with_issues(db, 25).await;
        let client = Client::new(&app);
        for number in 1..=24 {
            claim(&app, number, "batch").await;
        }
        for hours in [1, 11, 11] {
            app.advance(Duration::from_hours(hours));
            app.beat("other").await;
        }
        let held = client.get("/api/issues/claimed?agentName=batch").await.expect(200);
        assert_eq!(held.as_array().map(Vec::len), Some(24), "23 hours later");
        for number in [1, 24] {
            client.post("/api/issues/claim", named(&client, number, "other").await).await.expect(409);
        }
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL AND agent_key = 'batch'").await, 24);
        app.advance(Duration::from_hours(2));
        app.beat("other").await;
        assert_eq!(client.get("/api/issues/claimed?agentName=batch").await.expect(200), json!([]), "25 hours later");
        claim(&app, 1, "other").await;
    }

    async fn the_queue_in_rank_order_is_the_index_of_ids_and_lanes(db) {
        let app = with_issues(db, 6).await;
        let client = Client::new(&app);
        for item in queue(&client, "?lane=&includeClaimed=true").await {
            put(&client, &item, "local").await;
        }
        claim(&app, 2, "batch").await;
        claim(&app, 3, "other").await;
        let api = app.sim.repo(API);
        api.add_label(4, "priority/p0");
        api.remove_label(5, "status/ready");
        api.add_label(5, "status/in-review");
        app.next_beat("loader").await;
        let items = queue(&client, "?lane=local&includeClaimed=true").await;
        assert_eq!(numbers(&items), [4, 2, 3, 5, 1, 6], "claimed, in progress and in review, by rank");
        assert_eq!(numbers(&queue(&client, "?lane=&includeClaimed=true").await), [4, 2, 3, 5, 1, 6], "an empty lane is none");
        let issues = client.get("/api/issues?repo=acme/api").await.expect(200);
        for item in &items {
            let mut issues = issues.as_array().expect("issues").iter();
            let issue = issues.find(|issue| issue["number"] == item["number"]).expect("the same issue");
            assert_eq!((&item["issueId"], &item["lane"]), (&issue["id"], &issue["currentLane"]));
        }
        let again = queue(&client, "?lane=local&includeClaimed=true").await;
        assert_eq!(items, again, "the same order each time");
    }

    async fn a_candidate_is_ready_in_its_lane_and_claimable_or_ones_own(db) {
        let app = with_issues(db, 5).await;
        let client = Client::new(&app);
        let items = queue(&client, "?includeClaimed=true").await;
        for (item, lane) in items.iter().zip(["local", "local", "frontier", "local", "local"]) {
            put(&client, item, lane).await;
        }
        claim(&app, 2, "other").await;
        app.sim.repo(API).add_label(4, "agent/batch");
        app.sim.repo(API).open_issue(NewIssue::new("waits").label("status/ready").body("blocked by #1"));
        app.next_beat("loader").await;
        let candidates = async |lane: &str| {
            let items = queue(&client, &format!("?lane={lane}&includeClaimed=true")).await;
            numbers(&items.into_iter().filter(|item| is_candidate(item, lane)).collect::<Vec<_>>())
        };
        assert_eq!(candidates("local").await, [4, 1, 5]);
        assert_eq!(candidates("frontier").await, [3]);
        assert_eq!(candidates("cloud").await, [0; 0]);
        claim(&app, 1, "batch").await;
        assert_eq!(candidates("local").await, [4, 5], "what is in progress is no candidate");
    }

    async fn a_claim_sets_in_progress_by_itself(db) {
        let app = with_issues(db, 1).await;
        let granted = claim(&app, 1, "batch").await;
        assert_eq!(granted["labels"], json!(["agent/batch", "status/in-progress"]));
        assert_eq!(at_github(&app, 1), ["agent/batch", "status/in-progress"]);
    }

    async fn escalation_by_lane_and_unclaim_shows_in_the_same_second(db) {
        let app = with_issues(db, 1).await;
        let client = Client::new(&app);
        let item = queue(&client, "").await.remove(0);
        put(&client, &item, "local").await;
        claim(&app, 1, "batch").await;
        let own = named(&client, 1, "batch").await;
        put(&client, &item, "frontier").await;
        client.post("/api/issues/unclaim", own).await.expect(200);
        // No time has passed, and GitHub was not read.
        let items = queue(&client, "?lane=frontier&includeClaimed=true").await;
        assert_eq!((numbers(&items), items[0]["lane"].as_str()), (vec![1], Some("frontier")));
        assert_eq!(strings(&items[0]["labels"]), ["status/ready"], "no claim is left");
        assert!(is_candidate(&items[0], "frontier"));
        assert_eq!(queue(&client, "?lane=local&includeClaimed=true").await, [json!(null); 0]);
        assert_eq!(client.get("/api/issues/claimed?agentName=batch").await.expect(200), json!([]));
    }

    async fn a_status_is_a_bare_word_repeated_every_quarter_of_an_hour(db) {
        let app = with_issues(db, 4).await;
        let client = Client::new(&app);
        for (number, word) in (1..).zip(["in-review", "done", "ready", "backlog"]) {
            claim(&app, number, "batch").await;
            let own = named(&client, number, "batch").await;
            let label = format!("status/{word}");
            for _ in 0..4 {
                let set = client.post("/api/issues/status", and(own.clone(), json!({ "status": word }))).await.expect(200);
                assert_eq!((&set["success"], &set["status"]), (&json!(true), &json!(label)));
                assert_eq!(at_github(&app, number.unsigned_abs()), ["agent/batch", label.as_str()]);
                app.advance(Duration::from_mins(15));
                app.beat("other").await;
            }
            assert_eq!(app.db.count("SELECT count(*) FROM label_edits WHERE state = 'pending'").await, 0);
        }
        let own = named(&client, 1, "batch").await;
        let refused = client.post("/api/issues/status", and(own, json!({ "status": "status/ready" }))).await.expect(400);
        assert!(refused["error"].as_str().is_some_and(|words| words.starts_with("Invalid status label: status/ready.")), "{refused}");
    }

    async fn a_repeated_status_writes_nothing_to_github(db) {
        let app = with_issues(db, 1).await;
        let client = Client::new(&app);
        claim(&app, 1, "batch").await;
        let body = and(named(&client, 1, "batch").await, json!({ "status": "in-review" }));
        client.post("/api/issues/status", body.clone()).await.expect(200);
        app.next_beat("other").await;
        app.sim.reset_counters();
        for _ in 0..3 {
            client.post("/api/issues/status", body.clone()).await.expect(200);
            app.next_beat("other").await;
        }
        assert_eq!(app.sim.counters().writes, 0);
    }

    async fn claimed_has_labels_and_has_open_pr_on_each_row(db) {
        let app = with_issues(db, 3).await;
        let client = Client::new(&app);
        for number in 1..=3 {
            claim(&app, number, "batch").await;
        }
        let own = named(&client, 3, "batch").await;
        client.post("/api/issues/status", and(own, json!({ "status": "ready" }))).await.expect(200);
        for (query, want) in [("", 2), ("&status=in-progress", 2), ("&status=ready", 1)] {
            let rows = client.get(&format!("/api/issues/claimed?agentName=batch{query}")).await.expect(200);
            let rows = rows.as_array().expect("a bare array");
            assert_eq!(rows.len(), want, "{query}");
            for row in rows {
                assert!(strings(&row["labels"]).contains(&"agent/batch".to_owned()), "{row}");
                assert!(row["hasOpenPr"].is_boolean(), "{row}");
            }
        }
    }

    async fn a_404_of_state_is_unknown_and_not_closed(db) {
        let app = with_issues(db, 2).await;
        let client = Client::new(&app);
        let state = async |number: i64| client.get(&format!("/api/issues/state?repo=acme/api&number={number}")).await;
        app.sim.repo(API).close_issue(1);
        app.sim.repo(API).delete_issue(2);
        app.next_beat("loader").await;
        let closed = state(1).await.expect(200);
        assert_eq!((&closed["state"], closed["closedAt"].is_string()), (&json!("closed"), true));
        for number in [2, 99] {
            assert_eq!(state(number).await.expect(404)["error"], format!("Issue not found in cache: acme/api#{number}"));
        }
    }
}
