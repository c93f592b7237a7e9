//! `runs`: the record of what agents did, heartbeats among it.

use sqlx::types::Json;

use crate::{
    domain::{
        event::Change,
        heartbeat::Asked,
        ids::{AgentName, IssueId, ReadId, RunId},
        notice::{Code, Notice, Phase, Subject},
        page::{Cursor, Page},
        run::{HEARTBEAT, NewPass, Outcome, PassEnd, RUNNING, Run},
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

const COLUMNS: &str =
    "id, agent_name, run_type, status, started_at, finished_at, summary, error_message, warnings,
    errors, touched, reads, issue_id, outcome, next_heartbeat_at, asked, created_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: RunId,
    agent_name: AgentName,
    run_type: String,
    status: String,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    summary: Option<String>,
    error_message: Option<String>,
    warnings: Json<Vec<String>>,
    errors: Json<Vec<String>>,
    touched: Json<Vec<String>>,
    reads: Json<Vec<ReadId>>,
    issue_id: Option<IssueId>,
    outcome: Option<Outcome>,
    next_heartbeat_at: Option<Timestamp>,
    asked: Option<Json<Asked>>,
    created_at: Timestamp,
}

impl From<Row> for Run {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            agent: row.agent_name,
            run_type: row.run_type,
            status: row.status,
            started_at: row.started_at,
            finished_at: row.finished_at,
            summary: row.summary,
            error_message: row.error_message,
            warnings: row.warnings.0,
            errors: row.errors.0,
            touched: row.touched.0,
            reads: row.reads.0,
            issue_id: row.issue_id,
            outcome: row.outcome,
            next_heartbeat_at: row.next_heartbeat_at,
            asked: row.asked.map(|asked| asked.0),
            created_at: row.created_at,
        }
    }
}

/// Opens the record of a heartbeat, before its first phase.
pub async fn begin(tx: &mut WriteTx, pass: &NewPass) -> Result<()> {
    tx.query(
        "INSERT INTO runs (id, agent_name, agent_key, run_type, status, started_at, warnings, errors, touched, reads,
            instance_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&pass.id)
    .bind(&pass.agent)
    .bind(pass.agent.key())
    .bind(HEARTBEAT)
    .bind(RUNNING)
    .bind(pass.started_at)
    .bind(Json(Vec::<String>::new()))
    .bind(Json(Vec::<String>::new()))
    .bind(Json(Vec::<String>::new()))
    .bind(Json(Vec::<ReadId>::new()))
    .bind(&pass.instance)
    .bind(pass.started_at)
    .about([Change::Run(pass.id.clone())])
    .execute()
    .await?;
    Ok(())
}

/// Closes the record of a heartbeat; false when somebody has declared it interrupted meanwhile.
pub async fn finish(tx: &mut WriteTx, id: &RunId, end: &PassEnd) -> Result<bool> {
    let closed = tx
        .query(
            "UPDATE runs SET status = $1, finished_at = $2, summary = $3, warnings = $4, errors = $5, reads = $6,
                error_message = $7, next_heartbeat_at = $8, uneventful = $9, touched = $10, asked = $11
             WHERE id = $12 AND status = $13",
        )
        .bind(end.status.as_str())
        .bind(end.finished_at)
        .bind(end.summary.as_str())
        .bind(Json(&end.warnings))
        .bind(Json(&end.errors))
        .bind(Json(&end.reads))
        .bind(end.errors.first().map(String::as_str))
        .bind(end.next_heartbeat_at)
        .bind(end.uneventful)
        .bind(Json(&end.touched))
        .bind((end.asked != Asked::default()).then_some(Json(&end.asked)))
        .bind(id)
        .bind(RUNNING)
        .about([Change::Run(id.clone())])
        .execute()
        .await?;
    Ok(closed == 1)
}

/// Writes a run that an agent or operator reports as a whole.
pub async fn insert(tx: &mut WriteTx, run: &Run) -> Result<()> {
    tx.query(
        "INSERT INTO runs (id, agent_name, agent_key, run_type, status, started_at, finished_at, summary,
            error_message, warnings, errors, touched, reads, issue_id, outcome, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(&run.id)
    .bind(&run.agent)
    .bind(run.agent.key())
    .bind(run.run_type.as_str())
    .bind(run.status.as_str())
    .bind(run.started_at)
    .bind(run.finished_at)
    .bind(run.summary.as_deref())
    .bind(run.error_message.as_deref())
    .bind(Json(&run.warnings))
    .bind(Json(&run.errors))
    .bind(Json(&run.touched))
    .bind(Json(&run.reads))
    .bind(run.issue_id.as_ref())
    .bind(run.outcome)
    .bind(run.created_at)
    .about([Change::Run(run.id.clone())])
    .execute()
    .await?;
    Ok(())
}

/// One run.
pub async fn find(tx: &mut ReadTx, id: &RunId) -> Result<Option<Run>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM runs WHERE id = ").push_bind(id);
    let row: Option<Row> = sql.done().fetch_optional().await?;
    Ok(row.map(Run::from))
}

