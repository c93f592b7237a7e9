//! A browser that runs no script: all that an operator does is done by plain forms.

use std::collections::BTreeSet;

use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use crate::{
    API,
    browser::{Browser, fits},
    chromium::{Chromium, Window},
    support::app::client,
    world::{World, id_of},
};

const LOCKED: &str = r#"{"message":"Unable to create comment because issue is locked.","status":"403"}"#;
const ONE: &str = "/issues/acme/api/1";
const ITEM: &str = "/automation/pr-fix-queue/acme/api/42";

/// A window without scripts, and which forms it saw and sent.
struct Plain {
    world: World,
    window: Window,
    seen: BTreeSet<String>,
    sent: BTreeSet<String>,
}

impl Plain {
    /// Goes to a page, unless the last form led there.
    async fn go(&mut self, path: &str) {
        if self.window.value("location.pathname + location.search").await != path {
            self.window.go(&self.world.server, path).await;
            self.look().await;
        }
    }

    /// Notes the forms of the page.
    async fn look(&mut self) {
        let forms = "[...document.forms].filter((form) => form.method === 'post').map((form) => form.getAttribute('action'))";
        let forms = self.window.value(forms).await;
        self.seen.extend(
            forms.as_array().expect("forms").iter().map(|one| one.as_str().expect("text").to_owned()),
        );
        let is_dead = self.window.value("document.getElementById('live')?.hidden ?? true").await;
        assert_eq!(is_dead, true, "a script runs");
    }

    async fn click(&mut self, action: &str, button: &str) -> String {
        self.sent.insert(action.to_owned());
        self.window.follow(button).await;
        self.look().await;
        self.window.told().await
    }

