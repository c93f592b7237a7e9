//! The `look` verb: what GitHub says that it delivered, compared with what came.
//!
//! Two conditional requests for each webhook: its failures, and its newest deliveries. Where nothing is new both are
//! answered 304, which is free. What did not come is asked for once; of many at once the repository is read instead.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use super::{RECEIVERS, mend, refusal};
use crate::{
    domain::{
        delivery::DeliveryId,
        hook::{HookId, RemoteHook},
        ids::RepoId,
        notice::Notice,
        repo::{ETag, RepoName, TrackedRepo},
        time::Timestamp,
    },
    engine::{Engine, webhooks::Door},
    github::{self, HookSource, RemoteDelivery, Validator, Which},
    store::{
        self, deliveries,
        hooks::{self, HookRow, Missed, Remedy},
        repos,
    },
};

/// Where GitHub showed nothing, it is asked again after this.
const ASK_AGAIN: Duration = Duration::from_hours(24);
/// So many failures are gone through, a hundred to a page.
const PAGES_MAX: usize = 5;
/// More than these of one repository are not asked for one by one.
const FEW: usize = 25;

/// Looks at all webhooks, and mends what did not come.
pub async fn look(engine: &Engine) -> store::Result<Vec<Notice>> {
    if matches!(engine.settings.webhooks, Door::Closed) {
        return Ok(Vec::new());
    }
    // First what earlier looks asked for: this one's wishes have time until the next.
    mend::mend(engine).await?;
    let mut tx = engine.db.read().await?;
    let tracked = repos::list_tracked(&mut tx).await?;
    let mut known = hooks::list(&mut tx).await?;
    let heard = deliveries::last_heard(&mut tx).await?;
    drop(tx);
    if engine.github.is_app() {
        let row = known.remove(hooks::APP).unwrap_or_else(|| new_row(hooks::APP));
        look_at(engine, &HookSource::App, row, &tracked).await?;
        return Ok(Vec::new());
    }
    if engine.github.is_anonymous() {
        return Ok(Vec::new());
    }
    for repo in &tracked {
        let row = known.remove(&repo.id.0);
        if row.as_ref().and_then(|row| row.hook_id).is_none() && !heard.contains_key(&repo.id) {
            continue;
        }
        let row = row.unwrap_or_else(|| new_row(&repo.id.0));
        let Some((row, id)) = identify(engine, repo, row).await? else { continue };
        let source = HookSource::Repo(repo.name.clone(), id);
        look_at(engine, &source, row, std::slice::from_ref(repo)).await?;
    }
    Ok(Vec::new())
}

fn new_row(source: &str) -> HookRow {
    HookRow { source: source.to_owned(), ..HookRow::default() }
}

/// The webhook of a repository that leads here. One that was made on GitHub is known by what it delivered: another
/// server's may have an address like ours.
async fn identify(
    engine: &Engine,
    repo: &TrackedRepo,
    mut row: HookRow,
) -> store::Result<Option<(HookRow, HookId)>> {
    if let Some(id) = row.hook_id {
        return Ok(Some((row, id)));
    }
    let now = engine.clock.now();
    if row.looked_at.is_some_and(|at| at.plus(ASK_AGAIN) > now) {
        return Ok(None);
    }
    let listed = match engine.github.hooks(&repo.name).await {
        Ok(listed) => listed,
        Err(error) => {
            refused(engine, row, &error, &HookSource::Repo(repo.name.clone(), 0)).await?;
            return Ok(None);
        }
    };
    row.refused = None;
    row.looked_at = Some(now);
    for hook in listed.into_iter().filter(leads_to_a_receiver) {
        let source = HookSource::Repo(repo.name.clone(), hook.id);
        let Ok(Some(page)) = engine.github.deliveries(&source, Which::Newest, None).await else { continue };
        // Webhooks share the names of events: those count that this one delivered itself.
        let came: Vec<RemoteDelivery> =
            page.deliveries.into_iter().filter(|delivery| delivery.came).collect();
        let guids = names(&came);
        let mut tx = engine.db.read_once().await?;
        let unknown =
            if guids.is_empty() { Vec::new() } else { deliveries::list_unknown(&mut tx, &guids).await? };
        drop(tx);
        if unknown.len() < guids.len() {
            row.hook_id = Some(hook.id);
            row.url = Some(hook.url);
            write(engine, &row).await?;
            return Ok(Some((row, hook.id)));
        }
    }
    write(engine, &row).await?;
    Ok(None)
}

