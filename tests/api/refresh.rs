//! `POST /api/issues/refresh`: one issue, from GitHub, now.

use github_sim::{Fault, FaultKind, Match, NewIssue};
use serde_json::{Value, json};

use crate::{
    API, each_db,
    support::{Answer, App, AppBuilder, world},
};

async fn refresh(app: &App, repo: &str, number: impl Into<Value>) -> Answer {
    app.post("/api/issues/refresh", json!({ "repoFullName": repo, "issueNumber": number.into() })).await
}

each_db! {
    async fn it_creates_then_updates(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        api.open_issue(NewIssue::new("One").label("status/ready"));
        let want = |action: &str| json!({ "success": true, "repo": API, "issueNumber": 1, "action": action, "error": null });
        assert_eq!(refresh(&app, API, 1).await.expect(200), want("created"));
        world::assert_same(&app, API).await;
        assert_eq!(refresh(&app, API, 1).await.expect(200), want("updated"));
        app.tick();
        api.set_title(1, "Another title");
        api.add_label(1, "bug");
        api.close_issue(1);
        assert_eq!(refresh(&app, "ACME/API", 1).await.expect(200)["action"], "updated");
        world::assert_same(&app, API).await;
        let requests = app.sim.counters().by_kind;
        assert_eq!(requests.get("issues.list"), None, "a refresh reads one issue: {requests:?}");
        app.next_beat("coder").await;
        world::assert_same(&app, API).await;
    }

    async fn an_issue_that_came_back_is_created(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        api.open_issue("One");
        app.beat("coder").await;
        let fault = app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::kind("issues.get")));
        refresh(&app, API, 1).await.expect(502);
        app.get("/api/issues/state?repo=acme/api&number=1").await.expect(404);
        app.sim.clear_fault(fault);
        assert_eq!(refresh(&app, API, 1).await.expect(200)["action"], "created");
        world::assert_same(&app, API).await;
    }

    async fn what_github_does_not_have_is_502_and_leaves_the_cache(db) {
        let app = App::with_repos(db, &[API, "acme/web"]).await;
        let api = app.sim.repo(API);
        for title in ["One", "Two", "Three"] {
            api.open_issue(title);
        }
        let pull = api.open_pull("A pull request", "fix/1");
        app.beat("coder").await;
        let error = refresh(&app, API, pull).await.expect(502);
        assert_eq!(error["error"], format!("#{pull} is a pull request, not an issue"));
        assert_eq!((&error["repo"], &error["issueNumber"]), (&json!(API), &json!(pull)));
        api.delete_issue(1);
        api.transfer_issue(2, "acme/web");
        for number in [1, 2, 99] {
            let error = refresh(&app, API, number).await.expect(502);
            let want = format!("#{number} is not in acme/api on GitHub (deleted, transferred or never there)");
            assert_eq!(error["error"], want.as_str());
            assert_eq!((&error["repo"], &error["issueNumber"]), (&json!(API), &json!(number)));
            app.get(&format!("/api/issues/state?repo=acme/api&number={number}")).await.expect(404);
        }
        world::assert_same(&app, API).await;
    }

    async fn a_github_that_fails_is_502_and_changes_nothing(db) {
        let builder = AppBuilder { repos: vec![API.into()], retries: 0, ..AppBuilder::default() };
        let app = builder.start(db).await;
        let api = app.sim.repo(API);
        api.open_issue("One");
        app.beat("coder").await;
        let before = world::cached(&app, API).await;
        api.set_title(1, "Unseen");
        let faults = [
            FaultKind::Status(500), FaultKind::Status(503), FaultKind::Reset, FaultKind::Truncate, FaultKind::WrongJson,
            FaultKind::NotJson, FaultKind::Forbidden, FaultKind::BadCredentials,
            FaultKind::SecondaryLimit { status: 429, retry_after: Some(1) },
        ];
        for kind in faults {
            let fault = app.sim.fault(Fault::new(kind.clone()));
            let error = refresh(&app, API, 1).await.expect(502);
            assert_eq!((&error["repo"], &error["issueNumber"]), (&json!(API), &json!(1)), "{kind:?}");
            let message = error["error"].as_str().unwrap();
            assert!(message.contains("; ") && !message.contains("{\""), "{kind:?}: {message}");
            assert_eq!(world::cached(&app, API).await, before, "{kind:?}");
            app.sim.clear_fault(fault);
            app.advance(std::time::Duration::from_hours(1));
        }
        app.sim.stop().await;
        refresh(&app, API, 1).await.expect(502);
        app.sim.restart().await;
        app.advance(std::time::Duration::from_hours(1));
        refresh(&app, API, 1).await.expect(200);
        world::assert_same(&app, API).await;
    }

    async fn a_request_that_says_too_little_is_400_and_a_stranger_404(db) {
        let app = App::with_repos(db, &[API]).await;
        let cases = [
            ("repoFullName", json!({})),
            ("repoFullName", json!({ "issueNumber": 1 })),
            ("repoFullName", json!({ "repoFullName": null, "issueNumber": 1 })),
            ("repoFullName", json!({ "repoFullName": "", "issueNumber": 1 })),
            ("repoFullName", json!({ "repoFullName": "api", "issueNumber": 1 })),
            ("repoFullName", json!({ "repoFullName": "a/b/c", "issueNumber": 1 })),
            ("issueNumber", json!({ "repoFullName": API })),
            ("issueNumber", json!({ "repoFullName": API, "issueNumber": 0 })),
            ("issueNumber", json!({ "repoFullName": API, "issueNumber": -1 })),
            ("issueNumber", json!({ "repoFullName": API, "issueNumber": 1.5 })),
            ("issueNumber", json!({ "repoFullName": API, "issueNumber": "1" })),
            ("issueNumber", json!({ "repoFullName": API, "issueNumber": 1e300 })),
        ];
        for (field, body) in cases {
            assert_eq!(app.post("/api/issues/refresh", body.clone()).await.expect(400)["field"], field, "{body}");
        }
        let error = refresh(&app, "acme/other", 1).await.expect(404);
        assert!(error["error"].as_str().unwrap().starts_with("Repo acme/other is not tracked."), "{error}");
        assert_eq!(app.sim.counters().requests, 0);
    }
}
