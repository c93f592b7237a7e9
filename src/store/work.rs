//! Claims as `agent-work` looks at them: whose turn it is, lists with their issues, what went stale.

use crate::{
    domain::{
        claim::{Claim, WorkState},
        event::Change,
        ids::{AgentName, ClaimId, IssueId, IssueNumber},
        page::{Cursor, Page},
        repo::RepoName,
        time::Timestamp,
    },
    store::{
        ReadTx, Result, WriteTx,
        claims::{COLUMNS, Row as ClaimRow},
        db::Dialect,
    },
};

/// Locks the live claims of an agent against renewals until the transaction ends, in one order everywhere.
/// SQLite has one writer anyway.
pub async fn lock_of(tx: &mut WriteTx, agent: &AgentName) -> Result<()> {
    if tx.dialect() == Dialect::Postgres {
        let lock = tx
            .query("SELECT id FROM claims WHERE ended_at IS NULL AND agent_key = $1 ORDER BY id FOR UPDATE");
        let _: Vec<(ClaimId,)> = lock.bind(agent.key()).fetch_all().await?;
    }
    Ok(())
}

/// Locks claims against renewals, in one order everywhere; lock their issues first.
pub async fn lock_all(tx: &mut WriteTx, claims: &[ClaimId]) -> Result<()> {
    if tx.dialect() == Dialect::Postgres && !claims.is_empty() {
        let mut sql = tx.build("SELECT id FROM claims WHERE id IN ");
        sql.push_list(claims).push(" ORDER BY id FOR UPDATE");
        let _: Vec<(ClaimId,)> = sql.done().fetch_all().await?;
    }
    Ok(())
}

/// Locks one claim; lock its issue first.
pub async fn lock(tx: &mut WriteTx, claim: &ClaimId) -> Result<()> {
    if tx.dialect() == Dialect::Postgres {
        let lock = tx.query("SELECT id FROM claims WHERE id = $1 FOR UPDATE");
        let _: Option<(ClaimId,)> = lock.bind(claim).fetch_optional().await?;
    }
    Ok(())
}

/// What an agent works on that names no claim: what `agent-work` was told of last, else what it got last.
pub async fn find_current(tx: &mut ReadTx, agent: &AgentName) -> Result<Option<Claim>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS)
        .push(" FROM claims c WHERE c.ended_at IS NULL AND c.agent_key = ")
        .push_bind(agent.key());
    sql.push(" ORDER BY c.worked_at DESC NULLS LAST, c.created_at DESC, c.fence DESC LIMIT 1");
    let row: Option<ClaimRow> = sql.done().fetch_optional().await?;
    Ok(row.map(Claim::from))
}

/// The live claim on an issue that an agent renewed last.
pub async fn find_active(tx: &mut ReadTx, agent: &AgentName) -> Result<Option<Claim>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS)
        .push(" FROM claims c WHERE c.ended_at IS NULL AND c.issue_id IS NOT NULL AND c.agent_key = ");
    sql.push_bind(agent.key());
    sql.push(" ORDER BY c.renewed_at DESC, c.worked_at DESC NULLS LAST, c.fence DESC LIMIT 1");
    let row: Option<ClaimRow> = sql.done().fetch_optional().await?;
    Ok(row.map(Claim::from))
}

/// The claim of an agent that ended last.
pub async fn find_ended_last(tx: &mut ReadTx, agent: &AgentName) -> Result<Option<Claim>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS)
        .push(" FROM claims c WHERE c.ended_at IS NOT NULL AND c.agent_key = ")
        .push_bind(agent.key());
    sql.push(" ORDER BY c.ended_at DESC, c.fence DESC LIMIT 1");
    let row: Option<ClaimRow> = sql.done().fetch_optional().await?;
    Ok(row.map(Claim::from))
}

