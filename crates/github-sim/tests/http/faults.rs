//! Each fault as its victim sees it.

use std::time::{Duration, Instant};

use github_sim::{Fault, FaultKind, Match, Repo, Sim};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Answer, Caller, try_send};

const LIST: &str = "/repos/acme/api/issues?per_page=100";

struct Scene {
    sim: Sim,
    repo: Repo,
    caller: Caller,
}

impl Scene {
    async fn new() -> Self {
        let sim = Sim::start().await;
        let repo = sim.create_repo("acme/api");
        repo.seed(20, |i| format!("Issue {i}"));
        let caller = Caller::of(&sim);
        Self { sim, repo, caller }
    }

    /// Sets a fault for one request and makes that request.
    async fn hit(&self, kind: FaultKind) -> reqwest::Result<Answer> {
        let id = self.sim.fault(Fault::new(kind).times(1));
        let outcome = try_send(self.caller.request(Method::GET, LIST)).await;
        assert_eq!(self.sim.fault_hits(id), 1);
        assert_eq!(self.caller.get(LIST).await.numbers().len(), 20);
        outcome
    }
}

#[tokio::test]
async fn answers_in_the_place_of_the_real_one() {
    let scene = Scene::new().await;
    let cases = [
        (FaultKind::Status(502), 502, "Server Error"),
        (FaultKind::Status(503), 503, "Service Unavailable"),
        (FaultKind::BadCredentials, 401, "Bad credentials"),
        (FaultKind::Forbidden, 403, "Resource not accessible by personal access token"),
    ];
    for (kind, status, message) in cases {
        let answer = scene.hit(kind).await.expect("an answer");
        assert_eq!((answer.status, answer.message().as_str()), (status, message));
    }
    let custom = FaultKind::StatusWithBody(418, "{\"tea\":true}".to_owned());
    let answer = scene.hit(custom).await.expect("an answer");
    assert_eq!((answer.status, answer.text.as_str()), (418, "{\"tea\":true}"));
}

#[tokio::test]
async fn limits_out_of_the_blue() {
    let scene = Scene::new().await;
    let primary = scene.hit(FaultKind::PrimaryLimit).await.expect("an answer");
    assert_eq!(primary.status, 403);
    assert_eq!(primary.number("x-ratelimit-remaining"), 0);
    assert!(primary.message().starts_with("API rate limit exceeded"));
    let kind = FaultKind::SecondaryLimit { status: 429, retry_after: Some(7) };
    let secondary = scene.hit(kind).await.expect("an answer");
    assert_eq!(secondary.status, 429);
    assert_eq!(secondary.header("retry-after"), "7");
    let kind = FaultKind::SecondaryLimit { status: 403, retry_after: None };
    let silent = scene.hit(kind).await.expect("an answer");
    assert!(silent.headers.get("retry-after").is_none());
    let counters = scene.sim.counters();
    assert_eq!((counters.primary_limited, counters.secondary_limited), (1, 2));
    assert_eq!(counters.quota_spent, 3, "only the real lists cost");
}

#[tokio::test]
async fn bodies_of_another_kind() {
    let scene = Scene::new().await;
    let shape = scene.hit(FaultKind::WrongJson).await.expect("an answer");
    assert_eq!(shape.status, 200);
    assert!(shape.json().is_object(), "a list was asked for");
    let html = scene.hit(FaultKind::NotJson).await.expect("an answer");
    assert_eq!(html.status, 200);
    assert!(html.header("content-type").starts_with("text/html"));
    assert!(serde_json::from_str::<serde_json::Value>(&html.text).is_err());
}

#[tokio::test]
async fn a_redirect_to_another_host() {
    let scene = Scene::new().await;
    let elsewhere = FaultKind::RedirectElsewhere("https://evil.example/x".to_owned());
    let answer = scene.hit(elsewhere).await.expect("an answer");
    assert_eq!(answer.status, 301);
    assert_eq!(answer.header("location"), "https://evil.example/x");
}

#[tokio::test]
async fn a_reset_connection() {
    let scene = Scene::new().await;
    let error = scene.hit(FaultKind::Reset).await.expect_err("no answer");
    assert!(error.is_request(), "{error:?}");
    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");
    assert_eq!(scene.sim.counters().by_status[&0], 1);
}

#[tokio::test]
async fn a_truncated_body() {
    let scene = Scene::new().await;
    scene.sim.fault(Fault::new(FaultKind::Truncate).times(1));
    let whole = scene.caller.request(Method::GET, LIST);
    let response = whole.send().await.expect("headers");
    let length = response.content_length().expect("a length");
    assert!(length > 1_000);
    let error = response.text().await.expect_err("half a body");
    assert!(error.is_body() || error.is_decode(), "{error:?}");

    let etag = scene.caller.get(LIST).await.etag();
    scene.sim.fault(Fault::new(FaultKind::Truncate).times(1));
    let request = scene.caller.request(Method::GET, LIST);
    let outcome = try_send(request.header("if-none-match", etag)).await;
    assert!(outcome.is_err(), "a 304 would have no body to cut");
}

