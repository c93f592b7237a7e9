//! `repositories` and `repository_aliases`: what is tracked, under which names.

use crate::{
    domain::{
        event::Change,
        ids::RepoId,
        repo::{RepoName, RepoSource, TrackedRepo},
        time::Timestamp,
    },
    store::{
        ReadTx, Result, WriteTx,
        sync_state::{STATE_COLUMNS, StateRow},
    },
};

/// A repository with what lists show of it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RepoRow {
    pub id: RepoId,
    pub full_name: RepoName,
    pub default_branch: String,
    pub tracked: bool,
    pub source: RepoSource,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub confirmed_at: Option<Timestamp>,
    pub error: Option<String>,
    pub open_pulls: i64,
    pub archived: bool,
    /// The newest commit of the default branch, as far as it was asked for.
    pub latest_commit: Option<String>,
    /// The pass that last asked GitHub about the repository itself, and what it came to.
    pub described_by: Option<String>,
    pub describe_began_at: Option<Timestamp>,
    pub described_at: Option<Timestamp>,
    pub describe_error: Option<String>,
}

const ROW: &str =
    "SELECT r.id, r.full_name, r.default_branch, r.tracked, r.source, r.created_at, r.updated_at,
            s.confirmed_at, s.error, r.archived, r.latest_commit, r.described_by, r.describe_began_at, r.described_at,
            r.describe_error,
            (SELECT count(*) FROM pulls p WHERE p.repository_id = r.id AND p.state = 'open') AS open_pulls
     FROM repositories r JOIN sync_state s ON s.repository_id = r.id";

#[derive(sqlx::FromRow)]
struct TrackedRow {
    id: RepoId,
    full_name: RepoName,
    github_id: Option<i64>,
    #[sqlx(flatten)]
    state: StateRow,
}

impl From<TrackedRow> for TrackedRepo {
    fn from(row: TrackedRow) -> Self {
        Self { id: row.id, name: row.full_name, github_id: row.github_id, sync: row.state.into() }
    }
}

/// Every tracked repository, by name. One statement, whatever their number.
pub async fn list_tracked(tx: &mut ReadTx) -> Result<Vec<TrackedRepo>> {
    let mut sql = tx.build("SELECT r.id, r.full_name, r.github_id, ");
    sql.push(STATE_COLUMNS);
    sql.push(" FROM repositories r JOIN sync_state s ON s.repository_id = r.id WHERE r.tracked = TRUE ORDER BY r.name_key");
    let rows: Vec<TrackedRow> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(TrackedRepo::from).collect())
}

/// The tracked repository of this name, or of a repository that once had it.
pub async fn find_tracked(tx: &mut ReadTx, name: &RepoName) -> Result<Option<TrackedRepo>> {
    let mut sql = tx.build("SELECT r.id, r.full_name, r.github_id, ");
    sql.push(STATE_COLUMNS);
    sql.push(" FROM repositories r JOIN sync_state s ON s.repository_id = r.id WHERE r.tracked = TRUE AND (r.name_key = ");
    sql.push_bind(name.key())
        .push(" OR r.id = (SELECT repository_id FROM repository_aliases WHERE name_key = ");
    sql.push_bind(name.key()).push(")) ORDER BY CASE WHEN r.name_key = ").push_bind(name.key());
    sql.push(" THEN 0 ELSE 1 END LIMIT 1");
    let row: Option<TrackedRow> = sql.done().fetch_optional().await?;
    Ok(row.map(TrackedRepo::from))
}

/// The repository of this name, tracked or not, or else the one that once had it.
pub async fn find_id(tx: &mut ReadTx, name: &RepoName) -> Result<Option<RepoId>> {
    let (found,): (Option<RepoId>,) = tx
        .query(
            "SELECT COALESCE((SELECT id FROM repositories WHERE name_key = $1),
                             (SELECT repository_id FROM repository_aliases WHERE name_key = $2))",
        )
        .bind(name.key())
        .bind(name.key())
        .fetch_one()
        .await?;
    Ok(found)
}

