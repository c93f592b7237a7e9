//! `pr_fix_items`: pull requests that need another attempt. What grows with an item is in `pr_fix_notes`.

use crate::{
    domain::{
        ids::{AgentName, IssueNumber, PrFixId, RepoId},
        page::Skipped,
        pr_fix::{FixLane, FixStatus, FixType, Generation, Hold, Item, Waiting},
        repo::RepoName,
        time::Timestamp,
    },
    store::{
        ReadTx, Result, WriteTx,
        db::{Builder, Dialect},
    },
};

const COLUMNS: &str = "f.id, f.repo, f.pr, f.issue, f.branch, f.url, f.title, f.author, f.lane, f.kind, f.reason, f.status,
    f.queued_at, f.updated_at, f.turn_at, f.head_sha, f.attempt_head_sha, f.generation, f.fix_attempts, f.handout_reclaims,
    f.dispatched_at, f.dispatched_generation, f.holder_name, f.held_until, f.waiting_since, f.waiting_head,
    f.waiting_mergeable, f.checked_at, f.look_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: PrFixId,
    repo: RepoName,
    pr: IssueNumber,
    issue: Option<IssueNumber>,
    branch: Option<String>,
    url: Option<String>,
    title: Option<String>,
    author: Option<String>,
    lane: FixLane,
    kind: FixType,
    reason: String,
    status: FixStatus,
    queued_at: Timestamp,
    updated_at: Timestamp,
    turn_at: Timestamp,
    head_sha: Option<String>,
    attempt_head_sha: Option<String>,
    generation: Generation,
    fix_attempts: i64,
    handout_reclaims: i64,
    dispatched_at: Option<Timestamp>,
    dispatched_generation: Option<Generation>,
    holder_name: Option<AgentName>,
    held_until: Option<Timestamp>,
    waiting_since: Option<Timestamp>,
    waiting_head: Option<String>,
    waiting_mergeable: Option<bool>,
    checked_at: Option<Timestamp>,
    look_at: Option<Timestamp>,
}

impl From<Row> for Item {
    fn from(row: Row) -> Self {
        let waiting = row.waiting_since.map(|since| Waiting {
            since,
            head: row.waiting_head,
            mergeable: row.waiting_mergeable,
            checked_at: row.checked_at.unwrap_or(since),
            look_at: row.look_at.unwrap_or(since),
        });
        Self {
            id: row.id,
            repo: row.repo,
            pr: row.pr,
            issue: row.issue,
            branch: row.branch,
            url: row.url,
            title: row.title,
            author: row.author,
            lane: row.lane,
            kind: row.kind,
            reason: row.reason,
            status: row.status,
            queued_at: row.queued_at,
            updated_at: row.updated_at,
            turn_at: row.turn_at,
            head_sha: row.head_sha,
            attempt_head_sha: row.attempt_head_sha,
            generation: row.generation,
            fix_attempts: row.fix_attempts,
            reclaims: row.handout_reclaims,
            dispatched: row.dispatched_at.zip(row.dispatched_generation),
            hold: row.holder_name.zip(row.held_until).map(|(agent, until)| Hold { agent, until }),
            waiting,
        }
    }
}

/// The name that a repository has now, in lower case, whether it is tracked or not.
pub async fn present_name(tx: &mut ReadTx, name: &RepoName) -> Result<RepoName> {
    let found: Option<(RepoName,)> = tx
        .query(
            "SELECT r.name_key FROM repositories r JOIN repository_aliases a ON a.repository_id = r.id
             WHERE a.name_key = $1 AND NOT EXISTS (SELECT 1 FROM repositories o WHERE o.name_key = $2)",
        )
        .bind(name.key())
        .bind(name.key())
        .fetch_optional()
        .await?;
    // A name in lower case is as good a name.
    Ok(found.map(|(name,)| name).or_else(|| name.key().parse().ok()).unwrap_or_else(|| name.clone()))
}

