//! `label_edits`: labels that Dispatch wants there or gone. A row is the outbox until it is settled, and lies
//! over the cache until a read that began later has told what GitHub thinks.

use std::collections::HashMap;

use crate::{
    domain::{
        event::Change,
        ids::{InstanceId, IssueId, IssueNumber, OutboxId, RepoId},
        labels::LabelEdit,
        outbox::Try,
        repo::RepoName,
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

#[derive(sqlx::FromRow)]
struct OverlayRow {
    issue_id: IssueId,
    label: String,
    wanted: bool,
    settled_at: Option<Timestamp>,
}

/// The edits that lie over some issues.
#[derive(Debug, Default)]
pub struct Overlays {
    edits: HashMap<IssueId, Vec<LabelEdit>>,
    /// When the first of them was settled.
    settled: Option<Timestamp>,
}

impl Overlays {
    /// Those of one issue; they are its no more.
    pub fn take(&mut self, issue: &IssueId) -> Vec<LabelEdit> {
        self.edits.remove(issue).unwrap_or_default()
    }
}

/// What lies over these issues for a read that began at `began`: unsettled edits, and those settled since.
pub async fn overlays(tx: &mut ReadTx, issues: &[IssueId], began: Timestamp) -> Result<Overlays> {
    let mut overlays = Overlays::default();
    if issues.is_empty() {
        return Ok(overlays);
    }
    let mut sql = tx.build("SELECT issue_id, label, wanted, settled_at FROM label_edits WHERE state IN ('pending', 'settled') AND issue_id IN ");
    sql.push_list(issues).push(" ORDER BY issue_id, created_at, label_key");
    let rows: Vec<OverlayRow> = sql.done().fetch_all().await?;
    for row in rows {
        match row.settled_at {
            Some(at) if at < began => {
                overlays.settled = Some(overlays.settled.map_or(at, |other| other.min(at)));
            }
            _ => {
                let edit = LabelEdit { label: row.label, wanted: row.wanted };
                overlays.edits.entry(row.issue_id).or_default().push(edit);
            }
        }
    }
    Ok(overlays)
}

/// A read that began at `began` was applied to these issues: edits settled before it have done their work.
pub async fn forget_settled(
    tx: &mut WriteTx,
    overlays: &Overlays,
    issues: &[IssueId],
    began: Timestamp,
) -> Result<()> {
    if overlays.settled.is_none() {
        return Ok(());
    }
    let mut sql = tx.build("DELETE FROM label_edits WHERE state = 'settled' AND settled_at < ");
    sql.push_bind(began).push(" AND issue_id IN ").push_list(issues);
    sql.done().unheard().execute().await?;
    Ok(())
}

/// An issue with settled edits, and when the first and the last of them were settled.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Settled {
    pub issue_id: IssueId,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// The issues of a repository that settled edits still lie over, edits of fields included.
pub async fn list_settled(tx: &mut ReadTx, repo: &RepoId) -> Result<Vec<Settled>> {
    tx.query(
        "SELECT issue_id, min(settled_at) AS first, max(settled_at) AS last FROM (
            SELECT e.issue_id, e.settled_at FROM label_edits e JOIN issues i ON i.id = e.issue_id
            WHERE e.state = 'settled' AND i.repository_id = $1
            UNION ALL SELECT issue_id, settled_at FROM outbox
            WHERE lies_over = TRUE AND settled_at IS NOT NULL AND repository_id = $2) AS settled
         GROUP BY issue_id ORDER BY issue_id",
    )
    .bind(repo)
    .bind(repo)
    .fetch_all()
    .await
}

/// The edits of an issue that GitHub took and no read has told of yet.
pub async fn list_settled_of(tx: &mut ReadTx, issue: &IssueId) -> Result<Vec<LabelEdit>> {
    let rows: Vec<(String, bool)> = tx
        .query("SELECT label, wanted FROM label_edits WHERE issue_id = $1 AND state = 'settled'")
        .bind(issue)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(label, wanted)| LabelEdit { label, wanted }).collect())
}

