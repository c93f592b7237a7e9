//! What GitHub has yet to be told, and what it told: retried and given up by form.

use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use crate::{
    API,
    browser::{Browser, Form, Page},
    each_db,
    world::furnished,
};

/// The form of this action for the row of this id.
fn form(page: &Page, action: &str, id: &str) -> Form {
    let of_row = |form: &Form| form.fields.iter().any(|(name, value)| name == "id" && value == id);
    page.forms()
        .into_iter()
        .find(|form| form.action == action && of_row(form))
        .unwrap_or_else(|| panic!("no {action} of {id}: {}", page.text))
}

each_db! {
    async fn what_is_parked_is_retried_or_given_up(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/outbox").await.expect(200);
        page.says("post a comment").says("2 parked").says("href=\"/issues/acme/api/2\"").says("tried 3 times");
        let retry = form(&page, "/outbox/retry", "parked-1");
        let answer = browser.send(&retry, &[]).await.expect(303);
        assert_eq!(answer.location(), "/outbox");
        let page = browser.follow(&answer).await;
        page.says("GitHub has it now: post a comment").says("1 parked");
        assert!(app.sim.repo(API).comments(1)[0].body.starts_with("Hello"));
        let discard = form(&page, "/outbox/discard", "parked-2");
        let answer = browser.send(&discard, &[]).await.expect(303);
        browser.follow(&answer).await.says("Given up: post a comment").says("GitHub has been told everything");
        assert!(app.sim.repo(API).comments(2).is_empty());
        for done in [&retry, &discard] {
            let answer = browser.send(done, &[]).await.expect(303);
            browser.follow(&answer).await.says("Not done:");
        }
        browser.get("/outbox?state=settled&repo=acme/api").await.says("at GitHub</span>").says("post a comment");
        browser.get("/outbox?state=discarded").await.says("given up</span>");
        let unknown = browser.send(&discard, &[("id", "none")]).await.expect(303);
        browser.follow(&unknown).await.says("No such entry");
    }

    async fn what_pull_requests_bear_leads_to_their_items(db) {
        let app = furnished(db).await;
        let pull = app.sim.repo(API).open_pull("Mends it", "fix/1");
        app.sim.fault(Fault::new(FaultKind::Status(410)).on(Match::method("POST")));
        let evidence = json!({ "repo": API, "pr": pull, "reason": "red", "feedback": "red", "evidenceKey": "k", "lane": "NEEDS_HUMAN" });
        app.post("/api/pr-fix-queue/enqueue", evidence).await.expect(200);
        app.sim.clear_faults();
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/outbox").await.expect(200);
        page.says("add the label needs-human").says("say in a comment why a human is needed").says("3 parked").says("1 parked");
        page.says(&format!("href=\"/automation/pr-fix-queue/acme/api/{pull}\">acme/api#{pull}</a>"));
        let entries = app.get("/api/outbox?state=parked&kind=label").await.expect(200);
        assert_eq!(entries[0]["pullNumber"], pull, "{entries}");
        let retry = form(&page, "/outbox/retry", entries[0]["id"].as_str().expect("an id"));
        let answer = browser.send(&retry, &[]).await.expect(303);
        browser.follow(&answer).await.says("GitHub has it now: add the label needs-human");
        assert_eq!(app.sim.repo(API).issue(pull).expect("it").labels, ["needs-human"]);
    }

    async fn a_delivery_that_failed_is_tried_again(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/deliveries?state=failed&repo=acme/api").await.expect(200);
        page.says("failed-one").says("<td class=\"number\">5</td>");
        let answer = browser.send(&form(&page, "/deliveries/retry", "failed-one"), &[]).await.expect(303);
        assert_eq!(answer.location(), "/deliveries?state=failed&repo=acme/api");
        browser.follow(&answer).await.says("It is pending again");
        let unknown = browser.send(&form(&page, "/deliveries/retry", "failed-one"), &[("id", "none")]).await.expect(303);
        browser.follow(&unknown).await.says("Not done:");
        assert_eq!(app.get("/api/audit?action=delivery_retried").await.expect(200).as_array().unwrap().len(), 1);
    }
}
