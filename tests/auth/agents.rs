//! Names of agents: which are good, how they compare, and that a new one is like any other.

use serde_json::{Value, json};

use crate::{
    API, each_db,
    support::{App, AppBuilder, BOUND, MAINTAINER, UNBOUND, app::send},
};

fn path(agent: &str) -> String {
    format!("/api/agents/{agent}/heartbeat")
}

/// What two agents are told alike.
fn without_identity(mut beat: Value) -> Value {
    let fields = beat.as_object_mut().expect("an object");
    for name in ["agentName", "runId", "nextHeartbeatAt"] {
        assert!(fields.remove(name).is_some(), "no {name}");
    }
    beat
}

each_db! {
    async fn a_name_that_breaks_the_rule_is_400_and_named(db) {
        let app = App::with_repos(db, &[API]).await;
        let (long, longer) = ("a".repeat(45), "a".repeat(5_000));
        let bad = [
            "", "a%2Fb", "%2F", "a%2F", &long, &longer, "a%20b", "%20a", "a%20", "%20", "%FF", "a%FFb", "a%C3%28",
            "a%00", "-a", ".a", "_a", "%C3%A4", "a%0Ab", "a%0A", "a+b", "a:b", "a@b", "a%25", "..%2F..",
            "a%E2%80%8Bb", "%D0%B0",
        ];
        for name in bad {
            for token in [MAINTAINER, UNBOUND, BOUND] {
                let answer = send(app.request("POST", &path(name), token)).await;
                let body = answer.expect(400);
                assert_eq!(body["field"], "agentName", "{name}: {body}");
                assert!(body["error"].as_str().unwrap().starts_with("agentName: an agent name is 1 to 44"), "{body}");
            }
        }
        assert_eq!(app.get("/api/agent-runs").await.expect(200), json!([]));
        assert_eq!(app.db.count("SELECT count(*) FROM agents").await, 0);
        assert_eq!(app.sim.counters().requests, 0);
    }

    async fn a_name_within_the_rule_is_good(db) {
        let app = App::with_repos(db, &[API]).await;
        for name in ["a", "0", "Coder-1", "0.x_y-Z..", &"a".repeat(44), "%61gent"] {
            let beat = send(app.request("POST", &path(name), MAINTAINER)).await.expect(200);
            assert_eq!(beat["agentName"], name.replace("%61", "a"));
        }
    }

    async fn names_compare_without_case_and_are_shown_as_first_seen(db) {
        let app = App::with_repos(db, &[API]).await;
        for name in ["Coder", "cODER", "coder"] {
            assert_eq!(app.beat(name).await["agentName"], "Coder");
        }
        // A reported run counts as seeing, too.
        let run = json!({ "agentName": "Scribe", "runType": "x", "status": "ok", "startedAt": "2026-01-01T00:00:00Z" });
        assert_eq!(app.post("/api/agent-runs", run.clone()).await.expect(201)["agentName"], "Scribe");
        assert_eq!(app.beat("SCRIBE").await["agentName"], "Scribe");
        let runs = app.get("/api/agent-runs?agent=CODER").await.expect(200);
        let names: Vec<_> = runs.as_array().unwrap().iter().map(|run| run["agentName"].clone()).collect();
        assert_eq!(names, ["Coder", "Coder", "Coder"]);
        let (db, sim, clock) = app.stop().await;
        let builder = AppBuilder { repos: vec![API.into()], seed: 8, ..AppBuilder::default() };
        let app = builder.start_with(db, sim, clock).await;
        assert_eq!(app.beat("coder").await["agentName"], "Coder");
        let mut run = run;
        run["agentName"] = "CODER".into();
        assert_eq!(app.post("/api/agent-runs", run).await.expect(201)["agentName"], "Coder");
    }

    async fn a_name_never_seen_gets_the_same_answer_as_a_known_one(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        for _ in 0..3 {
            app.next_beat("known").await;
        }
        let (known, stranger) = (app.next_beat("known").await, app.next_beat("stranger").await);
        let (mut known, mut stranger) = (without_identity(known), without_identity(stranger));
        for beat in [&mut known, &mut stranger] {
            beat["startedAt"].take();
            beat["finishedAt"].take();
        }
        assert_eq!(known, stranger);
        // In the same moment the times are the same, too.
        assert_eq!(without_identity(app.beat("known").await), without_identity(app.beat("never").await));
        // Known or not, a bound worker is told the same of both.
        for agent in ["known", "unheard-of"] {
            let body = send(app.request("POST", &path(agent), BOUND)).await.expect(403);
            let message = format!("Worker token is bound to agent \"bound\" and may not act for \"{agent}\"");
            assert_eq!(body["error"], message);
        }
    }
}
