//! What operators said of issues: columns of `issues` that no read of GitHub writes.

use sqlx::types::Json;

use crate::{
    domain::{
        grooming::{Grooming, Split},
        ids::IssueId,
    },
    store::{Result, WriteTx},
};

/// Stores whether an issue was split, and into what.
pub async fn set_split(tx: &mut WriteTx, issue: &IssueId, split: &Split) -> Result<()> {
    tx.query(
        "UPDATE issues SET decomposed = $1, decomposed_at = $2, decomposed_by = $3, decomposed_note = $4,
            follow_up_urls = $5 WHERE id = $6",
    )
    .bind(split.decomposed)
    .bind(split.at)
    .bind(split.by.as_deref())
    .bind(split.note.as_deref())
    .bind(Json(&split.follow_up_urls))
    .bind(issue)
    .execute()
    .await?;
    Ok(())
}

/// Stores what grooming came to, in place of what it came to before.
pub async fn set_grooming(tx: &mut WriteTx, issue: &IssueId, grooming: &Grooming) -> Result<()> {
    tx.query(
        "UPDATE issues SET groomed_at = $1, groomed_by = $2, grooming_summary = $3, not_ready_reason = $4,
            blocked_reason = $5, needs_info_reason = $6, next_grooming_action = $7 WHERE id = $8",
    )
    .bind(grooming.at)
    .bind(grooming.by.as_deref())
    .bind(grooming.summary.as_deref())
    .bind(grooming.not_ready_reason.as_deref())
    .bind(grooming.blocked_reason.as_deref())
    .bind(grooming.needs_info_reason.as_deref())
    .bind(grooming.next_action.as_deref())
    .bind(issue)
    .execute()
    .await?;
    Ok(())
}
