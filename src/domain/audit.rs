//! Rows of the audit log: decisions of Dispatch and of its users, never what GitHub told us.

use serde::Serialize;

use super::{
    ids::{AuditId, IssueId, IssueNumber, TokenId},
    time::Timestamp,
};

/// What was decided. The names are those of the Node edition (`contract/operations.md` section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    AddTrackedRepo,
    RemoveTrackedRepo,
    AuthTierDenied,
    WorkerScopeDenied,
    CreateToken,
    RevokeToken,
}

/// A row to be written.
#[derive(Clone, Debug)]
pub struct NewAudit {
    pub actor: String,
    pub token: Option<TokenId>,
    pub action: AuditAction,
    /// `owner/name`, or `unknown`.
    pub repo: String,
    pub issue_number: Option<IssueNumber>,
    pub issue_id: Option<IssueId>,
    pub before: Vec<String>,
    pub after: Vec<String>,
    pub success: bool,
    pub error: Option<String>,
    pub notes: Option<String>,
}

impl NewAudit {
    /// A row about a repository as a whole.
    pub fn repo(actor: &str, token: &TokenId, action: AuditAction, repo: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            token: Some(token.clone()),
            action,
            repo: repo.to_owned(),
            issue_number: None,
            issue_id: None,
            before: Vec::new(),
            after: Vec::new(),
            success: true,
            error: None,
            notes: None,
        }
    }
}

/// A row as it is stored.
#[derive(Clone, Debug)]
pub struct AuditRow {
    pub id: AuditId,
    pub at: Timestamp,
    pub entry: NewAuditStored,
}

/// The stored part of an audit row; actions are texts so that rows of newer versions stay readable.
#[derive(Clone, Debug)]
pub struct NewAuditStored {
    pub actor: String,
    pub token: Option<TokenId>,
    pub action: String,
    pub repo: String,
    pub issue_number: Option<IssueNumber>,
    pub issue_id: Option<IssueId>,
    pub before: Vec<String>,
    pub after: Vec<String>,
    pub success: bool,
    pub error: Option<String>,
    pub notes: Option<String>,
}
