//! Races: many agents, one item; one agent, many connections; evidence, reports and marks at once.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};

use super::field::*;
use crate::{
    each_db,
    support::{Answer, App, MAINTAINER, app::send},
};

/// All requests at once; their answers in their order.
async fn at_once(app: &Arc<App>, requests: Vec<(String, Option<Value>)>) -> Vec<Answer> {
    let start = Arc::new(Barrier::new(requests.len()));
    let mut racers = JoinSet::new();
    for (n, (path, body)) in requests.into_iter().enumerate() {
        let (app, start) = (Arc::clone(app), Arc::clone(&start));
        racers.spawn(async move {
            let request = match body {
                Some(body) => app.request("POST", &path, MAINTAINER).body(body.to_string()),
                None => app.request("GET", &path, MAINTAINER),
            };
            start.wait().await;
            (n, send(request).await)
        });
    }
    let mut answers = racers.join_all().await;
    answers.sort_by_key(|(n, _)| *n);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn poll(agent: &str) -> (String, Option<Value>) {
    (format!("/api/agents/{agent}/next-task"), None)
}

fn numbers(answers: &[Answer]) -> Vec<i64> {
    let mut numbers: Vec<i64> =
        answers.iter().filter_map(|answer| answer.expect(200)["pullRequest"]["number"].as_i64()).collect();
    numbers.sort_unstable();
    numbers
}

each_db! {
    async fn one_of_sixteen_agents_gets_the_item(db) {
        let app = Arc::new(with(db).await);
        enqueue(&app, 4, "k", json!({})).await;
        for round in 1..=10 {
            let polls = (0..16).map(|n| poll(&format!("agent-{n}"))).collect();
            assert_eq!(numbers(&at_once(&app, polls).await), [4], "round {round}");
            let handed = app.db.count("SELECT count(*) FROM pr_fix_handouts").await;
            assert_eq!(handed, 1, "round {round}");
            // Its agent goes silent: the next round is about another attempt.
            app.db.sql("UPDATE pr_fix_items SET handout_reclaims = 0").await;
            app.advance(TIMEOUT);
        }
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g10 a1 r0");
    }

    async fn sixteen_agents_share_sixteen_items(db) {
        let app = Arc::new(with(db).await);
        for pr in 100..116 {
            enqueue(&app, pr, "k", json!({})).await;
        }
        let polls = (0..20).map(|n| poll(&format!("agent-{n}"))).collect();
        assert_eq!(numbers(&at_once(&app, polls).await), (100..116).collect::<Vec<_>>());
    }

    async fn one_agent_on_many_connections_gets_one_item(db) {
        let app = Arc::new(with(db).await);
        for pr in 100..116 {
            enqueue(&app, pr, "k", json!({})).await;
        }
        let polls = (0..16).map(|n| poll(if n % 2 == 0 { "coder" } else { "CODER" })).collect();
        let given = numbers(&at_once(&app, polls).await);
        assert!(given.len() == 16 && given.iter().all(|pr| *pr == given[0]), "{given:?}");
        assert_eq!(app.db.count("SELECT count(*) FROM pr_fix_handouts").await, 1);
    }

    async fn the_first_evidence_of_all_is_one_item(db) {
        let app = Arc::new(with(db).await);
        let bodies = (0..16).map(|n| {
            let body = and(evidence(4, &format!("k{}", n % 8)), json!({ "feedback": format!("say {}", n % 8) }));
            ("/api/pr-fix-queue/enqueue".to_owned(), Some(body))
        });
        for answer in at_once(&app, bodies.collect()).await {
            answer.expect(200);
        }
        assert_eq!(app.db.count("SELECT count(*) FROM pr_fix_items").await, 1);
        let item = item(&app, 4).await;
        assert_eq!((item["evidenceKeys"].as_array().unwrap().len(), item["feedback"].as_array().unwrap().len()), (8, 8));
        assert_eq!((history(&app, 4).await.len(), audited(&app, "pr_fix_enqueue").await), (16, 16));
    }

    async fn an_attempt_is_settled_once_and_no_evidence_is_lost(db) {
        let app = Arc::new(with(db).await);
        for round in 0..8 {
            let pr = 100 + round;
            enqueue(&app, pr, "k", json!({})).await;
            let task = next(&app, "coder", "").await;
            assert_eq!(task["pullRequest"]["number"], pr);
            let told = report_of(&task, "failed");
            let mut requests: Vec<_> = (0..4).map(|_| ("/api/agents/coder/tasks/report".to_owned(), Some(told.clone()))).collect();
            requests.extend((0..4).map(|n| {
                ("/api/pr-fix-queue/enqueue".to_owned(), Some(evidence(pr, &format!("review:{n}"))))
            }));
            let stale = json!({ "repo": API, "pr": pr, "status": "BLOCKED", "generation": 1 });
            requests.push(("/api/pr-fix-queue/mark".to_owned(), Some(stale)));
            let answers = at_once(&app, requests).await;
            let settled = answers[..4].iter().filter(|answer| answer.expect(200)["prFixResolution"]["action"] == "requeued");
            let marked = u64::from(answers[8].status == 200);
            assert!(matches!(answers[8].status, 200 | 409), "{}", answers[8].text);
            assert_eq!(settled.count() as u64 + marked, 1, "round {round}: the first generation ends once");
            let evidence = format!("SELECT count(*) FROM pr_fix_evidence e JOIN pr_fix_items i ON i.id = e.item_id WHERE i.pr = {pr}");
            assert_eq!(app.db.count(&evidence).await, 5, "round {round}");
            mark(&app, pr, "STALE", json!({})).await.expect(200);
        }
    }

    async fn sweeps_and_acknowledgements_do_not_both_win(db) {
        let app = Arc::new(with(db).await);
        for round in 0..8 {
            enqueue(&app, 4, &format!("k{round}"), json!({})).await;
            let task = next(&app, "coder", "").await;
            let generation = task["prFixItem"]["generation"].clone();
            app.advance(TIMEOUT);
            let body = json!({ "repo": API, "pr": 4, "generation": generation, "agentName": "coder" });
            let requests = vec![
                ("/api/pr-fix-queue/sweep".to_owned(), Some(json!({}))),
                ("/api/pr-fix-queue/ack".to_owned(), Some(body)),
                ("/api/pr-fix-queue/sweep".to_owned(), Some(json!({}))),
            ];
            let answers = at_once(&app, requests).await;
            let reclaimed = answers.iter().any(|answer| answer.json()["reclaimed"] == 1);
            assert_eq!(answers[1].status == 200, !reclaimed, "round {round}: {}", answers[1].text);
            for busy in [&answers[0], &answers[2]].into_iter().filter(|answer| answer.status != 200) {
                assert_eq!(busy.expect(409)["locked"], true);
            }
            app.db.sql("DELETE FROM pr_fix_items").await;
        }
    }
}
