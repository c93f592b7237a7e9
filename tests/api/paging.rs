//! Pages: of whatever size, every row once and in one order; without `limit` as much as the design says.

use std::collections::BTreeSet;

use github_sim::NewIssue;
use serde_json::{Value, json};

use crate::{
    API, WEB, each, each_db, follow, next_page, rows,
    support::{App, AppBuilder},
};

/// A repository whose issues changed in few different seconds, so that many are tied.
async fn tied(db: crate::support::TestDb, count: usize) -> App {
    let app = App::with_repos(db, &[API]).await;
    let api = app.sim.repo(API);
    api.seed(count, |n| {
        NewIssue::new(format!("Issue {n}")).label(if n % 2 == 0 { "priority/p1" } else { "bug" })
    });
    app.tick();
    for number in 1..=30 {
        api.set_title(number, "Changed later");
    }
    app.next_beat("coder").await;
    app
}

fn ids(rows: &[Value]) -> Vec<String> {
    each(&rows.into(), "id")
}

each_db! {
    async fn pages_of_any_size_are_the_whole_list_in_its_order(db) {
        let app = tied(db, 250).await;
        let whole = app.get(&format!("/api/issues?repo={API}")).await;
        assert_eq!(next_page(&whole), None);
        let whole = ids(rows(&whole.expect(200)));
        assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 250);
        for (limit, pages) in [(1, 250), (7, 36), (50, 5), (249, 2), (250, 1), (1_000, 1), (5_000, 1)] {
            for query in [format!("limit={limit}"), format!("limit={limit}&repo=ACME/api")] {
                let (all, count) = follow(&app, &format!("/api/issues?{query}")).await;
                assert_eq!((ids(&all), count), (whole.clone(), pages), "{query}");
            }
        }
        let list = app.get("/api/issues").await.expect(200);
        let times = each(&list, "updatedAt");
        assert!(times.is_sorted_by(|a, b| a >= b), "not last changed first");
    }

    async fn a_link_keeps_the_filters(db) {
        let app = tied(db, 250).await;
        let (all, pages) = follow(&app, "/api/issues?priority=PRIORITY%2FP1&includeClosed=true&limit=40").await;
        assert_eq!((all.len(), pages), (125, 4));
        assert!(all.iter().all(|issue| issue["labels"] == json!(["priority/p1"])));
    }

    async fn a_cursor_by_hand_goes_with_any_filter(db) {
        let app = tied(db, 60).await;
        let first = app.get("/api/issues?limit=10").await;
        let cursor = first.header("x-next-cursor").unwrap().to_owned();
        let rest = app.get(&format!("/api/issues?repo={API}&cursor={cursor}")).await;
        assert_eq!((rows(&rest.expect(200)).len(), next_page(&rest)), (50, None));
    }

    async fn what_changes_between_two_pages_is_neither_lost_nor_doubled(db) {
        let app = tied(db, 250).await;
        let first = app.get("/api/issues?limit=100").await;
        let second = next_page(&first).unwrap();
        // An issue of a later page moves to the front, and a new one comes before it.
        let moved = app.get(&second).await.expect(200)[0]["number"].as_u64().unwrap();
        app.tick();
        app.sim.repo(API).set_title(moved, "Moved to the front");
        app.sim.repo(API).open_issue("New");
        app.next_beat("coder").await;
        let (rest, _) = follow(&app, &second).await;
        let first = first.expect(200);
        let seen: Vec<_> = rows(&first).iter().chain(&rest).map(|issue| issue["number"].as_u64().unwrap()).collect();
        assert_eq!(seen.len(), 249);
        let seen: BTreeSet<_> = seen.into_iter().collect();
        assert_eq!((seen.len(), seen.contains(&moved)), (249, false));
    }

    async fn without_a_limit_a_thousand_come_and_of_one_repository_all(db) {
        let builder = AppBuilder { repos: vec![API.into(), WEB.into()], ..AppBuilder::default() };
        let app = builder.start(db).await;
        app.sim.repo(API).seed(1_003, |n| format!("Issue {n}"));
        app.sim.repo(WEB).seed(2, |n| format!("Issue {n}"));
        app.next_beat("coder").await;
        let page = app.get("/api/issues").await;
        assert_eq!(rows(&page.expect(200)).len(), 1_000);
        let (all, pages) = follow(&app, "/api/issues").await;
        assert_eq!((all.len(), pages), (1_005, 2));
        let page = app.get("/api/issues?limit=1000000").await;
        assert_eq!(rows(&page.expect(200)).len(), 1_000);
        let whole = app.get(&format!("/api/issues?repo={API}")).await;
        assert_eq!((rows(&whole.expect(200)).len(), next_page(&whole)), (1_003, None));
        let (all, pages) = follow(&app, &format!("/api/issues?repo={API}&limit=1000")).await;
        assert_eq!((all.len(), pages), (1_003, 2));
    }

    async fn runs_and_audit_rows_come_in_pages_too(db) {
        let app = App::with_repos(db, &[]).await;
        for n in 0..60 {
            let run = json!({ "agentName": format!("a-{n}"), "runType": "x", "status": "ok", "startedAt": "2026-01-01T00:00:00Z" });
            app.post("/api/agent-runs", run).await.expect(201);
            app.post("/api/automation/repos", json!({ "fullName": format!("acme/repo-{n}") })).await.expect(201);
        }
        for path in ["/api/agent-runs", "/api/audit"] {
            let page = app.get(path).await;
            assert_eq!(rows(&page.expect(200)).len(), 50, "{path}");
            let (all, pages) = follow(&app, path).await;
            assert_eq!((ids(&all).iter().collect::<BTreeSet<_>>().len(), pages), (60, 2), "{path}");
            for limit in [1, 7, 59, 60, 1_000] {
                let (again, _) = follow(&app, &format!("{path}?limit={limit}")).await;
                assert_eq!(ids(&again), ids(&all), "{path} {limit}");
            }
        }
    }

    async fn a_bad_limit_or_cursor_is_400_and_named(db) {
        let app = App::with_repos(db, &[API]).await;
        for path in ["/api/issues", "/api/agent-runs", "/api/audit"] {
            for limit in ["0", "-1", "x", "1.5", "1e3", "99999999999999999999", "%2B", "NaN", "1%2C000"] {
                let error = app.get(&format!("{path}?limit={limit}")).await.expect(400);
                assert_eq!(error["field"], "limit", "{path} {limit}");
                assert!(error["error"].as_str().unwrap().contains("from 1 to 1000"), "{error}");
            }
            let long = format!("1~{}", "a".repeat(65));
            for cursor in ["x", "1", "1~", "~a", "x~a", "1~a'b", "1~a%00", "99999999999999999999~a", &long, "%FF"] {
                let error = app.get(&format!("{path}?cursor={cursor}")).await.expect(400);
                assert_eq!(error["field"], "cursor", "{path} {cursor}");
            }
            for good in ["", "limit=", "cursor=", "limit=%20", "limit=1", "limit=1000", "limit=1001", "cursor=5~a"] {
                app.get(&format!("{path}?{good}")).await.expect(200);
            }
        }
    }
}
