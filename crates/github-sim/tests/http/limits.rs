//! Credentials and limits.

use std::time::Duration;

use futures_util::future::join_all;
use github_sim::{Permission, Sim, SimConfig};
use reqwest::Method;
use serde_json::json;

use crate::support::{Caller, NEW_YEAR, at_new_year, at_new_year_with, send};

const LIST: &str = "/repos/acme/api/issues";

#[tokio::test]
async fn a_request_without_user_agent_is_refused() {
    let sim = Sim::start().await;
    let request = Caller::of(&sim).request(Method::GET, "/user");
    let answer = send(request.header("user-agent", "")).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("Request forbidden by administrative rules"));
}

#[tokio::test]
async fn both_schemes_work_and_bad_tokens_do_not() {
    let sim = Sim::start().await;
    sim.create_repo("acme/api");
    let anonymous = Caller::anonymous(&sim);
    for (scheme, status) in [("Bearer", 200), ("token", 200), ("bearer", 200), ("Basic", 401)] {
        let header = format!("{scheme} {}", sim.token());
        let request = anonymous.request(Method::GET, "/user");
        let answer = send(request.header("authorization", header)).await;
        assert_eq!(answer.status, status, "{scheme}");
    }
    let caller = Caller::of(&sim);
    sim.revoke_token(&sim.token());
    let answer = caller.get(LIST).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.message(), "Bad credentials");
    assert_eq!(answer.json()["status"], "401");
}

#[tokio::test]
async fn without_a_token_only_public_things_are_there() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    repo.open_issue("One");
    let anonymous = Caller::anonymous(&sim);
    let list = anonymous.get(LIST).await;
    assert_eq!((list.status, list.number("x-ratelimit-limit")), (200, 60));
    let user = anonymous.get("/user").await;
    assert_eq!(user.status, 401);
    assert_eq!(user.message(), "Requires authentication");
    let write = anonymous.post(LIST, &json!({"title": "Two"})).await;
    assert_eq!(write.status, 401);
    repo.set_private(true);
    assert_eq!(anonymous.get(LIST).await.status, 404);
    assert_eq!(Caller::of(&sim).get(LIST).await.status, 200);
    assert_eq!(sim.counters().anonymous, 4);
}

#[tokio::test]
async fn a_read_only_token_cannot_write() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    sim.token_permission(&sim.token(), Permission::Read);
    let caller = Caller::of(&sim);
    assert_eq!(caller.get(LIST).await.status, 200);
    let write = caller.post(LIST, &json!({"title": "Two"})).await;
    assert_eq!(write.status, 403);
    assert_eq!(write.message(), "Resource not accessible by personal access token");
    assert!(repo.issues().is_empty());
    assert_eq!(sim.counters().writes, 1);
}

#[tokio::test]
async fn the_hourly_quota_ends_and_comes_back() {
    let (sim, clock) = at_new_year_with(SimConfig { hourly_quota: Some(3), ..SimConfig::default() }).await;
    sim.create_repo("acme/api");
    let caller = Caller::of(&sim);
    let first = caller.get(LIST).await;
    assert_eq!(first.number("x-ratelimit-limit"), 3);
    assert_eq!(first.number("x-ratelimit-used"), 1);
    assert_eq!(first.number("x-ratelimit-reset"), NEW_YEAR + 3_600);
    assert_eq!(first.header("x-ratelimit-resource"), "core");
    clock.advance(Duration::from_mins(30));
    caller.get("/user").await;
    // An error is a request like any other.
    assert_eq!(caller.get("/nothing").await.number("x-ratelimit-remaining"), 0);

    let limited = caller.get_if_none_match(LIST, &first.etag()).await;
    assert_eq!(limited.status, 403);
    assert!(limited.message().starts_with("API rate limit exceeded for user ID "));
    assert_eq!(limited.number("x-ratelimit-remaining"), 0);
    assert_eq!(limited.number("x-ratelimit-reset"), NEW_YEAR + 3_600);
    assert_eq!(sim.counters().primary_limited, 1);
    assert_eq!(sim.counters().quota_spent, 3);

    clock.advance(Duration::from_mins(30));
    let again = caller.get(LIST).await;
    assert_eq!(again.number("x-ratelimit-remaining"), 2);
    assert_eq!(again.number("x-ratelimit-reset"), NEW_YEAR + 7_200);
}

