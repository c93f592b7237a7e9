//! What an agent reports of a task (`contract/agents.md` section 4).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    digest::{canonical_json, hex, sha256},
    time::Timestamp,
};

/// What kind of task it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TaskType {
    Implement,
    FollowupPr,
    Groom,
}

impl TaskType {
    pub const ALL: [Self; 3] = [Self::Implement, Self::FollowupPr, Self::Groom];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Implement => "implement",
            Self::FollowupPr => "followup-pr",
            Self::Groom => "groom",
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskOutcome {
    PrOpened,
    PrUpdated,
    IssueUpdated,
    IssueClosed,
    Blocked,
    Failed,
    NoChangesNeeded,
    AlreadyAddressed,
}

impl TaskOutcome {
    pub const ALL: [Self; 8] = [
        Self::PrOpened,
        Self::PrUpdated,
        Self::IssueUpdated,
        Self::IssueClosed,
        Self::Blocked,
        Self::Failed,
        Self::NoChangesNeeded,
        Self::AlreadyAddressed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PrOpened => "pr_opened",
            Self::PrUpdated => "pr_updated",
            Self::IssueUpdated => "issue_updated",
            Self::IssueClosed => "issue_closed",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::NoChangesNeeded => "no_changes_needed",
            Self::AlreadyAddressed => "already_addressed",
        }
    }

    /// The status of the run that tells of it.
    pub const fn run_status(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            _ => "completed",
        }
    }
}

/// The attempt at a pull request that a task was handed out for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PrFixAttempt)]
pub struct Attempt {
    pub id: String,
    pub generation: i64,
}

/// A report in its normal form: as it was sent, without what does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TaskReport)]
pub struct Report {
    pub task_type: TaskType,
    pub outcome: TaskOutcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub repo_full_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    pub issue_number: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    pub pull_request_number: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub pull_request_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub error: Option<String>,
    /// With `already_addressed` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub evidence: Option<String>,
    /// When the task began, where that can be believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Timestamp, required = false)]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Attempt, required = false)]
    pub pr_fix_item: Option<Attempt>,
}

impl Report {
    /// Names its content: equal for equal reports, however they are written. `started_at` counts as it was sent, because
    /// whether it is believed depends on the time of the report.
    pub fn payload_hash(&self, started_at: Option<&Value>) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Value::Object(fields) = &mut value {
            fields.remove("startedAt");
            fields.extend(started_at.map(|raw| ("startedAt".to_owned(), raw.clone())));
        }
        hex(&sha256(canonical_json(&value)))
    }

    /// Could it settle anything about a pull request?
    pub fn concerns_pull_request(&self) -> bool {
        self.repo_full_name.is_some() && self.pull_request_number.is_some()
    }
}

/// How long before its report a task may have begun.
const LONGEST_TASK: Duration = Duration::from_hours(24);

/// When a task began, if that is a whole time with a zone, has come, and is not long ago.
pub fn believable_start(text: &str, now: Timestamp) -> Option<Timestamp> {
    let at: Timestamp = text.parse().ok()?;
    (at <= now && now.since(at) <= LONGEST_TASK).then_some(at)
}

/// What a report did to the queue of pull requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PrFixAction)]
pub enum Action {
    None,
    Skipped,
    Blocked,
    Fixed,
    Deferred,
    Requeued,
}

/// The `prFixResolution` of an answer, stored with the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PrFixResolution)]
pub struct Resolution {
    pub matched: bool,
    pub action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub item_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    pub attempt_generation: Option<i64>,
}

impl Resolution {
    /// No item of the queue was meant.
    pub const NONE: Self =
        Self { matched: false, action: Action::None, item_id: None, reason: None, attempt_generation: None };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(value: Value) -> Report {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn names_on_the_wire_are_those_of_the_contract() {
        for kind in TaskType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for outcome in TaskOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
        assert_eq!(
            serde_json::to_value(Resolution::NONE).unwrap(),
            json!({ "matched": false, "action": "none" })
        );
    }

    #[test]
    fn equal_reports_have_one_hash() {
        let one = report(json!({ "taskType": "implement", "outcome": "failed", "issueNumber": 1 }));
        let same = report(
            json!({ "issueNumber": 1, "outcome": "failed", "taskType": "implement", "startedAt": "2026-01-01T00:00:00Z" }),
        );
        assert_eq!(one.payload_hash(None), same.payload_hash(None));
        let raw = json!("2026-01-01T00:00:00Z");
        assert_ne!(one.payload_hash(Some(&raw)), one.payload_hash(None));
        assert_eq!(one.payload_hash(Some(&raw)), same.payload_hash(Some(&raw)));
        let other = report(json!({ "taskType": "implement", "outcome": "failed", "issueNumber": 2 }));
        assert_ne!(one.payload_hash(None), other.payload_hash(None));
        // By hand: echo -n '{"outcome":"failed","taskType":"groom"}' | sha256sum
        let known = report(json!({ "taskType": "groom", "outcome": "failed" }));
        assert_eq!(known.payload_hash(None), KNOWN);
    }

    const KNOWN: &str = "9730af5a31d2a98217944dd20f979bf5322fcebe63b5fdbe09d1876149744be0";

    #[test]
    fn starts_are_believed_within_a_day() {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let cases = [
            ("2026-01-01T23:00:00Z", true),
            ("2026-01-01T23:00:00+01:00", true),
            ("2026-01-02T00:00:00Z", true),
            ("2026-01-01T00:00:00Z", true),
            ("2025-12-31T23:59:59Z", false),
            ("2026-01-02T00:00:01Z", false),
            ("2026-01-01T23:00:00", false),
            ("2026-01-01", false),
            ("yesterday", false),
            ("", false),
        ];
        for (text, want) in cases {
            assert_eq!(believable_start(text, now).is_some(), want, "{text}");
        }
    }
}
