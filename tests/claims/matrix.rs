//! A label edit of ours on its way, and a person who changes the same label at GitHub meanwhile: whose word counts
//! (`design.md` section 3, "Labels"). Each cell is {pending, sending, settled} x {adds, removes, closes} x {list, one issue,
//! live read}; each is played for a label that is added, for one that is taken away, and for the holder's own.

use std::{sync::Arc, time::Duration};

use github_sim::{Fault, FaultKind, Match, NewIssue};
use serde_json::json;
use tokio::task::JoinSet;

use super::field::*;
use crate::{
    each_db,
    support::{Answer, App, AppBuilder, TestDb},
};

/// How far our edit is when the person acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    /// GitHub has not heard of it.
    Pending,
    /// GitHub has done it, and its answer is still on its way.
    Sending,
    Settled,
}

/// What a person does at GitHub, to the label of our edit or to its issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Person {
    Adds,
    Removes,
    Closes,
}

/// How Dispatch hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    List,
    OneIssue,
    LiveCheck,
}

const EDITS: [Edit; 3] = [Edit::Pending, Edit::Sending, Edit::Settled];
const PEOPLE: [Person; 3] = [Person::Adds, Person::Removes, Person::Closes];
const READS: [Read; 3] = [Read::List, Read::OneIssue, Read::LiveCheck];
const CELLS: u64 = 27;

/// What is edited, and how.
struct Subject {
    before: &'static [&'static str],
    label: &'static str,
    wanted: bool,
    /// The status that is set; none: the issue is claimed.
    status: Option<&'static str>,
}

const ADDED: Subject =
    Subject { before: &["bug"], label: "status/in-review", wanted: true, status: Some("in-review") };
const TAKEN_AWAY: Subject = Subject {
    before: &["bug", "status/backlog", "status/ready"],
    label: "status/backlog",
    wanted: false,
    status: Some("ready"),
};
const HOLDER: Subject = Subject { before: &["bug"], label: "agent/coder", wanted: true, status: None };

impl Subject {
    async fn ask(&self, app: &App, number: i64) -> Answer {
        match self.status {
            Some(word) => status(app, number, word).await,
            None => claim(app, number, "coder").await,
        }
    }

    /// The labels once the edit is made, with the one in question there or not.
    fn labels(&self, there: bool, closed: bool) -> Vec<String> {
        let mut labels: Vec<String> = self.before.iter().map(|&label| label.to_owned()).collect();
        labels.retain(|label| label != self.label);
        labels.extend(there.then(|| self.label.to_owned()));
        labels.extend(self.status.is_none().then(|| "status/in-progress".to_owned()));
        if closed { done(labels) } else { sorted(labels) }
    }
}

/// How Dispatch shows the labels of a closed issue.
fn done(mut labels: Vec<String>) -> Vec<String> {
    labels.retain(|label| !label.starts_with("status/"));
    labels.push("status/done".to_owned());
    sorted(labels)
}

fn sorted(mut labels: Vec<String>) -> Vec<String> {
    labels.sort();
    labels
}

/// Issues for all cells, and one beside them that somebody holds.
async fn scene(db: TestDb, subject: &Subject) -> Arc<App> {
    let mut builder =
        AppBuilder { points_per_minute: 0, repos: vec![API.to_owned()], ..AppBuilder::default() };
    builder.sim = builder.sim.without_limits();
    let (sim, clock) = builder.simulator().await;
    sim.create_repo(API).seed(usize::try_from(CELLS + 1).expect("a number"), |n| {
        subject.before.iter().fold(NewIssue::new(format!("Issue {n}")), |issue, label| issue.label(*label))
    });
    let app = builder.start_with(Arc::new(db), sim, clock).await;
    app.beat("loader").await;
    claim(&app, NEIGHBOUR, "neighbour").await.expect(200);
    app.next_beat("loader").await;
    Arc::new(app)
}

const NEIGHBOUR: i64 = 28;

async fn hear(app: &App, read: Read, number: i64) {
    app.sim.reset_counters();
    let kind = match read {
        Read::List => {
            app.beat("reader").await;
            "issues.list"
        }
        Read::OneIssue => {
            let body = json!({ "repoFullName": API, "issueNumber": number });
            app.post("/api/issues/refresh", body).await.expect(200);
            "issues.get"
        }
        Read::LiveCheck => {
            app.advance(Duration::from_secs(16));
            claim(app, NEIGHBOUR, "neighbour").await.expect(200);
            "issues.list"
        }
    };
    assert!(app.sim.counters().by_kind.get(kind).is_some_and(|count| *count > 0), "{read:?} asks GitHub");
}

