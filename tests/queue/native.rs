//! GitHub's own "blocked by".

use github_sim::{Fault, FaultKind, Match};

use super::field::*;
use crate::{
    each_db,
    support::{App, AppBuilder, table},
};

/// How often blockers were asked for since the counters were reset.
fn asked(app: &App) -> u64 {
    app.sim.counters().by_kind.get("blocked_by.list").copied().unwrap_or(0)
}

each_db! {
    async fn githubs_word_blocks_like_the_text(db) {
        let app = with(db, vec![ready("first"), ready("second"), ready("third")]).await;
        let repo = app.sim.repo(API);
        app.sim.repo(WEB).open_issue("there");
        repo.block(2, API, 1);
        repo.block(3, WEB, 1);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1]);
        repo.close_issue(1);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [2]);
        repo.unblock(3, WEB, 1);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [2, 3]);
    }

    async fn text_and_word_stand_for_themselves(db) {
        let app = with(db, vec![ready("first"), ready("second").body("blocked by #1")]).await;
        let repo = app.sim.repo(API);
        repo.block(2, API, 1);
        app.next_beat("loader").await;
        assert_eq!(app.db.count("SELECT open_blockers FROM issues WHERE number = 2").await, 1, "the same issue counts once");
        repo.set_body(2, "free");
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1]);
        repo.unblock(2, API, 1);
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1, 2]);
    }

    async fn only_changed_issues_with_blockers_are_asked_about(db) {
        let app = with(db, (1..=20).map(|n| ready(&format!("Issue {n}"))).collect()).await;
        assert_eq!(asked(&app), 0);
        let repo = app.sim.repo(API);
        repo.block(2, API, 1);
        repo.block(3, API, 1);
        app.next_beat("loader").await;
        assert_eq!(asked(&app), 2);
        app.sim.reset_counters();
        // Its summary is the same, and so are the others'.
        repo.set_title(9, "changed");
        app.next_beat("loader").await;
        app.next_beat("loader").await;
        assert_eq!(asked(&app), 0);
        repo.set_title(3, "changed");
        app.next_beat("loader").await;
        assert_eq!(asked(&app), 1);
        app.sim.reset_counters();
        repo.unblock(3, API, 1);
        app.next_beat("loader").await;
        assert_eq!(asked(&app), 0, "no blockers need no list");
        assert!(numbers(&app, "me", "").await.contains(&3));
    }

    async fn a_count_that_changed_is_noticed_without_a_newer_time(db) {
        let app = with(db, vec![ready("first"), ready("second")]).await;
        let repo = app.sim.repo(API);
        let before = repo.issue(2).unwrap().updated_at;
        repo.block(2, API, 1);
        repo.edit_issue(2, |issue| issue.updated_at = before);
        assert_eq!(repo.issue(2).unwrap().updated_at, before);
        let beat = app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1]);
        assert_eq!(beat["touchedIssueUrls"], serde_json::json!([]), "the issue itself is as it was");
    }

    async fn a_first_load_knows_of_blockers_and_a_refresh_too(db) {
        let mut builder = AppBuilder { repos: vec![API.to_owned()], ..AppBuilder::default() };
        let (sim, clock) = builder.simulator().await;
        let repo = sim.create_repo(API);
        for n in 1..=130 {
            repo.open_issue(ready(&format!("Issue {n}")));
        }
        repo.block(130, API, 1);
        let app = builder.start_with(std::sync::Arc::new(db), sim, clock).await;
        table::expect(&app.beat("loader").await, &[]);
        assert_eq!(app.db.count("SELECT count(*) FROM issues WHERE open_blockers = 1").await, 1);
        repo.block(129, API, 1);
        app.post("/api/issues/refresh", serde_json::json!({ "repoFullName": API, "issueNumber": 129 })).await.expect(200);
        assert_eq!(app.db.count("SELECT count(*) FROM issues WHERE open_blockers = 1").await, 2);
    }

    async fn a_list_that_may_not_be_read_stops_nothing(db) {
        let app = with(db, vec![ready("first"), ready("second")]).await;
        let repo = app.sim.repo(API);
        let fault = Fault::new(FaultKind::Status(404)).on(Match::kind("blocked_by.list"));
        let fault = app.sim.fault(fault);
        repo.block(2, API, 1);
        repo.set_title(1, "changed");
        table::expect(&app.next_beat("loader").await, &[]);
        assert_eq!(app.db.count("SELECT count(*) FROM issues WHERE title = 'changed'").await, 1);
        assert_eq!(numbers(&app, "me", "").await, [1, 2]);
        app.sim.clear_fault(fault);
        repo.set_title(1, "again");
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [1], "asked again once something changes");
    }
}
