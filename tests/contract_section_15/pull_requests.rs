//! The PR-fix queue and single labels, as clients ask for them.

use serde_json::{Value, json};

use super::{API, and, at_github, client::Client, named, with_issues};
use crate::{each_db, support::App};

/// Opens a pull request at GitHub, and an item of it in a lane; its number.
async fn opened(app: &App, lane: &str) -> u64 {
    let pr = app.sim.repo(API).open_pull("Mends something", &format!("fix/{lane}"));
    let evidence = json!({ "repo": API, "pr": pr, "reason": "red", "feedback": "mend it", "evidenceKey": "k", "lane": lane });
    Client::new(app).post("/api/pr-fix-queue/enqueue", evidence).await.expect(200);
    pr
}

each_db! {
    async fn the_list_of_a_lane_names_pull_requests_by_number(db) {
        let app = with_issues(db, 1).await;
        let client = Client::new(&app);
        let (normal, escalated) = (opened(&app, "NORMAL").await, opened(&app, "ESCALATED").await);
        for (lane, pr) in [("NORMAL", normal), ("ESCALATED", escalated)] {
            let rows = client.get(&format!("/api/pr-fix-queue/queued?lane={lane}")).await.expect(200);
            let prs: Vec<_> = rows.as_array().expect("a bare array").iter().map(|row| row["pr"].as_u64()).collect();
            assert_eq!(prs, [Some(pr)], "a JSON number: {rows}");
        }
        assert_eq!(client.get("/api/pr-fix-queue/queued?lane=NEEDS_HUMAN").await.expect(200), json!([]));
    }

    async fn marks_come_in_either_case_with_and_without_a_generation(db) {
        let app = with_issues(db, 1).await;
        let client = Client::new(&app);
        let pr = opened(&app, "NORMAL").await;
        let say = |status: &str| json!({ "repo": API, "pr": pr, "status": status });
        for body in [say("BLOCKED"), say("blocked"), and(say("Blocked"), json!({ "generation": 1 }))] {
            // Twice: its answer may get lost.
            for _ in 0..2 {
                let row = client.post("/api/pr-fix-queue/mark", body.clone()).await.expect(200);
                assert_eq!((&row["status"], &row["generation"]), (&json!("BLOCKED"), &json!(1)), "{body}");
            }
        }
        client.post("/api/pr-fix-queue/mark", and(say("FIXED"), json!({ "generation": 7 }))).await.expect(409);
    }

    async fn pull_requests_stand_in_front_of_the_queue_and_drop_out_by_their_lane(db) {
        let app = with_issues(db, 2).await;
        let client = Client::new(&app);
        for number in [1, 2] {
            let issue = named(&client, number, "batch").await;
            let path = format!("/api/issues/{}/lane", issue["issueId"].as_str().expect("an id"));
            let body = json!({ "classification": { "lane": "local", "confidence": "high", "reason": "because" } });
            client.post(&path, body).await.expect(200);
        }
        opened(&app, "NORMAL").await;
        opened(&app, "ESCALATED").await;
        for (query, lane, front) in [("?lane=local&includeClaimed=true", "local", 1), ("?includeClaimed=true", "local", 2)] {
            let queue = client.get(&format!("/api/agents/batch/queue{query}")).await.expect(200);
            let rows = queue.as_array().expect("a bare array");
            let is_fix = |row: &Value| row["type"] == "pr-review-fix";
            assert!(rows.len() == front + 2 && rows[..front].iter().all(is_fix), "{query}: {queue}");
            assert!(rows[..front].iter().all(|row| row["lane"] == "NORMAL" || row["lane"] == "ESCALATED"), "{query}: {queue}");
            let numbers: Vec<_> = rows.iter().filter(|row| row["lane"] == lane).map(|row| row["number"].as_i64()).collect();
            assert_eq!(numbers, [Some(1), Some(2)], "{query}");
        }
    }

    async fn taking_away_a_label_that_is_absent_is_no_error(db) {
        let app = with_issues(db, 1).await;
        app.sim.repo(API).add_label(1, "bug");
        app.next_beat("loader").await;
        let client = Client::new(&app);
        let issue = named(&client, 1, "batch").await;
        for label in ["absent", "bug", "bug"] {
            let body = and(issue.clone(), json!({ "label": label }));
            assert!(!client.post("/api/issues/unlabel", body).await.expect(200).is_null(), "{label}");
        }
        assert_eq!(at_github(&app, 1), ["status/ready"]);
    }
}
