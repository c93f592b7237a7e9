//! `outbox`: comments, edits and new issues on their way to GitHub, in order within an issue.

use std::time::Duration;

use sqlx::types::Json;

use crate::{
    domain::{
        ids::{InstanceId, IssueId, IssueNumber, OutboxId, RepoId},
        outbox::{Asker, Beneath, Content, Edit, Facet, Kind, Made, Try},
        repo::RepoName,
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

/// GitHub's lists may lag behind what it was told: what went out and was not answered is not looked for, so not sent
/// again, before so long. The same edit again changes nothing, and waits for nothing; nor does a comment whose number
/// is known.
pub const LAG: Duration = Duration::from_secs(30);

/// A wish to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry<'a> {
    pub id: &'a OutboxId,
    pub repo: &'a RepoId,
    pub issue: Option<&'a IssueId>,
    pub content: &'a Content,
    /// What GitHub said last of the field that an edit changes.
    pub beneath: Option<&'a Beneath>,
    pub by: &'a Asker,
    pub at: Timestamp,
}

/// Records a wish and says which entry it is: an edit takes the place of an older one of the same field that GitHub
/// does not have. Call it with the issue locked.
pub async fn insert(tx: &mut WriteTx, new: &NewEntry<'_>) -> Result<OutboxId> {
    let edit = new.content.edit();
    let (id,): (OutboxId,) = tx
        .query(
            "INSERT INTO outbox (id, kind, repository_id, issue_id, field, content, place, version, state, lies_over,
                beneath, next_try_at, actor, token_id, agent, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, (SELECT coalesce(max(place), 0) + 1 FROM outbox WHERE issue_id = $7), 1,
                'pending', $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (issue_id, field) WHERE state IN ('pending', 'parked') DO UPDATE SET
                content = excluded.content, place = excluded.place, version = outbox.version + 1, state = 'pending',
                lies_over = excluded.lies_over, beneath = excluded.beneath, attempts = 0,
                next_try_at = excluded.next_try_at, error = NULL, actor = excluded.actor,
                token_id = excluded.token_id, agent = excluded.agent, created_at = excluded.created_at
             RETURNING id",
        )
        .bind(new.id)
        .bind(new.content.kind())
        .bind(new.repo)
        .bind(new.issue)
        .bind(edit.map(Edit::field))
        .bind(Json(new.content))
        .bind(new.issue)
        .bind(edit.is_some())
        .bind(new.beneath.map(Json))
        .bind(new.at)
        .bind(new.by.actor.as_str())
        .bind(new.by.token.as_ref())
        .bind(new.by.agent.as_ref())
        .bind(new.at)
        .fetch_one()
        .await?;
    Ok(id)
}

/// An entry that is due.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Due {
    pub id: OutboxId,
    pub repository_id: RepoId,
    pub issue_id: Option<IssueId>,
    /// Of a pull request that something is wanted of.
    pub pull: Option<IssueNumber>,
    /// Of the issue or the pull request.
    pub number: Option<IssueNumber>,
    pub kind: Kind,
    pub full_name: RepoName,
    /// GitHub's own number of the repository.
    pub github_id: Option<i64>,
    pub since: Timestamp,
}

