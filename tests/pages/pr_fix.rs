//! The PR-fix queue: evidence and history, marks and requeues by form.

use crate::{
    browser::Browser,
    each_db,
    lists::{all, each_once, walk},
    world::furnished,
};

const ITEM: &str = "/automation/pr-fix-queue/acme/api/42";

each_db! {
    async fn an_item_shows_its_evidence_and_its_history(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get(ITEM).await.expect(200);
        page.says("ci failure").says("review:first").says("review:second").says("enqueue").says("queued");
        page.says("href=\"/issues/acme/api/2\"");
        assert!(!page.text.contains("javascript:"), "its address is no link");
        let queue = browser.get("/automation/pr-fix-queue").await.expect(200);
        queue.says(&format!("href=\"{ITEM}\"")).says("<strong>1</strong> queued in normal");
        browser.get("/automation/pr-fix-queue?lane=ESCALATED").await.expect(200).says("No item fits these filters");
        let found = browser.get("/automation/pr-fix-queue?repo=Acme/API&pr=42").await.expect(303);
        browser.follow(&found).await.expect(200);
    }

    async fn items_of_every_state_are_listed_page_by_page(db) {
        let app = furnished(db).await;
        app.db.sql(
            "INSERT INTO pr_fix_items (id, repo, pr, lane, kind, kind_rank, reason, status, is_open, queued_at, updated_at, turn_at,
                    generation, fix_attempts, handout_reclaims)
             WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 240)
             SELECT 'p' || n, 'acme/api', 1000 + n, CASE WHEN n % 8 = 0 THEN 'ESCALATED' ELSE 'NORMAL' END, 'OTHER', 3, 'red',
                CASE WHEN n % 4 = 0 THEN 'FIXED' WHEN n % 4 = 1 THEN 'STALE' WHEN n % 4 = 2 THEN 'IGNORED' ELSE 'QUEUED' END,
                n % 4 = 3, n, n, n, 1, 1, 0 FROM g"
        ).await;
        let browser = Browser::signed_in(&app).await;
        let link = "<th scope=\"row\"><a href=\"/automation/pr-fix-queue/";
        for (query, want) in [
            ("", &[50, 11][..]), ("status=QUEUED", &[50, 11]), ("status=BLOCKED", &[0]), ("status=fixed", &[50, 10]), ("status=STALE", &[50, 10]),
            ("status=IGNORED", &[50, 10]), ("status=FIXED&lane=ESCALATED", &[30]), ("lane=ESCALATED", &[0]),
        ] {
            each_once(&walk(&browser, &format!("/automation/pr-fix-queue?{query}"), link).await, want);
        }
        let fixed = browser.get("/automation/pr-fix-queue?status=FIXED").await;
        fixed.says("<option value=\"FIXED\" selected>fixed</option>");
        assert_eq!(all(&fixed, link)[0], "acme/api/1240", "what changed last comes first");
    }

    async fn an_operator_marks_and_requeues_it(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        let stale = browser.get(ITEM).await.form("/automation/pr-fix-queue/mark");
        let answer = browser.send(&stale, &[("status", "BLOCKED"), ("note", "Needs a person")]).await.expect(303);
        assert_eq!(answer.location(), ITEM);
        let page = browser.follow(&answer).await;
        page.says("It is blocked now").says("Needs a person");
        let history = app.get("/api/pr-fix-queue/history?repo=acme/api&pr=42").await.expect(200);
        assert_eq!((&history["history"][0]["action"], &history["item"]["status"]), (&"mark".into(), &"BLOCKED".into()));
        let requeue = page.form("/automation/pr-fix-queue/requeue");
        let answer = browser.send(&requeue, &[("note", "Once more")]).await.expect(303);
        let page = browser.follow(&answer).await;
        page.says("It is queued again").says("Once more");
        assert!(page.forms().iter().all(|form| !form.action.ends_with("/requeue")), "it is queued already");
        // What was decided on an attempt that is over is not done.
        let late = browser.send(&stale, &[("status", "IGNORED"), ("generation", "77")]).await.expect(303);
        browser.follow(&late).await.says("Not done:").says("generation mismatch");
        let again = browser.send(&requeue, &[]).await.expect(303);
        browser.follow(&again).await.says("Not done:");
        for (field, value) in [("status", "x"), ("repo", "x"), ("pr", "0"), ("generation", "x")] {
            let refused = browser.send(&stale, &[(field, value)]).await.expect(303);
            browser.follow(&refused).await.says("Not done:");
        }
        let unknown = browser.send(&stale, &[("pr", "77"), ("status", "FIXED")]).await.expect(303);
        browser.follow(&unknown).await.says("not found");
    }
}