/// The repository has another name; where that has an item of the same number, both stay as they are.
pub async fn rename(tx: &mut WriteTx, from: &RepoName, to: &RepoName) -> Result<()> {
    tx.query(
        "UPDATE pr_fix_items SET repo = $1 WHERE repo = $2
            AND NOT EXISTS (SELECT 1 FROM pr_fix_items o WHERE o.repo = $3 AND o.pr = pr_fix_items.pr)",
    )
    .bind(to.key())
    .bind(from.key())
    .bind(to.key())
    .execute()
    .await?;
    Ok(())
}

/// Inserts an item. False: its pull request has one already, and nothing was written.
pub async fn insert(tx: &mut WriteTx, item: &Item) -> Result<bool> {
    let inserted = tx
        .query(
            "INSERT INTO pr_fix_items (id, repo, pr, issue, branch, url, title, author, lane, kind, kind_rank, reason,
                status, is_open, queued_at, updated_at, turn_at, head_sha, attempt_head_sha, generation, fix_attempts,
                handout_reclaims)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
             ON CONFLICT (repo, pr) DO NOTHING",
        )
        .bind(&item.id)
        .bind(item.repo.key())
        .bind(item.pr)
        .bind(item.issue)
        .bind(item.branch.as_deref())
        .bind(item.url.as_deref())
        .bind(item.title.as_deref())
        .bind(item.author.as_deref())
        .bind(item.lane)
        .bind(item.kind)
        .bind(item.kind.rank())
        .bind(item.reason.as_str())
        .bind(item.status)
        .bind(item.status.is_open())
        .bind(item.queued_at)
        .bind(item.updated_at)
        .bind(item.turn_at)
        .bind(item.head_sha.as_deref())
        .bind(item.attempt_head_sha.as_deref())
        .bind(item.generation)
        .bind(item.fix_attempts)
        .bind(item.reclaims)
        .execute()
        .await?;
    Ok(inserted == 1)
}

/// Writes an item that the transaction has locked, with its `updated_at`.
pub async fn update(tx: &mut WriteTx, item: &Item) -> Result<()> {
    let waiting = item.waiting.as_ref();
    tx.query(
        "UPDATE pr_fix_items SET issue = $1, branch = $2, url = $3, title = $4, author = $5, lane = $6, kind = $7,
            kind_rank = $8, reason = $9, status = $10, is_open = $11, updated_at = $12, turn_at = $13, head_sha = $14,
            attempt_head_sha = $15, generation = $16, fix_attempts = $17, handout_reclaims = $18, dispatched_at = $19,
            dispatched_generation = $20, holder_name = $21, holder_key = $22, held_until = $23, waiting_since = $24,
            waiting_head = $25, waiting_mergeable = $26, checked_at = $27, look_at = $28
         WHERE id = $29",
    )
    .bind(item.issue)
    .bind(item.branch.as_deref())
    .bind(item.url.as_deref())
    .bind(item.title.as_deref())
    .bind(item.author.as_deref())
    .bind(item.lane)
    .bind(item.kind)
    .bind(item.kind.rank())
    .bind(item.reason.as_str())
    .bind(item.status)
    .bind(item.status.is_open())
    .bind(item.updated_at)
    .bind(item.turn_at)
    .bind(item.head_sha.as_deref())
    .bind(item.attempt_head_sha.as_deref())
    .bind(item.generation)
    .bind(item.fix_attempts)
    .bind(item.reclaims)
    .bind(item.dispatched.map(|(at, _)| at))
    .bind(item.dispatched.map(|(_, generation)| generation))
    .bind(item.hold.as_ref().map(|hold| hold.agent.as_str()))
    .bind(item.hold.as_ref().map(|hold| hold.agent.key()))
    .bind(item.hold.as_ref().map(|hold| hold.until))
    .bind(waiting.map(|waiting| waiting.since))
    .bind(waiting.and_then(|waiting| waiting.head.as_deref()))
    .bind(waiting.and_then(|waiting| waiting.mergeable))
    .bind(waiting.map(|waiting| waiting.checked_at))
    .bind(waiting.map(|waiting| waiting.look_at))
    .bind(&item.id)
    .execute()
    .await?;
    Ok(())
}

