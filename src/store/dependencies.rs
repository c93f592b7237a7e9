//! `dependencies`: what issues wait for. A blocker holds its dependents back while it is an open issue of a tracked
//! repository; `issues.open_blockers` counts those. Repositories are named by their present key where they are known.

use std::collections::{BTreeSet, HashMap};

use crate::{
    domain::{
        dependencies::Blocker,
        event::Change,
        ids::{IssueId, IssueNumber, RepoId},
        repo::RepoName,
    },
    store::{ReadTx, Result, WriteTx},
};

/// A row without its issue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    pub repo_key: String,
    pub number: IssueNumber,
    /// GitHub's own "blocked by", rather than a reference in the text.
    pub native: bool,
}

/// What some issues wait for.
pub type Dependencies = HashMap<IssueId, BTreeSet<Dependency>>;

/// Rows that one statement writes, and issues that one counts anew.
const BATCH: usize = 5_000;

#[derive(sqlx::FromRow)]
struct OpenRow {
    full_name: RepoName,
    number: IssueNumber,
}

/// The open issues that hold this one back.
pub async fn list_open(tx: &mut ReadTx, issue: &IssueId) -> Result<Vec<Blocker>> {
    let rows: Vec<OpenRow> = tx
        .query(
            "SELECT DISTINCT r.full_name, b.number FROM dependencies d
             JOIN repositories r ON r.name_key = d.repo_key AND r.tracked = TRUE
             JOIN issues b ON b.repository_id = r.id AND b.number = d.number
             WHERE d.issue_id = $1 AND b.state = 'open' AND b.removed_at IS NULL AND b.id <> d.issue_id
             ORDER BY r.full_name, b.number",
        )
        .bind(issue)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|row| Blocker { repo: row.full_name, number: row.number }).collect())
}

#[derive(sqlx::FromRow)]
struct Row {
    issue_id: IssueId,
    repo_key: String,
    number: IssueNumber,
    native: bool,
}

/// Everything that these issues are known to wait for; those that wait for nothing are not among the keys.
pub async fn list_of(tx: &mut ReadTx, issues: &[IssueId]) -> Result<Dependencies> {
    let mut found = Dependencies::new();
    if issues.is_empty() {
        return Ok(found);
    }
    let mut sql = tx.build("SELECT issue_id, repo_key, number, native FROM dependencies WHERE issue_id IN ");
    sql.push_list(issues);
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    for Row { issue_id, repo_key, number, native } in rows {
        found.entry(issue_id).or_default().insert(Dependency { repo_key, number, native });
    }
    Ok(found)
}

/// Where repositories have gone that bear these names no more: from the old key to the present one.
pub async fn present_keys(tx: &mut ReadTx, keys: &BTreeSet<String>) -> Result<HashMap<String, String>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = tx.build(
        "SELECT a.name_key, r.name_key FROM repository_aliases a JOIN repositories r ON r.id = a.repository_id
         WHERE NOT EXISTS (SELECT 1 FROM repositories p WHERE p.name_key = a.name_key) AND a.name_key IN ",
    );
    sql.push_list(keys);
    let rows: Vec<(String, String)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().collect())
}

/// Puts these in the place of what the issues waited for.
pub async fn replace(tx: &mut WriteTx, all: &[(&IssueId, &BTreeSet<Dependency>)]) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    let mut sql = tx.build("DELETE FROM dependencies WHERE issue_id IN ");
    sql.push_list(all.iter().map(|(issue, _)| *issue));
    let waiting = all.iter().map(|(issue, _)| Change::Issue((*issue).clone()));
    sql.done().about(waiting).execute().await?;
    let rows: Vec<_> = all.iter().flat_map(|(issue, own)| own.iter().map(move |row| (*issue, row))).collect();
    for batch in rows.chunks(BATCH) {
        let mut sql = tx.build("INSERT INTO dependencies (issue_id, repo_key, number, native) VALUES ");
        for (n, (issue, row)) in batch.iter().enumerate() {
            sql.push(if n == 0 { "(" } else { ", (" }).push_bind(*issue);
            sql.push(", ").push_bind(row.repo_key.as_str());
            sql.push(", ").push_bind(row.number);
            sql.push(", ").push_bind(row.native).push(")");
        }
        let waiting = batch.iter().map(|(issue, _)| Change::Issue((*issue).clone()));
        sql.done().about(waiting).execute().await?;
    }
    Ok(())
}

/// The issues that wait for one of these.
pub async fn list_dependents(
    tx: &mut ReadTx,
    repo: &RepoId,
    numbers: &[IssueNumber],
) -> Result<Vec<IssueId>> {
    let mut sql = tx.build(
        "SELECT DISTINCT issue_id FROM dependencies
         WHERE repo_key = (SELECT name_key FROM repositories WHERE id = ",
    );
    sql.push_bind(repo).push(") AND number IN ").push_list(numbers.iter().copied());
    let rows: Vec<(IssueId,)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The issues that wait for anything in the repository of this name.
pub async fn list_dependents_on(tx: &mut ReadTx, repo_key: &str) -> Result<Vec<IssueId>> {
    let rows: Vec<(IssueId,)> = tx
        .query("SELECT DISTINCT issue_id FROM dependencies WHERE repo_key = $1")
        .bind(repo_key)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Counts the open blockers of these issues anew, and writes where the count differs.
pub async fn recount(tx: &mut WriteTx, issues: &[IssueId]) -> Result<()> {
    for batch in issues.chunks(BATCH) {
        let mut sql = tx.build("UPDATE issues SET open_blockers = ");
        sql.push(OPEN).push(" WHERE open_blockers <> ").push(OPEN).push(" AND id IN ").push_list(batch);
        sql.done().about(batch.iter().cloned().map(Change::Issue)).execute().await?;
    }
    Ok(())
}

/// The number of open issues that hold `issues` back.
const OPEN: &str = "(SELECT count(DISTINCT b.id) FROM dependencies d
    JOIN repositories r ON r.name_key = d.repo_key AND r.tracked = TRUE
    JOIN issues b ON b.repository_id = r.id AND b.number = d.number
    WHERE d.issue_id = issues.id AND b.state = 'open' AND b.removed_at IS NULL AND b.id <> issues.id)";

/// A repository has another name: what was said of it is said of it still.
pub async fn rename(tx: &mut WriteTx, from: &str, to: &str) -> Result<()> {
    tx.query(
        "DELETE FROM dependencies WHERE repo_key = $1 AND EXISTS (
            SELECT 1 FROM dependencies other WHERE other.issue_id = dependencies.issue_id AND other.repo_key = $2
                AND other.number = dependencies.number AND other.native = dependencies.native)",
    )
    .bind(from)
    .bind(to)
    .execute()
    .await?;
    tx.query("UPDATE dependencies SET repo_key = $1 WHERE repo_key = $2")
        .bind(to)
        .bind(from)
        .execute()
        .await?;
    Ok(())
}
