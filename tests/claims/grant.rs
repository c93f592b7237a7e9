//! Claiming, claiming again, giving up, and what is refused.

use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use super::field::*;
use crate::{
    each_db,
    support::{BOUND, UNBOUND},
};

each_db! {
    async fn a_claim_makes_the_issue_the_agents_here_and_at_github(db) {
        let app = with_issues(db, 2).await;
        let granted = claim(&app, 1, "Coder").await.expect(200);
        assert_eq!((granted["success"].as_bool(), granted["labels"].clone()), (Some(true), json!(["bug", "agent/Coder", "status/in-progress"])));
        assert!(granted["claimId"].is_string() && granted["fence"].as_i64() > Some(0), "{granted}");
        assert_eq!(granted["expiresAt"], "2026-01-01T00:30:00.000Z");
        assert_labels(&app, 1, &["agent/Coder", "bug", "status/in-progress"]).await;
        assert_labels(&app, 2, &["bug", "status/ready"]).await;
        let rows = app.get(&format!("/api/audit?repo={API}")).await.expect(200);
        let row = &rows[0];
        assert_eq!((row["action"].as_str(), row["actor"].as_str()), (Some("claim_issue"), Some("Coder")));
        assert_eq!(row["afterLabels"], json!(["bug", "agent/Coder", "status/in-progress"]));
    }

    async fn the_holder_may_claim_again_and_keeps_claim_and_fence(db) {
        let app = with_issues(db, 1).await;
        let first = claim(&app, 1, "coder").await.expect(200);
        app.tick();
        let again = claim(&app, 1, "CODER").await.expect(200);
        assert_eq!((&first["claimId"], &first["fence"]), (&again["claimId"], &again["fence"]));
        assert_eq!(again["expiresAt"], "2026-01-01T00:30:10.000Z");
        assert_labels(&app, 1, &["agent/coder", "bug", "status/in-progress"]).await;
    }

    async fn others_are_refused_unless_a_maintainer_forces(db) {
        let app = with_issues(db, 1).await;
        let first = claim(&app, 1, "one").await.expect(200);
        let refused = claim(&app, 1, "two").await.expect(409);
        assert_eq!(refused["error"], "Issue is actively leased to one. Use force=true to override.");
        let forced = app.post("/api/issues/claim", and(named(&app, 1, "two").await, json!({ "force": true }))).await.expect(200);
        assert!(forced["fence"].as_i64() > first["fence"].as_i64());
        assert_labels(&app, 1, &["agent/two", "bug", "status/in-progress"]).await;
        let lost = and(named(&app, 1, "one").await, json!({ "claimId": first["claimId"], "fence": first["fence"] }));
        let late = app.post("/api/issues/unclaim", lost).await.expect(409);
        assert_eq!((late["code"].as_str(), late["holder"].as_str()), (Some("claim_lost"), Some("two")), "{late}");
        assert!(late["lostAt"].is_string());
        assert_sound(&app).await;
    }

    async fn an_assignment_by_label_blocks_others_and_welcomes_its_agent(db) {
        let app = with_issues(db, 2).await;
        app.sim.repo(API).add_label(1, "agent/other");
        app.sim.repo(API).add_label(2, "agent/Mine");
        app.next_beat("loader").await;
        let refused = claim(&app, 1, "mine").await.expect(409);
        assert_eq!(refused["error"], "Issue is already assigned to other. Use force=true to override.");
        claim(&app, 2, "mine").await.expect(200);
        assert_labels(&app, 2, &["agent/Mine", "bug", "status/in-progress"]).await;
    }

    async fn giving_up_makes_it_ready_and_free(db) {
        let app = with_issues(db, 2).await;
        claim(&app, 1, "coder").await.expect(200);
        let given_up = unclaim(&app, 1, "coder").await.expect(200);
        assert_eq!((&given_up["success"], &given_up["status"], &given_up["statusNote"]), (&json!(true), &json!("status/ready"), &json!(null)));
        assert_eq!(given_up["labels"].as_array().map(Vec::len), Some(2));
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
        claim(&app, 1, "other").await.expect(200);
        let not_his = unclaim(&app, 1, "coder").await.expect(400);
        assert_eq!(not_his["error"], "Issue is not assigned to coder");
        let never = unclaim(&app, 2, "coder").await.expect(400);
        assert_eq!((never["error"].as_str(), never["field"].as_str()), (Some("Issue is not assigned to coder"), Some("agentName")));
    }

    async fn giving_up_goes_by_what_github_has_now(db) {
        let app = with_issues(db, 2).await;
        for number in [1, 2] {
            claim(&app, number, "coder").await.expect(200);
        }
        app.next_beat("coder").await;
        app.tick();
        app.sim.repo(API).remove_label(1, "status/in-progress");
        app.sim.repo(API).add_label(1, "status/in-review");
        let given_up = unclaim(&app, 1, "coder").await.expect(200);
        assert_eq!(given_up["status"], "status/in-review");
        assert_labels(&app, 1, &["bug", "status/in-review"]).await;
        app.tick();
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::method("GET")));
        assert_eq!(unclaim(&app, 2, "coder").await.expect(200)["status"], "status/ready", "without GitHub's word too");
    }

    async fn the_label_of_another_goes_and_the_holder_stays_in_progress(db) {
        let app = with_issues(db, 1).await;
        claim(&app, 1, "coder").await.expect(200);
        let repo = app.sim.repo(API);
        repo.remove_label(1, "agent/coder");
        repo.add_label(1, "agent/before");
        repo.add_label(1, "agent/coder");
        app.next_beat("coder").await;
        unclaim(&app, 1, "before").await.expect(200);
        assert_labels(&app, 1, &["agent/coder", "bug", "status/in-progress"]).await;
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL").await, 1);
    }

    async fn what_rests_stays_where_it_rests(db) {
        let app = with_issues(db, 3).await;
        for number in 1..=3 {
            claim(&app, number, "coder").await.expect(200);
        }
        status(&app, 1, "in-review").await.expect(200);
        status(&app, 2, "blocked").await.expect(200);
        let review = unclaim(&app, 1, "coder").await.expect(200);
        assert_eq!((&review["status"], review["statusNote"].is_string()), (&json!("status/in-review"), true));
        let blocked = unclaim(&app, 2, "coder").await.expect(200);
        assert_eq!(blocked["status"], "status/blocked");
        assert_labels(&app, 2, &["bug", "status/blocked"]).await;
    }

    async fn statuses_follow_one_another_in_any_order(db) {
        let app = with_issues(db, 1).await;
        let granted = claim(&app, 1, "coder").await.expect(200);
        for word in ["in-review", "ready", "backlog", "in-progress"] {
            let label = format!("status/{word}");
            let set = status(&app, 1, word).await.expect(200);
            assert_eq!((&set["success"], &set["status"]), (&json!(true), &json!(label)));
            assert_labels(&app, 1, &["agent/coder", "bug", &label]).await;
            assert_eq!(status(&app, 1, word).await.expect(200)["status"], label, "again");
        }
        let again = claim(&app, 1, "coder").await.expect(200);
        assert_eq!(again["claimId"], granted["claimId"], "no status ends a claim");
    }

    async fn what_is_refused_says_why_and_changes_nothing(db) {
        let app = with_issues(db, 4).await;
        app.sim.repo(API).close_issue(2);
        app.sim.repo(API).add_label(3, "status/done");
        app.next_beat("loader").await;
        let good = named(&app, 1, "coder").await;
        let missing = "Missing required fields: issueId, repoFullName, issueNumber, agentName";
        let cases = [
            (json!({}), 400, missing),
            (and(good.clone(), json!({ "issueId": null })), 400, missing),
            (and(good.clone(), json!({ "issueNumber": "1" })), 400, "issueNumber must be a positive integer"),
            (and(good.clone(), json!({ "agentName": 7 })), 400, "agentName must be a string"),
            (and(good.clone(), json!({ "agentName": "a/b" })), 400, "agentName: an agent name is 1 to 44"),
            (and(good.clone(), json!({ "force": "yes" })), 400, "force must be true or false"),
            (and(good.clone(), json!({ "lease": 1 })), 400, "lease must be true or false"),
            (and(good.clone(), json!({ "issueId": "none" })), 404, "Issue not found in local cache"),
            (and(good.clone(), json!({ "issueNumber": 4 })), 400, "issueId does not match repoFullName/issueNumber; expected acme/api#1"),
            (and(good.clone(), json!({ "repoFullName": "acme/web" })), 400, "issueId does not match"),
            (named(&app, 2, "coder").await, 400, "Cannot claim a closed issue"),
            (named(&app, 3, "coder").await, 400, "Cannot claim a done issue"),
        ];
        for (body, code, words) in cases {
            let refused = app.post("/api/issues/claim", body.clone()).await;
            assert!(refused.expect(code)["error"].as_str().unwrap().starts_with(words), "{body}: {}", refused.text);
        }
        assert_eq!(app.db.count("SELECT count(*) FROM claims").await, 0);
        assert_eq!(app.db.count("SELECT count(*) FROM label_edits WHERE label_key LIKE 'agent/%'").await, 0);
        for (path, verb) in [("/api/issues/unclaim", "unclaim")] {
            for (number, what) in [(2, "closed"), (3, "done")] {
                let refused = app.post(path, named(&app, number, "coder").await).await.expect(400);
                assert_eq!(refused["error"], format!("Cannot {verb} a {what} issue"));
            }
        }
    }

    async fn statuses_are_checked(db) {
        let app = with_issues(db, 1).await;
        let good = named(&app, 1, "coder").await;
        let missing = "Missing required fields: issueId, repoFullName, issueNumber, status";
        let cases = [
            (good.clone(), missing),
            (and(good.clone(), json!({ "status": "status/ready" })), "Invalid status label: status/ready. Allowed: status/backlog, "),
            (and(good.clone(), json!({ "status": "blocked" })), "status: blocked needs a non-empty blockedReason"),
            (and(good.clone(), json!({ "status": "blocked", "blockedReason": " " })), "status: blocked needs"),
            (and(good.clone(), json!({ "status": "ready", "claimId": "x", "fence": 0 })), "fence must be a positive integer"),
        ];
        for (body, words) in cases {
            let refused = app.post("/api/issues/status", body.clone()).await.expect(400);
            assert!(refused["error"].as_str().unwrap().starts_with(words), "{body}: {refused}");
        }
        for shown in [json!({ "claimId": "none", "fence": 3 }), json!({ "claimId": "none" }), json!({ "fence": 3 })] {
            let late = and(and(good.clone(), json!({ "status": "ready" })), shown);
            assert_eq!(app.post("/api/issues/status", late).await.expect(409)["code"], "claim_lost");
        }
        let granted = claim(&app, 1, "coder").await.expect(200);
        let right = and(good, json!({ "status": "ready", "fence": granted["fence"] }));
        app.post("/api/issues/status", right).await.expect(200);
    }

    async fn workers_act_for_their_agent_only(db) {
        let app = with_issues(db, 2).await;
        let own = named(&app, 1, "bound").await;
        for path in ["/api/issues/claim", "/api/issues/unclaim"] {
            let other = post_as(&app, BOUND, path, named(&app, 1, "other").await).await.expect(403);
            assert_eq!(other["error"], "Worker token is bound to agent \"bound\" and may not act for \"other\"");
            assert!(post_as(&app, UNBOUND, path, own.clone()).await.expect(403)["error"].as_str().unwrap().contains("not bound"));
        }
        let forced = post_as(&app, BOUND, "/api/issues/claim", and(own.clone(), json!({ "force": true }))).await.expect(403);
        assert_eq!(forced["error"], "Force claim requires a maintainer token");
        let ready = and(own.clone(), json!({ "status": "in-review" }));
        let not_his = post_as(&app, BOUND, "/api/issues/status", ready.clone()).await.expect(403);
        assert!(not_his["error"].as_str().unwrap().contains("claim it first"), "{not_his}");
        post_as(&app, BOUND, "/api/issues/claim", own.clone()).await.expect(200);
        post_as(&app, BOUND, "/api/issues/status", ready.clone()).await.expect(200);
        let stolen = and(named(&app, 1, "thief").await, json!({ "force": true }));
        app.post("/api/issues/claim", stolen).await.expect(200);
        let late = post_as(&app, BOUND, "/api/issues/status", ready).await.expect(409);
        assert_eq!((late["code"].as_str(), late["holder"].as_str()), (Some("claim_lost"), Some("thief")));
        assert_eq!(post_as(&app, BOUND, "/api/issues/unclaim", own).await.expect(409)["code"], "claim_lost");
    }

    async fn claimed_lists_what_an_agent_has(db) {
        let app = with_issues(db, 3).await;
        claim(&app, 1, "coder").await.expect(200);
        claim(&app, 3, "coder").await.expect(200);
        let list = app.get("/api/issues/claimed?agentName=CODER").await.expect(200);
        let numbers: Vec<_> = list.as_array().unwrap().iter().map(|row| row["number"].as_i64()).collect();
        assert_eq!(numbers.len(), 2);
        assert_eq!((&list[0]["repoFullName"], &list[0]["hasOpenPr"]), (&json!(API), &json!(false)));
        let first = app.get("/api/issues/claimed?agentName=coder&limit=1").await;
        let next = first.header("x-next-cursor").expect("a second page").to_owned();
        let second = app.get(&format!("/api/issues/claimed?agentName=coder&limit=1&cursor={next}")).await;
        assert_eq!(second.header("x-next-cursor"), None);
        assert_eq!([&first.expect(200)[0]["number"], &second.expect(200)[0]["number"]], [&list[0]["number"], &list[1]["number"]]);
        assert_eq!(app.get("/api/issues/claimed?agentName=coder&cursor=x").await.expect(400)["field"], "cursor");
        assert_eq!(app.get("/api/issues/claimed?agentName=coder&status=ready").await.expect(200), json!([]));
        let refused = app.get("/api/issues/claimed").await.expect(400);
        assert_eq!(refused["error"], "Missing required query parameter: agentName");
        let refused = app.get("/api/issues/claimed?agentName=coder&status=done").await.expect(400);
        assert_eq!(refused["error"], "Invalid status: done. Allowed: in-progress, ready");
    }

    async fn without_githubs_word_nothing_changes(db) {
        let app = with_issues(db, 1).await;
        app.advance(std::time::Duration::from_secs(16));
        let fault = app.sim.fault(Fault::new(FaultKind::Status(500)));
        let refused = claim(&app, 1, "coder").await.expect(503);
        assert!(refused["error"].as_str().unwrap().starts_with("Could not verify live GitHub labels: "), "{refused}");
        assert_eq!(app.db.count("SELECT count(*) FROM claims").await, 0);
        let rows = app.get(&format!("/api/audit?repo={API}")).await.expect(200);
        assert_eq!((&rows[0]["action"], &rows[0]["success"]), (&json!("claim_issue"), &json!(false)));
        app.sim.clear_fault(fault);
        claim(&app, 1, "coder").await.expect(200);
    }
}