fn select(tx: &mut ReadTx) -> Builder<'_> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM pr_fix_items f WHERE ");
    sql
}

async fn one(sql: Builder<'_>) -> Result<Option<Item>> {
    let row: Option<Row> = sql.done().fetch_optional().await?;
    Ok(row.map(Item::from))
}

async fn many(sql: Builder<'_>) -> Result<Vec<Item>> {
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(Item::from).collect())
}

/// The item of a pull request, by the present name of its repository.
pub async fn find(tx: &mut ReadTx, repo: &RepoName, pr: IssueNumber) -> Result<Option<Item>> {
    let mut sql = select(tx);
    sql.push("f.repo = ").push_bind(repo.key()).push(" AND f.pr = ").push_bind(pr);
    one(sql).await
}

/// The same, and nobody else changes it until the transaction ends.
pub async fn lock(tx: &mut WriteTx, repo: &RepoName, pr: IssueNumber) -> Result<Option<Item>> {
    let is_shared = tx.dialect() == Dialect::Postgres;
    let mut sql = select(tx);
    sql.push("f.repo = ").push_bind(repo.key()).push(" AND f.pr = ").push_bind(pr);
    sql.push(if is_shared { " FOR UPDATE" } else { "" });
    one(sql).await
}

/// An item by its id; nobody else changes it until the transaction ends.
pub async fn lock_by_id(tx: &mut WriteTx, id: &PrFixId) -> Result<Option<Item>> {
    let is_shared = tx.dialect() == Dialect::Postgres;
    let mut sql = select(tx);
    sql.push("f.id = ").push_bind(id).push(if is_shared { " FOR UPDATE" } else { "" });
    one(sql).await
}

/// What there is for an agent, in one statement: each a look into an index.
#[expect(clippy::struct_excessive_bools, reason = "answers to five questions")]
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Outlook {
    /// The agent has an item, of whichever lane: evidence may have changed it meanwhile.
    pub own: bool,
    /// An item of these lanes is free.
    pub free: bool,
    /// The time of a hand-out in these lanes may be up.
    pub late: bool,
    /// Somebody has an item, of whichever lane.
    pub held: bool,
    /// Some issue is not given out because of its pull request.
    pub defers: bool,
}

/// Looks for work of an agent in these lanes; what it has already counts whatever they are.
pub async fn outlook(
    tx: &mut ReadTx,
    agent: &AgentName,
    lanes: &[FixLane],
    now: Timestamp,
) -> Result<Outlook> {
    // Lanes that are not asked for stand for one that is, or for none.
    let lane = |at: usize| lanes.get(at).or(lanes.first()).map(|lane| lane.as_str());
    let (first, second, third) = (lane(0), lane(1), lane(2));
    tx.query(
        "SELECT EXISTS (SELECT 1 FROM pr_fix_items WHERE status = 'QUEUED' AND holder_key IS NOT NULL
                AND holder_key = $1) AS own,
            EXISTS (SELECT 1 FROM pr_fix_items WHERE status = 'QUEUED' AND holder_key IS NULL AND waiting_since IS NULL
                AND lane IN ($2, $3, $4)) AS free,
            EXISTS (SELECT 1 FROM pr_fix_items WHERE status = 'QUEUED' AND holder_key IS NOT NULL AND held_until <= $5
                AND lane IN ($6, $7, $8)) AS late,
            EXISTS (SELECT 1 FROM pr_fix_items WHERE status = 'QUEUED' AND holder_key IS NOT NULL) AS held,
            (EXISTS (SELECT 1 FROM pr_fix_items WHERE is_open = TRUE AND issue IS NOT NULL)
                OR EXISTS (SELECT 1 FROM issues WHERE linked_defers = TRUE AND shown = TRUE)) AS defers",
    )
    .bind(agent.key())
    .bind(first)
    .bind(second)
    .bind(third)
    .bind(now)
    .bind(first)
    .bind(second)
    .bind(third)
    .fetch_one()
    .await
}

