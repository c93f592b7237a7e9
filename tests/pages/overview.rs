//! The charts of the overview, each with its table, and pages that follow what happens.

use std::time::Duration;

use serde_json::json;

use crate::{
    API,
    browser::{Browser, Page},
    each_db,
    support::{App, TestDb},
    world::{BROKEN_OUT, hostile},
};

/// The rows of the table in the details with this id, as `a | b | c`.
fn table(page: &Page, id: &str) -> Vec<String> {
    let part = page.text.split(&format!("<details id=\"{id}\">")).nth(1).expect("a table");
    let body = part.split("<tbody>").nth(1).and_then(|rest| rest.split("</tbody>").next()).expect("rows");
    let cells = |row: &str| {
        let texts = row.split("<td").skip(1).map(|cell| {
            let inner = cell.split_once('>').map_or("", |(_, inner)| inner);
            inner.split('<').map(|piece| piece.rsplit('>').next().unwrap_or_default()).collect::<String>()
        });
        texts.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
    };
    body.split("<tr>").skip(1).map(cells).collect()
}

async fn run(app: &App, agent: &str, status: &str) {
    let run = json!({
        "agentName": agent, "runType": "implement", "status": status, "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:02Z",
    });
    app.post("/api/agent-runs", run).await.expect(201);
}

async fn id_of(app: &App, number: u64) -> String {
    let state = app.get(&format!("/api/issues/state?repo={API}&number={number}")).await.expect(200);
    state["issueId"].as_str().expect("an id").to_owned()
}

each_db! {
    async fn nothing_is_drawn_where_nothing_happened(db) {
        let app = App::with_repos(db, &[API]).await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/").await.expect(200);
        page.says("Nothing ran within the last 24 hours.").says("No agent beat within the last 24 hours.");
        page.says("No issue was claimed within the last 7 days after Dispatch saw it ready.");
        assert!(!page.text.contains("class=\"chart\""), "{}", page.text);
    }

    async fn runs_are_counted_by_their_hour_and_what_they_came_to(db) {
        let app = App::with_repos(db, &[API]).await;
        for status in ["ok", "SUCCESS", "warning", "failed", "ERROR", "Pondering"] {
            run(&app, "coder", status).await;
        }
        app.advance(Duration::from_hours(2));
        run(&app, "coder", "done").await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/").await.expect(200);
        page.says("aria-label=\"Runs per hour, as columns\"").says("went well: 3").says("failed: 2").says("other words: 1");
        let rows = table(&page, "runs-table");
        assert_eq!(rows.len(), 24);
        assert_eq!(rows[21..], ["00:00 | 2 | 1 | 2 | 6", "01:00 | 0 | 0 | 0 | 0", "02:00 | 1 | 0 | 0 | 1"]);
        // They leave the page with their hour.
        app.advance(Duration::from_hours(22));
        let rows = table(&browser.get("/").await, "runs-table");
        assert_eq!((rows[0].as_str(), rows[1].as_str()), ("01:00 | 0 | 0 | 0 | 0", "02:00 | 1 | 0 | 0 | 1"));
        app.advance(Duration::from_hours(3));
        browser.get("/").await.says("Nothing ran within the last 24 hours.");
    }

    async fn work_is_timed_from_ready_to_claimed_to_in_review(db) {
        let app = App::with_repos(db, &[API]).await;
        let repo = app.sim.repo(API);
        for _ in 0..2 {
            let number = repo.open_issue("Work");
            repo.add_label(number, "status/ready");
        }
        app.beat("coder").await;
        app.advance(Duration::from_mins(40));
        let claim = json!({ "issueId": id_of(&app, 1).await, "repoFullName": API, "issueNumber": 1, "agentName": "coder" });
        app.post("/api/issues/claim", claim).await.expect(200);
        app.advance(Duration::from_mins(25));
        // GitHub tells that it is in review, another issue goes there by the board, and was never claimed.
        let moved = json!({ "issueId": id_of(&app, 1).await, "repoFullName": API, "issueNumber": 1,
            "oldLabels": ["status/in-progress"], "newLabels": ["status/in-review"] });
        app.post("/api/issues/move", moved).await.expect(200);
        repo.remove_label(2, "status/ready");
        repo.add_label(2, "status/in-review");
        app.advance(Duration::from_mins(5));
        app.beat("coder").await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/").await.expect(200);
        page.says("aria-label=\"How long work waits and takes, as columns\"");
        let rows = table(&page, "pace-table");
        assert_eq!((rows.len(), rows[6].as_str()), (7, "01-01 | 1 | 40 min | 25 min"));
        let seen = "SELECT count(*) FROM issues WHERE ready_at IS NOT NULL AND review_at > ready_at";
        assert_eq!(app.db.count(seen).await, 2, "both ways of becoming in-review are seen");
        // Reads that change nothing leave the times alone.
        let sum = "SELECT CAST(sum(ready_at + review_at) AS BIGINT) FROM issues";
        let before = app.db.count(sum).await;
        app.advance(Duration::from_mins(5));
        repo.edit_issue(2, |issue| issue.title = "Still the same work".into());
        app.beat("coder").await;
        assert_eq!(app.db.count(sum).await, before);
    }

    async fn heartbeats_are_counted_by_agent(db) {
        let app = App::with_repos(db, &[API]).await;
        for _ in 0..3 {
            app.beat("coder").await;
            app.advance(Duration::from_mins(1));
        }
        app.beat("Reviewer").await;
        run(&app, "writer", "ok").await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/").await.expect(200);
        assert_eq!(table(&page, "beats-table"), ["coder | 3", "Reviewer | 1"]);
        page.says("aria-label=\"Heartbeats of the last day by agent, as bars\"").says("href=\"/agents/Reviewer\"");
        app.advance(Duration::from_secs(10));
        // No name of an agent is more than a text, whatever stands in the database.
        let name = hostile("agent").replace('\'', "''");
        app.db.sql(&format!("UPDATE agents SET name = '{name}' WHERE agent_key = 'coder'")).await;
        let page = browser.get("/").await;
        assert!(!page.text.contains(BROKEN_OUT), "{}", page.text);
        if page.status == 200 {
            page.says("&lt;xss-agent&gt;");
        }
    }

    async fn many_claims_are_counted_by_their_day_and_timed_by_the_newest(db) {
        let app = App::with_repos(db, &[API]).await;
        app.beat("coder").await;
        app.advance(Duration::from_hours(12));
        app.db.sql(CLAIMS).await;
        let browser = Browser::signed_in(&app).await;
        let page = browser.get("/").await.expect(200);
        let rows = table(&page, "pace-table");
        assert_eq!(rows[3], "12-29 | 1200 | 40 min | 10 min");
        // The oldest 900 waited for 5 min only.
        assert_eq!(rows[6], "01-01 | 1500 | 20 min | 10 min");
        page.says("the times are those of the newest 1000");
    }

    async fn one_read_of_what_went_on_serves_all_who_look(db) {
        let app = App::with_repos(db, &[API]).await;
        run(&app, "coder", "ok").await;
        let browser = Browser::signed_in(&app).await;
        let statements = || app.engine.db().statements();
        let before = statements();
        browser.get("/").await.expect(200).says("went well: 1");
        let first = statements() - before;
        browser.get("/").await.expect(200);
        let next = statements() - before - first;
        assert!(next + 15 <= first, "{next} statements after {first}");
        // Of many at once one reads.
        app.advance(Duration::from_secs(10));
        let before = statements();
        let looks = futures_util::future::join_all((0..8).map(|_| browser.get("/"))).await;
        assert!(looks.iter().all(|page| page.status == 200 && page.text.contains("went well: 1")));
        assert_eq!(statements() - before, first + 7 * next);
        // What this server writes shows, but a busy fleet has it read once a second.
        run(&app, "coder", "failed").await;
        assert!(!browser.get("/").await.text.contains("failed: 1"));
        app.advance(Duration::from_secs(1));
        browser.get("/").await.says("failed: 1");
        // What another wrote shows within ten.
        app.db.sql("UPDATE runs SET status = 'error'").await;
        app.advance(Duration::from_secs(9));
        browser.get("/").await.says("failed: 1");
        app.advance(Duration::from_secs(1));
        browser.get("/").await.says("failed: 2");
    }
}

