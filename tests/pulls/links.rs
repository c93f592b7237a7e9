//! Which pull request an issue shows.

use github_sim::{Conclusion, NewIssue};
use serde_json::{Value, json};

use super::field::*;
use crate::each_db;

each_db! {
    async fn branches_and_closing_keywords_link(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let by_branch = repo.open_pull("Mends it", "fix/issue-1-slow");
        let by_text = repo.open_pull(NewIssue::new("Mends it").body("Fixes #2, see #3"), "work");
        read(&app).await;
        assert_eq!((linked(&app, 1).await, linked(&app, 2).await, linked(&app, 3).await), (json!(by_branch), json!(by_text), Value::Null));
        let issue = issue(&app, 1).await;
        assert_eq!(issue["linkedPrUrl"], format!("https://github.com/{API}/pull/{by_branch}"));
        assert_eq!((&issue["linkedPrMergeState"], &issue["linkedPrReviewDecision"]), (&json!("clean"), &Value::Null));
        assert!(issue["linkedPrHealthCheckedAt"].is_string(), "{issue}");
        let claimed = json!({ "issueId": issue["id"], "repoFullName": API, "issueNumber": 1, "agentName": "coder" });
        app.post("/api/issues/claim", claimed).await.expect(200);
        let mine = app.get("/api/issues/claimed?agentName=coder").await.expect(200);
        assert_eq!(mine[0]["hasOpenPr"], true);
    }

    async fn an_edited_text_links_anew(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let pull = repo.open_pull(NewIssue::new("Mends it").body("Fixes #1"), "work");
        read(&app).await;
        assert_eq!(linked(&app, 1).await, pull);
        app.tick();
        repo.set_body(pull, "Closes #2");
        // The list of issues shows it, without a word of the branch.
        app.next_beat("loader").await;
        assert_eq!((linked(&app, 1).await, linked(&app, 2).await), (Value::Null, json!(pull)));
    }

    async fn the_newest_open_one_counts_until_it_is_closed(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let (first, second) = (repo.open_pull("One", "issue-1"), repo.open_pull("Another", "issue_1"));
        read(&app).await;
        assert_eq!(linked(&app, 1).await, second);
        app.tick();
        repo.close_pull(second);
        app.next_beat("loader").await;
        assert_eq!(linked(&app, 1).await, first);
        app.tick();
        repo.merge_pull(first);
        app.next_beat("loader").await;
        let issue = issue(&app, 1).await;
        assert_eq!((&issue["linkedPrNumber"], &issue["linkedPrUrl"]), (&Value::Null, &Value::Null));
        assert_eq!(issue["linkedPrNeedsFollowup"], false);
        app.tick();
        repo.reopen_issue(second);
        app.next_beat("loader").await;
        assert_eq!(linked(&app, 1).await, second);
    }

    async fn strangers_link_nothing(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let foreign = repo.open_pull(NewIssue::new("Mine").body("Fixes #2"), "issue-1");
        repo.edit_pull(foreign, |pull| pull.fork = Some("mallory".to_owned()));
        repo.check(foreign, "test", Some(Conclusion::Failure));
        read(&app).await;
        assert_eq!((linked(&app, 1).await, linked(&app, 2).await), (Value::Null, Value::Null));
        assert_eq!((items(&app).await, task(&app, "coder").await.as_str()), (0, "implement 1"));
    }

    async fn an_issue_that_comes_later_finds_its_pull_request(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let pull = repo.open_pull(NewIssue::new("Mends it").body("Fixes #5"), "work");
        assert_eq!(pull, 4);
        read(&app).await;
        app.tick();
        repo.open_issue("The fifth");
        app.next_beat("loader").await;
        assert_eq!(linked(&app, 5).await, pull);
    }

    async fn of_several_issues_the_one_that_is_named_first_is_the_item_s(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let body = "Closes #3, and fixes #2 on the way";
        let pull = repo.open_pull(NewIssue::new("Mends it").body(body), "issue-1");
        repo.check(pull, "test", Some(Conclusion::Failure));
        read(&app).await;
        for number in 1..=3 {
            assert_eq!(linked(&app, number).await, pull);
        }
        assert_eq!(app.db.texts("SELECT CAST(issue AS TEXT) FROM pr_fix_items").await, ["3"]);
        let order = "SELECT CAST(issue_number AS TEXT) FROM pull_links ORDER BY position";
        assert_eq!(app.db.texts(order).await, ["3", "2", "1"], "the branch is no text");
        // As it is found after an update: in which order they stand is not known, and nothing of it changes.
        app.db.sql("UPDATE pull_links SET position = 0").await;
        app.db.sql("UPDATE pulls SET content_hash = ''").await;
        app.db.sql("DELETE FROM pull_etags WHERE number = 0 AND what = 'open'").await;
        look(&app).await;
        assert_eq!(app.db.texts(order).await, ["3", "2", "1"]);
    }
}
