//! What grows with an item of the PR-fix queue: evidence, feedback, hand-outs, history. Whoever writes has the item locked.

use std::collections::HashMap;

use crate::{
    domain::{
        digest::{hex, sha256},
        ids::{AgentName, PrFixId},
        pr_fix::{
            EVIDENCE_MAX, EVIDENCE_SHOWN, FEEDBACK_MAX, FixLane, FixStatus, Generation, Item,
            LATE_EVIDENCE_MAX,
            enqueue::{Late, evicted},
        },
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

/// Was this evidence noted?
pub async fn knows(tx: &mut ReadTx, item: &PrFixId, key: &str) -> Result<bool> {
    let found: Option<(String,)> = tx
        .query("SELECT key FROM pr_fix_evidence WHERE item_id = $1 AND key = $2")
        .bind(item)
        .bind(key)
        .fetch_optional()
        .await?;
    Ok(found.is_some())
}

/// Notes evidence; false when it was known.
pub async fn add_evidence(tx: &mut WriteTx, item: &PrFixId, key: &str) -> Result<bool> {
    let added = tx
        .query(
            "INSERT INTO pr_fix_evidence (item_id, key, seq)
             SELECT $1, $2, COALESCE((SELECT max(seq) FROM pr_fix_evidence WHERE item_id = $3), 0) + 1
             WHERE TRUE ON CONFLICT (item_id, key) DO NOTHING",
        )
        .bind(item)
        .bind(key)
        .bind(item)
        .execute()
        .await?;
    if added == 0 {
        return Ok(false);
    }
    tx.query(
        "DELETE FROM pr_fix_evidence WHERE item_id = $1
            AND seq <= (SELECT max(seq) FROM pr_fix_evidence WHERE item_id = $2) - $3",
    )
    .bind(item)
    .bind(item)
    .bind(EVIDENCE_MAX)
    .execute()
    .await?;
    Ok(true)
}

/// Keeps what was said, each text once, and only the newest.
pub async fn add_feedback(tx: &mut WriteTx, item: &PrFixId, text: &str) -> Result<()> {
    let added = tx
        .query(
            "INSERT INTO pr_fix_feedback (item_id, digest, seq, text)
             SELECT $1, $2, COALESCE((SELECT max(seq) FROM pr_fix_feedback WHERE item_id = $3), 0) + 1, $4
             WHERE TRUE ON CONFLICT (item_id, digest) DO NOTHING",
        )
        .bind(item)
        .bind(hex(&sha256(text)))
        .bind(item)
        .bind(text)
        .execute()
        .await?;
    if added == 1 {
        tx.query(
            "DELETE FROM pr_fix_feedback WHERE item_id = $1
                AND seq <= (SELECT max(seq) FROM pr_fix_feedback WHERE item_id = $2) - $3",
        )
        .bind(item)
        .bind(item)
        .bind(FEEDBACK_MAX)
        .execute()
        .await?;
    }
    Ok(())
}

/// Puts a text in the place of one that said less.
pub async fn replace_feedback(tx: &mut WriteTx, item: &PrFixId, old: &str, new: &str) -> Result<()> {
    let (was, is) = (hex(&sha256(old)), hex(&sha256(new)));
    let replaced = tx
        .query(
            "UPDATE pr_fix_feedback SET digest = $1, text = $2 WHERE item_id = $3 AND digest = $4
                AND NOT EXISTS (SELECT 1 FROM pr_fix_feedback o WHERE o.item_id = $5 AND o.digest = $6)",
        )
        .bind(is.as_str())
        .bind(new)
        .bind(item)
        .bind(was.as_str())
        .bind(item)
        .bind(is.as_str())
        .execute()
        .await?;
    if replaced == 0 { add_feedback(tx, item, new).await } else { Ok(()) }
}

#[derive(sqlx::FromRow)]
struct LateRow {
    seq: i64,
    key: String,
    head: Option<String>,
}

/// What came while the present attempt was out, the oldest first.
pub async fn list_late_evidence(tx: &mut ReadTx, item: &PrFixId) -> Result<Vec<Late>> {
    Ok(late_rows(tx, item).await?.into_iter().map(|(_, late)| late).collect())
}

async fn late_rows(tx: &mut ReadTx, item: &PrFixId) -> Result<Vec<(i64, Late)>> {
    let rows: Vec<LateRow> = tx
        .query("SELECT seq, key, head FROM pr_fix_late_evidence WHERE item_id = $1 ORDER BY seq")
        .bind(item)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|row| (row.seq, Late { key: row.key, head: row.head })).collect())
}

