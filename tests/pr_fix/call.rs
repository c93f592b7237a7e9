//! Blocked items call a human at GitHub, by a label and one comment, and take both away when that is over.

use std::time::Duration;

use dispatch::engine::publish;
use github_sim::{Fault, FaultKind, Match, Permission};
use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{App, AppBuilder, TestDb},
};

const MARKER: &str = "<!-- dispatch-pr-fix-blocked -->";

/// Sends what is due, as heartbeats do.
async fn publish(app: &App) {
    publish::publish(&app.engine).await.expect("the database");
}

/// Whether it bears the label at GitHub, and the texts of its comments.
fn borne(app: &App, pr: u64) -> (bool, Vec<String>) {
    let repo = app.sim.repo(API);
    let labels = repo.issue(pr).expect("the pull request").labels;
    let comments = repo.comments(pr).into_iter().map(|comment| comment.body).collect();
    (labels.contains(&"needs-human".to_owned()), comments)
}

/// It calls a human at GitHub, once; the comment.
#[track_caller]
fn called(app: &App, pr: u64, how: &str) -> String {
    let (label, mut comments) = borne(app, pr);
    assert!(label && comments.len() == 1, "{how}: {label} {comments:?}");
    let comment = comments.remove(0);
    assert!(comment.starts_with(MARKER) && comment.contains("needs a human"), "{how}: {comment}");
    comment
}

#[track_caller]
fn quiet(app: &App, pr: u64, how: &str) {
    assert_eq!(borne(app, pr), (false, Vec::new()), "{how}");
}

/// What waits or is parked: its words, its state and its reason.
async fn waiting(app: &App) -> Vec<(String, String, Value)> {
    let entries = app.get("/api/outbox?state=pending,parked").await.expect(200);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let entries = entries.as_array().expect("a list").clone();
    entries.iter().map(|it| (text(&it["what"]), text(&it["state"]), it["error"].clone())).collect()
}

/// The ids of the label's entry and of the comment's.
async fn ids(app: &App) -> [String; 2] {
    let entries = app.get("/api/outbox").await.expect(200);
    let id = |kind: &str| {
        let of_kind = entries.as_array().expect("a list").iter().find(|entry| entry["kind"] == kind);
        of_kind.expect("an entry")["id"].as_str().expect("an id").to_owned()
    };
    [id("label"), id("comment")]
}

async fn block(app: &App, pr: i64) {
    mark(app, pr, "BLOCKED", json!({ "note": "the branch is gone, @mona" })).await.expect(200);
}

/// How many writes reached GitHub.
fn writes(app: &App) -> usize {
    app.sim.requests().iter().filter(|request| request.method != "GET").count()
}

async fn impatient(db: TestDb) -> App {
    built(AppBuilder { request_timeout: Duration::from_millis(600), ..AppBuilder::default() }, db).await
}

