//! The record of runs: filtered, and one whole: `/runs`.

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};

use super::{
    frame::{Frame, Theme},
    list::{self, Paging, ROWS, TimeField, forgiven, short_address, span, web_address},
    operator::Operator,
    refusal::{PageResult, not_found},
    time,
};
use crate::{
    domain::{
        heartbeat::merge_touched,
        ids::RunId,
        page::Page,
        run::{Run, Tone},
    },
    http::{
        App,
        error::{ApiError, ApiResult},
        params::Params,
    },
    store::{
        issue_facts::{self, IssueFacts},
        reads,
        runs::{self, Filter},
    },
};

/// Statuses of heartbeats, which are offered; other runs have words of their own.
const STATUSES: [&str; 4] = ["ok", "warning", "error", "running"];

/// How a run's status is marked.
pub fn tone(status: &str) -> &'static str {
    match Tone::of(status) {
        Some(Tone::Good) => "good",
        Some(Tone::Warned) => "warn",
        Some(Tone::Failed) => "bad",
        None => "",
    }
}

/// The filters as they stand in the address.
struct Asked<'a> {
    agent: &'a str,
    run_type: &'a str,
    status: &'a str,
    from: TimeField<'a>,
    to: TimeField<'a>,
}

impl<'a> Asked<'a> {
    fn of(params: &'a Params) -> Self {
        let text = |name: &str| params.text(name).unwrap_or_default();
        Self {
            agent: text("agent"),
            run_type: text("type"),
            status: text("status"),
            from: TimeField::of(params, "from"),
            to: TimeField::of(params, "to"),
        }
    }

    fn narrows(&self) -> bool {
        [self.agent, self.run_type, self.status, self.from.text, self.to.text]
            .iter()
            .any(|text| !text.is_empty())
    }
}

#[derive(Template)]
#[template(path = "runs/list.html")]
struct Runs<'a> {
    frame: &'a Frame,
    asked: Asked<'a>,
    fault: Option<ApiError>,
    statuses: [&'static str; 4],
    runs: Vec<Run>,
    paging: Paging,
}

impl Runs<'_> {
    fn tone(&self, status: &str) -> &'static str {
        tone(status)
    }
}

/// Runs, newest first.
pub async fn show_all(State(app): State<App>, operator: Operator, params: Params) -> PageResult<Response> {
    let (page, fault) = forgiven(read(&app, &params).await)?;
    let (frame, paging) = (&operator.frame, Paging::of(&params, &page));
    let status = fault.as_ref().map(ApiError::status);
    let asked = Asked::of(&params);
    list::show(frame, &Runs { frame, asked, fault, statuses: STATUSES, runs: page.rows, paging }, status)
}

async fn read(app: &App, params: &Params) -> ApiResult<Page<Run>> {
    let (from, until) = span(params)?;
    let filter = Filter {
        agent: params.agent("agent")?,
        run_type: params.text("type").map(str::to_owned),
        status: params.text("status").map(str::to_owned),
        from,
        until,
    };
    let cursor = params.cursor()?;
    let mut tx = app.engine.db().read_once().await?;
    Ok(runs::list_in_either_case(&mut tx, &filter, cursor.as_ref(), ROWS).await?)
}

#[derive(Template)]
#[template(path = "runs/run.html")]
struct Whole<'a> {
    frame: &'a Frame,
    run: Run,
    issue: Option<IssueFacts>,
    /// Addresses of issues, and what they are called.
    touched: Vec<(String, String)>,
}

impl Whole<'_> {
    fn tone(&self) -> &'static str {
        tone(&self.run.status)
    }

    fn outcome(&self) -> Option<String> {
        let outcome = serde_json::to_value(self.run.outcome?).ok()?;
        outcome.as_str().map(|word| word.to_lowercase().replace('_', " "))
    }

    fn took(&self) -> Option<String> {
        let spent = self.run.finished_at?.since(self.run.started_at);
        Some(if spent.as_secs() < 10 { format!("{} ms", spent.as_millis()) } else { time::span(spent) })
    }

    fn asked(&self) -> Option<String> {
        self.run.asked.as_ref().and_then(|asked| serde_json::to_string_pretty(asked).ok())
    }
}

/// One run, with all that is recorded of it.
pub async fn show(
    State(app): State<App>,
    operator: Operator,
    path: Result<Path<String>, PathRejection>,
) -> PageResult<Response> {
    let id = path.ok().map(|Path(id)| id).filter(|id| !id.contains('\0')).ok_or_else(not_found)?;
    let mut tx = app.engine.db().read().await?;
    let run = runs::find(&mut tx, &RunId(id)).await?.ok_or_else(not_found)?;
    let of_reads = reads::list_touched(&mut tx, &run.reads).await?;
    let issue = match &run.issue_id {
        Some(issue) => issue_facts::find(&mut tx, issue).await?,
        None => None,
    };
    drop(tx);
    let lists = of_reads.iter().map(|(_, urls)| urls.as_slice()).chain([run.touched.as_slice()]);
    let touched = merge_touched(lists).into_iter().filter(|url| web_address(url).is_some());
    let touched = touched.map(|url| (short_address(&url), url)).map(|(name, url)| (url, name)).collect();
    let frame = &operator.frame;
    frame.show(&Whole { frame, run, issue, touched })
}
