//! The PR-fix queue: what waits, one item with its evidence and history, marks and requeues:
//! `/automation/pr-fix-queue`.

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};

use super::{
    frame::{Frame, Theme},
    list::{self, Paging, ROWS, cut, forgiven, web_address},
    operator::{Operator, Order},
    outcome::Sent,
    refusal::{PageResult, not_found, see_other},
};
use crate::{
    domain::{
        ids::IssueNumber,
        page::Skipped,
        pr_fix::{FixLane, FixStatus, Generation, Item, mark::Mark},
        repo::RepoName,
    },
    engine::pr_fix::{
        Shown,
        mark::{self as marking, Requeued},
        show as with_notes,
    },
    http::{
        App,
        error::{ApiError, ApiResult},
        params::Params,
    },
    store::{
        ReadTx,
        pr_fix::{self, Listing},
        pr_fix_notes::{self as notes, Event},
    },
};

/// Events of a history.
const EVENTS: i64 = 200;
/// The longest note.
const NOTE_MAX: usize = 20_000;

/// How a status is marked.
const fn tone(status: FixStatus) -> &'static str {
    match status {
        FixStatus::Queued => "warn",
        FixStatus::Fixed => "good",
        FixStatus::Blocked => "bad",
        FixStatus::Stale | FixStatus::Ignored => "",
    }
}

/// A word of the queue for people.
fn in_words(word: &str) -> String {
    word.to_lowercase().replace('_', " ")
}

#[derive(Template)]
#[template(path = "pr_fix/list.html")]
struct Queue<'a> {
    frame: &'a Frame,
    fault: Option<ApiError>,
    /// What was typed to find one pull request.
    repo: &'a str,
    pr: &'a str,
    lanes: Vec<(FixLane, String)>,
    lane: Option<FixLane>,
    /// Nothing: those that there is something left to do about.
    status: Option<FixStatus>,
    statuses: [FixStatus; 5],
    counts: Vec<(FixLane, FixStatus, i64)>,
    items: Vec<Item>,
    paging: Paging,
}

impl Queue<'_> {
    fn tone(&self, item: &Item) -> &'static str {
        tone(item.status)
    }

    fn words(&self, word: &str) -> String {
        in_words(word)
    }

    fn is_chosen(&self, lane: &FixLane) -> bool {
        self.lane == Some(*lane)
    }

    fn is_status(&self, status: &FixStatus) -> bool {
        self.status == Some(*status)
    }

    fn narrows(&self) -> bool {
        self.lane.is_some() || self.status.is_some()
    }
}

/// What there is something left to do about, or what has one status; `repo` and `pr` lead to one item, whatever became of it.
pub async fn show_all(State(app): State<App>, operator: Operator, params: Params) -> PageResult<Response> {
    let one = params.repo("repo").and_then(|repo| Ok(repo.zip(params.parsed::<i64>("pr")?)));
    if let Ok(Some((repo, pr))) = one {
        return Ok(see_other(&format!("/automation/pr-fix-queue/{repo}/{pr}")));
    }
    let mut tx = app.engine.db().read().await?;
    let counts = pr_fix::count_open(&mut tx).await?;
    let read = match one {
        Ok(_) => read(&mut tx, &params).await,
        Err(error) => Err(error),
    };
    drop(tx);
    let ((items, next), fault) = forgiven(read)?;
    let (frame, status) = (&operator.frame, fault.as_ref().map(ApiError::status));
    let text = |name: &str| params.text(name).unwrap_or_default();
    let page = Queue {
        frame,
        fault,
        lanes: FixLane::ALL.map(|lane| (lane, in_words(lane.as_str()))).into(),
        lane: FixLane::named(text("lane")),
        status: text("status").parse().ok(),
        statuses: FixStatus::ALL,
        repo: text("repo"),
        pr: text("pr"),
        counts,
        items,
        paging: Paging::after(&params, next.as_deref()),
    };
    list::show(frame, &page, status)
}

/// A page of items, and where the list goes on.
async fn read(tx: &mut ReadTx, params: &Params) -> ApiResult<(Vec<Item>, Option<String>)> {
    let lane = params.text("lane").map(|text| {
        FixLane::named(text)
            .ok_or_else(|| ApiError::invalid("lane", "lane is NORMAL, ESCALATED or NEEDS_HUMAN"))
    });
    let lane = lane.transpose()?;
    let lanes = lane.as_ref().map_or(&FixLane::ALL[..], std::slice::from_ref);
    let status = params.text("status").map(str::parse::<FixStatus>).transpose();
    let status = status
        .map_err(|_| ApiError::invalid("status", "status is QUEUED, BLOCKED, FIXED, STALE or IGNORED"))?;
    let skipped = params.skipped()?;
    let listing = Listing { status, with_blocked: true, skipped, ..Listing::first(lanes, ROWS + 1) };
    let (items, last) = cut(pr_fix::list(tx, listing).await?, ROWS);
    let next = last.map(|_| skipped.after(items.len())).filter(|next| next.left() > 0);
    Ok((items, next.map(Skipped::encode)))
}