/// Edits of an issue that GitHub does not have, and whether it refuses them.
pub async fn list_unsettled(tx: &mut ReadTx, issue: &IssueId) -> Result<Vec<(LabelEdit, bool)>> {
    let rows: Vec<(String, bool, String)> = tx
        .query(
            "SELECT label, wanted, state FROM label_edits WHERE issue_id = $1 AND state IN ('pending', 'parked')
             ORDER BY label_key",
        )
        .bind(issue)
        .fetch_all()
        .await?;
    let edit =
        |(label, wanted, state): (String, bool, String)| (LabelEdit { label, wanted }, state == "parked");
    Ok(rows.into_iter().map(edit).collect())
}

/// The repositories in which settled edits still lie over something, edits of fields included.
pub async fn list_settled_repos(tx: &mut ReadTx) -> Result<Vec<RepoName>> {
    let rows: Vec<(RepoName,)> = tx
        .query(
            "SELECT DISTINCT r.full_name FROM label_edits e JOIN issues i ON i.id = e.issue_id
             JOIN repositories r ON r.id = i.repository_id WHERE e.state = 'settled'
             UNION SELECT r.full_name FROM outbox o JOIN repositories r ON r.id = o.repository_id
             WHERE o.lies_over = TRUE AND o.settled_at IS NOT NULL",
        )
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// Forgets the edits of an issue that were settled before.
pub async fn forget(tx: &mut WriteTx, issue: &IssueId, before: Timestamp) -> Result<u64> {
    tx.query("DELETE FROM label_edits WHERE issue_id = $1 AND state = 'settled' AND settled_at < $2")
        .bind(issue)
        .bind(before)
        .execute()
        .await
}

/// Records wishes, each with an id of its own; a newer wish for a label takes the place of the older one.
pub async fn wish(
    tx: &mut WriteTx,
    issue: &IssueId,
    edits: &[(OutboxId, LabelEdit)],
    now: Timestamp,
) -> Result<()> {
    if edits.is_empty() {
        return Ok(());
    }
    let mut sql = tx.build(
        "INSERT INTO label_edits (id, issue_id, label_key, label, wanted, version, state, next_try_at, created_at)
         VALUES ",
    );
    for (n, (id, edit)) in edits.iter().enumerate() {
        sql.push(if n == 0 { "(" } else { ", (" }).push_bind(id);
        sql.push(", ").push_bind(issue);
        sql.push(", ").push_bind(edit.key());
        sql.push(", ").push_bind(edit.label.as_str());
        sql.push(", ").push_bind(edit.wanted);
        sql.push(", 1, 'pending', ").push_bind(now);
        sql.push(", ").push_bind(now).push(")");
    }
    sql.push(
        " ON CONFLICT (issue_id, label_key) DO UPDATE SET label = excluded.label, wanted = excluded.wanted,
            version = label_edits.version + 1, state = 'pending', settled_at = NULL, attempts = 0,
            next_try_at = excluded.next_try_at, error = NULL, created_at = excluded.created_at",
    );
    sql.done().about([Change::Outbox(issue.clone())]).execute().await?;
    Ok(())
}

/// An issue with edits that are due.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Due {
    pub issue_id: IssueId,
    pub number: IssueNumber,
    pub full_name: RepoName,
    /// GitHub's own number of the repository.
    pub github_id: Option<i64>,
    pub since: Timestamp,
}

/// Issues with edits that may be sent now, those that wait longest first; none of which a living process sends edits.
pub async fn list_due(tx: &mut ReadTx, now: Timestamp, limit: i64) -> Result<Vec<Due>> {
    tx.query(
        "SELECT e.issue_id, i.number, r.full_name, r.github_id, min(e.next_try_at) AS since FROM label_edits e
         JOIN issues i ON i.id = e.issue_id JOIN repositories r ON r.id = i.repository_id
         WHERE e.state = 'pending' AND e.next_try_at <= $1
           AND NOT EXISTS (SELECT 1 FROM label_edits other JOIN instances x ON x.id = other.sender
                           WHERE other.issue_id = e.issue_id AND other.sending_until > $2)
         GROUP BY e.issue_id, i.number, r.full_name, r.github_id
         ORDER BY min(e.next_try_at), e.issue_id LIMIT $3",
    )
    .bind(now)
    .bind(now)
    .bind(limit)
    .fetch_all()
    .await
}

