//! Tracked repositories: added, removed, read now, and how far each is: `/repositories`, `/automation`.

use std::{collections::HashMap, time::Duration};

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    frame::{Frame, Theme},
    list::{Paging, ROWS, cut},
    operator::{Operator, Order},
    outcome::Sent,
    refusal::PageResult,
};
use crate::{
    domain::{
        notice::Code,
        repo::{RepoName, RepoSource},
        time::Timestamp,
    },
    engine::{
        self,
        currency::{Currency, Judge},
        refresh::tracked,
        webhooks::Door,
    },
    http::{
        App,
        api::sync::{self, STILL_RUNNING},
        error::{ApiError, ApiResult},
        params::Params,
    },
    store::{
        repo_list::{self, Row},
        repos,
    },
};

/// A form waits so long for a read, which goes on behind it.
const PATIENCE: Duration = Duration::from_secs(3);

/// A repository, and the words for how far it is.
struct RepoView {
    row: Row,
    issues: i64,
    currency: Currency,
}

impl RepoView {
    /// Is its first read under way, or to come?
    fn is_loading(&self) -> bool {
        self.row.phase != "loaded"
    }

    /// Where its reading stands, and how that is marked.
    fn state(&self) -> (&'static str, &'static str) {
        let Currency { is_late, pause, .. } = &self.currency;
        match (self.row.phase.as_str(), self.row.error.is_some()) {
            (_, true) => ("bad", "the last read failed"),
            ("loaded", false) if *is_late => ("bad", "not confirmed lately"),
            ("loaded", false) if pause.is_some() => ("warn", "reading waits"),
            ("loaded", false) => ("good", "up to date"),
            ("open", false) => ("warn", "reading open issues"),
            ("closed", false) => ("warn", "reading lately closed issues"),
            _ => ("warn", "not read yet"),
        }
    }

    /// Since when it is not known whether the cache is right.
    fn unsure_since(&self) -> Option<&Timestamp> {
        let Currency { confirmed_at, is_late, pause } = &self.currency;
        confirmed_at.as_ref().filter(|_| *is_late || pause.is_some())
    }

    /// Why GitHub is not asked now.
    fn why(&self) -> Option<String> {
        Some(match self.currency.pause.as_ref()? {
            Code::PointsUsedUp { .. } => "the points of this minute are used up".to_owned(),
            code => code.what(),
        })
    }

    fn source(&self) -> &'static str {
        match self.row.source {
            RepoSource::Env => "GITHUB_REPOSITORIES",
            RepoSource::User => "an operator",
        }
    }
}

#[derive(Template)]
#[template(path = "repositories/list.html")]
struct Repositories<'a> {
    frame: &'a Frame,
    repos: Vec<RepoView>,
    paging: Paging,
    hears: bool,
}

impl Repositories<'_> {
    fn is_loading(&self) -> bool {
        self.repos.iter().any(RepoView::is_loading)
    }
}

/// Tracked repositories, by name.
pub async fn show(State(app): State<App>, operator: Operator, params: Params) -> PageResult<Response> {
    let after = params.repo("cursor")?;
    let mut tx = app.engine.db().read().await?;
    let rows = repo_list::list(&mut tx, after.as_ref(), ROWS).await?;
    let (rows, last) = cut(rows, ROWS);
    let judge = Judge::new(&app.engine, &mut tx).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
    let mut issues: HashMap<_, i64> = HashMap::new();
    for (repo, _, count) in repo_list::count_issues(&mut tx, &ids).await? {
        *issues.entry(repo).or_default() += count;
    }
    drop(tx);
    let next = last.and_then(|last| rows.get(last)).map(|row| row.full_name.to_string());
    let view = |row: Row| {
        let currency = judge.of((&row.id, &row.full_name), row.confirmed_at, row.created_at);
        RepoView { issues: issues.get(&row.id).copied().unwrap_or(0), currency, row }
    };
    let page = Repositories {
        frame: &operator.frame,
        repos: rows.into_iter().map(view).collect(),
        paging: Paging::after(&params, next.as_deref()),
        hears: !matches!(app.engine.settings().webhooks, Door::Closed),
    };
    operator.frame.show(&page)
}

fn name(sent: &Sent) -> ApiResult<RepoName> {
    let text = sent.form.text("repo").unwrap_or_default();
    text.parse().map_err(|rule| ApiError::invalid("repo", format!("Repository: {rule}")))
}

/// Tracks a repository and begins to read it.
pub async fn add(State(app): State<App>, order: Order) -> PageResult<Response> {
    let sent = Sent::from(order);
    let outcome = match name(&sent) {
        Ok(name) => match engine::repos::add(&app.engine, &sent.caller, &name).await {
            Ok(row) => {
                read(&app, Some(&row.full_name), false).await.map(|came| format!("{name} is tracked; {came}"))
            }
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error),
    };
    sent.end(outcome)
}

/// Tracks a repository no more.
pub async fn remove(State(app): State<App>, order: Order) -> PageResult<Response> {
    let sent = Sent::from(order);
    let outcome = match name(&sent) {
        Ok(name) => {
            let done = engine::repos::remove(&app.engine, &sent.caller, &name).await;
            done.map_err(ApiError::from)
                .map(|()| format!("{name} is tracked no more; adding it again brings its issues back"))
        }
        Err(error) => Err(error),
    };
    sent.end(outcome)
}

/// Reads one repository now, or all.
pub async fn sync(State(app): State<App>, order: Order) -> PageResult<Response> {
    let sent = Sent::from(order);
    let sweep = sent.form.text("sweep").is_some();
    let outcome = match sent.form.text("repo").map(|_| name(&sent)).transpose() {
        Ok(name) => read(&app, name.as_ref(), sweep).await,
        Err(error) => Err(error),
    };
    sent.end(outcome)
}

/// Reads, and says what came of it within the patience of a form.
async fn read(app: &App, name: Option<&RepoName>, sweep: bool) -> ApiResult<String> {
    let mut tx = app.engine.db().read_once().await?;
    let repos = match name {
        Some(name) => vec![tracked(&mut tx, name).await?],
        None => repos::list_tracked(&mut tx).await?,
    };
    drop(tx);
    let all = repos.len();
    let read = sync::run(&app.engine, repos, (sweep, PATIENCE)).await?;
    let errors: Vec<_> =
        read.results.iter().filter_map(|one| Some((&one.repo, one.error.as_ref()?))).collect();
    let running = errors.iter().filter(|(_, error)| *error == STILL_RUNNING).count();
    if let Some((repo, error)) = errors.iter().find(|(_, error)| *error != STILL_RUNNING) {
        let others = errors.len() - running - 1;
        let others = if others == 0 { String::new() } else { format!(" ({others} others failed, too)") };
        return Err(ApiError::conflict(format!("{repo}: {error}{others}")));
    }
    Ok(match (all, running) {
        (0, _) => "no repository is tracked".to_owned(),
        (_, 0) => "GitHub was read, and the cache is up to date".to_owned(),
        (_, running) => {
            format!("reading goes on for {running} of {all}; load this page again to see how far it is")
        }
    })
}
