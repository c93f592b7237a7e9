//! How a pull request fares, by each cause.

use std::time::Duration;

use github_sim::{Conclusion, Repo, ReviewState};
use serde_json::{Value, json};

use super::field::*;
use crate::each_db;

type Act = fn(&Repo, u64);

each_db! {
    async fn each_cause_is_a_reason_in_words(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let pull = repo.open_pull("Mends it", "issue-1");
        let steps: [(&str, Act, &[&str]); 9] = [
            ("nothing", |_, _| {}, &[]),
            ("a check runs", |repo, pull| _ = repo.check(pull, "test", None), &[]),
            ("it fails", |repo, pull| _ = repo.check(pull, "test", Some(Conclusion::Failure)), &["Check test failed"]),
            ("it is run again", |repo, pull| _ = repo.check(pull, "test", Some(Conclusion::Success)), &[]),
            ("somebody is against it", |repo, pull| _ = repo.review(pull, "mona", ReviewState::ChangesRequested, "No"), &["Changes requested by mona"]),
            ("a conflict besides", |repo, pull| repo.set_merge_state(pull, "dirty"), &["Changes requested by mona", "Merge conflict with main"]),
            ("GitHub works it out anew", |repo, pull| repo.set_merge_state(pull, "unknown"), &["Changes requested by mona", "Merge conflict with main"]),
            ("it is mended", |repo, pull| repo.set_merge_state(pull, "clean"), &["Changes requested by mona"]),
            ("and approved", |repo, pull| _ = repo.review(pull, "mona", ReviewState::Approved, ""), &[]),
        ];
        for (what, act, expected) in steps {
            // What no list tells of is found within the hour.
            app.advance(Duration::from_hours(1));
            act(&repo, pull);
            read(&app).await;
            assert_eq!(reasons(&app, 1).await, expected, "{what}");
        }
        let issue = issue(&app, 1).await;
        assert_eq!((&issue["linkedPrReviewDecision"], &issue["linkedPrMergeState"]), (&json!("APPROVED"), &json!("clean")));
        let queue = app.get("/api/agents/coder/queue").await.expect(200);
        let first = queue.as_array().expect("a list").iter().find(|it| it["type"] == "issue" && it["number"] == 1);
        assert_eq!(first.expect("the issue")["linkedPrHealth"], json!({
            "number": pull, "url": issue["linkedPrUrl"], "needsFollowup": false, "followupReasons": [],
            "reviewDecision": "APPROVED", "mergeState": "clean", "checkedAt": issue["linkedPrHealthCheckedAt"],
        }));
    }

    async fn a_push_makes_the_checks_of_the_old_head_void(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let pull = repo.open_pull("Mends it", "issue-1");
        repo.check(pull, "test", Some(Conclusion::TimedOut));
        read(&app).await;
        assert_eq!(reasons(&app, 1).await, ["Check test timed out"]);
        app.tick();
        repo.push(pull);
        read(&app).await;
        assert_eq!(reasons(&app, 1).await, [""; 0]);
    }

    async fn a_job_of_another_workflow_does_not_hide_one_that_failed(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let pull = repo.open_pull("Mends it", "issue-1");
        repo.check_of(pull, "CI", "build", Some(Conclusion::Failure));
        repo.check_of(pull, "Release", "build", Some(Conclusion::Success));
        read(&app).await;
        assert_eq!(reasons(&app, 1).await, ["Check build failed"]);
        repo.check_of(pull, "CI", "build", Some(Conclusion::Success));
        app.advance(Duration::from_hours(1));
        read(&app).await;
        assert_eq!(reasons(&app, 1).await, [""; 0]);
    }

    async fn a_review_taken_back_says_nothing(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let pull = repo.open_pull("Mends it", "issue-1");
        let review = repo.review(pull, "mona", ReviewState::ChangesRequested, "No");
        read(&app).await;
        assert_eq!(reasons(&app, 1).await, ["Changes requested by mona"]);
        app.tick();
        repo.dismiss(review);
        read(&app).await;
        assert_eq!(issue(&app, 1).await["linkedPrReviewDecision"], Value::Null);
        assert_eq!(reasons(&app, 1).await, [""; 0]);
    }

    async fn more_reviews_and_checks_than_a_page_all_count(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let pull = repo.open_pull("Mends it", "issue-1");
        for n in 0..150 {
            repo.review(pull, &format!("reviewer-{n}"), ReviewState::Approved, "");
            repo.check(pull, &format!("check-{n}"), Some(Conclusion::Success));
        }
        repo.review(pull, "reviewer-3", ReviewState::ChangesRequested, "No");
        repo.check(pull, "check-3", Some(Conclusion::Cancelled));
        read(&app).await;
        assert_eq!(reasons(&app, 1).await, ["Changes requested by reviewer-3", "Check check-3 was cancelled"]);
    }

    async fn a_token_that_may_not_see_checks_sees_the_rest(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let pull = repo.open_pull("Mends it", "issue-1");
        repo.set_merge_state(pull, "behind");
        let refused = github_sim::Fault::new(github_sim::FaultKind::Status(404));
        app.sim.fault(refused.on(github_sim::Match::kind("check_runs.list")));
        read(&app).await;
        assert_eq!(reasons(&app, 1).await, ["Behind main"]);
    }
}
