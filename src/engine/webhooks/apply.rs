//! Applying deliveries: what a payload says goes into the cache in the transaction that says that it was applied.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use super::{
    issues::{self, Word},
    looks::{self, Asked, Target, Wanted},
};
use crate::{
    domain::{
        delivery::{DeliveryId, DeliveryState},
        issue::RemoteIssue,
        repo::TrackedRepo,
        time::Timestamp,
    },
    engine::{Engine, failpoint::failpoint, pulls},
    github::webhook::{self, Payload, PayloadRepo, Said, event_name},
    store::{
        self, ReadTx, WriteTx,
        deliveries::{self, Due, Taken},
        repos,
    },
};

/// Deliveries looked for at once.
const BATCH: i64 = 100;
/// Those of one transaction.
const TOGETHER: usize = 25;
/// A delivery that waits for a read of GitHub is nobody else's for so long.
const LEASE: Duration = Duration::from_mins(2);
/// After so many tries a delivery is given up; a read finds what it told of.
const TRIES: i64 = 8;
/// The pause after the first try; it doubles.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_mins(15);

/// Applies what is due, whenever something comes, until the server stops.
pub(super) async fn run(engine: Engine) {
    let stopping = engine.tasks.stopping().clone();
    loop {
        if let Err(error) = drain(&engine).await {
            tracing::warn!(%error, "deliveries of webhooks wait for the database");
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = engine.webhooks.arrived.notified() => {}
        }
    }
}

/// Applies everything that is due.
async fn drain(engine: &Engine) -> store::Result<()> {
    while !engine.tasks.stopping().is_cancelled() {
        let mut tx = engine.db.read_once().await?;
        let due = deliveries::list_due(&mut tx, engine.clock.now(), BATCH).await?;
        drop(tx);
        if due.is_empty() {
            break;
        }
        let mut asked = Vec::new();
        for group in grouped(due) {
            if engine.tasks.stopping().is_cancelled() {
                break;
            }
            match apply(engine, &group).await {
                Ok(wishes) => asked.extend(wishes),
                Err(error) if group.len() > 1 => {
                    tracing::debug!(%error, deliveries = group.len(), "they are applied one by one");
                    // What one of them has that the database refuses must not cost the others.
                    for guid in &group {
                        asked.extend(apply_alone(engine, guid).await?);
                    }
                }
                Err(error) => put_aside(engine, &group, &error).await?,
            }
        }
        // After all of them: several that want the same read share it.
        looks::ask(engine, asked);
    }
    Ok(())
}

/// What goes into one transaction: issues of one repository, as many as a page has not even half of; anything else
/// alone. They may come in any order.
fn grouped(due: Vec<Due>) -> Vec<Vec<DeliveryId>> {
    let mut groups: Vec<Vec<DeliveryId>> = Vec::new();
    let mut open: HashMap<String, usize> = HashMap::new();
    for Due { guid, repo_key, is_plain } in due {
        let Some(repo) = repo_key.filter(|_| is_plain) else {
            groups.push(vec![guid]);
            continue;
        };
        let begun = open.get(&repo).and_then(|at| groups.get_mut(*at));
        if let Some(group) = begun.filter(|group| group.len() < TOGETHER) {
            group.push(guid);
        } else {
            open.insert(repo, groups.len());
            groups.push(vec![guid]);
        }
    }
    groups
}

async fn apply_alone(engine: &Engine, guid: &DeliveryId) -> store::Result<Vec<Asked>> {
    let alone = std::slice::from_ref(guid);
    match apply(engine, alone).await {
        Ok(asked) => Ok(asked),
        Err(error) => put_aside(engine, alone, &error).await.map(|()| Vec::new()),
    }
}

