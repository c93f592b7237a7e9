//! Where nobody signs in, every page says so, also those that only refuse.

use dispatch::engine::sessions::SignIn;

use crate::{
    API,
    browser::Browser,
    each_db,
    support::AppBuilder,
    world::{furnish, pages},
};

const BANNER: &str = "<strong>Open to everybody:</strong>";

each_db! {
    async fn every_page_says_that_it_is_open_to_everybody(db) {
        let sign_in = SignIn::Open { to_all: true };
        let app = AppBuilder { sign_in, repos: vec![API.to_owned()], ..AppBuilder::default() }.start(db).await;
        let app = furnish(app).await;
        let browser = Browser::new(&app);
        for path in pages(&app).await {
            browser.get(&path).await.expect(200).says(BANNER);
        }
        for path in ["/runs?from=yesterday", "/audit/export", "/projects?repo=x"] {
            browser.get(path).await.expect(400).says(BANNER);
        }
        for path in ["/runs/none", "/agents/nobody", "/issues/acme/api/99", "/board/column/none", "/automation/pr-fix-queue/a/b/1"] {
            let page = browser.get(path).await.expect(404);
            page.says(BANNER).says("<h1>Not Found</h1>");
            assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        }
        browser.post("/outbox/retry", &[]).await.expect(403).says(BANNER);
        browser.post("/theme", &[]).await.expect(403).says(BANNER);
        browser.get("/login?link=x").await.expect(200).says(BANNER);
    }

    async fn elsewhere_no_page_says_so(db) {
        let app = crate::world::furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        for path in ["/", "/runs/none", "/runs?from=yesterday"] {
            assert!(!browser.get(path).await.text.contains(BANNER), "{path}");
        }
    }
}
