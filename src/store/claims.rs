//! `claims`, `claim_history` and `fences`: who works on what.

use std::collections::HashMap;

use crate::{
    domain::{
        claim::{Checkpoint, Claim, EndReason, Fence, Terms, WorkState},
        event::Change,
        ids::{AgentName, ClaimId, IssueId, RepoId},
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx, db::Dialect},
};

pub(super) const COLUMNS: &str = "c.id, c.fence, c.agent_name, c.issue_id, c.terms, c.state, c.checkpoint, c.started, c.worked_at, c.run_id,
    c.branch, c.pr_url, c.summary, c.blocker, c.created_at, c.renewed_at, c.expires_at, c.ended_at, c.end_reason";

#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Row {
    id: ClaimId,
    fence: Fence,
    agent_name: AgentName,
    issue_id: Option<IssueId>,
    terms: Terms,
    state: WorkState,
    checkpoint: Checkpoint,
    started: bool,
    worked_at: Option<Timestamp>,
    run_id: Option<String>,
    branch: Option<String>,
    pr_url: Option<String>,
    summary: Option<String>,
    blocker: Option<String>,
    created_at: Timestamp,
    renewed_at: Timestamp,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
    end_reason: Option<EndReason>,
}

impl From<Row> for Claim {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            fence: row.fence,
            agent: row.agent_name,
            issue: row.issue_id,
            terms: row.terms,
            state: row.state,
            checkpoint: row.checkpoint,
            started: row.started,
            worked_at: row.worked_at,
            run: row.run_id,
            branch: row.branch,
            pr_url: row.pr_url,
            summary: row.summary,
            blocker: row.blocker,
            created_at: row.created_at,
            renewed_at: row.renewed_at,
            expires_at: row.expires_at,
            ended_at: row.ended_at,
            end_reason: row.end_reason,
        }
    }
}

/// A fence that nobody had before; those given out earlier are smaller.
pub async fn next_fence(tx: &mut WriteTx, now: Timestamp) -> Result<Fence> {
    let (fence,): (Fence,) =
        tx.query("INSERT INTO fences (at) VALUES ($1) RETURNING fence").bind(now).fetch_one().await?;
    Ok(fence)
}

/// Forgets fences that were given out long ago; the counter itself never goes back.
pub async fn prune_fences(tx: &mut WriteTx, before: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM fences WHERE fence IN (SELECT fence FROM fences WHERE at < $1 ORDER BY fence LIMIT $2)",
    )
    .bind(before)
    .bind(limit)
    .execute()
    .await
}

/// Inserts a live claim. False: its issue has one already, and nothing was written.
pub async fn insert(tx: &mut WriteTx, claim: &Claim) -> Result<bool> {
    let inserted = tx
        .query(
            "INSERT INTO claims (id, fence, agent_name, agent_key, issue_id, terms, state, checkpoint, started,
                worked_at, run_id, branch, pr_url, summary, blocker, created_at, renewed_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
             ON CONFLICT (issue_id) WHERE ended_at IS NULL AND issue_id IS NOT NULL DO NOTHING",
        )
        .bind(&claim.id)
        .bind(claim.fence)
        .bind(&claim.agent)
        .bind(claim.agent.key())
        .bind(claim.issue.as_ref())
        .bind(claim.terms)
        .bind(claim.state)
        .bind(claim.checkpoint)
        .bind(claim.started)
        .bind(claim.worked_at)
        .bind(claim.run.as_deref())
        .bind(claim.branch.as_deref())
        .bind(claim.pr_url.as_deref())
        .bind(claim.summary.as_deref())
        .bind(claim.blocker.as_deref())
        .bind(claim.created_at)
        .bind(claim.renewed_at)
        .bind(claim.expires_at)
        .about([Change::Claim(claim.id.clone())])
        .execute()
        .await?;
    Ok(inserted == 1)
}

/// The live claim of an issue.
pub async fn find_live(tx: &mut ReadTx, issue: &IssueId) -> Result<Option<Claim>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM claims c WHERE c.ended_at IS NULL AND c.issue_id = ").push_bind(issue);
    let row: Option<Row> = sql.done().fetch_optional().await?;
    Ok(row.map(Claim::from))
}

/// Who holds these issues.
pub async fn holders(tx: &mut ReadTx, issues: &[IssueId]) -> Result<HashMap<IssueId, Claim>> {
    if issues.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM claims c WHERE c.ended_at IS NULL AND c.issue_id IN ").push_list(issues);
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    let claims = rows.into_iter().map(Claim::from);
    Ok(claims.filter_map(|claim| Some((claim.issue.clone()?, claim))).collect())
}

/// The live claims on the issues of a repository.
pub async fn list_live_in(tx: &mut ReadTx, repo: &RepoId) -> Result<Vec<Claim>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(
        " FROM claims c JOIN issues i ON i.id = c.issue_id
          WHERE c.ended_at IS NULL AND i.repository_id = ",
    );
    sql.push_bind(repo).push(" ORDER BY c.id");
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(Claim::from).collect())
}

