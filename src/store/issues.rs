//! `issues`: writing the mirror. Reads for lists are in `issue_list`.

use std::{borrow::Cow, collections::HashMap};

use sqlx::types::Json;

use crate::{
    domain::{
        claim::stops_the_clock,
        event::Change,
        ids::{IssueId, IssueNumber, RepoId},
        issue::{Derived, IssueState, RemoteIssue},
        labels::Status,
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx, db::Dialect},
};

/// Nobody works on the issue, and nothing waits to be written there, or for an operator's word on it.
macro_rules! at_rest {
    ($issue:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM claims c WHERE c.issue_id = ",
            $issue,
            ".id AND c.ended_at IS NULL)
             AND NOT EXISTS (SELECT 1 FROM label_edits e WHERE e.issue_id = ",
            $issue,
            ".id AND e.state IN ('pending', 'parked'))
             AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.issue_id = ",
            $issue,
            ".id AND o.state IN ('pending', 'parked'))"
        )
    };
}

/// What the cache knows of an issue before a page is applied to it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Known {
    pub id: IssueId,
    pub number: IssueNumber,
    pub github_id: i64,
    pub updated_at: Timestamp,
    pub content_hash: String,
    pub state: IssueState,
    /// -1: to be listed anew.
    pub listed_blockers: i64,
    /// As GitHub listed them last, and as Dispatch showed them.
    pub github_labels: Json<Vec<String>>,
    pub labels: Json<Vec<String>>,
    pub current_lane: Option<String>,
    pub removed_at: Option<Timestamp>,
}

/// An issue to be written: what GitHub said, and what follows from it.
#[derive(Clone, Debug)]
pub struct IssueWrite<'a> {
    /// Used when the issue is new.
    pub id: IssueId,
    /// With our edits on top.
    pub issue: Cow<'a, RemoteIssue>,
    pub content_hash: String,
    pub derived: Derived,
    /// How many blockers GitHub counted when it was last asked to list them.
    pub listed_blockers: i64,
}

/// The cached issues of these numbers, removed ones included.
pub async fn known(
    tx: &mut ReadTx,
    repo: &RepoId,
    numbers: &[IssueNumber],
) -> Result<HashMap<IssueNumber, Known>> {
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = tx.build(
        "SELECT id, number, github_id, updated_at, content_hash, state, listed_blockers, github_labels, labels,
            current_lane, removed_at
         FROM issues WHERE repository_id = ",
    );
    sql.push_bind(repo).push(" AND number IN ").push_list(numbers.iter().copied());
    let rows: Vec<Known> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|row| (row.number, row)).collect())
}

