//! `Idempotency-Key`: one pass for a key, whoever asks how often, and the same answer for all.

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use github_sim::{Match, Sim};
use serde_json::json;
use support::{Answer, App, AppBuilder, BOUND, MAINTAINER, TestDb, app, app::send, child};

const API: &str = "acme/api";
const REPLAY: &str = "idempotent-replay";
const DAY: Duration = Duration::from_hours(24);

fn keyed(app: &App, agent: &str, key: &str) -> reqwest::RequestBuilder {
    app.request("POST", &format!("/api/agents/{agent}/heartbeat"), MAINTAINER).header("idempotency-key", key)
}

async fn beat(app: &App, agent: &str, key: &str) -> Answer {
    send(keyed(app, agent, key)).await
}

async fn runs(app: &App) -> i64 {
    app.db.count("SELECT count(*) FROM runs").await
}

/// Asserts that an answer is the first of its key.
#[track_caller]
fn assert_original(answer: &Answer) {
    assert_eq!((answer.status, answer.header(REPLAY)), (200, None), "{}", answer.text);
}

/// Asserts that an answer is `original`, byte for byte, given again.
#[track_caller]
fn assert_replay(answer: &Answer, original: &Answer) {
    assert_eq!((answer.status, answer.header(REPLAY)), (200, Some("true")), "{}", answer.text);
    assert_eq!(answer.text, original.text);
}

