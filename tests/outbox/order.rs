//! What was asked for first goes first, what cannot go holds nobody else up, and two processes share the work.

use std::{sync::Arc, time::Duration};

use github_sim::{Fault, FaultKind, Match, Sim};
use serde_json::json;
use tokio::task::JoinSet;

use super::field::*;
use crate::{
    each_db,
    support::{App, AppBuilder, TestDb},
};

/// The writes that the simulator got, in order.
fn writes(sim: &Sim) -> Vec<&'static str> {
    let requests = sim.requests();
    requests.iter().filter(|request| request.method != "GET").map(|request| request.kind).collect()
}

each_db! {
    async fn a_comment_asked_for_before_a_close_goes_first(db) {
        let app = with_issues(db, 2).await;
        let comment = wish(&app.engine, 1, Wish::Comment("Why")).await;
        let close = wish(&app.engine, 1, Wish::Close).await;
        let other = wish(&app.engine, 2, Wish::Comment("Elsewhere")).await;
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::path_contains("/issues/1/comments")).times(1));
        app.sim.reset_counters();
        publish(&app).await;
        for (id, want) in [(&comment, "pending"), (&close, "pending"), (&other, "settled")] {
            assert_eq!(state(&app, id).await, want);
        }
        assert!(there(&app, 1).is_open(), "the close waits for the comment");
        app.advance(Duration::from_mins(1));
        publish(&app).await;
        let sent = writes(&app.sim);
        let of_one: Vec<_> = sent.iter().filter(|kind| ["comments.create", "issues.update"].contains(*kind)).collect();
        assert_eq!(of_one, [&"comments.create", &"comments.create", &"comments.create", &"issues.update"]);
        assert!(!there(&app, 1).is_open());
    }

    async fn an_edit_that_is_wanted_anew_goes_behind_what_was_asked_for_meanwhile(db) {
        let app = with_issues(db, 1).await;
        let close = wish(&app.engine, 1, Wish::Close).await;
        wish(&app.engine, 1, Wish::Comment("One last word")).await;
        assert_eq!(wish(&app.engine, 1, Wish::Close).await, close);
        app.sim.reset_counters();
        publish(&app).await;
        assert_eq!(writes(&app.sim)[..2], ["comments.create", "issues.update"]);
        assert_eq!(entry(&app, &close).await["attempts"], 1);
    }

    async fn a_wish_that_changes_while_it_is_sent_is_sent_as_it_is_now(db) {
        let app = with_issues(db, 1).await;
        let id = wish(&app.engine, 1, Wish::Title("First")).await;
        let engine = app.engine.clone();
        let runtime = tokio::runtime::Handle::current();
        app.sim.hook(Match::kind("issues.update"), move |_| {
            tokio::task::block_in_place(|| runtime.block_on(wish(&engine, 1, Wish::Title("Second"))));
        }).times(1);
        publish(&app).await;
        publish(&app).await;
        assert_eq!((there(&app, 1).title.as_str(), state(&app, &id).await.as_str()), ("Second", "settled"));
        app.next_beat("coder").await;
        app.next_beat("coder").await;
        assert_eq!(shown(&app, 1).await["title"], "Second");
    }

    async fn poison_is_parked_and_the_others_go_on(db) {
        let app = with_issues(db, 3).await;
        let poison = wish(&app.engine, 1, Wish::Comment("Bad")).await;
        let behind = wish(&app.engine, 1, Wish::Title("Behind it")).await;
        app.sim.fault(Fault::new(FaultKind::Status(422)).on(Match::path_contains("/issues/1/comments")));
        for number in 2..=3 {
            wish(&app.engine, number, Wish::Comment("Good")).await;
        }
        for _ in 0..3 {
            publish(&app).await;
            app.advance(Duration::from_mins(1));
        }
        assert_eq!((comments(&app, 2).len(), comments(&app, 3).len()), (1, 1));
        publish(&app).await;
        let parked = entry(&app, &poison).await;
        assert_eq!((&parked["state"], &parked["attempts"]), (&json!("parked"), &json!(3)));
        assert_eq!(state(&app, &behind).await, "settled", "what stood behind it goes on");
    }

    async fn new_comments_have_a_slower_pace_than_edits(db) {
        let mut builder = AppBuilder::default();
        builder.engine.writes.interval = Duration::from_secs(1);
        let app = built(builder, db, 30).await;
        for number in 1..=30 {
            wish(&app.engine, number, Wish::Comment("Hello")).await;
            wish(&app.engine, number, Wish::Title("Better")).await;
        }
        app.sim.reset_counters();
        for _ in 0..60 {
            app.advance(Duration::from_secs(1));
            publish(&app).await;
        }
        let sent = writes(&app.sim);
        let posted = sent.iter().filter(|kind| **kind == "comments.create").count();
        assert!((16..=18).contains(&posted), "a burst of ten, then one in eight seconds: {posted}");
        assert_eq!(app.sim.counters().secondary_limited, 0);
    }
}

mod two_processes {
    use super::*;

    async fn process(db: &Arc<TestDb>, sim: &Sim, clock: &dispatch::clock::ManualClock, seed: u64) -> App {
        let builder = AppBuilder { seed, repos: vec![API.to_owned()], ..AppBuilder::default() };
        builder.start_with(Arc::clone(db), sim.clone(), clock.clone()).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn send_nothing_twice() {
        let app = with_issues(TestDb::postgres().await, 20).await;
        let other = process(&app.db, &app.sim, &app.clock, 11).await;
        for number in 1..=20 {
            wish(&app.engine, number, Wish::Comment("One")).await;
            wish(&app.engine, number, Wish::Title("Two")).await;
            wish(&other.engine, number, Wish::Comment("Three")).await;
        }
        app.sim.set_latency(Duration::from_millis(3));
        app.sim.reset_counters();
        let mut senders = JoinSet::new();
        for engine in [&app.engine, &other.engine, &app.engine, &other.engine] {
            let engine = engine.clone();
            senders.spawn(async move {
                for _ in 0..10 {
                    dispatch::engine::publish::publish(&engine).await.expect("the database");
                }
            });
        }
        while let Some(ended) = senders.join_next().await {
            ended.expect("no panic");
        }
        for number in 1..=20 {
            let said: Vec<_> =
                comments(&app, number).into_iter().map(|comment| comment.body[..3].to_owned()).collect();
            assert_eq!(said, ["One", "Thr"], "#{number}");
        }
        assert_eq!(writes(&app.sim).len(), 60, "each once");
        assert_eq!(
            app.db.count("SELECT count(*) FROM outbox WHERE state <> 'settled' OR attempts <> 1").await,
            0
        );
    }
}