/// Inserts or refreshes issues in one statement. An older copy never overwrites a newer one, unless the
/// number belongs to another issue now (the name was taken over by a new repository). Columns of ours stay.
pub async fn upsert(
    tx: &mut WriteTx,
    repo: &RepoId,
    writes: &[IssueWrite<'_>],
    now: Timestamp,
) -> Result<u64> {
    if writes.is_empty() {
        return Ok(0);
    }
    let mut sql = tx.build(
        "INSERT INTO issues (id, repository_id, number, github_id, title, body, state, url, assignees, comments,
            created_at, updated_at, closed_at, synced_at, content_hash, github_labels, labels, label_keys,
            status, priority, agent, excluded, shown, rests, automated, lane, lane_closed, listed_blockers, ready_at,
            review_at) VALUES ",
    );
    let since = |derived: &Derived, status| (derived.status == Some(status)).then_some(now);
    for (n, IssueWrite { id, issue, content_hash, derived, listed_blockers }) in writes.iter().enumerate() {
        sql.push(if n == 0 { "(" } else { ", (" }).push_bind(id);
        sql.push(", ").push_bind(repo);
        sql.push(", ").push_bind(issue.number);
        sql.push(", ").push_bind(issue.github_id);
        sql.push(", ").push_bind(issue.title.as_str());
        sql.push(", ").push_bind(issue.body.as_deref());
        sql.push(", ").push_bind(issue.state);
        sql.push(", ").push_bind(issue.url.as_str());
        sql.push(", ").push_bind(Json(&issue.assignees));
        sql.push(", ").push_bind(issue.comments);
        sql.push(", ").push_bind(issue.created_at);
        sql.push(", ").push_bind(issue.updated_at);
        sql.push(", ").push_bind(issue.closed_at);
        sql.push(", ").push_bind(now);
        sql.push(", ").push_bind(content_hash.as_str());
        sql.push(", ").push_bind(Json(&issue.labels));
        sql.push(", ").push_bind(Json(&derived.labels));
        sql.push(", ").push_bind(Json(keys(&derived.labels)));
        sql.push(", ").push_bind(derived.status);
        sql.push(", ").push_bind(derived.priority);
        sql.push(", ").push_bind(derived.agent.as_deref());
        sql.push(", ").push_bind(derived.excluded);
        // A read goes on when its repository is tracked no more.
        sql.push(", (").push_bind(derived.shown);
        sql.push(" AND (SELECT tracked FROM repositories WHERE id = ").push_bind(repo).push("))");
        sql.push(", ").push_bind(derived.rests);
        sql.push(", ").push_bind(derived.automated);
        sql.push(", ").push_bind(derived.lane.as_str());
        sql.push(", ").push_bind(derived.lane_closed);
        sql.push(", ").push_bind(*listed_blockers);
        sql.push(", ").push_bind(since(derived, Status::Ready));
        sql.push(", ").push_bind(since(derived, Status::InReview)).push(")");
    }
    sql.push(
        " ON CONFLICT (repository_id, number) DO UPDATE SET
            github_id = excluded.github_id, title = excluded.title, body = excluded.body, state = excluded.state,
            url = excluded.url, assignees = excluded.assignees, comments = excluded.comments,
            created_at = excluded.created_at, updated_at = excluded.updated_at, closed_at = excluded.closed_at,
            synced_at = excluded.synced_at, content_hash = excluded.content_hash,
            github_labels = excluded.github_labels, labels = excluded.labels, label_keys = excluded.label_keys,
            status = excluded.status, priority = excluded.priority, agent = excluded.agent,
            excluded = excluded.excluded, shown = excluded.shown, rests = excluded.rests,
            automated = excluded.automated, lane = excluded.lane, lane_closed = excluded.lane_closed,
            listed_blockers = excluded.listed_blockers,
            clock_from = CASE WHEN issues.status IN ('in-review', 'blocked')
                AND (excluded.status IS NULL OR excluded.status NOT IN ('in-review', 'blocked'))
                THEN excluded.synced_at ELSE issues.clock_from END,
            ready_at = CASE WHEN excluded.status = 'ready' AND COALESCE(issues.status, '') <> 'ready'
                THEN excluded.synced_at ELSE issues.ready_at END,
            review_at = CASE WHEN excluded.status = 'in-review' AND COALESCE(issues.status, '') <> 'in-review'
                THEN excluded.synced_at ELSE issues.review_at END,
            removed_at = NULL
          WHERE excluded.updated_at >= issues.updated_at OR excluded.github_id <> issues.github_id",
    );
    let written = writes.iter().map(|write| Change::Issue(write.id.clone()));
    sql.done().about(written).execute().await
}

fn keys(labels: &[String]) -> Vec<String> {
    labels.iter().map(|label| label.to_lowercase()).collect()
}

/// An issue that a read did not see although it covers the time of its last change.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Unseen {
    pub id: IssueId,
    pub number: IssueNumber,
    pub url: String,
}

/// Cached issues last changed in `after..=until` (both by GitHub's clock), removed ones apart.
pub async fn list_in_window(
    tx: &mut ReadTx,
    repo: &RepoId,
    after: Timestamp,
    until: Timestamp,
) -> Result<Vec<Unseen>> {
    tx.query(
        "SELECT id, number, url FROM issues
         WHERE repository_id = $1 AND updated_at > $2 AND updated_at <= $3 AND removed_at IS NULL
         ORDER BY number",
    )
    .bind(repo)
    .bind(after)
    .bind(until)
    .fetch_all()
    .await
}

