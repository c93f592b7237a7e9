//! `pulls`: pull requests as lists show them. What speaks for and against them is in `pull_health`.

use std::collections::HashMap;

use sqlx::types::Json;

use crate::{
    domain::{
        event::Change,
        ids::{IssueNumber, RepoId},
        issue::{IssueState, RemotePull},
        pull_event::PullNow,
        repo::RepoName,
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx, db::Dialect},
};

/// What is known of a pull request, as far as new words of GitHub are held against it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Known {
    pub number: IssueNumber,
    pub state: IssueState,
    pub updated_at: Timestamp,
    pub content_hash: String,
    pub head_sha: Option<String>,
    pub head_ref: Option<String>,
    pub own_head: bool,
    pub base_ref: Option<String>,
    pub merge_state: Option<String>,
}

/// What is known of these pull requests, which nobody else changes until the transaction ends.
pub async fn lock_known(
    tx: &mut WriteTx,
    repo: &RepoId,
    numbers: &[IssueNumber],
) -> Result<HashMap<IssueNumber, Known>> {
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    let is_shared = tx.dialect() == Dialect::Postgres;
    let mut sql = tx.build(
        "SELECT number, state, updated_at, content_hash, head_sha, head_ref, own_head, base_ref, merge_state
         FROM pulls WHERE repository_id = ",
    );
    sql.push_bind(repo).push(" AND number IN ").push_list(numbers.iter().copied());
    sql.push(if is_shared { " ORDER BY number FOR UPDATE" } else { "" });
    let rows: Vec<Known> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|row| (row.number, row)).collect())
}

/// Inserts or refreshes pull requests in one statement, and never puts an older copy over a newer one. What changed is to
/// be looked at. Where one that is closed by now was to be merged into is not known any more: a list does not say, and it
/// may have been moved before.
pub async fn upsert(tx: &mut WriteTx, repo: &RepoId, pulls: &[&RemotePull], now: Timestamp) -> Result<u64> {
    if pulls.is_empty() {
        return Ok(0);
    }
    let mut sql = tx.build(
        "INSERT INTO pulls (repository_id, number, title, labels, state, url, author, draft, merged_at, created_at,
            updated_at, closed_at, content_hash, look_at) VALUES ",
    );
    for (n, pull) in pulls.iter().enumerate() {
        sql.push(if n == 0 { "(" } else { ", (" }).push_bind(repo);
        sql.push(", ").push_bind(pull.number);
        sql.push(", ").push_bind(pull.title.as_str());
        sql.push(", ").push_bind(Json(pull.labels.as_slice()));
        sql.push(", ").push_bind(pull.state);
        sql.push(", ").push_bind(pull.url.as_str());
        sql.push(", ").push_bind(pull.author.as_deref());
        sql.push(", ").push_bind(pull.draft);
        sql.push(", ").push_bind(pull.merged_at);
        sql.push(", ").push_bind(pull.created_at);
        sql.push(", ").push_bind(pull.updated_at);
        sql.push(", ").push_bind(pull.closed_at);
        sql.push(", ").push_bind(pull.content_hash());
        sql.push(", ").push_bind(now);
        sql.push(")");
    }
    sql.push(
        " ON CONFLICT (repository_id, number) DO UPDATE SET
            title = excluded.title, labels = excluded.labels, state = excluded.state, url = excluded.url,
            author = excluded.author, draft = excluded.draft, merged_at = excluded.merged_at,
            created_at = excluded.created_at, updated_at = excluded.updated_at, closed_at = excluded.closed_at,
            content_hash = excluded.content_hash, look_at = excluded.look_at, looks = 0,
            base_ref = CASE WHEN pulls.state = 'open' AND excluded.state = 'closed' THEN NULL ELSE pulls.base_ref END
          WHERE excluded.updated_at > pulls.updated_at
            OR (excluded.updated_at = pulls.updated_at AND excluded.content_hash <> pulls.content_hash)",
    );
    sql.done().about([Change::Repo(repo.clone())]).execute().await
}

/// Writes where the branches of a pull request are. Of another head nothing is known yet.
pub async fn describe(
    tx: &mut WriteTx,
    repo: &RepoId,
    pull: &PullNow,
    own_head: bool,
    now: Timestamp,
) -> Result<u64> {
    tx.query(
        "UPDATE pulls SET checks = CASE WHEN head_sha = $1 THEN checks ELSE '[]' END,
            merge_state = CASE WHEN head_sha = $2 THEN merge_state END,
            look_at = CASE WHEN head_sha = $3 THEN look_at ELSE $4 END,
            looks = CASE WHEN head_sha = $5 THEN looks ELSE 0 END,
            head_sha = $6, head_ref = $7, own_head = $8, base_ref = $9, version = version + 1
         WHERE repository_id = $10 AND number = $11",
    )
    .bind(pull.head.sha.as_str())
    .bind(pull.head.sha.as_str())
    .bind(pull.head.sha.as_str())
    .bind(now)
    .bind(pull.head.sha.as_str())
    .bind(pull.head.sha.as_str())
    .bind(pull.head.branch.as_str())
    .bind(own_head)
    .bind(pull.base_ref.as_str())
    .bind(repo)
    .bind(pull.number())
    .about([Change::Repo(repo.clone())])
    .execute()
    .await
}

/// Repositories with open pull requests.
pub async fn list_repos_with_open(tx: &mut ReadTx) -> Result<Vec<RepoId>> {
    let rows: Vec<(RepoId,)> = tx
        .query(
            "SELECT r.id FROM repositories r WHERE r.tracked = TRUE
                AND EXISTS (SELECT 1 FROM pulls p WHERE p.repository_id = r.id AND p.state = 'open')
             ORDER BY r.name_key",
        )
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Is a pull request of a tracked repository merged or closed, by the newest that was read of it?
pub async fn is_closed(tx: &mut ReadTx, repo: &RepoName, number: IssueNumber) -> Result<bool> {
    let found: Option<(i64,)> = tx
        .query(
            "SELECT p.number FROM pulls p JOIN repositories r ON r.id = p.repository_id
             WHERE r.name_key = $1 AND r.tracked = TRUE AND p.number = $2 AND p.state = 'closed'",
        )
        .bind(repo.key())
        .bind(number)
        .fetch_optional()
        .await?;
    Ok(found.is_some())
}
