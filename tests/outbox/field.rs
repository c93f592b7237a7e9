//! What the outbox tests share: a repository with issues, and wishes as the verbs have them.

use std::sync::Arc;

use dispatch::{
    domain::{
        ids::{AgentName, IssueNumber, OutboxId},
        outbox::{Asker, NewIssue, StateEdit},
    },
    engine::{
        Engine,
        outbox::{self, Turn},
        publish,
    },
    store::{issue_facts, issue_list, repos},
};
use github_sim::{Comment, IssueState, NewIssue as Seed};
use serde_json::Value;

use crate::support::{App, AppBuilder, TestDb};

pub const API: &str = "acme/api";

/// A server that knows a repository with so many ready issues.
pub async fn with_issues(db: TestDb, count: usize) -> App {
    built(AppBuilder::default(), db, count).await
}

pub async fn built(mut builder: AppBuilder, db: TestDb, count: usize) -> App {
    builder.repos = vec![API.to_owned()];
    let (sim, clock) = builder.simulator().await;
    sim.create_repo(API).seed(count, |n| Seed::new(format!("Issue {n}")).label("status/ready"));
    let app = builder.start_with(Arc::new(db), sim, clock).await;
    app.beat("loader").await;
    app
}

/// Something that a verb may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Comment(&'static str),
    Title(&'static str),
    Body(&'static str),
    Close,
    Reopen,
    Create(&'static str),
}

/// Records a wish as a verb does, and sends nothing.
pub async fn wish(engine: &Engine, number: u64, wish: Wish) -> OutboxId {
    let agent: AgentName = "coder".parse().expect("a name");
    let by = Asker { actor: "operator".to_owned(), token: None, agent: Some(agent) };
    let mut tx = engine.db().write().await.expect("a transaction");
    let repo = repos::find_tracked(&mut tx, &API.parse().expect("a name")).await.expect("a read");
    let repo = repo.expect("tracked").id;
    if let Wish::Create(title) = wish {
        let new = NewIssue { title: title.into(), body: "Text".into(), labels: vec!["bug".into()] };
        let id = outbox::create(engine, &mut tx, &repo, new, &by).await.expect("recorded");
        tx.commit().await.expect("committed");
        return id;
    }
    let number = IssueNumber(i64::try_from(number).expect("a number"));
    let issue = issue_list::find(&mut tx, &repo, number).await.expect("a read").expect("cached");
    let turn = Turn::take(&mut tx, &issue.id).await.expect("locked");
    let issue = issue_facts::find(&mut tx, &issue.id).await.expect("a read").expect("cached");
    let id = match wish {
        Wish::Comment(text) => outbox::comment(engine, &mut tx, &issue, text, &by).await,
        Wish::Title(title) => outbox::retitle(engine, &mut tx, &issue, title, &by).await,
        Wish::Body(text) => outbox::rewrite(engine, &mut tx, &issue, text, &by).await,
        Wish::Close => outbox::set_state(engine, &mut tx, turn, &issue, StateEdit::NotPlanned, &by).await,
        Wish::Reopen => outbox::set_state(engine, &mut tx, turn, &issue, StateEdit::Reopened, &by).await,
        Wish::Create(_) => unreachable!("above"),
    };
    tx.commit().await.expect("committed");
    id.expect("recorded")
}

/// Sends what is due, as far as it may go.
pub async fn publish(app: &App) -> u64 {
    publish::publish(&app.engine).await.expect("the database").sent
}

/// An entry as `GET /api/outbox` shows it.
pub async fn entry(app: &App, id: &OutboxId) -> Value {
    let entries = app.get("/api/outbox").await.expect(200);
    let found = entries.as_array().expect("a list").iter().find(|entry| entry["id"] == id.0.as_str());
    found.unwrap_or_else(|| panic!("{id} is not in {entries}")).clone()
}

/// The state of an entry.
pub async fn state(app: &App, id: &OutboxId) -> String {
    entry(app, id).await["state"].as_str().expect("a state").to_owned()
}

/// The cached issue as clients see it.
pub async fn shown(app: &App, number: u64) -> Value {
    let issues = app.get(&format!("/api/issues?repo={API}&includeClosed=true")).await.expect(200);
    let issues = issues.as_array().expect("a list").clone();
    issues.into_iter().find(|issue| issue["number"] == number).expect("cached")
}

/// The issue at GitHub.
pub fn there(app: &App, number: u64) -> IssueState {
    app.sim.repo(API).issue(number).expect("the issue")
}

/// Its comments at GitHub.
pub fn comments(app: &App, number: u64) -> Vec<Comment> {
    app.sim.repo(API).comments(number)
}

/// How many issues of this title there are at GitHub.
pub fn count_titled(app: &App, title: &str) -> usize {
    app.sim.repo(API).issues().iter().filter(|issue| issue.title == title).count()
}
