//! The page of an issue: its text, its labels with what GitHub has yet to hear, all that is on record of it, why it is
//! served or not, and what an operator can do.

pub mod acts;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{
    board::{
        card::CardView,
        filter::{PRIORITIES, priority_word},
    },
    frame::{Frame, Theme},
    list,
    markdown::{self, Harmless},
    operator::Operator,
    refusal::{PageResult, Refusal, not_found},
};
use crate::{
    domain::{
        claim::Claim,
        grooming::GroomAction,
        ids::{AgentName, IssueNumber},
        issue::{Issue, IssueState},
        labels::{Labels, Status},
        lane::{Lane, Place},
        queue,
        repo::RepoName,
        time::Timestamp,
    },
    engine::{
        actions,
        queue::{Why, why},
    },
    http::{
        App,
        error::{ApiError, ApiResult},
        params::Params,
    },
    store::{
        ReadTx, agents,
        board::{self, Filter},
        claims, issue_list, label_edits, repos,
        timeline::{self, Happened},
    },
};

/// What is shown of each kind of record at once.
const RECORDS_MAX: i64 = 60;

/// A label, and whether GitHub has it as it is shown.
struct LabelView<'a> {
    name: &'a str,
    pending: Option<&'static str>,
    /// GitHub still shows it.
    is_going: bool,
}

#[derive(Template)]
#[template(path = "issue/page.html")]
struct Page<'a> {
    frame: &'a Frame,
    issue: &'a Issue,
    view: Option<CardView<'a>>,
    labels: Vec<LabelView<'a>>,
    body: Option<Harmless>,
    claim: Option<&'a Claim>,
    records: &'a [Happened],
    /// Where older ones are, and the newest.
    older: Option<String>,
    newest: Option<String>,
    agents: &'a [AgentName],
    lanes: &'a [Lane],
    /// Where it is: the default one, unless another was chosen.
    lane: &'a Lane,
    for_agent: &'a str,
    /// What is wrong with the agent that was asked about.
    fault: Option<ApiError>,
    why: Option<&'a Why>,
    priority: &'a str,
    /// The path of this page, for its forms.
    path: String,
}

impl Page<'_> {
    fn is_open(&self) -> bool {
        self.issue.state == IssueState::Open
    }

    /// What grooming said of it.
    fn said_of_it(&self) -> impl Iterator<Item = &str> {
        let grooming = &self.issue.grooming;
        let reasons = [&grooming.not_ready_reason, &grooming.blocked_reason, &grooming.needs_info_reason];
        [&grooming.summary]
            .into_iter()
            .chain(reasons)
            .chain([&grooming.next_action])
            .filter_map(Option::as_deref)
    }

    /// The page of what happened, where it has one.
    fn page_of(&self, one: &Happened) -> Option<String> {
        Some(match one.place.as_ref()? {
            timeline::Place::Run(id) => format!("/runs/{id}"),
            timeline::Place::PrFix(repo, pr) => format!("/automation/pr-fix-queue/{repo}/{pr}"),
        })
    }

    fn is_served(&self) -> bool {
        self.why.is_some_and(|why| why.reasons.is_empty() && queue::is_claimable(&why.facts))
    }

    fn is_priority(&self, word: &str) -> bool {
        self.priority == word
    }

    fn is_lane(&self, lane: &Lane) -> bool {
        self.lane.id == lane.id
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates hand on what they bind")]
    fn is_status(&self, status: &Status) -> bool {
        self.view.as_ref().is_some_and(|view| view.card.status == *status)
    }
}

/// The issue that a path names.
pub(super) async fn named(
    tx: &mut ReadTx,
    (owner, repo, number): (&str, &str, i64),
) -> Result<Issue, Refusal> {
    let name: RepoName = format!("{owner}/{repo}").parse().map_err(|_| not_found())?;
    let unknown =
        || ApiError::not_found(format!("{name}#{number} is not cached; is the repository tracked?"));
    let tracked = repos::find_tracked(tx, &name).await?.ok_or_else(unknown)?;
    let issue = issue_list::find(tx, &tracked.id, IssueNumber(number)).await?;
    Ok(issue.ok_or_else(unknown)?)
}

