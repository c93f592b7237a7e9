//! Coming back: what was missed is told, or that it cannot be.

use std::time::Duration;

use crate::{
    API, each_db,
    ear::Ear,
    support::{App, AppBuilder},
};

each_db! {
    async fn who_comes_back_is_told_what_was_missed(db) {
        let app = App::with_repos(db, &[API]).await;
        let (mut ear, _) = Ear::open(&app, "kind=run").await;
        let first = app.next_beat("coder").await;
        ear.until("run", |heard| heard.data["id"] == first["runId"]).await;
        let last = ear.last.clone();
        drop(ear);
        let mut missed = Vec::new();
        for _ in 0..5 {
            missed.push(app.next_beat("coder").await["runId"].clone());
        }
        let (mut ear, ready) = Ear::back(&app, "kind=run", &last).await;
        assert_eq!(ready.name, "ready");
        for run in &missed {
            ear.until("run", |heard| heard.data["id"] == *run).await;
        }
        // A second time, from the same place: the same again.
        let (mut ear, _) = Ear::back(&app, "kind=run", &last).await;
        ear.until("run", |heard| heard.data["id"] == missed[4]).await;
    }

    async fn a_page_listens_from_where_it_was_read(db) {
        let app = App::with_repos(db, &[API]).await;
        let read = dispatch::engine::events::place(&app.engine);
        let run = app.next_beat("coder").await["runId"].clone();
        let (mut ear, first) = Ear::open(&app, &format!("kind=run&after={read}")).await;
        assert_eq!(first.name, "ready");
        ear.until("run", |heard| heard.data["id"] == run).await;
        // Browsers that come back send the header, too, and their page's first address.
        let next = app.next_beat("coder").await["runId"].clone();
        let (mut back, _) = Ear::back(&app, &format!("kind=run&after={read}"), &ear.last).await;
        assert_eq!(back.next().await.expect("the next one").data["id"], next);
        let (_ear, first) = Ear::open(&app, "after=nonsense").await;
        assert_eq!(first.name, "reset");
    }

    async fn another_life_of_the_server_cannot_tell_and_says_so(db) {
        let app = App::with_repos(db, &[API]).await;
        let (ear, _) = Ear::open(&app, "").await;
        app.next_beat("coder").await;
        let (db, sim, clock) = app.stop().await;
        let app = AppBuilder { seed: 8, ..AppBuilder::default() }.start_with(db, sim, clock).await;
        for strange in [ear.last.as_str(), "nonsense", "", "-", "9999999"] {
            let (mut ear, first) = Ear::back(&app, "kind=run", strange).await;
            assert_eq!(first.name, "reset", "{strange:?}");
            let run = app.next_beat("coder").await["runId"].clone();
            ear.until("run", |heard| heard.data["id"] == run).await;
            assert_ne!(ear.last, strange);
        }
        let (_ear, first) = Ear::back(&app, "", &format!("{}9", ear.last)).await;
        assert_eq!(first.name, "reset", "a place that was never given out");
    }

    async fn open_streams_do_not_hold_up_the_end(db) {
        let app = App::with_repos(db, &[API]).await;
        let mut ears = Vec::new();
        for _ in 0..10 {
            ears.push(Ear::open(&app, "").await.0);
        }
        let stopped = tokio::time::timeout(Duration::from_secs(5), app.stop()).await;
        assert!(stopped.is_ok(), "the server waits for its listeners");
        for mut ear in ears {
            while ear.next().await.is_some() {}
        }
    }
}