#[tokio::test]
async fn asking_for_the_limits_is_free() {
    let (sim, _clock) = at_new_year().await;
    let caller = Caller::of(&sim);
    caller.get("/user").await;
    let limits = caller.get("/rate_limit").await.json();
    assert_eq!(limits["resources"]["core"]["used"], 1);
    assert_eq!(limits["rate"]["remaining"], 4_999);
    assert_eq!(caller.get("/rate_limit").await.json()["rate"]["used"], 1);
}

#[tokio::test]
async fn anonymous_requests_share_sixty_an_hour() {
    let (sim, _clock) = at_new_year_with(SimConfig { anonymous_quota: 1, ..SimConfig::default() }).await;
    sim.create_repo("acme/api");
    let anonymous = Caller::anonymous(&sim);
    assert_eq!(anonymous.get(LIST).await.status, 200);
    let limited = anonymous.get(LIST).await;
    assert_eq!(limited.status, 403);
    assert!(limited.message().starts_with("API rate limit exceeded for 127.0.0.1"));
    assert_eq!(Caller::of(&sim).get(LIST).await.status, 200);
}

#[tokio::test]
async fn a_304_is_free_of_quota_but_not_of_points() {
    let (sim, clock) =
        at_new_year_with(SimConfig { points_per_minute: Some(8), ..SimConfig::default() }).await;
    sim.create_repo("acme/api");
    let caller = Caller::of(&sim);
    let etag = caller.get(LIST).await.etag();
    assert_eq!(caller.get_if_none_match(LIST, &etag).await.status, 304);
    // A write is five points: seven are gone now.
    assert_eq!(caller.post(LIST, &json!({"title": "One"})).await.status, 201);
    assert_eq!(caller.get(LIST).await.status, 200);
    let limited = caller.get(LIST).await;
    assert_eq!(limited.status, 403);
    assert!(limited.message().starts_with("You have exceeded a secondary rate limit"));
    assert_eq!(limited.header("retry-after"), "60");
    assert!(limited.number("x-ratelimit-remaining") > 4_900);
    assert_eq!(sim.counters().secondary_limited, 1);
    clock.advance(Duration::from_mins(1));
    assert_eq!(caller.get(LIST).await.status, 200);
}

#[tokio::test]
async fn new_content_has_a_limit_of_its_own() {
    let (sim, _clock) =
        at_new_year_with(SimConfig { content_per_minute: Some(2), ..SimConfig::default() }).await;
    sim.create_repo("acme/api");
    let caller = Caller::of(&sim);
    for status in [201, 201, 403] {
        assert_eq!(caller.post(LIST, &json!({"title": "One"})).await.status, status);
    }
    let label = json!({"labels": ["x"]});
    assert_eq!(caller.post("/repos/acme/api/issues/1/labels", &label).await.status, 200);
}

#[tokio::test]
async fn too_many_requests_at_once_are_turned_away() {
    let sim = Sim::start_with(SimConfig {
        max_concurrent: Some(2),
        latency: Duration::from_millis(500),
        ..SimConfig::default()
    })
    .await;
    sim.create_repo("acme/api");
    let caller = Caller::of(&sim);
    let answers = join_all((0..4).map(|_| caller.get(LIST))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 403, 403]);
    assert_eq!(sim.counters().max_in_flight, 4);
    sim.set_latency(Duration::ZERO);
    assert_eq!(caller.get(LIST).await.status, 200);
}

#[tokio::test]
async fn unlimited_means_it() {
    let sim = Sim::start_with(SimConfig::default().without_limits()).await;
    sim.create_repo("acme/api");
    let caller = Caller::of(&sim);
    for _ in 0..1_000 {
        assert_eq!(caller.get(LIST).await.status, 200);
    }
}

#[tokio::test]
async fn every_answer_has_the_common_headers() {
    let (sim, _clock) = at_new_year().await;
    sim.create_repo("acme/api");
    let caller = Caller::of(&sim);
    for path in [LIST, "/repos/acme/none"] {
        let answer = caller.get(path).await;
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        assert_eq!(answer.header("x-github-media-type"), "github.v3; format=json");
        assert_eq!(answer.header("date"), "Thu, 01 Jan 2026 00:00:00 GMT");
        assert!(answer.header("cache-control").starts_with("private"));
        assert!(!answer.header("x-github-request-id").is_empty());
        assert!(answer.header("vary").contains("Authorization"));
    }
}
