//! What happens to the pull requests of bots becomes work in the PR-fix queue.

use github_sim::{CiRun, Conclusion, Fault, FaultKind, Match, ReviewState};
use serde_json::{Value, json};

use crate::{
    API, builder, each_db, pass,
    support::{App, AppBuilder, TestDb},
};

const PATH: &str = "/api/pr-followup/sync";
const BOT: &str = "github-actions[bot]";

/// A server with one open pull request of a bot, and its number.
async fn start(db: TestDb) -> (App, u64) {
    let app = builder().start(db).await;
    let repo = app.sim.repo(API);
    let pull = repo.open_pull("Raise x", "bump/x");
    repo.edit_issue(pull, |issue| BOT.clone_into(&mut issue.author));
    app.next_beat("loader").await;
    (app, pull)
}

async fn look(app: &App) -> Value {
    app.next_beat("loader").await;
    let answer = pass(app, PATH).await;
    assert_eq!(answer["reposFailed"], 0, "{answer}");
    answer
}

async fn items(app: &App) -> Vec<String> {
    let sql =
        "SELECT kind || ' ' || status || ' ' || lane || ' g' || CAST(generation AS TEXT) FROM pr_fix_items";
    app.db.texts(sql).await
}

each_db! {
    async fn events_become_items_once(db) {
        let (app, pull) = start(db).await;
        let repo = app.sim.repo(API);
        let quiet = look(&app).await;
        assert_eq!((&quiet["prsScanned"], &quiet["enqueued"], &quiet["skipped"]), (&json!(1), &json!(0), &json!(0)), "{quiet}");
        app.tick();
        repo.comment(pull, "mona", "thanks!");
        assert_eq!(look(&app).await["enqueued"], 0);
        app.tick();
        repo.comment(pull, "mona", "replace `a` with `b`");
        repo.comment_on_line(pull, "mona", ("src/a.rs", 7), "not like this");
        assert_eq!(look(&app).await["enqueued"], 2);
        assert_eq!(items(&app).await, ["REVIEW_FEEDBACK QUEUED NORMAL g1"]);
        let queued = app.get("/api/pr-fix-queue/queued").await.expect(200);
        let feedback = queued[0]["feedback"].to_string();
        assert!(feedback.contains("src/a.rs:7: not like this") && feedback.contains("replace"), "{queued}");
        assert!(queued[0]["evidenceKeys"].to_string().contains("review_comment:acme/api#"), "{queued}");
        // Read again from where it was, and nothing of it is new.
        let paid = { look(&app).await; app.sim.counters().quota_spent };
        for _ in 0..2 {
            assert_eq!(look(&app).await["enqueued"], 0);
        }
        assert_eq!(app.sim.counters().quota_spent, paid, "{:?}", app.sim.counters());
    }

    async fn a_review_counts_while_it_stands(db) {
        let (app, pull) = start(db).await;
        let repo = app.sim.repo(API);
        repo.review(pull, "mona", ReviewState::ChangesRequested, "mend it");
        repo.review(pull, "mona", ReviewState::Approved, "");
        assert_eq!(look(&app).await["enqueued"], 0, "it was taken back");
        app.tick();
        repo.review(pull, "hubot", ReviewState::ChangesRequested, "");
        look(&app).await;
        assert_eq!(items(&app).await, ["REVIEW_FEEDBACK BLOCKED NEEDS_HUMAN g1"], "nobody knows what to change");
    }

    async fn what_calls_a_human_asks_nobody_for_anything(db) {
        let (app, pull) = start(db).await;
        let repo = app.sim.repo(API);
        repo.review(pull, "hubot", ReviewState::ChangesRequested, "");
        look(&app).await;
        assert_eq!(items(&app).await, ["REVIEW_FEEDBACK BLOCKED NEEDS_HUMAN g1"]);
        app.next_beat("loader").await;
        let called = || {
            let comments = repo.comments(pull);
            (repo.issue(pull).expect("it").labels, comments.iter().filter(|it| it.body.contains("needs a human")).count())
        };
        let label = vec!["needs-human".to_owned()];
        assert_eq!(called(), (label.clone(), 1));
        // A comment that would be work if anybody else wrote it.
        let mark = async |status: &str, note: &str| {
            let body = json!({ "repo": API, "pr": pull, "status": status, "note": note });
            app.post("/api/pr-fix-queue/mark", body).await.expect(200);
        };
        mark("QUEUED", "again").await;
        mark("BLOCKED", "TypeError: the tests failed with 3 errors <!-- ai-pr-reviewer:{} --> @github-actions").await;
        let text = repo.comments(pull).pop().expect("the comment").body;
        assert!(text.contains("failed with 3 errors") && text.contains("@github-actions"), "{text}");
        for _ in 0..2 {
            app.tick();
            assert_eq!(look(&app).await["enqueued"], 0);
        }
        assert_eq!(items(&app).await, ["REVIEW_FEEDBACK BLOCKED NEEDS_HUMAN g2"]);
        assert_eq!(called(), (label, 1));
        app.tick();
        repo.comment(pull, "mona", &text.replace("<!-- dispatch", "<!-- somebody"));
        assert_eq!(look(&app).await["enqueued"], 1, "it would be");
        assert_eq!(items(&app).await, ["REVIEW_FEEDBACK QUEUED NORMAL g3"]);
        app.next_beat("loader").await;
        assert_eq!(called(), (Vec::new(), 1), "ours is gone");
    }

    async fn a_failing_check_brings_its_name(db) {
        let (app, pull) = start(db).await;
        app.sim.repo(API).check(pull, "unit", Some(Conclusion::Failure));
        app.sim.repo(API).check(pull, "lint", Some(Conclusion::Success));
        assert_eq!(look(&app).await["enqueued"], 1);
        let queued = app.get("/api/pr-fix-queue/queued").await.expect(200);
        assert!(queued[0]["type"] == "CI_FAILURE" && queued[0]["reason"] == "Check unit failed", "{queued}");
    }

    async fn the_issue_is_the_first_in_the_text(db) {
        let (app, pull) = start(db).await;
        let repo = app.sim.repo(API);
        repo.seed(3, |n| format!("Issue {n}"));
        repo.set_body(pull, "Fixes #4, and closes #2");
        repo.check(pull, "unit", Some(Conclusion::Failure));
        look(&app).await;
        let issue = "SELECT CAST(issue AS TEXT) FROM pr_fix_items";
        assert_eq!(app.db.texts(issue).await, ["4"]);
        app.tick();
        repo.set_body(pull, "Closes #3. Fixes #2");
        repo.comment(pull, "mona", "replace `a` with `b`");
        look(&app).await;
        assert_eq!(app.db.texts(issue).await, ["3"]);
    }

    async fn a_conflict_comes_and_goes(db) {
        let (app, pull) = start(db).await;
        let repo = app.sim.repo(API);
        for (state, want) in [
            ("dirty", "MERGE_CONFLICT QUEUED NORMAL g1"),
            ("unknown", "MERGE_CONFLICT QUEUED NORMAL g1"),
            ("clean", "MERGE_CONFLICT FIXED NORMAL g1"),
            ("dirty", "MERGE_CONFLICT QUEUED NORMAL g2"),
        ] {
            repo.set_merge_state(pull, state);
            look(&app).await;
            assert_eq!(items(&app).await, [want], "{state}");
        }
        app.tick();
        repo.merge_pull(pull);
        look(&app).await;
        assert_eq!(items(&app).await, ["MERGE_CONFLICT STALE NORMAL g2"]);
    }

    async fn people_and_other_owners_are_left_alone(db) {
        let mut builder = AppBuilder { repos: vec![API.to_owned(), "beta/api".to_owned()], ..builder() };
        builder.engine.follow_up.owners = vec!["Beta".to_owned()];
        let app = builder.start(db).await;
        for (name, author) in [(API, BOT), ("beta/api", BOT), ("beta/api", "mona")] {
            let repo = app.sim.repo(name);
            let pull = repo.open_pull("Raise x", &format!("bump/{author}"));
            repo.edit_issue(pull, |issue| issue.author = author.to_owned());
            repo.check(pull, "unit", Some(Conclusion::Failure));
            repo.push_commit("main", "A commit");
            repo.add_run(CiRun::new("CI", "success"));
        }
        let answer = look(&app).await;
        assert_eq!((&answer["reposScanned"], &answer["prsScanned"], &answer["enqueued"]), (&json!(1), &json!(1), &json!(1)), "{answer}");
        assert_eq!(app.db.texts("SELECT repo FROM pr_fix_items").await, ["beta/api"]);
    }

    async fn refusals_are_counted_and_nothing_is_lost(db) {
        let (app, pull) = start(db).await;
        app.sim.repo(API).comment(pull, "mona", "replace `a` with `b`");
        app.next_beat("loader").await;
        let fault = app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::kind("comments.list")));
        let answer = pass(&app, PATH).await;
        assert_eq!((&answer["reposFailed"], &answer["rateLimited"], &answer["enqueued"]), (&json!(1), &json!(false), &json!(0)), "{answer}");
        app.sim.clear_fault(fault);
        assert_eq!(look(&app).await["enqueued"], 1);
    }

    async fn what_is_refused_keeps_nothing_else_from_being_followed(db) {
        let (app, first) = start(db).await;
        let repo = app.sim.repo(API);
        let second = repo.open_pull("Raise y", "bump/y");
        let gone = repo.open_pull("Raise z", "bump/z");
        for pull in [second, gone] {
            repo.edit_issue(pull, |issue| BOT.clone_into(&mut issue.author));
        }
        repo.set_merge_state(gone, "dirty");
        look(&app).await;
        repo.set_merge_state(first, "dirty");
        repo.comment(first, "mona", "replace `a` with `b`");
        repo.comment(second, "mona", "replace `a` with `b`");
        app.tick();
        repo.close_pull(gone);
        // Nothing of checks is to be read with this token, and one list of comments is not there.
        app.sim.fault(Fault::new(FaultKind::Status(403)).on(Match::kind("check_runs.list")));
        let list = Match::kind("comments.list").and(Match::path_contains(format!("/issues/{first}/")));
        let fault = app.sim.fault(Fault::new(FaultKind::Status(404)).on(list));
        app.next_beat("loader").await;
        let answer = pass(&app, PATH).await;
        assert_eq!((&answer["reposFailed"], &answer["enqueued"]), (&json!(1), &json!(2)), "{answer}");
        let states = app.db.texts("SELECT kind || ' ' || status FROM pr_fix_items ORDER BY pr").await;
        assert_eq!(states, ["MERGE_CONFLICT QUEUED", "REVIEW_FEEDBACK QUEUED", "MERGE_CONFLICT STALE"]);
        app.sim.clear_fault(fault);
        assert_eq!(look(&app).await["enqueued"], 1, "checks that may not be read are none");
    }

    async fn without_credentials_nothing_is_followed(db) {
        let app = AppBuilder { anonymous: true, ..builder() }.start(db).await;
        let refused = app.post(PATH, json!({})).await.expect(500);
        assert_eq!(refused["error"], "GITHUB_TOKEN not configured");
    }
}
