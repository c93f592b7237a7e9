//! `GET /api/audit`: rows, their issue, and the filter.

use serde_json::json;

use crate::{API, WEB, each, each_db, rows, support::App};

each_db! {
    async fn rows_are_filtered_by_repository_without_case(db) {
        let app = App::with_repos(db, &[]).await;
        for name in [API, WEB, "acme/third"] {
            app.tick();
            app.post("/api/automation/repos", json!({ "fullName": name })).await.expect(201);
        }
        assert_eq!(each(&app.get("/api/audit").await.expect(200), "repoFullName"), ["acme/third", WEB, API]);
        assert_eq!(each(&app.get("/api/audit?repo=ACME/Web").await.expect(200), "repoFullName"), [WEB]);
        assert_eq!(app.get("/api/audit?repo=acme/none").await.expect(200), json!([]));
        assert_eq!(each(&app.get("/api/audit?limit=2").await.expect(200), "repoFullName"), ["acme/third", WEB]);
        assert_eq!(app.get("/api/audit?repo=acme").await.expect(400)["field"], "repo");
    }

    async fn a_row_shows_the_issue_it_names(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        app.beat("coder").await;
        app.tick();
        app.delete("/api/automation/repos/acme/api").await.expect(200);
        app.post("/api/automation/repos", json!({ "fullName": API })).await.expect(201);
        // No decision about an issue is built yet: the row is made to name one.
        app.db.sql(
            "UPDATE audit_log SET issue_number = 1, issue_id = (SELECT id FROM issues WHERE number = 1)
             WHERE action = 'add_tracked_repo'",
        ).await;
        let issue = app.get("/api/issues").await.expect(200)[0].clone();
        let audit = app.get("/api/audit").await.expect(200);
        let (named, plain): (Vec<_>, Vec<_>) = rows(&audit).iter().partition(|row| row["action"] == "add_tracked_repo");
        assert_eq!((named.len(), plain.len()), (1, 1));
        assert_eq!(named[0]["issue"], issue);
        assert_eq!((&named[0]["issueId"], &named[0]["issueNumber"]), (&issue["id"], &json!(1)));
        assert_eq!((&plain[0]["issue"], &plain[0]["issueId"]), (&json!(null), &json!(null)));
    }
}
