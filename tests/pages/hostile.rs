//! Texts that others write are texts on every page, and no page tells a secret.

use crate::{
    browser::Browser,
    each_db,
    support::{BOUND, MAINTAINER, UNBOUND},
    world::{BROKEN_OUT, furnished, hostile, pages},
};

/// What is escaped on a page is there as it was written.
fn escaped(field: &str) -> String {
    hostile(field)
        .replace('&', "&#38;")
        .replace('<', "&#60;")
        .replace('>', "&#62;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}

each_db! {
    async fn what_others_write_breaks_out_nowhere(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        // What was released tells its reason in the log.
        let release = browser.get("/agents/coder").await.form("/work/release");
        let mut seen = String::new();
        for path in pages(&app).await {
            let page = browser.get(&path).await.expect(200);
            assert!(!page.text.contains(BROKEN_OUT), "{path}: {}", page.text);
            assert!(!page.text.contains("javascript:"), "{path}: {}", page.text);
            seen.push_str(&page.text);
        }
        browser.send(&release, &[("reason", &hostile("reason"))]).await.expect(303);
        for path in ["/agents/coder", "/audit", "/issues/acme/api/1"] {
            let page = browser.get(path).await.expect(200);
            assert!(!page.text.contains(BROKEN_OUT), "{path}: {}", page.text);
            seen.push_str(&page.text);
        }
        // Nothing was left out either: a field that no page shows would prove nothing.
        for field in ["title", "label", "assigned", "named", "summary", "branch", "blocker", "type", "status", "run", "error", "reason", "feedback",
            "key", "fix", "pr", "author", "token", "parked", "actor", "event", "action", "repository", "words"] {
            assert!(seen.contains(&escaped(field)), "{field} is shown nowhere");
        }
    }

    async fn names_that_are_none_are_refused_and_come_back_as_texts(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        let name: String = url::form_urlencoded::byte_serialize(hostile("agent").as_bytes()).collect();
        let name = name.replace('+', "%20");
        app.post(&format!("/api/agents/{name}/heartbeat"), serde_json::json!({})).await.expect(400);
        for path in ["agents/", "automation/pr-fix-queue/acme/", "issues/acme/", "runs/"] {
            let page = browser.get(&format!("/{path}{name}")).await.expect(404);
            assert!(!page.text.contains(BROKEN_OUT), "{path}: {}", page.text);
        }
        for (page, action, field) in [
            ("/settings", "/settings/tokens", "agent"),
            ("/repositories", "/repositories/add", "repo"),
            ("/agents/coder", "/work/reassign", "to"),
            ("/issues/acme/api/2", "/issues/acme/api/2/claim", "agent"),
            ("/issues/acme/api/2", "/issues/acme/api/2/label", "label"),
            ("/issues/acme/api/2", "/issues/acme/api/2/comment", "body"),
            ("/issues/acme/api/2", "/issues/acme/api/2/groom", "reason"),
        ] {
            let form = browser.get(page).await.form(action);
            let sent = browser.send(&form, &[(field, &hostile(field))]).await.expect(303);
            let after = browser.follow(&sent).await;
            assert!(!after.text.contains(BROKEN_OUT), "{action}: {}", after.text);
        }
        for path in pages(&app).await {
            let page = browser.get(&path).await.expect(200);
            assert!(!page.text.contains(BROKEN_OUT), "{path}: {}", page.text);
        }
    }

    async fn filters_come_back_as_texts(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        let value: String = url::form_urlencoded::byte_serialize(hostile("filter").as_bytes()).collect();
        for path in ["/runs?type=", "/runs?status=", "/audit?actor=", "/deliveries?event=", "/agents?x=", "/runs?agent=", "/outbox?state=",
            "/outbox?repo=", "/audit?repo=", "/deliveries?state=", "/automation/pr-fix-queue?lane=", "/runs?cursor=", "/runs?from="] {
            let page = browser.get(&format!("{path}{value}")).await;
            assert!([200, 400].contains(&page.status), "{path}: {}", page.status);
            assert!(!page.text.contains(BROKEN_OUT), "{path}: {}", page.text);
        }
    }

    async fn no_page_tells_a_secret(db) {
        let app = furnished(db).await;
        let made = app.post("/api/tokens", serde_json::json!({ "name": "second" })).await.expect(201);
        let browser = Browser::signed_in(&app).await;
        let session = browser.cookie("dispatch_session").unwrap();
        let secrets = [MAINTAINER, BOUND, UNBOUND, made["token"].as_str().unwrap(), &app.sim.token(), &session];
        let mut paths = pages(&app).await;
        paths.extend(["/audit/export?format=csv".to_owned(), "/audit/export?format=jsonl".to_owned()]);
        for path in paths {
            let page = browser.get(&path).await.expect(200);
            for secret in secrets {
                assert!(!page.text.contains(secret), "{path} tells {secret}");
            }
        }
    }
}
