//! A server about which every page has something to say, in the words of somebody who means ill.

use serde_json::{Value, json};

use crate::{
    API,
    support::{App, MAINTAINER, TestDb, app::send},
};

/// A text that would break out of an attribute and of a text, and would be seen if it did.
pub fn hostile(field: &str) -> String {
    format!("\"'><xss-{field}>&lt;{field}")
}

/// How such a text begins where it broke out.
pub const BROKEN_OUT: &str = "<xss-";

/// An issue that is ready, claimed by `coder`, with everything that an agent or GitHub can write.
pub async fn furnished(db: TestDb) -> App {
    furnish(App::with_repos(db, &[API]).await).await
}

/// The same where somebody else set the server up.
pub async fn furnish(app: App) -> App {
    let repo = app.sim.repo(API);
    repo.open_issue(hostile("title").as_str());
    repo.set_body(
        1,
        &format!("{0} [a](javascript:alert(1)) <svg onload=alert(2)>{0}</svg>", hostile("body")),
    );
    repo.add_label(1, &hostile("label"));
    repo.add_label(1, "status/ready");
    repo.open_issue("Quiet");
    repo.add_label(2, &format!("agent/{}", hostile("assigned")));
    app.beat("coder").await;
    let issue = id_of(&app, 1).await;
    app.post("/api/agent-work/start", json!({ "agentName": "coder", "issueId": issue })).await.expect(201);
    let checkpoint = json!({
        "agentName": "coder", "checkpoint": "BLOCKED", "summary": hostile("summary"), "branch": hostile("branch"),
        "blockerReason": hostile("blocker"), "prUrl": "https://github.com/acme/api/pull/9?\"'><xss-pull>",
    });
    app.post("/api/agent-work/checkpoint", checkpoint).await.expect(200);
    run(&app).await;
    for reason in ["first", "second"] {
        app.post("/api/pr-fix-queue/enqueue", evidence(42, reason)).await.expect(200);
    }
    // Whoever holds a maintainer's token may call himself anything.
    let label = json!({ "issueId": id_of(&app, 2).await, "repoFullName": API, "issueNumber": 2, "label": "type/bug" });
    let named = app.request("POST", "/api/issues/label", MAINTAINER).header("x-agent-name", hostile("named"));
    send(named.body(label.to_string())).await.expect(200);
    app.post("/api/tokens", json!({ "name": hostile("token"), "agentName": "reviewer" })).await.expect(201);
    rows(&app).await;
    app
}

async fn id_of(app: &App, number: u64) -> Value {
    app.get(&format!("/api/issues/state?repo={API}&number={number}")).await.expect(200)["issueId"].clone()
}

async fn run(app: &App) {
    let run = json!({
        "agentName": "coder", "runType": hostile("type"), "status": hostile("status"), "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:02Z", "summary": hostile("run"), "errorMessage": hostile("error"),
        "touchedIssueUrls": ["https://github.com/acme/api/issues/1"],
    });
    app.post("/api/agent-runs", run).await.expect(201);
}

/// What is wrong with a pull request.
pub fn evidence(pr: u64, reason: &str) -> Value {
    json!({
        "repo": API, "pr": pr, "reason": format!("{reason} {}", hostile("reason")), "feedback": hostile("feedback"),
        "evidenceKey": format!("review:{reason}{}", hostile("key")), "branch": hostile("fix"), "title": hostile("pr"),
        "author": hostile("author"), "url": "javascript:alert(1)", "issue": 2, "type": "CI_FAILURE",
    })
}

