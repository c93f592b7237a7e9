//! Forms of pages: none is carried out for another site, and each is there for whom it is shown.

use serde_json::json;

use crate::{
    browser::{Browser, Form, fits},
    each_db,
    support::App,
    world::{furnished, pages},
};

/// Pages that no list of pages has: parts of others, files, what leads to others, and what is shown to those who are not signed in.
const PARTS: [&str; 6] = [
    "/board/column/{status}",
    "/board/cards",
    "/audit/export",
    "/assets/{file}",
    "/login",
    "/settings/tokens",
];

/// Every form of every page, each action once.
async fn forms(app: &App, browser: &Browser) -> Vec<Form> {
    app.post(
        "/api/pr-fix-queue/mark",
        serde_json::json!({ "repo": "acme/api", "pr": 42, "status": "BLOCKED" }),
    )
    .await
    .expect(200);
    let mut all: Vec<Form> = Vec::new();
    for path in pages(app).await {
        for form in browser.get(&path).await.expect(200).forms() {
            if all.iter().all(|other| other.action != form.action) {
                all.push(form);
            }
        }
    }
    // The form of a link is for whoever is not signed in.
    let link = app.post("/api/auth/login-link", json!({})).await.expect(201);
    all.push(Browser::new(app).get(link["path"].as_str().expect("a path")).await.form("/login"));
    all
}

/// Every route that takes forms.
async fn routes_with_forms(browser: &Browser) -> Vec<&'static str> {
    let mut routes = Vec::new();
    for route in dispatch::http::pages::paths() {
        let path: String = route.replace("{number}", "1").replace(['{', '}'], "");
        match browser.post(&path, &[]).await.status {
            405 => {}
            403 => routes.push(route),
            status => panic!("{route}: a form without its token is answered {status}"),
        }
    }
    routes
}

/// What a forged form would change.
async fn state(app: &App) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT id || action FROM audit_log ORDER BY id",
        "SELECT id || state FROM claims ORDER BY id",
        "SELECT id || state FROM outbox ORDER BY id",
        "SELECT guid || state FROM webhook_deliveries ORDER BY guid",
        "SELECT id || status FROM pr_fix_items ORDER BY id",
        "SELECT id || COALESCE(CAST(revoked_at AS TEXT), '') FROM tokens ORDER BY id",
        "SELECT id FROM sessions ORDER BY id",
        "SELECT id || CAST(tracked AS TEXT) FROM repositories ORDER BY id",
        "SELECT repository_id || CAST(COALESCE(confirmed_at, 0) AS TEXT) FROM sync_state ORDER BY repository_id",
    ] {
        all.extend(app.db.texts(sql).await);
    }
    all
}

each_db! {
    async fn every_form_is_refused_that_is_not_ours(db) {
        let app = furnished(db).await;
        let mut browser = Browser::signed_in(&app).await;
        let forms = forms(&app, &browser).await;
        let routes = routes_with_forms(&browser).await;
        assert!(routes.len() > 12, "{routes:?}");
        for route in &routes {
            assert!(forms.iter().any(|form| fits(route, &form.action)), "{route} has a form on no page");
        }
        for form in &forms {
            assert!(routes.iter().any(|route| fits(route, &form.action)), "nothing takes {}", form.action);
        }
        app.tick();
        let before = state(&app).await;
        for form in &forms {
            for token in ["", "x", &"0".repeat(32)] {
                let refused = browser.send(form, &[("csrf", token)]).await;
                assert_eq!(refused.status, 403, "{}: {}", form.action, refused.text);
            }
            let mut bare = form.clone();
            bare.fields.retain(|(name, _)| name != "csrf");
            assert_eq!(browser.send(&bare, &[]).await.status, 403, "{}", form.action);
        }
        // Nor is it read where it comes as something else.
        let discard = serde_json::json!({ "id": "parked-1" });
        let as_json = browser.post_json("/outbox/discard", &discard, &[("content-type", "application/json")]).await;
        assert_eq!(as_json.status, 403);
        for header in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")] {
            browser.headers = vec![(header.0, header.1.to_owned())];
            for form in &forms {
                assert_eq!(browser.send(form, &[]).await.status, 403, "{} from {header:?}", form.action);
            }
        }
        // Somebody else's session has other tokens.
        browser.headers.clear();
        let other = Browser::signed_in(&app).await;
        let before_other = state(&app).await;
        for form in &forms {
            assert_eq!(other.send(form, &[]).await.status, 403, "{}", form.action);
        }
        assert_eq!(state(&app).await, before_other);
        assert!(before.iter().all(|row| before_other.contains(row)), "nothing of it was done");
    }

    async fn every_page_that_there_is_is_looked_at(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        let looked_at = pages(&app).await;
        for route in dispatch::http::pages::paths().filter(|route| !PARTS.contains(route)) {
            if looked_at.iter().all(|path| !fits(route, path)) {
                assert_eq!(browser.get(route).await.status, 405, "{route} is in no list of pages of the tests");
            }
        }
    }

    async fn no_route_of_the_api_is_carried_out_for_another_site(db) {
        let app = furnished(db).await;
        let mut browser = Browser::signed_in(&app).await;
        let before = state(&app).await;
        let document = serde_json::to_value(dispatch::http::openapi()).unwrap();
        let mut tried = 0;
        for (route, item) in document["paths"].as_object().unwrap() {
            // Deliveries of webhooks are signed: a session is nothing to them.
            let is_ours = |method: &str| !item[method].is_null() && !item[method]["security"].is_null();
            for method in ["post", "put", "patch", "delete"].into_iter().filter(|method| is_ours(method)) {
                let path: String = route.replace("{agentName}", "coder").replace(['{', '}'], "");
                for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "same-site"), ("sec-fetch-site", "cross-site")] {
                    browser.headers = vec![(name, value.to_owned()), ("content-type", "application/json".to_owned())];
                    let refused = browser.call(method, &path, "{}").await;
                    assert_eq!(refused.status, 403, "{method} {path} with {name}: {value}: {}", refused.text);
                    refused.says("cross_site");
                }
                if method == "delete" {
                    continue;
                }
                // A form of another site sends one of these, which browsers let it.
                for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
                    browser.headers = vec![("content-type", kind.to_owned())];
                    let refused = browser.call(method, &path, "{}").await;
                    assert_eq!(refused.status, 403, "{method} {path} as {kind}: {}", refused.text);
                }
                tried += 1;
            }
        }
        assert!(tried > 30, "{tried}");
        assert_eq!(state(&app).await, before);
    }

    async fn a_form_leads_back_here_and_nowhere_else(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        let form = browser.get("/outbox").await.form("/outbox/discard");
        for back in ["https://evil.example/", "//evil.example", "/\\evil.example", ""] {
            let answer = browser.send(&form, &[("back", back)]).await.expect(303);
            assert_eq!(answer.location(), "/", "{back}");
        }
    }
}