/// The keys of all names that the repository of this name has or had, this one first.
pub async fn list_keys(tx: &mut ReadTx, name: &RepoName) -> Result<Vec<String>> {
    let mut keys = vec![name.key()];
    let Some(id) = find_id(tx, name).await? else { return Ok(keys) };
    let rows: Vec<(String,)> = tx
        .query(
            "SELECT name_key FROM repositories WHERE id = $1
             UNION SELECT name_key FROM repository_aliases WHERE repository_id = $2",
        )
        .bind(&id)
        .bind(&id)
        .fetch_all()
        .await?;
    keys.extend(rows.into_iter().map(|(key,)| key).filter(|key| *key != name.key()));
    Ok(keys)
}

/// The tracked repository that GitHub gave this number.
pub async fn find_tracked_by_github_id(tx: &mut ReadTx, github_id: i64) -> Result<Option<TrackedRepo>> {
    let mut sql = tx.build("SELECT r.id, r.full_name, r.github_id, ");
    sql.push(STATE_COLUMNS);
    sql.push(" FROM repositories r JOIN sync_state s ON s.repository_id = r.id WHERE r.tracked = TRUE AND r.github_id = ");
    sql.push_bind(github_id).push(" ORDER BY r.name_key LIMIT 1");
    let row: Option<TrackedRow> = sql.done().fetch_optional().await?;
    Ok(row.map(TrackedRepo::from))
}

/// Every repository ever tracked, by name.
pub async fn list_all(tx: &mut ReadTx) -> Result<Vec<RepoRow>> {
    let mut sql = tx.build(ROW);
    sql.push(" ORDER BY r.name_key");
    sql.done().fetch_all().await
}

/// Has a repository ever been tracked? Only an empty table is seeded.
pub async fn is_empty(tx: &mut ReadTx) -> Result<bool> {
    let found: Option<(RepoId,)> = tx.query("SELECT id FROM repositories LIMIT 1").fetch_optional().await?;
    Ok(found.is_none())
}

/// What became of a wish to track a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    Added,
    /// It was tracked before; its cache is still there.
    Resumed,
    /// It is tracked already; nothing changed.
    Already,
}

/// Tracks a repository under a new id, or again under the one it had.
pub async fn track(
    tx: &mut WriteTx,
    id: &RepoId,
    name: &RepoName,
    source: RepoSource,
    now: Timestamp,
) -> Result<(RepoId, Tracking)> {
    // The former name of a repository that is not tracked now means that repository.
    let renamed: Option<(RepoId,)> = tx
        .query(
            "UPDATE repositories SET tracked = TRUE, source = $1, updated_at = $2
             WHERE tracked = FALSE AND id = (SELECT repository_id FROM repository_aliases WHERE name_key = $3)
               AND NOT EXISTS (SELECT 1 FROM repositories r WHERE r.name_key = $4) RETURNING id",
        )
        .bind(source)
        .bind(now)
        .bind(name.key())
        .bind(name.key())
        .fetch_optional()
        .await?;
    if let Some((id,)) = renamed {
        return Ok((id, Tracking::Resumed));
    }
    let added = tx
        .query(
            "INSERT INTO repositories (id, full_name, name_key, tracked, source, created_at, updated_at)
             VALUES ($1, $2, $3, TRUE, $4, $5, $6) ON CONFLICT (name_key) DO NOTHING",
        )
        .bind(id)
        .bind(name)
        .bind(name.key())
        .bind(source)
        .bind(now)
        .bind(now)
        .about([Change::Repo(id.clone())])
        .execute()
        .await?;
    if added == 1 {
        tx.query("INSERT INTO sync_state (repository_id) VALUES ($1)").bind(id).unheard().execute().await?;
        return Ok((id.clone(), Tracking::Added));
    }
    let resumed: Option<(RepoId,)> = tx
        .query(
            "UPDATE repositories SET tracked = TRUE, source = $1, updated_at = $2
             WHERE name_key = $3 AND tracked = FALSE RETURNING id",
        )
        .bind(source)
        .bind(now)
        .bind(name.key())
        .fetch_optional()
        .await?;
    if let Some((id,)) = resumed {
        return Ok((id, Tracking::Resumed));
    }
    let (id,): (RepoId,) =
        tx.query("SELECT id FROM repositories WHERE name_key = $1").bind(name.key()).fetch_one().await?;
    Ok((id, Tracking::Already))
}

