//! Where a webhook is alive, the scheduler reads less often.

use std::time::Duration;

use dispatch::{
    engine,
    scheduler::jobs::{JOBS, Verb},
};
use github_sim::WebhookFaults;

use crate::{
    each_db,
    hooked::{API, SECRET, asked, builder, delivered, look, receiving},
    support::{App, AppBuilder, TestDb},
};

const QUIET: &str = "acme/quiet";

async fn sync(app: &App) -> u64 {
    app.sim.reset_counters();
    let job = JOBS.iter().find(|job| job.name == "sync").expect("the job");
    let Verb::Led(verb) = job.verb else { panic!("sync is led") };
    verb(app.engine.clone(), app.leader().await).await.expect("the database");
    asked(app, "issues.list")
}

async fn started(db: TestDb) -> App {
    let settings = engine::Settings { sync_webhook_interval: Duration::from_mins(30), ..receiving() };
    let repos = vec![API.to_owned(), QUIET.to_owned()];
    let app = AppBuilder { repos, engine: settings, ..builder() }.start(db).await;
    app.sim.repo(API).open_issue("One");
    app.next_beat("coder").await;
    app.sim.repo(API).add_webhook(&app.url("/api/github/webhook"), SECRET);
    delivered(&app).await;
    app
}

each_db! {
    async fn a_repository_whose_webhook_is_alive_waits_longer(db) {
        let app = started(db).await;
        app.advance(Duration::from_mins(15));
        assert_eq!(sync(&app).await, 1, "the one without a webhook");
        app.advance(Duration::from_mins(15));
        assert_eq!(sync(&app).await, 2);
        app.advance(Duration::from_mins(15));
        assert_eq!(sync(&app).await, 1);
        app.sim.reset_counters();
        app.next_beat("coder").await;
        assert_eq!(asked(&app, "issues.list"), 2, "heartbeats look as ever");
    }

    async fn one_that_is_silent_or_loses_deliveries_is_read_as_others_are(db) {
        let app = started(db).await;
        look(&app).await;
        app.sim.webhook_faults(WebhookFaults { lost: 1.0, ..WebhookFaults::default() });
        app.sim.repo(API).set_title(1, "Lost");
        delivered(&app).await;
        app.sim.token_hooks(&app.sim.token(), github_sim::Permission::Read);
        look(&app).await;
        app.advance(Duration::from_mins(15));
        assert_eq!(sync(&app).await, 2);
        // A day without a word.
        look(&app).await;
        app.sim.webhook_faults(WebhookFaults::default());
        app.advance(Duration::from_hours(25));
        sync(&app).await;
        app.advance(Duration::from_mins(15));
        assert_eq!(sync(&app).await, 2);
        app.sim.repo(API).set_title(1, "Heard");
        delivered(&app).await;
        app.advance(Duration::from_mins(15));
        assert_eq!(sync(&app).await, 1, "alive again");
    }
}
