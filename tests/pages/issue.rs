//! The page of an issue: what its forms begin with, and all that happened to it.

use std::collections::BTreeSet;

use dispatch::{domain::lane::Lanes, engine};
use serde_json::json;

use crate::{
    API,
    browser::{Browser, Page},
    each_db,
    support::{App, AppBuilder, app::engine_settings},
    world::evidence,
};

const PATH: &str = "/issues/acme/api/1";

/// What a form of the page would send.
fn chosen(page: &Page, action: &str) -> String {
    let form = page.form(&format!("{PATH}/{action}"));
    let field = form.fields.into_iter().find(|(name, _)| name == action);
    field.unwrap_or_else(|| panic!("no {action}")).1
}

async fn id_of(app: &App) -> String {
    let state = app.get(&format!("/api/issues/state?repo={API}&number=1")).await.expect(200);
    state["issueId"].as_str().expect("an id").to_owned()
}

each_db! {
    async fn forms_begin_with_what_is_so(db) {
        let lanes: Lanes = r#"{"lanes":[
            {"id":"big","title":"Big","claimable":true,"role":"escalation"},
            {"id":"small","title":"Small","claimable":true,"role":"default"}]}"#.parse().unwrap();
        let defaults = engine_settings();
        let settings = engine::Settings { rules: defaults.rules.clone().with_lanes(lanes), ..defaults };
        let app = AppBuilder { repos: vec![API.to_owned()], engine: settings, ..AppBuilder::default() }.start(db).await;
        let repo = app.sim.repo(API);
        repo.open_issue("One");
        let browser = Browser::signed_in(&app).await;
        for (labels, priority) in [(&[][..], "none"), (&["priority/P1"], "p1"), (&["priority/high"], "none"), (&["priority/high", "priority/p2"], "p2")] {
            for label in labels {
                repo.add_label(1, label);
            }
            app.next_beat("coder").await;
            let page = browser.get(PATH).await.expect(200);
            assert_eq!(chosen(&page, "priority"), priority, "{labels:?}");
            for label in labels {
                repo.remove_label(1, label);
            }
        }
        // Where nobody chose one, it is in the default lane.
        assert_eq!(chosen(&browser.get(PATH).await, "lane"), "small");
        let form = browser.get(PATH).await.form(&format!("{PATH}/lane"));
        browser.send(&form, &[("lane", "big")]).await.expect(303);
        assert_eq!(chosen(&browser.get(PATH).await, "lane"), "big");
    }

    async fn all_that_happened_is_shown_page_by_page(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        app.beat("coder").await;
        let id = id_of(&app).await;
        app.db.sql(&format!(
            "INSERT INTO runs (id, agent_name, agent_key, run_type, status, started_at, warnings, errors, touched, reads, issue_id, created_at)
             WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 150)
             SELECT 'many-' || n, 'coder', 'coder', 'implement', 'ok', n, '[]', '[]', '[]', '[]', '{id}', n / 7 FROM g"
        )).await;
        let mut broken = evidence(42, "first");
        broken["issue"] = json!(1);
        app.post("/api/pr-fix-queue/enqueue", broken).await.expect(200);
        // Another is about it by its branch or its words.
        let mut linked = evidence(43, "second");
        linked.as_object_mut().unwrap().remove("issue");
        app.post("/api/pr-fix-queue/enqueue", linked).await.expect(200);
        app.db.sql(
            "INSERT INTO pulls (repository_id, number, title, state, url, draft, created_at, updated_at, content_hash)
                 SELECT id, 43, 'Mends it', 'closed', 'https://github.com/x', FALSE, 0, 0, 'hash' FROM repositories;
             INSERT INTO pull_links (repository_id, number, issue_number, linked_by) SELECT id, 43, 1, 'branch' FROM repositories"
        ).await;
        let browser = Browser::signed_in(&app).await;
        let (mut seen, mut pages, mut path) = (Vec::new(), 0, Some(PATH.to_owned()));
        while let Some(at) = path {
            let page = browser.get(&at).await.expect(200);
            seen.extend(page.text.split("href=\"/runs/many-").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
            if pages == 0 {
                page.says("PR fix</span> <strong>PR #42</strong> <a href=\"/automation/pr-fix-queue/acme/api/42\">enqueue</a>").says("api/43\">enqueue</a>");
            } else {
                page.says("To the newest");
                assert!(!page.text.contains("enqueue</a>"), "it is on the first page");
            }
            let link = page.text.split("<a ").find(|link| link.contains("More happened before"));
            path = link.map(|link| link.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&"));
            pages += 1;
        }
        assert_eq!((pages, seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (3, 150, 150));
        browser.get(&format!("{PATH}?before=x")).await.expect(400);
    }

    async fn an_agent_that_cannot_be_is_shown_again_with_what_is_wrong(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        app.beat("coder").await;
        let page = Browser::signed_in(&app).await.get(&format!("{PATH}?agent=no%20name")).await.expect(400);
        page.says("role=\"alert\">agent: ").says("name=\"agent\" list=\"agents\" value=\"no name\"").says("<h1>One</h1>");
    }
}
