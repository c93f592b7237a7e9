//! A comment on an issue or pull request.

use serde::Serialize;

use crate::clock::as_iso;

/// One comment; times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comment {
    /// Database id, ascending over the whole simulator.
    pub id: u64,
    /// Number of the issue it belongs to.
    pub issue: u64,
    /// Login of who wrote it.
    pub author: String,
    /// Markdown.
    pub body: String,
    /// Time of writing.
    #[serde(serialize_with = "as_iso")]
    pub created_at: i64,
    /// Time of the last edit.
    #[serde(serialize_with = "as_iso")]
    pub updated_at: i64,
}
