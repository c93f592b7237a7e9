//! Settings: tokens that are shown once, sessions that are ended, jobs, and a configuration without secrets.

use crate::{
    API,
    browser::{Browser, Form, Page},
    each_db,
    support::{App, app::send, child},
};

fn form(page: &Page, action: &str, id: &str) -> Form {
    let of_row = |form: &Form| form.fields.iter().any(|(name, value)| name == "id" && value == id);
    page.forms().into_iter().find(|form| form.action == action && of_row(form)).expect("the form of the row")
}

/// The token that a page shows.
fn shown(page: &Page) -> String {
    page.text
        .split("class=\"secret\" value=\"")
        .nth(1)
        .expect("a token")
        .split('"')
        .next()
        .expect("its end")
        .to_owned()
}

each_db! {
    async fn a_token_is_shown_once_works_and_is_revoked(db) {
        let app = App::with_repos(db, &[API]).await;
        let browser = Browser::signed_in(&app).await;
        let make = browser.get("/settings").await.form("/settings/tokens");
        let page = browser.send(&make, &[("for", "worker"), ("agent", "coder"), ("name", "the laptop")]).await.expect(200);
        page.says("The token the laptop").says("never again").says("dispatch heartbeat coder");
        assert_eq!(page.header("cache-control"), "no-store");
        let token = shown(&page);
        assert!(page.headers.get_all("set-cookie").iter().all(|cookie| !cookie.to_str().unwrap().contains(&token)));
        let beat = |agent: &str| send(app.request("POST", &format!("/api/agents/{agent}/heartbeat"), &token));
        beat("coder").await.expect(200);
        beat("other").await.expect(403);
        let list = browser.get("/settings").await.expect(200);
        list.says("the laptop").says("agent <a href=\"/agents/coder\">coder</a>").says("live</span>");
        assert!(!list.text.contains(&token));
        let id = app.get("/api/tokens").await.expect(200)[0]["id"].as_str().unwrap().to_owned();
        let answer = browser.send(&form(&list, "/settings/tokens/revoke", &id), &[]).await.expect(303);
        let list = browser.follow(&answer).await;
        list.says("The token the laptop opens nothing any more").says("No token was made here yet");
        browser.get("/settings?tokens=revoked").await.says("the laptop").says("revoked</span>");
        beat("coder").await.expect(401);
        let again = browser.send(&form(&browser.get("/settings").await, "/settings/sessions/end", &session(&app).await), &[("id", "none")]).await;
        browser.follow(&again).await.says("Not done:");
        let maintainer = browser.send(&make, &[("for", "maintainer"), ("agent", "")]).await.expect(200);
        let token = shown(&maintainer);
        send(app.request("GET", "/api/tokens", &token)).await.expect(200);
        for (kind, agent, words) in [
            ("worker", "", "Name the agent"),
            ("worker", "no name", "Agent:"),
            ("maintainer", "coder", "bound to no agent"),
            ("", "coder", "Choose what"),
        ] {
            let refused = browser.send(&make, &[("for", kind), ("agent", agent)]).await.expect(303);
            browser.follow(&refused).await.says("Not done:").says(words);
        }
        let long = browser.send(&make, &[("for", "maintainer"), ("name", &"x".repeat(101))]).await.expect(303);
        browser.follow(&long).await.says("at most 100 characters");
        assert_eq!(app.get("/api/tokens").await.expect(200).as_array().unwrap().len(), 2);
    }

    async fn every_living_token_and_session_is_found_and_ended(db) {
        let app = App::with_repos(db, &[API]).await;
        app.db.sql(MANY).await;
        let browser = Browser::signed_in(&app).await;
        let tokens = walk(&browser, "/settings", "live-").await;
        assert_eq!(tokens.iter().map(|(_, ids)| ids.len()).collect::<Vec<_>>(), [50, 5]);
        let (last, ids) = &tokens[1];
        let page = browser.get(last).await;
        let answer = browser.send(&form(&page, "/settings/tokens/revoke", &ids[4]), &[]).await.expect(303);
        let page = browser.follow(&answer).await;
        page.says("opens nothing any more").says(&ids[3]).says("To the start of the tokens");
        assert!(!page.text.contains(&format!("<code>{}</code>", ids[4])), "it lives no more");
        let found = browser.get("/settings?agent=AGENT-07").await;
        found.says("<code>live-07</code>");
        assert!(!found.text.contains("<code>live-08</code>") && !found.text.contains("<code>gone-07</code>"));
        browser.get("/settings?agent=none").await.says("No token fits these filters");
        assert_eq!(walk(&browser, "/settings?tokens=revoked", "gone-").await.iter().map(|(_, ids)| ids.len()).sum::<usize>(), 60);
        // Sessions have pages of their own, and leave those of tokens alone.
        let sessions = walk(&browser, "/settings", "seat-").await;
        assert_eq!(sessions.iter().map(|(_, ids)| ids.len()).sum::<usize>(), 55);
        let ids: std::collections::BTreeSet<_> = sessions.iter().flat_map(|(_, ids)| ids).collect();
        assert_eq!(ids.len(), 55);
    }

    async fn no_page_leads_back_to_where_only_forms_go(db) {
        let app = App::with_repos(db, &[API]).await;
        let browser = Browser::signed_in(&app).await;
        let make = browser.get("/settings").await.form("/settings/tokens");
        let page = browser.send(&make, &[("for", "worker"), ("agent", "coder")]).await.expect(200);
        let answer = browser.send(&page.form("/theme"), &[("theme", "dark")]).await.expect(303);
        assert_eq!(answer.location(), "/settings");
        browser.follow(&answer).await.expect(200).says("data-theme=\"dark\"");
        // A browser may keep the address of the form.
        assert_eq!(browser.get("/settings/tokens").await.expect(303).location(), "/settings#tokens");
    }

    async fn a_session_is_ended_by_another(db) {
        let app = App::with_repos(db, &[API]).await;
        let (lost, here) = (Browser::signed_in(&app).await, Browser::signed_in(&app).await);
        let page = here.get("/settings").await.expect(200);
        page.says("this browser");
        let ids: Vec<String> = page.forms().into_iter().filter(|form| form.action == "/settings/sessions/end")
            .map(|form| form.fields.into_iter().find(|(name, _)| name == "id").unwrap().1).collect();
        assert_eq!(ids.len(), 2);
        let own = page.text.split("this browser").nth(1).unwrap().split("<code>").nth(1).unwrap().split('<').next().unwrap();
        let other = ids.iter().find(|id| *id != own).unwrap();
        let answer = here.send(&form(&page, "/settings/sessions/end", other), &[]).await.expect(303);
        here.follow(&answer).await.says("The session is ended");
        lost.get("/settings").await.expect(303);
        here.get("/settings").await.expect(200);
        let rows = app.get("/api/audit?action=sign_out").await.expect(200);
        assert_eq!(rows[0]["notes"], format!("session {other}"));
    }

    async fn jobs_tell_when_they_ran_and_why_they_failed(db) {
        let app = App::with_repos(db, &[API]).await;
        let now = dispatch::domain::time::Timestamp(crate::support::START_MS);
        let jobs = app.engine.jobs();
        jobs.announce("sync", std::time::Duration::from_mins(5));
        jobs.end("sync", now, Some("<b>GitHub</b> is away".to_owned()));
        jobs.plan("sync", now.plus(std::time::Duration::from_mins(5)));
        let page = Browser::signed_in(&app).await.get("/settings").await.expect(200);
        page.says("<th scope=\"row\">sync</th>").says("in 5 min").says("failed</span>").says("&#60;b&#62;GitHub&#60;/b&#62; is away");
    }
}

