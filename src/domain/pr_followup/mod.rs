//! What happens to the pull requests of bots, and what of it becomes work in the PR-fix queue (`contract/operations.md` 5.2).
//! Polls and webhooks come here alike.

mod talk;

use self::talk::{is_actionable, is_informational};
use super::{
    ids::IssueNumber,
    pr_fix::{FixLane, FixType, enqueue::Evidence},
    pull::CheckRun,
    pull_event::{Conclusion, PullComment, PullReview, ReviewState},
    repo::RepoName,
};

/// The title of the comment that Dispatch leaves where a pull request needs a human.
pub const BLOCKED_MARKER: &str = "<!-- dispatch-pr-fix-blocked -->";
/// So much of what somebody says is kept.
const FEEDBACK_MAX: usize = 6_000;

/// Whose pull requests are followed, and where.
#[derive(Clone, Copy, Debug)]
pub struct Gates<'g> {
    pub bots: &'g [String],
    /// Empty: everywhere.
    pub owners: &'g [String],
}

impl Gates<'_> {
    pub fn follows_repo(&self, repo: &RepoName) -> bool {
        self.owners.is_empty() || self.owners.iter().any(|owner| owner.eq_ignore_ascii_case(repo.owner()))
    }

    pub fn follows(&self, repo: &RepoName, author: Option<&str>) -> bool {
        let of_bot =
            author.is_some_and(|author| self.bots.iter().any(|bot| bot.eq_ignore_ascii_case(author)));
        of_bot && self.follows_repo(repo)
    }

    /// Does the text call one of the bots by name?
    fn are_called(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.bots.iter().any(|bot| {
            let name = bot.trim_end_matches("[bot]").to_lowercase();
            let call = format!("@{name}");
            text.match_indices(&call).any(|(at, _)| {
                !text[at + call.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
            })
        })
    }
}

/// A pull request that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    pub repo: RepoName,
    pub number: IssueNumber,
    pub author: Option<String>,
    pub title: String,
    /// Its page.
    pub url: String,
    pub branch: Option<String>,
    pub head_sha: Option<String>,
    pub issue: Option<IssueNumber>,
    pub is_open: bool,
}