/// A claim by its id, live or ended.
pub async fn find(tx: &mut ReadTx, id: &ClaimId) -> Result<Option<Claim>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM claims c WHERE c.id = ").push_bind(id);
    let row: Option<Row> = sql.done().fetch_optional().await?;
    Ok(row.map(Claim::from))
}

/// The claim on an issue that an agent had last, live or ended.
pub async fn find_last_of(tx: &mut ReadTx, issue: &IssueId, agent: &AgentName) -> Result<Option<Claim>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM claims c WHERE c.issue_id = ").push_bind(issue);
    sql.push(" AND c.agent_key = ")
        .push_bind(agent.key())
        .push(" ORDER BY c.created_at DESC, c.fence DESC LIMIT 1");
    let row: Option<Row> = sql.done().fetch_optional().await?;
    Ok(row.map(Claim::from))
}

/// The claim that was granted with this fence.
pub async fn find_fenced(tx: &mut ReadTx, fence: Fence) -> Result<Option<Claim>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM claims c WHERE c.fence = ").push_bind(fence);
    let row: Option<Row> = sql.done().fetch_optional().await?;
    Ok(row.map(Claim::from))
}

/// The live claims of an agent, renewed last first.
pub async fn list_live_of(tx: &mut ReadTx, agent: &AgentName, limit: i64) -> Result<Vec<Claim>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS)
        .push(" FROM claims c WHERE c.ended_at IS NULL AND c.agent_key = ")
        .push_bind(agent.key());
    sql.push(" ORDER BY c.renewed_at DESC, c.id DESC LIMIT ").push_bind(limit);
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(Claim::from).collect())
}

/// Has this agent a leased claim?
pub async fn has_leased(tx: &mut ReadTx, agent: &AgentName) -> Result<bool> {
    let found: Option<(ClaimId,)> = tx
        .query("SELECT id FROM claims WHERE ended_at IS NULL AND agent_key = $1 AND terms = 'leased' LIMIT 1")
        .bind(agent.key())
        .fetch_optional()
        .await?;
    Ok(found.is_some())
}

/// Live claims that were to be renewed by now.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Late {
    /// To be taken back, as far as the times of the claims themselves say.
    pub overdue: i64,
    /// Held ones whose holders went silent, whose clock runs.
    pub silent: i64,
}

/// One statement tells whether there is anything to take back; the limits are those of leased and of held claims.
pub async fn count_late(
    tx: &mut ReadTx,
    now: Timestamp,
    leased_before: Option<Timestamp>,
    held_before: Option<Timestamp>,
) -> Result<Late> {
    let never = Timestamp(i64::MIN);
    tx.query(
        "SELECT count(*) FILTER (WHERE (c.terms = 'leased' AND c.expires_at <= $1)
                                    OR (c.terms = 'held' AND c.expires_at <= $2)) AS overdue,
                count(*) FILTER (WHERE c.terms = 'held'
                    AND (i.status IS NULL OR i.status NOT IN ('in-review', 'blocked'))) AS silent
         FROM claims c LEFT JOIN issues i ON i.id = c.issue_id
         WHERE c.ended_at IS NULL AND c.expires_at <= $3",
    )
    .bind(leased_before.unwrap_or(never))
    .bind(held_before.unwrap_or(never))
    .bind(now)
    .fetch_one()
    .await
}