fn leads_to_a_receiver(hook: &RemoteHook) -> bool {
    let path = hook.url.parse::<url::Url>().map(|url| url.path().to_owned()).unwrap_or_default();
    RECEIVERS.iter().any(|receiver| path.ends_with(receiver))
}

/// Compares one webhook's deliveries with what came.
async fn look_at(
    engine: &Engine,
    source: &HookSource,
    mut row: HookRow,
    tracked: &[TrackedRepo],
) -> store::Result<()> {
    let now = engine.clock.now();
    if row.refused.is_some() && row.looked_at.is_some_and(|at| at.plus(ASK_AGAIN) > now) {
        return Ok(());
    }
    let mut read = match read(engine, source, &mut row).await {
        Ok(read) => read,
        Err(error) => return refused(engine, row, &error, source).await,
    };
    row.refused = None;
    row.looked_at = Some(now);
    let missing = choose(engine, &mut read.deliveries, tracked).await?;
    let of = mend_all(engine, source, &row.source, missing, now).await?;
    // What is of no known repository may be of each.
    let whole = read.went_on || of.contains(&None);
    let named = |repo: &&TrackedRepo| whole || of.contains(&Some(repo.id.clone()));
    let which: Vec<TrackedRepo> = tracked.iter().filter(named).cloned().collect();
    if !which.is_empty() {
        mend::read_repositories(engine, which).await?;
    }
    write(engine, &row).await
}

struct Read {
    deliveries: Vec<RemoteDelivery>,
    /// There were more failures than were gone through.
    went_on: bool,
}

/// Asks for what is new in both lists.
async fn read(engine: &Engine, source: &HookSource, row: &mut HookRow) -> Result<Read, github::Error> {
    let mut all = Vec::new();
    let mut went_on = false;
    if let Some(page) =
        engine.github.deliveries(source, Which::Failed, held(row.failed_etag.as_ref(), row).as_ref()).await?
    {
        let seen = row.seen_id;
        let is_new = |delivery: &RemoteDelivery| seen.is_none_or(|seen| delivery.id > seen);
        row.failed_etag = page.etag.as_ref().map(|(etag, _)| etag.clone());
        row.etag_token = page.etag.map(|(_, token)| token);
        let mut next = page.next;
        all.extend(page.deliveries);
        // Numbers are given before an attempt and shown after it, so those around the last one seen are looked at
        // again; what is known by its GUID is passed over.
        for _ in 1..PAGES_MAX {
            let Some(link) = next.take_if(|_| all.last().is_some_and(is_new)) else {
                break;
            };
            let page = engine.github.more_deliveries(source, link).await?;
            next = page.next;
            all.extend(page.deliveries);
        }
        went_on = next.is_some() && all.last().is_some_and(is_new);
        row.seen_id = all.first().map(|newest| newest.id).max(seen).or(Some(0));
    }
    if let Some(page) =
        engine.github.deliveries(source, Which::Newest, held(row.newest_etag.as_ref(), row).as_ref()).await?
    {
        row.newest_etag = page.etag.as_ref().map(|(etag, _)| etag.clone());
        row.etag_token = page.etag.map(|(_, token)| token);
        all.extend(page.deliveries);
    }
    Ok(Read { deliveries: all, went_on })
}

fn held(etag: Option<&ETag>, row: &HookRow) -> Option<Validator> {
    etag.cloned().zip(row.etag_token.clone())
}

fn names(deliveries: &[RemoteDelivery]) -> Vec<DeliveryId> {
    let guids: HashSet<DeliveryId> = deliveries.iter().filter_map(|it| it.guid.parse().ok()).collect();
    guids.into_iter().collect()
}

/// A delivery that did not come, and whose it is.
struct Missing {
    delivery: RemoteDelivery,
    guid: DeliveryId,
    repo: Option<RepoId>,
}

