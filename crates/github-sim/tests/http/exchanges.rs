//! Exchanges, kept whole when that is asked for.

use github_sim::{Exchange, Sim, SimConfig};
use serde_json::{Value, json};

use crate::support::{Caller, at_new_year, at_new_year_with};

async fn talk(sim: &Sim) {
    sim.create_repo("acme/api");
    let caller = Caller::of(sim);
    caller.post("/repos/acme/api/issues", &json!({ "title": "One" })).await;
    caller.get("/repos/acme/api/issues?per_page=1").await;
    caller.get("/nowhere").await;
}

#[tokio::test]
async fn requests_and_answers_are_kept_with_their_bodies_and_without_the_token() {
    let (sim, _clock) = at_new_year_with(SimConfig { keep_exchanges: true, ..SimConfig::default() }).await;
    talk(&sim).await;
    let exchanges = sim.exchanges();
    let kinds: Vec<_> = exchanges.iter().map(|it| (it.kind, it.method.as_str(), it.status)).collect();
    assert_eq!(kinds, [("issues.create", "POST", 201), ("issues.list", "GET", 200), ("unknown", "GET", 404)]);
    let Exchange { path, query, headers, body, answer, answer_headers, .. } = &exchanges[0];
    assert_eq!((path.as_str(), query.as_str()), ("/repos/acme/api/issues", ""));
    assert_eq!(serde_json::from_slice::<Value>(body).expect("JSON"), json!({ "title": "One" }));
    assert_eq!(serde_json::from_slice::<Value>(answer).expect("JSON")["title"], "One");
    assert!(headers.iter().any(|(name, value)| name == "authorization" && value == "Bearer"), "{headers:?}");
    assert!(answer_headers.iter().any(|(name, value)| name == "location" && value.ends_with("/issues/1")));
    assert_eq!(exchanges[1].query, "per_page=1");
    assert!(!format!("{exchanges:?}").contains(&sim.token()));
    sim.reset_counters();
    assert_eq!(sim.exchanges(), []);
}

#[tokio::test]
async fn nothing_is_kept_unless_it_is_asked_for() {
    let (sim, _clock) = at_new_year().await;
    talk(&sim).await;
    assert_eq!(sim.exchanges(), []);
    assert_eq!(sim.requests().len(), 3);
}
