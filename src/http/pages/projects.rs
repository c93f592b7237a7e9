//! Issues by repository, counted by status, and those of one repository: `/projects`.

use std::collections::HashMap;

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    frame::{Frame, Theme},
    list::{Paging, ROWS, cut},
    operator::Operator,
    refusal::PageResult,
};
use crate::{
    domain::{ids::RepoId, issue::Issue, labels::Status, repo::RepoName},
    engine::refresh::tracked,
    http::{App, error::ApiError, params::Params},
    store::{
        issue_list::{self, Closed, Filter},
        repo_list::{self, Row},
    },
};

/// The columns of the table; an issue without a status is in the backlog, as on the board.
const COLUMNS: [(Status, &str); 6] = [
    (Status::Backlog, "Backlog"),
    (Status::Ready, "Ready"),
    (Status::InProgress, "In progress"),
    (Status::InReview, "In review"),
    (Status::Blocked, "Blocked"),
    (Status::Done, "Done"),
];

/// A repository, and how many of its issues stand where.
struct Project {
    row: Row,
    counts: Vec<i64>,
}

impl Project {
    fn total(&self) -> i64 {
        self.counts.iter().sum()
    }
}

#[derive(Template)]
#[template(path = "projects/list.html")]
struct Projects<'a> {
    frame: &'a Frame,
    columns: [(Status, &'static str); 6],
    projects: Vec<Project>,
    paging: Paging,
}

#[derive(Template)]
#[template(path = "projects/issues.html")]
struct OfOne<'a> {
    frame: &'a Frame,
    name: RepoName,
    issues: Vec<Issue>,
    paging: Paging,
}

/// All repositories, or the issues of the one that the address names.
pub async fn show(State(app): State<App>, operator: Operator, params: Params) -> PageResult<Response> {
    match params.repo("repo")? {
        Some(name) => show_one(&app, &operator.frame, &name, &params).await,
        None => show_all(&app, &operator.frame, &params).await,
    }
}

async fn show_all(app: &App, frame: &Frame, params: &Params) -> PageResult<Response> {
    let after = params.repo("cursor")?;
    let mut tx = app.engine.db().read().await?;
    let rows = repo_list::list(&mut tx, after.as_ref(), ROWS).await?;
    let (rows, last) = cut(rows, ROWS);
    let ids: Vec<RepoId> = rows.iter().map(|row| row.id.clone()).collect();
    let mut counts: HashMap<RepoId, Vec<i64>> = HashMap::new();
    for (repo, status, count) in repo_list::count_issues(&mut tx, &ids).await? {
        let status = status.unwrap_or(Status::Backlog);
        let of_repo = counts.entry(repo).or_insert_with(|| vec![0; COLUMNS.len()]);
        if let Some(place) = COLUMNS.iter().position(|(column, _)| *column == status) {
            of_repo[place] += count;
        }
    }
    drop(tx);
    let next = last.and_then(|last| rows.get(last)).map(|row| row.full_name.to_string());
    let projects = rows.into_iter().map(|row| {
        let counts = counts.remove(&row.id).unwrap_or_else(|| vec![0; COLUMNS.len()]);
        Project { row, counts }
    });
    let projects = projects.collect();
    let paging = Paging::after(params, next.as_deref());
    frame.show(&Projects { frame, columns: COLUMNS, projects, paging })
}

async fn show_one(app: &App, frame: &Frame, name: &RepoName, params: &Params) -> PageResult<Response> {
    let cursor = params.cursor()?;
    let mut tx = app.engine.db().read().await?;
    let repo = tracked(&mut tx, name).await.map_err(ApiError::from)?;
    let closed = Closed::Since(frame.now);
    let filter = Filter { repo: Some(repo.id), labels: Vec::new(), decomposed: None, closed };
    let page = issue_list::list(&mut tx, &filter, cursor.as_ref(), Some(ROWS)).await?;
    drop(tx);
    let paging = Paging::of(params, &page);
    frame.show(&OfOne { frame, name: repo.name, issues: page.rows, paging })
}
