//! Reading pull requests: the list of the open ones per repository, and those that changed one by one. Everything is asked
//! for with the `ETag` of the time before, so that what did not change costs nothing of the hourly quota.

use std::time::Duration;

use crate::{
    domain::{
        ids::{IssueNumber, RepoId},
        notice::Notice,
        pull::health::{Evidence, Health},
        pull_event::PullNow,
        repo::TrackedRepo,
        time::Timestamp,
    },
    engine::{
        Engine,
        pulls::{
            facts::{self, Seen},
            health,
        },
    },
    github::{self, Point, Reading, Validator},
    store::{
        self,
        pull_health::{self as stored, LISTS, What},
        pulls, repos,
    },
};

/// Pull requests looked at in one run of the job; the others wait for the next.
const LOOKS_MAX: i64 = 200;
/// A pull request of which nothing is awaited is looked at so often: its base moves, and checks are run again, without
/// a word of it in any list.
const SETTLED: Duration = Duration::from_hours(1);
/// After this the next look at what GitHub does not know yet follows, and then each time after twice as long.
const PENDING: Duration = Duration::from_mins(1);

/// What became of an attempt to read.
#[derive(Debug)]
pub enum Fault {
    Database(store::Error),
    GitHub(github::Error),
}

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Self {
        Self::Database(error)
    }
}

impl From<github::Error> for Fault {
    fn from(error: github::Error) -> Self {
        Self::GitHub(error)
    }
}

/// Reads the lists of repositories with open pull requests, then what is due. What GitHub refuses is tried again later;
/// syncs tell of repositories that cannot be read.
pub async fn read_due(engine: &Engine) -> store::Result<Vec<Notice>> {
    let mut tx = engine.db.read().await?;
    let with_open = pulls::list_repos_with_open(&mut tx).await?;
    let mut tracked = repos::list_tracked(&mut tx).await?;
    drop(tx);
    tracked.retain(|repo| with_open.contains(&repo.id));
    for repo in &tracked {
        let Ok(point) = engine.github.admit(&repo.name) else { continue };
        match read_open(engine, repo, Some(point)).await {
            Ok(()) => {}
            Err(Fault::Database(error)) => return Err(error),
            Err(Fault::GitHub(error)) => {
                tracing::debug!(%error, repo = %repo.name, "the open pull requests could not be listed");
            }
        }
    }
    look_at_due(engine, &tracked).await?;
    Ok(Vec::new())
}

/// Reads the list of open pull requests, unless it is as it was.
pub async fn read_open(engine: &Engine, repo: &TrackedRepo, point: Option<Point>) -> Result<(), Fault> {
    let held = etag(engine, (&repo.id, LISTS), What::Open, "").await?;
    let Reading::New { content, etag } = engine.github.open_pulls(&repo.name, held.as_ref(), point).await?
    else {
        return Ok(());
    };
    let seen: Vec<Seen<'_>> = content.iter().map(Seen::Whole).collect();
    let mut tx = engine.db.write().await?;
    facts::note(engine, &mut tx, repo, &seen).await?;
    stored::put_etag(&mut tx, (&repo.id, LISTS), What::Open, "", etag.as_ref()).await?;
    tx.commit().await?;
    Ok(())
}

async fn look_at_due(engine: &Engine, tracked: &[TrackedRepo]) -> store::Result<()> {
    let mut tx = engine.db.read_once().await?;
    let due = stored::list_due(&mut tx, engine.clock.now(), LOOKS_MAX).await?;
    drop(tx);
    for pull in due {
        let Some(repo) = tracked.iter().find(|repo| repo.id == pull.repository_id) else { continue };
        let Ok(point) = engine.github.admit(&repo.name) else { continue };
        match look(engine, repo, pull.number, Some(point)).await {
            Ok(()) => {}
            Err(Fault::Database(error)) => return Err(error),
            Err(Fault::GitHub(error)) => {
                tracing::debug!(%error, repo = %repo.name, pr = %pull.number, "a pull request could not be read");
                put_off(engine, &repo.id, pull.number).await?;
            }
        }
    }
    Ok(())
}

/// What was read of a pull request: what was as before is absent.
#[derive(Default)]
struct Looked {
    detail: Option<Read<Option<String>>>,
    reviews: Option<Read<Evidence>>,
    checks: Option<Read<Evidence>>,
}

struct Read<T> {
    said: T,
    etag: Option<Validator>,
}

