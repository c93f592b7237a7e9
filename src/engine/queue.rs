//! The queue: what an agent is served, what comes first, and why an issue is not served. Nothing here writes.

use std::collections::BTreeMap;

use super::{
    Engine, Error, Result,
    polls::{self, Lasting},
    pr_fix::handout::{self, Next},
};
use crate::{
    domain::{
        dependencies,
        ids::{IssueId, IssueNumber},
        lane::{Lane, Lanes},
        place::Place,
        pr_fix::{FixLane, FixStatus, Item},
        queue::{Ask, Bar, Facts, ages_at, bars, is_claimable, rank, ranking_reason},
        repo::RepoName,
        task::{Task, TaskIssue},
        time::Timestamp,
    },
    store::{
        self, ReadTx, dependencies as blockers, pr_fix, pull_health,
        queue::{self, Candidate, Entry, Issues, LaneCount},
    },
};

/// An issue in the queue of an agent.
#[derive(Clone, Debug)]
pub struct Served {
    pub id: IssueId,
    pub facts: Facts,
    pub entry: Entry,
    pub ranking_reason: String,
}

/// What the agent does next. Mending pull requests comes before new work (`contract/agents.md` 3.2), and the issue behind
/// one is not given out meanwhile.
pub async fn next_task(engine: &Engine, ask: &Ask) -> store::Result<Task> {
    next_task_and_how_long(engine, ask).await.map(|(task, _)| task)
}

/// The same, and how long it stays the answer where that is known.
pub async fn next_task_and_how_long(engine: &Engine, ask: &Ask) -> store::Result<(Task, Option<Lasting>)> {
    // Before the first read: whatever is written from here on makes the answer an old one.
    let (changes, now) = (engine.db.changes(), engine.clock.now());
    if let Some((task, lasting)) = changes.and_then(|changes| engine.polls.find(ask, changes, now)) {
        return Ok((task, Some(lasting)));
    }
    let Next { task, defers, lasts } = handout::next(engine, ask).await?;
    if let Some(task) = task {
        return Ok((task, None));
    }
    let issues = if defers { Issues::ButDeferred } else { Issues::All };
    let Head { first, until } = next_issue(engine, ask, issues, now).await?;
    let task = match first {
        Some((candidate, entry)) => {
            let Entry { repo, title, url, lane, .. } = entry;
            let number = candidate.facts.number;
            let issue = TaskIssue { repo_full_name: repo, number, title, url };
            Task::implement(ask.agent.clone(), lane, issue)
        }
        None if defers => Task::idle_behind(count_deferred(engine, ask).await?),
        None => Task::idle(),
    };
    let changes = changes.filter(|_| lasts && now < until);
    let lasting = changes.map(|changes| Lasting::new(changes, until));
    if let Some(lasting) = lasting {
        engine.polls.keep(ask, task.clone(), lasting);
    }
    Ok((task, lasting))
}

/// How many issues would be served, were it not for their pull requests.
async fn count_deferred(engine: &Engine, ask: &Ask) -> store::Result<usize> {
    let mut tx = engine.db.read_once().await?;
    let deferred = queue::list_deferred(&mut tx, PLACES).await?;
    let served =
        deferred.iter().filter(|issue| bars(&issue.facts, ask).is_empty() && is_claimable(&issue.facts));
    Ok(served.count())
}

/// The first issue of the queue that may be claimed, and until when time alone cannot put another there.
struct Head {
    first: Option<(Candidate, Entry)>,
    until: Timestamp,
}

async fn next_issue(engine: &Engine, ask: &Ask, issues: Issues, now: Timestamp) -> store::Result<Head> {
    let longest = now.plus(polls::LONGEST);
    if ask.include_claimed {
        let mut tx = engine.db.read().await?;
        let mut heads = queue::list(&mut tx, ask, issues, 1).await?;
        heads.retain(|head| is_claimable(&head.facts));
        sort(engine, ask, &mut heads);
        // This list is cut before it is ranked by age: not to be kept.
        let Some(first) = heads.into_iter().next() else { return Ok(Head { first: None, until: now }) };
        let mut entries = queue::entries(&mut tx, std::slice::from_ref(&first.id)).await?;
        return Ok(Head { first: entries.remove(&first.id).map(|entry| (first, entry)), until: now });
    }
    let mut tx = engine.db.read_once().await?;
    let mut heads = queue::heads(&mut tx, ask, issues).await?;
    heads.retain(|(head, _)| is_claimable(&head.facts));
    let ageing = heads.iter().map(|(head, _)| ages_at(&head.facts, now));
    let until = ageing.fold(longest, Timestamp::min);
    let first =
        heads.into_iter().min_by_key(|(head, _)| rank(&head.facts, &ask.agent, engine.settings.aging, now));
    Ok(Head { first, until })
}

