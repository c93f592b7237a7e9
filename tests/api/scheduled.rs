//! `POST /api/sync/scheduled`: what cron jobs of the Node edition call.

use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use crate::{
    API, WEB, each_db,
    support::{App, MAINTAINER, app::send, world},
};

each_db! {
    async fn issues_are_synced_unless_told_otherwise(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).open_issue("One");
        for body in [json!({}), json!({ "issues": true }), json!({ "issues": null, "automation": false })] {
            app.tick();
            let answer = app.post("/api/sync/scheduled", body.clone()).await.expect(200);
            assert_eq!(answer["issues"], json!({
                "repos": 2, "syncedCount": 1,
                "results": [{ "repo": API, "synced": 1, "error": null }, { "repo": WEB, "synced": 0, "error": null }],
            }));
            assert_eq!(answer["success"], true, "{body}");
            for absent in ["automationSkipped", "automationSkippedReason", "automation"] {
                assert!(answer.get(absent).is_none(), "{answer}");
            }
        }
        let now = "2026-01-01T00:00:30.000Z";
        let answer = app.post("/api/sync/scheduled", json!({})).await.expect(200);
        assert_eq!((answer["startedAt"].as_str(), answer["finishedAt"].as_str()), (Some(now), Some(now)));
        world::assert_same(&app, API).await;
    }

    async fn a_literal_false_turns_issues_off(db) {
        let app = App::with_repos(db, &[API]).await;
        let answer = app.post("/api/sync/scheduled", json!({ "issues": false })).await.expect(200);
        assert_eq!(answer, json!({
            "success": true, "startedAt": "2026-01-01T00:00:00.000Z", "finishedAt": "2026-01-01T00:00:00.000Z",
        }));
        assert_eq!(app.sim.counters().requests, 0);
    }

    async fn automation_describes_the_repositories(db) {
        let app = App::with_repos(db, &[API]).await;
        let answer = app.post("/api/sync/scheduled", json!({ "automation": true })).await.expect(200);
        assert_eq!(answer["automation"], json!({ "synced": 1, "failed": 0 }), "{answer}");
        assert_eq!(answer["automationSkipped"], json!(null));
        assert_eq!(answer["issues"]["repos"], 1);
    }

    async fn a_repository_that_fails_stands_in_the_results(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.fault(Fault::new(FaultKind::Forbidden).on(Match::repo(API)));
        let answer = app.post("/api/sync/scheduled", json!({})).await.expect(200);
        assert_eq!(answer["success"], true, "cron jobs use curl -f and read success");
        let results = &answer["issues"]["results"];
        assert!(results[0]["error"].as_str().is_some_and(|error| error.starts_with("GitHub answered 403; ")), "{answer}");
        assert_eq!(results[1], json!({ "repo": WEB, "synced": 0, "error": null }));
    }

    async fn a_body_is_required(db) {
        let app = App::with_repos(db, &[API]).await;
        for body in ["", " ", "[]", "null", "nonsense"] {
            let request = app.request("POST", "/api/sync/scheduled", MAINTAINER).body(body);
            assert_eq!(send(request).await.expect(400)["error"], "Invalid JSON body", "{body:?}");
        }
        send(app.request("POST", "/api/sync/scheduled", MAINTAINER)).await.expect(400);
        assert_eq!(app.sim.counters().requests, 0);
    }
}