/// One issue, wherever its edits stand; `now` stands for since when they are due.
pub async fn find_due(tx: &mut ReadTx, issue: &IssueId, now: Timestamp) -> Result<Option<Due>> {
    tx.query(
        "SELECT i.id AS issue_id, i.number, r.full_name, r.github_id, $1 AS since FROM issues i
         JOIN repositories r ON r.id = i.repository_id WHERE i.id = $2",
    )
    .bind(now)
    .bind(issue)
    .fetch_optional()
    .await
}

/// An edit that is being sent.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Sending {
    pub label: String,
    pub label_key: String,
    pub wanted: bool,
    /// This process; another may have taken the edit over since.
    pub sender: InstanceId,
    pub version: i64,
    pub attempts: i64,
}

/// Takes the pending edits of an issue for sending by this process, until `until`; none when a living process sends
/// any. Call it with the issue locked.
pub async fn take(
    tx: &mut WriteTx,
    issue: &IssueId,
    sender: &InstanceId,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Sending>> {
    let mut taken: Vec<Sending> = tx
        .query(
            "UPDATE label_edits SET sending_until = $1, sender = $2, attempts = attempts + 1
             WHERE issue_id = $3 AND state = 'pending' AND next_try_at <= $4
               AND NOT EXISTS (SELECT 1 FROM label_edits other JOIN instances x ON x.id = other.sender
                               WHERE other.issue_id = label_edits.issue_id AND other.sending_until > $5)
             RETURNING label, label_key, wanted, sender, version, attempts",
        )
        .bind(until)
        .bind(sender)
        .bind(issue)
        .bind(now)
        .bind(now)
        .about([Change::Outbox(issue.clone())])
        .fetch_all()
        .await?;
    taken.sort_unstable_by(|one, other| one.label_key.cmp(&other.label_key));
    Ok(taken)
}

/// Goes on holding an edit until `until`; false when another process has it by now, or it is wanted no more as it was
/// taken.
pub async fn hold(tx: &mut WriteTx, issue: &IssueId, sending: &Sending, until: Timestamp) -> Result<bool> {
    let held = tx
        .query(
            "UPDATE label_edits SET sending_until = $1
             WHERE issue_id = $2 AND label_key = $3 AND sender = $4 AND version = $5 AND state = 'pending'
               AND sending_until IS NOT NULL",
        )
        .bind(until)
        .bind(issue)
        .bind(sending.label_key.as_str())
        .bind(&sending.sender)
        .bind(sending.version)
        .unheard()
        .execute()
        .await?;
    Ok(held == 1)
}

/// GitHub has it; a wish that changed meanwhile stays pending.
pub async fn settle(tx: &mut WriteTx, issue: &IssueId, sent: &Sending, now: Timestamp) -> Result<()> {
    tx.query(
        "UPDATE label_edits SET error = NULL,
            sending_until = CASE WHEN sender = $1 THEN NULL ELSE sending_until END,
            state = CASE WHEN version = $2 THEN 'settled' ELSE state END,
            settled_at = CASE WHEN version = $3 THEN $4 ELSE settled_at END
         WHERE issue_id = $5 AND label_key = $6",
    )
    .bind(&sent.sender)
    .bind(sent.version)
    .bind(sent.version)
    .bind(now)
    .bind(issue)
    .bind(sent.label_key.as_str())
    .about([Change::Outbox(issue.clone())])
    .execute()
    .await?;
    Ok(())
}

/// It did not work: tried again at `next_try_at`. A wish that changed meanwhile does not wait for that.
pub async fn put_off(
    tx: &mut WriteTx,
    issue: &IssueId,
    sent: &Sending,
    (error, tried): (&str, Try),
    next_try_at: Timestamp,
) -> Result<()> {
    tx.query(
        "UPDATE label_edits SET sending_until = NULL,
            error = CASE WHEN version = $1 AND state = 'pending' THEN $2 ELSE error END,
            next_try_at = CASE WHEN version = $3 THEN $4 ELSE next_try_at END,
            attempts = CASE WHEN version = $5 AND attempts > 0 THEN attempts - $6 ELSE attempts END
         WHERE issue_id = $7 AND label_key = $8 AND sender = $9",
    )
    .bind(sent.version)
    .bind(error)
    .bind(sent.version)
    .bind(next_try_at)
    .bind(sent.version)
    .bind(tried.given_back())
    .bind(issue)
    .bind(sent.label_key.as_str())
    .bind(&sent.sender)
    .about([Change::Outbox(issue.clone())])
    .execute()
    .await?;
    Ok(())
}

/// It can never work: kept with the reason, no part of the overlay any more.
pub async fn park(tx: &mut WriteTx, issue: &IssueId, error: &str) -> Result<u64> {
    tx.query(
        "UPDATE label_edits SET sending_until = NULL, error = $1, state = 'parked'
         WHERE issue_id = $2 AND state = 'pending'",
    )
    .bind(error)
    .bind(issue)
    .about([Change::Outbox(issue.clone())])
    .execute()
    .await
}

/// As [`park`], but one edit only, and not if it changed meanwhile.
pub async fn park_one(tx: &mut WriteTx, issue: &IssueId, sent: &Sending, error: &str) -> Result<u64> {
    tx.query(
        "UPDATE label_edits SET sending_until = NULL, error = $1, state = 'parked'
         WHERE issue_id = $2 AND label_key = $3 AND version = $4 AND state = 'pending'",
    )
    .bind(error)
    .bind(issue)
    .bind(sent.label_key.as_str())
    .bind(sent.version)
    .execute()
    .await
}

/// Parks what waits to be written in a repository.
pub async fn park_of_repo(tx: &mut WriteTx, repo: &RepoId, error: &str) -> Result<u64> {
    tx.query(
        "UPDATE label_edits SET sending_until = NULL, error = $1, state = 'parked'
         WHERE state = 'pending' AND issue_id IN (SELECT id FROM issues WHERE repository_id = $2)",
    )
    .bind(error)
    .bind(repo)
    .execute()
    .await
}

/// An edit that waits, and how often it went out.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Waiting {
    pub label: String,
    pub wanted: bool,
    pub attempts: i64,
}

