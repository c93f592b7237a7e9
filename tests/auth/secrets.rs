//! No credential shows in a log line, an answer, the help, or a row of the database, whatever goes wrong.

use std::process::Output;

use github_sim::{Fault, FaultKind, Match, NewIssue, Sim};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::{
    API, each_db,
    support::{Answer, MAINTAINER, TestDb, app, app::send, child},
};

const OTHER_MAINTAINER: &str = "second-maintainer-3f1e";
const WORKER: &str = "worker-secret-a1:b2";
const MALFORMED: &str = "malformed-secret-c3";
const AMBIGUOUS: &str = "ambiguous-secret-d4";
const LEGACY: &str = "legacy-secret-e5";
const PASSWORD: &str = "database-secret-f6";
const WRONG: &str = "wrong-secret-99";

/// Every secret of the scenario.
fn secrets(sim: &Sim) -> Vec<String> {
    let ours = [MAINTAINER, OTHER_MAINTAINER, WORKER, MALFORMED, AMBIGUOUS, LEGACY, PASSWORD, WRONG];
    ours.into_iter().map(str::to_owned).chain([sim.token()]).collect()
}

#[track_caller]
fn assert_no_secret(sim: &Sim, what: &str, text: &str) {
    for secret in secrets(sim) {
        if let Some(at) = text.find(&secret) {
            let around: String =
                text[..at].chars().rev().take(200).collect::<String>().chars().rev().collect();
            panic!("{what} shows {secret}: …{around}{secret}…");
        }
    }
}