#[tokio::test]
async fn a_slow_body_arrives_whole() {
    let scene = Scene::new().await;
    let size = scene.caller.get(LIST).await.text.len();
    let kind = FaultKind::SlowBody { chunk: size / 4, every: Duration::from_millis(30) };
    let start = Instant::now();
    let answer = scene.hit(kind).await.expect("an answer");
    assert_eq!(answer.numbers().len(), 20);
    assert!(start.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn a_late_answer_has_taken_effect_long_before() {
    let scene = Scene::new().await;
    let kind = FaultKind::Delay(Duration::from_mins(1));
    scene.sim.fault(Fault::new(kind).on(Match::method("PATCH")));
    let request = scene.caller.request(Method::PATCH, "/repos/acme/api/issues/1");
    let request = request.json(&json!({"title": "Late"})).timeout(Duration::from_millis(500));
    let error = try_send(request).await.expect_err("no patience");
    assert!(error.is_timeout());
    assert_eq!(scene.repo.issue(1).map(|issue| issue.title), Some("Late".to_owned()));
}

#[tokio::test]
async fn a_hanging_request_has_no_effect_and_ends_with_its_client() {
    let scene = Scene::new().await;
    let fault = Fault::new(FaultKind::Hang).on(Match::kind("issues.create"));
    let id = scene.sim.fault(fault);
    let request = scene.caller.request(Method::POST, "/repos/acme/api/issues");
    let request = request.json(&json!({"title": "Never"})).timeout(Duration::from_millis(500));
    let error = try_send(request).await.expect_err("no answer");
    assert!(error.is_timeout());
    assert_eq!(scene.repo.issues().len(), 20);
    scene.sim.clear_fault(id);
    assert_eq!(scene.sim.fault_hits(id), 1);
    let body = json!({"title": "Now"});
    let answer = scene.caller.post("/repos/acme/api/issues", &body).await;
    assert_eq!(answer.status, 201);
    scene.sim.stop().await;
}

#[tokio::test]
async fn stopping_ends_what_hangs() {
    let scene = Scene::new().await;
    scene.sim.fault(Fault::new(FaultKind::Hang));
    let request = try_send(scene.caller.request(Method::GET, LIST));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        scene.sim.stop().await;
    };
    let (outcome, ()) = tokio::join!(request, stop);
    let error = outcome.expect_err("no answer");
    assert!(!error.is_timeout(), "{error:?}");
}

#[tokio::test]
async fn a_lost_answer_leaves_its_effect() {
    let scene = Scene::new().await;
    let fault =
        Fault::new(FaultKind::LostAnswer).on(Match::repo("ACME/API").and(Match::kind("labels.add"))).times(1);
    let id = scene.sim.fault(fault);
    let labels = "/repos/acme/api/issues/1/labels";
    let request = scene.caller.request(Method::POST, labels);
    let outcome = try_send(request.json(&json!({"labels": ["agent/coder"]}))).await;
    assert!(outcome.is_err());
    assert_eq!(scene.sim.fault_hits(id), 1);
    let issue = scene.repo.issue(1).expect("the issue");
    assert_eq!(issue.labels, ["agent/coder"]);
    assert_eq!(scene.sim.counters().quota_spent, 1);
}

#[tokio::test]
async fn a_held_answer_comes_when_its_fault_is_cleared_and_its_effect_before() {
    let scene = Scene::new().await;
    let held = scene.sim.fault(Fault::new(FaultKind::Held).on(Match::kind("labels.add")).times(1));
    let request = scene.caller.request(Method::POST, "/repos/acme/api/issues/1/labels");
    let request = request.json(&json!({"labels": ["agent/coder"]}));
    let mut answers = JoinSet::from_iter([try_send(request)]);
    while scene.repo.issue(1).expect("the issue").labels.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.caller.get(LIST).await.status, 200);
    assert!(answers.try_join_next().is_none());
    scene.sim.clear_fault(held);
    let answer = answers.join_next().await.expect("one").expect("its task");
    assert_eq!(answer.expect("an answer").status, 200);
}

#[tokio::test]
async fn faults_choose_their_requests() {
    let scene = Scene::new().await;
    let fault = Fault::new(FaultKind::Status(500))
        .on(Match::kind("issues.list").and(Match::path_contains("page=2")))
        .after(1)
        .times(1);
    let id = scene.sim.fault(fault);
    let mut statuses = Vec::new();
    for page in [1, 2, 2, 2] {
        let path = format!("/repos/acme/api/issues?per_page=5&page={page}");
        statuses.push(scene.caller.get(&path).await.status);
    }
    assert_eq!(statuses, [200, 200, 500, 200]);
    assert_eq!(scene.sim.fault_hits(id), 1);
    scene.sim.fault(Fault::new(FaultKind::Status(500)));
    scene.sim.clear_faults();
    assert_eq!(scene.caller.get(LIST).await.status, 200);
}
