//! Races: many agents, one issue, one winner.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};

use super::field::*;
use crate::{
    each_db,
    support::{App, MAINTAINER, app::send},
};

const AGENTS: usize = 32;
const ROUNDS: usize = 20;

/// All at once; the codes of their answers.
async fn race(app: &Arc<App>, number: i64) -> Vec<(String, u16, Value)> {
    let start = Arc::new(Barrier::new(AGENTS));
    let mut racers = JoinSet::new();
    let named = named(app, number, "x").await;
    for n in 0..AGENTS {
        let (app, start) = (Arc::clone(app), Arc::clone(&start));
        let agent = format!("agent-{n}");
        let body = and(named.clone(), json!({ "agentName": agent, "lease": n % 2 == 0 }));
        racers.spawn(async move {
            let request = app.request("POST", "/api/issues/claim", MAINTAINER).body(body.to_string());
            start.wait().await;
            let answer = send(request).await;
            (agent, answer.status, answer.json())
        });
    }
    racers.join_all().await
}

each_db! {
    async fn one_wins_and_the_others_are_told(db) {
        let app = Arc::new(with_issues(db, 1).await);
        let mut last_fence = 0;
        for round in 0..ROUNDS {
            let outcome = race(&app, 1).await;
            let winners: Vec<_> = outcome.iter().filter(|(_, status, _)| *status == 200).collect();
            assert_eq!(winners.len(), 1, "round {round}: {outcome:?}");
            assert!(outcome.iter().all(|(_, status, _)| matches!(status, 200 | 409)), "round {round}: {outcome:?}");
            let (winner, _, granted) = winners[0];
            let fence = granted["fence"].as_i64().expect("a fence");
            assert!(fence > last_fence, "fences grow");
            last_fence = fence;
            assert_sound(&app).await;
            unclaim(&app, 1, winner).await.expect(200);
        }
        app.next_beat("x").await;
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log WHERE action = 'claim_issue' AND success").await, 20);
    }

    async fn recovery_and_renewal_never_both_succeed(db) {
        let app = Arc::new(with_issues(db, 8).await);
        for round in 0..6 {
            let mut claims = Vec::new();
            for number in 1..=8 {
                let granted = lease(&app, number, "coder").await.expect(200);
                claims.push(json!({ "claimId": granted["claimId"], "fence": granted["fence"] }));
            }
            app.advance(TTL);
            let (sweeper, holder) = (Arc::clone(&app), Arc::clone(&app));
            let mut sweep = JoinSet::from_iter([async move { sweeper.beat("sweeper").await }]);
            let leases = renew(&holder, "coder", Value::Array(claims)).await;
            sweep.join_next().await.expect("one").expect("a heartbeat");
            assert_sound(&app).await;
            for (n, lease) in leases.as_array().expect("leases").iter().enumerate() {
                let number = i64::try_from(n).expect("a number") + 1;
                let free = claim(&app, number, "other").await.status == 200;
                assert_eq!(free, lease["state"] == "lost", "round {round}, issue {number}: {lease}");
                unclaim(&app, number, if free { "other" } else { "coder" }).await.expect(200);
            }
        }
    }
}
