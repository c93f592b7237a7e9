//! What GitHub says of repositories themselves.

use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use crate::{
    API, builder, each_db, pass,
    support::{App, AppBuilder, TestDb},
};

const PATH: &str = "/api/automation/sync";

async fn start(db: TestDb) -> App {
    let repos = vec![API.to_owned(), "acme/web".to_owned()];
    let app = AppBuilder { repos, ..builder() }.start(db).await;
    app.beat("loader").await;
    app
}

each_db! {
    async fn repositories_are_described(db) {
        let app = start(db).await;
        let first = app.sim.repo(API).push_commit("main", "First");
        app.sim.repo(API).open_pull("One", "fix/1");
        app.next_beat("loader").await;
        let answer = pass(&app, PATH).await;
        assert_eq!((&answer["synced"], &answer["failed"]), (&json!(2), &json!(0)), "{answer}");
        assert_eq!((&answer["results"][0]["repo"], &answer["results"][0]["result"]["success"]), (&json!(API), &json!(true)));
        let listed = app.get(PATH).await.expect(200);
        let row = &listed[0];
        assert_eq!((&row["defaultBranch"], &row["latestCommitSha"]), (&json!("main"), &json!(first)), "{row}");
        assert_eq!((&row["openPRCount"], &row["archived"], &row["syncError"]), (&json!(1), &json!(false), &json!(null)));
        assert_eq!(row["_count"], json!({ "workflows": 0, "releases": 0, "automationEvents": 0 }));
        assert_eq!(listed[1]["latestCommitSha"], json!(null), "no commit yet");
        let repos = app.get("/api/automation/repos").await.expect(200);
        let run = &repos[0]["lastSyncRun"];
        assert_eq!((&run["id"], &run["status"]), (&answer["results"][0]["result"]["syncRunId"], &json!("completed")));
        let second = app.sim.repo(API).push_commit("main", "Second");
        app.sim.repo(API).archive();
        pass(&app, PATH).await;
        let row = app.get(PATH).await.expect(200)[0].clone();
        assert_eq!((&row["latestCommitSha"], &row["archived"]), (&json!(second), &json!(true)));
    }

    async fn what_did_not_change_costs_nothing(db) {
        let app = start(db).await;
        for repo in [API, "acme/web"] {
            app.sim.repo(repo).push_commit("main", "First");
        }
        pass(&app, PATH).await;
        let before = app.sim.counters();
        pass(&app, PATH).await;
        let after = app.sim.counters();
        assert_eq!((after.requests - before.requests, after.quota_spent - before.quota_spent), (4, 0));
        let listed = app.get(PATH).await.expect(200);
        assert_eq!(listed[0]["lastSyncedAt"].as_str().expect("a time"), app.clock.now().to_string());
    }

    async fn one_of_them_and_failures(db) {
        let app = start(db).await;
        let one = app.post(PATH, json!({ "repo": "Acme/API" })).await.expect(200);
        assert!(one["success"] == true && one["syncRunId"].is_string(), "{one}");
        app.post(PATH, json!({ "fullName": "acme/none" })).await.expect(404);
        app.post(PATH, json!({ "repo": "none" })).await.expect(400);
        let fault = app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::repo(API)));
        app.post(PATH, json!({ "fullName": API })).await.expect(502);
        let all = pass(&app, PATH).await;
        assert_eq!((&all["synced"], &all["failed"]), (&json!(1), &json!(1)), "{all}");
        assert!(all["results"][0]["result"]["error"].as_str().expect("words").contains("; "));
        let listed = app.get(PATH).await.expect(200);
        assert!(listed[0]["syncError"].is_string() && listed[1]["syncError"].is_null(), "{listed}");
        let scheduled = app.post("/api/sync/scheduled", json!({ "issues": false, "automation": true })).await.expect(200);
        assert_eq!(scheduled["automation"], json!({ "synced": 1, "failed": 1 }));
        app.sim.clear_fault(fault);
        pass(&app, PATH).await;
        assert_eq!(app.get(PATH).await.expect(200)[0]["syncError"], json!(null));
    }

    async fn an_archived_repository_has_nothing_left_to_mend(db) {
        let app = start(db).await;
        let pull = app.sim.repo(API).open_pull("One", "fix/1");
        let evidence = json!({ "repo": API, "pr": pull, "reason": "red", "feedback": "red", "evidenceKey": "check_run:1" });
        assert_eq!(app.post("/api/pr-fix-queue/enqueue", evidence).await.expect(200)["status"], "QUEUED");
        app.sim.repo(API).archive();
        pass(&app, PATH).await;
        assert_eq!(app.get("/api/pr-fix-queue/queued").await.expect(200), json!([]));
        assert_eq!(app.db.count("SELECT count(*) FROM pr_fix_items WHERE status = 'STALE'").await, 1);
    }

    async fn one_pass_at_a_time(db) {
        let app = start(db).await;
        let held = app.sim.fault(Fault::new(FaultKind::Held).on(Match::kind("repos.get")).times(1));
        let before = app.sim.counters().by_kind.get("repos.get").copied().unwrap_or_default();
        let second = async {
            while app.sim.counters().by_kind.get("repos.get").copied().unwrap_or_default() == before {
                tokio::task::yield_now().await;
            }
            let refused = app.post(PATH, json!({})).await;
            let skipped = app.post("/api/sync/scheduled", json!({ "issues": false, "automation": true })).await;
            app.sim.clear_fault(held);
            (refused, skipped)
        };
        let (first, (refused, skipped)) = tokio::join!(app.post(PATH, json!({})), second);
        first.expect(200);
        assert_eq!(refused.expect(409)["locked"], true);
        let skipped = skipped.expect(200);
        assert_eq!((&skipped["automationSkipped"], &skipped["automationSkippedReason"]), (&json!(true), &json!("another automation sync holds the lock")));
    }
}