/// Renews all leased claims of an agent; how many there were.
pub async fn renew_leased_of(
    tx: &mut WriteTx,
    agent: &AgentName,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<u64> {
    tx.query(
        "UPDATE claims SET renewed_at = $1, expires_at = $2
         WHERE ended_at IS NULL AND agent_key = $3 AND terms = 'leased'",
    )
    .bind(now)
    .bind(expires_at)
    .bind(agent.key())
    .about([Change::ClaimsOf(agent.key())])
    .execute()
    .await
}

/// What a live claim is changed to; the rest stays.
#[derive(Clone, Debug)]
pub struct Progress {
    pub terms: Terms,
    pub state: WorkState,
    pub checkpoint: Checkpoint,
    pub worked_at: Option<Timestamp>,
    pub run: Option<String>,
    pub branch: Option<String>,
    pub pr_url: Option<String>,
    pub summary: Option<String>,
    pub blocker: Option<String>,
    pub renewed_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Progress {
    /// The claim as it is, renewed.
    pub fn of(claim: &Claim, now: Timestamp, expires_at: Timestamp) -> Self {
        Self {
            terms: claim.terms,
            state: claim.state,
            checkpoint: claim.checkpoint,
            worked_at: claim.worked_at,
            run: claim.run.clone(),
            branch: claim.branch.clone(),
            pr_url: claim.pr_url.clone(),
            summary: claim.summary.clone(),
            blocker: claim.blocker.clone(),
            renewed_at: now,
            expires_at,
        }
    }

    /// What the claim is with it.
    pub fn onto(self, claim: Claim) -> Claim {
        Claim {
            terms: self.terms,
            state: self.state,
            checkpoint: self.checkpoint,
            worked_at: self.worked_at,
            run: self.run,
            branch: self.branch,
            pr_url: self.pr_url,
            summary: self.summary,
            blocker: self.blocker,
            renewed_at: self.renewed_at,
            expires_at: self.expires_at,
            ..claim
        }
    }
}

/// Changes a claim if it is still live under this fence; false when it was lost meanwhile.
pub async fn advance(tx: &mut WriteTx, claim: &Claim, progress: &Progress) -> Result<bool> {
    let changed = tx
        .query(
            "UPDATE claims SET terms = $1, state = $2, checkpoint = $3, worked_at = $4, run_id = $5, branch = $6,
                pr_url = $7, summary = $8, blocker = $9, renewed_at = $10, expires_at = $11
             WHERE id = $12 AND fence = $13 AND ended_at IS NULL",
        )
        .bind(progress.terms)
        .bind(progress.state)
        .bind(progress.checkpoint)
        .bind(progress.worked_at)
        .bind(progress.run.as_deref())
        .bind(progress.branch.as_deref())
        .bind(progress.pr_url.as_deref())
        .bind(progress.summary.as_deref())
        .bind(progress.blocker.as_deref())
        .bind(progress.renewed_at)
        .bind(progress.expires_at)
        .bind(&claim.id)
        .bind(claim.fence)
        .about([Change::Claim(claim.id.clone())])
        .execute()
        .await?;
    Ok(changed == 1)
}

/// How a claim ends.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    pub reason: EndReason,
    pub state: WorkState,
    pub checkpoint: Checkpoint,
    pub summary: Option<&'a str>,
    pub at: Timestamp,
}

/// Ends a claim if it is still live and, where its time is over, was not renewed since the caller saw it; false when it
/// is not so.
pub async fn end(tx: &mut WriteTx, claim: &Claim, end: End<'_>) -> Result<bool> {
    let ended = tx
        .query(
            "UPDATE claims SET ended_at = $1, end_reason = $2, state = $3, checkpoint = $4,
                summary = COALESCE($5, summary)
             WHERE id = $6 AND fence = $7 AND ended_at IS NULL AND ($8 = FALSE OR renewed_at = $9)",
        )
        .bind(end.at)
        .bind(end.reason)
        .bind(end.state)
        .bind(end.checkpoint)
        .bind(end.summary)
        .bind(&claim.id)
        .bind(claim.fence)
        .bind(end.reason == EndReason::Expired)
        .bind(claim.renewed_at)
        .about([Change::Claim(claim.id.clone())])
        .execute()
        .await?;
    Ok(ended == 1)
}

/// A row of the history of a claim.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    pub id: &'a str,
    pub claim: &'a ClaimId,
    pub at: Timestamp,
    pub action: &'a str,
    pub state: WorkState,
    pub checkpoint: Checkpoint,
    pub summary: Option<&'a str>,
    pub blocker: Option<&'a str>,
}

pub async fn note(tx: &mut WriteTx, entry: &Entry<'_>) -> Result<()> {
    tx.query(
        "INSERT INTO claim_history (id, claim_id, at, action, state, checkpoint, summary, blocker)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(entry.id)
    .bind(entry.claim)
    .bind(entry.at)
    .bind(entry.action)
    .bind(entry.state)
    .bind(entry.checkpoint)
    .bind(entry.summary)
    .bind(entry.blocker)
    .about([Change::Claim(entry.claim.clone())])
    .execute()
    .await?;
    Ok(())
}

/// A claim that ran out.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Overdue {
    pub id: ClaimId,
    pub issue_id: Option<IssueId>,
}

/// Live claims on these terms that were to be renewed by `before` and whose clock runs, the oldest first. A clock
/// that stood still began anew when its issue's status changed, for at least `ttl_ms`.
pub async fn list_overdue(
    tx: &mut ReadTx,
    terms: Terms,
    before: Timestamp,
    clock_before: Timestamp,
    limit: i64,
) -> Result<Vec<Overdue>> {
    tx.query(
        "SELECT c.id, c.issue_id FROM claims c LEFT JOIN issues i ON i.id = c.issue_id
         WHERE c.ended_at IS NULL AND c.terms = $1 AND c.expires_at <= $2
           AND (i.id IS NULL OR ((i.status IS NULL OR i.status NOT IN ('in-review', 'blocked'))
                                 AND i.clock_from <= $3))
         ORDER BY c.expires_at, c.id LIMIT $4",
    )
    .bind(terms)
    .bind(before)
    .bind(clock_before)
    .bind(limit)
    .fetch_all()
    .await
}

/// Locks an issue against all other writers until the transaction ends, so that what is decided about it is
/// decided on what it is.
pub async fn lock_issue(tx: &mut WriteTx, issue: &IssueId) -> Result<()> {
    lock_issues(tx, std::slice::from_ref(issue)).await
}

/// Locks issues, in one order everywhere. SQLite has one writer anyway.
pub async fn lock_issues(tx: &mut WriteTx, issues: &[IssueId]) -> Result<()> {
    if tx.dialect() == Dialect::Postgres && !issues.is_empty() {
        let mut sql = tx.build("SELECT id FROM issues WHERE id IN ");
        sql.push_list(issues).push(" ORDER BY id FOR UPDATE");
        let _: Vec<(IssueId,)> = sql.done().fetch_all().await?;
    }
    Ok(())
}