/// Stops tracking; returns its source, or nothing when it was not tracked. The cache stays, out of sight.
pub async fn untrack(tx: &mut WriteTx, id: &RepoId, now: Timestamp) -> Result<Option<RepoSource>> {
    let row: Option<(RepoSource,)> = tx
        .query(
            "UPDATE repositories SET tracked = FALSE, updated_at = $1
             WHERE id = $2 AND tracked = TRUE RETURNING source",
        )
        .bind(now)
        .bind(id)
        .about([Change::Repo(id.clone())])
        .fetch_optional()
        .await?;
    Ok(row.map(|(source,)| source))
}

/// One repository, for answers after a change.
pub async fn find_row(tx: &mut ReadTx, id: &RepoId) -> Result<Option<RepoRow>> {
    let mut sql = tx.build(ROW);
    sql.push(" WHERE r.id = ").push_bind(id);
    sql.done().fetch_optional().await
}

/// Records what GitHub says of a repository itself. A new name leaves the old one behind as an alias;
/// false when another row bears the new name already, and then nothing changes.
pub async fn describe(
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    github_id: i64,
    name: &RepoName,
    default_branch: &str,
    now: Timestamp,
) -> Result<bool> {
    if repo.name != *name {
        let taken: Option<(RepoId,)> = tx
            .query("SELECT id FROM repositories WHERE name_key = $1")
            .bind(name.key())
            .fetch_optional()
            .await?;
        if taken.is_some() {
            return Ok(false);
        }
        tx.query(
            "INSERT INTO repository_aliases (name_key, repository_id) VALUES ($1, $2)
             ON CONFLICT (name_key) DO UPDATE SET repository_id = excluded.repository_id",
        )
        .bind(repo.name.key())
        .bind(&repo.id)
        .about([Change::IssuesOf(repo.id.clone())])
        .execute()
        .await?;
    }
    tx.query(
        "UPDATE repositories SET github_id = $1, full_name = $2, name_key = $3, default_branch = $4, updated_at = $5
         WHERE id = $6",
    )
    .bind(github_id)
    .bind(name)
    .bind(name.key())
    .bind(default_branch)
    .bind(now)
    .bind(&repo.id)
    .about([Change::Repo(repo.id.clone())])
    .execute()
    .await?;
    Ok(true)
}

/// What GitHub said of a repository; nothing where it said the same as before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'f> {
    pub default_branch: Option<&'f str>,
    pub archived: Option<bool>,
    /// Of the default branch, which may have none.
    pub latest_commit: Option<Option<&'f str>>,
}

/// A pass asked GitHub about a repository between these times, and this is what it says.
pub async fn set_facts(
    tx: &mut WriteTx,
    id: &RepoId,
    facts: Facts<'_>,
    run: &str,
    (began, ended): (Timestamp, Timestamp),
) -> Result<()> {
    tx.query(
        "UPDATE repositories SET default_branch = COALESCE($1, default_branch), archived = COALESCE($2, archived),
            latest_commit = CASE WHEN $3 THEN $4 ELSE latest_commit END, described_by = $5, describe_began_at = $6,
            described_at = $7, describe_error = NULL
         WHERE id = $8",
    )
    .bind(facts.default_branch)
    .bind(facts.archived)
    .bind(facts.latest_commit.is_some())
    .bind(facts.latest_commit.flatten())
    .bind(run)
    .bind(began)
    .bind(ended)
    .bind(id)
    .about([Change::Repo(id.clone())])
    .execute()
    .await?;
    Ok(())
}

/// The pass came to nothing.
pub async fn describe_failed(
    tx: &mut WriteTx,
    id: &RepoId,
    run: &str,
    (began, ended): (Timestamp, Timestamp),
    error: &str,
) -> Result<()> {
    tx.query(
        "UPDATE repositories SET described_by = $1, describe_began_at = $2, described_at = $3, describe_error = $4
         WHERE id = $5",
    )
    .bind(run)
    .bind(began)
    .bind(ended)
    .bind(error)
    .bind(id)
    .about([Change::Repo(id.clone())])
    .execute()
    .await?;
    Ok(())
}