/// One thing that happened to it.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    Comment(&'e PullComment),
    LineComment(&'e PullComment),
    Review(&'e PullReview),
    /// A check that ended, with what its log says.
    Check(&'e CheckRun, Option<&'e str>),
    /// GitHub's `mergeable_state`.
    MergeState(&'e str),
}

/// The work that an event means, if it means any.
pub fn evidence(gates: &Gates<'_>, pull: &Followed, event: Event<'_>) -> Option<Evidence> {
    if !gates.follows(&pull.repo, pull.author.as_deref()) {
        return None;
    }
    let normal = FixLane::Normal;
    match event {
        Event::Comment(comment) => {
            let asks = gates.are_called(&comment.body) || is_actionable(&comment.body);
            if is_own(pull, comment) || is_informational(&comment.body) || !asks {
                return None;
            }
            let reason = format!("{} commented", who(comment.author.as_deref()));
            let source = ("comment", comment.id.to_string());
            Some(make(pull, source, normal, FixType::ReviewFeedback, reason, &comment.body))
        }
        Event::LineComment(comment) => {
            if !pull.is_open || is_own(pull, comment) || is_informational(&comment.body) {
                return None;
            }
            let reason = format!("{} commented on a line", who(comment.author.as_deref()));
            let source = ("review_comment", comment.id.to_string());
            Some(make(pull, source, normal, FixType::ReviewFeedback, reason, &with_place(comment)))
        }
        Event::Review(review) => {
            if !pull.is_open || review.state != ReviewState::ChangesRequested {
                return None;
            }
            let body = review.body.as_deref().unwrap_or_default().trim();
            let lane = if body.is_empty() { FixLane::NeedsHuman } else { normal };
            let author = who(review.author.as_deref());
            let (reason, source) = (format!("{author} requested changes"), ("review", review.id.to_string()));
            let feedback =
                if body.is_empty() { format!("{reason} and did not say which") } else { body.to_owned() };
            Some(make(pull, source, lane, FixType::ReviewFeedback, reason, &feedback))
        }
        Event::Check(run, log) => {
            let word = failing(run.conclusion?)?;
            let reason = format!("Check {} {word}", run.name);
            let parts = [Some(reason.as_str()), log, run.url.as_deref()];
            let feedback: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
            let feedback = feedback.join("\n\n");
            let source = ("check_run", run.id.to_string());
            Some(make(pull, source, normal, FixType::CiFailure, reason, &feedback))
        }
        Event::MergeState(state) => {
            let (kind, source) = match state {
                "dirty" => (FixType::MergeConflict, ("merge_conflict", conflict(pull))),
                "behind" | "unstable" | "has_hooks" => (FixType::Other, ("merge_state", state.to_owned())),
                _ => return None,
            };
            if !pull.is_open {
                return None;
            }
            let reason = match kind {
                FixType::MergeConflict => {
                    "it conflicts with the branch that it is to be merged into".to_owned()
                }
                _ => format!("GitHub says that it is {state}"),
            };
            Some(make(pull, source, normal, kind, reason.clone(), &reason))
        }
    }
}

/// A conflict of another commit is another conflict.
fn conflict(pull: &Followed) -> String {
    match &pull.head_sha {
        Some(head) => format!("conflicting:{}", head.chars().take(12).collect::<String>()),
        None => "conflicting".to_owned(),
    }
}

/// Does this word of GitHub say that a conflict is over? `None`: it does not know.
pub fn is_conflict_over(merge_state: &str) -> Option<bool> {
    match merge_state {
        "" | "unknown" => None,
        state => Some(state != "dirty"),
    }
}

fn make(
    pull: &Followed,
    (event, source): (&str, String),
    lane: FixLane,
    kind: FixType,
    reason: String,
    feedback: &str,
) -> Evidence {
    Evidence {
        repo: pull.repo.clone(),
        pr: pull.number,
        reason,
        feedback: feedback.chars().take(FEEDBACK_MAX).collect(),
        key: format!("{event}:{}#{}:{source}", pull.repo.key(), pull.number),
        lane,
        kind,
        issue: pull.issue,
        branch: pull.branch.clone(),
        url: Some(pull.url.clone()),
        title: Some(pull.title.clone()),
        head_sha: pull.head_sha.clone(),
        author: pull.author.clone(),
    }
}

fn who(author: Option<&str>) -> &str {
    author.unwrap_or("somebody")
}

fn is_own(pull: &Followed, comment: &PullComment) -> bool {
    let (author, by) = (pull.author.as_deref(), comment.author.as_deref());
    author.zip(by).is_some_and(|(author, by)| author.eq_ignore_ascii_case(by))
}

fn with_place(comment: &PullComment) -> String {
    match &comment.place {
        Some(place) => match place.line {
            Some(line) => format!("{}:{line}: {}", place.path, comment.body),
            None => format!("{}: {}", place.path, comment.body),
        },
        None => comment.body.clone(),
    }
}

const fn failing(conclusion: Conclusion) -> Option<&'static str> {
    match conclusion {
        Conclusion::Failure | Conclusion::StartupFailure => Some("failed"),
        Conclusion::Cancelled => Some("was cancelled"),
        Conclusion::TimedOut => Some("timed out"),
        Conclusion::ActionRequired => Some("asks for action"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        pull_event::{Place, Written},
        time::Timestamp,
    };

    fn pull() -> Followed {
        Followed {
            repo: "Acme/api".parse().unwrap(),
            number: IssueNumber(7),
            author: Some("github-actions[bot]".into()),
            title: "Raise x".into(),
            url: "https://github.com/acme/api/pull/7".into(),
            branch: Some("raise".into()),
            head_sha: Some("0123456789abcdef".into()),
            issue: Some(IssueNumber(3)),
            is_open: true,
        }
    }

    fn comment(author: &str, body: &str) -> PullComment {
        PullComment {
            id: 5,
            written: Written::Created,
            author: Some(author.into()),
            body: body.into(),
            url: String::new(),
            place: Some(Place { path: "a.rs".into(), line: Some(9) }),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    fn review(state: ReviewState, body: &str) -> PullReview {
        PullReview {
            id: 6,
            state,
            author: Some("mona".into()),
            body: Some(body.into()),
            url: String::new(),
            submitted_at: None,
            commit: None,
        }
    }

    fn check(conclusion: Option<Conclusion>) -> CheckRun {
        CheckRun {
            id: 8,
            suite: Some(1),
            name: "test".into(),
            conclusion,
            url: Some("https://x/runs/8".into()),
            completed_at: None,
        }
    }

    fn of(pull: &Followed, event: Event<'_>) -> Option<Evidence> {
        let bots = ["github-actions[bot]".to_owned()];
        evidence(&Gates { bots: &bots, owners: &[] }, pull, event)
    }

    #[test]
    fn the_table_of_events() {
        let closed = Followed { is_open: false, ..pull() };
        let asks = comment("mona", "please change x to y");
        let line = comment("mona", "hm");
        let wants = review(ReviewState::ChangesRequested, "mend it");
        let silent = review(ReviewState::ChangesRequested, " ");
        let red = check(Some(Conclusion::Failure));
        let (normal, human) = (FixLane::Normal, FixLane::NeedsHuman);
        let (talk, ci) = (FixType::ReviewFeedback, FixType::CiFailure);
        let key = |text: &str| Some(text.to_owned());
        for (name, event, open, of_closed, lane, kind, source) in [
            ("comment", Event::Comment(&asks), true, true, normal, talk, key("comment:acme/api#7:5")),
            (
                "line",
                Event::LineComment(&line),
                true,
                false,
                normal,
                talk,
                key("review_comment:acme/api#7:5"),
            ),
            ("review", Event::Review(&wants), true, false, normal, talk, key("review:acme/api#7:6")),
            ("blank", Event::Review(&silent), true, false, human, talk, key("review:acme/api#7:6")),
            ("check", Event::Check(&red, Some("log")), true, true, normal, ci, key("check_run:acme/api#7:8")),
            (
                "behind",
                Event::MergeState("behind"),
                true,
                false,
                normal,
                FixType::Other,
                key("merge_state:acme/api#7:behind"),
            ),
            (
                "hooks",
                Event::MergeState("has_hooks"),
                true,
                false,
                normal,
                FixType::Other,
                key("merge_state:acme/api#7:has_hooks"),
            ),
            (
                "dirty",
                Event::MergeState("dirty"),
                true,
                false,
                normal,
                FixType::MergeConflict,
                key("merge_conflict:acme/api#7:conflicting:0123456789ab"),
            ),
            ("clean", Event::MergeState("clean"), false, false, normal, talk, None),
        ] {
            let found = of(&pull(), event);
            assert_eq!((found.is_some(), of(&closed, event).is_some()), (open, of_closed), "{name}");
            assert_eq!(found.as_ref().map(|it| it.key.clone()), source, "{name}");
            if let Some(found) = found {
                assert_eq!(
                    (found.lane, found.kind, found.issue),
                    (lane, kind, Some(IssueNumber(3))),
                    "{name}"
                );
                assert!(!found.reason.is_empty() && !found.feedback.is_empty(), "{name}");
            }
        }
        let feedback = of(&pull(), Event::LineComment(&line)).unwrap().feedback;
        assert_eq!(feedback, "a.rs:9: hm");
        let feedback = of(&pull(), Event::Check(&red, Some("log"))).unwrap().feedback;
        assert_eq!(feedback, "Check test failed\n\nlog\n\nhttps://x/runs/8");
    }

    #[test]
    fn what_is_no_work() {
        let other = Followed { author: Some("mona".into()), ..pull() };
        let red = check(Some(Conclusion::Failure));
        assert_eq!(of(&other, Event::Check(&red, None)), None, "a person's pull request");
        for conclusion in
            [None, Some(Conclusion::Success), Some(Conclusion::Skipped), Some(Conclusion::Neutral)]
        {
            assert_eq!(of(&pull(), Event::Check(&check(conclusion), None)), None, "{conclusion:?}");
        }
        for state in
            [ReviewState::Approved, ReviewState::Commented, ReviewState::Dismissed, ReviewState::Pending]
        {
            assert_eq!(of(&pull(), Event::Review(&review(state, "x"))), None, "{state:?}");
        }
        let own = comment("GitHub-Actions[bot]", "error: it is broken");
        assert_eq!(of(&pull(), Event::Comment(&own)), None);
        assert_eq!(of(&pull(), Event::LineComment(&own)), None);
        let bots = ["github-actions[bot]".to_owned()];
        let elsewhere = Gates { bots: &bots, owners: &["beta".to_owned()] };
        assert_eq!(evidence(&elsewhere, &pull(), Event::Check(&red, None)), None);
        let here = Gates { bots: &bots, owners: &["ACME".to_owned()] };
        assert!(evidence(&here, &pull(), Event::Check(&red, None)).is_some());
    }

    #[test]
    fn a_bot_is_called_by_its_name() {
        for (body, want) in [
            ("@github-actions have another look", true),
            ("@GitHub-Actions, again", true),
            ("@github-actions-x have another look", false),
            ("thanks!", false),
        ] {
            assert_eq!(of(&pull(), Event::Comment(&comment("mona", body))).is_some(), want, "{body}");
        }
    }

    #[test]
    fn a_conflict_is_over_once_github_knows() {
        for (state, want) in [
            ("dirty", Some(false)),
            ("clean", Some(true)),
            ("blocked", Some(true)),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(is_conflict_over(state), want, "{state}");
        }
    }
}