each_db! {
    async fn the_second_answer_is_the_first_again(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).seed(3, |n| format!("Issue {n}"));
        let first = beat(&app, "coder", "key").await;
        assert_original(&first);
        assert_eq!(first.json()["touchedIssueUrls"].as_array().unwrap().len(), 3);
        // The world and the time go on; the answer does not.
        app.sim.repo(API).open_issue("New");
        app.tick();
        let requests = app.sim.counters().requests;
        for agent in ["coder", "CODER"] {
            assert_replay(&beat(&app, agent, "key").await, &first);
            assert_replay(&beat(&app, agent, " key ").await, &first);
        }
        assert_eq!((runs(&app).await, app.sim.counters().requests), (1, requests));
        // Another key, or none, is another pass.
        assert_original(&beat(&app, "coder", "Key").await);
        app.beat("coder").await;
        assert_eq!(runs(&app).await, 3);
    }

    async fn a_key_survives_the_process(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        let first = beat(&app, "coder", "key").await;
        let (db, sim, clock) = app.stop().await;
        let app = AppBuilder { seed: 8, ..AppBuilder::default() }.start_with(db, sim, clock).await;
        assert_replay(&beat(&app, "coder", "key").await, &first);
    }

    async fn thirty_two_at_once_are_one_pass(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).seed(5, |n| format!("Issue {n}"));
        app.sim.set_latency(Duration::from_millis(150));
        let answers = join_all((0..32).map(|_| beat(&app, "coder", "key"))).await;
        let (replays, originals): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.header(REPLAY).is_some());
        assert_eq!((originals.len(), replays.len()), (1, 31));
        assert_original(originals[0]);
        for replay in replays {
            assert_replay(replay, originals[0]);
        }
        assert_eq!(runs(&app).await, 1);
        assert_eq!(originals[0].json()["touchedIssueUrls"].as_array().unwrap().len(), 5);
    }

    async fn another_body_is_409_and_an_equal_one_is_not(db) {
        let app = App::with_repos(db, &[API]).await;
        let with = |body: &'static str| send(keyed(&app, "coder", "key").body(body));
        let first = with(r#"{"a":1,"b":{"c":[1,2]}}"#).await;
        assert_original(&first);
        assert_replay(&with(" { \"b\" : {\"c\":[1, 2]}, \"a\": 1 }\n").await, &first);
        for other in ["", "{}", r#"{"a":2,"b":{"c":[1,2]}}"#, r#"{"a":1,"b":{"c":[2,1]}}"#, r#"{"a":1}"#] {
            let answer = with(other).await;
            let error = answer.expect(409);
            assert_eq!(error["code"], "idempotency_key_reused", "{other}");
            assert_eq!(answer.header(REPLAY), None);
        }
        assert_eq!(runs(&app).await, 1);
        // No body, an empty one and an empty object are one.
        let empty = beat(&app, "coder", "empty").await;
        for body in ["", "  ", "{}", " { } "] {
            assert_replay(&send(keyed(&app, "coder", "empty").body(body)).await, &empty);
        }
    }

    async fn another_body_is_409_while_the_first_still_runs(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.set_latency(Duration::from_millis(300));
        let bodies = ["{}", r#"{"a":1}"#].into_iter().cycle().take(16);
        let answers = join_all(bodies.map(|body| send(keyed(&app, "coder", "key").body(body)))).await;
        let refused = answers.iter().filter(|answer| answer.status == 409).count();
        let original: Vec<_> = answers.iter().filter(|answer| answer.status == 200 && answer.header(REPLAY).is_none()).collect();
        assert_eq!((refused, original.len(), runs(&app).await), (8, 1, 1));
    }

    async fn each_agent_has_its_own_keys(db) {
        let app = App::with_repos(db, &[API]).await;
        let (one, two) = (beat(&app, "one", "key").await, beat(&app, "two", "key").await);
        assert_original(&one);
        assert_original(&two);
        assert_ne!(one.json()["runId"], two.json()["runId"]);
        assert_replay(&beat(&app, "one", "key").await, &one);
        assert_replay(&beat(&app, "two", "key").await, &two);
        // A refused caller gets no answer of another's key.
        let path = "/api/agents/one/heartbeat";
        send(app.request("POST", path, BOUND).header("idempotency-key", "key")).await.expect(403);
    }

    async fn a_key_is_kept_for_a_day(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        let eventful = beat(&app, "coder", "eventful").await;
        let quiet = beat(&app, "coder", "quiet").await;
        app.advance(DAY);
        app.prune().await;
        assert_replay(&beat(&app, "coder", "eventful").await, &eventful);
        assert_replay(&beat(&app, "coder", "quiet").await, &quiet);
        app.advance(Duration::from_millis(1));
        app.prune().await;
        for (key, before) in [("eventful", eventful), ("quiet", quiet)] {
            let answer = send(keyed(&app, "coder", key).body(r#"{"another":"body"}"#)).await;
            assert_original(&answer);
            assert_ne!(answer.json()["runId"], before.json()["runId"]);
        }
        // Without a key the pass that touched something is kept on.
        assert_eq!(runs(&app).await, 3);
    }

    async fn an_error_is_replayed(db) {
        let app = App::with_repos(db, &[]).await;
        let failed = beat(&app, "coder", "key").await;
        assert_original(&failed);
        assert_eq!(failed.json()["status"], "error");
        app.sim.create_repo(API);
        app.post("/api/automation/repos", json!({ "fullName": API })).await.expect(201);
        assert_replay(&beat(&app, "coder", "key").await, &failed);
        assert_eq!(beat(&app, "coder", "other").await.json()["status"], "ok");
    }

    async fn a_503_before_the_pass_is_not_stored(db) {
        let app = App::with_repos(db, &[API]).await;
        app.db.sql("ALTER TABLE runs RENAME TO runs_gone").await;
        for _ in 0..2 {
            let answer = beat(&app, "coder", "key").await;
            let body = answer.expect(503);
            assert_eq!((body["status"].as_str(), body["runId"].clone(), answer.header(REPLAY)), (Some("error"), json!(null), None));
        }
        app.db.sql("ALTER TABLE runs_gone RENAME TO runs").await;
        let first = send(keyed(&app, "coder", "key").body(r#"{"a":1}"#)).await;
        assert_original(&first);
        assert_eq!((first.json()["status"].as_str(), runs(&app).await), (Some("ok"), 1));
    }

    async fn a_503_at_the_end_of_the_pass_frees_the_key(db) {
        let app = App::with_repos(db, &[API]).await;
        let lose = |rename: &'static str| {
            let db = std::sync::Arc::clone(&app.db);
            move |_: &Sim| {
                let (db, runtime) = (std::sync::Arc::clone(&db), tokio::runtime::Handle::current());
                std::thread::spawn(move || runtime.block_on(db.sql(rename))).join().expect("renamed");
            }
        };
        let hook = app.sim.hook(Match::kind("issues.list"), lose("ALTER TABLE runs RENAME TO runs_gone")).times(1);
        beat(&app, "coder", "key").await.expect(503);
        assert_eq!(hook.runs(), 1);
        app.db.sql("ALTER TABLE runs_gone RENAME TO runs").await;
        let first = beat(&app, "coder", "key").await;
        assert_original(&first);
        assert_replay(&beat(&app, "coder", "key").await, &first);
        let rows = app.get("/api/agent-runs").await.expect(200);
        let statuses: Vec<_> = rows.as_array().unwrap().iter().map(|run| run["status"].as_str().unwrap()).collect();
        assert_eq!(statuses.len(), 2);
        assert!(statuses.contains(&"ok") && statuses.contains(&"error"), "{statuses:?}");
    }

    async fn a_bad_key_is_400(db) {
        let app = App::with_repos(db, &[API]).await;
        let long = [b'k'; 201];
        let bad: [&[u8]; 6] = [b"", b" ", b"\t", &long, b"\xc3\xbc", b"k\xff"];
        for key in bad {
            let request = app.request("POST", "/api/agents/coder/heartbeat", MAINTAINER).header("idempotency-key", key);
            let error = send(request).await.expect(400);
            assert_eq!(error["field"], "Idempotency-Key", "{key:?}");
        }
        assert_eq!(runs(&app).await, 0);
        for key in ["k".repeat(200).as_str(), "!", "a key with spaces", "0198-uuid"] {
            assert_original(&beat(&app, "coder", key).await);
        }
    }
}

/// The program over this database, stopped at this failpoint if any.
#[cfg(feature = "failpoints")]
fn server(home: &std::path::Path, db: &TestDb, sim: &Sim, failpoints: &str) -> child::Server {
    let mut command = child::dispatch(home);
    command.env("DATABASE_URL", db.url()).env("GITHUB_API_URL", sim.url()).env("GITHUB_TOKEN", sim.token());
    command.env("GITHUB_REPOSITORIES", API).env("FAILPOINTS", failpoints);
    child::Server::start(command)
}

#[cfg(feature = "failpoints")]
mod interrupted {
    use super::*;

    async fn beat(url: &str, body: &'static str) -> reqwest::Result<Answer> {
        let request = app::client().post(format!("{url}/api/agents/coder/heartbeat")).bearer_auth(MAINTAINER);
        app::try_send(request.header("idempotency-key", "key").body(body)).await
    }

    each_db! {
        async fn an_interrupted_run_frees_its_key_for_one(db) {
            let sim = Sim::start().await;
            sim.create_repo(API).open_issue("One");
            let home = tempfile::TempDir::new().expect("a folder");
            for (failpoint, body) in [("record.began", "{}"), ("record.close", r#"{"another":"body"}"#)] {
                let mut killed = server(home.path(), &db, &sim, &format!("{failpoint}=sleep(60000)"));
                let (url, log) = (killed.url.clone(), format!("\"failpoint\":\"{failpoint}\""));
                let mut caller = tokio::task::JoinSet::new();
                caller.spawn(async move { beat(&url, body).await });
                tokio::task::block_in_place(|| killed.wait_for_line(&log));
                killed.kill();
                let answer = caller.join_next().await.expect("the caller").expect("no panic");
                assert!(answer.is_err(), "nobody answers");
                assert_eq!(db.count("SELECT count(*) FROM runs WHERE status = 'running'").await, 1);
                // What 30 s of silence do on PostgreSQL, where another process might still live.
                db.sql("UPDATE instances SET expires_at = 0").await;
                let alive = server(home.path(), &db, &sim, "");
                // Whatever body comes first has the key now.
                let answers = join_all((0..32).map(|_| beat(&alive.url, "{}"))).await;
                let all: Vec<_> = answers.into_iter().map(|answer| answer.expect("an answer")).collect();
                let (replays, originals): (Vec<_>, Vec<_>) = all.iter().partition(|answer| answer.header(REPLAY).is_some());
                assert_eq!((originals.len(), replays.len()), (1, 31), "{failpoint}");
                assert_original(originals[0]);
                for replay in replays {
                    assert_replay(replay, originals[0]);
                }
                let of = |status| format!("SELECT count(*) FROM runs WHERE status {status}");
                assert_eq!(db.count(&of("= 'running'")).await, 0);
                assert_eq!((db.count(&of("= 'ok'")).await, db.count(&of("= 'error'")).await), (1, 1), "{failpoint}");
                db.sql("DELETE FROM runs").await;
                db.sql("DELETE FROM idempotency_keys").await;
            }
        }
    }
}
