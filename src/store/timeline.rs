//! What is on record of one issue: claims and what became of them, runs, lanes, decisions and writes; the newest first.

use crate::{
    domain::{ids::IssueId, time::Timestamp},
    store::{ReadTx, Result},
};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    pub at: Timestamp,
    pub kind: Kind,
    /// The agent, the operator, or the model that judged.
    pub who: String,
    /// In a word: an action, a status, a lane.
    pub what: String,
    /// What was said of it.
    pub said: Option<String>,
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
    Lane,
    Decision,
    Write,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Run => "run",
            Self::Lane => "lane",
            Self::Decision => "decision",
            Self::Write => "write to GitHub",
        }
    }
}

type Row = (Timestamp, String, String, Option<String>);

/// The newest of each kind, at most `limit` of them.
pub async fn list(tx: &mut ReadTx, issue: &IssueId, limit: i64) -> Result<Vec<Happened>> {
    let claims: Vec<Row> = tx
        .query(
            "SELECT h.at, c.agent_name, h.action, COALESCE(h.blocker, h.summary) FROM claim_history h
             JOIN claims c ON c.id = h.claim_id WHERE c.issue_id = $1 ORDER BY h.at DESC, h.id DESC LIMIT $2",
        )
        .bind(issue)
        .bind(limit)
        .fetch_all()
        .await?;
    let runs: Vec<Row> = tx
        .query(
            "SELECT created_at, agent_name, COALESCE(outcome, status), COALESCE(error_message, summary) FROM runs
             WHERE issue_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
        )
        .bind(issue)
        .bind(limit)
        .fetch_all()
        .await?;
    let lanes: Vec<Row> = tx
        .query(
            "SELECT judged_at, COALESCE(model, 'unknown'), lane, reason FROM lane_history
             WHERE issue_id = $1 ORDER BY judged_at DESC, id DESC LIMIT $2",
        )
        .bind(issue)
        .bind(limit)
        .fetch_all()
        .await?;
    let decisions: Vec<Row> = tx
        .query(
            "SELECT at, actor, action, COALESCE(error, notes) FROM audit_log
             WHERE issue_id = $1 ORDER BY at DESC, id DESC LIMIT $2",
        )
        .bind(issue)
        .bind(limit)
        .fetch_all()
        .await?;
    let labels: Vec<Row> = tx
        .query(
            "SELECT created_at, CASE WHEN wanted = TRUE THEN 'add ' ELSE 'remove ' END || label, state, error
             FROM label_edits WHERE issue_id = $1 ORDER BY created_at DESC, label_key LIMIT $2",
        )
        .bind(issue)
        .bind(limit)
        .fetch_all()
        .await?;
    let writes: Vec<Row> = tx
        .query(
            "SELECT created_at, actor, kind || ' ' || state, error FROM outbox
             WHERE issue_id = $1 ORDER BY place DESC LIMIT $2",
        )
        .bind(issue)
        .bind(limit)
        .fetch_all()
        .await?;
    let mut all = Vec::new();
    for (kind, rows) in [
        (Kind::Claim, claims),
        (Kind::Run, runs),
        (Kind::Lane, lanes),
        (Kind::Decision, decisions),
        (Kind::Write, labels),
        (Kind::Write, writes),
    ] {
        all.extend(rows.into_iter().map(|(at, who, what, said)| Happened { at, kind, who, what, said }));
    }
    // Of one time in the order above: what was decided stands above what came of it.
    all.sort_by_key(|one| std::cmp::Reverse(one.at));
    Ok(all)
}