/// The page.
pub async fn show(
    State(app): State<App>,
    operator: Operator,
    Path((owner, repo, number)): Path<(String, String, i64)>,
    params: Params,
) -> PageResult<Response> {
    let (frame, settings) = (&operator.frame, app.engine.settings());
    let mut tx = app.engine.db().read().await?;
    let issue = named(&mut tx, (&owner, &repo, number)).await?;
    let filter = Filter::all(frame.now.minus(settings.closed_retention));
    let cards = board::list_by_id(&mut tx, &filter, std::slice::from_ref(&issue.id)).await?;
    let keys: Vec<String> = cards.iter().filter_map(|card| card.agent.clone()).collect();
    let heard = agents::list_last_heard(&mut tx, &keys).await?.into_iter().collect();
    let claim = claims::find_live(&mut tx, &issue.id).await?;
    let edits = label_edits::list_unsettled(&mut tx, &issue.id).await?;
    let before = params.parsed::<i64>("before")?.map(Timestamp);
    let part = timeline::list(&mut tx, &issue, before.unwrap_or(Timestamp(i64::MAX)), RECORDS_MAX).await?;
    drop(tx);
    let agents = actions::list_agents(&app.engine).await?;
    let (asked, fault) = list::forgiven(params.agent("agent"))?;
    let assigned = || keys.first().and_then(|key| key.parse().ok());
    let agent = asked.or_else(|| claim.as_ref().map(|claim| claim.agent.clone())).or_else(assigned);
    let agent = agent.or_else(|| agents.first().cloned());
    let explained = match &agent {
        Some(agent) => Some(explain(&app, &issue, agent.clone()).await?),
        None => None,
    };
    let lanes = settings.rules.lanes();
    let view = cards.first().map(|card| CardView::of(card, lanes, &heard, (frame.now, settings)));
    let words = |is_parked: bool| if is_parked { "GitHub refuses it" } else { "GitHub has yet to hear" };
    let labels = issue.labels.iter().map(|name| {
        let edit = edits.iter().find(|(edit, _)| edit.key() == name.to_lowercase());
        LabelView { name, pending: edit.map(|(_, is_parked)| words(*is_parked)), is_going: false }
    });
    let going = edits.iter().filter(|(edit, _)| !edit.wanted);
    let going = going.map(|(edit, is_parked)| LabelView {
        name: &edit.label,
        pending: Some(words(*is_parked)),
        is_going: true,
    });
    let priority = Labels::shown(issue.state, &issue.labels).priority();
    let lane = match lanes.place(issue.current_lane.as_deref()) {
        Place::Lane(lane) => lane,
        Place::Unknown(_) => lanes.default_lane(),
    };
    let place = |before: Option<Timestamp>| {
        let before = before.map(|at| at.0.to_string());
        format!("{}#timeline", params.address_of("before", before.as_deref()))
    };
    let status = fault.as_ref().map(ApiError::status);
    let typed = params.text("agent").filter(|_| fault.is_some());
    let page = Page {
        frame,
        fault,
        issue: &issue,
        view,
        labels: labels.chain(going).collect(),
        body: issue.body.as_deref().filter(|body| !body.trim().is_empty()).map(markdown::render),
        claim: claim.as_ref(),
        records: &part.records,
        older: part.older.map(|at| place(Some(at))),
        newest: before.map(|_| place(None)),
        agents: &agents,
        lanes: lanes.all(),
        lane,
        for_agent: typed.or(agent.as_ref().map(AgentName::as_str)).unwrap_or_default(),
        why: explained.as_ref().filter(|_| typed.is_none()),
        priority: priority_word(priority).unwrap_or("none"),
        path: format!("/issues/{}/{}", issue.repo, issue.number),
    };
    list::show(frame, &page, status)
}

async fn explain(app: &App, issue: &Issue, agent: AgentName) -> ApiResult<Why> {
    Ok(why(&app.engine, &issue.id, &queue::Ask::of(agent)).await?)
}