/// Cached issues that GitHub should list: open ones, and those closed at or after `cutoff`.
pub async fn list_present(tx: &mut ReadTx, repo: &RepoId, cutoff: Timestamp) -> Result<Vec<Unseen>> {
    tx.query(
        "SELECT id, number, url FROM issues
         WHERE repository_id = $1 AND removed_at IS NULL AND (state = 'open' OR closed_at >= $2) ORDER BY number",
    )
    .bind(repo)
    .bind(cutoff)
    .fetch_all()
    .await
}

/// The issue is no longer at GitHub under this repository.
pub async fn remove(tx: &mut WriteTx, issue: &IssueId, now: Timestamp) -> Result<bool> {
    let removed = tx
        .query(
            "UPDATE issues SET removed_at = $1, synced_at = $2, shown = FALSE
             WHERE id = $3 AND removed_at IS NULL",
        )
        .bind(now)
        .bind(now)
        .bind(issue)
        .about([Change::Issue(issue.clone())])
        .execute()
        .await?;
    Ok(removed == 1)
}

/// The cache knows nothing of an issue that is newer than `at`, and nothing older counts.
pub async fn outdate(tx: &mut WriteTx, issue: &IssueId, at: Timestamp) -> Result<()> {
    tx.query("UPDATE issues SET updated_at = $1 WHERE id = $2 AND updated_at < $3")
        .bind(at)
        .bind(issue)
        .bind(at)
        .unheard()
        .execute()
        .await?;
    Ok(())
}

/// What an issue waits for by GitHub's word may be another than was listed: a read that sees it lists anew.
pub async fn unlist_blockers(tx: &mut WriteTx, issue: &IssueId) -> Result<()> {
    tx.query("UPDATE issues SET listed_blockers = -1 WHERE id = $1").bind(issue).unheard().execute().await?;
    Ok(())
}

/// Waits until nobody else brings new issues into a repository. SQLite has one writer anyway.
pub async fn turn_to_add(tx: &mut WriteTx, repo: &RepoId) -> Result<()> {
    if tx.dialect() == Dialect::Postgres {
        let _: (i32,) = tx
            .query("SELECT 1 FROM (SELECT pg_advisory_xact_lock(7216406, hashtext($1))) AS held")
            .bind(repo)
            .fetch_one()
            .await?;
    }
    Ok(())
}

/// What derived columns are computed from, claims and edits apart.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Source {
    pub id: IssueId,
    pub number: IssueNumber,
    pub title: String,
    pub body: Option<String>,
    pub state: IssueState,
    pub github_labels: Json<Vec<String>>,
    pub current_lane: Option<String>,
}

/// A batch of a repository's issues in the order of their ids, for deriving their columns anew.
pub async fn list_sources(
    tx: &mut ReadTx,
    repo: &RepoId,
    after: Option<&IssueId>,
    limit: i64,
) -> Result<Vec<Source>> {
    tx.query(
        "SELECT id, number, title, body, state, github_labels, current_lane FROM issues
         WHERE repository_id = $1 AND id > $2 AND removed_at IS NULL ORDER BY id LIMIT $3",
    )
    .bind(repo)
    .bind(after.map_or("", |id| id.0.as_str()))
    .bind(limit)
    .fetch_all()
    .await
}

/// Writes the derived columns of one issue; it is shown only while its repository is tracked.
pub async fn rederive(tx: &mut WriteTx, issue: &IssueId, derived: &Derived, now: Timestamp) -> Result<()> {
    tx.query(
        "UPDATE issues SET labels = $1, label_keys = $2, priority = $3, agent = $4, excluded = $5,
            shown = ($6 AND (SELECT r.tracked FROM repositories r WHERE r.id = issues.repository_id)),
            rests = $7, automated = $8, lane = $9, lane_closed = $10,
            clock_from = CASE WHEN status IN ('in-review', 'blocked') AND $11 THEN $12 ELSE clock_from END,
            ready_at = CASE WHEN COALESCE(status, '') <> 'ready' AND $13 THEN $14 ELSE ready_at END,
            review_at = CASE WHEN COALESCE(status, '') <> 'in-review' AND $15 THEN $16 ELSE review_at END,
            status = $17
         WHERE id = $18",
    )
    .bind(Json(&derived.labels))
    .bind(Json(keys(&derived.labels)))
    .bind(derived.priority)
    .bind(derived.agent.as_deref())
    .bind(derived.excluded)
    .bind(derived.shown)
    .bind(derived.rests)
    .bind(derived.automated)
    .bind(derived.lane.as_str())
    .bind(derived.lane_closed)
    .bind(!stops_the_clock(derived.status))
    .bind(now)
    .bind(derived.status == Some(Status::Ready))
    .bind(now)
    .bind(derived.status == Some(Status::InReview))
    .bind(now)
    .bind(derived.status)
    .bind(issue)
    .about([Change::Issue(issue.clone())])
    .execute()
    .await?;
    Ok(())
}