/// Tokens of agents, of which more recent ones were revoked, and sessions of others.
const MANY: &str = "INSERT INTO tokens (id, hash, name, agent, created_at, created_by)
     WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 55)
     SELECT 'live-' || substr('0' || n, length('' || n)), 'l' || n, 'lives ' || n, 'Agent-' || substr('0' || n, length('' || n)), n / 3, 'x' FROM g;
     INSERT INTO tokens (id, hash, name, agent, created_at, created_by, revoked_at)
     WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 60)
     SELECT 'gone-' || substr('0' || n, length('' || n)), 'g' || n, 'gone ' || n, 'Agent-' || substr('0' || n, length('' || n)), 1000 + n, 'x', 2000 FROM g;
     INSERT INTO sessions (hash, id, name, source, created_at, expires_at)
     WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 55)
     SELECT 's' || n, 'seat-' || n, 'somebody', 'console', 5, 4102444800000 FROM g";

/// The rows with ids that begin so, page by page, with the address of each.
async fn walk(browser: &Browser, path: &str, start: &str) -> Vec<(String, Vec<String>)> {
    let (mut pages, mut path) = (Vec::new(), Some(path.to_owned()));
    let list = if start == "seat-" { "More sessions" } else { "More tokens" };
    while let Some(at) = path {
        let page = browser.get(&at).await.expect(200);
        let ids = page.text.split("<code>").skip(1).filter_map(|rest| rest.split('<').next());
        pages.push((at, ids.filter(|id| id.starts_with(start)).map(str::to_owned).collect()));
        let link = page.text.split("<a ").find(|link| link.contains(list));
        path = link
            .and_then(|link| Some(link.split("href=\"").nth(1)?.split('"').next()?.replace("&#38;", "&")));
    }
    pages
}

