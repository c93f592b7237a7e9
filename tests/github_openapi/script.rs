//! Everything that GitHub's clients may ask, asked of the simulator: each operation in each of its forms.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use github_sim::{
    CiRun, Conclusion, Exchange, Fault, FaultKind, Match, NewIssue, Permission, ReviewState, Sim, SimApp,
    SimConfig,
};
use reqwest::header::{ACCEPT, AUTHORIZATION, IF_NONE_MATCH, USER_AGENT};
use serde_json::{Value, json};

use crate::{check::header, support::app::client};

const API: &str = "/repos/acme/api";

/// A caller with a token, or without.
struct Caller<'a> {
    sim: &'a Sim,
    http: reqwest::Client,
    token: Option<String>,
}

/// Plays everything, and gives back what was said.
pub async fn play() -> Vec<Exchange> {
    let config = SimConfig { keep_exchanges: true, cursor_links_over: 30, ..SimConfig::default() };
    let sim = Sim::start_with(config.without_limits()).await;
    fill(&sim);
    let caller = Caller { sim: &sim, http: client(), token: Some(sim.token()) };
    issues(&caller).await;
    changes(&caller).await;
    labels(&caller).await;
    people_and_talk(&caller).await;
    pulls(&caller).await;
    code(&caller).await;
    repositories(&caller).await;
    account(&caller).await;
    apps(&caller).await;
    webhooks(&caller).await;
    refusals(&caller).await;
    let exchanges = sim.exchanges();
    sim.stop().await;
    exchanges
}

/// Issues 1 to 40, 41 deleted, 42 transferred, pull requests 43 to 45; 46 waits for 1.
fn fill(sim: &Sim) {
    let (api, web) = (sim.create_repo("acme/api"), sim.create_repo("acme/web"));
    api.open_issue(
        NewIssue::new("Whole").body("Text").labels(["type/bug", "good first issue"]).assignee("mona"),
    );
    api.open_issue("Bare");
    api.seed(38, |n| NewIssue::new(format!("Issue {n}")).author("renovate[bot]"));
    for number in [41, 42] {
        assert_eq!(api.open_issue("To go"), number);
    }
    api.close_issue(3);
    api.reopen_issue(3);
    api.close_issue(4);
    api.edit_issue(5, |issue| {
        issue.state = github_sim::State::Closed;
        issue.state_reason = Some(github_sim::StateReason::NotPlanned);
    });
    api.edit_issue(6, |issue| issue.locked = true);
    api.comment(1, "mona", "First");
    api.comment(1, "dependabot[bot]", "Second");
    api.delete_issue(41);
    api.transfer_issue(42, "acme/web");
    let (open, merged, draft) =
        (api.open_pull("Open", "a"), api.open_pull("Merged", "b"), api.open_pull("Draft", "c"));
    api.edit_pull(open, |pull| pull.mergeable = None);
    api.add_label(open, "type/bug");
    api.assign(open, "mona");
    api.review(open, "mona", ReviewState::ChangesRequested, "No");
    let taken_back = api.review(open, "hubot", ReviewState::Approved, "");
    api.dismiss(taken_back);
    api.review(open, "hubot", ReviewState::Pending, "Later");
    api.check(open, "test", Some(Conclusion::Failure));
    let running = api.check(open, "test", None);
    api.conclude(running, Conclusion::ActionRequired);
    api.check(open, "lint", None);
    api.edit_pull(draft, |pull| pull.fork = Some("hubot".to_owned()));
    api.merge_pull(merged);
    api.edit_pull(draft, |pull| pull.draft = true);
    let waiting = api.open_issue("Waiting");
    api.block(waiting, "acme/api", 1);
    api.block(waiting, "acme/web", 1);
    web.set_private(true);
    sim.create_repo("acme/former").rename("later");
    sim.create_repo("acme/bare").disable_issues();
    sim.create_repo("acme/frozen").archive();
}

