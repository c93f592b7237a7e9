//! What is on record of one issue: claims and what became of them, runs, pull requests that needed another attempt, lanes,
//! decisions and writes; the newest first, page by page.

use crate::{
    domain::{
        ids::{IssueId, IssueNumber, RunId},
        issue::Issue,
        repo::RepoName,
        time::Timestamp,
    },
    store::{ReadTx, Result},
};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    pub at: Timestamp,
    pub kind: Kind,
    /// The agent, the operator, or the model that judged; of a pull request, which.
    pub who: String,
    /// In a word: an action, a status, a lane.
    pub what: String,
    /// What was said of it.
    pub said: Option<String>,
    /// What has a page of its own.
    pub place: Option<Place>,
}

/// What has a page of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Run(RunId),
    PrFix(RepoName, IssueNumber),
}

impl Happened {
    /// What happened, without the marks of names in databases.
    pub fn in_words(&self) -> String {
        self.what.replace('_', " ")
    }
}

/// Where it is on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Claim,
    Run,
    PrFix,
    Lane,
    Decision,
    Write,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Run => "run",
            Self::PrFix => "PR fix",
            Self::Lane => "lane",
            Self::Decision => "decision",
            Self::Write => "write to GitHub",
        }
    }
}

/// A page of what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub records: Vec<Happened>,
    /// What is older than this follows; nothing where all is shown.
    pub older: Option<Timestamp>,
}

type Row = (Timestamp, String, String, Option<String>);

/// What happened before `before`: some of each kind, as far back as none is left out.
pub async fn list(tx: &mut ReadTx, issue: &Issue, before: Timestamp, limit: i64) -> Result<Part> {
    let id = &issue.id;
    let page = (before, limit + 1);
    let claims = read(
        tx,
        "SELECT h.at, c.agent_name, h.action, COALESCE(h.blocker, h.summary) FROM claim_history h
         JOIN claims c ON c.id = h.claim_id WHERE c.issue_id = $1 AND h.at < $2 ORDER BY h.at DESC, h.id DESC LIMIT $3",
        (id, Kind::Claim),
        page,
    );
    let claims = claims.await?;
    let runs = list_runs(tx, id, page).await?;
    let fixes = list_fixes(tx, issue, page).await?;
    let lanes = read(
        tx,
        "SELECT judged_at, COALESCE(model, 'unknown'), lane, reason FROM lane_history
         WHERE issue_id = $1 AND judged_at < $2 ORDER BY judged_at DESC, id DESC LIMIT $3",
        (id, Kind::Lane),
        page,
    );
    let lanes = lanes.await?;
    let decisions = read(
        tx,
        "SELECT at, actor, action, COALESCE(error, notes) FROM audit_log
         WHERE issue_id = $1 AND at < $2 ORDER BY at DESC, id DESC LIMIT $3",
        (id, Kind::Decision),
        page,
    );
    let decisions = decisions.await?;
    let labels = read(
        tx,
        "SELECT created_at, CASE WHEN wanted = TRUE THEN 'add ' ELSE 'remove ' END || label, state, error
         FROM label_edits WHERE issue_id = $1 AND created_at < $2 ORDER BY created_at DESC, label_key LIMIT $3",
        (id, Kind::Write),
        page,
    );
    let labels = labels.await?;
    let writes = read(
        tx,
        "SELECT created_at, actor, kind || ' ' || state, error FROM outbox
         WHERE issue_id = $1 AND created_at < $2 ORDER BY created_at DESC, place DESC LIMIT $3",
        (id, Kind::Write),
        page,
    );
    let writes = writes.await?;
    Ok(merged([claims, runs, fixes, lanes, decisions, labels, writes], limit))
}

async fn read(
    tx: &mut ReadTx,
    sql: &'static str,
    (issue, kind): (&IssueId, Kind),
    (before, limit): (Timestamp, i64),
) -> Result<Vec<Happened>> {
    let rows: Vec<Row> = tx.query(sql).bind(issue).bind(before).bind(limit).fetch_all().await?;
    let happened = |(at, who, what, said)| Happened { at, kind, who, what, said, place: None };
    Ok(rows.into_iter().map(happened).collect())
}

