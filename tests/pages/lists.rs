//! Lists: filters in the address, pages that follow each other, and every row once.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;

use crate::{
    API,
    browser::{Browser, Page},
    each_db,
    support::App,
    world::furnished,
};

/// Where the list goes on.
fn next(page: &Page) -> Option<String> {
    let link = page.text.split("<a ").find(|link| link.contains("rel=\"next\""))?;
    Some(link.split("href=\"").nth(1)?.split('"').next()?.replace("&#38;", "&"))
}

/// What stands behind this in a page, up to a quote.
pub fn all(page: &Page, start: &str) -> Vec<String> {
    page.text.split(start).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// The same of all pages from there on.
pub async fn walk(browser: &Browser, path: &str, start: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut path = Some(path.to_owned());
    while let Some(at) = path {
        let page = browser.get(&at).await.expect(200);
        pages.push(all(&page, start));
        path = next(&page);
    }
    pages
}

/// So many rows on each page, and no row twice.
#[track_caller]
pub fn each_once(pages: &[Vec<String>], sizes: &[usize]) {
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
    let rows: Vec<&String> = pages.iter().flatten().collect();
    assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), rows.len(), "{rows:?}");
}

each_db! {
    async fn runs_are_filtered_by_agent_status_type_and_time(db) {
        let app = furnished(db).await;
        app.advance(Duration::from_hours(24));
        app.beat("other").await;
        let browser = Browser::signed_in(&app).await;
        let count = async |query: &str| all(&browser.get(&format!("/runs?{query}")).await.expect(200), "href=\"/runs/").len();
        assert_eq!(count("").await, 3);
        assert_eq!((count("agent=CODER").await, count("agent=other").await), (2, 1));
        assert_eq!((count("type=heartbeat").await, count("type=none").await), (2, 0));
        assert_eq!((count("status=ok&agent=other").await, count("status=running").await), (1, 0));
        assert_eq!((count("from=2026-01-02").await, count("to=2026-01-02").await), (1, 2));
        assert_eq!(count("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:01Z").await, 2);
        assert_eq!(count("from=2026-01-01T00:00&to=2026-01-01T00:00:01.000").await, 2);
        // The filters stand in the form again, as its calendar takes them.
        let page = browser.get("/runs?agent=other&from=2026-01-02&to=2026-01-03T04:05:06%2B01:00").await;
        page.says("name=\"agent\" value=\"other\"").says("name=\"from\" type=\"datetime-local\" value=\"2026-01-02T00:00\"");
        page.says("name=\"to\" type=\"datetime-local\" value=\"2026-01-03T03:05:06\"");
    }

    async fn runs_of_a_status_are_found_in_either_case(db) {
        let app = App::with_repos(db, &[API]).await;
        for n in 0..90 {
            let status = ["failed", "FAILED", "Pondering"][n % 3];
            let run = json!({ "agentName": "coder", "runType": "implement", "status": status, "startedAt": "2026-01-01T00:00:00Z" });
            app.post("/api/agent-runs", run).await.expect(201);
            app.tick();
        }
        let browser = Browser::signed_in(&app).await;
        let link = "<td><a href=\"/runs/";
        for asked in ["failed", "FAILED", "Failed"] {
            let pages = walk(&browser, &format!("/runs?status={asked}"), link).await;
            each_once(&pages, &[50, 10]);
        }
        each_once(&walk(&browser, "/runs?status=Pondering", link).await, &[30]);
        let newest = app.get("/api/agent-runs?limit=3").await.expect(200);
        let first = browser.get("/runs?status=failed").await;
        assert_eq!(all(&first, link)[0], newest[1]["id"].as_str().unwrap(), "newest first, whatever their case");
    }

    async fn a_filter_that_cannot_be_used_is_shown_again_with_what_is_wrong(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        for (path, reason, typed) in [
            ("/runs?agent=coder&from=yesterday", "from: write a day", "name=\"from\" type=\"text\" value=\"yesterday\""),
            ("/runs?agent=coder&from=yesterday", "from: write a day", "name=\"agent\" value=\"coder\""),
            ("/runs?from=2026-02-01&to=2026-01-01", "to must be later than from", "value=\"2026-02-01T00:00\""),
            ("/runs?agent=no%20name", "agent", "value=\"no name\""),
            ("/runs?cursor=x", "not a cursor", "action=\"/runs\""),
            ("/audit?issue=1", "repo", "name=\"issue\" value=\"1\""),
            ("/audit?action=No&actor=coder", "action", "name=\"actor\" value=\"coder\""),
            ("/outbox?repo=x", "repo", "name=\"repo\" value=\"x\""),
            ("/outbox?state=stuck", "state", "action=\"/outbox\""),
            ("/deliveries?repo=x&event=issues", "repo", "name=\"event\" value=\"issues\""),
            ("/automation/pr-fix-queue?repo=x&pr=7", "repo", "name=\"pr\" value=\"7\""),
            ("/automation/pr-fix-queue?lane=x", "lane is", "action=\"/automation/pr-fix-queue\""),
            ("/automation/pr-fix-queue?status=x", "status is", "action=\"/automation/pr-fix-queue\""),
        ] {
            let page = browser.get(path).await.expect(400);
            let said = page.text.split("role=\"alert\">").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
            assert!(said.contains(reason), "{path}: {said}");
            page.says(typed).says("role=\"search\"");
            assert!(!page.text.contains("class=\"empty\"") && !page.text.contains("<tbody>"), "{path}: {}", page.text);
        }
    }

    async fn pages_follow_each_other_and_show_each_row_once(db) {
        let app = App::with_repos(db, &[API]).await;
        for n in 0..51 {
            app.beat(&format!("agent-{n:02}")).await;
            app.post("/api/automation/repos", json!({ "fullName": format!("acme/r{n:02}") })).await.expect(201);
        }
        let browser = Browser::signed_in(&app).await;
        each_once(&walk(&browser, "/agents", "<th scope=\"row\"><a href=\"/agents/").await, &[50, 1]);
        each_once(&walk(&browser, "/runs?type=heartbeat", "<td><a href=\"/runs/").await, &[50, 1]);
        each_once(&walk(&browser, "/projects", "<th scope=\"row\"><a href=\"/projects?repo=").await, &[50, 2]);
        each_once(&walk(&browser, "/repositories", "<th scope=\"row\"><a href=\"/projects?repo=").await, &[50, 2]);
        let audit = walk(&browser, "/audit?action=add_tracked_repo", "<code>add_tracked_repo</code>").await;
        assert_eq!(audit.iter().map(Vec::len).collect::<Vec<_>>(), [50, 1]);
        let second = next(&browser.get("/agents").await).unwrap();
        browser.get(&second).await.says("href=\"/agents\">To the start");
    }

    async fn decisions_are_filtered_and_tell_what_became_of_labels(db) {
        let app = furnished(db).await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/audit?repo=acme/api&issue=1&agent=coder").await.expect(200);
        page.says("+ agent/coder").says("− status/ready").says("href=\"/issues/acme/api/1\"");
        browser.get("/audit?repo=acme/api&issue=77").await.expect(200).says("Nothing was decided that fits");
        browser.get("/audit?to=2026-01-01").await.expect(200).says("Nothing was decided that fits");
        browser.get("/audit?from=2026-01-01&to=2026-01-02&action=create_token").await.expect(200).says("for agent reviewer");
    }

    async fn issues_are_counted_by_repository_and_status(db) {
        let app = furnished(db).await;
        app.next_beat("coder").await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/projects").await.expect(200);
        let numbers: Vec<String> = page.text.split("<td class=\"number").skip(1)
            .map(|cell| cell.split('>').nth(1).unwrap().split('<').next().unwrap().to_owned()).collect();
        // Backlog, ready, in progress, in review, blocked, done; and all, which is a cell of its own.
        assert_eq!(numbers[..6], ["1", "0", "1", "0", "0", "0"], "{}", page.text);
        page.says("<strong>2</strong>");
        browser.get("/projects?repo=ACME/api").await.expect(200).says("href=\"/issues/acme/api/2\"").says("Quiet").says("status/in-progress");
    }
}