/// Keeps what came while the present attempt is out.
pub async fn add_late_evidence(tx: &mut WriteTx, item: &PrFixId, late: &Late) -> Result<()> {
    let rows = late_rows(tx, item).await?;
    let kept: Vec<Late> = rows.iter().map(|(_, late)| late.clone()).collect();
    if kept.len() >= LATE_EVIDENCE_MAX
        && let Some((seq, _)) = evicted(&kept).and_then(|at| rows.get(at))
    {
        tx.query("DELETE FROM pr_fix_late_evidence WHERE item_id = $1 AND seq = $2")
            .bind(item)
            .bind(*seq)
            .execute()
            .await?;
    }
    let seq = rows.last().map_or(1, |(seq, _)| seq + 1);
    tx.query("INSERT INTO pr_fix_late_evidence (item_id, seq, key, head) VALUES ($1, $2, $3, $4)")
        .bind(item)
        .bind(seq)
        .bind(late.key.as_str())
        .bind(late.head.as_deref())
        .execute()
        .await?;
    Ok(())
}

pub async fn clear_late_evidence(tx: &mut WriteTx, item: &PrFixId) -> Result<()> {
    tx.query("DELETE FROM pr_fix_late_evidence WHERE item_id = $1").bind(item).execute().await?;
    Ok(())
}

/// To whom the present attempt was handed, and whether that agent said so.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Handout {
    pub agent_name: AgentName,
    pub generation: Generation,
    pub acked_at: Option<Timestamp>,
}

/// The hand-out of the present attempt to this agent.
pub async fn find_handout(tx: &mut ReadTx, item: &Item, agent: &AgentName) -> Result<Option<Handout>> {
    tx.query(
        "SELECT agent_name, generation, acked_at FROM pr_fix_handouts
         WHERE item_id = $1 AND agent_key = $2 AND generation = $3",
    )
    .bind(&item.id)
    .bind(agent.key())
    .bind(item.generation)
    .fetch_optional()
    .await
}

/// Notes that the present attempt is handed to this agent.
pub async fn add_handout(tx: &mut WriteTx, item: &Item, agent: &AgentName, now: Timestamp) -> Result<()> {
    tx.query(
        "INSERT INTO pr_fix_handouts (item_id, agent_key, agent_name, generation, handed_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (item_id, agent_key) DO UPDATE SET
            generation = excluded.generation, handed_at = excluded.handed_at, acked_at = NULL",
    )
    .bind(&item.id)
    .bind(agent.key())
    .bind(agent)
    .bind(item.generation)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Notes that the agent has it.
pub async fn acknowledge(tx: &mut WriteTx, item: &Item, agent: &AgentName, now: Timestamp) -> Result<()> {
    tx.query("UPDATE pr_fix_handouts SET acked_at = $1 WHERE item_id = $2 AND agent_key = $3")
        .bind(now)
        .bind(&item.id)
        .bind(agent.key())
        .execute()
        .await?;
    Ok(())
}

pub async fn clear_handouts(tx: &mut WriteTx, item: &PrFixId) -> Result<()> {
    tx.query("DELETE FROM pr_fix_handouts WHERE item_id = $1").bind(item).execute().await?;
    Ok(())
}

/// What happened to an item.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Event {
    pub at: Timestamp,
    pub action: String,
    pub status: FixStatus,
    pub lane: FixLane,
    pub reason: String,
    pub note: Option<String>,
    pub evidence_key: Option<String>,
}