async fn session(app: &App) -> String {
    let rows = app.db.texts("SELECT id FROM sessions ORDER BY id").await;
    rows.first().expect("a session").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_is_shown_without_what_is_secret() {
    let home = tempfile::tempdir().unwrap();
    let mut command = child::dispatch(home.path());
    let secrets = [
        ("GITHUB_TOKEN", "ghp-secret-1"),
        ("DISPATCH_WORKER_TOKENS", "coder:worker-secret-2"),
        ("DISPATCH_MAINTAINER_TOKEN", "maintainer-secret-3"),
        ("DISPATCH_WORKER_TOKEN", "unbound-secret-4"),
        ("WEBHOOK_SECRET", "webhook-secret-5-long-enough"),
        ("DISPATCH_AUTH_PASSWORD", "password-secret-6"),
    ];
    for (name, value) in secrets {
        command.env(name, value);
    }
    command.env("GITHUB_API_URL", "http://127.0.0.1:9/api/v3").env("DISPATCH_GITHUB_CONCURRENCY", "3");
    let server = child::Server::start(command);
    let page = server.request("GET", "/settings").send().await.unwrap().text().await.unwrap();
    for (name, _) in secrets {
        let row = page
            .split(&format!("<code>{name}</code>"))
            .nth(1)
            .unwrap_or_else(|| panic!("{name} is not there: {page}"));
        assert!(row.split("</tr>").next().unwrap().contains(">set</span>"), "{name}: {row}");
    }
    for (name, value) in [
        ("GITHUB_API_URL", "http://127.0.0.1:9/api/v3"),
        ("DISPATCH_GITHUB_CONCURRENCY", "3"),
        ("DISPATCH_BIND", "127.0.0.1:0"),
    ] {
        let row = page
            .split(&format!("<code>{name}</code>"))
            .nth(1)
            .unwrap()
            .split("</tr>")
            .next()
            .unwrap()
            .to_owned();
        assert!(row.contains(&format!("<code>{value}</code></td>")), "{name}: {row}");
    }
    assert!(page.contains("<code>8</code> by default") || page.contains("by default"), "{page}");
    assert!(page.contains("<th scope=\"row\">sync</th>"), "its jobs: {page}");
    for (_, secret) in secrets.iter().chain(&[("", crate::support::MAINTAINER)]) {
        let secret = secret.split(':').next_back().unwrap();
        assert!(!page.contains(secret), "{secret} is shown");
    }
}