/// The program with a secret in every variable that can hold one.
#[expect(clippy::disallowed_types, reason = "the tests start the program")]
fn program(home: &std::path::Path, sim: &Sim) -> std::process::Command {
    let mut command = child::dispatch(home);
    let pairs =
        format!("bound:{WORKER},{MALFORMED},:{MALFORMED},bad name:{MALFORMED}\na:{AMBIGUOUS},b:{AMBIGUOUS}");
    command
        .env("DISPATCH_LOG", "trace")
        .env("RUST_BACKTRACE", "1")
        .env("GITHUB_API_URL", sim.url())
        .env("GITHUB_TOKEN", sim.token())
        .env("GITHUB_REPOSITORIES", format!("{API},acme/web"))
        .env("DISPATCH_AGENT_TOKEN", MAINTAINER)
        .env("DISPATCH_MAINTAINER_TOKEN", OTHER_MAINTAINER)
        .env("DISPATCH_WORKER_TOKEN", LEGACY)
        .env("DISPATCH_WORKER_TOKENS", pairs)
        .env("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
    command
}

/// Everything the database holds, as text.
async fn dump(db: &TestDb) -> String {
    let url = db.url();
    let Some(file) = url.strip_prefix("sqlite://") else {
        let mut connection = sqlx::PgConnection::connect(&url).await.expect("the schema");
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()",
        )
        .fetch_all(&mut connection)
        .await
        .expect("its tables");
        let mut rows = Vec::new();
        for table in tables {
            let sql = sqlx::AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
            let of_table: Vec<String> =
                sqlx::query_scalar(sql).fetch_all(&mut connection).await.expect("its rows");
            rows.extend(of_table);
        }
        return rows.join("\n");
    };
    let mut bytes = Vec::new();
    for suffix in ["", "-wal"] {
        #[expect(clippy::disallowed_methods, reason = "the test looks at the bytes of the file itself")]
        bytes.extend(std::fs::read(format!("{file}{suffix}")).expect("the file"));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A client that keeps every answer.
struct Client {
    http: reqwest::Client,
    url: String,
    seen: Vec<String>,
}

impl Client {
    async fn ask(&mut self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        let request = self.http.request(method.parse().expect("a method"), format!("{}{path}", self.url));
        let answer = send(request.bearer_auth(token).body(body.to_string())).await;
        self.seen.push(format!("{:?}\n{}", answer.headers, answer.text));
        answer
    }

    async fn beat(&mut self, agent: &str) -> Value {
        self.ask(MAINTAINER, "POST", &format!("/api/agents/{agent}/heartbeat"), json!({})).await.expect(200)
    }
}

/// All that a day brings: work, mistakes, and a GitHub that fails in every way.
async fn live_through(client: &mut Client, sim: &Sim) {
    client.beat("coder").await;
    for token in [OTHER_MAINTAINER, WORKER, LEGACY, MALFORMED, AMBIGUOUS, WRONG, ""] {
        for (method, path) in [
            ("POST", "/api/agents/bound/heartbeat"),
            ("POST", "/api/agents/other/heartbeat"),
            ("POST", "/api/agents/no%20name/heartbeat"),
            ("GET", "/api/audit"),
            ("GET", "/api/issues"),
            ("PUT", "/api/issues"),
            ("GET", "/no/such/route?token=wrong-secret-99"),
            ("GET", "/api/issues?limit=nonsense&token=wrong-secret-99"),
            ("POST", "/api/automation/repos"),
        ] {
            client.ask(token, method, path, json!({})).await;
        }
    }
    let faults = [
        FaultKind::BadCredentials,
        FaultKind::Forbidden,
        FaultKind::Status(404),
        FaultKind::Status(500),
        FaultKind::WrongJson,
        FaultKind::NotJson,
        FaultKind::Reset,
        FaultKind::Truncate,
        FaultKind::LostAnswer,
        FaultKind::RedirectElsewhere(format!("http://127.0.0.1:1/x?token={WRONG}")),
        // A GitHub, or what stands before it, that says the token back.
        FaultKind::StatusWithBody(401, format!("{{\"message\":\"Bad credentials: {}\"}}", sim.token())),
        FaultKind::StatusWithBody(422, format!("{{\"message\":\"{}\"}}", sim.token())),
        FaultKind::StatusWithBody(200, sim.token()),
        FaultKind::SecondaryLimit { status: 403, retry_after: Some(1) },
    ];
    for fault in faults {
        let id = sim.fault(Fault::new(fault).on(Match::any()));
        let beat = client.beat("coder").await;
        assert_ne!(beat["status"], "ok", "{beat}");
        client.ask(MAINTAINER, "POST", "/api/sync", json!({ "sweep": true })).await.expect(200);
        let refresh = json!({ "repoFullName": API, "issueNumber": 1 });
        client.ask(MAINTAINER, "POST", "/api/issues/refresh", refresh).await.expect(502);
        sim.clear_fault(id);
    }
    for path in
        ["/api/agent-runs", "/api/audit", "/api/automation/repos", "/api/repos", "/api/issues", "/api/health"]
    {
        client.ask(MAINTAINER, "GET", path, json!({})).await.expect(200);
    }
}

each_db! {
    async fn no_secret_shows_while_the_server_lives_through_all_failures(db) {
        let sim = Sim::start().await;
        sim.create_repo("acme/web");
        sim.create_repo(API).open_issue(NewIssue::new("One").label("status/ready"));
        let home = tempfile::TempDir::new().unwrap();
        let mut command = program(home.path(), &sim);
        let mut url = url::Url::parse(&db.url()).expect("an address");
        if db.is_postgres() {
            url.set_password(Some(PASSWORD)).expect("a place for it");
        }
        command.env("DATABASE_URL", url.as_str());
        let mut server = child::Server::start(command);
        let mut client = Client { http: app::client(), url: server.url.clone(), seen: Vec::new() };
        live_through(&mut client, &sim).await;
        let rows = dump(&db).await;
        assert_eq!(server.terminate(), Some(0));
        let log = server.log().join("\n");
        // What is looked through must be there.
        for there in ["\"TRACE\"", "a request failed", "a read stopped", "DISPATCH_WORKER_TOKENS: entry 2", "stopped"] {
            assert!(log.contains(there), "the log has no {there}");
        }
        for there in ["auth_tier_denied", "worker_scope_denied", "credentials were refused", "coder"] {
            assert!(rows.contains(there), "the dump has no {there}");
        }
        assert_no_secret(&sim, "the log", &log);
        assert_no_secret(&sim, "the database", &rows);
        assert_no_secret(&sim, "an answer", &client.seen.join("\n"));
    }
}

/// What a command printed.
fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_shows_when_the_program_cannot_start() {
    let sim = Sim::start().await;
    let home = tempfile::TempDir::new().unwrap();
    let TestDb::Postgres { admin, .. } = &TestDb::postgres().await else { panic!("not PostgreSQL") };
    let mut missing = url::Url::parse(admin).expect("an address");
    missing.set_path("/no_such_database");
    missing.set_password(Some(PASSWORD)).expect("a place for it");
    let urls = [
        missing.to_string(),
        format!("postgres://dispatch:{PASSWORD}@127.0.0.1:notaport/dispatch"),
        format!("postgres://dispatch:{PASSWORD}@[::/dispatch"),
        format!("postgres://dispatch:{PASSWORD}@127.0.0.1/dispatch?sslmode={PASSWORD}"),
        format!("postgres://dispatch:{PASSWORD}@no-such-host.invalid/dispatch"),
        format!("postgresql://{PASSWORD}"),
        format!("mysql://dispatch:{PASSWORD}@127.0.0.1/dispatch"),
        format!("dispatch:{PASSWORD}@127.0.0.1"),
        format!("sqlite:///proc/none/dispatch.db?key={PASSWORD}"),
    ];
    for url in urls {
        for variable in ["DATABASE_URL", "DISPATCH_DATABASE_URL"] {
            let output = program(home.path(), &sim).env(variable, &url).arg("serve").output().unwrap();
            let text = printed(&output);
            assert_eq!(output.status.code(), Some(2), "{url}: {text}");
            assert_no_secret(&sim, &url.replace(PASSWORD, "***"), &text);
        }
    }
    let others = [
        ("GITHUB_TOKEN", format!("{WRONG}\u{7}x")),
        ("GITHUB_TOKEN", format!("{WRONG} two words")),
        ("GITHUB_API_URL", format!("https://user:{WRONG}@github.invalid")),
        ("GITHUB_API_URL", format!("https://user:{WRONG}@[")),
        ("DISPATCH_AUTH_MODE", "disabld".to_owned()),
        ("DISPATCH_GITHUB_CONCURRENCY", "many".to_owned()),
    ];
    for (variable, value) in others {
        let output = program(home.path(), &sim).env(variable, &value).arg("serve").output().unwrap();
        let text = printed(&output);
        assert_eq!(output.status.code(), Some(2), "{variable}: {text}");
        assert!(text.contains(variable), "{text}");
        assert_no_secret(&sim, variable, &text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_shows_in_the_help_and_in_a_local_heartbeat() {
    let sim = Sim::start().await;
    sim.create_repo(API).open_issue("One");
    let home = tempfile::TempDir::new().unwrap();
    let calls: [&[&str]; 6] = [
        &["--help"],
        &["serve", "--help"],
        &["heartbeat", "--help"],
        &["heartbeat", "coder", "--local"],
        &["heartbeat", "not a name", "--local"],
        &["serve", "--no-such-flag"],
    ];
    for arguments in calls {
        let text = printed(&program(home.path(), &sim).args(arguments).output().unwrap());
        assert!(text.len() > 40, "{arguments:?}: {text}");
        assert_no_secret(&sim, &format!("{arguments:?}"), &text);
    }
    sim.revoke_token(&sim.token());
    let output = program(home.path(), &sim).args(["heartbeat", "coder", "--local"]).output().unwrap();
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("the credentials were refused"), "{text}");
    assert_no_secret(&sim, "a refused heartbeat", &text);
}
