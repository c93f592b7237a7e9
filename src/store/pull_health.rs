//! What speaks for and against pull requests, what it comes to, and when they are to be read again.

use std::collections::BTreeSet;

use sqlx::types::Json;

use crate::{
    domain::{
        event::Change,
        ids::{IssueId, IssueNumber, RepoId, TokenId},
        pull::{
            LinkedPull,
            health::{Check, Decision, Evidence, Opinion},
        },
        repo::ETag,
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx, db::Dialect},
};

/// A pull request with all that its health is computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub number: IssueNumber,
    pub is_open: bool,
    pub title: String,
    pub url: String,
    pub author: Option<String>,
    pub labels: Vec<String>,
    pub head_sha: Option<String>,
    pub head_ref: Option<String>,
    pub base_ref: Option<String>,
    pub evidence: Evidence,
    pub reasons: Vec<String>,
    pub decision: Option<Decision>,
    pub causes: Vec<String>,
    pub version: i64,
    pub looks: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    number: IssueNumber,
    is_open: bool,
    title: String,
    url: String,
    author: Option<String>,
    labels: Json<Vec<String>>,
    head_sha: Option<String>,
    head_ref: Option<String>,
    base_ref: Option<String>,
    opinions: Json<Vec<Opinion>>,
    checks: Json<Vec<Check>>,
    merge_state: Option<String>,
    followup_reasons: Json<Vec<String>>,
    review_decision: Option<Decision>,
    causes: Json<Vec<String>>,
    version: i64,
    looks: i64,
}

impl From<Row> for Subject {
    fn from(row: Row) -> Self {
        Self {
            number: row.number,
            is_open: row.is_open,
            title: row.title,
            url: row.url,
            author: row.author,
            labels: row.labels.0,
            head_sha: row.head_sha,
            head_ref: row.head_ref,
            base_ref: row.base_ref,
            evidence: Evidence {
                opinions: row.opinions.0,
                checks: row.checks.0,
                merge_state: row.merge_state,
            },
            reasons: row.followup_reasons.0,
            decision: row.review_decision,
            causes: row.causes.0,
            version: row.version,
            looks: row.looks,
        }
    }
}

const COLUMNS: &str =
    "number, state = 'open' AS is_open, title, url, author, labels, head_sha, head_ref, base_ref, opinions,
    checks, merge_state, followup_reasons, review_decision, causes, version, looks";

/// A pull request.
pub async fn find(tx: &mut ReadTx, repo: &RepoId, number: IssueNumber) -> Result<Option<Subject>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM pulls WHERE repository_id = ").push_bind(repo);
    sql.push(" AND number = ").push_bind(number);
    Ok(sql.done().fetch_optional::<Row>().await?.map(Subject::from))
}

/// A pull request that nobody else changes until the transaction ends.
pub async fn lock(tx: &mut WriteTx, repo: &RepoId, number: IssueNumber) -> Result<Option<Subject>> {
    let is_shared = tx.dialect() == Dialect::Postgres;
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM pulls WHERE repository_id = ").push_bind(repo);
    sql.push(" AND number = ").push_bind(number).push(if is_shared { " FOR UPDATE" } else { "" });
    Ok(sql.done().fetch_optional::<Row>().await?.map(Subject::from))
}

/// Open pull requests whose newest commit is this, in the order of their numbers.
pub async fn list_at(tx: &mut ReadTx, repo: &RepoId, sha: &str) -> Result<BTreeSet<IssueNumber>> {
    let rows: Vec<(IssueNumber,)> = tx
        .query("SELECT number FROM pulls WHERE repository_id = $1 AND state = 'open' AND head_sha = $2")
        .bind(repo)
        .bind(sha)
        .fetch_all()
        .await?;
    // Sorted here: an index that has the order reads every pull request of the repository.
    Ok(rows.into_iter().map(|(number,)| number).collect::<BTreeSet<_>>())
}

/// Writes what speaks for and against a locked pull request, and what it comes to. `heard`: the issues that show it
/// otherwise than before.
pub async fn write(
    tx: &mut WriteTx,
    repo: &RepoId,
    subject: &Subject,
    now: Timestamp,
    heard: &[IssueId],
) -> Result<()> {
    let failing = subject.evidence.failing();
    let query = tx
        .query(
            "UPDATE pulls SET opinions = $1, checks = $2, merge_state = $3, review_decision = $4, failing_checks = $5,
                needs_followup = $6, followup_reasons = $7, causes = $8, checked_at = $9, version = version + 1
             WHERE repository_id = $10 AND number = $11",
        )
        .bind(Json(subject.evidence.opinions.as_slice()))
        .bind(Json(subject.evidence.checks.as_slice()))
        .bind(subject.evidence.merge_state.as_deref())
        .bind(subject.decision)
        .bind(i64::try_from(failing).unwrap_or(i64::MAX))
        .bind(!subject.reasons.is_empty())
        .bind(Json(subject.reasons.as_slice()))
        .bind(Json(subject.causes.as_slice()))
        .bind(now)
        .bind(repo)
        .bind(subject.number);
    let told = if heard.is_empty() {
        query.unheard()
    } else {
        query.about(heard.iter().cloned().map(Change::Issue))
    };
    told.execute().await?;
    Ok(())
}

/// A pull request that is to be read.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    pub repository_id: RepoId,
    pub number: IssueNumber,
}