/// How a delivery came out of its transaction.
#[derive(Clone, Debug)]
enum Came {
    Applied,
    Ignored(&'static str),
    Failed(&'static str),
    /// GitHub has to be asked.
    Look(Target),
}

/// What a delivery is about.
enum Step {
    Came(Came),
    /// An issue of a tracked repository, as it was.
    Shows(TrackedRepo, Box<RemoteIssue>),
}

/// Applies those that nobody else did, in one transaction; gives what GitHub has to be asked for.
async fn apply(engine: &Engine, guids: &[DeliveryId]) -> store::Result<Vec<Asked>> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let taken = deliveries::take(&mut tx, guids, now, now.plus(LEASE)).await?;
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let (mut asked, mut came) = (Vec::new(), Vec::new());
    let mut shown: Vec<(TrackedRepo, Vec<&Taken>, Vec<RemoteIssue>)> = Vec::new();
    for one in &taken {
        match carry_out(engine, &mut tx, one, &mut asked).await? {
            Step::Came(how) => came.push((one, how)),
            Step::Shows(repo, issue) => match shown.iter_mut().find(|(other, ..)| other.id == repo.id) {
                Some((_, all, issues)) => {
                    all.push(one);
                    issues.push(*issue);
                }
                None => shown.push((repo, vec![one], vec![*issue])),
            },
        }
    }
    for (repo, all, issues) in shown {
        let words = issues::show(engine, &mut tx, &repo, issues).await?;
        came.extend(all.into_iter().zip(words.into_iter().map(|word| came_of(&repo, word))));
    }
    let ended = settle(engine, &mut tx, came, &mut asked).await?;
    // A process may die after each.
    for _ in &ended {
        failpoint!("webhook.applied", store::Error::WorkerCrashed);
    }
    tx.commit().await?;
    for (one, state) in ended {
        failpoint!("webhook.committed");
        engine.meters.webhooks.told(event_name(&one.event), state.as_str());
    }
    Ok(asked)
}

fn came_of(repo: &TrackedRepo, word: Word) -> Came {
    match word {
        Word::Applied => Came::Applied,
        Word::Old => Came::Ignored("the cache has a newer or the same word of GitHub"),
        Word::Doubtful(number) => Came::Look(Target::new(repo, Wanted::Issue(number))),
    }
}

/// Says on record how each came out; those that GitHub is asked about are pending still.
async fn settle<'t>(
    engine: &Engine,
    tx: &mut WriteTx,
    came: Vec<(&'t Taken, Came)>,
    asked: &mut Vec<Asked>,
) -> store::Result<Vec<(&'t Taken, DeliveryState)>> {
    let mut ended = Vec::new();
    let mut alike: BTreeMap<_, (DeliveryState, Vec<DeliveryId>)> = BTreeMap::new();
    for (one, how) in came {
        let (state, words) = match how {
            Came::Applied => (DeliveryState::Applied, None),
            Came::Ignored(why) => (DeliveryState::Ignored, Some(why)),
            Came::Failed(why) => (DeliveryState::Failed, Some(why)),
            Came::Look(target) => {
                asked.push(Asked { target, delivery: Some((one.guid.clone(), one.attempts)) });
                continue;
            }
        };
        ended.push((one, state));
        alike.entry((state.as_str(), words)).or_insert((state, Vec::new())).1.push(one.guid.clone());
    }
    for ((_, words), (state, guids)) in alike {
        deliveries::settle(tx, &guids, state, words, engine.clock.now()).await?;
    }
    Ok(ended)
}

async fn carry_out(
    engine: &Engine,
    tx: &mut WriteTx,
    taken: &Taken,
    asked: &mut Vec<Asked>,
) -> store::Result<Step> {
    let Some(body) = &taken.payload else { return failed("what was sent is not kept any more") };
    // It could be read when it came.
    let Ok(Payload { action, repo, said }) = webhook::read(&taken.event, body) else {
        return failed("what was sent cannot be read");
    };
    if let Said::Reach(names) = said {
        tracing::info!(
            action,
            repositories = names.len(),
            "the App's installation reaches other repositories"
        );
        for name in names {
            if let Some(repo) = repos::find_tracked(tx, &name).await? {
                asked.push(Asked { target: Target::new(&repo, Wanted::Read), delivery: None });
            }
        }
        return Ok(Step::Came(Came::Applied));
    }
    let Some(named) = repo else { return ignored("it is of no repository") };
    let Some(repo) = find_home(tx, &named).await? else { return ignored("the repository is not tracked") };
    if repo.name != named.full_name && !matches!(said, Said::Repository) {
        // Renamed, and nobody has told yet; or this is old and has the former name.
        asked.push(Asked { target: Target::new(&repo, Wanted::Read), delivery: None });
    }
    let came = match said {
        Said::Issue(issue) => return Ok(Step::Shows(repo, issue)),
        Said::IssueGone(issue) => came_of(&repo, issues::take_away(engine, tx, &repo, *issue).await?),
        Said::Pull(event) => {
            pulls::heard::hear(engine, tx, &repo, &event).await?;
            Came::Applied
        }
        Said::Labels => Came::Look(Target::new(&repo, Wanted::Sweep)),
        Said::Repository => Came::Look(Target::new(&repo, Wanted::Read)),
        Said::Reach(_) | Said::Ping | Said::Nothing(_) => return ignored("nothing follows from it"),
    };
    Ok(Step::Came(came))
}

#[expect(clippy::unnecessary_wraps, reason = "it ends a function that can fail")]
fn failed(why: &'static str) -> store::Result<Step> {
    Ok(Step::Came(Came::Failed(why)))
}

#[expect(clippy::unnecessary_wraps, reason = "it ends a function that can fail")]
fn ignored(why: &'static str) -> store::Result<Step> {
    Ok(Step::Came(Came::Ignored(why)))
}

/// The tracked repository that a payload is of: by GitHub's number, which stays when names change, else by name.
async fn find_home(tx: &mut ReadTx, named: &PayloadRepo) -> store::Result<Option<TrackedRepo>> {
    if let Some(repo) = repos::find_tracked_by_github_id(tx, named.github_id).await? {
        return Ok(Some(repo));
    }
    // One that was never read has no number yet. Another number is another repository, which took the name over.
    let found = repos::find_tracked(tx, &named.full_name).await?;
    Ok(found.filter(|repo| repo.github_id.is_none()))
}

/// The database refused what follows from a delivery: it is tried again later, so that the next ones are not held up.
async fn put_aside(engine: &Engine, guids: &[DeliveryId], error: &store::Error) -> store::Result<()> {
    tracing::warn!(delivery = ?guids, %error, "a delivery could not be applied");
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let taken = deliveries::take(&mut tx, guids, now, now).await?;
    let taken: Vec<_> = taken.into_iter().map(|one| (one.guid, one.attempts)).collect();
    put_off(engine, &mut tx, &taken, "the database failed").await?;
    tx.commit().await
}

/// These are tried again later, or given up.
pub(super) async fn put_off(
    engine: &Engine,
    tx: &mut WriteTx,
    taken: &[(DeliveryId, i64)],
    words: &str,
) -> store::Result<()> {
    let now = engine.clock.now();
    for (guid, attempts) in taken {
        let guid = std::slice::from_ref(guid);
        if is_last(*attempts) {
            deliveries::settle(tx, guid, DeliveryState::Failed, Some(words), now).await?;
        } else {
            deliveries::put_off(tx, guid, words, next_try(now, *attempts)).await?;
        }
    }
    Ok(())
}

/// A delivery that was tried so often is tried no more.
pub(super) const fn is_last(attempts: i64) -> bool {
    attempts >= TRIES
}

fn next_try(now: Timestamp, attempts: i64) -> Timestamp {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    now.plus(PAUSE.saturating_mul(1 << doublings).min(PAUSE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issues_of_one_repository_go_together_and_others_alone() {
        let due = |guid: &str, repo: Option<&str>, is_plain| Due {
            guid: guid.parse().unwrap(),
            repo_key: repo.map(str::to_owned),
            is_plain,
        };
        let groups = |due: Vec<Due>| grouped(due).iter().map(Vec::len).collect::<Vec<_>>();
        let mixed = vec![
            due("1", Some("a/a"), true),
            due("2", Some("a/a"), false),
            due("3", Some("b/b"), true),
            due("4", Some("a/a"), true),
            due("5", None, false),
        ];
        assert_eq!(groups(mixed), [2, 1, 1, 1]);
        let many = (0..60).map(|n| due(&n.to_string(), Some("a/a"), true)).collect();
        assert_eq!(groups(many), [25, 25, 10]);
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let pause = |attempts| next_try(Timestamp(0), attempts).0 / 1_000;
        assert_eq!([1, 2, 3, 4].map(pause), [5, 10, 20, 40]);
        assert_eq!([8, 9, 1_000].map(pause), [640, 900, 900]);
    }
}