async fn issues(caller: &Caller<'_>) {
    let list = format!("{API}/issues");
    let mut page = Some(format!("{list}?state=all&sort=updated&direction=desc&per_page=10"));
    // By cursor to the end: the list is a large one.
    while let Some(path) = page {
        page = caller.get(&path).await.next();
    }
    caller.get(&format!("{list}?state=closed&per_page=2&page=2&sort=comments&direction=asc")).await;
    caller.get(&format!("{list}?labels=type/bug,good%20first%20issue&assignee=mona&creator=octocat")).await;
    let first = caller.get(&format!("{list}?since=2020-01-01T00:00:00Z&per_page=100")).await;
    caller
        .send_with("GET", &format!("{list}?since=2020-01-01T00:00:00Z&per_page=100"), None, &first.etag())
        .await;
    caller.get(&format!("{list}?state=wrong")).await.expect(422);
    caller.get("/repos/acme/former/issues").await.expect(301);
    caller.get("/repos/acme/none/issues").await.expect(404);
    caller.get("/repos/acme/bare/issues").await.expect(410);
    caller.send("HEAD", &list, None).await.expect(200);
    for number in [1, 2, 3, 4, 5, 6, 43, 44, 45, 46] {
        caller.get(&format!("{list}/{number}")).await.expect(200);
    }
    let one = caller.get(&format!("{list}/1")).await;
    caller.send_with("GET", &format!("{list}/1"), None, &one.etag()).await.expect(304);
    caller.get(&format!("{list}/41")).await.expect(410);
    caller.get(&format!("{list}/42")).await.expect(301);
    caller.get(&format!("{list}/9999")).await.expect(404);
    caller.get("/repos/acme/bare/issues/1").await.expect(410);
    caller.get(&format!("{list}/46/dependencies/blocked_by?per_page=1")).await.expect(200);
    caller.get(&format!("{list}/1/dependencies/blocked_by")).await.expect(200);
    caller.get(&format!("{list}/9999/dependencies/blocked_by")).await.expect(404);
    caller.get(&format!("{list}/42/dependencies/blocked_by")).await.expect(301);
    caller.get(&format!("{list}/41/dependencies/blocked_by")).await.expect(410);
}

async fn changes(caller: &Caller<'_>) {
    let list = format!("{API}/issues");
    let whole =
        json!({ "title": "New", "body": "Text", "labels": ["a", { "name": "b" }], "assignees": ["mona"] });
    caller.post(&list, &whole).await.expect(201);
    caller.post(&list, &json!({ "title": "Only this" })).await.expect(201);
    caller.post(&list, &json!({ "body": "No title" })).await.expect(422);
    caller.post(&list, &json!({ "title": "a", "labels": ["x".repeat(51)] })).await.expect(422);
    caller.send("POST", &list, Some("no json".to_owned())).await.expect(400);
    caller.post("/repos/acme/bare/issues", &json!({ "title": "a" })).await.expect(410);
    caller.post("/repos/acme/frozen/issues", &json!({ "title": "a" })).await.expect(403);
    caller.post("/repos/acme/none/issues", &json!({ "title": "a" })).await.expect(404);
    caller.post("/repos/acme/former/issues", &json!({ "title": "a" })).await.expect(307);
    let one = format!("{list}/7");
    caller.patch(&one, &json!({ "state": "closed", "state_reason": "not_planned" })).await.expect(200);
    caller
        .patch(&one, &json!({ "state": "open", "body": null, "labels": [], "assignees": [] }))
        .await
        .expect(200);
    caller.patch(&one, &json!({ "title": "Changed", "body": "Text" })).await.expect(200);
    caller.patch(&one, &json!({ "state": "half" })).await.expect(422);
    caller.patch(&format!("{list}/9999"), &json!({ "state": "open" })).await.expect(404);
    caller.patch(&format!("{list}/41"), &json!({ "state": "open" })).await.expect(410);
    caller.patch(&format!("{list}/42"), &json!({ "state": "open" })).await.expect(307);
    caller.patch("/repos/acme/frozen/issues/1", &json!({ "state": "open" })).await.expect(403);
}

