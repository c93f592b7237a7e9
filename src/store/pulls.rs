//! `pulls`: pull requests as the issue list shows them.

use crate::{
    domain::{
        event::Change,
        ids::{IssueNumber, RepoId},
        issue::RemotePull,
        repo::RepoName,
    },
    store::{ReadTx, Result, WriteTx},
};

/// Inserts or refreshes pull requests in one statement; writes only rows whose content differs.
pub async fn upsert(tx: &mut WriteTx, repo: &RepoId, pulls: &[&RemotePull]) -> Result<u64> {
    if pulls.is_empty() {
        return Ok(0);
    }
    let mut sql = tx.build(
        "INSERT INTO pulls (repository_id, number, title, state, url, author, draft, merged_at, created_at,
            updated_at, closed_at, content_hash) VALUES ",
    );
    for (n, pull) in pulls.iter().enumerate() {
        sql.push(if n == 0 { "(" } else { ", (" }).push_bind(repo);
        sql.push(", ").push_bind(pull.number);
        sql.push(", ").push_bind(pull.title.as_str());
        sql.push(", ").push_bind(pull.state);
        sql.push(", ").push_bind(pull.url.as_str());
        sql.push(", ").push_bind(pull.author.as_deref());
        sql.push(", ").push_bind(pull.draft);
        sql.push(", ").push_bind(pull.merged_at);
        sql.push(", ").push_bind(pull.created_at);
        sql.push(", ").push_bind(pull.updated_at);
        sql.push(", ").push_bind(pull.closed_at);
        sql.push(", ").push_bind(pull.content_hash());
        sql.push(")");
    }
    sql.push(
        " ON CONFLICT (repository_id, number) DO UPDATE SET
            title = excluded.title, state = excluded.state, url = excluded.url, author = excluded.author,
            draft = excluded.draft, merged_at = excluded.merged_at, created_at = excluded.created_at,
            updated_at = excluded.updated_at, closed_at = excluded.closed_at, content_hash = excluded.content_hash
          WHERE excluded.updated_at >= pulls.updated_at AND excluded.content_hash <> pulls.content_hash",
    );
    sql.done().about([Change::Repo(repo.clone())]).execute().await
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
