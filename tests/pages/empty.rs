//! Pages of a server on which nothing has happened: each says what to do next.

use crate::{browser::Browser, each_db, support::App};

/// Every page of such a server, and what it says.
pub const PAGES: [(&str, &str); 18] = [
    ("/", "dispatch repo add owner/name"),
    ("/board", "dispatch repo add owner/name"),
    ("/board?q=none", "Show all cards"),
    ("/agents", "dispatch heartbeat NAME"),
    ("/runs", "dispatch heartbeat NAME"),
    ("/runs?status=error", "Show all runs"),
    ("/automation/pr-fix-queue", "POST /api/pr-fix-queue/enqueue"),
    ("/automation/pr-fix-queue?lane=NORMAL", "Show all lanes"),
    ("/projects", "Add a repository"),
    ("/repositories", "Name one above"),
    ("/automation", "Name one above"),
    ("/outbox", "GitHub has been told everything"),
    ("/outbox?state=parked", "Show what waits"),
    ("/deliveries", "WEBHOOK_SECRET"),
    ("/deliveries?state=failed", "Show all deliveries"),
    ("/audit?actor=nobody", "Show all decisions"),
    ("/settings", "No token was made here yet"),
    ("/settings", "No job runs in this process"),
];

each_db! {
    async fn each_page_says_what_to_do_next(db) {
        let app = App::with_repos(db, &[]).await;
        let browser = Browser::signed_in(&app).await;
        for (path, words) in PAGES {
            let page = browser.get(path).await.expect(200);
            page.says(words).says("class=\"empty\"");
        }
    }

    async fn pages_name_only_routes_that_there_are(db) {
        let app = App::with_repos(db, &[]).await;
        let browser = Browser::signed_in(&app).await;
        let document = serde_json::to_value(dispatch::http::openapi()).unwrap();
        for (path, _) in PAGES {
            let page = browser.get(path).await.expect(200);
            for named in page.text.split("/api/").skip(1) {
                let end = named.find(|one: char| !(one.is_ascii_alphanumeric() || "-/{}".contains(one)));
                let named = format!("/api/{}", &named[..end.unwrap_or(named.len())]);
                let is_page = dispatch::http::pages::paths().any(|page| page == named);
                assert!(is_page || !document["paths"][&named].is_null(), "{path} names {named}");
            }
        }
    }

    async fn what_is_not_there_is_said_and_not_shown(db) {
        let app = App::with_repos(db, &[]).await;
        let browser = Browser::signed_in(&app).await;
        for path in [
            "/agents/nobody", "/agents/no%20name", "/agents/%00", "/runs/none", "/runs/%00", "/automation/pr-fix-queue/acme/api/1",
            "/automation/pr-fix-queue/acme/api/x", "/automation/pr-fix-queue/a%20b/api/1", "/projects?repo=acme/none",
        ] {
            browser.get(path).await.expect(404).says("<h1>Not Found</h1>");
        }
        for path in [
            "/audit/export", "/audit/export?format=csv&from=yesterday", "/projects?repo=x", "/agents?cursor=%20a%20b", "/repositories?cursor=x",
        ] {
            browser.get(path).await.expect(400).says("<h1>Bad Request</h1>");
        }
    }
}