/// Those that never came, of repositories that are tracked, by the newest attempt at each.
async fn choose(
    engine: &Engine,
    deliveries: &mut Vec<RemoteDelivery>,
    tracked: &[TrackedRepo],
) -> store::Result<Vec<Missing>> {
    let guids = names(deliveries);
    if guids.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = engine.db.read_once().await?;
    let unknown: HashSet<DeliveryId> = deliveries::list_unknown(&mut tx, &guids).await?.into_iter().collect();
    drop(tx);
    let is_whole = tracked.iter().all(|repo| repo.github_id.is_some());
    let by_number: HashMap<i64, &RepoId> =
        tracked.iter().filter_map(|repo| Some((repo.github_id?, &repo.id))).collect();
    deliveries.sort_by_key(|delivery| std::cmp::Reverse(delivery.id));
    let mut missing: BTreeMap<DeliveryId, Missing> = BTreeMap::new();
    for delivery in deliveries.drain(..) {
        let Ok(guid) = delivery.guid.parse::<DeliveryId>() else { continue };
        let Some(number) = delivery.repository.filter(|_| unknown.contains(&guid)) else { continue };
        let repo = match (by_number.get(&number), tracked) {
            (Some(repo), _) => Some((*repo).clone()),
            // The webhook of a repository tells of that one alone.
            (None, [only]) if only.github_id.is_none() => Some(only.id.clone()),
            (None, _) if is_whole => continue,
            (None, _) => None,
        };
        missing.entry(guid.clone()).or_insert(Missing { delivery, guid, repo });
    }
    Ok(missing.into_values().collect())
}

/// Asks for each; of repositories that miss many, notes that they are read instead, and gives these.
async fn mend_all(
    engine: &Engine,
    source: &HookSource,
    name: &str,
    missing: Vec<Missing>,
    now: Timestamp,
) -> store::Result<HashSet<Option<RepoId>>> {
    let mut of_repo: HashMap<Option<RepoId>, usize> = HashMap::new();
    for one in missing.iter().filter(|one| !leaves_no_trace(&one.delivery)) {
        *of_repo.entry(one.repo.clone()).or_default() += 1;
    }
    let rows: Vec<Missed> = missing
        .into_iter()
        .map(|Missing { delivery, guid, repo }| {
            let many = of_repo.get(&repo).is_some_and(|count| *count > FEW) && !leaves_no_trace(&delivery);
            let state = if many { Remedy::Read } else { Remedy::Asked };
            let (source, event) = (name.to_owned(), delivery.event);
            Missed {
                guid,
                source,
                repository_id: repo,
                delivery_id: delivery.id,
                event,
                state,
                asked_at: now,
            }
        })
        .collect();
    let mut tx = engine.db.write().await?;
    let noted: HashSet<DeliveryId> = hooks::note_missed(&mut tx, &rows).await?.into_iter().collect();
    tx.commit().await?;
    let new = |row: &&Missed| noted.contains(&row.guid);
    for row in rows.iter().filter(&new).filter(|row| row.state == Remedy::Asked) {
        // Noted before it is asked for: if that does not work, the next look takes it from GitHub's record.
        if let Err(error) = engine.github.redeliver(source, row.delivery_id).await {
            tracing::debug!(guid = %row.guid, %error, "GitHub was not asked to deliver again");
        }
    }
    if !noted.is_empty() {
        tracing::info!(webhook = name, missed = noted.len(), "deliveries did not come; they are made up for");
    }
    let read = rows.iter().filter(new).filter(|row| row.state == Remedy::Read);
    Ok(read.map(|row| row.repository_id.clone()).collect())
}

/// What went is found by no read of what changed.
fn leaves_no_trace(delivery: &RemoteDelivery) -> bool {
    matches!(delivery.action.as_deref(), Some("deleted" | "transferred"))
}

/// GitHub showed nothing: if that is because we may not see it, this is said once and tried again tomorrow.
async fn refused(
    engine: &Engine,
    mut row: HookRow,
    error: &github::Error,
    source: &HookSource,
) -> store::Result<()> {
    let whose = row_name(source);
    let Some(words) = refusal(error, *source == HookSource::App) else {
        tracing::debug!(webhook = whose, %error, "deliveries could not be looked at");
        return Ok(());
    };
    if row.refused.as_deref() != Some(words) {
        tracing::warn!(webhook = whose, "missed deliveries cannot be looked for: {words}");
    }
    row.refused = Some(words.to_owned());
    row.looked_at = Some(engine.clock.now());
    // One that was taken away on GitHub is looked for anew.
    row.hook_id = None;
    write(engine, &row).await
}

fn row_name(source: &HookSource) -> String {
    match source {
        HookSource::App => "the App's".to_owned(),
        HookSource::Repo(repo, _) => RepoName::to_string(repo),
    }
}

async fn write(engine: &Engine, row: &HookRow) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    hooks::upsert(&mut tx, row).await?;
    tx.commit().await
}