async fn labels(caller: &Caller<'_>) {
    let labels = format!("{API}/issues/8/labels");
    caller.post(&labels, &json!({ "labels": ["status/ready", "type/bug"] })).await.expect(200);
    caller.post(&labels, &json!({ "labels": [{ "name": "agent/coder" }] })).await.expect(200);
    caller.post(&labels, &json!({ "labels": ["x".repeat(51)] })).await.expect(422);
    caller.get(&labels).await.expect(200);
    caller.get(&format!("{labels}?per_page=1&page=2")).await.expect(200);
    caller.delete(&format!("{labels}/status%2Fready")).await.expect(200);
    caller.delete(&format!("{labels}/status%2Fready")).await.expect(404);
    caller.send("PUT", &labels, Some(json!({ "labels": ["a", "b"] }).to_string())).await.expect(200);
    caller.send("PUT", &labels, Some(json!({ "labels": [7] }).to_string())).await.expect(422);
    caller.delete(&labels).await.expect(204);
    for (number, status) in [(9999, 404), (41, 410)] {
        let labels = format!("{API}/issues/{number}/labels");
        caller.get(&labels).await.expect(status);
        caller.post(&labels, &json!({ "labels": ["a"] })).await.expect(status);
        caller.send("PUT", &labels, Some(json!({ "labels": ["a"] }).to_string())).await.expect(status);
        caller.delete(&labels).await.expect(status);
        caller.delete(&format!("{labels}/a")).await.expect(status);
    }
    caller.get(&format!("{API}/issues/42/labels")).await.expect(301);
}

async fn people_and_talk(caller: &Caller<'_>) {
    let issue = format!("{API}/issues/9");
    caller.post(&format!("{issue}/assignees"), &json!({ "assignees": ["mona", "hubot"] })).await.expect(201);
    let one = json!({ "assignees": ["hubot"] }).to_string();
    caller.send("DELETE", &format!("{issue}/assignees"), Some(one)).await.expect(200);
    let comments = format!("{issue}/comments");
    let made = caller.post(&comments, &json!({ "body": "Hello" })).await.expect(201);
    caller.post(&comments, &json!({ "body": "Again" })).await.expect(201);
    caller.post(&comments, &json!({ "body": "" })).await.expect(422);
    caller.get(&format!("{comments}?per_page=1")).await.expect(200);
    caller.get(&format!("{comments}?since=2020-01-01T00:00:00Z&page=2")).await.expect(200);
    for (number, status) in [(9999, 404), (41, 410)] {
        caller.get(&format!("{API}/issues/{number}/comments")).await.expect(status);
        caller.post(&format!("{API}/issues/{number}/comments"), &json!({ "body": "a" })).await.expect(status);
    }
    let comment = format!("{API}/issues/comments/{}", made.body["id"]);
    caller.get(&comment).await.expect(200);
    caller.patch(&comment, &json!({ "body": "Better" })).await.expect(200);
    caller.patch(&comment, &json!({ "body": " " })).await.expect(422);
    caller.get(&format!("{API}/issues/comments/9999999")).await.expect(404);
    caller.delete(&comment).await.expect(204);
    caller.delete(&comment).await.expect(404);
    caller.patch(&comment, &json!({ "body": "Gone" })).await.expect(404);
    // The number of a pull request does as well.
    let pull = format!("{API}/issues/43");
    caller.post(&format!("{pull}/labels"), &json!({ "labels": ["needs-human"] })).await.expect(200);
    caller.delete(&format!("{pull}/labels/needs-human")).await.expect(200);
    let made = caller.post(&format!("{pull}/comments"), &json!({ "body": "Hello" })).await.expect(201);
    caller
        .patch(&format!("{API}/issues/comments/{}", made.body["id"]), &json!({ "body": "Bye" }))
        .await
        .expect(200);
    caller.delete(&format!("{API}/issues/comments/{}", made.body["id"])).await.expect(204);
    caller.get(&format!("{API}/issues/1/comments")).await.expect(200);
}

