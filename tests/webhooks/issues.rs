//! What happens to an issue at GitHub is in the cache without asking.

use std::time::{Duration, Instant};

use github_sim::{NewIssue, Repo};
use serde_json::json;

use crate::{
    API, each_db,
    scene::{assert_same_for_free, listening, rows, told},
    support::{App, world},
};

/// Something that people do to issue 1.
type Deed = (&'static str, fn(&Repo));

const DEEDS: [Deed; 13] = [
    ("opened", |repo| _ = repo.open_issue(NewIssue::new("Another").label("status/ready"))),
    ("a title", |repo| repo.set_title(1, "Better")),
    ("a text", |repo| repo.set_body(1, "More words")),
    ("labeled", |repo| repo.add_label(1, "priority/p1")),
    ("unlabeled", |repo| repo.remove_label(1, "status/ready")),
    ("assigned", |repo| repo.assign(1, "mona")),
    ("unassigned", |repo| repo.unassign(1, "mona")),
    ("a comment", |repo| _ = repo.comment(1, "mona", "Well?")),
    ("closed", |repo| repo.close_issue(1)),
    ("reopened", |repo| repo.reopen_issue(1)),
    ("several at once", |repo| {
        repo.edit_issue(1, |issue| {
            "All".clone_into(&mut issue.title);
            issue.labels = vec!["status/blocked".to_owned(), "type/bug".to_owned()];
        });
    }),
    ("deleted", |repo| repo.delete_issue(1)),
    ("transferred", |repo| _ = repo.transfer_issue(2, "acme/web")),
];

/// The live claims.
const LIVE: &str = "SELECT count(*) FROM claims WHERE ended_at IS NULL";

async fn claim(app: &App, number: u64) {
    let issues = app.get("/api/issues?repo=acme/api").await.expect(200);
    let found = issues.as_array().expect("issues").iter().find(|issue| issue["number"] == number);
    let id = found.expect("the issue")["id"].clone();
    let body = json!({
        "issueId": id, "repoFullName": API, "issueNumber": number, "agentName": "coder", "lease": true,
    });
    app.post("/api/issues/claim", body).await.expect(200);
}

each_db! {
    async fn everything_that_people_do_is_in_the_cache_for_free(db) {
        let app = listening(db, &[API, "acme/web"]).await;
        let repo = app.sim.repo(API);
        repo.open_issue(NewIssue::new("First").label("status/ready"));
        assert_same_for_free(&app, API, "the first issue").await;
        for (what, deed) in DEEDS {
            app.tick();
            deed(&repo);
            assert_same_for_free(&app, API, what).await;
            assert_same_for_free(&app, "acme/web", what).await;
        }
        let rows = rows(&app).await;
        assert!(rows.len() > DEEDS.len(), "{}", rows.len());
        for row in &rows {
            assert!(["applied", "ignored"].contains(&row["state"].as_str().expect("a state")), "{row}");
            assert!(row["settledAt"].is_string() && row["nextTryAt"].is_null(), "{row}");
        }
        // A read has nothing to add.
        let beat = app.next_beat("coder").await;
        assert_eq!((&beat["status"], &beat["touchedIssueUrls"]), (&json!("ok"), &json!([])), "{beat}");
    }

    async fn an_edit_is_there_within_a_second(db) {
        let app = listening(db, &[API]).await;
        let repo = app.sim.repo(API);
        repo.open_issue("First");
        told(&app).await;
        let mut took = Vec::new();
        // The machine may be busy with something else once or twice, not most of the time.
        for edit in ["Better", "Better still", "Best", "Good enough", "As before"] {
            app.tick();
            let began = Instant::now();
            repo.set_title(1, edit);
            while world::cached(&app, API).await[&1].title != edit {
                assert!(began.elapsed().as_secs() < 20, "it never came");
            }
            took.push(began.elapsed());
        }
        took.sort_unstable();
        assert!(took[2] < Duration::from_secs(1), "{took:?}");
        assert_same_for_free(&app, API, "the edit").await;
    }

    async fn a_closed_issue_ends_its_claim_and_gets_its_label(db) {
        let app = listening(db, &[API]).await;
        let repo = app.sim.repo(API);
        repo.open_issue(NewIssue::new("First").label("status/ready"));
        told(&app).await;
        claim(&app, 1).await;
        told(&app).await;
        assert_eq!(app.db.count(LIVE).await, 1);
        app.tick();
        app.sim.reset_counters();
        repo.close_issue(1);
        told(&app).await;
        assert_eq!(app.db.count(LIVE).await, 0);
        let wanted = "SELECT count(*) FROM label_edits WHERE label_key = 'status/done' AND wanted = TRUE";
        assert_eq!(app.db.count(wanted).await, 1);
        let ended = app.get("/api/audit?action=claim_ended").await.expect(200);
        assert_eq!(ended.as_array().expect("rows").len(), 1);
    }

    async fn a_holder_whose_label_is_taken_away_holds_it_no_more(db) {
        let app = listening(db, &[API]).await;
        let repo = app.sim.repo(API);
        repo.open_issue(NewIssue::new("First").label("status/ready"));
        told(&app).await;
        claim(&app, 1).await;
        told(&app).await;
        assert!(repo.issue(1).expect("it").labels.contains(&"agent/coder".to_owned()), "our own label is there");
        assert_eq!(app.db.count(LIVE).await, 1, "our own write coming back changes nothing");
        app.tick();
        app.sim.reset_counters();
        repo.remove_label(1, "agent/coder");
        told(&app).await;
        assert_eq!(app.db.count(LIVE).await, 0);
        // No read had told of our label yet, so this word against it was made sure of.
        assert_eq!(app.sim.counters().by_kind.values().sum::<u64>(), 1, "{:?}", app.sim.counters().by_kind);
        world::assert_same(&app, API).await;
    }

    async fn a_closed_blocker_frees_who_waits_for_it(db) {
        let app = listening(db, &[API]).await;
        let repo = app.sim.repo(API);
        repo.open_issue(NewIssue::new("Blocker").label("status/ready"));
        repo.open_issue(NewIssue::new("Waits").body("Depends on #1").label("status/ready"));
        told(&app).await;
        let blocked = "SELECT count(*) FROM issues WHERE open_blockers > 0";
        assert_eq!(app.db.count(blocked).await, 1);
        app.tick();
        repo.close_issue(1);
        told(&app).await;
        assert_eq!(app.db.count(blocked).await, 0);
        assert!(app.sim.counters().by_kind.is_empty(), "{:?}", app.sim.counters().by_kind);
    }

    async fn blockers_that_github_counts_are_asked_for_by_name(db) {
        let app = listening(db, &[API]).await;
        let repo = app.sim.repo(API);
        repo.open_issue("Blocker");
        repo.open_issue("Waits");
        told(&app).await;
        app.tick();
        repo.block(2, API, 1);
        repo.set_title(2, "Waits still");
        told(&app).await;
        let blocked = "SELECT count(*) FROM issues WHERE number = 2 AND open_blockers = 1";
        assert_eq!(app.db.count(blocked).await, 1);
        app.tick();
        app.sim.reset_counters();
        repo.set_title(2, "And still");
        assert_same_for_free(&app, API, "as many blockers as before").await;
        assert_eq!(app.db.count(blocked).await, 1);
    }

    async fn pull_requests_go_into_their_cache(db) {
        let app = listening(db, &[API]).await;
        let repo = app.sim.repo(API);
        let number = repo.open_pull("Fix it", "fix/it");
        told(&app).await;
        let with = |state: &str| format!("SELECT count(*) FROM pulls WHERE number = {number} AND state = '{state}'");
        assert_eq!(app.db.count(&with("open")).await, 1);
        app.tick();
        repo.comment(number, "mona", "Nice");
        app.tick();
        repo.merge_pull(number);
        told(&app).await;
        assert_eq!(app.db.count(&with("closed")).await, 1);
        assert_eq!(app.db.count("SELECT count(*) FROM issues").await, 0);
        assert!(app.sim.counters().by_kind.is_empty(), "{:?}", app.sim.counters().by_kind);
    }
}