/// A part of a queue.
#[derive(Clone, Debug)]
pub struct Listed {
    pub served: Vec<Served>,
    /// Behind what the next part begins, if there is more.
    pub next: Option<Place>,
}

/// The queue of an agent in its order, at most `limit` issues.
pub async fn list(engine: &Engine, ask: &Ask, limit: i64) -> store::Result<Listed> {
    let mut tx = engine.db.read().await?;
    let mut served = ranked(engine, &mut tx, ask, limit.saturating_add(1)).await?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = served.len() > most;
    served.truncate(most);
    let place =
        |last: &Candidate| Place::of(&last.facts, &ask.agent, engine.settings.aging, since(engine, ask));
    let next = served.last().filter(|_| more).map(place);
    let ids: Vec<_> = served.iter().map(|candidate| candidate.id.clone()).collect();
    let mut entries = queue::entries(&mut tx, &ids).await?;
    let now = engine.clock.now();
    let with_entry = |Candidate { id, facts }: Candidate| {
        let ranking_reason = ranking_reason(&facts, &ask.agent, engine.settings.aging, now);
        entries.remove(&id).map(|entry| Served { id, facts, entry, ranking_reason })
    };
    Ok(Listed { served: served.into_iter().filter_map(with_entry).collect(), next })
}

/// When the order was made that pages follow.
fn since(engine: &Engine, ask: &Ask) -> Timestamp {
    ask.after.as_ref().map_or_else(|| engine.clock.now(), |place| place.at)
}

async fn ranked(engine: &Engine, tx: &mut ReadTx, ask: &Ask, limit: i64) -> store::Result<Vec<Candidate>> {
    let mut served = queue::list(tx, ask, Issues::All, limit).await?;
    sort(engine, ask, &mut served);
    Ok(served)
}

fn sort(engine: &Engine, ask: &Ask, candidates: &mut [Candidate]) {
    let at = since(engine, ask);
    candidates.sort_by_cached_key(|candidate| rank(&candidate.facts, &ask.agent, engine.settings.aging, at));
}

/// How deep the queue is searched for the place of one issue.
const PLACES: i64 = 1_000;

/// Why an issue is served to an agent, or why it is not.
#[derive(Clone, Debug)]
pub struct Why {
    pub repo: RepoName,
    pub number: IssueNumber,
    pub facts: Facts,
    /// None: it is served.
    pub reasons: Vec<Reason>,
    /// Served, but not given out as a task: its pull request is to be mended first.
    pub deferred: Option<Reason>,
    pub score: i64,
    pub ranking_reason: String,
    /// 1 for the first of the queue; none for what is not served or stands behind the first thousand.
    pub place: Option<usize>,
}

/// One rule that keeps an issue back, in words.
#[derive(Clone, Debug)]
pub struct Reason {
    pub code: &'static str,
    pub message: String,
}

/// Explains what the queue does with an issue, by the queue's own rules.
pub async fn why(engine: &Engine, id: &IssueId, ask: &Ask) -> Result<Why> {
    let mut tx = engine.db.read().await?;
    let subject = queue::find(&mut tx, id).await?;
    let subject = subject.ok_or_else(|| Error::NotFound("Issue not found in local cache".to_owned()))?;
    let facts = subject.candidate.facts;
    let mut reasons = Vec::new();
    for bar in bars(&facts, ask) {
        let message = match &bar {
            Bar::Dependencies(_) => {
                dependencies::reason(&subject.repo, &blockers::list_open(&mut tx, id).await?)
            }
            other => other.to_string(),
        };
        reasons.push(Reason { code: bar.code(), message });
    }
    let item = pr_fix::find_of_issue(&mut tx, &subject.repo, facts.number).await?;
    let deferred = match item {
        Some(item) => Some(deferral(&item)),
        None => behind_linked(&mut tx, id, &subject.repo).await?,
    };
    let place = if reasons.is_empty() { place(engine, &mut tx, ask, id).await? } else { None };
    let (aging, now) = (engine.settings.aging, engine.clock.now());
    Ok(Why {
        repo: subject.repo,
        number: facts.number,
        reasons,
        deferred,
        score: rank(&facts, &ask.agent, aging, now).score,
        ranking_reason: ranking_reason(&facts, &ask.agent, aging, now),
        place,
        facts,
    })
}

