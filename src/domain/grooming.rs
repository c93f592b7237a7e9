//! What operators say of issues: how they were groomed, and into what they were split
//! (`contract/operations.md` 3.8 and 3.9).

use std::str::FromStr;

use super::{audit::AuditAction, time::Timestamp};

/// What grooming came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum GroomAction {
    PromoteToReady,
    Escalate,
    MarkNotReady,
    MarkNeedsInfo,
    MarkBlocked,
}

/// The text names no action.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("one of promote_to_ready, escalate, mark_not_ready, mark_needs_info, mark_blocked")]
pub struct NotAGroomAction;

impl GroomAction {
    pub const ALL: [Self; 5] =
        [Self::PromoteToReady, Self::Escalate, Self::MarkNotReady, Self::MarkNeedsInfo, Self::MarkBlocked];

    /// The name on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::PromoteToReady => "promote_to_ready",
            Self::Escalate => "escalate",
            Self::MarkNotReady => "mark_not_ready",
            Self::MarkNeedsInfo => "mark_needs_info",
            Self::MarkBlocked => "mark_blocked",
        }
    }

    /// What it comes to, for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::PromoteToReady => "it is ready",
            Self::Escalate => "it is to be escalated",
            Self::MarkNotReady => "it is not ready",
            Self::MarkNeedsInfo => "it needs information",
            Self::MarkBlocked => "it is blocked",
        }
    }

    /// The field that must say why.
    pub const fn reason_field(self) -> Option<&'static str> {
        match self {
            Self::PromoteToReady | Self::Escalate => None,
            Self::MarkNotReady => Some("notReadyReason"),
            Self::MarkNeedsInfo => Some("needsInfoReason"),
            Self::MarkBlocked => Some("blockedReason"),
        }
    }

    /// What is to be done next about the issue; nothing more once it is ready.
    pub const fn next_action(self) -> Option<&'static str> {
        match self {
            Self::PromoteToReady => None,
            Self::Escalate => Some("Have it looked at in the lane for escalations"),
            Self::MarkNotReady => Some("Mend what keeps it from being ready, then promote it"),
            Self::MarkNeedsInfo => Some("Get the missing information, then groom it again"),
            Self::MarkBlocked => Some("Clear what blocks it, then groom it again"),
        }
    }

    pub const fn audit(self) -> AuditAction {
        match self {
            Self::PromoteToReady => AuditAction::IssueGroomedPromote,
            Self::Escalate => AuditAction::IssueGroomedEscalate,
            Self::MarkNotReady => AuditAction::IssueGroomedNotReady,
            Self::MarkNeedsInfo => AuditAction::IssueGroomedNeedsInfo,
            Self::MarkBlocked => AuditAction::IssueGroomedBlocked,
        }
    }
}

impl FromStr for GroomAction {
    type Err = NotAGroomAction;

    fn from_str(text: &str) -> Result<Self, NotAGroomAction> {
        Self::ALL.into_iter().find(|action| action.word() == text).ok_or(NotAGroomAction)
    }
}

/// What grooming left with an issue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grooming {
    pub at: Option<Timestamp>,
    pub by: Option<String>,
    pub summary: Option<String>,
    pub not_ready_reason: Option<String>,
    pub blocked_reason: Option<String>,
    pub needs_info_reason: Option<String>,
    pub next_action: Option<String>,
}

impl Grooming {
    /// What an action leaves; of the reasons only its own.
    pub fn by_action(
        action: GroomAction,
        (by, at): (&str, Timestamp),
        summary: Option<String>,
        reason: Option<&str>,
    ) -> Self {
        let own = |of: GroomAction| reason.filter(|_| action == of).map(str::to_owned);
        Self {
            at: Some(at),
            by: Some(by.to_owned()),
            summary,
            not_ready_reason: own(GroomAction::MarkNotReady),
            blocked_reason: own(GroomAction::MarkBlocked),
            needs_info_reason: own(GroomAction::MarkNeedsInfo),
            next_action: action.next_action().map(str::to_owned),
        }
    }
}

/// Was it split into other issues, by whom, and into which?
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    pub decomposed: bool,
    /// When and by whom; none where it is not.
    pub at: Option<Timestamp>,
    pub by: Option<String>,
    pub note: Option<String>,
    pub follow_up_urls: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_have_their_words() {
        for action in GroomAction::ALL {
            assert_eq!(action.word().parse(), Ok(action));
        }
        assert_eq!("Promote_To_Ready".parse::<GroomAction>(), Err(NotAGroomAction));
    }

    #[test]
    fn only_its_own_reason_stays() {
        let at = Timestamp(7);
        let left = |action| Grooming::by_action(action, ("me", at), None, Some("why"));
        let reasons = |action| {
            let left = left(action);
            [left.not_ready_reason, left.blocked_reason, left.needs_info_reason].map(|one| one.is_some())
        };
        assert_eq!(reasons(GroomAction::PromoteToReady), [false, false, false]);
        assert_eq!(reasons(GroomAction::Escalate), [false, false, false]);
        assert_eq!(reasons(GroomAction::MarkNotReady), [true, false, false]);
        assert_eq!(reasons(GroomAction::MarkBlocked), [false, true, false]);
        assert_eq!(reasons(GroomAction::MarkNeedsInfo), [false, false, true]);
        assert!(left(GroomAction::PromoteToReady).next_action.is_none());
    }
}
