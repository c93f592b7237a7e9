//! Issues without a place on the board, and those closed long ago.

use std::time::Duration;

use dispatch::engine::prune;
use github_sim::NewIssue;
use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{App, AppBuilder, MAINTAINER, app::send},
};

const DAY: Duration = Duration::from_hours(24);

fn numbers(answer: &Value) -> Vec<i64> {
    answer.as_array().expect("a list").iter().map(|row| row["number"].as_i64().expect("a number")).collect()
}

/// Closes issues of the repository, and has that known here.
async fn close(app: &App, issues: &[u64]) {
    app.tick();
    for number in issues {
        app.sim.repo(API).close_issue(*number);
    }
    app.next_beat("loader").await;
    settle(app).await;
    app.next_beat("loader").await;
}

each_db! {
    async fn untriaged_issues_have_none_of_the_six_statuses(db) {
        let mut builder = AppBuilder { repos: vec![API.to_owned(), "acme/web".to_owned()], ..AppBuilder::default() };
        builder.engine.rules = dispatch::domain::labels::Rules::new(["wontfix"]);
        let (sim, clock) = builder.simulator().await;
        let (api, web) = (sim.create_repo(API), sim.create_repo("acme/web"));
        for (title, labels) in [
            ("bare", &[][..]),
            ("placed", &["Status/Ready"]),
            ("unknown status", &["status/odd", "bug"]),
            ("excluded", &["wontfix"]),
            ("Update dependency x", &[]),
            ("labelled", &["renovate"]),
            ("closed", &[]),
        ] {
            api.open_issue(labels.iter().fold(NewIssue::new(title), |issue, label| issue.label(*label)));
        }
        web.open_issue("elsewhere");
        api.close_issue(7);
        let app = builder.start_with(std::sync::Arc::new(db), sim, clock).await;
        app.beat("loader").await;
        let list = async |query: &str| app.get(&format!("/api/issues/untriaged{query}")).await.expect(200);
        let mut all = numbers(&list("?repo=acme/API").await);
        all.sort_unstable();
        assert_eq!(all, [1, 3]);
        assert_eq!(numbers(&list("?repo=acme/web").await), [1]);
        assert_eq!(list("").await.as_array().unwrap().len(), 3);
        assert_eq!(list("?excludeRenovate=true").await.as_array().unwrap().len(), 3);
        assert_eq!(list("?excludeRenovate=false").await.as_array().unwrap().len(), 5);
        assert_eq!(list("?repo=acme/none").await, json!([]));
        app.tick();
        app.sim.repo(API).set_title(1, "barer");
        app.next_beat("coder").await;
        let first = list("?limit=1").await;
        let row = state(&app, 1).await;
        assert_eq!(first[0], json!({ "id": row["issueId"], "number": 1, "title": "barer", "url": first[0]["url"], "labels": [], "state": "open",
            "createdAt": first[0]["createdAt"], "updatedAt": first[0]["updatedAt"], "repository": { "fullName": API } }));
        act(&app, "move", 1, json!({ "oldLabels": [], "newLabels": ["status/backlog"] })).await.expect(200);
        assert_eq!(numbers(&list("?repo=acme/api").await), [3], "it has its place now");
    }

    async fn untriaged_issues_come_in_pages(db) {
        let app = built(AppBuilder::default(), db, 230, &[]).await;
        assert_eq!(app.get("/api/issues/untriaged").await.expect(200).as_array().unwrap().len(), 50);
        let (mut path, mut seen) = ("/api/issues/untriaged?limit=9999".to_owned(), Vec::new());
        loop {
            let page = app.get(&path).await;
            let rows = numbers(&page.expect(200));
            assert!(rows.len() <= 200);
            seen.extend(rows);
            let Some(next) = page.header("x-next-cursor") else { break };
            path = format!("/api/issues/untriaged?limit=9999&cursor={next}");
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=230).collect::<Vec<_>>());
        for bad in ["abc", "0", "-1", "1.5"] {
            let refused = app.get(&format!("/api/issues/untriaged?limit={bad}")).await.expect(400);
            assert_eq!(refused["field"], "limit", "{bad}");
        }
    }

    async fn what_was_closed_long_ago_is_forgotten(db) {
        let app = with_issues(db, 4).await;
        claim(&app, 1, "coder").await;
        act(&app, "claim", 2, json!({ "agentName": "coder" })).await.expect(200);
        let begun = json!({ "agentName": "amy", "issueId": state(&app, 3).await["issueId"] });
        app.post("/api/agent-work/start", begun).await.expect(201);
        groom(&app, 1, "escalate", json!({})).await.expect(200);
        close(&app, &[1, 3]).await;
        assert_eq!(app.post("/api/issues/prune-closed", json!({})).await.expect(200)["prunedCount"], 0);
        app.advance(20 * DAY);
        app.beat("loader").await;
        close(&app, &[2]).await;
        app.advance(11 * DAY);
        app.beat("loader").await;
        // The body does not count, whatever it is.
        let out = send(app.request("POST", "/api/issues/prune-closed", MAINTAINER).body("{")).await.expect(200);
        let cutoff = app.clock.now().minus(30 * DAY);
        assert_eq!(out, json!({ "success": true, "prunedCount": 2, "retentionDays": 30, "cutoffDate": cutoff.to_string() }));
        let left = app.get("/api/issues?includeClosed=true").await.expect(200);
        let mut left = numbers(&left);
        left.sort_unstable();
        assert_eq!(left, [2, 4]);
        assert_eq!(app.db.count("SELECT count(*) FROM lane_history").await, 0, "lanes go with their issue");
        let claims = "SELECT agent_name FROM claims WHERE issue_id IS NULL";
        assert_eq!(app.db.texts(claims).await, ["amy"], "work stays, and names no issue");
        assert!(app.db.count("SELECT count(*) FROM audit_log WHERE issue_number = 1 AND issue_id IS NULL").await > 0);
        assert_eq!(app.post("/api/issues/prune-closed", json!({})).await.expect(200)["prunedCount"], 0);
        app.next_beat("loader").await;
        assert_eq!(app.db.count("SELECT count(*) FROM issues").await, 2, "no read brings them back");
    }

    async fn what_still_waits_to_be_written_is_kept(db) {
        let app = with_issues(db, 3).await;
        close(&app, &[1, 2, 3]).await;
        app.advance(31 * DAY);
        app.beat("loader").await;
        let broken = app.sim.fault(github_sim::Fault::new(github_sim::FaultKind::Status(410)).on(github_sim::Match::path_contains("/issues/1/")));
        let down = app.sim.fault(github_sim::Fault::new(github_sim::FaultKind::Status(502)).on(github_sim::Match::path_contains("/issues/2/")));
        act(&app, "comment", 1, json!({ "body": "parked" })).await.expect(200);
        act(&app, "label", 2, json!({ "label": "waits" })).await.expect(200);
        assert_eq!(prune::prune_closed(&app.engine).await.expect("pruned").issues, 1, "the third alone");
        app.sim.clear_fault(broken);
        app.sim.clear_fault(down);
        let parked = app.get("/api/outbox?state=parked").await.expect(200)[0].clone();
        app.post(&format!("/api/outbox/{}/discard", parked["id"].as_str().unwrap()), json!({})).await.expect(200);
        app.advance(Duration::from_mins(20));
        settle(&app).await;
        assert_eq!(prune::prune_closed(&app.engine).await.expect("pruned").issues, 2);
    }

    async fn many_are_forgotten_in_batches_and_by_two_at_once(db) {
        let app = with_issues(db, 450).await;
        let all: Vec<u64> = (1..=450).collect();
        app.tick();
        for number in &all {
            app.sim.repo(API).close_issue(*number);
        }
        app.db.sql("UPDATE issues SET state = 'closed', closed_at = 5").await;
        let (one, other) = tokio::join!(prune::prune_closed(&app.engine), prune::prune_closed(&app.engine));
        let (one, other) = (one.expect("pruned").issues, other.expect("pruned").issues);
        let rest = prune::prune_closed(&app.engine).await.expect("pruned").issues;
        assert_eq!((one + other + rest, app.db.count("SELECT count(*) FROM issues").await), (450, 0));
    }
}
