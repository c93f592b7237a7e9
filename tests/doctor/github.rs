//! GitHub: not there, not itself, not for us, and repositories in every state.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::Request, response::IntoResponse as _};
use github_sim::{Clock, Fault, FaultKind, ManualClock, Match, Permission, SimConfig};

use crate::Setup;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_github_is_named_and_gets_no_token() {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&heads);
    let answer = move |request: Request| {
        kept.lock().expect("no panic").push(format!("{:?}", request.headers()));
        let path = request.uri().path().to_owned();
        async move {
            match path.as_str() {
                "/page/rate_limit" => (axum::http::StatusCode::NOT_FOUND, "<html>").into_response(),
                "/other/rate_limit" => r#"{"ok":true}"#.into_response(),
                "/down/rate_limit" => axum::http::StatusCode::BAD_GATEWAY.into_response(),
                _ => axum::response::Redirect::permanent("https://api.example/").into_response(),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its number");
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let mut setup = Setup::new().await;
    for (place, words) in [
        ("page", "is not GitHub's REST API"),
        ("other", "is not GitHub's REST API"),
        ("moved", "redirects to another address"),
        ("down", "GitHub failed with 502"),
    ] {
        setup.set("GITHUB_API_URL", format!("http://{address}/{place}"));
        let found = setup.examine().await;
        found.says("github", "error", words);
        found.says("repository", "warning", "1 not checked");
    }
    let heads = heads.lock().expect("no panic");
    assert_eq!(heads.len(), 4);
    assert!(heads.iter().all(|head| !head.contains("authorization")), "{heads:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_to_github_is_told_and_a_proxy_is_mentioned() {
    let mut setup = Setup::new().await;
    setup.set("GITHUB_API_URL", "http://127.0.0.1:9");
    setup.examine().await.says("github", "error", "nothing listens there");
    setup.set("GITHUB_API_URL", "http://github.example");
    setup.set("HTTP_PROXY", "http://127.0.0.1:9");
    setup.examine().await.says("github", "error", "HTTP_PROXY is set");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_refused_doubtful_or_missing() {
    let mut setup = Setup::new().await;
    setup.sim.fault(Fault::new(FaultKind::Forbidden).on(Match::kind("user.get")).times(1));
    setup.examine().await.says("github_credentials", "warning", "belongs to no user");
    setup.unset("GITHUB_TOKEN");
    let found = setup.examine().await;
    found.says("github_credentials", "warning", "60 requests an hour");
    found.says("repository", "ok", "public");
    setup.set("GITHUB_TOKEN", "two words");
    setup.examine().await.says("github", "error", "GITHUB_TOKEN");
    setup.set("GITHUB_TOKEN", "not-a-token");
    let found = setup.examine().await;
    found.says("github_credentials", "error", "(401)");
    found.says("repository", "warning", "not checked");
}

#[tokio::test(flavor = "multi_thread")]
async fn little_quota_is_a_warning_and_is_left_to_the_server() {
    let setup = Setup::over(SimConfig { hourly_quota: Some(4), ..SimConfig::default() }).await;
    setup.examine().await.says("github_quota", "ok", "3 of 4");
    let found = setup.examine().await;
    found.says("repository", "warning", "to leave requests to the server");
    assert_eq!(setup.sim.counters().by_kind.get("repos.get"), None);
    let setup = Setup::over(SimConfig { hourly_quota: Some(1), ..SimConfig::default() }).await;
    setup.examine().await.says("github_quota", "warning", "0 of 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_disagree_are_told() {
    for (seconds, status) in [(10, "warning"), (-90, "error")] {
        let now = Clock::System.now_ms() + seconds * 1_000;
        let clock = Clock::Manual(ManualClock::new(now));
        let setup = Setup::over(SimConfig { clock, ..SimConfig::default() }).await;
        setup.examine().await.says("github_clock", status, "NTP");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_classic_token_tells_its_scopes() {
    let setup = Setup::new().await;
    for (scopes, status, words) in [
        ("", "warning", "claims will not be able to write"),
        ("public_repo", "ok", "public repositories only"),
        ("repo", "ok", "scope repo"),
    ] {
        setup.sim.token_scopes(&setup.sim.token(), scopes);
        let found = setup.examine().await;
        found.says("github_permissions", status, words);
        found.says("github_credentials", "ok", "classic token of dispatch-bot");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_in_every_state() {
    let mut setup = Setup::new().await;
    let sim = &setup.sim;
    sim.create_repo("acme/old").rename("new");
    sim.create_repo("acme/still").archive();
    sim.create_repo("acme/mute").disable_issues();
    sim.create_repo("acme/flaky");
    sim.fault(Fault::new(FaultKind::Status(503)).on(Match::repo("acme/flaky")));
    setup.set("GITHUB_REPOSITORIES", "acme/api,acme/none,acme/old,acme/still,acme/mute,acme/flaky");
    let found = setup.examine().await;
    for (repo, status, words) in [
        ("acme/api", "ok", "can be read"),
        ("acme/none", "error", "404"),
        ("acme/old", "warning", "acme/new now"),
        ("acme/still", "warning", "archived"),
        ("acme/mute", "error", "turned off"),
        ("acme/flaky", "error", "failed with 503"),
    ] {
        found.says("repository", status, words);
        found.says("repository", status, repo);
    }
    let limit = FaultKind::SecondaryLimit { status: 403, retry_after: Some(60) };
    setup.sim.fault(Fault::new(limit).on(Match::repo("acme/api")));
    setup.set("GITHUB_REPOSITORIES", "acme/api");
    setup.examine().await.says("repository", "warning", "not checked: a secondary rate limit");
    setup.unset("GITHUB_REPOSITORIES");
    setup.examine().await.says("repository", "warning", "none is tracked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_not_read_or_write_is_told() {
    let setup = Setup::new().await;
    setup.sim.repo("acme/api").set_private(true);
    for (permission, status, words) in [
        (Permission::Write, "ok", "can be read (private)"),
        (Permission::Read, "warning", "claims will not be able to write"),
        (Permission::None, "error", "issues=read"),
    ] {
        setup.sim.token_permission(&setup.sim.token(), permission);
        setup.examine().await.says("repository", status, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_its_installations() {
    let mut setup = Setup::new().await;
    setup.sim.create_repo("gamma/x");
    let (app, other) = (setup.sim.create_app(7), setup.sim.create_app(8));
    let acme = app.install("acme", Permission::Write);
    setup.unset("GITHUB_TOKEN");
    setup.set("GITHUB_REPOSITORIES", "acme/api,gamma/x");
    setup.set("GITHUB_APP_ID", "7");
    setup.set("GITHUB_APP_INSTALLATION_ID", format!("acme:{acme},beta:404"));
    setup.set("GITHUB_APP_PRIVATE_KEY", app.private_key_pem());
    let found = setup.examine().await;
    found.says("github_credentials", "ok", "GitHub App dispatch-sim-7 on acme");
    found.says("github_permissions", "ok", "Issues and Pull requests: write");
    found.says("github_credentials", "error", "no such installation");
    found.says("github_credentials", "error", "beta");
    found.says("repository", "ok", "acme/api");
    found.says("repository", "error", "no installation of the GitHub App is configured for its owner");
    for (permission, status, words) in [
        (Permission::Read, "warning", "no write permission for Issues and Pull requests"),
        (Permission::None, "error", "no read permission for Issues and Pull requests"),
    ] {
        app.grant(acme, permission);
        setup.examine().await.says("github_permissions", status, words);
    }
    app.suspend(acme);
    let found = setup.examine().await;
    found.says("github_credentials", "error", "suspended");
    found.says("repository", "warning", "1 not checked");
    setup.set("GITHUB_APP_PRIVATE_KEY", other.private_key_pem());
    setup.examine().await.says("github_credentials", "error", "key of the GitHub App was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_missed_deliveries_are_found_is_said_once() {
    let mut setup = Setup::new().await;
    assert!(setup.examine().await.lines("webhooks").is_empty(), "none are received");
    setup.set("WEBHOOK_SECRET", "a-secret-of-the-doctor-91");
    setup.examine().await.says("webhooks", "ok", "what does not come is found");
    setup.sim.token_hooks(&setup.sim.token(), Permission::None);
    setup.examine().await.says("webhooks", "warning", "shows no webhooks");
}
