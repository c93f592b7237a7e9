//! What happens to repositories and their labels.

use std::time::Duration;

use dispatch::engine::{sweeps, webhooks};
use github_sim::{Fault, FaultKind, Match, NewIssue};
use serde_json::{Value, json};

use crate::{
    API, each_db,
    scene::{by_hand, framed, listening, post, row, settled, told},
    support::{App, world},
};

async fn names(app: &App) -> Vec<Value> {
    let repos = app.get("/api/automation/repos").await.expect(200);
    repos.as_array().expect("repositories").iter().map(|repo| repo["fullName"].clone()).collect()
}

async fn error_of(app: &App, repo: &str) -> Value {
    let repos = app.get("/api/automation/repos").await.expect(200);
    let found = repos.as_array().expect("repositories").iter().find(|row| row["fullName"] == repo);
    found.expect("the repository")["syncError"].clone()
}

/// Time passes, and the delivery that tells of a label's new name is tried once more, unless it is given up.
async fn label_is_tried(app: &App) {
    app.advance(Duration::from_mins(16));
    webhooks::wake(&app.engine);
    let tried = format!(
        "SELECT count(*) FROM webhook_deliveries WHERE event = 'label' AND action = 'edited'
            AND (state <> 'pending' OR words IS NOT NULL AND next_try_at > {})",
        app.clock.now().0
    );
    while app.db.count(&tried).await == 0 {
        tokio::task::yield_now().await;
    }
}

