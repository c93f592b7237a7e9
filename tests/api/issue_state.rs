//! `GET /api/issues/state`: one issue, without any filter.

use github_sim::NewIssue;
use serde_json::json;

use crate::{
    API, each_db,
    support::{App, AppBuilder, BOUND, app::send},
};

each_db! {
    async fn it_shows_what_lists_hide(db) {
        let mut builder = AppBuilder { repos: vec![API.into()], ..AppBuilder::default() };
        builder.engine.rules = dispatch::domain::labels::Rules::new(["wontfix"]);
        let app = builder.start(db).await;
        app.sim.repo(API).open_issue(NewIssue::new("Hidden").labels(["wontfix", "status/ready"]));
        app.beat("coder").await;
        assert_eq!(app.get("/api/issues").await.expect(200), json!([]));
        let answer = send(app.request("GET", "/api/issues/state?repo=Acme/API&number=1", BOUND)).await;
        let state = answer.expect(200);
        assert!(state["issueId"].as_str().is_some_and(|id| !id.is_empty()));
        let mut rest = state;
        rest.as_object_mut().unwrap().remove("issueId");
        let version = rest.as_object_mut().unwrap().remove("version").expect("a version");
        assert_eq!(answer.header("etag"), Some(version.to_string().as_str()), "the version in quotes");
        assert_eq!(rest, json!({
            "repoFullName": API, "number": 1, "state": "open", "closedAt": null, "labels": ["wontfix", "status/ready"],
        }));
    }

    async fn a_closed_issue_says_when(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        app.beat("coder").await;
        app.tick();
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        let state = app.get("/api/issues/state?repo=acme/api&number=1").await.expect(200);
        assert_eq!((state["state"].as_str(), state["closedAt"].as_str()), (Some("closed"), Some("2026-01-01T00:00:10.000Z")));
    }

    async fn its_errors_are_the_contracts(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        let pull = app.sim.repo(API).open_pull("A pull request", "fix/1");
        app.beat("coder").await;
        let missing = "Missing required query parameters: repo, number";
        let gone = |repo: &str, number: &str| format!("Issue not found in cache: {repo}#{number}");
        let cases = [
            ("", 400, missing.to_owned(), Some("repo")),
            ("?repo=acme/api", 400, missing.to_owned(), Some("number")),
            ("?number=1", 400, missing.to_owned(), Some("repo")),
            ("?repo=&number=1", 400, missing.to_owned(), Some("repo")),
            ("?repo=acme/api&number=", 400, missing.to_owned(), Some("number")),
            ("?repo=acme/api&number=one", 400, "Invalid number: one".to_owned(), Some("number")),
            ("?repo=acme/api&number=0", 400, "Invalid number: 0".to_owned(), Some("number")),
            ("?repo=acme/api&number=-1", 400, "Invalid number: -1".to_owned(), Some("number")),
            ("?repo=acme/api&number=1.5", 400, "Invalid number: 1.5".to_owned(), Some("number")),
            ("?repo=acme/api&number=9223372036854775808", 400, "Invalid number: 9223372036854775808".to_owned(), Some("number")),
            ("?repo=acme/api&number=2147483648", 404, gone(API, "2147483648"), None),
            ("?repo=acme/api&number=9223372036854775807", 404, gone(API, "9223372036854775807"), None),
            ("?repo=acme/api&number=77", 404, gone(API, "77"), None),
            ("?repo=acme/none&number=1", 404, gone("acme/none", "1"), None),
        ];
        for (query, status, message, field) in cases {
            let error = app.get(&format!("/api/issues/state{query}")).await.expect(status);
            assert_eq!((error["error"].as_str(), error["field"].as_str()), (Some(message.as_str()), field), "{query}");
        }
        let error = app.get("/api/issues/state?repo=acme&number=1").await.expect(400);
        assert_eq!(error["field"], "repo");
        app.get(&format!("/api/issues/state?repo=acme/api&number={pull}")).await.expect(404);
    }
}