/// Open pull requests that shown issues show, and that are to be read by now; those that wait longest come first.
pub async fn list_due(tx: &mut ReadTx, now: Timestamp, limit: i64) -> Result<Vec<Due>> {
    tx.query(
        "SELECT p.repository_id, p.number FROM pulls p JOIN repositories r ON r.id = p.repository_id AND r.tracked = TRUE
         WHERE p.state = 'open' AND p.look_at IS NOT NULL AND p.look_at <= $1
            AND EXISTS (SELECT 1 FROM issues i WHERE i.repository_id = p.repository_id AND i.linked_pull IS NOT NULL
                AND i.linked_pull = p.number AND i.shown = TRUE)
         ORDER BY p.look_at, p.repository_id, p.number LIMIT $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all()
    .await
}

/// Says when a pull request is to be read next, and how often that was in vain by then.
pub async fn look_again(
    tx: &mut WriteTx,
    repo: &RepoId,
    number: IssueNumber,
    (at, looks): (Timestamp, i64),
) -> Result<()> {
    tx.query("UPDATE pulls SET look_at = $1, looks = $2 WHERE repository_id = $3 AND number = $4")
        .bind(at)
        .bind(looks)
        .bind(repo)
        .bind(number)
        .unheard()
        .execute()
        .await?;
    Ok(())
}

/// Stands for the number where an `ETag` is of a list, which belongs to no pull request.
pub const LISTS: IssueNumber = IssueNumber(0);

/// What an `ETag` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The open pull requests of the repository.
    Open,
    Detail,
    Reviews,
    Checks,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Detail => "detail",
            Self::Reviews => "reviews",
            Self::Checks => "checks",
        }
    }
}

/// The `ETag` of what was read last; `about` is the commit for checks, else empty.
pub async fn find_etag(
    tx: &mut ReadTx,
    (repo, number): (&RepoId, IssueNumber),
    what: What,
    about: &str,
) -> Result<Option<(ETag, TokenId)>> {
    tx.query(
        "SELECT etag, etag_token FROM pull_etags
         WHERE repository_id = $1 AND number = $2 AND what = $3 AND about = $4",
    )
    .bind(repo)
    .bind(number)
    .bind(what.as_str())
    .bind(about)
    .fetch_optional()
    .await
}

/// Keeps the `ETag` of what was written in this transaction; none: what is there is not to be relied on.
pub async fn put_etag(
    tx: &mut WriteTx,
    (repo, number): (&RepoId, IssueNumber),
    what: What,
    about: &str,
    etag: Option<&(ETag, TokenId)>,
) -> Result<()> {
    let Some((etag, token)) = etag else {
        tx.query("DELETE FROM pull_etags WHERE repository_id = $1 AND number = $2 AND what = $3")
            .bind(repo)
            .bind(number)
            .bind(what.as_str())
            .unheard()
            .execute()
            .await?;
        return Ok(());
    };
    tx.query(
        "INSERT INTO pull_etags (repository_id, number, what, about, etag, etag_token) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (repository_id, number, what) DO UPDATE SET about = excluded.about, etag = excluded.etag,
            etag_token = excluded.etag_token",
    )
    .bind(repo)
    .bind(number)
    .bind(what.as_str())
    .bind(about)
    .bind(etag)
    .bind(token)
    .unheard()
    .execute()
    .await?;
    Ok(())
}

/// Columns of a join with the pull request that an issue shows, `p`; all are null where there is none.
#[derive(sqlx::FromRow)]
pub(super) struct LinkedRow {
    #[sqlx(rename = "linked_number")]
    number: Option<IssueNumber>,
    #[sqlx(rename = "linked_url")]
    url: Option<String>,
    #[sqlx(rename = "linked_needs_followup")]
    needs_followup: Option<bool>,
    #[sqlx(rename = "linked_reasons")]
    reasons: Option<Json<Vec<String>>>,
    #[sqlx(rename = "linked_decision")]
    decision: Option<Decision>,
    #[sqlx(rename = "linked_merge_state")]
    merge_state: Option<String>,
    #[sqlx(rename = "linked_checked_at")]
    checked_at: Option<Timestamp>,
}

/// What [`LinkedRow`] reads.
macro_rules! linked_columns {
    () => {
        "p.number AS linked_number, p.url AS linked_url, p.needs_followup AS linked_needs_followup,
         p.followup_reasons AS linked_reasons, p.review_decision AS linked_decision, p.merge_state AS linked_merge_state,
         p.checked_at AS linked_checked_at"
    };
}
pub(super) use linked_columns;

impl LinkedRow {
    pub(super) fn into_linked(self) -> Option<LinkedPull> {
        Some(LinkedPull {
            number: self.number?,
            url: self.url?,
            needs_followup: self.needs_followup.unwrap_or(false),
            reasons: self.reasons.map(|reasons| reasons.0).unwrap_or_default(),
            decision: self.decision,
            merge_state: self.merge_state,
            checked_at: self.checked_at,
        })
    }
}

/// The pull request that an issue shows.
pub async fn find_linked(tx: &mut ReadTx, issue: &IssueId) -> Result<Option<LinkedPull>> {
    let row: Option<LinkedRow> = tx
        .query(concat!(
            "SELECT ",
            linked_columns!(),
            " FROM issues i JOIN pulls p ON p.repository_id = i.repository_id AND p.number = i.linked_pull WHERE i.id = $1"
        ))
        .bind(issue)
        .fetch_optional()
        .await?;
    Ok(row.and_then(LinkedRow::into_linked))
}
