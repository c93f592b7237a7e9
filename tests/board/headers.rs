//! What pages tell browsers, so that nothing of another site's runs in them, and that they stand in nobody's frame.

use crate::{browser::Browser, each_db, support::App};

/// A path for each page, with what stands in it.
pub fn path_of(page: &str) -> String {
    page.replace("{owner}", "acme")
        .replace("{repo}", "api")
        .replace("{number}", "1")
        .replace("{file}", "none")
        .replace("{id}", "none")
        .replace("{status}", "ready")
        .replace("{action}", "move")
        .replace("{agent}", "coder")
}

each_db! {
    async fn every_page_is_closed_to_other_sites(db) {
        let app = App::with_repos(db, &[crate::API]).await;
        app.sim.repo(crate::API).open_issue("One");
        app.beat("coder").await;
        let browser = Browser::signed_in(&app).await;
        for page in dispatch::http::pages::paths() {
            let answer = browser.get(&path_of(page)).await;
            if answer.status == 405 {
                // It takes forms only, and says so in JSON.
                continue;
            }
            let policy = answer.header("content-security-policy");
            for part in ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
                assert!(policy.contains(part), "{page}: {policy}");
            }
            assert!(!policy.contains("unsafe"), "{page}: {policy}");
            assert_eq!(answer.header("x-frame-options"), "DENY", "{page}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{page}");
            assert_eq!(answer.header("referrer-policy"), "same-origin", "{page}");
            for inline in [" style=\"", "<style", " onclick", " onload", "javascript:"] {
                assert!(!answer.text.contains(inline), "{page} holds {inline}: {}", answer.text);
            }
            let scripts = answer.text.matches("<script").count();
            assert_eq!(scripts, answer.text.matches("<script src=\"/assets/").count(), "{page}");
        }
    }

    async fn without_sign_in_every_page_leads_to_it(db) {
        let app = App::with_repos(db, &[crate::API]).await;
        let browser = Browser::new(&app);
        for page in dispatch::http::pages::paths() {
            if dispatch::http::pages::PUBLIC.contains(&page) {
                continue;
            }
            let path = path_of(page);
            let answer = browser.get(&format!("{path}?a=b")).await;
            if answer.status != 405 {
                assert_eq!(answer.status, 303, "{page}: {}", answer.text);
                let want: String = url::form_urlencoded::byte_serialize(format!("{path}?a=b").as_bytes()).collect();
                assert_eq!(answer.location(), format!("/login?callbackUrl={want}"), "{page}");
            }
            let sent = browser.post(&path, &[]).await;
            if sent.status != 405 {
                assert_eq!((sent.status, sent.location()), (303, "/login?callbackUrl=%2F"), "{page}");
            }
            assert!(answer.status == 303 || sent.status == 303, "{page} takes nothing");
            let mut script = Browser::new(&app);
            script.headers.push(("sec-fetch-dest", "empty".to_owned()));
            let asked = script.get(&path).await.status;
            assert!([401, 405].contains(&asked), "{page}: a script is told, not led: {asked}");
        }
    }

    async fn assets_are_kept_for_ever_under_the_name_of_their_content(db) {
        let app = App::with_repos(db, &[crate::API]).await;
        let browser = Browser::new(&app);
        let page = browser.get("/login").await.expect(200);
        let names: Vec<&str> = page.text.split('"').filter(|text| text.starts_with("/assets/")).collect();
        assert!(names.len() >= 3, "{names:?}");
        for name in names {
            let asset = browser.get(name).await.expect(200);
            assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable", "{name}");
        }
        browser.get("/assets/app-000000000000.css").await.expect(404);
        assert_eq!(page.header("cache-control"), "private, no-cache");
    }
}
