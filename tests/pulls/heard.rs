//! What webhooks tell of pull requests counts at once and costs nothing; older words replace no newer ones.

use dispatch::{
    domain::{
        ids::IssueNumber,
        issue::{IssueState, RemotePull},
        pull_event::{
            CheckEnded, CheckKind, Conclusion, PullEvent, PullHead, PullNow, PullReview, ReviewState,
        },
        time::Timestamp,
    },
    engine::pulls::heard,
    store::repos,
};

use super::field::*;
use crate::{each_db, support::App};

async fn hear(app: &App, event: &PullEvent) {
    let mut tx = app.engine.db().write().await.expect("a transaction");
    let repo =
        repos::find_tracked(&mut tx, &API.parse().expect("a name")).await.expect("a read").expect("tracked");
    heard::hear(&app.engine, &mut tx, &repo, event).await.expect("heard");
    tx.commit().await.expect("committed");
}

fn changed(pull: PullNow) -> PullEvent {
    PullEvent::Changed(Box::new(pull))
}

/// Pull request 9 from `branch`, as it was at this time.
fn pull(branch: &str, at: Timestamp) -> PullNow {
    let listed = RemotePull {
        number: IssueNumber(9),
        title: "Mends it".to_owned(),
        body: None,
        labels: Vec::new(),
        state: IssueState::Open,
        url: format!("https://github.com/{API}/pull/9"),
        author: Some("mona".to_owned()),
        draft: false,
        merged_at: None,
        created_at: at,
        updated_at: at,
        closed_at: None,
    };
    let head = PullHead { sha: "a".repeat(40), branch: branch.to_owned(), repo: Some(API.to_owned()) };
    let base_ref = "main".to_owned();
    PullNow { listed, head, base_ref, mergeable: None, mergeable_state: Some("unknown".to_owned()) }
}

/// A bot's pull request that is about no issue.
fn of_bot(at: Timestamp, state: &str) -> PullNow {
    let mut pull = PullNow { mergeable_state: Some(state.to_owned()), ..pull("bump/x", at) };
    pull.listed.author = Some("github-actions[bot]".to_owned());
    pull
}

fn check(id: i64, conclusion: Conclusion, sha: &str) -> PullEvent {
    PullEvent::Checked(CheckEnded {
        kind: CheckKind::Run,
        id,
        suite: Some(1),
        name: "test".to_owned(),
        conclusion: Some(conclusion),
        head_sha: sha.to_owned(),
        pulls: Vec::new(),
        url: None,
        completed_at: None,
    })
}

fn review(pull: PullNow, id: i64, state: ReviewState) -> PullEvent {
    let review = PullReview {
        id,
        state,
        author: Some("mona".to_owned()),
        body: None,
        url: String::new(),
        submitted_at: Some(Timestamp(id)),
        commit: None,
    };
    PullEvent::Reviewed { pull: Box::new(pull), review }
}

