//! The board and the page of an issue without a script: what they show, and that every form does what it says.

use serde_json::json;

use crate::{
    API,
    browser::{Browser, Form, Page},
    each_db,
    support::{App, TestDb, answers::strings},
};

/// A board with three ready issues of `acme/api` and an agent that is heard of.
async fn board(db: TestDb) -> (App, Browser) {
    let app = App::with_repos(db, &[API, "acme/web"]).await;
    for n in 1..=3 {
        app.sim.repo(API).open_issue(format!("Issue {n}").as_str());
        app.sim.repo(API).add_label(n, "status/ready");
    }
    app.sim.repo("acme/web").open_issue("Elsewhere");
    app.beat("coder").await;
    let browser = Browser::signed_in(&app).await;
    (app, browser)
}

async fn id_of(app: &App, number: u64) -> String {
    let state = app.get(&format!("/api/issues/state?repo={API}&number={number}")).await.expect(200);
    state["issueId"].as_str().unwrap_or_else(|| panic!("no id: {state}")).to_owned()
}

/// The titles of a column, in its order.
fn titles(page: &Page, column: &str) -> Vec<String> {
    let section =
        page.text.split("<section ").find(|part| part.contains(&format!("data-column=\"{column}\"")));
    let links = section.expect("the column").split("<h3><a ").skip(1);
    links
        .map(|link| link.split_once('>').expect("a title").1.split('<').next().expect("a title").to_owned())
        .collect()
}

fn labels(app: &App, number: u64) -> Vec<String> {
    let mut labels = app.sim.repo(API).issue(number).expect("the issue").labels;
    labels.sort();
    labels
}

/// Sends a form of the issue's page, and gives what the page says afterwards.
async fn act(browser: &Browser, path: &str, action: &str, fields: &[(&str, &str)]) -> String {
    let form = browser.get(path).await.expect(200).form(&format!("{path}/{action}"));
    let done = browser.send(&form, fields).await.expect(303);
    assert_eq!(done.location(), path, "{action}");
    let page = browser.get(path).await.expect(200);
    let flash = page.text.split("id=\"flash\"").nth(1).and_then(|rest| rest.split("</div>").next());
    let flash = flash.expect("what came of it").to_owned();
    assert!(!browser.get(path).await.text.contains("class=\"banner good\""), "it is told once");
    flash
}