/// Why an issue with this item is not given out.
fn deferral(item: &Item) -> Reason {
    let state = match (&item.hold, &item.waiting) {
        (Some(hold), _) => format!("in the hands of {}", hold.agent),
        (None, Some(_)) => "waiting for it to change".to_owned(),
        (None, None) if item.needs_human() => "for a human to look at".to_owned(),
        (None, None) => format!("to be handed out, lane {}", item.lane.as_str()),
    };
    let message = format!("its pull request {} is in the PR-fix queue: {state}", item.pull_request());
    Reason { code: "pr_fix", message }
}

/// Why an issue is not given out that has a pull request, but no open item that names it.
async fn behind_linked(tx: &mut ReadTx, id: &IssueId, repo: &RepoName) -> store::Result<Option<Reason>> {
    let Some(pull) = pull_health::find_linked(tx, id).await? else { return Ok(None) };
    let name = format!("{repo}#{}", pull.number);
    let message = match pr_fix::find(tx, repo, pull.number).await? {
        Some(item) if item.status.is_open() => return Ok(Some(deferral(&item))),
        Some(item) => format!("its pull request {name} is in the PR-fix queue as {}", item.status.as_str()),
        None if pull.needs_followup => {
            format!("its pull request {name} needs another look: {}", pull.reasons.join("; "))
        }
        None => return Ok(None),
    };
    Ok(Some(Reason { code: "linked_pr", message }))
}

async fn place(engine: &Engine, tx: &mut ReadTx, ask: &Ask, id: &IssueId) -> store::Result<Option<usize>> {
    let served = ranked(engine, tx, ask, PLACES).await?;
    let within = usize::try_from(PLACES).unwrap_or(usize::MAX);
    Ok(served.iter().take(within).position(|candidate| candidate.id == *id).map(|at| at + 1))
}

/// Open issues by lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Every configured lane, in its order.
    pub lanes: Vec<LaneCount>,
    /// Lanes that are configured no more and still have issues.
    pub unknown: BTreeMap<String, LaneCount>,
    pub pr_fixes: Vec<(FixLane, FixStatus, i64)>,
}

impl Summary {
    /// How many items of a PR-fix lane there is something left to do about, and how many of them are blocked.
    pub fn pr_fixes_of(&self, lane: FixLane) -> (i64, i64) {
        let sum = |counts: &dyn Fn(FixStatus) -> bool| {
            let of_lane = self.pr_fixes.iter().filter(|(other, status, _)| *other == lane && counts(*status));
            of_lane.map(|(.., count)| count).sum()
        };
        (sum(&|_| true), sum(&|status| status == FixStatus::Blocked))
    }
}

/// Counts the open issues of each lane, and pull requests to be mended.
pub async fn summary(engine: &Engine) -> store::Result<Summary> {
    let mut tx = engine.db.read().await?;
    let counts = queue::count_by_lane(&mut tx).await?;
    let pr_fixes = pr_fix::count_open(&mut tx).await?;
    Ok(Summary { pr_fixes, ..sorted_by_lane(engine.settings.rules.lanes(), counts) })
}

fn sorted_by_lane(lanes: &Lanes, counts: Vec<LaneCount>) -> Summary {
    let none = |id: &str| LaneCount { lane: id.to_owned(), queued: 0, in_progress: 0 };
    let mut summary =
        Summary { lanes: lanes.all().iter().map(|lane| none(&lane.id)).collect(), ..Summary::default() };
    for count in counts {
        match lanes.all().iter().position(|lane| lane.key() == count.lane) {
            Some(at) => {
                let lane = std::mem::take(&mut summary.lanes[at].lane);
                summary.lanes[at] = LaneCount { lane, ..count };
            }
            None => {
                summary.unknown.insert(count.lane.clone(), count);
            }
        }
    }
    summary
}

/// Reads what a lane asked for means; refuses with the words that clients know.
pub fn lane_asked(lanes: &Lanes, raw: &str) -> std::result::Result<String, String> {
    let found = lanes.find(raw).map(Lane::key);
    found.ok_or_else(|| format!("Invalid lane: \"{raw}\". Must be one of: {}", lanes.ids()))
}
