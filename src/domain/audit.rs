//! Rows of the audit log: decisions of Dispatch and of its users, never what GitHub told us.

use serde::Serialize;

use super::{
    ids::{AgentName, AuditId, IssueId, IssueNumber, TokenId},
    repo::RepoName,
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
    /// Somebody signed in at the board, or out of it.
    SignIn,
    SignOut,
    CreateLoginLink,
    ClaimIssue,
    UnclaimIssue,
    UnclaimIssueByOperator,
    SetStatus,
    SetLane,
    /// The clock ran out, and the issue was taken back.
    StaleAgentworkReleased,
    /// The holder's label was removed or replaced on GitHub.
    ClaimRevoked,
    /// The issue was closed, deleted, transferred or done.
    ClaimEnded,
    AgentWorkStarted,
    AgentWorkCheckpoint,
    AgentWorkFinished,
    AgentWorkReleased,
    AgentWorkReassigned,
    LeaseReleased,
    OrphanWorkReleased,
    PrFixEnqueue,
    PrFixMark,
    PrFixRequeue,
    PrFixAck,
    /// A report settled an attempt.
    PrFixSettle,
    /// A hand-out ended without its agent.
    PrFixReclaim,
    /// What waited for a pull request waits no more.
    PrFixWake,
    /// The pull request is closed, or its repository is tracked no more.
    PrFixStale,
    /// The pull request of a blocked item gets the label and the comment that call a human; they are taken away again.
    CallHuman,
    CallHumanOver,
    /// An issue was seen to close: its status is `status/done`.
    MarkDone,
    /// An operator had an entry of the outbox tried again, or given up.
    OutboxRetried,
    OutboxDiscarded,
    /// The webhook of a repository was made on GitHub, or made what it should be; taken away.
    WebhookAdded,
    WebhookRemoved,
    /// An operator had a webhook's delivery tried again.
    DeliveryRetried,
    /// An operator moved a card of the board.
    MoveIssue,
    AddLabel,
    RemoveLabel,
    AddComment,
    AssignAgent,
    AssignOwner,
    UnassignAgent,
    UnassignOwner,
    IssueDecomposed,
    IssueReactivated,
    IssueGroomedPromote,
    IssueGroomedEscalate,
    IssueGroomedNotReady,
    IssueGroomedNeedsInfo,
    IssueGroomedBlocked,
    /// A workflow fails on the default branch: an issue tells of it.
    CiFailureFiled,
    /// It works again.
    CiFailureClosed,
    /// A merge closes what it says that it closes.
    ReconcileCloseIssue,
    /// An issue follows the health of its pull request.
    ReconcileAddLabel,
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
    /// The agent that it is about, whoever decided it.
    pub agent: Option<AgentName>,
}

impl NewAudit {
    /// A row about a repository as a whole.
    pub fn repo(actor: &str, token: &TokenId, action: AuditAction, repo: &str) -> Self {
        Self::whole(actor, Some(token), action, repo)
    }

    /// A row about no issue.
    pub fn whole(actor: &str, token: Option<&TokenId>, action: AuditAction, repo: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            token: token.cloned(),
            action,
            repo: repo.to_owned(),
            issue_number: None,
            issue_id: None,
            before: Vec::new(),
            after: Vec::new(),
            success: true,
            error: None,
            notes: None,
            agent: None,
        }
    }
}

/// What Dispatch itself decides is decided by this actor.
pub const SYSTEM: &str = "system";

impl NewAudit {
    /// A row about one issue and what its labels become.
    pub fn issue(
        actor: &str,
        token: Option<&TokenId>,
        action: AuditAction,
        (repo, number, id): (&RepoName, IssueNumber, &IssueId),
    ) -> Self {
        Self {
            actor: actor.to_owned(),
            token: token.cloned(),
            action,
            repo: repo.as_str().to_owned(),
            issue_number: Some(number),
            issue_id: Some(id.clone()),
            before: Vec::new(),
            after: Vec::new(),
            success: true,
            error: None,
            notes: None,
            agent: None,
        }
    }

    /// The labels before and after.
    #[must_use]
    pub fn labels(self, before: &[String], after: &[String]) -> Self {
        Self { before: before.to_vec(), after: after.to_vec(), ..self }
    }

    #[must_use]
    pub fn noting(self, notes: impl Into<String>) -> Self {
        Self { notes: Some(notes.into()), ..self }
    }

    /// It is about what this agent does or has.
    #[must_use]
    pub fn of_agent(self, agent: &AgentName) -> Self {
        Self { agent: Some(agent.clone()), ..self }
    }

    /// It was refused or did not work.
    #[must_use]
    pub fn failed(self, error: impl Into<String>) -> Self {
        Self { success: false, error: Some(error.into()), ..self }
    }
}

/// Which rows a list shows; all of it must fit.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub actor: Option<String>,
    pub agent: Option<AgentName>,
    pub action: Option<String>,
    /// The keys of all names of one repository; none: whatever repository.
    pub repo_keys: Vec<String>,
    /// One issue of that repository.
    pub issue: Option<AuditIssue>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// Which issue rows are about: by its id, and by its number where a row has no id, or not any more.
#[derive(Clone, Debug)]
pub struct AuditIssue {
    pub id: Option<IssueId>,
    pub number: IssueNumber,
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
    pub agent: Option<AgentName>,
}