/// The live claims of an agent, oldest first: those that `start` made, or all; of one issue, or of any.
pub async fn list_live(
    tx: &mut ReadTx,
    agent: &AgentName,
    only_started: bool,
    issue: Option<&IssueId>,
) -> Result<Vec<Claim>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS)
        .push(" FROM claims c WHERE c.ended_at IS NULL AND c.agent_key = ")
        .push_bind(agent.key());
    if only_started {
        sql.push(" AND c.started = TRUE");
    }
    if let Some(issue) = issue {
        sql.push(" AND c.issue_id = ").push_bind(issue);
    }
    sql.push(" ORDER BY c.fence");
    let rows: Vec<ClaimRow> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(Claim::from).collect())
}

/// An operator has seen to work that had gone stale; false when it is not such work.
pub async fn put_away(tx: &mut WriteTx, id: &ClaimId) -> Result<bool> {
    let changed = tx
        .query("UPDATE claims SET state = $1 WHERE id = $2 AND state = $3 AND ended_at IS NOT NULL")
        .bind(WorkState::Released)
        .bind(id)
        .bind(WorkState::Stale)
        .about([Change::Claim(id.clone())])
        .execute()
        .await?;
    Ok(changed == 1)
}

/// A claim and the issue that it is on.
#[derive(Clone, Debug)]
pub struct Work {
    pub claim: Claim,
    pub issue: Option<(IssueNumber, String, RepoName)>,
}

#[derive(sqlx::FromRow)]
struct WorkRow {
    #[sqlx(flatten)]
    claim: ClaimRow,
    issue_number: Option<IssueNumber>,
    issue_title: Option<String>,
    full_name: Option<RepoName>,
}

impl From<WorkRow> for Work {
    fn from(row: WorkRow) -> Self {
        let issue = match (row.issue_number, row.issue_title, row.full_name) {
            (Some(number), Some(title), Some(repo)) => Some((number, title, repo)),
            _ => None,
        };
        Self { claim: row.claim.into(), issue }
    }
}

const OF_ISSUES: &str = ", i.number AS issue_number, i.title AS issue_title, r.full_name
    FROM claims c LEFT JOIN issues i ON i.id = c.issue_id LEFT JOIN repositories r ON r.id = i.repository_id
    WHERE ";

/// Claims in these states, renewed last first.
pub async fn list(
    tx: &mut ReadTx,
    states: &[WorkState],
    agent: Option<&AgentName>,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Work>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(OF_ISSUES).push("c.state IN ").push_list(states);
    if let Some(agent) = agent {
        sql.push(" AND c.agent_key = ").push_bind(agent.key());
    }
    if let Some(Cursor { at, id }) = after {
        sql.push(" AND (c.renewed_at, c.id) < (").push_bind(*at).push(", ").push_bind(id.as_str()).push(")");
    }
    sql.push(" ORDER BY c.renewed_at DESC, c.id DESC LIMIT ").push_bind(limit + 1);
    let rows: Vec<WorkRow> = sql.done().fetch_all().await?;
    let rows = rows.into_iter().map(Work::from).collect();
    Ok(Page::cut(rows, limit, |work: &Work| Cursor {
        at: work.claim.renewed_at,
        id: work.claim.id.0.clone(),
    }))
}

/// Live claims that were to be renewed by now and whose clock runs, the oldest first.
pub async fn list_stale(
    tx: &mut ReadTx,
    now: Timestamp,
    clock_before: Timestamp,
    limit: i64,
) -> Result<Vec<Work>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(OF_ISSUES).push("c.ended_at IS NULL AND c.expires_at <= ").push_bind(now);
    sql.push(
        " AND (i.id IS NULL OR ((i.status IS NULL OR i.status NOT IN ('in-review', 'blocked')) AND i.clock_from <= ",
    );
    sql.push_bind(clock_before).push(")) ORDER BY c.expires_at, c.id LIMIT ").push_bind(limit);
    let rows: Vec<WorkRow> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(Work::from).collect())
}

/// Forgets claims that ended before `cutoff`, with their history, at most `limit` at once.
pub async fn prune_ended(tx: &mut WriteTx, cutoff: Timestamp, limit: i64) -> Result<u64> {
    tx.query("DELETE FROM claims WHERE id IN (SELECT id FROM claims WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)")
        .bind(cutoff)
        .bind(limit)
        .execute()
        .await
}
