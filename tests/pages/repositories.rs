//! Repositories by form: added and read at once, read again, removed; and what a failed read says.

use github_sim::{Fault, FaultKind, Match};

use crate::{API, browser::Browser, each_db, support::App};

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
}