/// What only GitHub's failures make, past the product.
async fn rows(app: &App) {
    let quoted = |field: &str| hostile(field).replace('\'', "''");
    app.db
        .sql(&format!(
            "INSERT INTO outbox (id, kind, repository_id, issue_id, content, place, version, state, lies_over, attempts,
                    next_try_at, error, actor, created_at)
                 SELECT 'parked-' || i.number, 'comment', i.repository_id, i.id, '{{\"comment\":\"Hello\"}}', 1, 1, 'parked', FALSE,
                    3, 0, '{}', '{}', 0
                 FROM issues i;
             INSERT INTO webhook_deliveries (guid, event, action, repository, repo_key, received_at, payload, state, attempts,
                    next_try_at, settled_at, words)
                 VALUES ('failed-one', '{}', '{}', '{}', 'acme/api', 0, '{{}}', 'failed', 5, 0, 0, '{}')",
            quoted("parked"),
            quoted("actor"),
            quoted("event"),
            quoted("action"),
            quoted("repository"),
            quoted("words"),
        ))
        .await;
}

/// All pages that there are, filled.
pub async fn pages(app: &App) -> Vec<String> {
    let run =
        app.get("/api/agent-runs?limit=1").await.expect(200)[0]["id"].as_str().expect("an id").to_owned();
    let beat = app.get("/api/agent-runs?runType=heartbeat").await.expect(200)[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    [
        "/",
        "/board",
        "/board/column/ready",
        "/issues/acme/api/1",
        "/agents",
        "/agents/coder",
        "/runs",
        &format!("/runs/{run}"),
        &format!("/runs/{beat}"),
        "/automation/pr-fix-queue",
        "/automation/pr-fix-queue/acme/api/42",
        "/projects",
        "/projects?repo=acme/api",
        "/repositories",
        "/automation",
        "/outbox",
        "/deliveries",
        "/audit",
        "/settings",
    ]
    .map(str::to_owned)
    .into()
}

/// The pages that the operators' guide shows.
pub const PICTURES: [(&str, &str); 11] = [
    ("overview", "/"),
    ("board", "/board"),
    ("issue", "/issues/acme/api/1"),
    ("charts", "/#charts"),
    ("agents", "/agents"),
    ("agent", "/agents/coder"),
    ("runs", "/runs"),
    ("pr-fix", "/automation/pr-fix-queue/acme/api/42"),
    ("repositories", "/repositories"),
    ("outbox", "/outbox"),
    ("settings", "/settings"),
];

/// A fleet at work, as a guide shows it.
pub async fn friendly(db: TestDb) -> App {
    let app = App::with_repos(db, &[API, "acme/web", "acme/docs"]).await;
    for (repo, titles) in [
        (
            API,
            [
                "Retry failed uploads with back-off",
                "Return 429 when a client is too fast",
                "Cache the list of regions",
            ],
        ),
        (
            "acme/web",
            ["Dark mode for the dashboard", "Show the exact time on hover", "Search forgets its filters"],
        ),
        ("acme/docs", ["Describe the webhook secret", "A page about roles", "Fix the broken links"]),
    ] {
        for title in titles {
            let number = app.sim.repo(repo).open_issue(title);
            let (status, priority) = match (repo, number) {
                ("acme/web", 1) => ("status/in-review", "priority/p1"),
                ("acme/web", 2) => ("status/backlog", "priority/p3"),
                ("acme/docs", 3) => ("status/blocked", "priority/p2"),
                (_, 1) => ("status/ready", "priority/p0"),
                _ => ("status/ready", "priority/p2"),
            };
            app.sim.repo(repo).add_label(number, status);
            app.sim.repo(repo).add_label(number, priority);
        }
    }
    for agent in ["reviewer", "writer", "coder"] {
        app.beat(agent).await;
        app.advance(std::time::Duration::from_secs(400));
    }
    app.beat("coder").await;
    let state = app.get(&format!("/api/issues/state?repo={API}&number=1")).await.expect(200);
    let work = json!({ "agentName": "coder", "issueId": state["issueId"] });
    app.post("/api/agent-work/start", work).await.expect(201);
    let checkpoint = json!({
        "agentName": "coder", "checkpoint": "CHANGES_MADE", "summary": "The client retries; tests are to come.",
        "branch": "fix/retry-uploads", "prUrl": "https://github.com/acme/api/pull/42",
    });
    app.post("/api/agent-work/checkpoint", checkpoint).await.expect(200);
    for (key, reason) in [("check_run:build", "The build fails"), ("review:7", "A reviewer asks for a test")]
    {
        let evidence = json!({
            "repo": API, "pr": 42, "reason": reason, "feedback": format!("{reason}: see the pull request."), "evidenceKey": key,
            "title": "Retry failed uploads", "branch": "fix/retry-uploads", "author": "coder", "type": "CI_FAILURE",
            "url": "https://github.com/acme/api/pull/42",
        });
        app.post("/api/pr-fix-queue/enqueue", evidence).await.expect(200);
    }
    let failed = json!({
        "agentName": "writer", "runType": "implement", "status": "error", "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:04:00Z", "errorMessage": "The tests need a database that the sandbox does not have",
    });
    app.post("/api/agent-runs", failed).await.expect(201);
    app.post("/api/tokens", json!({ "name": "coder in the lab", "agentName": "coder" })).await.expect(201);
    app.db
        .sql(
            "INSERT INTO outbox (id, kind, repository_id, issue_id, content, place, version, state, lies_over, attempts,
                    next_try_at, error, actor, created_at)
                 SELECT 'parked', 'comment', i.repository_id, i.id, '{\"comment\":\"Done\"}', 1, 1, 'parked', FALSE, 3, 0,
                    'GitHub refuses it: the conversation is locked; unlock it and retry, or discard it', 'operator', 1767225600000
                 FROM issues i WHERE i.title LIKE 'A page%'",
        )
        .await;
    past(&app).await;
    app
}

