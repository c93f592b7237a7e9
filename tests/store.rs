//! The store on both databases, one set of expectations: what each function promises, raced where it matters.

mod support;

use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

use dispatch::{
    domain::{
        access::{Caller, Tier},
        audit::{AuditAction, AuditFilter, NewAudit},
        heartbeat::Asked,
        ids::{AgentName, AuditId, InstanceId, IssueId, IssueNumber, ReadId, RepoId, RunId, TokenId},
        issue::{Derived, IssueState, Ours, RemoteIssue},
        labels::Rules,
        page::Cursor,
        repo::{ETag, LoadPhase, RepoName, RepoSource, SyncState, TrackedRepo},
        run::{NewPass, PassEnd, PassStatus, Run},
        time::Timestamp,
    },
    store::{
        Db, agents, audit, idempotency, instances,
        issue_list::{self, Closed, Filter},
        issues::{self, IssueWrite},
        reads,
        repos::{self, Tracking},
        runs, sync_state,
    },
};
use support::TestDb;
use tokio::{sync::Barrier, task::JoinSet};

const NOW: Timestamp = Timestamp(1_000_000);

fn name(text: &str) -> RepoName {
    text.parse().expect("owner/name")
}

fn agent(text: &str) -> AgentName {
    text.parse().expect("an agent")
}

fn issue(number: i64, updated: i64, title: &str) -> RemoteIssue {
    RemoteIssue {
        github_id: 10_000 + number,
        number: IssueNumber(number),
        title: title.to_owned(),
        body: Some(format!("Body of {number}: 'quotes', \"more\", ünïcode, $1 ?1")),
        state: IssueState::Open,
        url: format!("https://github.com/acme/api/issues/{number}"),
        labels: vec!["Bug".to_owned(), "status/ready".to_owned()],
        assignees: vec!["mona".to_owned()],
        comments: 3,
        created_at: Timestamp(1),
        updated_at: Timestamp(updated),
        closed_at: None,
        blockers: None,
    }
}

/// A repository under this id and name.
async fn tracked(db: &Db, id: &str, full_name: &str) -> RepoId {
    let mut tx = db.write().await.expect("a transaction");
    let (id, tracking) = repos::track(&mut tx, &RepoId(id.into()), &name(full_name), RepoSource::User, NOW)
        .await
        .expect("tracked");
    assert_eq!(tracking, Tracking::Added);
    tx.commit().await.expect("committed");
    id
}

/// Writes issues under new ids; says how many rows were written.
async fn put(db: &Db, repo: &RepoId, remote: &[RemoteIssue], ids: &str) -> u64 {
    let writes: Vec<_> = remote
        .iter()
        .map(|issue| IssueWrite {
            id: IssueId(format!("{ids}-{:04}", issue.number.0)),
            issue: std::borrow::Cow::Borrowed(issue),
            content_hash: issue.content_hash(),
            derived: Derived::of(
                issue.state,
                &issue.title,
                &issue.labels,
                &Ours::default(),
                &Rules::default(),
            ),
            listed_blockers: 0,
        })
        .collect();
    let mut tx = db.write().await.expect("a transaction");
    let written = issues::upsert(&mut tx, repo, &writes, NOW).await.expect("written");
    tx.commit().await.expect("committed");
    written
}

async fn find(db: &Db, repo: &RepoId, number: i64) -> Option<dispatch::domain::issue::Issue> {
    let mut tx = db.read_once().await.expect("a reader");
    issue_list::find(&mut tx, repo, IssueNumber(number)).await.expect("read")
}

async fn state(db: &Db, repo: &RepoId) -> SyncState {
    let mut tx = db.read_once().await.expect("a reader");
    let all = repos::list_tracked(&mut tx).await.expect("read");
    all.into_iter().find(|tracked| tracked.id == *repo).expect("tracked").sync
}

async fn by_name(db: &Db, full_name: &str) -> Option<TrackedRepo> {
    let mut tx = db.read_once().await.expect("a reader");
    repos::find_tracked(&mut tx, &name(full_name)).await.expect("read")
}

/// Runs one write transaction.
macro_rules! write {
    ($db:expr, |$tx:ident| $body:expr) => {{
        let mut $tx = $db.write().await.unwrap();
        let outcome = $body.await.unwrap();
        $tx.commit().await.unwrap();
        outcome
    }};
}