async fn pulls(caller: &Caller<'_>) {
    let list = format!("{API}/pulls");
    caller.get(&format!("{list}?state=all&sort=updated&direction=desc&per_page=2")).await.expect(200);
    caller.get(&format!("{list}?head=acme:a&base=main")).await.expect(200);
    caller.get(&format!("{list}?state=none")).await.expect(422);
    for number in [43, 44, 45] {
        caller.get(&format!("{list}/{number}")).await.expect(200);
    }
    caller.get(&format!("{list}/1")).await.expect(404);
    caller.get(&format!("{list}/43/reviews")).await.expect(200);
    caller.get(&format!("{list}/43/reviews?per_page=1&page=2")).await.expect(200);
    let heads = caller.sim.repo("acme/api").pulls();
    let checks = format!("{API}/commits/{}/check-runs", heads[0].pull.head_sha);
    caller.get(&format!("{checks}?per_page=1")).await.expect(200);
    caller.get(&format!("{checks}?filter=all&status=completed&check_name=test")).await.expect(200);
    caller.get(&format!("{API}/commits/a/check-runs")).await.expect(200);
    caller.get(&format!("{API}/commits/nowhere/check-runs")).await.expect(422);
}

async fn code(caller: &Caller<'_>) {
    let repo = caller.sim.repo("acme/api");
    caller.get(&format!("{API}/commits")).await.expect(409);
    repo.push_commit("main", "First\n\nfixes #1");
    repo.push_commit("main", "Second");
    repo.push_commit("a", "On a branch");
    repo.comment_on_line(43, "mona", ("src/main.rs", 7), "Use `x` here");
    let run = CiRun::new("Build and test", "failure");
    repo.add_run(CiRun { is_of_fork: true, ..CiRun::new("Build and test", "success") });
    repo.add_run(CiRun { conclusion: None, ..run.clone() });
    let run = repo.add_run(run.job("lint", "success", "fine").job("test", "failure", "error: 1 failed"));
    caller.get(&format!("{API}/commits?sha=main&per_page=1")).await.expect(200);
    caller.get(&format!("{API}/pulls/43/commits?per_page=100")).await.expect(200);
    caller.get(&format!("{API}/pulls/43/comments?since=2020-01-01T00:00:00Z&per_page=100")).await.expect(200);
    let runs = format!("{API}/actions/runs");
    let all = caller.get(&format!("{runs}?branch=main&per_page=2")).await.expect(200);
    assert_eq!(all.body["total_count"], 3);
    let ended = format!("{runs}?branch=main&status=completed&exclude_pull_requests=true");
    let ended = caller.get(&ended).await.expect(200);
    assert_eq!(ended.body["total_count"], 2);
    let jobs = caller.get(&format!("{runs}/{run}/jobs?filter=latest&per_page=1")).await.expect(200);
    caller.get(&format!("{runs}/{run}/jobs")).await.expect(200);
    caller.get(&format!("{API}/actions/jobs/{}/logs", jobs.body["jobs"][0]["id"])).await.expect(302);
}

async fn repositories(caller: &Caller<'_>) {
    for name in ["api", "web", "later", "bare", "frozen"] {
        caller.get(&format!("/repos/acme/{name}")).await.expect(200);
    }
    caller.get("/repos/acme/none").await.expect(404);
    let moved = caller.get("/repos/acme/former").await.expect(301);
    caller.get(&moved.location()).await.expect(200);
}

async fn account(caller: &Caller<'_>) {
    caller.get("/user").await.expect(200);
    caller.get("/rate_limit").await.expect(200);
    let nobody = caller.with(None);
    nobody.get("/rate_limit").await.expect(200);
    nobody.get("/user").await.expect(401);
    nobody.get(API).await.expect(200);
    nobody.post(&format!("{API}/issues"), &json!({ "title": "a" })).await.expect(401);
}

