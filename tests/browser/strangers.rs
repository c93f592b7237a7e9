//! What others try: a site on the same machine, whose requests browsers send with our cookies, and texts that are programs.

use std::fmt::Write as _;

use axum::{Router, response::Html, routing::get};
use serde_json::Value;

use crate::{
    API,
    chromium::Chromium,
    support::{
        app::{client, send},
        child::Server,
    },
    world::{World, id_of},
};

/// Another site on this machine, with these two pages; its address.
#[expect(clippy::disallowed_methods, reason = "the test owns its server")]
async fn site(forms: String, frame: String) -> String {
    let app = Router::new()
        .route("/forms", get(async move || Html(forms.clone())))
        .route("/frame", get(async move || Html(frame.clone())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("its number"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// What the operator did that is signed in.
async fn decisions(world: &World) -> Vec<Value> {
    let rows = send(world.server.request("GET", "/api/audit")).await.expect(200);
    rows.as_array().expect("rows").iter().filter(|row| row["actor"] == "operator").cloned().collect()
}

/// The routes of pages that take forms, with a path for each.
async fn takers_of_forms(server: &Server) -> Vec<String> {
    let mut takers = Vec::new();
    for route in dispatch::http::pages::paths() {
        let path =
            route.replace("{owner}/{repo}/{number}/{action}", "acme/api/1/move").replace(['{', '}'], "");
        let answer = client().post(format!("{}{path}", server.url)).send().await.expect("an answer");
        if answer.status() != 405 {
            takers.push(path);
        }
    }
    takers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_site_frames_nothing_sends_nothing_and_reads_nothing() {
    let world = World::at_work().await;
    let ours = &world.server.url;
    let takers = takers_of_forms(&world.server).await;
    let mut forms = "<!DOCTYPE html><title>Forms</title>".to_owned();
    for path in &takers {
        let fields = "<input name=\"repo\" value=\"acme/evil\"><input name=\"to\" value=\"done\"><input name=\"csrf\" value=\"\">";
        write!(forms, "<form method=\"post\" action=\"{ours}{path}\">{fields}</form>").expect("a text");
    }
    let frame = format!("<!DOCTYPE html><title>Frame</title><iframe src=\"{ours}/board\"></iframe>");
    let evil = site(forms, frame).await;
    let chromium = Chromium::start().await;
    let window = chromium.sign_in(&world.server, "/board").await;
    let before = decisions(&world).await;
    assert_eq!(window.complaints(), Vec::<String>::new());

    window.visit(&format!("{evil}/frame")).await;
    let complaints = window.complaints().join("\n");
    assert!(complaints.contains("frame-ancestors"), "the board stands in a frame: {complaints}");
    assert!(takers.len() > 12, "{takers:?}");
    for (n, path) in takers.iter().enumerate() {
        window.visit(&format!("{evil}/forms")).await;
        window.leave(&format!("document.forms[{n}].submit()")).await;
        let status = window.value("performance.getEntriesByType('navigation')[0].responseStatus").await;
        // Who is not signed in would be led to where that is done: the cookie was sent along.
        assert_eq!(status, 403, "{path}");
    }
    window.visit(&format!("{evil}/forms")).await;
    for (method, path, kind) in [
        ("POST", "/api/repos", "text/plain"),
        ("POST", "/api/repos", "application/json"),
        ("POST", "/api/tokens", "text/plain"),
        ("GET", "/api/tokens", ""),
        ("GET", "/api/events", ""),
        ("DELETE", "/api/automation/repos/acme/api", ""),
    ] {
        let body = if kind.is_empty() { "undefined" } else { r#"'{"fullName":"acme/evil","name":"evil"}'"# };
        let script = format!(
            "fetch('{ours}{path}', {{ method: '{method}', credentials: 'include', body: {body}, headers: {{ ...('{kind}' && {{ 'content-type': '{kind}' }}) }} }})
                .then(() => 'read', () => 'refused')"
        );
        assert_eq!(window.run(&script).await, "refused", "{method} {path} as {kind}");
    }
    assert_eq!(decisions(&world).await, before, "something was done");
    window.go(&world.server, "/repositories").await;
    window.until("document.querySelector('main tbody').innerText.includes('acme/api')").await;
    assert_eq!(window.value("document.body.innerText.includes('acme/evil')").await, false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_others_stay_texts_where_a_script_swaps_them_in() {
    let evil = "<img src=x onerror=\"window.owned=1\"><script>window.owned=1</script>";
    let world = World::at_work().await;
    let chromium = Chromium::start().await;
    let window = chromium.sign_in(&world.server, "/board").await;
    window.until("document.getElementById('live').dataset.state === 'on'").await;
    let repo = world.sim.repo(API);
    repo.set_title(1, evil);
    repo.add_label(1, "agent/<img src=x onerror=window.owned=1>");
    repo.open_issue(evil);
    world.beat("coder").await;
    for number in [1, 4] {
        let card = format!("document.getElementById('card-{}')", id_of(&world.server, number).await);
        window
            .until(&format!("{card}?.querySelector('h3').textContent === `{}`", evil.replace('`', "\\`")))
            .await;
    }
    for path in ["/", "/issues/acme/api/1", "/projects?repo=acme/api", "/audit"] {
        assert_eq!(
            window.value("window.owned === undefined && !document.querySelector('main img')").await,
            true
        );
        assert_eq!(window.complaints(), Vec::<String>::new());
        window.go(&world.server, path).await;
    }
}
