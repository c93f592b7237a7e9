//! Tracked repositories: adding, removing, listing, and what each leaves in the audit log.

use github_sim::NewIssue;
use serde_json::{Value, json};

use crate::{
    API, WEB, each, each_db, numbers, rows,
    support::{Answer, App, app::send, world},
};

async fn add(app: &App, name: &str) -> Answer {
    app.post("/api/automation/repos", json!({ "fullName": name })).await
}

/// The repositories of both lists.
async fn listed(app: &App) -> (Value, Value) {
    (app.get("/api/automation/repos").await.expect(200), app.get("/api/repos").await.expect(200))
}

each_db! {
    async fn an_added_repository_is_a_row_of_the_contract(db) {
        let app = App::with_repos(db, &[]).await;
        let mut row = add(&app, " Acme/Api ").await.expect(201);
        let id = row["id"].clone();
        assert!(id.as_str().is_some_and(|id| !id.is_empty()));
        assert_eq!(row["repositoryId"], id);
        let listed = app.get("/api/automation/repos").await.expect(200);
        assert_eq!(rows(&listed), std::slice::from_ref(&row));
        for field in ["id", "repositoryId"] {
            row.as_object_mut().unwrap().remove(field);
        }
        assert_eq!(row, json!({
            "fullName": "Acme/Api", "name": "Api", "owner": "Acme", "defaultBranch": "main", "latestCommitSha": null,
            "openPRCount": 0, "lastSyncedAt": null, "syncError": null, "source": "user",
            "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z", "workflows": [], "releases": [],
            "_count": { "workflows": 0, "releases": 0 }, "failingRuns": 0, "runningRuns": 0, "lastSyncRun": null,
            "archived": false,
        }));
        // GitHub spells it otherwise; the first read learns that.
        app.sim.create_repo(API);
        app.beat("coder").await;
        let row = app.get("/api/automation/repos").await.expect(200)[0].clone();
        assert_eq!((row["id"].clone(), row["fullName"].as_str()), (id, Some(API)));
        assert_eq!(row["lastSyncedAt"], "2026-01-01T00:00:00.000Z");
    }

    async fn the_deprecated_twin_says_so(db) {
        let app = App::with_repos(db, &[API]).await;
        let answer = app.post("/api/repos", json!({ "fullName": WEB })).await;
        let mut row = answer.expect(201);
        assert_eq!(answer.header("deprecation"), Some("true"));
        assert_eq!(answer.header("link"), Some("</api/automation/repos>; rel=\"successor-version\""));
        let id = row["id"].take();
        assert_eq!(row["automationRepoId"].take(), id);
        let times = ("createdAt", "updatedAt");
        for field in [times.0, times.1] {
            assert_eq!(row[field].take(), "2026-01-01T00:00:00.000Z");
        }
        assert_eq!(row, json!({
            "id": null, "name": "web", "owner": "acme", "fullName": WEB, "enabled": true, "createdAt": null,
            "updatedAt": null, "automationRepoId": null,
        }));
        let (tracked, plain) = listed(&app).await;
        assert_eq!((each(&tracked, "fullName"), each(&plain, "fullName")), (vec![API.into(), WEB.into()], vec![API.into(), WEB.into()]));
        assert_eq!(each(&tracked, "source"), ["env", "user"]);
        app.post("/api/repos", json!({ "fullName": "Acme/WEB" })).await.expect(409);
    }

    async fn a_bad_name_is_400_with_the_reason(db) {
        let app = App::with_repos(db, &[]).await;
        let two_parts = "write it as owner/name";
        let (owner, name) = ("the owner is 1 to 39", "the name is 1 to 100");
        let (long_owner, long_name) = (format!("{}/x", "a".repeat(40)), format!("x/{}", "a".repeat(101)));
        let cases = [
            ("", "fullName is required"), (" ", "fullName is required"), ("api", two_parts), ("a/b/c", two_parts),
            ("https://github.com/acme/api", two_parts), ("/api", owner), ("acme/", name), ("ac me/api", owner),
            ("acme/a pi", name), ("acme/api?x", name), ("acme/..", name), ("acme/.", name), ("äcme/api", owner),
            ("acme/a\u{0}", "U+0000"), (&long_owner, owner), (&long_name, name), ("acme/api#1", name),
        ];
        for path in ["/api/automation/repos", "/api/repos"] {
            for (bad, reason) in cases {
                let error = app.post(path, json!({ "fullName": bad })).await.expect(400);
                assert_eq!(error["field"], "fullName", "{bad:?}");
                assert!(error["error"].as_str().unwrap().contains(reason), "{bad:?}: {error}");
            }
            for body in [json!({}), json!({ "fullName": null }), json!({ "name": API })] {
                assert_eq!(app.post(path, body).await.expect(400)["field"], "fullName");
            }
        }
        assert_eq!(listed(&app).await, (json!([]), json!([])));
        assert_eq!(app.get("/api/audit").await.expect(200), json!([]));
    }

    async fn a_tracked_repository_is_409_by_any_of_its_names(db) {
        let app = App::with_repos(db, &[API]).await;
        for name in [API, "ACME/API", " acme/Api "] {
            assert_eq!(add(&app, name).await.expect(409)["error"], "Repository is already tracked");
        }
        app.beat("coder").await;
        app.sim.repo(API).rename("acme/core");
        app.sim.repo("acme/core").open_issue("One");
        app.next_beat("coder").await;
        for name in [API, "acme/core", "ACME/Core"] {
            assert_eq!(add(&app, name).await.expect(409)["error"], "Repository is already tracked", "{name}");
        }
        assert_eq!(rows(&listed(&app).await.0).len(), 1);
    }

    async fn a_repository_that_github_does_not_know_is_accepted_and_shows_its_error(db) {
        let app = App::with_repos(db, &[API]).await;
        let row = add(&app, "acme/none").await.expect(201);
        assert_eq!(row["syncError"], json!(null));
        let beat = app.beat("coder").await;
        assert_eq!(beat["status"], "warning");
        let error = "sync: acme/none: GitHub answered 404; check the name, and that the token can read the repository";
        assert_eq!(beat["warnings"], json!([error]));
        let list = app.get("/api/automation/repos").await.expect(200);
        assert_eq!(each(&list, "fullName"), [API, "acme/none"]);
        assert_eq!((list[0]["syncError"].clone(), list[1]["syncError"].clone()), (json!(null), json!(error)));
        app.sim.create_repo("acme/none");
        app.next_beat("coder").await;
        assert_eq!(app.get("/api/automation/repos").await.expect(200)[1]["syncError"], json!(null));
    }

    async fn an_untracked_repository_leaves_every_list_and_comes_back(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).open_issue(NewIssue::new("One").label("bug"));
        app.sim.repo(WEB).open_issue("Two");
        app.beat("coder").await;
        let before = app.get(&format!("/api/issues?repo={API}")).await.expect(200);
        let removed = app.delete("/api/automation/repos/ACME/Api").await.expect(200);
        assert_eq!(removed, json!({ "success": true }));
        for path in ["/api/issues?repo=acme/api", "/api/issues?repo=acme/api&includeClosed=true"] {
            assert_eq!(app.get(path).await.expect(200), json!([]), "{path}");
        }
        assert_eq!(numbers(&app.get("/api/issues").await.expect(200)).len(), 1);
        app.get("/api/issues/state?repo=acme/api&number=1").await.expect(404);
        app.post("/api/issues/refresh", json!({ "repoFullName": API, "issueNumber": 1 })).await.expect(404);
        app.post("/api/sync", json!({ "repoFullName": API })).await.expect(404);
        let (tracked, plain) = listed(&app).await;
        assert_eq!(each(&tracked, "fullName"), [WEB]);
        assert_eq!(plain[0]["enabled"], false);
        app.sim.reset_counters();
        app.sim.repo(API).set_title(1, "Changed meanwhile");
        app.next_beat("coder").await;
        assert_eq!(app.sim.counters().requests, 1, "only the tracked one is read");
        for gone in ["acme/api", "acme/never", "ACME/API"] {
            let error = app.delete(&format!("/api/automation/repos/{gone}")).await.expect(404);
            assert_eq!(error["error"], "Repository not tracked");
        }
        add(&app, "acme/API").await.expect(201);
        let shown = app.get(&format!("/api/issues?repo={API}")).await.expect(200);
        assert_eq!(shown[0]["id"], before[0]["id"]);
        app.next_beat("coder").await;
        world::assert_same(&app, API).await;
        assert_eq!(app.get("/api/issues?repo=acme/api").await.expect(200)[0]["id"], before[0]["id"]);
        assert_eq!(each(&app.get("/api/automation/repos").await.expect(200), "source"), ["user", "env"]);
    }

    async fn a_renamed_repository_is_removed_and_added_by_its_former_name(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        app.beat("coder").await;
        app.sim.repo(API).rename("acme/core");
        app.sim.repo("acme/core").set_title(1, "After");
        app.next_beat("coder").await;
        app.delete("/api/automation/repos/acme/api").await.expect(200);
        assert_eq!(app.get("/api/automation/repos").await.expect(200), json!([]));
        add(&app, API).await.expect(201);
        let beat = app.next_beat("coder").await;
        assert_eq!(beat["status"], "ok", "{beat}");
        assert_eq!(each(&app.get("/api/automation/repos").await.expect(200), "fullName"), ["acme/core"]);
        assert_eq!(numbers(&app.get("/api/issues?repo=acme/api").await.expect(200)), [1]);
    }

    async fn every_decision_is_in_the_audit_log_and_no_refusal_changes_anything(db) {
        let app = App::with_repos(db, &[API]).await;
        let request = app.request("POST", "/api/automation/repos", crate::support::MAINTAINER);
        let body = json!({ "fullName": "Acme/Web" }).to_string();
        send(request.header("x-agent-name", " mona ").body(body).try_clone().unwrap()).await.expect(201);
        app.tick();
        add(&app, WEB).await.expect(409);
        app.delete("/api/automation/repos/acme/web").await.expect(200);
        app.tick();
        app.delete("/api/automation/repos/acme/api").await.expect(200);
        let audit = app.get("/api/audit").await.expect(200);
        let shown: Vec<_> = rows(&audit)
            .iter()
            .map(|row| (row["actor"].as_str().unwrap(), row["action"].as_str().unwrap(), row["repoFullName"].as_str().unwrap()))
            .collect();
        assert_eq!(shown, [
            ("agent", "remove_tracked_repo", API),
            ("agent", "remove_tracked_repo", "Acme/Web"),
            ("mona", "add_tracked_repo", "Acme/Web"),
        ]);
        assert_eq!(audit[0]["beforeLabels"], json!(["env"]));
        assert_eq!(audit[1]["beforeLabels"], json!(["user"]));
        for row in rows(&audit) {
            assert_eq!((row["success"].clone(), row["errorMessage"].clone(), row["issue"].clone()), (json!(true), json!(null), json!(null)));
            assert!(row["tokenId"].as_str().is_some_and(|id| id.len() == 16), "{row}");
        }
    }

    async fn without_its_audit_row_nothing_changes(db) {
        let app = App::with_repos(db, &[API]).await;
        app.db.sql("ALTER TABLE audit_log RENAME TO audit_gone").await;
        add(&app, WEB).await.expect(503);
        app.delete("/api/automation/repos/acme/api").await.expect(503);
        app.db.sql("ALTER TABLE audit_gone RENAME TO audit_log").await;
        assert_eq!(each(&listed(&app).await.0, "fullName"), [API]);
        add(&app, WEB).await.expect(201);
    }
}
