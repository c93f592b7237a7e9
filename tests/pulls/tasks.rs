//! What agents are given where issues have pull requests, row by row (`contract/agents.md` 3.2, step 4).

use std::time::Duration;

use github_sim::{Conclusion, Fault, FaultKind, Match, NewIssue};
use serde_json::json;

use super::field::*;
use crate::{each_db, support::App};

const ONE_DEFERRED: &str =
    "No work available (1 ready issue deferred: linked PR follow-up is owned by the PR-fix queue)";

/// One ready issue with a pull request whose check failed; its number.
fn ailing(app: &App) -> u64 {
    let repo = repo(app);
    for number in [2, 3] {
        repo.close_issue(number);
    }
    let pull = repo.open_pull("Mends it", "issue-1");
    repo.check(pull, "test", Some(Conclusion::Failure));
    pull
}

each_db! {
    async fn a_healthy_one_leaves_the_issue_as_ordinary_work(db) {
        let app = with(db).await;
        repo(&app).open_pull("Mends it", "issue-1");
        read(&app).await;
        assert_eq!((task(&app, "coder").await.as_str(), items(&app).await), ("implement 1", 0));
    }

    async fn one_that_needs_another_look_is_given_out_and_its_issue_is_not(db) {
        let app = with(db).await;
        let pull = ailing(&app);
        read(&app).await;
        let given = next(&app, "coder", "").await;
        assert_eq!((&given["type"], &given["lane"]), (&json!("followup-pr"), &json!("NORMAL")));
        assert_eq!(given["pullRequest"], json!({ "repoFullName": API, "number": pull, "url": format!("https://github.com/{API}/pull/{pull}") }));
        assert_eq!((&given["issue"]["number"], &given["reasons"]), (&json!(1), &json!(["Check test failed"])));
        assert_eq!(given["prFixItem"]["generation"], 1);
        assert_eq!(task(&app, "other").await, ONE_DEFERRED);
        let id = issue(&app, 1).await["id"].clone();
        let why = app.get(&format!("/api/issues/{}/why?agent=other", id.as_str().expect("an id"))).await.expect(200);
        assert_eq!(why["reasons"][0]["code"], "pr_fix", "{why}");
        let keys = app.db.texts("SELECT key FROM pr_fix_evidence").await;
        assert!(keys.len() == 1 && keys[0].starts_with("linked-health:1:2"), "{keys:?}");
        let heads = app.db.texts("SELECT attempt_head_sha FROM pr_fix_items").await;
        assert_eq!(heads, [repo(&app).pulls()[0].pull.head_sha.as_str()]);
    }

    async fn a_row_in_any_status_keeps_the_issue_back(db) {
        let app = with(db).await;
        let repo = repo(&app);
        for number in [2, 3] {
            repo.close_issue(number);
        }
        let pull = repo.open_pull("Mends it", "issue-1");
        read(&app).await;
        assert_eq!(task(&app, "coder").await, "implement 1");
        // Evidence that names no issue; the pull request is healthy.
        let evidence = json!({ "repo": API, "pr": pull, "reason": "red", "feedback": "red", "evidenceKey": "k", "lane": "NEEDS_HUMAN" });
        app.post("/api/pr-fix-queue/enqueue", evidence).await.expect(200);
        let id = issue(&app, 1).await["id"].clone();
        for status in ["BLOCKED", "STALE", "IGNORED", "FIXED"] {
            app.db.sql(&format!("UPDATE pr_fix_items SET status = '{status}', is_open = ({})", if status == "BLOCKED" { "TRUE" } else { "FALSE" })).await;
            // A write of ours, which answers kept for polls follow.
            app.next_beat("loader").await;
            assert_eq!(task(&app, "coder").await, ONE_DEFERRED, "{status}");
            let why = app.get(&format!("/api/issues/{}/why?agent=coder", id.as_str().expect("an id"))).await.expect(200);
            assert_eq!(why["reasons"][0]["code"], if status == "BLOCKED" { "pr_fix" } else { "linked_pr" }, "{why}");
        }
        app.tick();
        repo.close_pull(pull);
        app.next_beat("loader").await;
        assert_eq!(task(&app, "coder").await, "implement 1");
    }

    async fn what_is_for_a_human_is_not_made_an_item(db) {
        let app = with(db).await;
        let pull = ailing(&app);
        repo(&app).add_label(pull, "Needs-Human");
        read(&app).await;
        assert_eq!((items(&app).await, task(&app, "coder").await.as_str()), (0, ONE_DEFERRED));
        let id = issue(&app, 1).await["id"].clone();
        let why = app.get(&format!("/api/issues/{}/why?agent=coder", id.as_str().expect("an id"))).await.expect(200);
        assert_eq!(why["reasons"][0]["code"], "linked_pr");
        assert_eq!(why["reasons"][0]["message"], format!("its pull request {API}#{pull} needs another look: Check test failed"));
        app.tick();
        repo(&app).remove_label(pull, "needs-human");
        read(&app).await;
        assert_eq!(task(&app, "coder").await, format!("followup-pr {pull} g1"));
    }

    async fn a_label_that_we_are_taking_away_hides_nothing(db) {
        let app = with(db).await;
        let pull = ailing(&app);
        let repo = repo(&app);
        read(&app).await;
        let mark = async |status: &str| {
            let mut body = json!({ "repo": API, "pr": pull, "status": status });
            if status == "FIXED" {
                body["alreadyAddressed"] = json!(true);
            }
            app.post("/api/pr-fix-queue/mark", body).await.expect(200);
        };
        for (round, label_is_ours) in (1..).zip([true, false]) {
            mark("BLOCKED").await;
            assert_eq!(repo.issue(pull).expect("it").labels, ["needs-human"]);
            app.tick();
            read(&app).await;
            assert_eq!(item(&app, pull).await, format!("BLOCKED NEEDS_HUMAN g{round}"));
            let late = app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::kind("labels.remove")));
            mark("FIXED").await;
            assert_eq!(repo.issue(pull).expect("it").labels, ["needs-human"], "not yet");
            if !label_is_ours {
                app.sim.clear_fault(late);
                app.advance(Duration::from_mins(5));
                app.next_beat("loader").await;
                assert_eq!(repo.issue(pull).expect("it").labels, [""; 0]);
                app.tick();
                repo.add_label(pull, "needs-human");
            }
            repo.check(pull, &format!("check-{round}"), Some(Conclusion::Failure));
            repo.touch(pull);
            app.tick();
            read(&app).await;
            let want = if label_is_ours { "QUEUED NORMAL g2" } else { "FIXED NEEDS_HUMAN g2" };
            assert_eq!(item(&app, pull).await, want);
            app.sim.clear_fault(late);
        }
    }

    async fn the_lane_of_the_issue_is_the_lane_of_the_item(db) {
        let app = with(db).await;
        let repo = repo(&app);
        for (number, lane) in [(1, "frontier"), (2, "cloud"), (3, "local")] {
            let id = issue(&app, number).await["id"].clone();
            let judged = json!({ "classification": { "lane": lane, "confidence": "high", "reason": "so" } });
            app.post(&format!("/api/issues/{}/lane", id.as_str().expect("an id")), judged).await.expect(200);
            let pull = repo.open_pull("Mends it", &format!("issue-{number}"));
            repo.check(pull, "test", Some(Conclusion::Failure));
        }
        read(&app).await;
        let states = (item(&app, 4).await, item(&app, 5).await, item(&app, 6).await);
        assert_eq!((states.0.as_str(), states.1.as_str(), states.2.as_str()), ("QUEUED ESCALATED g1", "QUEUED NORMAL g1", "QUEUED NORMAL g1"));
        assert_eq!(next(&app, "coder", "?lane=frontier").await["pullRequest"]["number"], 4);
    }

    async fn a_pull_request_about_two_issues_is_one_item_and_keeps_both_back(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let pull = repo.open_pull(NewIssue::new("Mends it").body("Fixes #1, closes #2"), "work");
        repo.set_merge_state(pull, "dirty");
        read(&app).await;
        assert_eq!((items(&app).await, item(&app, pull).await.as_str()), (1, "QUEUED NORMAL g1"));
        assert_eq!(task(&app, "coder").await, format!("followup-pr {pull} g1"));
        assert_eq!(task(&app, "other").await, "implement 3");
    }

    async fn a_poll_asks_the_database_as_often_whatever_is_held_back(db) {
        let app = with(db).await;
        let polled = async |agent: &str| {
            let before = app.engine.db().statements();
            let task = task(&app, agent).await;
            (task, app.engine.db().statements() - before)
        };
        assert_eq!(polled("warm").await.0, "implement 1");
        let free = polled("one").await;
        let repo = repo(&app);
        for number in 1..=2 {
            let pull = repo.open_pull("Mends it", &format!("issue-{number}"));
            repo.add_label(pull, "needs-human");
            repo.set_merge_state(pull, "dirty");
        }
        read(&app).await;
        assert_eq!(polled("two").await, ("implement 3".to_owned(), free.1));
    }
}
