//! `pull_links`, and what issues show of it: which pull requests are about which issues.

use std::collections::BTreeSet;

use crate::{
    domain::{
        event::Change,
        ids::{IssueId, IssueNumber, RepoId},
        pull::links::LinkedBy,
        repo::RepoName,
    },
    store::{ReadTx, Result, WriteTx},
};

/// Rows of one statement.
const BATCH: usize = 1_000;

/// Numbers of the issues that these pull requests are about, as far as it was known.
pub async fn list_numbers(
    tx: &mut ReadTx,
    repo: &RepoId,
    pulls: &[IssueNumber],
) -> Result<BTreeSet<IssueNumber>> {
    if pulls.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut sql = tx.build("SELECT DISTINCT issue_number FROM pull_links WHERE repository_id = ");
    sql.push_bind(repo).push(" AND number IN ").push_list(pulls.iter().copied());
    let rows: Vec<(IssueNumber,)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|(number,)| number).collect())
}

/// The issues of these numbers that are cached.
pub async fn list_issues(
    tx: &mut ReadTx,
    repo: &RepoId,
    numbers: &BTreeSet<IssueNumber>,
) -> Result<Vec<IssueId>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build("SELECT id FROM issues WHERE repository_id = ");
    sql.push_bind(repo).push(" AND number IN ").push_list(numbers.iter().copied());
    let rows: Vec<(IssueId,)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Those of these issues that some pull request is about.
pub async fn list_named(tx: &mut ReadTx, repo: &RepoId, numbers: &[IssueNumber]) -> Result<Vec<IssueId>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build(
        "SELECT DISTINCT i.id FROM issues i
         JOIN pull_links l ON l.repository_id = i.repository_id AND l.issue_number = i.number WHERE i.repository_id = ",
    );
    sql.push_bind(repo).push(" AND i.number IN ").push_list(numbers.iter().copied());
    let rows: Vec<(IssueId,)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// An issue that shows a pull request.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Linked {
    pub id: IssueId,
    pub number: IssueNumber,
    pub lane: String,
    pub shown: bool,
    /// Where the pull request names it.
    pub position: Option<i64>,
}

/// The issues that show this pull request, in the order in which it names them.
pub async fn list_linked(tx: &mut ReadTx, repo: &RepoId, pull: IssueNumber) -> Result<Vec<Linked>> {
    let mut rows: Vec<Linked> = tx
        .query(
            "SELECT id, number, lane, shown, (SELECT min(l.position) FROM pull_links l
                    WHERE l.repository_id = issues.repository_id AND l.number = issues.linked_pull
                        AND l.issue_number = issues.number) AS position
             FROM issues WHERE repository_id = $1 AND linked_pull IS NOT NULL AND linked_pull = $2",
        )
        .bind(repo)
        .bind(pull)
        .fetch_all()
        .await?;
    // Sorted here: an index that has the order reads every issue of the repository.
    rows.sort_unstable_by_key(|issue| (issue.position, issue.number));
    Ok(rows)
}

/// Puts these in the place of what the pull requests were about; of each, what it names first stands at the head.
pub async fn replace(
    tx: &mut WriteTx,
    repo: &RepoId,
    all: &[(IssueNumber, Vec<(IssueNumber, LinkedBy)>)],
) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    let mut sql = tx.build("DELETE FROM pull_links WHERE repository_id = ");
    sql.push_bind(repo).push(" AND number IN ").push_list(all.iter().map(|(pull, _)| *pull));
    sql.done().unheard().execute().await?;
    let in_order = |links: &[(IssueNumber, LinkedBy)]| (0_i64..).zip(links.to_vec());
    let rows: Vec<_> = all
        .iter()
        .flat_map(|(pull, links)| in_order(links).map(move |(position, link)| (*pull, position, link)))
        .collect();
    for batch in rows.chunks(BATCH) {
        let mut sql = tx.build(
            "INSERT INTO pull_links (repository_id, number, issue_number, linked_by, position) VALUES ",
        );
        for (n, (pull, position, (issue, by))) in batch.iter().enumerate() {
            sql.push(if n == 0 { "(" } else { ", (" }).push_bind(repo);
            sql.push(", ").push_bind(*pull).push(", ").push_bind(*issue);
            sql.push(", ").push_bind(*by).push(", ").push_bind(*position).push(")");
        }
        sql.done().unheard().execute().await?;
    }
    Ok(())
}

/// Of several open pull requests about an issue the newest counts. Those of forks do not: anybody can open them, and no
/// agent can push to them.
macro_rules! newest {
    () => {
        "(SELECT max(p.number) FROM pull_links l JOIN pulls p ON p.repository_id = l.repository_id AND p.number = l.number
          WHERE l.repository_id = issues.repository_id AND l.issue_number = issues.number
            AND p.state = 'open' AND p.own_head = TRUE)"
    };
}

/// Says anew which pull request locked issues show, and whether they are not given out because of it
/// (`contract/agents.md` 3.2, step 4).
pub async fn relink(tx: &mut WriteTx, issues: &[IssueId]) -> Result<()> {
    if issues.is_empty() {
        return Ok(());
    }
    let about = || issues.iter().cloned().map(Change::Issue);
    let mut sql = tx.build(concat!(
        "UPDATE issues SET linked_pull = ",
        newest!(),
        " WHERE linked_pull IS DISTINCT FROM ",
        newest!(),
        " AND id IN "
    ));
    sql.push_list(issues);
    sql.done().about(about()).execute().await?;
    let mut sql = tx.build(
        "UPDATE issues SET linked_defers = NOT linked_defers
         WHERE linked_defers <> (linked_pull IS NOT NULL AND (
                EXISTS (SELECT 1 FROM repositories r JOIN pr_fix_items f ON f.repo = r.name_key
                    WHERE r.id = issues.repository_id AND f.pr = issues.linked_pull)
                OR EXISTS (SELECT 1 FROM pulls p WHERE p.repository_id = issues.repository_id
                    AND p.number = issues.linked_pull AND p.needs_followup = TRUE)))
            AND id IN ",
    );
    sql.push_list(issues);
    sql.done().about(about()).execute().await?;
    Ok(())
}

/// The issues that show a pull request of a tracked repository, by the repository's present name.
pub async fn list_issues_behind(tx: &mut ReadTx, repo: &RepoName, pull: IssueNumber) -> Result<Vec<IssueId>> {
    let rows: Vec<(IssueId,)> = tx
        .query(
            "SELECT i.id FROM repositories r JOIN issues i ON i.repository_id = r.id
             WHERE r.name_key = $1 AND i.linked_pull IS NOT NULL AND i.linked_pull = $2",
        )
        .bind(repo.key())
        .bind(pull)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