each_db! {
    async fn cards_stand_in_the_columns_of_their_labels_in_the_order_of_the_queue(db) {
        let (app, browser) = board(db).await;
        app.sim.repo(API).add_label(3, "priority/p0");
        app.sim.repo(API).add_label(1, "agent/coder");
        app.next_beat("coder").await;
        let page = browser.get("/board").await.expect(200);
        assert_eq!(titles(&page, "ready"), ["Issue 3", "Issue 1", "Issue 2"]);
        assert_eq!(titles(&page, "backlog"), ["Elsewhere"]);
        page.says("data-count=\"ready\" title=\"All that the filter shows\">3<").says("<span class=\"sign\">●</span> coder");
        for (filter, want) in [
            ("q=issue+2", vec!["Issue 2"]),
            ("q=%25", vec![]),
            ("repo=acme/web", vec![]),
            ("repo=no/such", vec![]),
            ("agent=Coder", vec!["Issue 1"]),
            ("priority=p0", vec!["Issue 3"]),
            ("priority=none&repo=ACME/api", vec!["Issue 1", "Issue 2"]),
            ("lane=local", vec!["Issue 3", "Issue 1", "Issue 2"]),
            ("owner=nobody", vec![]),
        ] {
            let page = browser.get(&format!("/board?{filter}")).await.expect(200);
            assert_eq!(titles(&page, "ready"), want, "{filter}");
        }
        browser.get("/board?q=%25").await.says("No card fits these filters");
    }

    async fn a_title_is_found_by_its_own_words(db) {
        let (app, browser) = board(db).await;
        app.sim.repo(API).open_issue("Änderung am İndex ÇOK");
        app.next_beat("coder").await;
        for words in ["%C3%84nderung", "am+%C4%B0ndex+%C3%87OK", "NDERUNG+AM"] {
            let page = browser.get(&format!("/board?q={words}")).await.expect(200);
            assert_eq!(titles(&page, "backlog"), ["Änderung am İndex ÇOK"], "{words}");
        }
    }

    async fn a_column_goes_on_where_its_page_ends(db) {
        let (app, browser) = board(db).await;
        let page = browser.get("/board?show=2").await.expect(200);
        assert_eq!(titles(&page, "ready"), ["Issue 1", "Issue 2"]);
        let more = page.text.split("href=\"").find(|link| link.starts_with("/board/column/ready")).expect("a link");
        let more = more.split('"').next().unwrap().replace("&#38;", "&");
        let rest = browser.get(&more).await.expect(200);
        assert_eq!(titles(&rest, "ready"), ["Issue 3"]);
        assert!(!rest.text.contains("data-more"), "there is no more");
        browser.get("/board/column/no-such").await.expect(404);
        browser.get("/board/column/ready?behind=x").await.expect(400);
        drop(app);
    }

    async fn a_card_moves_without_a_script(db) {
        let (app, browser) = board(db).await;
        let page = browser.get("/board?lane=local").await.expect(200);
        let form = page.form("/board/move");
        let id = id_of(&app, 2).await;
        let moved = browser.send(&form, &[("move", &format!("in-review {id}"))]).await.expect(303);
        assert_eq!(moved.location(), "/board?lane=local");
        let page = browser.get(moved.location()).await;
        page.says("The card is in In Review now");
        assert_eq!((titles(&page, "ready"), titles(&page, "in-review")), (vec!["Issue 1".to_owned(), "Issue 3".to_owned()], vec!["Issue 2".to_owned()]));
        assert_eq!(labels(&app, 2), ["status/in-review"]);
        let row = app.get("/api/audit?action=move_issue").await.expect(200)[0].clone();
        assert_eq!((&row["actor"], strings(&row["afterLabels"])), (&json!("operator"), vec!["status/in-review".to_owned()]));
        // Refused, and why.
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        let id = id_of(&app, 1).await;
        let refused = browser.send(&form, &[("move", &format!("ready {id}"))]).await.expect(303);
        browser.get(refused.location()).await.says("Cannot move a closed issue");
        for wrong in ["ready", "nowhere x", "ready none"] {
            let answer = browser.send(&form, &[("move", wrong)]).await;
            assert!([303, 400].contains(&answer.status), "{wrong}: {}", answer.text);
        }
        browser.send(&form, &[("csrf", "x"), ("move", &format!("ready {id}"))]).await.expect(403);
    }

    async fn fragments_are_those_of_the_page(db) {
        let (app, browser) = board(db).await;
        let (one, two) = (id_of(&app, 1).await, id_of(&app, 2).await);
        let part = browser.get(&format!("/board/cards?ids={one},{two},none&q=issue+1")).await.expect(200);
        part.says("data-count-ready=\"1\"").says(&format!("id=\"card-{one}\""));
        assert!(!part.text.contains(&two) && !part.text.contains("<html"), "{}", part.text);
        let card = |page: &Page| {
            let rest = page.text.split(&format!("<li class=\"card\" id=\"card-{one}\"")).nth(1).expect("the card").to_owned();
            rest.split("</li>").next().unwrap().to_owned()
        };
        assert_eq!(card(&part), card(&browser.get("/board").await));
        let many = vec!["x"; 101].join(",");
        browser.get(&format!("/board/cards?ids={many}")).await.expect(400);
    }

    async fn every_form_of_an_issue_does_what_it_says(db) {
        let (app, browser) = board(db).await;
        let path = "/issues/acme/api/1";
        let says = |words: String, want: &str| assert!(words.contains(want), "{want:?} is not in {words}");
        says(act(&browser, path, "priority", &[("priority", "p1")]).await, "Its priority is p1 now");
        says(act(&browser, path, "priority", &[("priority", "p0")]).await, "Its priority is p0 now");
        assert_eq!(labels(&app, 1), ["priority/p0", "status/ready"]);
        says(act(&browser, path, "label", &[("label", "type/bug"), ("action", "add")]).await, "The label type/bug is there");
        says(act(&browser, path, "label", &[("label", "type/bug"), ("action", "remove")]).await, "The label type/bug is gone");
        says(act(&browser, path, "lane", &[("lane", "cloud"), ("reason", "large")]).await, "It is in the lane");
        assert_eq!(app.get(&format!("/api/issues/{}/lane", id_of(&app, 1).await)).await.expect(200)["lane"], "cloud");
        says(act(&browser, path, "claim", &[("agent", "coder")]).await, "coder holds it now");
        assert_eq!(labels(&app, 1), ["agent/coder", "priority/p0", "status/in-progress"]);
        says(act(&browser, path, "claim", &[("agent", "other")]).await, "Not done");
        says(act(&browser, path, "claim", &[("agent", "other"), ("force", "yes")]).await, "other holds it now");
        let page = browser.get(path).await;
        page.says("<strong>other</strong> holds it since");
        says(act(&browser, path, "release", &[("reason", "enough")]).await, "other holds it no more");
        assert_eq!(labels(&app, 1), ["priority/p0", "status/ready"]);
        says(act(&browser, path, "assign", &[("agent", "coder")]).await, "It is assigned to coder now");
        says(act(&browser, path, "unassign", &[]).await, "agent/coder is gone");
        says(act(&browser, path, "groom", &[("action", "mark_blocked")]).await, "Say why");
        says(act(&browser, path, "groom", &[("action", "mark_blocked"), ("reason", "no key")]).await, "Groomed: it is blocked");
        says(act(&browser, path, "decompose", &[("decomposed", "true"), ("urls", "https://github.com/acme/api/issues/2"), ("note", "two halves")]).await, "It counts as split");
        says(act(&browser, path, "decompose", &[("decomposed", "true"), ("urls", "javascript:alert(1)")]).await, "Not done");
        says(act(&browser, path, "comment", &[("body", "Looks *good*.")]).await, "The comment is on GitHub");
        says(act(&browser, path, "move", &[("to", "blocked")]).await, "It is in Blocked now");
        assert_eq!(labels(&app, 1), ["priority/p0", "status/blocked"]);
        let page = browser.get(path).await.expect(200);
        for words in ["no key", "two halves", "move issue", "add comment", "claim issue", "large", "https://github.com/acme/api/issues/2"] {
            page.says(words);
        }
        browser.get("/issues/acme/api/99").await.expect(404);
        browser.get("/issues/acme/none/1").await.expect(404);
        let none = Form { action: format!("{path}/no-such"), fields: page.form(&format!("{path}/move")).fields };
        browser.send(&none, &[]).await.expect(404);
    }

    async fn no_form_works_without_its_token_or_from_another_site(db) {
        let (app, mut browser) = board(db).await;
        let before = labels(&app, 1);
        for path in ["/board", "/issues/acme/api/1", "/"] {
            let forms = browser.get(path).await.expect(200).forms();
            assert!(forms.len() >= 2, "{path}: {forms:?}");
            for form in forms {
                let more = [("move", "done x"), ("to", "done"), ("agent", "evil"), ("label", "evil"), ("body", "evil"), ("theme", "dark")];
                let forged: Vec<(&str, &str)> = more.into_iter().chain([("csrf", "0".repeat(32).leak() as &str)]).collect();
                browser.send(&form, &forged).await.expect(403);
                browser.headers.push(("origin", "https://evil.example".to_owned()));
                browser.send(&form, &more).await.expect(403);
                browser.headers.pop();
            }
        }
        browser.get("/board").await.expect(200);
        assert_eq!(labels(&app, 1), before);
        assert_eq!(app.get("/api/audit?action=add_label").await.expect(200), json!([]));
    }

    async fn what_others_write_stays_text(db) {
        let app = App::with_repos(db, &[API]).await;
        let evil = "<img src=x onerror=alert(1)>\"><script>alert(2)</script>'";
        app.sim.repo(API).open_issue(evil);
        app.sim.repo(API).set_body(1, &format!("{evil}\n\n[a](javascript:alert(3)) <svg onload=alert(4)>"));
        app.sim.repo(API).add_label(1, "<script>alert(5)</script>");
        app.sim.repo(API).add_label(1, "status/ready");
        app.beat("coder").await;
        let browser = Browser::signed_in(&app).await;
        let path = "/issues/acme/api/1";
        act(&browser, path, "claim", &[("agent", "coder")]).await;
        act(&browser, path, "release", &[("reason", evil)]).await;
        act(&browser, path, "groom", &[("action", "mark_blocked"), ("reason", evil), ("summary", evil)]).await;
        act(&browser, path, "label", &[("label", "<b onclick=alert(6)>"), ("action", "add")]).await;
        let run = json!({ "agentName": "coder", "runType": evil, "status": "error", "summary": evil, "errorMessage": evil, "startedAt": "2026-01-01T00:00:00Z", "issueId": id_of(&app, 1).await });
        app.post("/api/agent-runs", run).await.expect(201);
        for page in ["/", "/board", path, "/board/column/ready", "/board?q=%22%3E%3Cscript%3E&agent=%22%3E%3Cscript%3E"] {
            let page = browser.get(page).await.expect(200);
            for part in ["<img src=x", "<script>", "<svg onload", "javascript:", "<b onclick"] {
                assert!(!page.text.contains(part), "{part} is in {}", page.text);
            }
        }
        browser.get(path).await.says("alert(2)");
        let missing = browser.get("/issues/acme/%3Cscript%3E/1").await;
        assert!(missing.status == 404 && !missing.text.contains("<script>"), "{}", missing.text);
    }
}
