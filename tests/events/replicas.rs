//! Several processes on one PostgreSQL: a change made through one is heard through the other.

use std::sync::Arc;

use serde_json::json;

use crate::{
    API, WEB,
    ear::Ear,
    support::{App, AppBuilder, TestDb},
};

async fn pair() -> (App, App) {
    let mut builder = AppBuilder { repos: vec![API.to_owned()], ..AppBuilder::default() };
    let (sim, clock) = builder.simulator().await;
    sim.create_repo(API);
    let db = Arc::new(TestDb::postgres().await);
    let one = builder.start_with(Arc::clone(&db), sim.clone(), clock.clone()).await;
    let builder = AppBuilder { seed: 8, repos: vec![API.to_owned()], ..AppBuilder::default() };
    let other = builder.start_with(db, sim, clock).await;
    (one, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_made_through_one_is_heard_through_the_other() {
    let (one, other) = pair().await;
    let (mut here, _) = Ear::open(&one, "kind=run").await;
    let (mut there, _) = Ear::open(&other, "kind=run").await;
    for _ in 0..3 {
        for app in [&one, &other] {
            let run = app.next_beat("coder").await["runId"].clone();
            here.until("run", |heard| heard.data["id"] == run).await;
            there.until("run", |heard| heard.data["id"] == run).await;
        }
    }
    let (mut repos, _) = Ear::open(&other, "kind=repository").await;
    one.post("/api/automation/repos", json!({ "fullName": WEB })).await.expect(201);
    repos.until("repository", |heard| heard.data["repo"] == WEB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_to_another_process_is_told_to_read_everything() {
    let (one, other) = pair().await;
    let (ear, _) = Ear::open(&one, "").await;
    let (_, first) = Ear::back(&other, "", &ear.last).await;
    assert_eq!(first.name, "reset");
    let (_, first) = Ear::back(&one, "", &ear.last).await;
    assert_eq!(first.name, "ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_revoked_through_one_is_silent_at_the_other() {
    let (one, other) = pair().await;
    let made = one.post("/api/tokens", json!({ "name": "ci", "agent": "coder" })).await.expect(201);
    let (mut ear, _) = Ear::with(&other, "", made["token"].as_str().unwrap(), None).await;
    one.delete(&format!("/api/tokens/{}", made["id"].as_str().unwrap())).await.expect(200);
    while ear.next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_committed_last_before_its_end_is_made_good() {
    let (one, other) = pair().await;
    let (mut there, _) = Ear::open(&other, "kind=run").await;
    let run = one.next_beat("coder").await["runId"].clone();
    there.until("run", |heard| heard.data["id"] == run).await;
    let engine = one.engine.clone();
    // Whoever would tell it has ended when this is committed.
    one.engine.tasks().spawn(async move {
        engine.tasks().stopping().cancelled().await;
        tokio::task::yield_now().await;
        let mut tx = engine.db().write().await.expect("a transaction");
        let repo = dispatch::store::repos::list_all(&mut tx).await.expect("rows")[0].id.clone();
        dispatch::store::repos::untrack(&mut tx, &repo, engine.clock().now()).await.expect("untracked");
        tx.commit().await.expect("committed");
    });
    one.stop().await;
    there.until_kind("reset").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_between_them_is_made_good() {
    let (one, other) = pair().await;
    let (mut there, _) = Ear::open(&other, "kind=run").await;
    let run = one.next_beat("coder").await["runId"].clone();
    there.until("run", |heard| heard.data["id"] == run).await;
    // PostgreSQL ends the connections over which they hear, and nothing else.
    let channels = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE query LIKE 'LISTEN \"dispatch_' || left(encode(sha256(current_schema()::text::bytea), 'hex'), 16) || '%'";
    assert_eq!(one.db.count(channels).await, 2);
    there.until_kind("reset").await;
    let mut runs = Vec::new();
    loop {
        runs.push(one.next_beat("coder").await["runId"].clone());
        // It may be heard as a hint, or as one more reset.
        let heard = there.next().await.expect("a stream");
        if runs.contains(&heard.data["id"]) {
            return;
        }
    }
}
