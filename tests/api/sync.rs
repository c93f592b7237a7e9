//! `POST /api/sync`: all repositories or one, with or without a sweep.

use std::time::Duration;

use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use crate::{
    API, WEB, each, each_db,
    support::{App, AppBuilder, world},
};

each_db! {
    async fn it_counts_what_is_confirmed_current_304_included(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).seed(3, |n| format!("Issue {n}"));
        app.sim.repo(WEB).open_issue("Two");
        let want = json!({
            "success": true, "repos": 2, "syncedCount": 4,
            "results": [{ "repo": API, "synced": 3, "error": null }, { "repo": WEB, "synced": 1, "error": null }],
        });
        let first = app.post("/api/sync", json!({})).await;
        assert_eq!(first.expect(200), want);
        let places: Vec<_> = ["success", "repos", "syncedCount", "results"]
            .iter()
            .map(|name| first.text.find(&format!("\"{name}\":")).unwrap())
            .collect();
        assert!(places.is_sorted(), "{}", first.text);
        world::assert_same(&app, API).await;
        app.tick();
        app.sim.reset_counters();
        assert_eq!(app.post("/api/sync", json!({})).await.expect(200), want);
        let counters = app.sim.counters();
        assert_eq!((counters.requests, counters.not_modified, counters.quota_spent), (2, 2, 0));
        app.tick();
        app.sim.repo(API).close_issue(1);
        assert_eq!(app.post("/api/sync", json!({})).await.expect(200)["syncedCount"], 3);
        let audit = app.get("/api/audit").await.expect(200);
        let actions: Vec<_> = audit.as_array().expect("a list").iter().map(|row| &row["action"]).collect();
        assert_eq!(actions, [&json!("mark_done")], "a sync is no decision; what is written for a closed issue is");
        assert_eq!(app.get("/api/agent-runs").await.expect(200), json!([]), "a sync is no run of an agent");
    }

    async fn one_repository_may_be_named(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).open_issue("One");
        app.sim.repo(WEB).open_issue("Two");
        let answer = app.post("/api/sync", json!({ "repoFullName": "ACME/Api" })).await.expect(200);
        assert_eq!(answer, json!({
            "success": true, "repos": 1, "syncedCount": 1, "results": [{ "repo": API, "synced": 1, "error": null }],
        }));
        assert!(app.sim.requests().iter().all(|request| request.repo.as_deref() == Some(API)));
        app.sim.reset_counters();
        let error = app.post("/api/sync", json!({ "repoFullName": "acme/none" })).await.expect(404);
        assert!(error["error"].as_str().unwrap().starts_with("Repo acme/none is not tracked."), "{error}");
        assert_eq!(app.sim.counters().requests, 0);
        assert_eq!(app.post("/api/sync", json!({ "repoFullName": "acme" })).await.expect(400)["field"], "repoFullName");
    }

    async fn no_repository_at_all_is_no_failure(db) {
        let app = App::with_repos(db, &[]).await;
        let want = json!({ "success": true, "repos": 0, "syncedCount": 0, "results": [] });
        assert_eq!(app.post("/api/sync", json!({})).await.expect(200), want);
    }

    async fn one_that_fails_stops_no_other(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).open_issue("One");
        app.sim.repo(WEB).open_issue("Two");
        app.post("/api/sync", json!({})).await.expect(200);
        app.tick();
        app.sim.repo(WEB).open_issue("Three");
        let fault = app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::repo(API)));
        let answer = app.post("/api/sync", json!({})).await.expect(200);
        assert_eq!(answer, json!({
            "success": false, "repos": 2, "syncedCount": 2,
            "results": [
                { "repo": API, "synced": 0, "error": "GitHub answered 404; check the name, and that the token can read the repository" },
                { "repo": WEB, "synced": 2, "error": null },
            ],
        }));
        app.sim.clear_fault(fault);
        app.tick();
        assert_eq!(app.post("/api/sync", json!({})).await.expect(200)["success"], true);
    }

    async fn a_sweep_finds_what_vanished_unseen(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        api.seed(130, |n| format!("Issue {n}"));
        app.post("/api/sync", json!({})).await.expect(200);
        api.delete_issue(3);
        app.tick();
        api.open_issue("Newer");
        let answer = app.post("/api/sync", json!({ "sweep": true })).await.expect(200);
        assert_eq!((answer["success"].clone(), answer["syncedCount"].clone()), (json!(true), json!(130)));
        world::assert_same(&app, API).await;
        // Not shared with a read that began without it, even in the same moment.
        api.delete_issue(4);
        app.post("/api/sync", json!({ "sweep": false })).await.expect(200);
        app.post("/api/sync", json!({ "sweep": true, "repoFullName": API })).await.expect(200);
        world::assert_same(&app, API).await;
    }

    async fn what_is_not_done_in_time_is_still_running(db) {
        let mut builder = AppBuilder { repos: vec![API.into(), WEB.into()], ..AppBuilder::default() };
        builder.engine.heartbeat_deadline = Duration::from_millis(400);
        let app = builder.start(db).await;
        app.sim.repo(API).open_issue("One");
        app.post("/api/sync", json!({})).await.expect(200);
        app.tick();
        app.sim.repo(API).set_title(1, "Later");
        app.sim.fault(Fault::new(FaultKind::Delay(Duration::from_secs(2))).on(Match::repo(API)).times(1));
        for body in [json!({}), json!({ "repoFullName": API })] {
            let answer = app.post("/api/sync", body).await.expect(200);
            assert_eq!(answer["success"], false);
            assert_eq!(answer["results"][0], json!({ "repo": API, "synced": 0, "error": "still running" }));
        }
        let read = async {
            while app.get("/api/issues").await.expect(200)[0]["title"] != "Later" {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("the read goes on without its caller");
    }

    async fn many_at_once_share_the_reads(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.set_latency(Duration::from_millis(50));
        app.sim.repo(API).open_issue("One");
        let answers = futures_util::future::join_all((0..30).map(|_| app.post("/api/sync", json!({})))).await;
        for answer in answers {
            assert_eq!(answer.expect(200)["success"], true);
            assert_eq!(each(&answer.json()["results"], "repo"), [API, WEB]);
        }
        let lists = app.sim.counters().by_kind["issues.list"];
        assert!(lists <= 4, "{lists} reads for two repositories");
    }
}
