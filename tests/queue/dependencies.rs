//! What waits for open issues is not served, and is from the pass on in which the last of them closes.

use serde_json::json;

use super::field::*;
use crate::{each_db, support::App};

/// How many open blockers the cache counts for an issue.
async fn open_blockers(app: &App, number: i64) -> i64 {
    let sql = format!(
        "SELECT i.open_blockers FROM issues i JOIN repositories r ON r.id = i.repository_id
         WHERE i.number = {number} AND r.name_key = '{API}'"
    );
    app.db.count(&sql).await
}

/// Somebody opens an issue again; when it was closed it got `status/done`.
fn open_as_ready(repo: &github_sim::Repo, number: u64) {
    repo.edit_issue(number, |issue| {
        issue.state = github_sim::State::Open;
        issue.labels = vec!["status/ready".to_owned()];
    });
}

each_db! {
    async fn a_closed_blocker_frees_its_dependents_in_the_same_pass(db) {
        let issues = vec![ready("first"), ready("second").body("Blocked by #1"), ready("third").body("depends on #1 and #2")];
        let app = with(db, issues).await;
        assert_eq!(numbers(&app, "me", "").await, [1]);
        assert_eq!(numbers(&app, "me", "?includeClaimed=true").await, [1]);
        app.sim.repo(API).close_issue(1);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [2]);
        assert_eq!(open_blockers(&app, 3).await, 1);
        open_as_ready(&app.sim.repo(API), 1);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1]);
        app.sim.repo(API).delete_issue(1);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [2], "what is gone blocks nothing");
    }

    async fn a_blocker_counts_whatever_its_labels_and_holder(db) {
        let issues = vec![
            github_sim::NewIssue::new("no status"),
            ready("waits").body("Requires #1"),
            ready("held"),
            ready("waits too").body("Requires #3"),
        ];
        let app = with(db, issues).await;
        claim(&app, 3, "other").await;
        assert_eq!(numbers(&app, "me", "").await, [0; 0]);
    }

    async fn what_does_not_block(db) {
        let issues = vec![
            ready("itself").body("blocked by #1"),
            ready("nobody").body("blocked by #99"),
            ready("elsewhere").body("blocked by other/place#1"),
            ready("code").body("```\nblocked by #1\n```\n> depends on #1\n`requires #1`"),
            ready("denied").body("This is not blocked by #1"),
        ];
        let app = with(db, issues).await;
        assert_eq!(numbers(&app, "me", "").await, [1, 2, 3, 4, 5]);
    }

    async fn edits_of_the_text_count(db) {
        let app = with(db, vec![ready("first"), ready("second"), ready("third")]).await;
        let repo = app.sim.repo(API);
        repo.set_body(2, "blocked by #1, #3");
        app.next_beat("loader").await;
        assert_eq!((numbers(&app, "me", "").await, open_blockers(&app, 2).await), (vec![1, 3], 2));
        repo.set_body(2, "blocked by #3");
        app.next_beat("loader").await;
        assert_eq!(open_blockers(&app, 2).await, 1);
        repo.set_title(2, "another title");
        app.next_beat("loader").await;
        assert_eq!(open_blockers(&app, 2).await, 1);
        repo.set_body(2, "free");
        app.next_beat("loader").await;
        assert_eq!((numbers(&app, "me", "").await, open_blockers(&app, 2).await), (vec![1, 2, 3], 0));
        assert_eq!(app.db.count("SELECT count(*) FROM dependencies").await, 0);
    }

    async fn a_blocker_may_come_later(db) {
        let app = with(db, vec![ready("first").body("blocked by #2, https://github.com/ACME/web/issues/1")]).await;
        assert_eq!(numbers(&app, "me", "").await, [1]);
        app.sim.repo(API).open_issue("second");
        app.next_beat("loader").await;
        assert_eq!(open_blockers(&app, 1).await, 1);
        app.sim.repo("acme/web").open_issue("there");
        app.next_beat("loader").await;
        assert_eq!(open_blockers(&app, 1).await, 2);
        let because = &why(&app, 1, "?agent=me").await["reasons"][0];
        assert_eq!(because, &json!({ "code": "dependency_blocked", "message": "Blocked by open #2, acme/web#1" }));
        let claimed = claim(&app, 1, "me").await;
        assert_eq!(claimed["warnings"], json!(["Blocked by open #2, acme/web#1"]));
    }

    async fn only_tracked_repositories_block(db) {
        let app = with(db, vec![ready("first").body("blocked by acme/web#1")]).await;
        app.sim.repo(WEB).open_issue("there");
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [0; 0]);
        app.delete(&format!("/api/automation/repos/{WEB}")).await;
        assert_eq!(numbers(&app, "me", "").await, [1], "at once");
        app.post("/api/automation/repos", json!({ "fullName": WEB })).await;
        assert_eq!(numbers(&app, "me", "").await, [0; 0]);
        // Closed while nobody looked.
        app.sim.repo(WEB).close_issue(1);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1]);
    }

    async fn a_repository_may_be_renamed(db) {
        let app = with(db, vec![ready("first"), ready("second").body("blocked by #1"), ready("third").body("blocked by acme/web#1")]).await;
        app.sim.repo(WEB).open_issue("there");
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1]);
        app.sim.repo(WEB).rename("site");
        app.sim.repo(API).rename("core");
        for _ in 0..2 {
            app.next_beat("loader").await;
            assert_eq!(numbers(&app, "me", "").await, [1], "what was said of the old name holds for the new one");
        }
        // Said by the old name, after it is another's no more.
        app.sim.repo("acme/core").open_issue(ready("fourth").body("blocked by ACME/Web#1"));
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1]);
        app.sim.repo("acme/site").close_issue(1);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1, 3, 4]);
        app.sim.repo("acme/core").close_issue(1);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [2, 3, 4]);
    }

    async fn texts_cached_under_older_rules_are_read_again(db) {
        let app = with(db, vec![ready("first"), ready("second").body("blocked by #1")]).await;
        app.db.sql("DELETE FROM dependencies; UPDATE issues SET open_blockers = 0; UPDATE sync_state SET rules = '1:'").await;
        let (db, sim, clock) = app.stop().await;
        let app = crate::support::AppBuilder { seed: 8, ..Default::default() }.start_with(db, sim, clock).await;
        assert_eq!(numbers(&app, "me", "").await, [1, 2]);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1]);
    }

    async fn many_dependents_cost_no_more_statements_than_one(db) {
        let issues = (0..90).map(|n| ready(&format!("Issue {n}")).body(if n == 1 { "blocked by #1" } else { "" }));
        let app = with(db, issues.collect()).await;
        let repo = app.sim.repo(API);
        let flip = async || {
            let mut costs = Vec::new();
            for change in [github_sim::Repo::close_issue, open_as_ready] {
                change(&repo, 1);
                app.tick();
                let before = app.engine.db().statements();
                app.beat("loader").await;
                costs.push(app.engine.db().statements() - before);
            }
            costs
        };
        let one = flip().await;
        for number in 3..=90 {
            repo.set_body(number, "blocked by #1");
        }
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1]);
        let many = flip().await;
        println!("to free and to hold back one dependent: {one:?} statements, 89: {many:?}");
        assert_eq!(many, one);
        repo.close_issue(1);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await.len(), 89);
    }
}