/// What an agent has, of whichever lane; the most urgent first.
pub async fn find_held(tx: &mut ReadTx, agent: &AgentName) -> Result<Option<Item>> {
    let mut sql = select(tx);
    sql.push("f.status = 'QUEUED' AND f.holder_key IS NOT NULL AND f.holder_key = ").push_bind(agent.key());
    sql.push(" ORDER BY f.kind_rank, f.turn_at, f.id LIMIT 1");
    one(sql).await
}

/// All that an agent has, the most urgent first.
pub async fn list_held(tx: &mut ReadTx, agent: &AgentName, limit: i64) -> Result<Vec<Item>> {
    let mut sql = select(tx);
    sql.push("f.status = 'QUEUED' AND f.holder_key IS NOT NULL AND f.holder_key = ").push_bind(agent.key());
    sql.push(" ORDER BY f.kind_rank, f.turn_at, f.id LIMIT ").push_bind(limit);
    many(sql).await
}

/// The free items that come first, a few of each lane, in the order in which they are handed out.
pub async fn list_free(tx: &mut ReadTx, lanes: &[FixLane], each: i64) -> Result<Vec<PrFixId>> {
    if lanes.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build("SELECT id FROM (");
    for (n, lane) in lanes.iter().enumerate() {
        sql.push(if n == 0 { "" } else { " UNION ALL " });
        sql.push(
            "SELECT id, kind_rank, turn_at FROM (SELECT id, kind_rank, turn_at FROM pr_fix_items
                WHERE status = 'QUEUED' AND holder_key IS NULL AND waiting_since IS NULL AND lane = ",
        );
        sql.push_bind(*lane).push(" ORDER BY kind_rank, turn_at, id LIMIT ").push_bind(each);
        sql.push(") AS of_lane");
    }
    sql.push(") AS first_of_each ORDER BY kind_rank, turn_at, id");
    let rows: Vec<(PrFixId,)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Where a walk through hand-outs stands.
pub type Place = (Timestamp, PrFixId);

/// Hand-outs in these lanes whose time may be up, after `place`, at most `limit` at once.
pub async fn list_late(
    tx: &mut ReadTx,
    lanes: &[FixLane],
    now: Timestamp,
    place: Option<&Place>,
    limit: i64,
) -> Result<Vec<Item>> {
    let mut sql = select(tx);
    sql.push("f.status = 'QUEUED' AND f.holder_key IS NOT NULL AND f.held_until <= ").push_bind(now);
    if let Some((at, id)) = place {
        sql.push(" AND (f.held_until, f.id) > (").push_bind(*at).push(", ").push_bind(id).push(")");
    }
    if lanes != FixLane::ALL {
        sql.push(" AND f.lane IN ").push_list(lanes.iter().copied());
    }
    sql.push(" ORDER BY f.held_until, f.id LIMIT ").push_bind(limit);
    many(sql).await
}

/// Items that wait for their pull requests and are to be looked at by `now`, the longest due first.
pub async fn list_waiting(tx: &mut ReadTx, now: Timestamp, limit: i64) -> Result<Vec<Item>> {
    let mut sql = select(tx);
    sql.push("f.status = 'QUEUED' AND f.waiting_since IS NOT NULL AND f.look_at <= ").push_bind(now);
    sql.push(" ORDER BY f.look_at, f.id LIMIT ").push_bind(limit);
    many(sql).await
}

/// What a list of items shows.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    pub lanes: &'a [FixLane],
    /// Of this status alone, whatever it is; those that are settled stand in the order of their last change.
    pub status: Option<FixStatus>,
    pub with_blocked: bool,
    /// The most urgent first; else the oldest.
    pub by_type: bool,
    pub skipped: Skipped,
    pub limit: i64,
}

impl<'a> Listing<'a> {
    /// What is handed out first.
    pub fn first(lanes: &'a [FixLane], limit: i64) -> Self {
        Self { lanes, status: None, with_blocked: false, by_type: true, skipped: Skipped::default(), limit }
    }
}

