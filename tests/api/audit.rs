//! `GET /api/audit`: rows, their issue, and the filter.

use std::time::Duration;

use dispatch::engine::prune;
use serde_json::json;

use crate::{
    API, WEB, each, each_db, follow, rows,
    support::{App, MAINTAINER, app::send},
};

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

    async fn every_filter_leaves_out_what_does_not_fit(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).open_issue("One");
        app.sim.repo(WEB).open_issue("Two");
        app.beat("coder").await;
        let mut times = Vec::new();
        for (repo, agent) in [(API, "Coder"), (WEB, "other")] {
            app.tick();
            times.push(app.clock.now());
            let id = app.get(&format!("/api/issues?repo={repo}")).await.expect(200)[0]["id"].clone();
            let body = json!({ "issueId": id, "repoFullName": repo, "issueNumber": 1, "agentName": agent });
            app.post("/api/issues/claim", body).await.expect(200);
        }
        app.tick();
        let by = app.request("POST", "/api/issues/unclaim", MAINTAINER).header("x-agent-name", "Olga");
        let id = app.get(&format!("/api/issues?repo={API}")).await.expect(200)[0]["id"].clone();
        let body = json!({ "issueId": id, "repoFullName": API, "issueNumber": 1, "agentName": "coder" });
        send(by.body(body.to_string())).await.expect(200);
        let all = app.get("/api/audit").await.expect(200);
        assert_eq!(each(&all, "action"), ["unclaim_issue_by_operator", "claim_issue", "claim_issue"]);
        assert_eq!(each(&all, "agent"), ["coder", "other", "coder"]);
        for (query, actions) in [
            ("actor=olga", &["unclaim_issue_by_operator"][..]),
            ("actor=OTHER", &["claim_issue"]),
            ("actor=nobody", &[]),
            ("agent=CODER", &["unclaim_issue_by_operator", "claim_issue"]),
            ("action=claim_issue", &["claim_issue", "claim_issue"]),
            ("action=what_a_newer_version_does", &[]),
            ("repo=acme/api&issue=1", &["unclaim_issue_by_operator", "claim_issue"]),
            ("repo=ACME/web&issue=1", &["claim_issue"]),
            ("repo=acme/api&issue=2", &[]),
            ("repo=acme/none&issue=1", &[]),
            (&format!("from={}", times[1]), &["unclaim_issue_by_operator", "claim_issue"]),
            (&format!("to={}", times[1]), &["claim_issue"]),
            (&format!("from={}&to={}", times[0], times[1]), &["claim_issue"]),
            ("agent=coder&action=claim_issue&actor=coder&repo=acme/api&issue=1&from=2000-01-01T00:00:00Z", &["claim_issue"]),
            ("agent=coder&actor=other", &[]),
        ] {
            assert_eq!(each(&app.get(&format!("/api/audit?{query}")).await.expect(200), "action"), actions, "{query}");
        }
        let (rows, pages) = follow(&app, "/api/audit?agent=coder&limit=1").await;
        assert_eq!((rows.len(), pages), (2, 2), "the filter goes with the cursor");
    }

    async fn decisions_about_an_issue_outlive_it(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        app.beat("coder").await;
        let act = async |path: &str| {
            app.tick();
            let id = app.get(&format!("/api/issues?repo={API}")).await.expect(200)[0]["id"].clone();
            let body = json!({ "issueId": id, "repoFullName": API, "issueNumber": 1, "agentName": "coder" });
            app.post(path, body).await.expect(200);
        };
        act("/api/issues/claim").await;
        act("/api/issues/unclaim").await;
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        let query = format!("/api/audit?repo={API}&issue=1");
        let before = each(&app.get(&query).await.expect(200), "action");
        assert_eq!(before, ["mark_done", "unclaim_issue", "claim_issue"]);
        app.advance(Duration::from_hours(24 * 31));
        app.next_beat("coder").await;
        assert_eq!(prune::prune_closed(&app.engine).await.expect("the database").issues, 1);
        assert_eq!(each(&app.get(&query).await.expect(200), "action"), before);
        app.sim.repo(API).reopen_issue(1);
        app.sim.repo(API).remove_label(1, "status/done");
        app.next_beat("coder").await;
        act("/api/issues/claim").await;
        let (rows, pages) = follow(&app, &format!("{query}&limit=1")).await;
        let after: Vec<_> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
        assert_eq!((after, pages), (vec!["claim_issue", "mark_done", "unclaim_issue", "claim_issue"], 4));
    }

    async fn a_repository_answers_to_every_name_it_had(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        app.beat("coder").await;
        let claim = async |repo: &str, agent: &str| {
            app.tick();
            let id = app.get(&format!("/api/issues?repo={repo}")).await.expect(200)[0]["id"].clone();
            let body = json!({ "issueId": id, "repoFullName": repo, "issueNumber": 1, "agentName": agent, "force": true });
            app.post("/api/issues/claim", body).await.expect(200);
        };
        claim(API, "one").await;
        app.sim.repo(API).rename("acme/core");
        app.next_beat("coder").await;
        claim("acme/core", "two").await;
        let waiting = app.get("/api/outbox?repo=acme/core").await.expect(200);
        assert!(!rows(&waiting).is_empty());
        for name in [API, "acme/core", "ACME/Api"] {
            let listed = app.get(&format!("/api/audit?repo={name}&action=claim_issue")).await.expect(200);
            assert_eq!(each(&listed, "agent"), ["two", "one"], "{name}");
            assert_eq!(app.get(&format!("/api/outbox?repo={name}")).await.expect(200), waiting, "{name}");
        }
    }

    async fn filters_that_cannot_be_are_refused_by_name(db) {
        let app = App::with_repos(db, &[API]).await;
        for (query, field) in [
            ("agent=a%20b", "agent"),
            ("action=Claim", "action"),
            ("action=a%3Bb", "action"),
            ("repo=acme", "repo"),
            ("issue=1", "issue"),
            ("repo=acme/api&issue=0", "issue"),
            ("repo=acme/api&issue=x", "issue"),
            ("from=yesterday", "from"),
            ("to=2026-13-01T00:00:00Z", "to"),
            ("from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
            ("from=2026-02-01T00:00:00Z&to=2026-02-01T00:00:00Z", "to"),
            ("limit=0", "limit"),
            ("cursor=x", "cursor"),
            ("actor=%00", "actor"),
        ] {
            assert_eq!(app.get(&format!("/api/audit?{query}")).await.expect(400)["field"], field, "{query}");
        }
    }

    async fn rows_of_one_millisecond_stand_as_they_were_written(db) {
        let app = App::with_repos(db, &[]).await;
        let names: Vec<String> = (0..40).map(|n| format!("acme/r{n}")).collect();
        for name in &names {
            // The clock stands still.
            app.post("/api/automation/repos", json!({ "fullName": name })).await.expect(201);
        }
        let written: Vec<String> = names.into_iter().rev().collect();
        assert_eq!(each(&app.get("/api/audit?limit=100").await.expect(200), "repoFullName"), written);
        let (rows, pages) = follow(&app, "/api/audit?limit=7").await;
        let read: Vec<_> = rows.iter().map(|row| row["repoFullName"].as_str().unwrap().to_owned()).collect();
        assert_eq!((read, pages), (written, 6));
    }
}
