//! Whose issues are.

use std::time::Duration;

use dispatch::engine;
use github_sim::{Fault, FaultKind};
use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{App, AppBuilder, answers::strings, app::engine_settings},
};

async fn assign(app: &App, number: i64, action: &str, value: &str) -> crate::support::Answer {
    act(app, "actions", number, json!({ "action": action, "value": value, "actor": "ann" })).await
}

async fn unassign(app: &App, number: i64, action: &str) -> crate::support::Answer {
    act(app, "unassign", number, json!({ "action": action, "actor": "ann" })).await
}

each_db! {
    async fn an_assignment_replaces_its_kind_and_nothing_else(db) {
        let app = with_issues(db, 1).await;
        assign(&app, 1, "assign_owner", "owner/bob").await.expect(200);
        assign(&app, 1, "assign_agent", "agent/one").await.expect(200);
        let out = assign(&app, 1, "assign_agent", "agent/two").await.expect(200);
        assert_eq!(sorted(strings(&out["labels"])), ["agent/two", "bug", "owner/bob", "status/ready"]);
        assert_eq!((&out["success"], &out["version"]), (&json!(true), &state(&app, 1).await["version"]));
        assert_labels(&app, 1, &["agent/two", "bug", "owner/bob", "status/ready"]).await;
        let row = audited(&app, "assign_agent").await;
        assert_eq!((&row["actor"], &row["agent"], &row["notes"]), (&json!("ann"), &json!("two"), &json!("in place of agent/one")));
        assign(&app, 1, "assign_owner", "owner/Cy Young").await.expect(200);
        assert_labels(&app, 1, &["agent/two", "bug", "owner/Cy Young", "status/ready"]).await;
        assert_eq!(count_audited(&app, "assign_owner").await, 2);
        let gone = unassign(&app, 1, "unassign_agent").await.expect(200);
        assert_eq!((&gone["removed"], &gone["success"]), (&json!(["agent/two"]), &json!(true)));
        assert_eq!(audited(&app, "unassign_agent").await["agent"], "two");
        assert_labels(&app, 1, &["bug", "owner/Cy Young", "status/ready"]).await;
        unassign(&app, 1, "unassign_owner").await.expect(200);
        assert_eq!(audited(&app, "unassign_owner").await["agent"], json!(null));
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
        let refused = unassign(&app, 1, "unassign_owner").await.expect(400);
        assert_eq!((&refused["error"], &refused["field"]), (&json!("Issue has no owner/* label"), &json!("action")));
        assert_eq!(count_audited(&app, "unassign_agent").await + count_audited(&app, "unassign_owner").await, 2);
    }

    async fn an_assignment_routes_and_blocks_others(db) {
        let app = with_issues(db, 1).await;
        assign(&app, 1, "assign_agent", "agent/coder").await.expect(200);
        assert_eq!(app.db.count("SELECT count(*) FROM claims").await, 0, "it is no claim");
        let refused = act(&app, "claim", 1, json!({ "agentName": "other" })).await.expect(409);
        assert_eq!(refused["error"], "Issue is already assigned to coder. Use force=true to override.");
        let task = app.get("/api/agents/coder/next-task").await.expect(200);
        assert_eq!(task["issue"]["number"], 1, "{task}");
        claim(&app, 1, "coder").await;
    }

    async fn assigning_takes_the_issue_from_its_holder(db) {
        let app = with_issues(db, 2).await;
        let held = claim(&app, 1, "one").await;
        claim(&app, 2, "one").await;
        let again = and(json!({ "action": "assign_agent", "value": "agent/two" }), json!({ "force_claim": true }));
        act(&app, "actions", 1, again).await.expect(200);
        assert_labels(&app, 1, &["agent/two", "bug", "status/in-progress"]).await;
        let late = json!({ "agentName": "one", "claimId": held["claimId"], "status": "in-review" });
        assert_eq!(act(&app, "status", 1, late).await.expect(409)["code"], "claim_lost");
        let row = audited(&app, "assign_agent").await;
        assert_eq!(row["notes"], "in place of agent/one; force_claim=true");
        let released = audited(&app, "lease_released").await;
        assert_eq!((&released["issueNumber"], &released["agent"]), (&json!(1), &json!("one")));
        assign(&app, 2, "assign_agent", "agent/ONE").await.expect(200);
        unassign(&app, 2, "unassign_agent").await.expect(200);
        let ends = "SELECT COALESCE(end_reason, 'live') FROM claims ORDER BY fence";
        assert_eq!(app.db.texts(ends).await, ["withdrawn", "withdrawn"]);
        assert_labels(&app, 2, &["bug", "status/in-progress"]).await;
        app.next_beat("one").await;
        assert_eq!(count_audited(&app, "claim_revoked").await, 0, "our own writes coming back end nothing");
    }

    async fn the_holder_stays_who_is_assigned_again(db) {
        let app = with_issues(db, 1).await;
        claim(&app, 1, "Coder").await;
        assign(&app, 1, "assign_agent", "agent/coder").await.expect(200);
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL").await, 1);
        assert_labels(&app, 1, &["agent/Coder", "bug", "status/in-progress"]).await;
    }

    async fn a_label_that_a_person_just_gave_is_replaced_too(db) {
        let app = with_issues(db, 1).await;
        app.advance(Duration::from_secs(20));
        app.sim.repo(API).add_label(1, "agent/theirs");
        assign(&app, 1, "assign_agent", "agent/ours").await.expect(200);
        assert_labels(&app, 1, &["agent/ours", "bug", "status/ready"]).await;
        app.advance(Duration::from_secs(20));
        app.sim.repo(API).add_label(1, "agent/Late");
        let out = unassign(&app, 1, "unassign_agent").await.expect(200);
        assert_eq!(sorted(strings(&out["removed"])), ["agent/Late", "agent/ours"]);
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
    }

    async fn without_githubs_word_nothing_is_assigned_and_that_is_on_record(db) {
        let app = with_issues(db, 1).await;
        app.advance(Duration::from_secs(20));
        app.sim.fault(Fault::new(FaultKind::Status(502)));
        let refused = assign(&app, 1, "assign_agent", "agent/coder").await.expect(503);
        assert!(refused["error"].as_str().unwrap().starts_with("Could not verify live GitHub labels: "), "{refused}");
        let row = audited(&app, "assign_agent").await;
        assert_eq!((&row["success"], &row["errorMessage"], &row["actor"]), (&json!(false), &refused["error"], &json!("ann")));
        assert_eq!(row["agent"], "coder");
        assert_eq!(shown(&app, 1).await, ["bug", "status/ready"]);
        assert_eq!(app.db.count("SELECT count(*) FROM label_edits").await, 0);
    }

    async fn closed_issues_are_nobodys_to_be(db) {
        let app = with_issues(db, 1).await;
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        let refused = assign(&app, 1, "assign_owner", "owner/ann").await.expect(400);
        assert_eq!(refused["error"], "Cannot assign a closed issue");
    }

    async fn the_agents_that_were_seen_are_listed(db) {
        let app = with_issues(db, 1).await;
        for agent in ["zed", "Coder", "coder", "amy"] {
            app.beat(agent).await;
        }
        // Only named in a label: nobody has heard of it.
        assign(&app, 1, "assign_agent", "agent/ghost").await.expect(200);
        assert_eq!(app.get("/api/issues/actions/agents").await.expect(200), json!(["amy", "Coder", "loader", "zed"]));
        assign(&app, 1, "assign_agent", "agent/CODER").await.expect(200);
        assert_eq!(at_github(&app, 1), ["agent/Coder", "bug", "status/ready"]);
    }

    async fn the_agents_that_the_operator_names_are_listed_instead(db) {
        let agents = ["two", "one"].map(|name| name.parse().expect("a name")).to_vec();
        let engine = engine::Settings { agents, ..engine_settings() };
        let app = built(AppBuilder { engine, ..AppBuilder::default() }, db, 1, &[]).await;
        assert_eq!(app.get("/api/issues/actions/agents").await.expect(200), json!(["two", "one"]));
        let out: Value = assign(&app, 1, "assign_agent", "agent/three").await.expect(200);
        assert_eq!(out["labels"], json!(["agent/three"]), "the list is for choosing, and no limit");
    }
}