async fn apps(caller: &Caller<'_>) {
    let app = caller.sim.create_app(7);
    let (acme, beta) = (app.install("acme", Permission::Write), app.install("beta", Permission::Read));
    let owner = caller.with(Some(jwt(caller.sim, &app)));
    owner.get("/app").await.expect(200);
    owner.get("/app/installations?per_page=1").await.expect(200);
    owner.get(&format!("/app/installations/{acme}")).await.expect(200);
    owner.get("/app/installations/99").await.expect(404);
    let tokens = |id: u64| format!("/app/installations/{id}/access_tokens");
    let made = owner.post(&tokens(acme), &json!({})).await.expect(201);
    owner.send("POST", &tokens(beta), None).await.expect(201);
    owner.post(&tokens(99), &json!({})).await.expect(404);
    let installation = caller.with(made.body["token"].as_str().map(str::to_owned));
    installation.get("/installation/repositories?per_page=2").await.expect(200);
    installation.get("/user").await.expect(403);
    installation.get(&format!("{API}/issues/1")).await.expect(200);
    app.suspend(beta);
    owner.post(&tokens(beta), &json!({})).await.expect(403);
    owner.get("/app/installations").await.expect(200);
    owner.get(&format!("/app/installations/{beta}")).await.expect(200);
    caller.get(&format!("/app/installations/{beta}")).await.expect(401);
    caller.get("/installation/repositories").await.expect(403);
    caller.get("/app").await.expect(401);
    caller.get("/app/installations").await.expect(401);
    caller.post(&tokens(acme), &json!({})).await.expect(401);
}

/// Webhooks of a repository and of an App. Nobody listens, so each delivery fails.
async fn webhooks(caller: &Caller<'_>) {
    let hooks = format!("{API}/hooks");
    let config =
        json!({ "url": "http://127.0.0.1:9/", "content_type": "json", "secret": "a", "insecure_ssl": "0" });
    let new = json!({ "name": "web", "active": true, "events": ["issues"], "config": config });
    let made = caller.post(&hooks, &new).await.expect(201);
    caller.post(&hooks, &new).await.expect(422);
    caller.post(&hooks, &json!({ "name": "mail", "config": config })).await.expect(422);
    caller.get(&format!("{hooks}?per_page=1&page=1")).await.expect(200);
    let one = format!("{hooks}/{}", made.body["id"]);
    caller.get(&one).await.expect(200);
    caller.patch(&one, &json!({ "add_events": ["label"], "config": config })).await.expect(200);
    caller.patch(&one, &json!({ "config": { "url": "" } })).await.expect(422);
    caller.send("POST", &format!("{one}/pings"), None).await.expect(204);
    let app = caller.sim.create_app(8);
    app.install("acme", Permission::Read);
    app.set_webhook("http://127.0.0.1:9/", "a");
    caller.post(&format!("{API}/issues"), &json!({ "title": "Told" })).await.expect(201);
    caller.sim.webhooks_idle().await;
    let owner = caller.with(Some(jwt(caller.sim, &app)));
    for (asker, deliveries) in
        [(caller, format!("{one}/deliveries")), (&owner, "/app/hook/deliveries".to_owned())]
    {
        let first = asker.get(&format!("{deliveries}?per_page=1")).await.expect(200);
        asker.get(&first.next().expect("a page behind it")).await.expect(200);
        asker.get(&format!("{deliveries}?status=failure")).await.expect(200);
        asker.get(&format!("{deliveries}?cursor=none")).await.expect(400);
        asker.get(&format!("{deliveries}?status=wrong")).await.expect(422);
        let delivery = format!("{deliveries}/{}", first.body[0]["id"]);
        asker.get(&delivery).await.expect(200);
        asker.send("POST", &format!("{delivery}/attempts"), None).await.expect(202);
    }
    caller.delete(&one).await.expect(204);
    caller.get(&one).await.expect(404);
    caller.patch(&one, &json!({ "active": true })).await.expect(404);
    caller.delete(&one).await.expect(404);
    caller.send("POST", &format!("{one}/pings"), None).await.expect(404);
    caller.with(None).get(&hooks).await.expect(404);
}

