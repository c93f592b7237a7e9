//! Races: all start at a barrier; what holds afterwards is asserted on rows as well as on codes.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};

use super::{id, shown, start};
use crate::{
    each_db,
    field::*,
    support::{Answer, App, MAINTAINER, app::send},
};

/// Posts all at once; the answers in the order of the requests.
async fn at_once(app: &Arc<App>, requests: Vec<(&'static str, Value)>) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(requests.len()));
    let mut racers = JoinSet::new();
    for (n, (path, body)) in requests.into_iter().enumerate() {
        let (app, barrier) = (Arc::clone(app), Arc::clone(&barrier));
        racers.spawn(async move {
            let request = app.request("POST", path, MAINTAINER).body(body.to_string());
            barrier.wait().await;
            (n, send(request).await)
        });
    }
    let mut answers = racers.join_all().await;
    answers.sort_by_key(|(n, _)| *n);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

const START: &str = "/api/agent-work/start";

/// Heartbeats until GitHub has been told everything.
async fn tell_github(app: &App) {
    while app.db.count("SELECT count(*) FROM label_edits WHERE state = 'pending'").await > 0 {
        app.next_beat("x").await;
    }
}

async fn live(app: &App) -> i64 {
    app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL").await
}

each_db! {
    async fn many_agents_start_one_issue(db) {
        let app = Arc::new(with_issues(db, 1).await);
        let issue = id(&app, 1).await;
        for round in 0..10 {
            let starts = (0..16).map(|n| {
                let agent = format!("agent-{n}");
                // Half of them by claim: both words race for the same.
                if n % 2 == 0 {
                    (START, json!({ "agentName": agent, "issueId": issue }))
                } else {
                    ("/api/issues/claim", json!({ "agentName": agent, "issueId": issue, "repoFullName": API, "issueNumber": 1 }))
                }
            });
            let answers = at_once(&app, starts.collect()).await;
            let won: Vec<_> = answers.iter().filter(|answer| matches!(answer.status, 200 | 201)).collect();
            assert_eq!(won.len(), 1, "round {round}: {:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
            for answer in answers.iter().filter(|answer| !matches!(answer.status, 200 | 201)) {
                assert_eq!(answer.expect(409)["code"], "held");
            }
            assert_sound(&app).await;
            assert_eq!(live(&app).await, 1);
            let winner = app.db.texts("SELECT agent_name FROM claims WHERE ended_at IS NULL").await.remove(0);
            unclaim(&app, 1, &winner).await.expect(200);
        }
        let granted = app.db.count("SELECT count(*) FROM audit_log WHERE action = 'claim_issue'").await;
        assert_eq!(granted, 10, "an audit row per claim");
    }

    async fn one_agent_starts_many_things_at_once(db) {
        let app = Arc::new(with_issues(db, 6).await);
        for _ in 0..5 {
            let mut requests = Vec::new();
            for number in 1..=6 {
                requests.push((START, json!({ "agentName": "coder", "issueId": id(&app, number).await })));
                requests.push((START, json!({ "agentName": "Coder" })));
            }
            for answer in at_once(&app, requests).await {
                answer.expect(201);
            }
            assert_eq!(live(&app).await, 1, "what `start` made gives way to the next");
            assert_sound(&app).await;
        }
        app.next_beat("x").await;
        let labelled = "SELECT count(*) FROM issues WHERE agent IS NOT NULL";
        let held = "SELECT count(*) FROM claims WHERE ended_at IS NULL AND issue_id IS NOT NULL";
        assert_eq!(app.db.count(labelled).await, app.db.count(held).await, "labels go with the claims");
    }

    async fn finishing_races_recovery(db) {
        let app = Arc::new(with_issues(db, 6).await);
        for round in 0..5 {
            let mut requests = Vec::new();
            for number in 1..=6 {
                let granted = lease(&app, number, &format!("agent-{number}")).await.expect(200);
                let body = and(json!({ "agentName": format!("agent-{number}"), "state": "RELEASED" }), shown(&granted));
                requests.push(("/api/agent-work/finish", body));
            }
            app.advance(TTL);
            requests.push(("/api/agent-work/sweep", json!({})));
            let mut answers = at_once(&app, requests).await;
            let swept = answers.pop().unwrap().expect(200)["released"].as_u64().unwrap();
            let finished = answers.iter().filter(|answer| answer.status == 200).count() as u64;
            for answer in answers.iter().filter(|answer| answer.status != 200) {
                assert_eq!(answer.expect(409)["code"], "claim_lost");
            }
            assert_eq!(finished + swept, 6, "round {round}: each claim ended once");
            assert_eq!(live(&app).await, 0);
        }
        let ended = app.db.count("SELECT count(*) FROM claim_history WHERE action IN ('finish', 'stale')").await;
        assert_eq!(ended, 30, "a row of history per end");
        let told = "SELECT count(*) FROM audit_log WHERE action IN ('agent_work_finished', 'stale_agentwork_released')";
        assert_eq!(app.db.count(told).await, 30, "an audit row per end");
        tell_github(&app).await;
        for number in 1..=6 {
            assert_labels(&app, number, &["bug", "status/ready"]).await;
        }
    }

    async fn a_checkpoint_races_whoever_takes_the_work(db) {
        let app = Arc::new(with_issues(db, 2).await);
        for round in 0..8 {
            let (agent, other) = if round % 2 == 0 { ("one", "two") } else { ("two", "one") };
            let granted = start(&app, 1, agent).await.expect(201);
            let moved = and(json!({ "agentName": agent, "checkpoint": "PR_OPENED" }), shown(&granted));
            let forced = and(named(&app, 1, other).await, json!({ "force": true }));
            let given = json!({ "action": "reassign", "workId": granted["id"], "newAgentName": "third" });
            let requests = vec![
                ("/api/agent-work/checkpoint", moved.clone()),
                ("/api/issues/claim", forced),
                ("/api/agent-work", given),
                ("/api/agent-work/checkpoint", moved.clone()),
            ];
            let answers = at_once(&app, requests).await;
            let codes: Vec<_> = answers.iter().map(|answer| answer.status).collect();
            assert!(codes.iter().all(|code| matches!(code, 200 | 400 | 409)), "round {round}: {codes:?}");
            assert_eq!(codes[1], 200, "force takes whatever is there");
            let late = app.post("/api/agent-work/checkpoint", moved).await.expect(409);
            assert_eq!(late["code"], "claim_lost");
            assert_sound(&app).await;
            assert_eq!(live(&app).await, 1);
            let release = json!({ "action": "release", "agentName": late["holder"], "releaseAll": true });
            app.post("/api/agent-work", release).await.expect(200);
        }
    }

    async fn renewals_race_starts_of_the_same_agent(db) {
        let app = Arc::new(with_issues(db, 8).await);
        let mut claims = Vec::new();
        for number in 1..=6 {
            claims.push(shown(&lease(&app, number, "coder").await.expect(200)));
        }
        for _ in 0..5 {
            let beats = (0..3).map(|n| {
                let mut named = claims.clone();
                named.rotate_left(n);
                ("/api/agents/coder/heartbeat", json!({ "claims": named }))
            });
            let mut requests: Vec<_> = beats.collect();
            for number in [7, 8] {
                requests.push((START, json!({ "agentName": "coder", "issueId": id(&app, number).await })));
            }
            requests.push(("/api/agents/coder/heartbeat", json!({})));
            for answer in at_once(&app, requests).await {
                let body = answer.json();
                assert!(matches!(answer.status, 200 | 201), "{body}");
                let leases = body["leases"].as_array().cloned().unwrap_or_default();
                assert!(leases.iter().all(|lease| lease["state"] == "renewed"), "{body}");
            }
            assert_eq!(live(&app).await, 7);
        }
    }
}