/// Why it is blocked, or that it is not.
pub async fn set_blocked_reason(tx: &mut WriteTx, issue: &IssueId, reason: Option<&str>) -> Result<()> {
    tx.query("UPDATE issues SET blocked_reason = $1 WHERE id = $2")
        .bind(reason)
        .bind(issue)
        .about([Change::Issue(issue.clone())])
        .execute()
        .await?;
    Ok(())
}

/// Shows or hides the issues of a repository that is tracked again, or no more.
pub async fn show(tx: &mut WriteTx, repo: &RepoId, tracked: bool) -> Result<u64> {
    // One statement over many rows locks them in any order; others lock by id.
    if tx.dialect() == Dialect::Postgres {
        tx.query("SELECT id FROM issues WHERE repository_id = $1 ORDER BY id FOR UPDATE")
            .bind(repo)
            .execute()
            .await?;
    }
    tx.query(
        "UPDATE issues SET shown = ($1 AND state = 'open' AND excluded = FALSE AND removed_at IS NULL)
         WHERE repository_id = $2",
    )
    .bind(tracked)
    .bind(repo)
    .about([Change::IssuesOf(repo.clone())])
    .execute()
    .await
}

/// Issues that closed or vanished before `cutoff`, that nobody works on and that nothing is on its way for.
pub async fn list_old(tx: &mut ReadTx, cutoff: Timestamp, limit: i64) -> Result<Vec<IssueId>> {
    let mut old: Vec<(IssueId,)> = tx
        .query(concat!(
            "SELECT i.id FROM issues i WHERE i.state = 'closed' AND i.closed_at < $1 AND ",
            at_rest!("i"),
            " ORDER BY i.closed_at, i.id LIMIT $2"
        ))
        .bind(cutoff)
        .bind(limit)
        .fetch_all()
        .await?;
    let vanished: Vec<(IssueId,)> = tx
        .query(concat!(
            "SELECT i.id FROM issues i WHERE i.removed_at IS NOT NULL AND i.removed_at < $1 AND ",
            at_rest!("i"),
            " ORDER BY i.removed_at, i.id LIMIT $2"
        ))
        .bind(cutoff)
        .bind(limit)
        .fetch_all()
        .await?;
    old.extend(vanished);
    let mut ids: Vec<IssueId> = old.into_iter().map(|(id,)| id).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Forgets those of them that are old and at rest still. Claims that ended stay, without their issue. Call it with the
/// issues locked.
pub async fn forget(tx: &mut WriteTx, issues: &[IssueId], cutoff: Timestamp) -> Result<u64> {
    if issues.is_empty() {
        return Ok(0);
    }
    // What they were when they were listed they may be no more.
    let mut sql = tx.build("SELECT i.id FROM issues i WHERE i.id IN ");
    sql.push_list(issues).push(" AND (i.state = 'closed' AND i.closed_at < ").push_bind(cutoff);
    sql.push(" OR i.removed_at IS NOT NULL AND i.removed_at < ").push_bind(cutoff);
    sql.push(concat!(") AND ", at_rest!("i")));
    let old: Vec<(IssueId,)> = sql.done().fetch_all().await?;
    let issues: Vec<IssueId> = old.into_iter().map(|(id,)| id).collect();
    if issues.is_empty() {
        return Ok(0);
    }
    let mut sql = tx.build("UPDATE claims SET issue_id = NULL WHERE ended_at IS NOT NULL AND issue_id IN ");
    sql.push_list(&issues);
    sql.done().execute().await?;
    let mut sql = tx.build("DELETE FROM issues WHERE id IN ");
    sql.push_list(&issues);
    sql.done().execute().await
}
