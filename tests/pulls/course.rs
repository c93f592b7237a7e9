//! A pull request from its first failure to its merge: its item and the tasks of agents follow, generation by generation.

use github_sim::{Conclusion, ReviewState};
use serde_json::json;

use super::field::*;
use crate::each_db;

each_db! {
    async fn failing_fixed_reopened_and_merged(db) {
        let app = with(db).await;
        let repo = repo(&app);
        for number in [2, 3] {
            repo.close_issue(number);
        }
        let pull = repo.open_pull("Mends it", "issue-1");
        read(&app).await;
        assert_eq!((item(&app, pull).await.as_str(), task(&app, "coder").await.as_str()), ("none", "implement 1"));

        // A check fails: the first attempt.
        app.tick();
        repo.check(pull, "test", Some(Conclusion::Failure));
        repo.touch(pull);
        read(&app).await;
        assert_eq!(task(&app, "coder").await, format!("followup-pr {pull} g1"));
        // More of it while the agent is at work opens nothing.
        app.tick();
        repo.check(pull, "lint", Some(Conclusion::Failure));
        repo.touch(pull);
        read(&app).await;
        assert_eq!(item(&app, pull).await, "QUEUED NORMAL g1");
        app.tick();
        repo.push(pull);
        repo.check(pull, "test", Some(Conclusion::Success));
        assert_eq!(report(&app, "coder", "pr_updated").await["action"], "fixed");
        read(&app).await;
        assert_eq!((item(&app, pull).await.as_str(), reasons(&app, 1).await.len()), ("FIXED NORMAL g1", 0));
        assert!(task(&app, "coder").await.starts_with("No work available (1 ready issue deferred"), "it is in review");

        // Somebody asks for changes: the second.
        app.tick();
        repo.review(pull, "mona", ReviewState::ChangesRequested, "No");
        read(&app).await;
        assert_eq!(task(&app, "other").await, format!("followup-pr {pull} g2"));
        assert_eq!(next(&app, "other", "").await["reasons"][0], "Changes requested by mona");
        app.tick();
        repo.push(pull);
        assert_eq!(report(&app, "other", "pr_updated").await["action"], "fixed");
        // The review still stands, as nobody looked again: that is nothing new.
        read(&app).await;
        assert_eq!((item(&app, pull).await.as_str(), reasons(&app, 1).await.len()), ("FIXED NORMAL g2", 1));

        // Its base moved: the third.
        app.tick();
        repo.set_merge_state(pull, "dirty");
        repo.touch(pull);
        read(&app).await;
        assert_eq!(task(&app, "coder").await, format!("followup-pr {pull} g3"));
        app.tick();
        repo.push(pull);
        repo.set_merge_state(pull, "clean");
        repo.review(pull, "mona", ReviewState::Approved, "");
        assert_eq!(report(&app, "coder", "pr_updated").await["action"], "fixed");
        read(&app).await;
        assert_eq!(reasons(&app, 1).await, [""; 0]);

        // Merged: it is nobody's work any more, and the issue is as any other.
        app.tick();
        repo.merge_pull(pull);
        app.next_beat("loader").await;
        assert_eq!((item(&app, pull).await.as_str(), linked(&app, 1).await), ("STALE NORMAL g3", json!(null)));
        assert_eq!(task(&app, "coder").await, "implement 1");
    }

    async fn a_conflict_of_a_commit_that_nobody_saw_healthy_is_work_again(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let pull = repo.open_pull("Mends it", "issue-1");
        repo.set_merge_state(pull, "dirty");
        read(&app).await;
        assert_eq!(task(&app, "coder").await, format!("followup-pr {pull} g1"));
        app.tick();
        repo.push(pull);
        repo.set_merge_state(pull, "clean");
        assert_eq!(report(&app, "coder", "pr_updated").await["action"], "fixed");
        // Its base moves before anybody looks.
        app.tick();
        repo.set_merge_state(pull, "dirty");
        repo.touch(pull);
        read(&app).await;
        assert_eq!((item(&app, pull).await.as_str(), reasons(&app, 1).await), ("QUEUED NORMAL g2", vec!["Merge conflict with main".to_owned()]));
    }

    async fn what_somebody_decided_of_an_item_stands(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let pull = repo.open_pull("Mends it", "issue-1");
        repo.check(pull, "test", Some(Conclusion::Failure));
        read(&app).await;
        for status in ["IGNORED", "BLOCKED"] {
            app.post("/api/pr-fix-queue/mark", json!({ "repo": API, "pr": pull, "status": status })).await.expect(200);
            app.tick();
            repo.check(pull, "test", Some(Conclusion::Failure));
            repo.touch(pull);
            read(&app).await;
            assert!(item(&app, pull).await.starts_with(status), "{}", item(&app, pull).await);
        }
    }
}