async fn list_runs(
    tx: &mut ReadTx,
    issue: &IssueId,
    (before, limit): (Timestamp, i64),
) -> Result<Vec<Happened>> {
    type Run = (Timestamp, String, String, Option<String>, RunId);
    let rows: Vec<Run> = tx
        .query(
            "SELECT created_at, agent_name, COALESCE(outcome, status), COALESCE(error_message, summary), id FROM runs
             WHERE issue_id = $1 AND created_at < $2 ORDER BY created_at DESC, id DESC LIMIT $3",
        )
        .bind(issue)
        .bind(before)
        .bind(limit)
        .fetch_all()
        .await?;
    let happened = |(at, who, what, said, id)| {
        let place = Some(Place::Run(id));
        Happened { at, kind: Kind::Run, who, what, said, place }
    };
    Ok(rows.into_iter().map(happened).collect())
}

/// What became of the pull requests that are about it, where they needed another attempt.
async fn list_fixes(
    tx: &mut ReadTx,
    issue: &Issue,
    (before, limit): (Timestamp, i64),
) -> Result<Vec<Happened>> {
    type Event = (Timestamp, RepoName, IssueNumber, String, Option<String>);
    let rows: Vec<Event> = tx
        .query(
            "SELECT h.at, f.repo, f.pr, h.action, COALESCE(h.note, h.reason) FROM pr_fix_history h
             JOIN pr_fix_items f ON f.id = h.item_id
             WHERE h.item_id IN (
                SELECT p.id FROM pr_fix_items p
                    WHERE p.is_open = TRUE AND p.issue IS NOT NULL AND p.repo = $1 AND p.issue = $2
                UNION SELECT p.id FROM pr_fix_items p
                    WHERE p.is_open = FALSE AND p.issue IS NOT NULL AND p.repo = $3 AND p.issue = $4
                UNION SELECT p.id FROM pull_links l JOIN pr_fix_items p ON p.repo = $5 AND p.pr = l.number
                    WHERE l.repository_id = $6 AND l.issue_number = $7)
             AND h.at < $8 ORDER BY h.at DESC, h.item_id, h.seq DESC LIMIT $9",
        )
        .bind(issue.repo.key())
        .bind(issue.number)
        .bind(issue.repo.key())
        .bind(issue.number)
        .bind(issue.repo.key())
        .bind(&issue.repo_id)
        .bind(issue.number)
        .bind(before)
        .bind(limit)
        .fetch_all()
        .await?;
    let happened = |(at, repo, pr, what, said): Event| {
        let (who, place) = (format!("PR #{pr}"), Some(Place::PrFix(repo, pr)));
        Happened { at, kind: Kind::PrFix, who, what, said, place }
    };
    Ok(rows.into_iter().map(happened).collect())
}

/// One list of all, of which each holds one row more than `limit` where it goes on: as far back as all are known.
fn merged<const N: usize>(lists: [Vec<Happened>; N], limit: i64) -> Part {
    let limit = usize::try_from(limit).unwrap_or(0);
    let ends = lists.iter().filter(|list| list.len() > limit).filter_map(|list| list.last());
    let horizon = ends.map(|one| one.at).max();
    let mut records: Vec<Happened> = lists.into_iter().flatten().collect();
    // Of one time in the order of the lists: what was decided stands above what came of it.
    records.sort_by_key(|one| std::cmp::Reverse(one.at));
    let Some(horizon) = horizon else { return Part { records, older: None } };
    // Of its very time some may be missing, so that time is of the next page, unless it fills this one.
    let known = records.iter().take_while(|one| one.at > horizon).count();
    if known == 0 {
        records.retain(|one| one.at == horizon);
        return Part { records, older: Some(horizon) };
    }
    records.truncate(known);
    Part { records, older: Some(Timestamp(horizon.0 + 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(kind: Kind, times: &[i64]) -> Vec<Happened> {
        let happened = |at: &i64| Happened {
            at: Timestamp(*at),
            kind,
            who: String::new(),
            what: String::new(),
            said: None,
            place: None,
        };
        times.iter().map(happened).collect()
    }

    #[test]
    fn a_page_ends_where_the_first_kind_does() {
        let part = |runs: &[i64], lanes: &[i64]| {
            let part = merged([list(Kind::Run, runs), list(Kind::Lane, lanes)], 2);
            (part.records.iter().map(|one| one.at.0).collect::<Vec<_>>(), part.older.map(|at| at.0))
        };
        assert_eq!(part(&[9, 5], &[7]), (vec![9, 7, 5], None));
        assert_eq!(part(&[9, 7, 5], &[8, 2]), (vec![9, 8, 7], Some(6)));
        assert_eq!(part(&[9, 7, 5], &[8, 6, 6]), (vec![9, 8, 7], Some(7)));
        assert_eq!(part(&[9, 9, 9], &[8]), (vec![9, 9, 9], Some(9)));
    }
}