/// Which entries to look for.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// Whatever has waited longest; without `posts` edits and labels only.
    All {
        posts: bool,
        limit: i64,
    },
    OfIssue(&'a IssueId),
    /// By the present name of its repository.
    OfPull(&'a RepoName, IssueNumber),
    One(&'a OutboxId),
}

/// Entries that may be sent now: of each issue the first that is not settled, if it is due and no living process
/// sends it.
pub async fn list_due(tx: &mut ReadTx, which: Which<'_>, now: Timestamp) -> Result<Vec<Due>> {
    let mut sql = tx.build(
        "SELECT o.id, o.repository_id, o.issue_id, o.pull, coalesce(i.number, o.pull) AS number, o.kind, r.full_name,
            r.github_id, o.next_try_at AS since FROM outbox o
         JOIN repositories r ON r.id = o.repository_id LEFT JOIN issues i ON i.id = o.issue_id
         WHERE o.state = 'pending' AND o.next_try_at <= ",
    );
    sql.push_bind(now).push(" AND (o.sending_until IS NULL OR o.sending_until <= ").push_bind(now);
    sql.push(
        " OR NOT EXISTS (SELECT 1 FROM instances x WHERE x.id = o.sender))
          AND (o.tried_at IS NULL OR o.kind IN ('edit', 'label') OR o.made IS NOT NULL OR o.tried_at <= ",
    );
    sql.push_bind(now.minus(LAG)).push(
        ") AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.issue_id = o.issue_id AND e.state = 'pending'
                          AND e.place < o.place)",
    );
    let limit = match which {
        Which::All { posts, limit } => {
            sql.push(if posts { "" } else { " AND o.kind IN ('edit', 'label')" });
            limit
        }
        Which::OfIssue(issue) => {
            sql.push(" AND o.issue_id = ").push_bind(issue);
            1
        }
        Which::OfPull(repo, number) => {
            sql.push(" AND r.name_key = ").push_bind(repo.key()).push(" AND o.pull = ").push_bind(number);
            1
        }
        Which::One(id) => {
            sql.push(" AND o.id = ").push_bind(id);
            1
        }
    };
    sql.push(" ORDER BY o.next_try_at, o.id LIMIT ").push_bind(limit);
    sql.done().fetch_all().await
}

/// An entry that is being sent.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Sending {
    pub id: OutboxId,
    /// This process; another may have taken the entry over since.
    pub sender: InstanceId,
    pub content: Json<Content>,
    pub version: i64,
    pub attempts: i64,
    /// It went out then, and nobody knows what came of it.
    pub unsure_since: Option<Timestamp>,
    /// The comment that is there since an earlier wish.
    pub made: Option<Json<Made>>,
}

/// Takes an entry for sending by this process, until `until`; nothing when another has it, or it is not its turn.
pub async fn take(
    tx: &mut WriteTx,
    id: &OutboxId,
    sender: &InstanceId,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Sending>> {
    tx.query(
        "UPDATE outbox SET sending_until = $1, sender = $2, attempts = attempts + 1,
            unsure_since = coalesce(unsure_since, tried_at), tried_at = $3
         WHERE id = $4 AND state = 'pending' AND next_try_at <= $5
           AND (sending_until IS NULL OR sending_until <= $6
                OR NOT EXISTS (SELECT 1 FROM instances x WHERE x.id = outbox.sender))
           AND (tried_at IS NULL OR kind IN ('edit', 'label') OR made IS NOT NULL OR tried_at <= $7)
           AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.issue_id = outbox.issue_id AND e.state = 'pending'
                           AND e.place < outbox.place)
         RETURNING id, sender, content, version, attempts, unsure_since, made",
    )
    .bind(until)
    .bind(sender)
    .bind(now)
    .bind(id)
    .bind(now)
    .bind(now)
    .bind(now.minus(LAG))
    .fetch_optional()
    .await
}

/// Goes on holding an entry until `until`; false when another has it by now, or nobody is to send it any more.
pub async fn hold(tx: &mut WriteTx, sending: &Sending, until: Timestamp) -> Result<bool> {
    let held = tx
        .query(
            "UPDATE outbox SET sending_until = $1
             WHERE id = $2 AND sender = $3 AND state = 'pending' AND sending_until IS NOT NULL",
        )
        .bind(until)
        .bind(&sending.id)
        .bind(&sending.sender)
        .execute()
        .await?;
    Ok(held == 1)
}

/// GitHub has it; a wish that changed meanwhile stays pending. False for the latter.
pub async fn settle(tx: &mut WriteTx, sent: &Sending, made: Option<&Made>, now: Timestamp) -> Result<bool> {
    let held = sent.content.is_held();
    let settled = tx
        .query(
            "UPDATE outbox SET state = 'settled', settled_at = $1, made = $2, held = $3, sending_until = NULL,
                tried_at = NULL, unsure_since = NULL, error = NULL
             WHERE id = $4 AND version = $5",
        )
        .bind(now)
        .bind(made.map(Json))
        .bind(held)
        .bind(&sent.id)
        .bind(sent.version)
        .execute()
        .await?;
    if settled == 0 {
        tx.query(
            "UPDATE outbox SET made = $1, held = $2, sending_until = NULL, tried_at = NULL, unsure_since = NULL
             WHERE id = $3 AND sender = $4",
        )
        .bind(made.map(Json))
        .bind(held)
        .bind(&sent.id)
        .bind(&sent.sender)
        .execute()
        .await?;
    }
    Ok(settled == 1)
}

/// It did not work: tried again at `next_try_at`. A wish that changed meanwhile does not wait for that.
pub async fn put_off(
    tx: &mut WriteTx,
    sent: &Sending,
    (error, tried): (&str, Try),
    next_try_at: Timestamp,
) -> Result<()> {
    tx.query(
        "UPDATE outbox SET sending_until = NULL,
            error = CASE WHEN version = $1 AND state = 'pending' THEN $2 ELSE error END,
            next_try_at = CASE WHEN version = $3 THEN $4 ELSE next_try_at END,
            attempts = CASE WHEN version = $5 AND attempts > 0 THEN attempts - $6 ELSE attempts END,
            tried_at = CASE WHEN $7 = TRUE THEN tried_at ELSE NULL END WHERE id = $8 AND sender = $9",
    )
    .bind(sent.version)
    .bind(error)
    .bind(sent.version)
    .bind(next_try_at)
    .bind(sent.version)
    .bind(tried.given_back())
    .bind(tried == Try::Unsure)
    .bind(&sent.id)
    .bind(&sent.sender)
    .execute()
    .await?;
    Ok(())
}

/// What is to be parked.
#[derive(Clone, Copy, Debug)]
pub enum Parked<'a> {
    /// As it was taken for sending, and what came of that.
    Entry(&'a Sending, Try),
    OfIssue(&'a IssueId),
    OfPull(&'a RepoId, IssueNumber, Facet),
    /// Whatever it is about, but for pull requests.
    OfRepo(&'a RepoId),
    PullsOf(&'a RepoId, Facet),
}

/// It can never work as it is: kept with the reason. What lay over the cache is not lifted here. What went out and was
/// not answered may be there, and nobody sends it again before it was looked for, nor while its sender waits.
pub async fn park(tx: &mut WriteTx, what: Parked<'_>, error: &str) -> Result<u64> {
    let mut sql = tx.build("UPDATE outbox SET state = 'parked', error = ");
    sql.push_bind(error);
    if let Parked::Entry(_, tried) = what {
        sql.push(", sending_until = NULL");
        sql.push(if tried == Try::Unsure { "" } else { ", tried_at = NULL" });
    }
    sql.push(" WHERE state = 'pending' AND ");
    match what {
        Parked::Entry(Sending { id, sender, version, .. }, _) => {
            sql.push("id = ").push_bind(id).push(" AND sender = ").push_bind(sender);
            sql.push(" AND version = ").push_bind(*version)
        }
        Parked::OfIssue(issue) => sql.push("issue_id = ").push_bind(issue),
        Parked::OfPull(repo, pull, facet) => {
            sql.push("repository_id = ").push_bind(repo).push(" AND pull = ").push_bind(pull);
            sql.push(" AND field = ").push_bind(facet)
        }
        Parked::OfRepo(repo) => sql.push("pull IS NULL AND repository_id = ").push_bind(repo),
        Parked::PullsOf(repo, facet) => {
            sql.push("repository_id = ").push_bind(repo);
            sql.push(" AND pull IS NOT NULL AND field = ").push_bind(facet)
        }
    };
    sql.done().execute().await
}

/// The issues of a repository for which anything waits to be sent, label edits included.
pub async fn list_waiting(tx: &mut ReadTx, repo: &RepoId) -> Result<Vec<IssueId>> {
    let rows: Vec<(IssueId,)> = tx
        .query(
            "SELECT issue_id FROM outbox WHERE state = 'pending' AND repository_id = $1 AND issue_id IS NOT NULL
             UNION SELECT e.issue_id FROM label_edits e JOIN issues i ON i.id = e.issue_id
             WHERE e.state = 'pending' AND i.repository_id = $2",
        )
        .bind(repo)
        .bind(repo)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(issue,)| issue).collect())
}

/// How many entries wait to be sent, label edits included.
pub async fn count_pending(tx: &mut ReadTx) -> Result<i64> {
    let (count,): (i64,) = tx
        .query(
            "SELECT (SELECT count(*) FROM label_edits WHERE state = 'pending')
                  + (SELECT count(*) FROM outbox WHERE state = 'pending')",
        )
        .fetch_one()
        .await?;
    Ok(count)
}

/// Forgets what came to its end long ago, but for edits of which no read has told yet, and for what is to be taken away
/// again.
pub async fn prune(tx: &mut WriteTx, before: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM outbox WHERE id IN (
            SELECT id FROM outbox WHERE state IN ('settled', 'discarded') AND created_at < $1
              AND coalesce(settled_at, created_at) < $2 AND lies_over = FALSE AND held = FALSE LIMIT $3)",
    )
    .bind(before)
    .bind(before)
    .bind(limit)
    .execute()
    .await
}