each_db! {
    async fn whoever_blocks_an_item_calls_a_human(db) {
        let app = with(db).await;
        let at_cap = "UPDATE pr_fix_items SET fix_attempts = 5, handout_reclaims = 3 WHERE pr = ";
        let mut calls = 0;
        for way in ["enqueue", "more evidence", "evidence at the cap", "mark", "refused mark", "blocked report", "failed report",
            "sweep", "poll"] {
            app.db.sql("DELETE FROM pr_fix_items").await;
            let now = async |body: Value| { enqueue(&app, 4, way, body).await; };
            match way {
                "enqueue" => now(json!({ "lane": "NEEDS_HUMAN" })).await,
                "more evidence" => {
                    now(json!({})).await;
                    enqueue(&app, 4, "another", json!({ "lane": "nobody knows" })).await;
                }
                "evidence at the cap" => {
                    now(json!({})).await;
                    mark(&app, 4, "FIXED", json!({ "alreadyAddressed": true })).await.expect(200);
                    app.db.sql(&format!("{at_cap}4")).await;
                    enqueue(&app, 4, "another", json!({})).await;
                }
                "mark" => {
                    now(json!({})).await;
                    block(&app, 4).await;
                }
                "refused mark" => {
                    now(json!({})).await;
                    app.db.sql(&format!("{at_cap}4")).await;
                    assert_eq!(mark(&app, 4, "FIXED", json!({})).await.expect(200)["status"], "BLOCKED");
                }
                "blocked report" | "failed report" => {
                    now(json!({})).await;
                    let task = next(&app, "coder", "").await;
                    app.db.sql(&format!("{at_cap}4")).await;
                    let outcome = way.split(' ').next().unwrap();
                    assert_eq!(settle(&app, "coder", &task, outcome).await["action"], "blocked");
                }
                _ => {
                    now(json!({})).await;
                    assert_eq!(next_pr(&app, "coder").await, Some(4));
                    app.db.sql(&format!("{at_cap}4")).await;
                    app.advance(TIMEOUT);
                    match way {
                        "sweep" => assert_eq!(sweep(&app).await["blocked"], 1),
                        _ => assert_eq!(next_pr(&app, "other").await, None),
                    }
                    // Nobody who waits for an answer waits for this.
                    quiet(&app, 4, way);
                    publish(&app).await;
                }
            }
            assert!(state(&app, 4).await.starts_with("BLOCKED NEEDS_HUMAN"), "{way}");
            let comment = called(&app, 4, way);
            assert!(comment.contains("mended: `it is red`"), "{way}: {comment}");
            calls += 1;
            assert_eq!(audited(&app, "call_human").await, calls, "{way}");
            // Blocked it stays, and nothing more is said.
            block(&app, 4).await;
            assert_eq!((called(&app, 4, way), audited(&app, "call_human").await), (comment, calls), "{way}");
            mark(&app, 4, "QUEUED", json!({})).await.expect(200);
            quiet(&app, 4, way);
            assert_eq!(audited(&app, "call_human_over").await, calls, "{way}");
        }
    }

    async fn a_call_says_why_and_mentions_nobody(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({ "issue": 2 })).await;
        block(&app, 4).await;
        let comment = called(&app, 4, "marked");
        assert!(comment.contains("```text\nthe branch is gone, @mona\n```"), "in code nobody is mentioned: {comment}");
        assert!(comment.contains("Attempts: 1 (generation 1)") && comment.contains(r#"{"repo":"acme/api","pr":4}"#), "{comment}");
        let audit = app.get("/api/audit?action=call_human").await.expect(200);
        assert_eq!((&audit[0]["notes"], &audit[0]["issueNumber"]), (&json!("PR acme/api#4"), &json!(2)), "{audit}");
        assert_eq!((&audit[0]["beforeLabels"], &audit[0]["afterLabels"]), (&json!([]), &json!(["needs-human"])), "{audit}");
        let listed = app.get("/api/outbox?kind=label").await.expect(200);
        let label = &listed[0];
        assert_eq!((&label["pullNumber"], &label["issueNumber"], &label["issueId"]), (&json!(4), &json!(null), &json!(null)), "{listed}");
        assert_eq!(label["content"], json!({ "label": "needs-human", "wanted": true }));
        let listed = app.get("/api/outbox?kind=comment").await.expect(200);
        let url = format!("#issuecomment-{}", app.sim.repo(API).comments(4)[0].id);
        assert!(listed[0]["url"].as_str().unwrap().ends_with(&url), "{listed}");
        assert_eq!((&listed[0]["what"], &listed[0]["pullNumber"]), (&json!("say in a comment why a human is needed"), &json!(4)));
    }

    async fn whatever_ends_it_takes_the_call_back(db) {
        let app = with(db).await;
        for way in ["requeue", "QUEUED", "FIXED", "STALE", "IGNORED", "evidence"] {
            app.db.sql("DELETE FROM pr_fix_items").await;
            enqueue(&app, 4, way, json!({ "lane": "NEEDS_HUMAN" })).await;
            called(&app, 4, way);
            match way {
                "requeue" => _ = requeue(&app, 4, json!({})).await.expect(200),
                "FIXED" => _ = mark(&app, 4, way, json!({ "alreadyAddressed": true })).await.expect(200),
                "evidence" => _ = enqueue(&app, 4, "another", json!({})).await,
                status => _ = mark(&app, 4, status, json!({})).await.expect(200),
            }
            quiet(&app, 4, way);
            let audit = app.get("/api/audit?action=call_human_over").await.expect(200);
            assert_eq!((&audit[0]["beforeLabels"], &audit[0]["afterLabels"]), (&json!(["needs-human"]), &json!([])), "{way}");
        }
        enqueue(&app, 5, "k", json!({ "lane": "NEEDS_HUMAN" })).await;
        app.tick();
        app.sim.repo(API).merge_pull(5);
        app.next_beat("loader").await;
        publish(&app).await;
        assert_eq!(state(&app, 5).await, "STALE NEEDS_HUMAN g1 a1 r0");
        quiet(&app, 5, "merged");
        assert_eq!(waiting(&app).await, []);
    }

    async fn each_time_it_is_blocked_there_is_one_new_comment(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let mut seen = Vec::new();
        for round in 1..=3 {
            block(&app, 4).await;
            let comment = called(&app, 4, "again");
            assert!(comment.contains(&format!("generation {round}")), "{comment}");
            seen.push(app.sim.repo(API).comments(4)[0].id);
            requeue(&app, 4, json!({})).await.expect(200);
            quiet(&app, 4, "again");
        }
        seen.dedup();
        assert_eq!(seen.len(), 3, "who follows the pull request is told each time");
        assert_eq!(app.db.count("SELECT count(*) FROM outbox").await, 2, "a row for each thing, however often");
    }

    async fn what_is_taken_back_before_it_went_out_is_never_sent(db) {
        let mut builder = AppBuilder::default();
        builder.engine.writes.enabled = false;
        let app = built(builder, db).await;
        enqueue(&app, 4, "k", json!({})).await;
        for _ in 0..3 {
            block(&app, 4).await;
            let want = [("add the label needs-human", "pending"), ("say in a comment why a human is needed", "pending")];
            let want = want.map(|(what, state)| (what.to_owned(), state.to_owned(), json!(null)));
            assert_eq!(waiting(&app).await, want, "writes are off, and it is on record");
            publish(&app).await;
            mark(&app, 4, "QUEUED", json!({})).await.expect(200);
            assert_eq!(waiting(&app).await, []);
            assert_eq!(app.db.count("SELECT count(*) FROM outbox").await, 0);
        }
        assert_eq!((writes(&app), audited(&app, "call_human").await, audited(&app, "call_human_over").await), (0, 3, 0));
    }

    async fn the_last_wish_wins(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        block(&app, 4).await;
        let first = app.sim.repo(API).comments(4)[0].id;
        // Nothing reaches GitHub for a while.
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::path_contains("/issues/")));
        mark(&app, 4, "QUEUED", json!({})).await.expect(200);
        mark(&app, 4, "BLOCKED", json!({ "note": "for another reason" })).await.expect(200);
        app.sim.clear_faults();
        app.advance(Duration::from_mins(5));
        publish(&app).await;
        assert!(called(&app, 4, "blocked last").contains("for another reason"));
        assert_eq!(app.sim.repo(API).comments(4)[0].id, first, "the comment that was there says it");
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::path_contains("/issues/")));
        for status in ["QUEUED", "BLOCKED", "QUEUED"] {
            mark(&app, 4, status, json!({})).await.expect(200);
        }
        app.sim.clear_faults();
        app.advance(Duration::from_mins(5));
        publish(&app).await;
        quiet(&app, 4, "queued last");
        assert_eq!(waiting(&app).await, []);
    }

    async fn a_lost_answer_makes_no_second_comment(db) {
        let app = impatient(db).await;
        let losses = [FaultKind::LostAnswer, FaultKind::Delay(Duration::from_secs(2)), FaultKind::Truncate, FaultKind::Reset];
        enqueue(&app, 4, "k", json!({})).await;
        for (n, loss) in losses.into_iter().enumerate() {
            for kind in ["comments.create", "labels.add"] {
                app.sim.fault(Fault::new(loss.clone()).on(Match::kind(kind)).times(1));
            }
            block(&app, 4).await;
            assert_eq!(waiting(&app).await.len(), 2, "{loss:?}");
            // By the last of them both ways: still wanted, and wanted no more.
            if n % 2 == 0 {
                app.advance(Duration::from_mins(5));
                publish(&app).await;
                called(&app, 4, &format!("{loss:?}"));
            }
            for kind in ["comments.delete", "labels.remove"] {
                app.sim.fault(Fault::new(loss.clone()).on(Match::kind(kind)).times(1));
            }
            mark(&app, 4, "QUEUED", json!({})).await.expect(200);
            for _ in 0..2 {
                app.advance(Duration::from_mins(5));
                publish(&app).await;
            }
            quiet(&app, 4, &format!("{loss:?}"));
            assert_eq!(waiting(&app).await, [], "{loss:?}");
            app.sim.clear_faults();
        }
    }

    async fn taken_back_while_the_answer_is_out(db) {
        let app = impatient(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let answer = app.sim.fault(Fault::new(FaultKind::Delay(Duration::from_millis(300))).on(Match::kind("comments.create")));
        let over = async {
            while app.sim.fault_hits(answer) == 0 {
                tokio::task::yield_now().await;
            }
            mark(&app, 4, "QUEUED", json!({})).await.expect(200);
        };
        tokio::join!(block(&app, 4), over);
        publish(&app).await;
        quiet(&app, 4, "what was on its way is taken away");
        assert_eq!(waiting(&app).await, []);
    }

    async fn what_github_refuses_is_parked_with_the_reason(db) {
        let app = with(db).await;
        let archived = json!({ "message": "Repository was archived so is read-only.", "status": "403" }).to_string();
        let locked = json!({ "message": "Unable to create comment because issue is locked.", "status": "403" }).to_string();
        for (fault, reason) in [
            (FaultKind::StatusWithBody(403, archived), "the repository is archived"),
            (FaultKind::Status(404), "it is not there"),
            (FaultKind::Status(410), "the issue was deleted"),
        ] {
            app.db.sql("DELETE FROM pr_fix_items").await;
            enqueue(&app, 4, "k", json!({})).await;
            let fault = app.sim.fault(Fault::new(fault).on(Match::path_contains("/issues/4/")));
            block(&app, 4).await;
            let parked = waiting(&app).await;
            assert_eq!(parked.len(), 2, "{parked:?}");
            for (what, state, error) in parked {
                assert!(state == "parked" && error.as_str().unwrap().contains(reason), "{what}: {error}");
            }
            assert_eq!(app.sim.fault_hits(fault), 1, "{reason}: the other was not tried");
            app.sim.clear_faults();
            quiet(&app, 4, reason);
            // The reason is mended.
            for id in ids(&app).await {
                app.post(&format!("/api/outbox/{id}/retry"), json!({})).await.expect(200);
            }
            called(&app, 4, reason);
            let audit = app.get("/api/audit?action=outbox_retried&limit=1").await.expect(200);
            assert!(audit[0]["notes"].as_str().unwrap().starts_with("PR acme/api#4: "), "{audit}");
            mark(&app, 4, "QUEUED", json!({})).await.expect(200);
            // What never got there needs no taking back.
            app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::path_contains("/issues/4/")));
            block(&app, 4).await;
            app.sim.clear_faults();
            let before = writes(&app);
            mark(&app, 4, "QUEUED", json!({})).await.expect(200);
            publish(&app).await;
            assert_eq!((waiting(&app).await, writes(&app)), (Vec::new(), before), "{reason}");
        }
        // Only the conversation is locked.
        app.sim.fault(Fault::new(FaultKind::StatusWithBody(403, locked)).on(Match::kind("comments.create")));
        block(&app, 4).await;
        assert_eq!(borne(&app, 4), (true, Vec::new()));
        let parked = waiting(&app).await;
        assert!(parked.len() == 1 && parked[0].1 == "parked", "{parked:?}");
        mark(&app, 4, "QUEUED", json!({})).await.expect(200);
        quiet(&app, 4, "the label alone");
    }

    async fn a_missing_permission_stops_it_and_a_retry_goes_on(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        app.sim.token_permission(&app.sim.token(), Permission::Read);
        block(&app, 4).await;
        let stopped = waiting(&app).await;
        assert!(stopped.len() == 2 && stopped.iter().all(|(_, state, _)| state == "pending"), "{stopped:?}");
        app.sim.token_permission(&app.sim.token(), Permission::Write);
        app.advance(Duration::from_mins(30));
        publish(&app).await;
        quiet(&app, 4, "within the hour");
        app.advance(Duration::from_mins(31));
        publish(&app).await;
        called(&app, 4, "after it");
    }

    async fn what_an_operator_gives_up_is_not_sent(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let fault = app.sim.fault(Fault::new(FaultKind::Status(422)).on(Match::path_contains("/issues/4/")));
        block(&app, 4).await;
        app.sim.clear_fault(fault);
        let [label, comment] = ids(&app).await;
        app.post(&format!("/api/outbox/{comment}/discard"), json!({})).await.expect(200);
        app.advance(Duration::from_mins(5));
        publish(&app).await;
        assert_eq!(borne(&app, 4), (true, Vec::new()));
        app.post(&format!("/api/outbox/{label}/discard"), json!({})).await.expect(409);
        mark(&app, 4, "QUEUED", json!({})).await.expect(200);
        quiet(&app, 4, "the label is taken away all the same");
        block(&app, 4).await;
        called(&app, 4, "what was given up is asked for anew");
    }

    async fn what_people_take_away_is_gone(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        block(&app, 4).await;
        app.sim.repo(API).remove_label(4, "needs-human");
        app.sim.repo(API).delete_comment(app.sim.repo(API).comments(4)[0].id, "mona");
        mark(&app, 4, "QUEUED", json!({})).await.expect(200);
        quiet(&app, 4, "by hand");
        assert_eq!(waiting(&app).await, []);
        // Deleted, and wanted again before that was known.
        block(&app, 4).await;
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::kind("comments.delete")));
        mark(&app, 4, "QUEUED", json!({})).await.expect(200);
        app.sim.repo(API).delete_comment(app.sim.repo(API).comments(4)[0].id, "mona");
        app.sim.clear_faults();
        block(&app, 4).await;
        app.advance(Duration::from_mins(5));
        publish(&app).await;
        called(&app, 4, "made anew");
    }

    async fn nothing_is_written_to_a_repository_that_is_not_tracked(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({ "repo": "acme/other", "lane": "NEEDS_HUMAN" })).await;
        assert_eq!((waiting(&app).await, writes(&app)), (Vec::new(), 0));
        enqueue(&app, 4, "k", json!({ "lane": "NEEDS_HUMAN" })).await;
        called(&app, 4, "tracked");
        let before = writes(&app);
        app.delete(&format!("/api/automation/repos/{API}")).await.expect(200);
        publish(&app).await;
        let parked = waiting(&app).await;
        assert_eq!((parked.len(), writes(&app)), (2, before), "{parked:?}");
        for (what, state, error) in parked {
            assert_eq!((state.as_str(), error), ("parked", json!("the repository is tracked no more")), "{what}");
        }
        for id in ids(&app).await {
            app.post(&format!("/api/outbox/{id}/retry"), json!({})).await.expect(409);
        }
        app.post("/api/automation/repos", json!({ "fullName": API })).await.expect(201);
        for id in ids(&app).await {
            app.post(&format!("/api/outbox/{id}/retry"), json!({})).await.expect(200);
        }
        quiet(&app, 4, "tracked again");
    }

    async fn what_is_to_be_taken_away_is_not_forgotten(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({ "lane": "NEEDS_HUMAN" })).await;
        app.advance(Duration::from_hours(24 * 90));
        app.prune().await;
        requeue(&app, 4, json!({})).await.expect(200);
        quiet(&app, 4, "a quarter later");
        app.advance(Duration::from_hours(24 * 90));
        app.prune().await;
        assert_eq!(app.db.count("SELECT count(*) FROM outbox").await, 0, "what is over is forgotten");
    }

    async fn it_is_listed_counted_and_paced(db) {
        let mut builder = AppBuilder::default();
        builder.engine.writes.interval = Duration::from_secs(1);
        let app = built(builder, db).await;
        for pr in 4..=7 {
            enqueue(&app, pr, "k", json!({ "lane": "NEEDS_HUMAN" })).await;
        }
        // Ten at once: of comments and labels of four pull requests none waits.
        assert_eq!(waiting(&app).await, []);
        for pr in 4..=7 {
            requeue(&app, pr, json!({})).await.expect(200);
        }
        let left = waiting(&app).await;
        assert_eq!(left.len(), 6, "{left:?}");
        let told = app.get("/metrics").await;
        let told = told.text;
        for (kind, many) in [("label", 3), ("comment", 3)] {
            assert!(told.contains(&format!("dispatch_outbox_pending{{kind=\"{kind}\"}} {many}")), "{told}");
        }
        app.advance(Duration::from_mins(1));
        publish(&app).await;
        assert_eq!(waiting(&app).await, []);
    }
}
