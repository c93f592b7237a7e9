//! What GitHub says it delivered, compared with what came.

use std::{sync::Arc, time::Duration};

use dispatch::engine::hooks;
use github_sim::Permission;
use serde_json::json;

use crate::{
    each_db,
    hooked::{API, SECRET, asked, assert_same, builder, delivered, hooked, look, missed, started},
};

each_db! {
    async fn what_was_lost_is_asked_for_once_and_comes(db) {
        let app = hooked(db).await;
        app.sim.lose_webhooks(1);
        app.sim.repo(API).set_title(1, "Lost");
        delivered(&app).await;
        assert_eq!(app.db.count("SELECT count(*) FROM issues WHERE title = 'Lost'").await, 0);
        app.sim.reset_counters();
        look(&app).await;
        assert_same(&app).await;
        assert_eq!((asked(&app, "deliveries.redeliver"), asked(&app, "issues.list")), (1, 0));
        look(&app).await;
        assert_eq!((missed(&app, "came").await, missed(&app, "asked").await), (1, 0));
        // Nothing is new: nothing is paid for.
        app.sim.reset_counters();
        look(&app).await;
        let counted = app.sim.counters();
        assert_eq!((counted.requests, counted.not_modified, counted.quota_spent), (2, 2, 0), "{counted:?}");
    }

    async fn what_does_not_come_again_is_taken_from_githubs_record(db) {
        let app = hooked(db).await;
        app.sim.lose_webhooks(2);
        app.sim.repo(API).set_title(1, "Lost");
        app.sim.repo(API).delete_issue(2);
        delivered(&app).await;
        // The list is shown, and nothing is delivered again.
        app.sim.token_hooks(&app.sim.token(), Permission::Read);
        look(&app).await;
        assert_eq!(missed(&app, "asked").await, 2);
        let status = app.get("/api/webhooks/acme/api").await.expect(200);
        assert_eq!((&status["alive"], &status["missed"], &status["waiting"]), (&json!(false), &json!(2), &json!(2)));
        look(&app).await;
        assert_eq!(missed(&app, "fetched").await, 2);
        assert_same(&app).await;
        assert_eq!(app.db.count("SELECT count(*) FROM issues WHERE removed_at IS NOT NULL").await, 1);
        assert_eq!(app.get("/api/webhooks/acme/api").await.expect(200)["alive"], json!(true));
    }

    async fn where_the_record_is_gone_the_repository_is_read(db) {
        let app = hooked(db).await;
        app.sim.lose_webhooks(1);
        app.sim.repo(API).set_title(1, "Lost");
        delivered(&app).await;
        app.sim.token_hooks(&app.sim.token(), Permission::Read);
        look(&app).await;
        app.advance(Duration::from_hours(73));
        look(&app).await;
        assert_eq!(missed(&app, "read").await, 1);
        assert_same(&app).await;
    }

    async fn of_many_the_repository_is_read_once_and_deletions_are_asked_for(db) {
        let app = hooked(db).await;
        let repo = app.sim.repo(API);
        app.sim.lose_webhooks(41);
        for number in 0..40 {
            app.advance(Duration::from_secs(1));
            repo.set_title(1 + number % 2, &format!("Title {number}"));
        }
        repo.delete_issue(3);
        delivered(&app).await;
        app.sim.reset_counters();
        look(&app).await;
        assert_eq!(asked(&app, "deliveries.redeliver"), 1);
        assert!(asked(&app, "issues.list") <= 2, "{:?}", app.sim.counters());
        assert_eq!((missed(&app, "read").await, missed(&app, "asked").await), (40, 1));
        assert_same(&app).await;
    }

    async fn a_read_of_a_moment_ago_does_not_stand_for_what_was_missed_since(db) {
        let app = hooked(db).await;
        let repo = app.sim.repo(API);
        app.sim.lose_webhooks(45);
        for number in 0..45 {
            // The last of them after a read that began within the staleness of reads.
            if number == 40 {
                app.beat("coder").await;
            }
            app.advance(Duration::from_secs(u64::from(number < 40)));
            repo.set_title(1 + number % 2, &format!("Title {number}"));
        }
        delivered(&app).await;
        look(&app).await;
        assert_eq!(missed(&app, "read").await, 45);
        assert_same(&app).await;
    }

    async fn one_that_was_made_on_github_is_known_by_what_it_delivered(db) {
        let app = started(db).await;
        // The secret at GitHub is another one.
        app.sim.repo(API).add_webhook(&app.url("/api/github/webhook"), "wrong");
        let mine = app.sim.repo(API).add_webhook(&app.url("/api/pr-followup/webhook"), SECRET);
        delivered(&app).await;
        app.sim.repo(API).set_title(1, "Told by one");
        delivered(&app).await;
        look(&app).await;
        let own = app.db.count("SELECT hook_id FROM webhooks").await;
        assert_eq!(own, i64::try_from(mine).expect("a number"), "the one whose deliveries came");
        assert_eq!(asked(&app, "deliveries.redeliver"), 0, "another's deliveries are not asked for");
    }

    async fn where_github_shows_no_deliveries_it_is_asked_again_tomorrow(db) {
        let app = started(db).await;
        app.sim.token_hooks(&app.sim.token(), Permission::None);
        app.sim.repo(API).add_webhook(&app.url("/api/github/webhook"), SECRET);
        delivered(&app).await;
        for day in 1..=2 {
            app.sim.reset_counters();
            for _ in 0..5 {
                look(&app).await;
            }
            assert_eq!((app.sim.counters().requests, asked(&app, "hooks.list")), (1, 1), "on day {day}");
            let status = app.get("/api/webhooks/acme/api").await.expect(200);
            let problem = status["problem"].as_str().expect("a problem");
            assert!(problem.contains("403") && problem.contains("Webhooks"), "{problem}");
            app.advance(Duration::from_hours(24));
            // What comes is applied all the same.
            app.sim.repo(API).set_title(1, &format!("Day {day}"));
            delivered(&app).await;
            assert_same(&app).await;
        }
        // Allowed at last.
        app.sim.token_hooks(&app.sim.token(), Permission::Write);
        app.advance(Duration::from_hours(24));
        look(&app).await;
        assert_eq!(app.get("/api/webhooks/acme/api").await.expect(200)["problem"], json!(null));
    }

    async fn an_app_is_asked_about_its_own_webhook(db) {
        let mut builder = builder();
        let (sim, clock) = builder.simulator().await;
        let repo = sim.create_repo(API);
        repo.seed(2, |n| format!("Issue {n}"));
        let app = sim.create_app(7);
        let installation = app.install("acme", Permission::Write);
        builder.app = Some((app.private_key_pem(), format!("acme:{installation}")));
        let server = builder.start_with(Arc::new(db), sim, clock).await;
        server.next_beat("coder").await;
        app.set_webhook(&server.url("/api/github/webhook"), SECRET);
        delivered(&server).await;
        look(&server).await;
        server.sim.lose_webhooks(1);
        server.sim.create_repo("other/untracked");
        repo.set_title(1, "Lost");
        delivered(&server).await;
        server.sim.reset_counters();
        look(&server).await;
        assert_eq!(asked(&server, "app_deliveries.redeliver"), 1);
        assert_same(&server).await;
        let status = server.get("/api/webhooks/acme/api").await.expect(200);
        assert_eq!((&status["byApp"], &status["alive"], &status["problem"]), (&json!(true), &json!(false), &json!(null)));
        look(&server).await;
        let status = server.get("/api/webhooks/acme/api").await.expect(200);
        assert_eq!((&status["alive"], &status["missed"]), (&json!(true), &json!(1)));
        server.sim.reset_counters();
        hooks::look(&server.engine).await.expect("the database");
        let counted = server.sim.counters();
        assert_eq!((counted.requests, counted.not_modified), (2, 2), "{counted:?}");
    }
}