/// Reads one pull request with its reviews and checks, and stores what it comes to. The first request uses `point`.
pub async fn look(
    engine: &Engine,
    repo: &TrackedRepo,
    number: IssueNumber,
    point: Option<Point>,
) -> Result<(), Fault> {
    let place = (&repo.id, number);
    let mut looked = Looked::default();
    let held = etag(engine, place, What::Detail, "").await?;
    if let Reading::New { content, etag } =
        engine.github.pull_now(&repo.name, number, held.as_ref(), point).await?
    {
        note(engine, repo, &content).await?;
        looked.detail = Some(Read { said: content.mergeable_state, etag });
    }
    let mut tx = engine.db.read_once().await?;
    let Some(before) = stored::find(&mut tx, &repo.id, number).await? else { return Ok(()) };
    drop(tx);
    let Some(sha) = before.head_sha.clone() else { return Ok(()) };
    let held = etag(engine, place, What::Reviews, "").await?;
    if let Reading::New { content, etag } =
        engine.github.reviews(&repo.name, number, held.as_ref(), None).await?
    {
        let mut evidence = Evidence::default();
        for review in &content {
            evidence.review(review);
        }
        looked.reviews = Some(Read { said: evidence, etag });
    }
    let held = etag(engine, place, What::Checks, &sha).await?;
    match engine.github.check_runs(&repo.name, &sha, held.as_ref(), None).await {
        Ok(Reading::New { content, etag }) => {
            let mut evidence = Evidence::default();
            for run in &content {
                evidence.check(run);
            }
            looked.checks = Some(Read { said: evidence, etag });
        }
        Ok(Reading::Same) => {}
        // A token may well be good for pull requests and not for checks: then there are none.
        Err(github::Error::Forbidden | github::Error::NotFound) => {
            tracing::debug!(repo = %repo.name, "the checks of commits may not be read");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(store(engine, repo, number, (before.version, &sha), &looked).await?)
}

/// Stores what was read, unless more was heard meanwhile: then it is read again soon.
async fn store(
    engine: &Engine,
    repo: &TrackedRepo,
    number: IssueNumber,
    (version, head): (i64, &str),
    looked: &Looked,
) -> store::Result<()> {
    let (place, now) = ((&repo.id, number), engine.clock.now());
    let mut tx = engine.db.write().await?;
    let mut looks = None;
    let health = health::change(engine, &mut tx, repo, number, |subject| {
        looks = Some(subject.looks);
        (subject.version == version).then(|| looked.over(&subject.evidence))
    })
    .await?;
    let Some(looks) = looks else { return Ok(()) };
    if health.is_some() {
        if let Some(read) = &looked.detail {
            stored::put_etag(&mut tx, place, What::Detail, "", read.etag.as_ref()).await?;
        }
        if let Some(read) = &looked.reviews {
            stored::put_etag(&mut tx, place, What::Reviews, "", read.etag.as_ref()).await?;
        }
        if let Some(read) = &looked.checks {
            stored::put_etag(&mut tx, place, What::Checks, head, read.etag.as_ref()).await?;
        }
    }
    stored::look_again(&mut tx, &repo.id, number, next_look(health.as_ref(), looks, now)).await?;
    tx.commit().await
}

impl Looked {
    /// While GitHub works out anew whether the same head can be merged, what it said last stands.
    fn over(&self, known: &Evidence) -> Evidence {
        let mut evidence = known.clone();
        if let Some(state) = self.detail.as_ref().and_then(|read| read.said.as_ref())
            && (state != "unknown" || known.merge_state.is_none())
        {
            evidence.merge_state = Some(state.clone());
        }
        if let Some(read) = &self.reviews {
            evidence.opinions.clone_from(&read.said.opinions);
        }
        if let Some(read) = &self.checks {
            evidence.checks.clone_from(&read.said.checks);
        }
        evidence
    }
}

fn next_look(health: Option<&Health>, looks: i64, now: Timestamp) -> (Timestamp, i64) {
    match health {
        None => (now, looks),
        Some(health) if health.is_pending => (now.plus(pause(looks)), looks.saturating_add(1)),
        Some(_) => (now.plus(SETTLED), 0),
    }
}

/// Twice as long each time, up to the pause of one of which nothing is awaited.
fn pause(looks: i64) -> Duration {
    let doublings = u32::try_from(looks.clamp(0, 10)).unwrap_or(10);
    PENDING.saturating_mul(1 << doublings).min(SETTLED)
}

async fn note(engine: &Engine, repo: &TrackedRepo, pull: &PullNow) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    facts::note(engine, &mut tx, repo, &[Seen::Whole(pull)]).await?;
    tx.commit().await
}

async fn put_off(engine: &Engine, repo: &RepoId, number: IssueNumber) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    let Some(subject) = stored::lock(&mut tx, repo, number).await? else { return Ok(()) };
    let at = engine.clock.now().plus(pause(subject.looks));
    stored::look_again(&mut tx, repo, number, (at, subject.looks.saturating_add(1))).await?;
    tx.commit().await
}

async fn etag(
    engine: &Engine,
    place: (&RepoId, IssueNumber),
    what: What,
    about: &str,
) -> store::Result<Option<Validator>> {
    let mut tx = engine.db.read_once().await?;
    stored::find_etag(&mut tx, place, what, about).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pending_is_looked_at_ever_later_and_what_is_settled_each_hour() {
        let pending = Health { is_pending: true, ..Health::default() };
        let mut at = Timestamp(0);
        let mut looks = 0;
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let (next, more) = next_look(Some(&pending), looks, at);
            pauses.push((next.0 - at.0) / 60_000);
            (at, looks) = (next, more);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(next_look(Some(&Health::default()), looks, at), (at.plus(SETTLED), 0));
        assert_eq!(next_look(None, 3, at), (at, 3), "more was heard meanwhile");
    }

    #[test]
    fn a_merge_state_that_is_not_known_yet_replaces_none() {
        let over = |read: Option<&str>, known: Option<&str>| {
            let read = Read { said: read.map(str::to_owned), etag: None };
            let looked = Looked { detail: Some(read), ..Looked::default() };
            let known = Evidence { merge_state: known.map(str::to_owned), ..Evidence::default() };
            looked.over(&known).merge_state
        };
        assert_eq!(over(Some("unknown"), Some("dirty")).as_deref(), Some("dirty"));
        assert_eq!(over(Some("unknown"), None).as_deref(), Some("unknown"));
        assert_eq!(over(Some("clean"), Some("dirty")).as_deref(), Some("clean"));
        assert_eq!(over(None, Some("dirty")).as_deref(), Some("dirty"));
    }
}
