//! An answer that is lost: GitHub has it, or has it not, and nobody knows. Nothing is ever there twice.

use std::time::Duration;

use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use super::field::*;
use crate::{
    each_db,
    support::{App, AppBuilder},
};

/// How an answer can be lost; the first two took effect.
fn losses() -> [FaultKind; 6] {
    [
        FaultKind::LostAnswer,
        FaultKind::Delay(Duration::from_secs(2)),
        FaultKind::Truncate,
        FaultKind::Hang,
        FaultKind::Reset,
        FaultKind::Status(502),
    ]
}

async fn impatient(db: crate::support::TestDb, count: usize) -> App {
    let builder = AppBuilder { request_timeout: Duration::from_millis(600), ..AppBuilder::default() };
    built(builder, db, count).await
}

each_db! {
    async fn a_comment_whose_answer_is_lost_is_there_once(db) {
        let app = impatient(db, losses().len()).await;
        for (number, loss) in (1..).zip(losses()) {
            let id = wish(&app.engine, number, Wish::Comment("Only once")).await;
            let fault = app.sim.fault(Fault::new(loss.clone()).on(Match::kind("comments.create")).times(1));
            publish(&app).await;
            let waiting = entry(&app, &id).await;
            assert_eq!((&waiting["state"], &waiting["unsure"]), (&json!("pending"), &json!(true)), "{loss:?}");
            assert_eq!(app.sim.fault_hits(fault), 1);
            app.advance(Duration::from_mins(5));
            assert_eq!(publish(&app).await, 1, "{loss:?}");
            let settled = entry(&app, &id).await;
            let found = comments(&app, number);
            assert_eq!((settled["state"].as_str(), found.len()), (Some("settled"), 1), "{loss:?}");
            assert!(settled["url"].as_str().unwrap().contains(&found[0].id.to_string()), "{settled}");
            assert!(found[0].body.starts_with("Only once\n\n<!-- dispatch:"), "{}", found[0].body);
        }
    }

    async fn an_issue_whose_answer_is_lost_is_there_once(db) {
        let app = impatient(db, 1).await;
        let titles = ["one", "two", "three", "four", "five", "six"];
        for (title, loss) in titles.into_iter().zip(losses()) {
            let id = wish(&app.engine, 0, Wish::Create(title)).await;
            app.sim.fault(Fault::new(loss.clone()).on(Match::kind("issues.create")).times(1));
            publish(&app).await;
            assert_eq!(entry(&app, &id).await["unsure"], true, "{loss:?}");
            app.advance(Duration::from_mins(5));
            // More is opened meanwhile than one page holds.
            app.sim.repo(API).seed(120, |n| format!("Noise {n}"));
            assert_eq!(publish(&app).await, 1, "{loss:?}");
            let settled = entry(&app, &id).await;
            assert_eq!((settled["state"].as_str(), count_titled(&app, title)), (Some("settled"), 1), "{loss:?}");
            let number = settled["createdNumber"].as_u64().expect("a number");
            assert_eq!((there(&app, number).title.as_str(), there(&app, number).labels), (title, vec!["bug".to_owned()]));
        }
        app.next_beat("coder").await;
        assert_eq!(app.db.count("SELECT count(*) FROM issues WHERE title = 'one'").await, 1, "the next read brings it");
    }

    async fn a_lost_answer_in_a_long_conversation_is_found(db) {
        let app = impatient(db, 1).await;
        let id = wish(&app.engine, 1, Wish::Comment("Needle")).await;
        let repo = app.sim.repo(API);
        for n in 0..150 {
            repo.comment(1, "mona", &format!("Hay {n}"));
        }
        app.sim.fault(Fault::new(FaultKind::LostAnswer).on(Match::kind("comments.create")).times(1));
        publish(&app).await;
        app.advance(Duration::from_mins(5));
        publish(&app).await;
        let needles = comments(&app, 1).iter().filter(|comment| comment.body.starts_with("Needle")).count();
        assert_eq!((state(&app, &id).await.as_str(), needles), ("settled", 1));
    }

    async fn what_cannot_be_found_out_is_parked_and_never_sent_blindly(db) {
        let app = impatient(db, 1).await;
        let id = wish(&app.engine, 1, Wish::Comment("Lost")).await;
        let repo = app.sim.repo(API);
        for n in 0..1_000 {
            repo.comment(1, "mona", &format!("Hay {n}"));
        }
        app.sim.fault(Fault::new(FaultKind::LostAnswer).on(Match::kind("comments.create")).times(1));
        publish(&app).await;
        app.advance(Duration::from_mins(5));
        publish(&app).await;
        let parked = entry(&app, &id).await;
        assert_eq!(parked["state"], "parked");
        assert!(parked["error"].as_str().unwrap().starts_with("an earlier try was never answered"), "{parked}");
        assert_eq!(comments(&app, 1).len(), 1_001);
    }

    async fn the_search_fails_and_is_made_again(db) {
        let app = impatient(db, 1).await;
        let id = wish(&app.engine, 1, Wish::Comment("Once")).await;
        app.sim.fault(Fault::new(FaultKind::LostAnswer).on(Match::kind("comments.create")).times(1));
        publish(&app).await;
        let blind = app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::kind("comments.list")));
        app.advance(Duration::from_mins(5));
        publish(&app).await;
        assert_eq!((state(&app, &id).await.as_str(), comments(&app, 1).len()), ("pending", 1));
        app.sim.clear_fault(blind);
        app.advance(Duration::from_mins(20));
        publish(&app).await;
        assert_eq!((state(&app, &id).await.as_str(), comments(&app, 1).len()), ("settled", 1));
    }
}