async fn end_of_claim(app: &App, number: i64) -> Vec<String> {
    let ended = format!(
        "SELECT coalesce(c.end_reason, 'live') FROM claims c JOIN issues i ON i.id = c.issue_id WHERE i.number = {number}"
    );
    app.db.texts(&ended).await
}

async fn play(
    app: &Arc<App>,
    subject: &'static Subject,
    number: u64,
    (edit, person, read): (Edit, Person, Read),
) {
    let what = format!("{} is {edit:?}, a person {person:?}, read by {read:?}", subject.label);
    let (repo, row) = (app.sim.repo(API), i64::try_from(number).expect("a number"));
    app.tick();
    let kind = match edit {
        Edit::Pending => Some(FaultKind::Status(502)),
        Edit::Sending => Some(FaultKind::Held),
        Edit::Settled => None,
    };
    let on = Match::path_contains(format!("/issues/{number}/labels"));
    let fault = kind.map(|kind| app.sim.fault(Fault::new(kind).on(on)));
    let asking = Arc::clone(app);
    let mut asked = JoinSet::from_iter([async move { subject.ask(&asking, row).await }]);
    if edit == Edit::Sending {
        while repo.issue(number).expect("it").labels.iter().any(|label| label == subject.label)
            != subject.wanted
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    } else {
        asked.join_next().await.expect("one").expect("an answer").expect(200);
    }
    app.tick();
    match person {
        Person::Adds => repo.add_label(number, subject.label),
        Person::Removes => repo.remove_label(number, subject.label),
        Person::Closes => repo.close_issue(number),
    }
    app.tick();
    hear(app, read, row).await;

    let closed = person == Person::Closes;
    let theirs = match person {
        Person::Adds => true,
        Person::Removes => false,
        Person::Closes => subject.wanted,
    };
    // What is on its way lies over whatever GitHub says; once it is settled, GitHub's word counts.
    let there = if edit == Edit::Settled { theirs } else { subject.wanted };
    assert_eq!(shown(app, row).await, subject.labels(there, closed), "{what}: after the read");
    let holds = |there: bool| match (closed, there) {
        (true, _) => "issue_ended",
        (false, true) => "live",
        (false, false) => "revoked",
    };
    if subject.status.is_none() {
        assert_eq!(end_of_claim(app, row).await, [holds(there)], "{what}: after the read");
    }

    if let Some(fault) = fault {
        app.sim.clear_fault(fault);
    }
    while let Some(answer) = asked.join_next().await {
        answer.expect("an answer").expect(200);
    }
    app.advance(Duration::from_mins(1));
    app.beat("publisher").await;
    app.next_beat("publisher").await;
    // What GitHub had done already was undone there afterwards; what it had not is done now.
    let there = if edit == Edit::Pending { subject.wanted } else { theirs };
    assert_eq!(shown(app, row).await, subject.labels(there, closed), "{what}: in the end");
    let github = at_github(app, number);
    let github = if closed { done(github) } else { github };
    assert_eq!(github, subject.labels(there, closed), "{what}: at GitHub");
    if subject.status.is_none() {
        assert_eq!(end_of_claim(app, row).await, [holds(there)], "{what}: in the end");
    }
    let left = format!(
        "SELECT count(*) FROM label_edits e JOIN issues i ON i.id = e.issue_id WHERE i.number = {number}"
    );
    // What a beat settled is heard of by the next; what it wished because of that, by the one after.
    for _ in 0..2 {
        app.next_beat("publisher").await;
    }
    assert_eq!(app.db.count(&left).await, 0, "{what}: nothing lies over it any more");
    app.sim.reset_counters();
    let rest = app.next_beat("publisher").await;
    assert!(
        rest["summary"].as_str().is_some_and(|words| words.contains("0 issues touched")),
        "{what}: {rest}"
    );
    assert_eq!(app.sim.counters().writes, 0, "{what}: all is said");
}

async fn play_all(db: TestDb, subject: &'static Subject) {
    let app = scene(db, subject).await;
    let cells = EDITS.iter().flat_map(|&edit| {
        PEOPLE.iter().flat_map(move |&person| READS.iter().map(move |&read| (edit, person, read)))
    });
    let mut played = 0;
    for (number, cell) in (1..).zip(cells) {
        play(&app, subject, number, cell).await;
        played += 1;
    }
    assert_eq!(played, CELLS);
}

each_db! {
    async fn a_label_that_we_add(db) {
        play_all(db, &ADDED).await;
    }

    async fn a_label_that_we_take_away(db) {
        play_all(db, &TAKEN_AWAY).await;
    }

    async fn the_holders_label(db) {
        play_all(db, &HOLDER).await;
    }
}