/// Which runs a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub agent: Option<AgentName>,
    pub run_type: Option<String>,
    pub status: Option<String>,
    /// Recorded then or later.
    pub from: Option<Timestamp>,
    /// Recorded before then.
    pub until: Option<Timestamp>,
}

/// Newest first.
pub async fn list(tx: &mut ReadTx, filter: &Filter, after: Option<&Cursor>, limit: i64) -> Result<Page<Run>> {
    let runs = read(tx, filter, after, limit).await?;
    Ok(Page::cut(runs, limit, place))
}

/// The same by a status in either case: clients report them in both, and an index knows no case but the stored one.
pub async fn list_in_either_case(
    tx: &mut ReadTx,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Run>> {
    let Some(status) = &filter.status else { return list(tx, filter, after, limit).await };
    let mut spellings = vec![status.clone(), status.to_lowercase(), status.to_uppercase()];
    spellings.sort_unstable();
    spellings.dedup();
    let mut runs = Vec::new();
    for status in spellings {
        let filter = Filter { status: Some(status), ..filter.clone() };
        runs.extend(read(tx, &filter, after, limit).await?);
    }
    runs.sort_by(|one: &Run, other| (other.created_at, &other.id.0).cmp(&(one.created_at, &one.id.0)));
    Ok(Page::cut(runs, limit, place))
}

fn place(run: &Run) -> Cursor {
    Cursor { at: run.created_at, id: run.id.0.clone() }
}

/// One more than `limit`, where there are more.
async fn read(tx: &mut ReadTx, filter: &Filter, after: Option<&Cursor>, limit: i64) -> Result<Vec<Run>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM runs WHERE TRUE");
    if let Some(agent) = &filter.agent {
        sql.push(" AND agent_key = ").push_bind(agent.key());
    }
    if let Some(run_type) = &filter.run_type {
        sql.push(" AND run_type = ").push_bind(run_type.as_str());
    }
    if let Some(status) = &filter.status {
        sql.push(" AND status = ").push_bind(status.as_str());
    }
    if let Some(from) = filter.from {
        sql.push(" AND created_at >= ").push_bind(from);
    }
    if let Some(until) = filter.until {
        sql.push(" AND created_at < ").push_bind(until);
    }
    if let Some(Cursor { at, id }) = after {
        sql.push(" AND (created_at, id) < (").push_bind(*at).push(", ").push_bind(id.as_str()).push(")");
    }
    sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit + 1);
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(Run::from).collect())
}

/// Declares these runs interrupted if they still run.
pub async fn interrupt(tx: &mut WriteTx, ids: &[RunId], now: Timestamp) -> Result<u64> {
    let message = interrupted();
    let mut sql = tx.build("UPDATE runs SET status = 'error', finished_at = ");
    sql.push_bind(now).push(", error_message = ").push_bind(message.as_str());
    sql.push(", errors = ").push_bind(Json([message.as_str()]));
    sql.push(" WHERE status = 'running' AND id IN ").push_list(ids);
    sql.done().about(ids.iter().cloned().map(Change::Run)).execute().await
}

/// Declares interrupted what still runs under a process that is gone.
pub async fn interrupt_orphans(tx: &mut WriteTx, now: Timestamp) -> Result<u64> {
    let message = interrupted();
    tx.query(
        "UPDATE runs SET status = 'error', finished_at = $1, error_message = $2, errors = $3
         WHERE status = 'running' AND run_type = 'heartbeat'
           AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = runs.instance_id)",
    )
    .bind(now)
    .bind(message.as_str())
    .bind(Json([message.as_str()]))
    .execute()
    .await
}

/// Was this run cut off by the end of its process?
pub fn is_interrupted(run: &Run) -> bool {
    run.status == "error" && run.next_heartbeat_at.is_none()
}

fn interrupted() -> String {
    Notice::new(Phase::Record, Subject::Run, Code::Interrupted).to_string()
}

/// How long runs are kept.
#[derive(Clone, Copy, Debug)]
pub struct Cutoffs {
    /// Runs that touched nothing and warned of nothing.
    pub uneventful: Timestamp,
    /// All others.
    pub eventful: Timestamp,
}

/// Forgets runs older than their cutoff, at most `limit` of each kind at once.
pub async fn prune(tx: &mut WriteTx, cutoffs: Cutoffs, limit: i64) -> Result<u64> {
    let uneventful = tx
        .query(
            "DELETE FROM runs WHERE id IN
                (SELECT id FROM runs WHERE uneventful = TRUE AND created_at < $1 ORDER BY created_at LIMIT $2)",
        )
        .bind(cutoffs.uneventful)
        .bind(limit)
        .execute()
        .await?;
    let others = tx
        .query(
            "DELETE FROM runs WHERE id IN
                (SELECT id FROM runs WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
        )
        .bind(cutoffs.eventful)
        .bind(limit)
        .execute()
        .await?;
    Ok(uneventful + others)
}