/// Claims of two days, more than are looked at on one; past the product.
const CLAIMS: &str = "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 2700)
     INSERT INTO issues (id, repository_id, number, github_id, title, state, url, assignees, comments, created_at, updated_at,
            closed_at, synced_at, content_hash, github_labels, labels, label_keys, priority, excluded, status, ready_at, review_at)
         SELECT 'many-' || n, (SELECT min(id) FROM repositories), 1000 + n, 1000 + n, 'Done', 'closed', 'https://github.com/x',
            '[]', 0, at, at, at, at, 'hash', '[]', '[]', '[]', 4, FALSE, 'done', at - waited * 60000, at + 600000
         FROM (SELECT n, CASE WHEN n <= 1200 THEN 40 WHEN n <= 2100 THEN 5 ELSE 20 END AS waited,
            CASE WHEN n <= 1200 THEN 1766966400000 + n * 30000 ELSE 1767225600000 + (n - 1200) * 10000 END AS at FROM g) AS many;
     INSERT INTO claims (id, fence, agent_name, agent_key, issue_id, terms, state, checkpoint, started, created_at, renewed_at,
            expires_at, ended_at, end_reason)
         SELECT id, 1000 + number, 'coder', 'coder', id, 'leased', 'DONE', 'work_complete', TRUE, updated_at, updated_at,
            updated_at, updated_at, 'finished'
         FROM issues WHERE id LIKE 'many-%'";

/// What is looked at again and again stays cheap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_overview_asks_for_little() {
    let app = App::with_repos(TestDb::sqlite().await, &[API]).await;
    app.beat("coder").await;
    let browser = Browser::signed_in(&app).await;
    let small = browser.get("/").await.expect(200).text.len();
    app.db
        .sql(
            "INSERT INTO agents (agent_key, name, first_seen_at)
                 WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 300) SELECT 'agent-' || n, 'agent-' || n, 0 FROM g;
             INSERT INTO runs (id, agent_name, agent_key, run_type, status, started_at, warnings, errors, touched, reads, created_at)
                 WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 6000)
                 SELECT 'r' || n, 'agent-' || (n % 300 + 1), 'agent-' || (n % 300 + 1), 'heartbeat', 'ok', 0, '[]', '[]', '[]', '[]',
                    1767225600000 - n * 1000 FROM g",
        )
        .await;
    app.advance(Duration::from_secs(10));
    let page = browser.get("/").await.expect(200);
    assert_eq!(table(&page, "beats-table").len(), 100, "of many agents the page shows some");
    page.says("Drawn are the 8 most eager of 301 agents.").says("The 100 most eager of 301 agents;");
    assert!(page.text.len() < small + 120_000, "{} bytes after {small}", page.text.len());
}
