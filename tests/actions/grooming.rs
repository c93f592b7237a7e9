//! Grooming by hand, and splitting.

use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{App, answers::strings},
};

async fn lanes_of(app: &App, number: i64) -> Vec<String> {
    app.db
        .texts(&format!(
            "SELECT h.lane FROM lane_history h JOIN issues i ON i.id = h.issue_id WHERE i.number = {number} ORDER BY h.id"
        ))
        .await
}

async fn decompose(app: &App, number: i64, more: Value) -> crate::support::Answer {
    let body = json!({ "repo": "ACME/api", "issueNumber": number, "actor": "ann" });
    app.post("/api/issues/actions/decompose", and(body, more)).await
}

fn left(row: &Value) -> Value {
    let fields = [
        "groomedBy",
        "groomingSummary",
        "notReadyReason",
        "blockedReason",
        "needsInfoReason",
        "nextGroomingAction",
        "currentLane",
    ];
    fields
        .iter()
        .map(|field| ((*field).to_owned(), row[*field].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

each_db! {
    async fn a_promoted_issue_is_ready_and_served(db) {
        let app = with_issues(db, 1).await;
        act(&app, "move", 1, drag("ready", "backlog")).await.expect(200);
        let lane = format!("/api/issues/{}/lane", state(&app, 1).await["issueId"].as_str().unwrap());
        let rest = json!({ "classification": { "lane": "backlog", "confidence": "high", "reason": "later" } });
        app.post(&lane, rest).await.expect(200);
        groom(&app, 1, "mark_blocked", json!({ "blockedReason": " waits for #2 " })).await.expect(200);
        let out = groom(&app, 1, "promote_to_ready", json!({ "groomingSummary": "Clear now" })).await.expect(200);
        assert_eq!((&out["success"], &out["action"]), (&json!(true), &json!("promote_to_ready")));
        assert_eq!(sorted(strings(&out["labels"])), ["bug", "status/ready"]);
        let row = row(&app, 1).await;
        assert_eq!((&out["groomedAt"], &out["version"]), (&row["groomedAt"], &row["version"]));
        assert_eq!(left(&row), json!({ "groomedBy": "ann", "groomingSummary": "Clear now", "notReadyReason": null, "blockedReason": null,
            "needsInfoReason": null, "nextGroomingAction": null, "currentLane": "local" }));
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
        assert_eq!(lanes_of(&app, 1).await, ["backlog", "local"]);
        let audit = audited(&app, "issue_groomed_promote").await;
        assert_eq!((&audit["actor"], &audit["notes"]), (&json!("ann"), &json!("lane backlog -> local; Clear now")));
        assert_eq!(app.get("/api/agents/coder/next-task").await.expect(200)["issue"]["number"], 1);
        groom(&app, 1, "promote_to_ready", json!({})).await.expect(200);
        assert_eq!(lanes_of(&app, 1).await.len(), 2, "it is in its lane");
    }

    async fn an_escalated_issue_is_served_elsewhere(db) {
        let app = with_issues(db, 1).await;
        let out = groom(&app, 1, "escalate", json!({ "notReadyReason": "not kept" })).await.expect(200);
        assert!(out.get("labels").is_none(), "{out}");
        let row = row(&app, 1).await;
        assert_eq!((&row["currentLane"], &row["notReadyReason"]), (&json!("frontier"), &json!(null)));
        assert!(row["nextGroomingAction"].as_str().unwrap().contains("escalation"), "{row}");
        assert_eq!((lanes_of(&app, 1).await, at_github(&app, 1)), (vec!["frontier".to_owned()], vec!["bug".to_owned(), "status/ready".to_owned()]));
        assert_eq!(audited(&app, "issue_groomed_escalate").await["notes"], "lane none -> frontier");
        assert_eq!(app.get("/api/agents/coder/next-task?lane=local").await.expect(200)["shouldRun"], false);
        assert_eq!(app.get("/api/agents/coder/next-task?lane=frontier").await.expect(200)["issue"]["number"], 1);
        groom(&app, 1, "escalate", json!({})).await.expect(200);
        assert_eq!(lanes_of(&app, 1).await.len(), 1);
    }

    async fn reasons_are_kept_one_at_a_time_and_labels_stay(db) {
        let app = with_issues(db, 1).await;
        app.sim.reset_counters();
        let all = json!({ "notReadyReason": " vague ", "needsInfoReason": "which?", "blockedReason": "#2" });
        for (action, field, says, audit) in [
            ("mark_not_ready", "notReadyReason", "vague", "issue_groomed_not_ready"),
            ("mark_needs_info", "needsInfoReason", "which?", "issue_groomed_needs_info"),
            ("mark_blocked", "blockedReason", "#2", "issue_groomed_blocked"),
        ] {
            let out = groom(&app, 1, action, all.clone()).await.expect(200);
            assert!(out.get("labels").is_none(), "{out}");
            let row = row(&app, 1).await;
            let kept = ["notReadyReason", "needsInfoReason", "blockedReason"].map(|name| row[name].clone());
            assert_eq!(kept.iter().filter(|reason| !reason.is_null()).count(), 1, "{action}");
            assert_eq!((&row[field], row["nextGroomingAction"].is_string()), (&json!(says), true), "{action}");
            assert_eq!(audited(&app, audit).await["notes"], says);
            let mut without = all.clone();
            without[field] = json!("  ");
            let refused = groom(&app, 1, action, without).await.expect(400);
            assert_eq!((&refused["field"], &refused["error"]), (&json!(field), &json!(format!("{field} is required for {action}"))));
        }
        assert_eq!((app.sim.counters().requests, lanes_of(&app, 1).await.len()), (0, 0), "GitHub is not asked");
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
    }

    async fn who_grooms_must_say_so_with_one_name(db) {
        let app = with_issues(db, 1).await;
        let body = json!({ "repoFullName": API, "issueNumber": 1, "action": "escalate" });
        let nobody = app.post("/api/issues/groom", body.clone()).await.expect(400);
        assert_eq!((&nobody["error"], &nobody["field"]), (&json!("Missing required field: actor"), &json!("actor")));
        let two = and(body.clone(), json!({ "actor": "ann", "agentName": "coder" }));
        assert_eq!(app.post("/api/issues/groom", two).await.expect(400)["field"], "actor");
        app.post("/api/issues/groom", and(body.clone(), json!({ "actor": "Coder", "agentName": "coder" }))).await.expect(200);
        let request = app.request("POST", "/api/issues/groom", crate::support::MAINTAINER).header("x-agent-name", "header");
        let signed = and(body, json!({ "agentName": "coder" }));
        crate::support::app::send(request.body(signed.to_string())).await.expect(200);
        assert_eq!(row(&app, 1).await["groomedBy"], "header", "a header says more than a body here");
    }

    async fn closed_issues_are_not_promoted(db) {
        let app = with_issues(db, 1).await;
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        assert_eq!(groom(&app, 1, "promote_to_ready", json!({})).await.expect(400)["error"], "Cannot promote a closed issue");
        groom(&app, 1, "mark_not_ready", json!({ "notReadyReason": "closed" })).await.expect(200);
    }

    async fn a_split_issue_says_into_what(db) {
        let app = with_issues(db, 1).await;
        app.sim.reset_counters();
        let urls = json!(["https://github.com/acme/api/issues/2", "https://github.com/acme/api/issues/3"]);
        let more = json!({ "decomposed": true, "followUpUrls": urls, "note": "two parts" });
        let out = decompose(&app, 1, more).await.expect(200);
        let split = row(&app, 1).await;
        assert_eq!((&out["success"], &out["decomposed"], &out["followUpUrls"]), (&json!(true), &json!(true), &urls));
        assert_eq!((&out["issueId"], &out["decomposedAt"], &out["version"]), (&split["id"], &split["decomposedAt"], &split["version"]));
        assert_eq!((&split["decomposed"], &split["decomposedBy"], &split["decomposedNote"]), (&json!(true), &json!("ann"), &json!("two parts")));
        assert_eq!(audited(&app, "issue_decomposed").await["actor"], "ann");
        let left_out = app.get("/api/agents/coder/queue?exclude_decomposed=true").await.expect(200);
        assert_eq!(left_out, json!([]));
        assert_eq!(app.get("/api/agents/coder/queue").await.expect(200).as_array().unwrap().len(), 1);
        let whole = decompose(&app, 1, json!({ "decomposed": false })).await.expect(200);
        assert_eq!((&whole["decomposedAt"], &whole["followUpUrls"]), (&json!(null), &json!([])));
        let row = row(&app, 1).await;
        assert_eq!((&row["decomposed"], &row["decomposedBy"], &row["decomposedNote"]), (&json!(false), &json!(null), &json!(null)));
        assert_eq!(count_audited(&app, "issue_reactivated").await, 1);
        assert_eq!(app.sim.counters().requests, 0, "GitHub is not told");
    }

    async fn what_was_said_outlives_reads(db) {
        let app = with_issues(db, 1).await;
        groom(&app, 1, "mark_needs_info", json!({ "needsInfoReason": "which?" })).await.expect(200);
        decompose(&app, 1, json!({ "decomposed": true })).await.expect(200);
        app.sim.repo(API).set_title(1, "Another");
        app.next_beat("coder").await;
        let row = row(&app, 1).await;
        assert_eq!((&row["title"], &row["needsInfoReason"], &row["decomposed"]), (&json!("Another"), &json!("which?"), &json!(true)));
    }
}
