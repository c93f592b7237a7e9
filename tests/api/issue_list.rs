//! `GET /api/issues`: shape, filters, and what is hidden.

use std::time::Duration;

use github_sim::NewIssue;
use serde_json::json;

use crate::{
    API, WEB, each_db, numbers, rows,
    support::{App, BOUND, UNBOUND, app::send, world},
};

const DAY: Duration = Duration::from_hours(24);

each_db! {
    async fn an_issue_has_the_fields_that_clients_read(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue(NewIssue::new("One").body("Words").label("status/ready").assignee("mona"));
        app.beat("coder").await;
        let list = app.get("/api/issues").await.expect(200);
        let mut issue = rows(&list)[0].clone();
        let repos = app.get("/api/repos").await.expect(200);
        let repo = repos[0]["id"].clone();
        assert!(issue["id"].as_str().is_some_and(|id| !id.is_empty()));
        issue["id"].take();
        assert_eq!(issue["version"].take().as_str().map(str::len), Some(32));
        assert_eq!(issue, json!({
            "id": null,
            "number": 1,
            "repositoryId": repo,
            "title": "One",
            "body": "Words",
            "state": "open",
            "url": "https://github.com/acme/api/issues/1",
            "labels": ["status/ready"],
            "assignees": ["mona"],
            "commentsCount": 0,
            "createdAt": "2026-01-01T00:00:00.000Z",
            "updatedAt": "2026-01-01T00:00:00.000Z",
            "closedAt": null,
            "lastSyncedAt": "2026-01-01T00:00:00.000Z",
            "currentLane": null,
            "decomposed": false,
            "repository": { "id": repo, "name": "api", "owner": "acme", "fullName": API, "enabled": true },
            "decomposedAt": null,
            "decomposedBy": null,
            "decomposedNote": null,
            "followUpUrls": [],
            "groomedAt": null,
            "groomedBy": null,
            "groomingSummary": null,
            "notReadyReason": null,
            "blockedReason": null,
            "needsInfoReason": null,
            "nextGroomingAction": null,
            "linkedPrNumber": null,
            "linkedPrUrl": null,
            "linkedPrNeedsFollowup": false,
            "linkedPrFollowupReasons": [],
            "linkedPrReviewDecision": null,
            "linkedPrMergeState": null,
            "linkedPrHealthCheckedAt": null,
            "version": null,
        }));
    }

    async fn a_repository_is_named_without_case_and_an_unknown_one_has_no_issues(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).open_issue("One");
        app.sim.repo(WEB).open_issue("Two");
        app.beat("coder").await;
        assert_eq!(rows(&app.get("/api/issues").await.expect(200)).len(), 2);
        for name in ["acme/api", "ACME/Api", "acme%2FAPI", "%20acme/api%20"] {
            let list = app.get(&format!("/api/issues?repo={name}")).await.expect(200);
            assert_eq!((rows(&list).len(), list[0]["title"].as_str()), (1, Some("One")), "{name}");
        }
        for name in ["acme/none", "nobody/api", "acme/api-2"] {
            assert_eq!(app.get(&format!("/api/issues?repo={name}")).await.expect(200), json!([]), "{name}");
        }
        for name in ["acme", "acme/", "/api", "acme/api/x", "ac%20me/api"] {
            let error = app.get(&format!("/api/issues?repo={name}")).await.expect(400);
            assert_eq!(error["field"], "repo", "{name}");
        }
        assert_eq!(rows(&app.get("/api/issues?repo=").await.expect(200)).len(), 2);
    }

    async fn label_filters_are_joined_and_have_no_case(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        api.open_issue(NewIssue::new("1").labels(["agent/Coder", "owner/mona", "project/Alpha", "priority/P1"]));
        api.open_issue(NewIssue::new("2").labels(["agent/coder", "owner/hubot", "project/alpha beta"]));
        api.open_issue(NewIssue::new("3").labels(["Priority/p1", "project/alpha"]));
        api.open_issue(NewIssue::new("4").labels(["agent/coder-2", "priority/p10", "project/ü"]));
        app.beat("coder").await;
        let cases: [(&str, &[i64]); 16] = [
            ("agent=agent/coder", &[1, 2]),
            ("agent=AGENT/CODER", &[1, 2]),
            ("agent=coder", &[]),
            ("owner=owner/mona", &[1]),
            ("project=alpha", &[1, 3]),
            ("project=ALPHA", &[1, 3]),
            ("project=Alpha%20Beta", &[2]),
            ("project=alpha+beta", &[2]),
            ("project=%C3%9C", &[4]),
            ("project=project/alpha", &[]),
            ("priority=priority/p1", &[1, 3]),
            ("agent=agent/coder&priority=PRIORITY/P1", &[1]),
            ("agent=agent/coder&owner=owner/hubot&project=alpha%20beta", &[2]),
            ("agent=agent/coder&owner=owner/mona&project=alpha&priority=priority/p1&repo=ACME/API", &[1]),
            ("agent=&priority=&unknown=x", &[1, 2, 3, 4]),
            // Text, never a pattern nor SQL.
            ("priority=priority/p%25&agent=agent/coder'%20OR%201=1--", &[]),
        ];
        for (query, want) in cases {
            let mut found = numbers(&app.get(&format!("/api/issues?{query}")).await.expect(200));
            found.sort_unstable();
            assert_eq!(found, want, "{query}");
        }
    }

    async fn decomposed_issues_are_told_apart(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        api.open_issue("One");
        api.open_issue("Two");
        app.beat("coder").await;
        app.db.sql("UPDATE issues SET decomposed = TRUE WHERE number = 2").await;
        for (query, want) in [("decomposed=true", vec![2]), ("decomposed=false", vec![1]), ("decomposed=x", vec![1])] {
            let list = app.get(&format!("/api/issues?{query}")).await.expect(200);
            assert_eq!(numbers(&list), want, "{query}");
        }
        assert_eq!(rows(&app.get("/api/issues").await.expect(200)).len(), 2);
    }

    async fn closed_issues_stay_for_the_window_and_on_request_for_as_long_as_they_are_cached(db) {
        let app = App::with_repos(db, &[API]).await;
        let api = app.sim.repo(API);
        for title in ["Open", "Closed early", "Closed late"] {
            api.open_issue(title);
        }
        app.beat("coder").await;
        api.close_issue(2);
        app.next_beat("coder").await;
        app.advance(6 * DAY);
        api.close_issue(3);
        app.next_beat("coder").await;
        let shown = async |query: &str| {
            let mut numbers = numbers(&app.get(&format!("/api/issues{query}")).await.expect(200));
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(shown("").await, [1, 2, 3]);
        app.advance(DAY);
        for (query, want) in [
            ("", vec![1, 3]),
            ("?repo=acme/api", vec![1, 3]),
            ("?includeClosed=false", vec![1, 3]),
            ("?includeClosed=1", vec![1, 3]),
            ("?includeClosed=true", vec![1, 2, 3]),
            ("?includeClosed=true&repo=acme/api", vec![1, 2, 3]),
        ] {
            assert_eq!(shown(query).await, want, "{query}");
        }
        let closed = app.get("/api/issues?includeClosed=true&priority=&repo=acme/api").await.expect(200);
        let closed = rows(&closed).iter().find(|issue| issue["number"] == 3).unwrap();
        assert_eq!((closed["state"].as_str(), closed["labels"].clone()), (Some("closed"), json!(["status/done"])));
        world::assert_same(&app, API).await;
    }

    async fn workers_may_read_it(db) {
        let app = App::with_repos(db, &[API]).await;
        for token in [BOUND, UNBOUND] {
            send(app.request("GET", "/api/issues", token)).await.expect(200);
        }
    }
}