/// What every operation may be answered; asked of one.
async fn refusals(caller: &Caller<'_>) {
    let list = format!("{API}/issues");
    let kinds = [
        (FaultKind::PrimaryLimit, 403),
        (FaultKind::SecondaryLimit { status: 403, retry_after: Some(60) }, 403),
        (FaultKind::SecondaryLimit { status: 429, retry_after: None }, 429),
        (FaultKind::BadCredentials, 401),
    ];
    for (kind, status) in kinds {
        caller.sim.fault(Fault::new(kind).on(Match::kind("issues.list")).times(1));
        caller.get(&list).await.expect(status);
    }
    caller.with(Some("wrong".to_owned())).get("/user").await.expect(401);
    caller.sim.add_token("reader");
    caller.sim.token_permission("reader", Permission::Read);
    let reader = caller.with(Some("reader".to_owned()));
    reader.post(&format!("{list}/1/comments"), &json!({ "body": "a" })).await.expect(403);
    reader.patch(&format!("{list}/1"), &json!({ "state": "open" })).await.expect(403);
}

/// What an App shows for itself
/// (docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app).
fn jwt(sim: &Sim, app: &SimApp) -> String {
    let pem = app.private_key_pkcs8_pem();
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = BASE64_STANDARD.decode(text).expect("base64");
    let key = ring::signature::RsaKeyPair::from_pkcs8(&key).expect("a key");
    let now = sim.now_ms() / 1_000;
    let claims = json!({ "iss": app.id().to_string(), "iat": now - 60, "exp": now + 540 });
    let encode = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", encode(&json!({ "alg": "RS256", "typ": "JWT" })), encode(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    let chance = ring::rand::SystemRandom::new();
    key.sign(&ring::signature::RSA_PKCS1_SHA256, &chance, message.as_bytes(), &mut signature)
        .expect("a signature");
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// The last answer of the simulator, as the recording has it.
struct Said {
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Said {
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    fn etag(&self) -> String {
        header(&self.headers, "etag").expect("an ETag").to_owned()
    }

    fn location(&self) -> String {
        below_host(header(&self.headers, "location").expect("a location"))
    }

    fn next(&self) -> Option<String> {
        let links = header(&self.headers, "link")?;
        let next = links.split(", ").find(|link| link.ends_with("rel=\"next\""))?;
        Some(below_host(next.strip_prefix('<')?.split_once('>')?.0))
    }
}

fn below_host(url: &str) -> String {
    let url = url::Url::parse(url).expect("a URL");
    url[url::Position::BeforePath..].to_owned()
}

impl Caller<'_> {
    fn with(&self, token: Option<String>) -> Self {
        Self { sim: self.sim, http: self.http.clone(), token }
    }

    async fn get(&self, path: &str) -> Said {
        self.send("GET", path, None).await
    }

    async fn delete(&self, path: &str) -> Said {
        self.send("DELETE", path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Said {
        self.send("POST", path, Some(body.to_string())).await
    }

    async fn patch(&self, path: &str, body: &Value) -> Said {
        self.send("PATCH", path, Some(body.to_string())).await
    }

    async fn send(&self, method: &str, path: &str, body: Option<String>) -> Said {
        self.send_with(method, path, body, "").await
    }

    async fn send_with(&self, method: &str, path: &str, body: Option<String>, etag: &str) -> Said {
        let method = method.parse().expect("a method");
        let request = self.http.request(method, format!("{}{path}", self.sim.url()));
        let mut request = request
            .header(USER_AGENT, "test")
            .header(ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if !etag.is_empty() {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await.expect("an answer");
        let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            (name.to_string(), value.to_str().expect("a text").to_owned())
        };
        let (status, headers) = (answer.status().as_u16(), answer.headers().iter().map(text).collect());
        let bytes = answer.bytes().await.expect("a body");
        Said { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }
}