/// What the agents did in the days before, past the product.
async fn past(app: &App) {
    app.db
        .sql(
            "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 900)
             INSERT INTO runs (id, agent_name, agent_key, run_type, status, started_at, warnings, errors, touched, reads, created_at)
                 SELECT 'past-' || n, name, name, CASE WHEN n % 9 = 0 THEN 'implement' ELSE 'heartbeat' END,
                    CASE WHEN n % 37 = 0 THEN 'error' WHEN n % 11 = 0 THEN 'warning' WHEN n % 63 = 0 THEN 'pondering' ELSE 'ok' END,
                    at, '[]', '[]', '[]', '[]', at
                 FROM (SELECT n, CASE WHEN n % 7 < 4 THEN 'coder' WHEN n % 7 < 6 THEN 'writer' ELSE 'reviewer' END AS name,
                    1767225600000 - (n * 91 + n * n % 400 * 60) % 86400 * 1000 AS at FROM g) AS past;
             WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 24)
             INSERT INTO issues (id, repository_id, number, github_id, title, state, url, assignees, comments, created_at,
                    updated_at, closed_at, synced_at, content_hash, github_labels, labels, label_keys, priority, excluded,
                    status, lane, ready_at, review_at)
                 SELECT 'past-' || n, (SELECT min(id) FROM repositories), 1000 + n, 1000 + n, 'Part ' || n || ' of the first release', 'closed', 'https://github.com/x',
                    '[]', 0, at, at, at, at, 'hash', '[]', '[]', '[]', 4, FALSE, 'done', 'local', at - n * 7 % 11 * 600000,
                    at + (20 + n * 5 % 13 * 9) * 60000
                 FROM (SELECT n, 1767225600000 - n * 25000000 AS at FROM g) AS past;
             INSERT INTO claims (id, fence, agent_name, agent_key, issue_id, terms, state, checkpoint, started, created_at,
                    renewed_at, expires_at, ended_at, end_reason)
                 SELECT id, 1000 + number, 'coder', 'coder', id, 'leased', 'DONE', 'work_complete', TRUE, updated_at, updated_at,
                    updated_at, updated_at, 'finished'
                 FROM issues WHERE id LIKE 'past-%'",
        )
        .await;
}
