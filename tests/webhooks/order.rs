//! Deliveries come late, twice and in any order; the payload's own time decides.

use std::sync::Arc;

use github_sim::NewIssue;
use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    API, each_db,
    scene::{assert_same_for_free, by_hand, delivery, post_all, row, rows, settled, undelivered},
    support::{app::send, world},
};

fn states(rows: &[Value], state: &str) -> usize {
    rows.iter().filter(|row| row["state"] == state).count()
}

each_db! {
    async fn the_other_way_round_it_comes_to_the_same(db) {
        let app = by_hand(db, &[API]).await;
        let repo = app.sim.repo(API);
        let known = app.sim.webhook_deliveries().len();
        repo.open_issue(NewIssue::new("First").label("status/ready"));
        app.tick();
        repo.set_title(1, "Second");
        app.tick();
        repo.add_label(1, "priority/p0");
        app.tick();
        repo.close_issue(1);
        app.tick();
        repo.reopen_issue(1);
        app.tick();
        repo.comment(1, "mona", "Well?");
        let mut told = undelivered(&app, known).await;
        told.reverse();
        post_all(&app, &told).await;
        settled(&app).await;
        assert_same_for_free(&app, API, "everything backwards").await;
        let rows = rows(&app).await;
        // The newest comes first and says it all, the label with which it was opened twice of one second.
        assert_eq!((states(&rows, "applied"), states(&rows, "ignored")), (1, told.len() - 1));
    }

    async fn a_guid_is_applied_once(db) {
        let app = by_hand(db, &[API]).await;
        let repo = app.sim.repo(API);
        let known = app.sim.webhook_deliveries().len();
        repo.open_issue("First");
        let told = undelivered(&app, known).await;
        let (opened, barrier) = (&told[0], Arc::new(Barrier::new(8)));
        let mut posts = JoinSet::new();
        for _ in 0..8 {
            let request = delivery(&app, &opened.event, &opened.guid, opened.payload.to_vec());
            let barrier = Arc::clone(&barrier);
            posts.spawn(async move {
                barrier.wait().await;
                send(request).await.expect(202)["state"].as_str().expect("a state").to_owned()
            });
        }
        let mut states = posts.join_all().await;
        states.sort();
        assert_eq!((states[..7].iter().all(|state| state == "duplicate"), states[7].as_str()), (true, "pending"));
        settled(&app).await;
        let applied = row(&app, &opened.guid).await;
        assert_eq!((&applied["state"], &applied["attempts"]), (&json!("applied"), &json!(1)));
        // Long after, it is known still.
        app.tick();
        repo.set_title(1, "Second");
        post_all(&app, &undelivered(&app, known + told.len()).await).await;
        assert_eq!(post_all(&app, [opened]).await, ["duplicate"]);
        assert_same_for_free(&app, API, "an old delivery again").await;
    }

    async fn two_states_of_one_second_are_looked_at_once(db) {
        let app = by_hand(db, &[API]).await;
        let repo = app.sim.repo(API);
        let known = app.sim.webhook_deliveries().len();
        repo.open_issue("First");
        app.tick();
        // The clock stands still: all of these bear one second.
        for n in 0..5 {
            repo.set_title(1, &format!("Title {n}"));
        }
        let mut told = undelivered(&app, known).await;
        assert_eq!(told.len(), 6);
        let opened = told.remove(0);
        post_all(&app, [&opened]).await;
        settled(&app).await;
        assert!(app.sim.counters().by_kind.is_empty());
        told.rotate_left(2);
        post_all(&app, &told).await;
        settled(&app).await;
        world::assert_same(&app, API).await;
        let looks = app.sim.counters().by_kind.values().sum::<u64>();
        assert!((1..=4).contains(&looks), "{looks} looks");
        let rows = rows(&app).await;
        assert_eq!(states(&rows, "applied") + states(&rows, "ignored"), rows.len(), "{rows:#?}");
        // The same words again, of a delivery that is new: nobody is asked.
        app.sim.reset_counters();
        let last = repo.issue(1).expect("it").title;
        let same = told.iter().find(|it| String::from_utf8_lossy(&it.payload).contains(&last)).expect("it was told");
        send(delivery(&app, &same.event, "another-guid", same.payload.to_vec())).await.expect(202);
        assert_same_for_free(&app, API, "the same again").await;
        assert_eq!(row(&app, "another-guid").await["state"], "ignored");
    }

    async fn what_is_deleted_stays_deleted(db) {
        let app = by_hand(db, &[API]).await;
        let repo = app.sim.repo(API);
        let before = app.sim.webhook_deliveries().len();
        for title in ["Known", "Never heard of"] {
            repo.open_issue(title);
        }
        let opened = undelivered(&app, before).await;
        let known = before + opened.len();
        post_all(&app, &opened[..1]).await;
        for number in [1, 2] {
            app.tick();
            repo.set_title(number, "Edited");
            app.tick();
            repo.delete_issue(number);
        }
        let told = undelivered(&app, known).await;
        let deleted = told.iter().filter(|it| it.action.as_deref() == Some("deleted"));
        post_all(&app, deleted).await;
        settled(&app).await;
        assert_same_for_free(&app, API, "the deletions").await;
        let late = told.iter().filter(|it| it.action.as_deref() == Some("edited"));
        post_all(&app, late.chain(&opened[1..])).await;
        settled(&app).await;
        assert_same_for_free(&app, API, "what was said before them").await;
        assert_eq!(world::cached(&app, API).await.len(), 0);
        assert_eq!(app.db.count("SELECT count(*) FROM issues WHERE removed_at IS NOT NULL").await, 2);
    }

    async fn a_word_of_a_later_time_about_what_is_gone_is_made_sure_of(db) {
        let app = by_hand(db, &[API]).await;
        let repo = app.sim.repo(API);
        let known = app.sim.webhook_deliveries().len();
        repo.open_issue("First");
        let told = undelivered(&app, known).await;
        post_all(&app, &told).await;
        settled(&app).await;
        let mut gone: Value = serde_json::from_slice(&told[0].payload).expect("JSON");
        gone["action"] = json!("deleted");
        send(delivery(&app, "issues", "a-lie", gone.to_string())).await.expect(202);
        settled(&app).await;
        assert_eq!(world::cached(&app, API).await.len(), 0);
        app.tick();
        repo.set_title(1, "There it is");
        post_all(&app, &undelivered(&app, known + told.len()).await).await;
        settled(&app).await;
        world::assert_same(&app, API).await;
        assert_eq!(app.sim.counters().by_kind.values().sum::<u64>(), 1);
    }
}
