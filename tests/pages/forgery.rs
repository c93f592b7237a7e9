//! Forms of pages: none is carried out for another site, and each is there for whom it is shown.

use std::collections::BTreeSet;

use crate::{
    browser::{Browser, Form},
    each_db,
    support::App,
    world::{furnished, pages},
};

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
    all
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
        let actions: BTreeSet<&str> = forms.iter().map(|form| form.action.as_str()).collect();
        let takes_forms = ["/work/release", "/work/reassign", "/automation/pr-fix-queue/mark", "/automation/pr-fix-queue/requeue",
            "/repositories/add", "/repositories/remove", "/repositories/sync", "/outbox/retry", "/outbox/discard",
            "/deliveries/retry", "/settings/tokens", "/settings/tokens/revoke", "/settings/sessions/end"];
        for action in takes_forms {
            assert!(actions.contains(action), "{action} has a form on no page: {actions:?}");
        }
        app.tick();
        let before = state(&app).await;
        for form in &forms {
            if form.action == "/theme" {
                continue;
            }
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
        for form in forms.iter().filter(|form| form.action != "/theme") {
            assert_eq!(other.send(form, &[]).await.status, 403, "{}", form.action);
        }
        assert_eq!(state(&app).await, before_other);
        assert!(before.iter().all(|row| before_other.contains(row)), "nothing of it was done");
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