/// `status/done` and what is to make room for it, as far as it waits.
pub async fn list_done(tx: &mut ReadTx, issue: &IssueId) -> Result<Vec<Waiting>> {
    tx.query(
        "SELECT label, wanted, attempts FROM label_edits WHERE issue_id = $1 AND state = 'pending'
            AND (label_key = 'status/done' OR wanted = FALSE AND label_key LIKE 'status/%') ORDER BY label_key",
    )
    .bind(issue)
    .fetch_all()
    .await
}

/// Forgets those of [`list_done`] that never went out.
pub async fn withdraw_done(tx: &mut WriteTx, issue: &IssueId) -> Result<u64> {
    tx.query(
        "DELETE FROM label_edits WHERE issue_id = $1 AND state = 'pending' AND attempts = 0
            AND (label_key = 'status/done' OR wanted = FALSE AND label_key LIKE 'status/%')",
    )
    .bind(issue)
    .execute()
    .await
}

/// Issues with edits that were settled long ago, where GitHub has confirmed the repository since; and when it did. An
/// edit that changed something there went with the read that told so, and what is left changed nothing.
pub async fn list_old(tx: &mut ReadTx, before: Timestamp, limit: i64) -> Result<Vec<(IssueId, Timestamp)>> {
    tx.query(
        "SELECT DISTINCT e.issue_id, s.confirmed_at FROM label_edits e
         JOIN issues i ON i.id = e.issue_id JOIN sync_state s ON s.repository_id = i.repository_id
         WHERE e.state = 'settled' AND e.settled_at < $1 AND s.confirmed_at > e.settled_at LIMIT $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all()
    .await
}

/// Forgets what operators gave up long ago.
pub async fn prune_discarded(tx: &mut WriteTx, before: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM label_edits WHERE (issue_id, label_key) IN (
            SELECT issue_id, label_key FROM label_edits WHERE state = 'discarded' AND settled_at < $1 LIMIT $2)",
    )
    .bind(before)
    .bind(limit)
    .unheard()
    .execute()
    .await
}