    /// Fills in the form of the page that goes there and has this, and sends it; what the next page says came of it.
    async fn send(&mut self, action: &str, having: &str, fields: &[(&str, &str)], button: &str) -> String {
        let form = format!("form[action='{action}']{having}");
        let mark = format!(
            "(() => {{ const closed = document.querySelector(`{form}`).closest('details:not([open])');
                closed?.querySelector('summary').setAttribute('data-opens', ''); return closed !== null; }})()"
        );
        if self.window.value(&mark).await == true {
            self.window.click("summary[data-opens]").await;
        }
        for (name, value) in fields {
            let field = format!("{form} [name='{name}']");
            let kind = self.window.value(&format!("document.querySelector(`{field}`).type")).await;
            match kind.as_str() {
                Some("select-one") => self.window.choose(&field, value).await,
                Some("checkbox") => self.window.click(&field).await,
                _ => self.window.write(&field, value).await,
            }
        }
        self.click(action, &format!("{form} {button}")).await
    }

    /// Sends a form of the page of an issue.
    async fn act(&mut self, path: &str, action: &str, fields: &[(&str, &str)], button: &str, want: &str) {
        self.go(path).await;
        let told = self.send(&format!("{path}/{action}"), "", fields, button).await;
        assert!(told.contains(want), "{action}: {told}");
    }

    /// Goes to a page and sends a form of it.
    async fn order(
        &mut self,
        path: &str,
        (action, having): (&str, &str),
        fields: &[(&str, &str)],
        want: &str,
    ) {
        self.go(path).await;
        let told = self.send(action, having, fields, "button").await;
        assert!(told.contains(want), "{action}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_works_where_no_script_runs() {
    let world = World::at_work().await;
    let chromium = Chromium::start().await;
    let window = chromium.window().await;
    window.without_script().await;
    window.sign_in(&world.server).await;
    let mut plain =
        Plain { world, window, seen: BTreeSet::new(), sent: BTreeSet::from(["/login".to_owned()]) };
    cards(&mut plain).await;
    issue(&mut plain).await;
    work(&mut plain).await;
    outbox(&mut plain).await;
    pull_requests(&mut plain).await;
    repositories(&mut plain).await;
    settings(&mut plain).await;
    plain.sent.insert("/api/auth/logout".to_owned());
    plain.window.follow("form[action='/api/auth/logout'] button").await;
    plain.window.go(&plain.world.server, "/board").await;
    plain.window.until("location.pathname === '/login'").await;

    // The forms of one issue are those of all.
    let of_one = |action: &String| match action.strip_prefix("/issues/acme/api/") {
        Some(rest) => format!("{ONE}{}", rest.trim_start_matches(|one: char| one.is_ascii_digit())),
        None => action.clone(),
    };
    let sent: BTreeSet<String> = plain.sent.iter().map(of_one).collect();
    let left: Vec<_> = plain.seen.iter().filter(|action| !sent.contains(&of_one(action))).collect();
    assert!(left.is_empty(), "forms that were seen and not sent: {left:?}");
    for route in dispatch::http::pages::paths() {
        let path = plain.world.server.url.clone() + &route.replace(['{', '}'], "");
        let takes_forms = client().post(path).send().await.expect("an answer").status() != 405;
        let is_sent = plain.sent.iter().any(|action| fits(route, action));
        assert_eq!(takes_forms, is_sent, "{route}");
    }
}

async fn cards(plain: &mut Plain) {
    let id = id_of(&plain.world.server, 1).await;
    plain.go("/board").await;
    assert_eq!(
        plain.window.value("document.querySelector('.hint').hidden").await,
        true,
        "nothing promises a mouse"
    );
    plain.window.click(&format!("#card-{id} summary")).await;
    let told = plain.click("/board/move", &format!("#card-{id} button[value^='in-review ']")).await;
    assert!(told.contains("The card is in In Review now"), "{told}");
    plain.window.until(&crate::world::is_in(&id, "in-review")).await;
    assert_eq!(plain.world.labels(1), ["status/in-review"]);
    plain.window.write("input[name='q']", "issue 2").await;
    plain.window.follow(".filters button").await;
    plain.window.until("document.querySelectorAll('.card').length === 1").await;
    plain.click("/theme", "button[name='theme'][value='dark']").await;
    plain
        .window
        .until("document.documentElement.dataset.theme === 'dark' && location.search.includes('q=')")
        .await;
}

async fn issue(plain: &mut Plain) {
    plain.act(ONE, "move", &[("to", "ready")], "button", "It is in Ready now").await;
    plain.act(ONE, "priority", &[("priority", "p1")], "button", "Its priority is p1 now").await;
    plain.act(ONE, "lane", &[("lane", "cloud"), ("reason", "large")], "button", "It is in the lane").await;
    plain
        .act(ONE, "label", &[("label", "type/bug")], "button[value='add']", "The label type/bug is there")
        .await;
    plain.act(ONE, "claim", &[("agent", "coder")], "button", "coder holds it now").await;
    plain.act(ONE, "claim", &[("agent", "second"), ("force", "yes")], "button", "second holds it now").await;
    assert_eq!(plain.world.labels(1), ["agent/second", "priority/p1", "status/in-progress", "type/bug"]);
    plain.act(ONE, "release", &[("reason", "enough")], "button", "second holds it no more").await;
    plain.act(ONE, "assign", &[("agent", "coder")], "button", "It is assigned to coder now").await;
    plain.act(ONE, "unassign", &[], "button", "agent/coder is gone").await;
    plain
        .act(ONE, "label", &[("label", "type/bug")], "button[value='remove']", "The label type/bug is gone")
        .await;
    plain.act(ONE, "comment", &[("body", "Looks good.")], "button", "The comment is on GitHub").await;
    assert!(plain.world.sim.repo(API).comments(1)[0].body.starts_with("Looks good."));
    let groomed = [("action", "mark_blocked"), ("reason", "no key")];
    plain.act(ONE, "groom", &groomed, "button", "Groomed: it is blocked").await;
    let halves = [("urls", "https://github.com/acme/api/issues/2"), ("note", "two halves")];
    plain.act(ONE, "decompose", &halves, "button[value='true']", "It counts as split").await;
    plain.go(ONE).await;
    plain
        .window
        .until("['no key', 'two halves'].every((words) => document.body.innerText.includes(words))")
        .await;
}

async fn work(plain: &mut Plain) {
    let three = "/issues/acme/api/3";
    for _ in 0..2 {
        plain.act(three, "claim", &[("agent", "coder")], "button", "coder holds it now").await;
        if plain.sent.contains("/work/release") {
            let order = ("/work/reassign", "");
            plain.order("/agents/coder", order, &[("to", "second")], "second has the work now").await;
        } else {
            let order = ("/work/release", "");
            plain.order("/agents/coder", order, &[("reason", "stuck")], "The work is released").await;
        }
    }
    assert_eq!(plain.world.labels(3), ["agent/second", "status/in-progress"]);
}

async fn outbox(plain: &mut Plain) {
    let two = "/issues/acme/api/2";
    for (order, want) in [("/outbox/retry", "GitHub has it now"), ("/outbox/discard", "Given up")] {
        let locked =
            Fault::new(FaultKind::StatusWithBody(403, LOCKED.to_owned())).on(Match::kind("comments.create"));
        let locked = plain.world.sim.fault(locked);
        plain.act(two, "comment", &[("body", order)], "button", "on its way to GitHub").await;
        plain.world.sim.clear_fault(locked);
        plain.order("/outbox?state=parked", (order, ""), &[], want).await;
    }
    let comments = plain.world.sim.repo(API).comments(2);
    assert!(comments.len() == 1 && comments[0].body.starts_with("/outbox/retry"), "{comments:?}");
    // Only five failures of the database make one.
    let failed = "INSERT INTO webhook_deliveries (guid, event, repository, repo_key, received_at, payload, state, attempts, next_try_at, settled_at)
        VALUES ('failed-one', 'issues', 'acme/api', 'acme/api', 0, '{}', 'failed', 5, 0, 0)";
    plain.world.db.sql(failed).await;
    plain.order("/deliveries?state=failed", ("/deliveries/retry", ""), &[], "It is pending again").await;
}

async fn pull_requests(plain: &mut Plain) {
    let evidence = json!({ "repo": API, "pr": 42, "reason": "The build fails", "feedback": "See its log", "evidenceKey": "check_run:build", "type": "CI_FAILURE" });
    plain.world.post("/api/pr-fix-queue/enqueue", evidence).await.expect(200);
    let marked = [("status", "BLOCKED"), ("note", "Needs a person")];
    plain.order(ITEM, ("/automation/pr-fix-queue/mark", ""), &marked, "It is blocked now").await;
    plain
        .order(ITEM, ("/automation/pr-fix-queue/requeue", ""), &[("note", "Once more")], "It is queued again")
        .await;
}

async fn repositories(plain: &mut Plain) {
    plain.world.sim.create_repo("acme/web").open_issue("One");
    let page = "/repositories";
    let web = ":has([name='repo'][value='acme/web'])";
    plain.order(page, ("/repositories/add", ""), &[("repo", "acme/web")], "acme/web is tracked").await;
    let whole = format!("{web}:has([name='sweep'])");
    for which in [":not(:has([name='repo']))", web, &whole] {
        plain.order(page, ("/repositories/sync", which), &[], "the cache is up to date").await;
    }
    plain.order(page, ("/repositories/remove", web), &[], "acme/web is tracked no more").await;
}

async fn settings(plain: &mut Plain) {
    let lost = Browser::signed_in(&plain.world.server).await;
    lost.get("/board").await.expect(200);
    plain.go("/settings").await;
    plain.send("/settings/tokens", "", &[("agent", "coder"), ("name", "the laptop")], "button").await;
    let token = plain.window.value("document.querySelector('input.secret').value").await;
    let beat = plain.world.run(token.as_str().expect("a token"), &["heartbeat", "coder"]);
    assert_eq!(beat.status.code(), Some(0), "{beat:?}");
    plain.order("/settings", ("/settings/tokens/revoke", ""), &[], "opens nothing any more").await;
    // This browser's own has a mark.
    plain.go("/settings").await;
    let form = "tr:not(:has(th .mark)) form[action='/settings/sessions/end'] button";
    let told = plain.click("/settings/sessions/end", form).await;
    assert!(told.contains("The session is ended"), "{told}");
    lost.get("/board").await.expect(303);
}
