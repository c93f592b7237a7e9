//! Agents: whether they live, what they work on, and taking that away.

use std::time::Duration;

use crate::{browser::Browser, each_db, world::furnished};

each_db! {
    async fn an_agent_is_alive_then_quiet_then_silent(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        for (wait, word) in [(0, "alive"), (181, "quiet"), (1_800, "silent")] {
            app.advance(Duration::from_secs(wait));
            browser.get("/agents").await.expect(200).says(&format!("</span> {word}</span>"));
            browser.get("/agents/coder").await.expect(200).says(&format!("It is {word}:"));
        }
        browser.get("/agents/CODER").await.expect(200).says("coder");
    }

    async fn its_page_tells_its_work_its_runs_and_what_it_is_to_mend(db) {
        let app = furnished(db).await;
        app.db.sql("UPDATE pr_fix_items SET holder_name = 'coder', holder_key = 'coder', held_until = 9999999999999").await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/agents/coder").await.expect(200);
        page.says("acme/api#1</a>").says("blocked").says("href=\"/automation/pr-fix-queue/acme/api/42\"").says("href=\"/runs/");
        page.says("title=\"2026-01-01T00:00:00.000Z\"");
        browser.get("/automation/pr-fix-queue").await.says("<a href=\"/agents/coder\">coder</a>");
    }

    async fn work_is_released_by_a_form(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        let form = browser.get("/agents/coder").await.form("/work/release");
        let answer = browser.send(&form, &[("reason", "It is stuck")]).await.expect(303);
        assert_eq!(answer.location(), "/agents/coder");
        browser.follow(&answer).await.says("The work is released").says("It holds no claim").says("What it worked on before");
        let rows = app.get("/api/audit?action=agent_work_released").await.expect(200);
        assert_eq!(rows[0]["actor"], "operator");
        assert!(rows[0]["notes"].as_str().unwrap().contains("It is stuck"), "{rows:?}");
        // A second click finds it done, and says so.
        let again = browser.send(&form, &[]).await.expect(303);
        browser.follow(&again).await.says("Not done:").says("already completed or released");
        let unknown = browser.send(&form, &[("work", "none")]).await.expect(303);
        browser.follow(&unknown).await.says("Not done:");
    }

    async fn work_is_given_to_another_by_a_form(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        let form = browser.get("/agents/coder").await.form("/work/reassign");
        for wrong in ["no name", ""] {
            let refused = browser.send(&form, &[("to", wrong)]).await;
            match refused.status {
                303 => { browser.follow(&refused).await.says("Not done:"); }
                status => assert_eq!(status, 400, "{}", refused.text),
            }
        }
        let answer = browser.send(&form, &[("to", "second")]).await.expect(303);
        browser.follow(&answer).await.says("second has the work now").says("It holds no claim");
        browser.get("/agents/second").await.expect(200).says("acme/api#1</a>");
        let work = app.get("/api/agent-work?agentName=second").await.expect(200);
        assert!(work.to_string().contains("second"), "{work:?}");
        assert!(app.sim.repo(crate::API).issue(1).unwrap().labels.contains(&"agent/second".to_owned()));
    }
}