/// Remembers what happened to an item, and where it stands since.
pub async fn remember(
    tx: &mut WriteTx,
    item: &Item,
    (action, note, evidence_key): (&str, Option<&str>, Option<&str>),
    at: Timestamp,
) -> Result<()> {
    tx.query(
        "INSERT INTO pr_fix_history (item_id, seq, at, action, status, lane, reason, note, evidence_key)
         SELECT $1, COALESCE((SELECT max(seq) FROM pr_fix_history WHERE item_id = $2), 0) + 1, $3, $4, $5, $6, $7, $8, $9",
    )
    .bind(&item.id)
    .bind(&item.id)
    .bind(at)
    .bind(action)
    .bind(item.status)
    .bind(item.lane)
    .bind(item.reason.as_str())
    .bind(note)
    .bind(evidence_key)
    .execute()
    .await?;
    Ok(())
}

/// What happened to an item, the newest first.
pub async fn list_history(tx: &mut ReadTx, item: &PrFixId, limit: i64) -> Result<Vec<Event>> {
    tx.query(
        "SELECT at, action, status, lane, reason, note, evidence_key FROM pr_fix_history
         WHERE item_id = $1 ORDER BY seq DESC LIMIT $2",
    )
    .bind(item)
    .bind(limit)
    .fetch_all()
    .await
}

/// Forgets what happened before `cutoff`, at most `limit` rows at once.
pub async fn prune_history(tx: &mut WriteTx, cutoff: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM pr_fix_history WHERE (item_id, seq) IN
            (SELECT item_id, seq FROM pr_fix_history WHERE at < $1 ORDER BY at LIMIT $2)",
    )
    .bind(cutoff)
    .bind(limit)
    .execute()
    .await
}

/// What lists show of an item besides its row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    pub feedback: Vec<String>,
    pub evidence: Vec<String>,
    pub late: Vec<Late>,
    pub handouts: Vec<Handout>,
}

#[derive(sqlx::FromRow)]
struct NamedText {
    item_id: PrFixId,
    text: String,
}

#[derive(sqlx::FromRow)]
struct NamedLate {
    item_id: PrFixId,
    key: String,
    head: Option<String>,
}

#[derive(sqlx::FromRow)]
struct NamedHandout {
    item_id: PrFixId,
    #[sqlx(flatten)]
    handout: Handout,
}

/// The feedback of an item, the oldest first.
pub async fn list_feedback(tx: &mut ReadTx, item: &PrFixId) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = tx
        .query("SELECT text FROM pr_fix_feedback WHERE item_id = $1 ORDER BY seq")
        .bind(item)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(text,)| text).collect())
}

/// The notes of these items: four statements, whatever their number; none for none.
pub async fn notes(tx: &mut ReadTx, items: &[PrFixId]) -> Result<HashMap<PrFixId, Notes>> {
    let mut all: HashMap<PrFixId, Notes> = HashMap::with_capacity(items.len());
    if items.is_empty() {
        return Ok(all);
    }
    let mut sql = tx.build("SELECT item_id, text FROM pr_fix_feedback WHERE item_id IN ");
    sql.push_list(items).push(" ORDER BY item_id, seq");
    for row in sql.done().fetch_all::<NamedText>().await? {
        all.entry(row.item_id).or_default().feedback.push(row.text);
    }
    let mut sql = tx.build(
        "SELECT e.item_id, e.key AS text FROM pr_fix_evidence e
         WHERE e.seq > (SELECT max(n.seq) FROM pr_fix_evidence n WHERE n.item_id = e.item_id) - ",
    );
    sql.push_bind(EVIDENCE_SHOWN)
        .push(" AND e.item_id IN ")
        .push_list(items)
        .push(" ORDER BY e.item_id, e.seq");
    for row in sql.done().fetch_all::<NamedText>().await? {
        all.entry(row.item_id).or_default().evidence.push(row.text);
    }
    let mut sql = tx.build("SELECT item_id, key, head FROM pr_fix_late_evidence WHERE item_id IN ");
    sql.push_list(items).push(" ORDER BY item_id, seq");
    for row in sql.done().fetch_all::<NamedLate>().await? {
        all.entry(row.item_id).or_default().late.push(Late { key: row.key, head: row.head });
    }
    let mut sql =
        tx.build("SELECT item_id, agent_name, generation, acked_at FROM pr_fix_handouts WHERE item_id IN ");
    sql.push_list(items).push(" ORDER BY item_id, handed_at, agent_key");
    for row in sql.done().fetch_all::<NamedHandout>().await? {
        all.entry(row.item_id).or_default().handouts.push(row.handout);
    }
    Ok(all)
}
