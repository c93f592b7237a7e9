//! The record of one run of an agent (`contract/agents.md` section 9).

use serde::{Deserialize, Serialize};

use super::{
    heartbeat::Asked,
    ids::{AgentName, InstanceId, IssueId, ReadId, RunId},
    time::Timestamp,
};

/// The run type of a heartbeat.
pub const HEARTBEAT: &str = "heartbeat";

/// How a heartbeat's pass ended. Other run types have free texts as status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PassStatus {
    Ok,
    Warning,
    Error,
}

impl PassStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The status of a run that has not ended.
pub const RUNNING: &str = "running";

/// How a run went, as far as its status says so; statuses of clients are free texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Warned,
    Failed,
}

impl Tone {
    pub const ALL: [Self; 3] = [Self::Good, Self::Warned, Self::Failed];

    /// The statuses that say so, in lower case.
    pub const fn statuses(self) -> &'static [&'static str] {
        match self {
            Self::Good => &["ok", "success", "succeeded", "done"],
            Self::Warned => &["warning", RUNNING, "blocked"],
            Self::Failed => &["error", "failed", "failure"],
        }
    }

    /// How they stand in the database: clients report them in either case, and an index knows no case but the stored one.
    pub fn stored(self) -> impl Iterator<Item = String> {
        self.statuses().iter().flat_map(|status| [(*status).to_owned(), status.to_uppercase()])
    }

    /// What a status says, in whatever case.
    pub fn of(status: &str) -> Option<Self> {
        let says = |tone: &Self| tone.statuses().iter().any(|known| known.eq_ignore_ascii_case(status));
        Self::ALL.into_iter().find(says)
    }
}

/// What an escalated task came to (`contract/agents.md` section 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[schema(description = "What an escalated task came to.")]
#[sqlx(type_name = "TEXT", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    PrOpened,
    PrUpdated,
    FollowUpCreated,
    DesignCommentPosted,
    DecomposedSkipped,
    Stuck,
}

/// The names of [`Outcome`], for messages.
pub const OUTCOMES: &str =
    "PR_OPENED, PR_UPDATED, FOLLOW_UP_CREATED, DESIGN_COMMENT_POSTED, DECOMPOSED_SKIPPED, STUCK";

/// One run, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub agent: AgentName,
    pub run_type: String,
    pub status: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub summary: Option<String>,
    pub error_message: Option<String>,
    pub warnings: Vec<String>,
    pub errors: Vec<String>,
    /// Touched issue URLs of the run itself; those of its reads stand with the reads.
    pub touched: Vec<String>,
    pub reads: Vec<ReadId>,
    pub issue_id: Option<IssueId>,
    pub outcome: Option<Outcome>,
    pub next_heartbeat_at: Option<Timestamp>,
    /// What a heartbeat's answer held besides.
    pub asked: Option<Asked>,
    pub created_at: Timestamp,
}

/// A heartbeat that begins.
#[derive(Clone, Debug)]
pub struct NewPass {
    pub id: RunId,
    pub agent: AgentName,
    pub started_at: Timestamp,
    pub instance: InstanceId,
}

/// How a heartbeat ended.
#[derive(Clone, Debug, PartialEq)]
pub struct PassEnd {
    pub status: PassStatus,
    pub finished_at: Timestamp,
    pub summary: String,
    pub warnings: Vec<String>,
    pub errors: Vec<String>,
    pub reads: Vec<ReadId>,
    /// Issues that the pass itself freed.
    pub touched: Vec<String>,
    pub asked: Asked,
    pub next_heartbeat_at: Timestamp,
    /// Touched nothing and warned of nothing: such a record is kept for a day only.
    pub uneventful: bool,
}