/// Items that there is something left to do about, or of one status.
pub async fn list(tx: &mut ReadTx, listing: Listing<'_>) -> Result<Vec<Item>> {
    let mut sql = select(tx);
    let is_open = listing.status.is_none_or(FixStatus::is_open);
    sql.push(if is_open { "f.is_open = TRUE" } else { "f.is_open = FALSE" });
    if let Some(status) = listing.status {
        sql.push(" AND f.status = ").push_bind(status);
    } else if !listing.with_blocked {
        sql.push(" AND f.status = 'QUEUED'");
    }
    if listing.lanes != FixLane::ALL {
        sql.push(" AND f.lane IN ").push_list(listing.lanes.iter().copied());
    }
    sql.push(match (is_open, listing.by_type) {
        (true, true) => " ORDER BY f.kind_rank, f.turn_at, f.id",
        (true, false) => " ORDER BY f.turn_at, f.id",
        (false, _) => " ORDER BY f.updated_at DESC, f.id DESC",
    });
    sql.push(" LIMIT ").push_bind(listing.limit);
    sql.push(" OFFSET ").push_bind(listing.skipped.rows());
    many(sql).await
}

/// How many items there is something left to do about, by lane and status.
pub async fn count_open(tx: &mut ReadTx) -> Result<Vec<(FixLane, FixStatus, i64)>> {
    tx.query("SELECT lane, status, count(*) FROM pr_fix_items WHERE is_open = TRUE GROUP BY lane, status")
        .fetch_all()
        .await
}

/// The item that keeps an issue from being given out.
pub async fn find_of_issue(tx: &mut ReadTx, repo: &RepoName, issue: IssueNumber) -> Result<Option<Item>> {
    let mut sql = select(tx);
    sql.push("f.is_open = TRUE AND f.issue IS NOT NULL AND f.repo = ").push_bind(repo.key());
    sql.push(" AND f.issue = ").push_bind(issue).push(" ORDER BY f.id LIMIT 1");
    one(sql).await
}

/// Open items of a repository, at most `limit` at once.
pub async fn list_open_in(tx: &mut ReadTx, repo: &RepoName, limit: i64) -> Result<Vec<PrFixId>> {
    let mut sql = tx.build("SELECT f.id FROM pr_fix_items f WHERE f.is_open = TRUE AND f.repo = ");
    sql.push_bind(repo.key()).push(" ORDER BY f.id LIMIT ").push_bind(limit);
    let rows: Vec<(PrFixId,)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Items of pull requests of these numbers that are closed by the newest that is known of them: those that are open or fixed.
pub async fn list_closed(
    tx: &mut ReadTx,
    (repo_id, repo): (&RepoId, &RepoName),
    numbers: &[IssueNumber],
) -> Result<Vec<PrFixId>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build(
        "SELECT f.id FROM pr_fix_items f JOIN pulls p ON p.number = f.pr AND p.state = 'closed' AND p.repository_id = ",
    );
    sql.push_bind(repo_id)
        .push(" WHERE f.status IN ('QUEUED', 'BLOCKED', 'FIXED') AND f.repo = ")
        .push_bind(repo.key());
    sql.push(" AND f.pr IN ").push_list(numbers.iter().copied()).push(" ORDER BY f.id");
    let rows: Vec<(PrFixId,)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// When an agent was last heard of: its newest heartbeat or report. The record keeps those for a day at least.
pub async fn last_heard(tx: &mut ReadTx, agent: &AgentName) -> Result<Option<Timestamp>> {
    let found: Option<(Timestamp,)> = tx
        .query("SELECT created_at FROM runs WHERE agent_key = $1 ORDER BY created_at DESC, id DESC LIMIT 1")
        .bind(agent.key())
        .fetch_optional()
        .await?;
    Ok(found.map(|(at,)| at))
}

/// Forgets pull requests that were closed before `cutoff`, at most `limit` at once.
pub async fn prune(tx: &mut WriteTx, cutoff: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM pr_fix_items WHERE id IN
            (SELECT id FROM pr_fix_items WHERE status = 'STALE' AND updated_at < $1 ORDER BY updated_at LIMIT $2)",
    )
    .bind(cutoff)
    .bind(limit)
    .execute()
    .await
}