each_db! {
    async fn events_make_links_health_and_tasks_without_a_request(db) {
        let app = with(db).await;
        let now = app.clock.now();
        app.sim.reset_counters();
        hear(&app, &changed(pull("issue-1", now))).await;
        assert_eq!((linked(&app, 1).await, task(&app, "coder").await.as_str()), (9.into(), "implement 1"));
        hear(&app, &check(7, Conclusion::Failure, &"b".repeat(40))).await;
        assert_eq!(reasons(&app, 1).await, [""; 0], "of another commit");
        hear(&app, &check(7, Conclusion::Failure, &"a".repeat(40))).await;
        assert_eq!(task(&app, "coder").await, "followup-pr 9 g1");
        hear(&app, &check(6, Conclusion::Success, &"a".repeat(40))).await;
        assert_eq!(reasons(&app, 1).await, ["Check test failed"], "an older run");
        hear(&app, &check(8, Conclusion::Success, &"a".repeat(40))).await;
        assert_eq!(reasons(&app, 1).await, [""; 0]);
        hear(&app, &review(pull("issue-1", now), 20, ReviewState::ChangesRequested)).await;
        hear(&app, &review(pull("issue-1", now), 10, ReviewState::Approved)).await;
        assert_eq!(reasons(&app, 1).await, ["Changes requested by mona"]);
        let mut moved = pull("issue-1", now.plus(std::time::Duration::from_secs(5)));
        moved.head.sha = "c".repeat(40);
        moved.mergeable_state = Some("dirty".to_owned());
        hear(&app, &changed(moved)).await;
        assert_eq!(reasons(&app, 1).await, ["Changes requested by mona", "Merge conflict with main"]);
        assert_eq!(app.sim.counters().requests, 0);
    }

    async fn merge_states_of_a_bots_pull_request_are_work_once_each(db) {
        let app = with(db).await;
        let mut at = app.clock.now();
        for (state, expected) in [
            ("dirty", "MERGE_CONFLICT QUEUED g1 1"),
            ("clean", "MERGE_CONFLICT FIXED g1 1"),
            ("behind", "OTHER QUEUED g2 2"),
            ("unstable", "OTHER QUEUED g2 3"),
            ("has_hooks", "OTHER QUEUED g2 4"),
            ("behind", "OTHER QUEUED g2 4"),
            ("blocked", "OTHER QUEUED g2 4"),
            ("unknown", "OTHER QUEUED g2 4"),
        ] {
            at = at.plus(std::time::Duration::from_secs(5));
            hear(&app, &changed(of_bot(at, state))).await;
            let sql = "SELECT kind || ' ' || status || ' g' || CAST(generation AS TEXT) || ' '
                || CAST((SELECT count(*) FROM pr_fix_evidence) AS TEXT) FROM pr_fix_items";
            assert_eq!(app.db.texts(sql).await, [expected], "{state}");
        }
    }

    async fn a_late_word_of_a_bots_pull_request_is_no_work_and_ends_none(db) {
        let app = with(db).await;
        let now = app.clock.now();
        let soon = |seconds| now.plus(std::time::Duration::from_secs(seconds));
        hear(&app, &changed(of_bot(soon(5), "dirty"))).await;
        assert_eq!(item(&app, 9).await, "QUEUED NORMAL g1");
        hear(&app, &changed(of_bot(soon(4), "clean"))).await;
        assert_eq!(item(&app, 9).await, "QUEUED NORMAL g1", "an older word");
        let forgotten = "SELECT count(*) FROM conditional_reads WHERE place = 'pull/9/follow-up' AND etag IS NULL";
        assert_eq!(app.db.count(forgotten).await, 0);
        hear(&app, &changed(of_bot(soon(5), "clean"))).await;
        assert_eq!(item(&app, 9).await, "QUEUED NORMAL g1", "of the same second");
        assert_eq!(app.db.count(forgotten).await, 1, "it is read anew");
        hear(&app, &changed(of_bot(soon(6), "clean"))).await;
        assert_eq!(item(&app, 9).await, "FIXED NORMAL g1");
        hear(&app, &changed(of_bot(soon(5), "dirty"))).await;
        assert_eq!(item(&app, 9).await, "FIXED NORMAL g1", "late again");
        // What was approved since, and what was run again with success.
        hear(&app, &review(of_bot(soon(6), "clean"), 20, ReviewState::Approved)).await;
        hear(&app, &review(of_bot(soon(6), "clean"), 10, ReviewState::ChangesRequested)).await;
        hear(&app, &check(31, Conclusion::Success, &"a".repeat(40))).await;
        hear(&app, &check(30, Conclusion::Failure, &"a".repeat(40))).await;
        assert_eq!(item(&app, 9).await, "FIXED NORMAL g1", "both were over");
        hear(&app, &check(32, Conclusion::Failure, &"a".repeat(40))).await;
        assert_eq!(item(&app, 9).await, "QUEUED NORMAL g2");
    }

    async fn what_is_in_doubt_is_read_again(db) {
        let app = with(db).await;
        let repo = repo(&app);
        let number = repo.open_pull("Mends it", "issue-1");
        repo.set_merge_state(number, "dirty");
        read(&app).await;
        assert_eq!(reasons(&app, 1).await, ["Merge conflict with main"]);
        // The payload of the time when it was opened comes again.
        let sha = repo.pulls()[0].pull.head_sha.clone();
        let mut late = pull("issue-1", app.clock.now());
        late.listed.number = IssueNumber(i64::try_from(number).expect("a number"));
        late.head.sha = sha;
        late.mergeable_state = Some("clean".to_owned());
        late.listed.title = "Half of it".to_owned();
        let updated = app.db.texts("SELECT CAST(updated_at AS TEXT) FROM pulls").await;
        late.listed.updated_at = Timestamp(updated[0].parse().expect("a time"));
        app.sim.reset_counters();
        look(&app).await;
        assert_eq!(app.sim.counters().by_kind.get("pulls.get"), None, "it is not due");
        hear(&app, &changed(late)).await;
        assert_eq!(reasons(&app, 1).await, ["Merge conflict with main"]);
        look(&app).await;
        let counters = app.sim.counters();
        assert_eq!((counters.by_kind.get("pulls.get"), counters.paid), (Some(&1), 1), "{counters:?}");
        assert_eq!(app.db.texts("SELECT title FROM pulls").await, ["Mends it"], "GitHub was asked");
    }

    async fn a_closed_one_stays_closed_in_its_second(db) {
        let app = with(db).await;
        let now = app.clock.now();
        let mut closed = pull("issue-1", now);
        closed.listed.state = IssueState::Closed;
        hear(&app, &changed(pull("issue-1", now))).await;
        hear(&app, &changed(closed)).await;
        let mut unlabelled = pull("issue-1", now);
        unlabelled.listed.labels = vec!["x".to_owned()];
        hear(&app, &changed(unlabelled)).await;
        assert_eq!(app.db.texts("SELECT state FROM pulls").await, ["closed"]);
    }

    async fn an_older_word_replaces_no_newer_one(db) {
        let app = with(db).await;
        let now = app.clock.now();
        let later = now.plus(std::time::Duration::from_secs(5));
        hear(&app, &changed(pull("issue-2", later))).await;
        hear(&app, &changed(pull("issue-1", now))).await;
        assert_eq!((linked(&app, 1).await, linked(&app, 2).await), (serde_json::Value::Null, 9.into()));
        let mut closed = pull("issue-2", now);
        closed.listed.state = IssueState::Closed;
        hear(&app, &changed(closed.clone())).await;
        assert_eq!(linked(&app, 2).await, 9);
        closed.listed.updated_at = later.plus(std::time::Duration::from_secs(1));
        hear(&app, &changed(closed)).await;
        assert_eq!(linked(&app, 2).await, serde_json::Value::Null);
    }
}