/// Sixteen tasks that begin together.
async fn sixteen<T, F>(db: &Db, work: impl Fn(Db, usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(16));
    let mut tasks = JoinSet::new();
    for n in 0..16 {
        let (barrier, work) = (Arc::clone(&barrier), work(db.clone(), n));
        tasks.spawn(async move {
            barrier.wait().await;
            work.await
        });
    }
    tasks.join_all().await
}

fn pass(id: &str, agent_name: &str, instance: &str, at: i64) -> NewPass {
    NewPass {
        id: RunId(id.into()),
        agent: agent(agent_name),
        started_at: Timestamp(at),
        instance: InstanceId(instance.into()),
    }
}

fn end(status: PassStatus) -> PassEnd {
    PassEnd {
        status,
        finished_at: NOW,
        summary: "done".into(),
        warnings: vec!["w".into()],
        errors: vec![],
        reads: vec![ReadId("r1".into())],
        touched: Vec::new(),
        asked: Asked::default(),
        next_heartbeat_at: NOW,
        uneventful: false,
    }
}

each_db! {
    async fn a_thousand_issues_in_one_statement_and_never_older_over_newer(db) {
        let db = db.open().await;
        let repo = tracked(&db, "r", "acme/api").await;
        let first: Vec<_> = (1..=1_000).map(|n| issue(n, 100, "first")).collect();
        let before = db.statements();
        assert_eq!(put(&db, &repo, &first, "a").await, 1_000);
        assert_eq!(db.statements() - before, 1);
        let numbers: Vec<_> = (1..=1_000).map(IssueNumber).collect();
        let mut tx = db.read_once().await.unwrap();
        let known = issues::known(&mut tx, &repo, &numbers).await.unwrap();
        assert_eq!((known.len(), known[&IssueNumber(7)].content_hash.clone()), (1_000, first[6].content_hash()));
        drop(tx);
        let mixed: Vec<_> = (1..=1_000).map(|n| issue(n, if n % 2 == 0 { 99 } else { 101 }, "second")).collect();
        assert_eq!(put(&db, &repo, &mixed, "b").await, 500, "older copies are not written");
        let (odd, even) = (find(&db, &repo, 1).await.unwrap(), find(&db, &repo, 2).await.unwrap());
        assert_eq!((odd.title.as_str(), odd.updated_at, odd.id.0.as_str()), ("second", Timestamp(101), "a-0001"));
        assert_eq!((even.title.as_str(), even.updated_at), ("first", Timestamp(100)));
        assert_eq!(even.body.as_deref(), Some("Body of 2: 'quotes', \"more\", ünïcode, $1 ?1"));
        assert_eq!((even.labels, even.assignees), (vec!["Bug".into(), "status/ready".into()], vec!["mona".into()]));
        assert_eq!(put(&db, &repo, &[issue(2, 100, "same time")], "c").await, 1, "on equal time a read wins");
        assert_eq!(find(&db, &repo, 2).await.unwrap().title, "same time");
        let mut other = issue(2, 5, "of another repository");
        other.github_id = 77;
        assert_eq!(put(&db, &repo, &[other], "d").await, 1, "the number is another issue's now");
        assert_eq!(put(&db, &repo, &[], "e").await, 0);
    }

    async fn columns_of_ours_stay_and_removed_issues_come_back(db) {
        let handle = db.open().await;
        let repo = tracked(&handle, "r", "acme/api").await;
        put(&handle, &repo, &[issue(1, 100, "One")], "a").await;
        db.sql("UPDATE issues SET current_lane = 'backend', decomposed = TRUE").await;
        put(&handle, &repo, &[issue(1, 101, "Changed")], "b").await;
        let found = find(&handle, &repo, 1).await.unwrap();
        assert_eq!((found.current_lane.as_deref(), found.split.decomposed, found.title.as_str()), (Some("backend"), true, "Changed"));
        let id = found.id.clone();
        assert!(write!(handle, |tx| issues::remove(&mut tx, &id, NOW)));
        assert!(!write!(handle, |tx| issues::remove(&mut tx, &id, NOW)), "removed once");
        assert!(find(&handle, &repo, 1).await.is_none());
        assert_eq!(put(&handle, &repo, &[issue(1, 100, "older")], "c").await, 0);
        assert!(find(&handle, &repo, 1).await.is_none(), "an older copy brings nothing back");
        assert_eq!(put(&handle, &repo, &[issue(1, 102, "back")], "d").await, 1);
        let back = find(&handle, &repo, 1).await.unwrap();
        assert_eq!((back.id, back.current_lane.as_deref()), (id, Some("backend")));
    }

    async fn pages_of_issues_join_to_the_whole_list(db) {
        let db = db.open().await;
        let repo = tracked(&db, "r", "acme/api").await;
        // Many bear the same time: the id decides.
        let all: Vec<_> = (1..=100).map(|n| issue(n, n / 10, "x")).collect();
        put(&db, &repo, &all, "a").await;
        let mut closed = issue(200, 500, "closed");
        closed.state = IssueState::Closed;
        closed.closed_at = Some(Timestamp(400));
        closed.labels = vec!["BUG".into()];
        put(&db, &repo, &[closed], "a").await;
        let filter = |closed, labels: &[&str]| Filter {
            repo: Some(repo.clone()),
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            decomposed: None,
            closed,
        };
        let list = async |filter: &Filter, after: Option<Cursor>, limit| {
            let mut tx = db.read_once().await.unwrap();
            issue_list::list(&mut tx, filter, after.as_ref(), limit).await.unwrap()
        };
        let open = filter(Closed::Since(Timestamp(401)), &[]);
        let whole: Vec<_> = list(&open, None, None).await.rows.into_iter().map(|issue| issue.id).collect();
        assert_eq!(whole.len(), 100);
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = list(&open, after, Some(7)).await;
            assert!(page.rows.len() <= 7);
            paged.extend(page.rows.into_iter().map(|issue| issue.id));
            // What changes meanwhile moves to the front and shifts nothing.
            put(&db, &repo, &[issue(1_000 + i64::try_from(paged.len()).unwrap(), 999, "new")], "n").await;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(paged, whole);
        assert_eq!(list(&filter(Closed::Since(Timestamp(400)), &["bug"]), None, None).await.rows.len(), 116);
        assert_eq!(list(&filter(Closed::All, &["bug", "status/done"]), None, None).await.rows.len(), 1);
        assert_eq!(list(&filter(Closed::All, &["bu"]), None, None).await.rows.len(), 0);
        let decomposed = Filter { decomposed: Some(true), ..filter(Closed::All, &[]) };
        assert_eq!(list(&decomposed, None, None).await.rows.len(), 0);
        write!(db, |tx| repos::untrack(&mut tx, &repo, NOW));
        assert_eq!(list(&filter(Closed::All, &[]), None, None).await.rows.len(), 0, "untracked: out of sight");
    }

    async fn pages_of_runs_and_audit_rows_join_to_the_whole_list(db) {
        let db = db.open().await;
        for n in 0..60 {
            let who = if n % 3 == 0 { "Coder" } else { "other" };
            write!(db, |tx| runs::begin(&mut tx, &pass(&format!("run-{n:02}"), who, "i", n / 7)));
            let repo = if n % 2 == 0 { "Acme/API" } else { "acme/web" };
            let caller = Caller { tier: Tier::Maintainer, token: TokenId("t".into()), named: None };
            let entry = NewAudit::repo(caller.actor(), &caller.token, AuditAction::AddTrackedRepo, repo);
            write!(db, |tx| audit::insert(&mut tx, &AuditId(format!("a-{n:02}")), Timestamp(n / 7), &entry));
        }
        for (filter, count) in [
            (runs::Filter::default(), 60),
            (runs::Filter { agent: Some(agent("CODER")), ..runs::Filter::default() }, 20),
            (runs::Filter { status: Some("running".into()), ..runs::Filter::default() }, 60),
            (runs::Filter { run_type: Some("implement".into()), ..runs::Filter::default() }, 0),
        ] {
            let (mut ids, mut after) = (Vec::new(), None);
            loop {
                let mut tx = db.read_once().await.unwrap();
                let page = runs::list(&mut tx, &filter, after.as_ref(), 7).await.unwrap();
                ids.extend(page.rows.iter().map(|run| (Reverse(run.created_at), Reverse(run.id.clone()))));
                after = page.next;
                if after.is_none() { break; }
            }
            assert!(ids.is_sorted() && ids.iter().collect::<BTreeSet<_>>().len() == count, "{filter:?}");
        }
        for (repo, count) in [(None, 60), (Some(name("ACME/api")), 30)] {
            let repo_keys = repo.into_iter().map(|repo| repo.key()).collect();
            let filter = AuditFilter { repo_keys, ..AuditFilter::default() };
            let (mut ids, mut after) = (Vec::new(), None);
            loop {
                let mut tx = db.read_once().await.unwrap();
                let page = audit::list(&mut tx, &filter, after.as_ref(), 7).await.unwrap();
                ids.extend(page.rows.iter().map(|row| (Reverse(row.at), Reverse(row.id.clone()))));
                after = page.next;
                if after.is_none() { break; }
            }
            assert!(ids.is_sorted() && ids.iter().collect::<BTreeSet<_>>().len() == count);
        }
    }

    async fn a_repository_is_tracked_once_whoever_asks_first(db) {
        let db = db.open().await;
        let outcomes = sixteen(&db, |db, n| async move {
            let spelled = name(if n % 2 == 0 { "Acme/API" } else { "acme/api" });
            write!(db, |tx| repos::track(&mut tx, &RepoId(format!("r{n}")), &spelled, RepoSource::User, NOW))
        }).await;
        let added: Vec<_> = outcomes.iter().filter(|(_, tracking)| *tracking == Tracking::Added).collect();
        assert_eq!(added.len(), 1);
        for (id, tracking) in &outcomes {
            assert!(*id == added[0].0 && (*tracking == Tracking::Already || *tracking == Tracking::Added));
        }
        let id = added[0].0.clone();
        assert_eq!(write!(db, |tx| repos::untrack(&mut tx, &id, NOW)), Some(RepoSource::User));
        assert_eq!(write!(db, |tx| repos::untrack(&mut tx, &id, NOW)), None);
        assert!(by_name(&db, "acme/api").await.is_none());
        let resumed = sixteen(&db, |db, n| async move {
            write!(db, |tx| repos::track(&mut tx, &RepoId(format!("s{n}")), &name("ACME/api"), RepoSource::Env, NOW))
        }).await;
        assert_eq!(resumed.iter().filter(|(_, tracking)| *tracking == Tracking::Resumed).count(), 1);
        assert!(resumed.iter().all(|(found, _)| *found == id));
        assert_eq!(by_name(&db, "acme/api").await.unwrap().id, id);
    }

    async fn former_names_lead_to_the_repository(db) {
        let db = db.open().await;
        let id = tracked(&db, "r", "acme/api").await;
        let describe = async |from: &str, to: &str| {
            let repo = by_name(&db, from).await.unwrap();
            let mut tx = db.write().await.unwrap();
            let named = repos::describe(&mut tx, &repo, 42, &name(to), "trunk", NOW).await.unwrap();
            tx.commit().await.unwrap();
            named
        };
        assert!(describe("acme/api", "Acme/API").await, "another spelling is no other name");
        assert_eq!(by_name(&db, "acme/api").await.unwrap().name.as_str(), "Acme/API");
        assert!(describe("acme/api", "acme/core").await && describe("acme/core", "acme/heart").await);
        for former in ["acme/api", "ACME/Core", "acme/heart"] {
            let found = by_name(&db, former).await.unwrap();
            assert_eq!((found.id, found.name.as_str(), found.github_id), (id.clone(), "acme/heart", Some(42)));
        }
        let newcomer = tracked(&db, "s", "acme/api").await;
        assert_eq!(by_name(&db, "acme/api").await.unwrap().id, newcomer, "who bears the name now comes first");
        assert!(!describe("acme/heart", "acme/API").await, "taken");
        assert_eq!(by_name(&db, "acme/heart").await.unwrap().id, id, "and nothing changed");
        assert!(describe("acme/heart", "acme/core").await, "back to a former name");
        assert_eq!(by_name(&db, "acme/heart").await.unwrap().id, id);
        let mut tx = db.read_once().await.unwrap();
        let rows = repos::list_all(&mut tx).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.full_name.as_str()).collect::<Vec<_>>(), ["acme/api", "acme/core"]);
        assert_eq!(rows[1].default_branch, "trunk");
    }

    async fn sync_states_round_trip(db) {
        let db = db.open().await;
        let repo = tracked(&db, "r", "acme/api").await;
        assert_eq!(state(&db, &repo).await, SyncState::default());
        let at = Timestamp;
        for phase in [
            LoadPhase::Open { began: at(5), cursor: None },
            LoadPhase::Open { began: at(5), cursor: Some(at(6)) },
            LoadPhase::Closed { began: at(5), cursor: at(7) },
            LoadPhase::Loaded { mark: at(8) },
            LoadPhase::New,
        ] {
            write!(db, |tx| sync_state::advance(&mut tx, &repo, phase, None));
            assert_eq!(state(&db, &repo).await.phase, phase);
        }
        let etag = (ETag("W/\"abc\"".into()), TokenId("t".into()));
        write!(db, |tx| sync_state::complete(&mut tx, &repo, Some(&etag), at(100)));
        write!(db, |tx| sync_state::follow_rules(&mut tx, &repo, "1:wontfix"));
        let after = state(&db, &repo).await;
        assert_eq!((after.etag, after.confirmed_at, after.rules.as_str()), (Some(etag.clone()), Some(at(100)), "1:wontfix"));
        for failures in 1..=3 {
            write!(db, |tx| sync_state::fail(&mut tx, &repo, "why", at(101)));
            let after = state(&db, &repo).await;
            assert_eq!((after.failures, after.etag, after.confirmed_at), (failures, Some(etag.clone()), Some(at(100))));
        }
        let row = async || { let mut tx = db.read_once().await.unwrap(); repos::find_row(&mut tx, &repo).await.unwrap().unwrap() };
        assert_eq!(row().await.error.as_deref(), Some("why"));
        write!(db, |tx| sync_state::confirm(&mut tx, std::slice::from_ref(&repo), at(50)));
        assert_eq!(state(&db, &repo).await.confirmed_at, Some(at(100)), "never back");
        write!(db, |tx| sync_state::confirm(&mut tx, std::slice::from_ref(&repo), at(200)));
        let after = state(&db, &repo).await;
        assert_eq!((after.confirmed_at, after.failures, row().await.error), (Some(at(200)), 0, None));
        write!(db, |tx| sync_state::complete(&mut tx, &repo, None, at(300)));
        assert_eq!(state(&db, &repo).await.etag, None);
    }

    async fn a_key_is_taken_once_and_handed_over_once(db) {
        let db = db.open().await;
        let taken = sixteen(&db, |db, n| async move {
            let (who, run) = (agent(if n % 2 == 0 { "Coder" } else { "coder" }), RunId(format!("run-{n}")));
            (run.clone(), write!(db, |tx| idempotency::take(&mut tx, &who, "key", "hash", &run, NOW)))
        }).await;
        let winners: Vec<_> = taken.iter().filter(|(_, used)| used.is_none()).collect();
        assert_eq!(winners.len(), 1);
        let winner = winners[0].0.clone();
        for used in taken.iter().filter_map(|(_, used)| used.as_ref()) {
            assert_eq!((used.run_id.clone(), used.body_hash.as_str()), (winner.clone(), "hash"));
        }
        let handed = sixteen(&db, move |db, n| {
            let from = winner.clone();
            async move {
                let to = RunId(format!("next-{n}"));
                write!(db, |tx| idempotency::hand_over(&mut tx, &agent("coder"), "key", &from, (&to, "other"), NOW))
            }
        }).await;
        assert_eq!(handed.into_iter().filter(|&ours| ours).count(), 1);
        let run = RunId("late".into());
        let used = write!(db, |tx| idempotency::take(&mut tx, &agent("coder"), "key", "hash", &run, NOW)).unwrap();
        assert!(used.run_id.0.starts_with("next-") && used.body_hash == "other");
        assert!(write!(db, |tx| idempotency::take(&mut tx, &agent("other"), "key", "hash", &run, NOW)).is_none());
        assert_eq!(write!(db, |tx| idempotency::prune(&mut tx, Timestamp(NOW.0 + 1), 1)), 1, "at most so many");
        assert_eq!(write!(db, |tx| idempotency::prune(&mut tx, Timestamp(NOW.0 + 1), 9)), 1);
    }

    async fn an_agent_is_shown_as_it_was_first_spelled(db) {
        let db = db.open().await;
        let spellings = sixteen(&db, |db, n| async move {
            let spelled = agent(if n % 2 == 0 { "Coder" } else { "cODER" });
            write!(db, |tx| agents::first_spelling(&mut tx, &spelled, NOW))
        }).await;
        assert!(spellings.iter().all(|name| name.as_str() == spellings[0].as_str()), "{spellings:?}");
    }

    async fn runs_of_dead_processes_are_interrupted_and_no_others(db) {
        let db = db.open().await;
        write!(db, |tx| instances::renew(&mut tx, &InstanceId("alive".into()), Timestamp(0), Timestamp(30)));
        write!(db, |tx| instances::renew(&mut tx, &InstanceId("dying".into()), Timestamp(0), Timestamp(10)));
        for (id, instance) in [("a", "alive"), ("b", "dying"), ("c", "never-was"), ("d", "never-was")] {
            write!(db, |tx| runs::begin(&mut tx, &pass(id, "coder", instance, 5)));
        }
        assert!(write!(db, |tx| runs::finish(&mut tx, &RunId("d".into()), &end(PassStatus::Warning))));
        let mut reported = read(&db, "d").await;
        (reported.id, reported.run_type, reported.status) = (RunId("e".into()), "implement".into(), "running".into());
        write!(db, |tx| runs::insert(&mut tx, &reported));
        assert_eq!(write!(db, |tx| runs::interrupt_orphans(&mut tx, NOW)), 1);
        write!(db, |tx| instances::bury_expired(&mut tx, Timestamp(10)));
        assert_eq!(write!(db, |tx| runs::interrupt_orphans(&mut tx, NOW)), 1);
        let status = async |id: &str| read(&db, id).await.status;
        assert_eq!((status("a").await, status("d").await, status("e").await), ("running".into(), "warning".into(), "running".into()));
        for id in ["b", "c"] {
            let run = read(&db, id).await;
            assert!(runs::is_interrupted(&run) && run.finished_at == Some(NOW) && run.errors.len() == 1, "{run:?}");
            assert!(!write!(db, |tx| runs::finish(&mut tx, &RunId(id.into()), &end(PassStatus::Ok))), "too late");
        }
        assert_eq!(write!(db, |tx| runs::interrupt(&mut tx, &["a", "d"].map(|id| RunId(id.into())), NOW)), 1);
    }

    async fn what_a_read_touched_is_found_by_its_id(db) {
        let db = db.open().await;
        let repo = tracked(&db, "r", "acme/api").await;
        let touched = ["https://github.com/acme/api/issues/1".to_owned()];
        for (n, id) in ["x", "y"].into_iter().enumerate() {
            let id = ReadId(id.into());
            let ended_at = Timestamp(i64::try_from(n).unwrap());
            let read = reads::NewRead { id: &id, repo: &repo, began_at: Timestamp(0), ended_at, touched: &touched, touched_count: 1 };
            write!(db, |tx| reads::insert(&mut tx, &read));
        }
        let ids = ["y", "x", "gone"].map(|id| ReadId(id.into()));
        let mut tx = db.read_once().await.unwrap();
        let mut found = reads::list_touched(&mut tx, &ids).await.unwrap();
        drop(tx);
        found.sort();
        assert_eq!(found, [(ReadId("x".into()), touched.to_vec()), (ReadId("y".into()), touched.to_vec())]);
        assert_eq!(write!(db, |tx| reads::prune(&mut tx, Timestamp(1), 9)), 1);
    }
}