each_db! {
    async fn another_name_is_learnt_at_once(db) {
        let app = listening(db, &[API]).await;
        let repo = app.sim.repo(API);
        repo.open_issue("First");
        told(&app).await;
        app.tick();
        repo.rename("engine");
        told(&app).await;
        assert_eq!(names(&app).await, ["acme/engine"]);
        app.tick();
        repo.transfer_owner("octo");
        told(&app).await;
        assert_eq!(names(&app).await, ["octo/engine"]);
        app.tick();
        app.sim.reset_counters();
        repo.set_title(1, "Second");
        told(&app).await;
        assert_eq!(world::cached(&app, "octo/engine").await[&1].title, "Second");
        assert!(app.sim.counters().by_kind.is_empty(), "{:?}", app.sim.counters().by_kind);
    }

    async fn what_is_said_of_an_issue_counts_under_any_name(db) {
        let app = by_hand(db, &[API]).await;
        let repo = app.sim.repo(API);
        repo.open_issue("First");
        app.tick();
        repo.rename("engine");
        app.sim.webhooks_idle().await;
        let all = app.sim.webhook_deliveries();
        let opened = all.iter().find(|it| it.action.as_deref() == Some("opened")).expect("it was told");
        let payload: Value = serde_json::from_slice(&opened.payload).expect("JSON");
        post(&app, "issues", &opened.guid, &payload).await.expect(202);
        settled(&app).await;
        assert_eq!(row(&app, &opened.guid).await["state"], "applied");
        // The new name alone, before anybody has told of it.
        let mut renamed = payload.clone();
        renamed["repository"]["full_name"] = json!("acme/engine");
        renamed["issue"]["updated_at"] = json!("2027-01-01T00:00:00Z");
        renamed["issue"]["title"] = json!("Second");
        post(&app, "issues", "renamed", &renamed).await.expect(202);
        settled(&app).await;
        assert_eq!(row(&app, "renamed").await["state"], "applied");
        // Another repository took the name over.
        let mut stranger = payload;
        stranger["repository"]["id"] = json!(999_999);
        post(&app, "issues", "stranger", &stranger).await.expect(202);
        settled(&app).await;
        let stranger = row(&app, "stranger").await;
        assert_eq!((&stranger["state"], &stranger["reason"]), (&json!("ignored"), &json!("the repository is not tracked")));
    }

    async fn a_repository_that_is_gone_says_so(db) {
        let app = listening(db, &[API, "acme/web"]).await;
        assert_eq!(error_of(&app, API).await, Value::Null);
        app.tick();
        let deleted = framed(&app, API, "deleted", &json!({}));
        app.sim.repo(API).delete();
        post(&app, "repository", "deleted", &deleted).await.expect(202);
        told(&app).await;
        let error = error_of(&app, API).await;
        assert!(error.as_str().expect("words").contains("404"), "{error}");
        assert_eq!(row(&app, "deleted").await["state"], "applied");
        app.tick();
        app.sim.repo("acme/web").archive();
        let archived = framed(&app, "acme/web", "archived", &json!({}));
        post(&app, "repository", "archived", &archived).await.expect(202);
        told(&app).await;
        assert_eq!((row(&app, "archived").await["state"].clone(), error_of(&app, "acme/web").await), (json!("applied"), Value::Null));
    }

    async fn labels_that_change_their_names_change_on_all_issues(db) {
        let app = listening(db, &[API]).await;
        let repo = app.sim.repo(API);
        // More than a page: the list of what changed last does not show them all.
        repo.seed(120, |n| NewIssue::new(format!("Issue {n}")).label("status/ready").label("old"));
        told(&app).await;
        world::assert_same(&app, API).await;
        app.tick();
        repo.rename_label("old", "new");
        told(&app).await;
        world::assert_same(&app, API).await;
        app.tick();
        repo.delete_label("new");
        told(&app).await;
        world::assert_same(&app, API).await;
    }

    async fn repositories_that_are_not_tracked_are_ignored(db) {
        let app = by_hand(db, &[API]).await;
        app.sim.create_repo("acme/other");
        let known = app.sim.counters();
        let label = framed(&app, "acme/other", "deleted", &json!({ "label": {} }));
        post(&app, "label", "other", &label).await.expect(202);
        settled(&app).await;
        assert_eq!(row(&app, "other").await["reason"], "the repository is not tracked");
        assert_eq!(app.sim.counters(), known);
    }

    async fn an_app_that_reaches_other_repositories_reads_those_that_are_tracked(db) {
        let app = by_hand(db, &[API, "acme/web"]).await;
        let reach = json!({
            "action": "removed", "installation": { "id": 1 }, "repositories_added": [],
            "repositories_removed": [{ "id": 1, "full_name": API }, { "id": 2, "full_name": "acme/unknown" }],
        });
        app.tick();
        post(&app, "installation_repositories", "reach", &reach).await.expect(202);
        settled(&app).await;
        assert_eq!(row(&app, "reach").await["state"], "applied");
        // The read is nobody's to wait for; it asks for this one repository.
        while app.sim.counters().requests == 0 {
            tokio::task::yield_now().await;
        }
        assert!(app.sim.requests().iter().all(|request| request.path_and_query.contains(API)));
    }

    async fn an_archived_repository_is_archived_until_it_is_no_more(db) {
        let app = listening(db, &[API]).await;
        let pull = app.sim.repo(API).open_pull("One", "fix/1");
        told(&app).await;
        let evidence = json!({ "repo": API, "pr": pull, "reason": "red", "feedback": "red", "evidenceKey": "check_run:1" });
        app.post("/api/pr-fix-queue/enqueue", evidence).await.expect(200);
        let archived = async || {
            told(&app).await;
            app.get("/api/automation/sync").await.expect(200)[0]["archived"].clone()
        };
        assert_eq!(archived().await, false);
        app.tick();
        app.sim.repo(API).archive();
        assert_eq!(archived().await, true);
        assert_eq!(app.db.count("SELECT count(*) FROM pr_fix_items WHERE status = 'STALE'").await, 1);
        app.tick();
        app.sim.repo(API).unarchive();
        assert_eq!(archived().await, false);
    }

    async fn labels_wait_for_a_limit_of_github_however_long_it_lasts(db) {
        let app = listening(db, &[API]).await;
        let repo = app.sim.repo(API);
        repo.seed(120, |n| NewIssue::new(format!("Issue {n}")).label("old"));
        told(&app).await;
        app.tick();
        app.sim.fault(Fault::new(FaultKind::PrimaryLimit).on(Match::repo(API)));
        repo.rename_label("old", "new");
        app.sim.webhooks_idle().await;
        for _ in 0..12 {
            label_is_tried(&app).await;
        }
        app.sim.clear_faults();
        app.advance(Duration::from_hours(1));
        webhooks::wake(&app.engine);
        told(&app).await;
        world::assert_same(&app, API).await;
    }

    async fn labels_that_could_not_be_read_make_the_next_sweep_due(db) {
        let app = listening(db, &[API]).await;
        let repo = app.sim.repo(API);
        repo.seed(120, |n| NewIssue::new(format!("Issue {n}")).label("old"));
        told(&app).await;
        app.tick();
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::repo(API)));
        repo.rename_label("old", "new");
        app.sim.webhooks_idle().await;
        let failed = "SELECT count(*) FROM webhook_deliveries WHERE event = 'label' AND state = 'failed'";
        while app.db.count(failed).await == 0 {
            label_is_tried(&app).await;
        }
        app.sim.clear_faults();
        app.advance(Duration::from_mins(16));
        sweeps::sweep_next(&app.engine).await.expect("the database");
        world::assert_same(&app, API).await;
    }
}
