//! Repositories by form: added and read at once, read again, removed; and what a failed read says.

use std::time::Duration;

use github_sim::{Fault, FaultKind, Match};

use crate::{
    API,
    browser::Browser,
    each_db,
    support::{App, START_MS},
};

each_db! {
    async fn a_repository_is_added_read_and_removed(db) {
        let app = App::with_repos(db, &[]).await;
        app.sim.create_repo(API).open_issue("One");
        let browser = Browser::signed_in(&app).await;
        let form = browser.get("/repositories").await.form("/repositories/add");
        let answer = browser.send(&form, &[("repo", " acme/api ")]).await.expect(303);
        assert_eq!(answer.location(), "/repositories");
        let page = browser.follow(&answer).await;
        page.says("acme/api is tracked; GitHub was read").says("up to date").says("<td class=\"number\">1</td>").says("tracked by an operator");
        let again = browser.send(&form, &[("repo", API)]).await.expect(303);
        browser.follow(&again).await.says("Not done:").says("already tracked");
        let wrong = browser.send(&form, &[("repo", "acme")]).await.expect(303);
        browser.follow(&wrong).await.says("write it as owner/name");
        let remove = page.form("/repositories/remove");
        let gone = browser.send(&remove, &[]).await.expect(303);
        browser.follow(&gone).await.says("acme/api is tracked no more").says("Name one above");
        let gone = browser.send(&remove, &[]).await.expect(303);
        browser.follow(&gone).await.says("Not done:").says("not tracked");
        let actions: Vec<String> = app.get("/api/audit?repo=acme/api").await.expect(200).as_array().unwrap().iter()
            .map(|row| format!("{} by {}", row["action"].as_str().unwrap(), row["actor"].as_str().unwrap())).collect();
        assert_eq!(actions, ["remove_tracked_repo by operator", "add_tracked_repo by operator"]);
    }

    async fn a_sync_by_form_shows_what_changed_or_why_it_failed(db) {
        let app = App::with_repos(db, &[API]).await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/repositories").await.expect(200);
        page.says("not read yet").says("first read is under way");
        let all = page.forms().into_iter().find(|form| form.action == "/repositories/sync" && form.fields.len() == 2).unwrap();
        let answer = browser.send(&all, &[]).await.expect(303);
        browser.follow(&answer).await.says("the cache is up to date").says("up to date");
        app.sim.repo(API).open_issue("New");
        app.tick();
        app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::method("GET")));
        let one = browser.get("/repositories").await.forms().into_iter()
            .find(|form| form.fields.iter().any(|(name, value)| name == "repo" && value == API)).unwrap();
        let answer = browser.send(&one, &[]).await.expect(303);
        browser.follow(&answer).await.says("Not done:").says("404").says("the last read failed").says("class=\"fault\"");
        app.sim.clear_faults();
        app.tick();
        let answer = browser.send(&one, &[]).await.expect(303);
        browser.follow(&answer).await.says("the cache is up to date").says("<td class=\"number\">1</td>");
    }

    async fn what_github_has_not_confirmed_for_long_is_not_up_to_date(db) {
        let app = App::with_repos(db, &[API]).await;
        let browser = Browser::signed_in(&app).await;
        browser.get("/").await.says("<td>never</td>");
        app.beat("coder").await;
        browser.get("/repositories").await.says("up to date");
        // Nobody asks: after three intervals that is said.
        app.advance(Duration::from_mins(45));
        browser.get("/repositories").await.says("up to date");
        app.advance(Duration::from_secs(1));
        let page = browser.get("/repositories").await;
        page.says("class=\"mark bad\">not confirmed lately").says("as it was <time");
        assert!(!page.text.contains("up to date"), "{}", page.text);
        browser.get("/").await.says("✕ old</span> <time");
        app.beat("coder").await;
        browser.get("/repositories").await.says("up to date");
        assert!(!browser.get("/").await.text.contains("✕ old"));
        // The interval is that of the job that reads; where a webhook is alive, the longer one counts.
        app.engine.jobs().announce("sync", Duration::from_mins(2));
        app.advance(Duration::from_mins(7));
        browser.get("/repositories").await.says("not confirmed lately");
        app.db.sql(&format!(
            "INSERT INTO webhook_deliveries (guid, event, repository, repo_key, received_at, state, attempts, next_try_at, settled_at)
                 VALUES ('heard', 'issues', '{API}', '{API}', {START_MS}, 'applied', 1, 0, 0)"
        )).await;
        browser.get("/repositories").await.says("up to date");
    }

    async fn why_github_is_not_asked_is_said(db) {
        let app = App::with_repos(db, &[API]).await;
        app.beat("coder").await;
        let fault = app.sim.fault(Fault::new(FaultKind::PrimaryLimit));
        app.tick();
        app.beat("coder").await;
        app.sim.clear_fault(fault);
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/repositories").await;
        page.says("class=\"mark warn\">reading waits").says("as it was <time").says("the hourly quota is used up");
        app.advance(Duration::from_mins(50));
        browser.get("/repositories").await.says("not confirmed lately").says("the hourly quota is used up");
    }
}