#[derive(Template)]
#[template(path = "pr_fix/item.html")]
struct One<'a> {
    frame: &'a Frame,
    shown: Shown,
    history: Vec<Event>,
    statuses: [FixStatus; 5],
}

impl One<'_> {
    fn tone(&self, status: &FixStatus) -> &'static str {
        tone(*status)
    }

    fn words(&self, word: &str) -> String {
        in_words(word)
    }

    fn url(&self) -> Option<&str> {
        web_address(self.shown.item.url.as_deref()?)
    }

    fn may_requeue(&self) -> bool {
        let Item { status, waiting, .. } = &self.shown.item;
        matches!(status, FixStatus::Blocked | FixStatus::Fixed) || waiting.is_some()
    }

    fn others(&self) -> impl Iterator<Item = &FixStatus> {
        self.statuses.iter().filter(|status| **status != self.shown.item.status)
    }
}

/// One item, with evidence and history.
pub async fn show(
    State(app): State<App>,
    operator: Operator,
    path: Result<Path<(String, String, String)>, PathRejection>,
) -> PageResult<Response> {
    let Path((owner, repo, pr)) = path.map_err(|_| not_found())?;
    let repo: RepoName = format!("{owner}/{repo}").parse().map_err(|_| not_found())?;
    let pr = IssueNumber(pr.parse().map_err(|_| not_found())?);
    let mut tx = app.engine.db().read().await?;
    let repo = pr_fix::present_name(&mut tx, &repo).await?;
    let item = pr_fix::find(&mut tx, &repo, pr).await?.ok_or_else(not_found)?;
    let history = notes::list_history(&mut tx, &item.id, EVENTS).await?;
    let shown = with_notes(&mut tx, vec![item]).await?.pop().ok_or_else(not_found)?;
    drop(tx);
    let frame = &operator.frame;
    frame.show(&One { frame, shown, history, statuses: FixStatus::ALL })
}

/// An operator says where an item stands.
pub async fn mark(State(app): State<App>, order: Order) -> PageResult<Response> {
    let sent = Sent::from(order);
    let outcome = match asked(&sent) {
        Ok(((repo, pr), mark)) => marking::mark(&app.engine, &sent.caller, (&repo, pr), &mark)
            .await
            .map(|(shown, applied)| {
                let status = in_words(shown.item.status.as_str());
                if applied {
                    format!("It is {status} now")
                } else {
                    format!("It is {status}; its history says why")
                }
            })
            .map_err(ApiError::from),
        Err(error) => Err(error),
    };
    sent.end(outcome)
}

fn asked(sent: &Sent) -> ApiResult<((RepoName, IssueNumber), Mark)> {
    let status = sent.form.text("status").unwrap_or_default();
    let status =
        status.parse().map_err(|_| ApiError::invalid("status", "Choose what it is to be marked as"))?;
    let generation = sent.form.text("generation").map(str::parse).transpose();
    let generation = generation
        .map_err(|_| ApiError::invalid("generation", "generation must be a number"))?
        .map(Generation);
    let mark = Mark {
        status,
        note: note(sent)?,
        generation,
        attempt_head_sha: None,
        already_addressed: status == FixStatus::Fixed && sent.form.text("addressed").is_some(),
        evidence: None,
    };
    Ok((pull_request(sent)?, mark))
}

fn pull_request(sent: &Sent) -> ApiResult<(RepoName, IssueNumber)> {
    let repo = sent.form.text("repo").unwrap_or_default();
    let repo = repo.parse().map_err(|rule| ApiError::invalid("repo", format!("repo: {rule}")))?;
    let pr = sent.form.text("pr").and_then(|pr| pr.parse().ok()).filter(|pr| *pr > 0);
    let pr = pr.ok_or_else(|| ApiError::invalid("pr", "pr must be the number of a pull request"))?;
    Ok((repo, IssueNumber(pr)))
}

fn note(sent: &Sent) -> ApiResult<Option<String>> {
    let note = sent.form.text("note");
    if note.is_some_and(|note| note.chars().count() > NOTE_MAX) {
        return Err(ApiError::invalid("note", format!("note must be at most {NOTE_MAX} characters long")));
    }
    Ok(note.map(str::to_owned))
}

/// Gives an item another chance, from its first attempt on.
pub async fn requeue(State(app): State<App>, order: Order) -> PageResult<Response> {
    let sent = Sent::from(order);
    let outcome = match (pull_request(&sent), note(&sent)) {
        (Ok((repo, pr)), Ok(note)) => {
            let done = marking::requeue(&app.engine, &sent.caller, (&repo, pr), false, note.as_deref()).await;
            match done.map_err(ApiError::from) {
                Ok(Requeued::Again(_)) => Ok("It is queued again, from its first attempt on".to_owned()),
                Ok(Requeued::Refused(refusal)) => Err(ApiError::invalid("pr", refusal.to_string())),
                Err(error) => Err(error),
            }
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    sent.end(outcome)
}