async fn read(db: &Db, id: &str) -> Run {
    let mut tx = db.read_once().await.expect("a reader");
    runs::find(&mut tx, &RunId(id.into())).await.expect("read").expect("it is there")
}

/// Table, column, kind and whether it may be absent; then the indexes.
async fn shape(db: &TestDb) -> (Vec<String>, Vec<String>) {
    let (columns, indexes) = if db.is_postgres() {
        (
            "SELECT table_name || '.' || column_name || ' ' || CASE WHEN data_type IN ('bigint', 'boolean') THEN 'INTEGER'
                 ELSE 'TEXT' END || CASE is_nullable WHEN 'YES' THEN ' NULL' ELSE '' END
             FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_sqlx%'",
            "SELECT indexname::text FROM pg_indexes WHERE schemaname = current_schema()
             AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'",
        )
    } else {
        (
            "SELECT t.name || '.' || c.name || ' ' || c.type || CASE WHEN c.\"notnull\" = 0 AND c.pk = 0 THEN ' NULL' ELSE '' END
             FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE '\\_sqlx%' ESCAPE '\\' AND t.name NOT LIKE 'sqlite%'",
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND name NOT LIKE 'sqlite%'",
        )
    };
    let (mut columns, mut indexes) = (db.texts(columns).await, db.texts(indexes).await);
    columns.sort();
    indexes.sort();
    (columns, indexes)
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let (sqlite, postgres) = (TestDb::sqlite().await, TestDb::postgres().await);
    sqlite.open().await.close().await;
    postgres.open().await.close().await;
    let ((tables, indexes), (pg_tables, mut pg_indexes)) = (shape(&sqlite).await, shape(&postgres).await);
    assert!(tables.len() > 80, "{tables:?}");
    assert_eq!(tables, pg_tables);
    // The one that SQLite has no kind of index for.
    pg_indexes.retain(|name| name != "issues_by_label");
    assert_eq!(indexes, pg_indexes);
}
