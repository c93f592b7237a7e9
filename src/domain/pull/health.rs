//! Whether a pull request needs another look, and why: reviews, checks, and whether it can be merged
//! (`contract/operations.md` 1.8).

use serde::{Deserialize, Serialize};

use super::CheckRun;
use crate::domain::{
    pull_event::{Conclusion, PullReview, ReviewState},
    time::Timestamp,
};

/// What reviewers say of a pull request, all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "TEXT", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = PullReviewDecision)]
pub enum Decision {
    Approved,
    ChangesRequested,
}

/// The last word of one reviewer. One that was taken back says nothing, and replaces what was said before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    pub author: String,
    pub review: i64,
    pub at: Option<Timestamp>,
    pub says: Option<Decision>,
}

/// How the newest run of a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Went {
    Running,
    Well,
    Failed,
    Cancelled,
    TimedOut,
    ActionRequired,
}

impl Went {
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Running | Self::Well)
    }
}

/// The newest run of one check. Workflows may have jobs of one name: each is a check of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub suite: Option<i64>,
    pub run: i64,
    pub went: Went,
}

/// All that health is computed from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub opinions: Vec<Opinion>,
    /// Of the present head.
    pub checks: Vec<Check>,
    /// GitHub's `mergeable_state`.
    pub merge_state: Option<String>,
}

/// What it comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub decision: Option<Decision>,
    /// In words; none: nothing is to be done about it.
    pub reasons: Vec<String>,
    /// GitHub does not know yet: a check runs, or mergeability is being worked out.
    pub is_pending: bool,
    /// Names what is wrong: the same causes have the same name, and another failure of the same check has another.
    pub causes: Vec<String>,
}

impl Health {
    pub fn needs_followup(&self) -> bool {
        !self.reasons.is_empty()
    }
}

/// The reasons shown of more failing checks than this name the first ones and count the others.
const NAMED_MAX: usize = 5;

impl Evidence {
    /// Takes a review in; whether it changed anything.
    pub fn review(&mut self, review: &PullReview) -> bool {
        let says = match review.state {
            ReviewState::Approved => Some(Decision::Approved),
            ReviewState::ChangesRequested => Some(Decision::ChangesRequested),
            ReviewState::Dismissed => None,
            ReviewState::Commented | ReviewState::Pending => return false,
        };
        let Some(author) = review.author.clone() else { return false };
        let opinion = Opinion { author, review: review.id, at: review.submitted_at, says };
        match self.opinions.iter_mut().find(|old| old.author.eq_ignore_ascii_case(&opinion.author)) {
            Some(old) if (old.at, old.review) > (opinion.at, opinion.review) || *old == opinion => false,
            // What was taken back stays so; that it was submitted may be heard late.
            Some(old) if old.review == opinion.review && old.says.is_none() => false,
            Some(old) => {
                *old = opinion;
                true
            }
            None => {
                self.opinions.push(opinion);
                true
            }
        }
    }

    /// Takes a run of the present head in; whether it changed anything.
    pub fn check(&mut self, run: &CheckRun) -> bool {
        let check =
            Check { name: run.name.clone(), suite: run.suite, run: run.id, went: went(run.conclusion) };
        let is_same = |old: &&mut Check| old.name == check.name && old.suite == check.suite;
        match self.checks.iter_mut().find(is_same) {
            Some(old) if old.run > check.run || *old == check => false,
            Some(old) => {
                *old = check;
                true
            }
            None => {
                self.checks.push(check);
                true
            }
        }
    }

    /// How many checks did not pass.
    pub fn failing(&self) -> usize {
        self.checks.iter().filter(|check| check.went.is_failure()).count()
    }

    /// What it comes to, for a pull request with the newest commit `head` that is to be merged into `base`.
    pub fn health(&self, base: &str, head: Option<&str>) -> Health {
        let mut health = Health::default();
        let against = |opinion: &&Opinion| opinion.says == Some(Decision::ChangesRequested);
        let mut critics: Vec<&Opinion> = self.opinions.iter().filter(against).collect();
        critics.sort_unstable_by_key(|opinion| opinion.review);
        let approved = self.opinions.iter().any(|opinion| opinion.says == Some(Decision::Approved));
        health.decision = if !critics.is_empty() {
            Some(Decision::ChangesRequested)
        } else if approved {
            Some(Decision::Approved)
        } else {
            None
        };
        if !critics.is_empty() {
            let names: Vec<&str> = critics.iter().map(|opinion| opinion.author.as_str()).collect();
            health.reasons.push(format!("Changes requested by {}", names.join(", ")));
            health.causes.extend(critics.iter().map(|opinion| format!("review:{}", opinion.review)));
        }
        // Of another commit it is another cause: who mended the one before may not have seen it.
        let head = head.unwrap_or_default();
        match self.merge_state.as_deref() {
            Some("dirty") => {
                health.reasons.push(format!("Merge conflict with {base}"));
                health.causes.push(format!("dirty:{head}"));
            }
            Some("behind") => {
                health.reasons.push(format!("Behind {base}"));
                health.causes.push(format!("behind:{head}"));
            }
            Some("unknown") | None => health.is_pending = true,
            Some(_) => {}
        }
        let mut failing: Vec<&Check> = self.checks.iter().filter(|check| check.went.is_failure()).collect();
        failing.sort_unstable_by(|a, b| (&a.name, a.run).cmp(&(&b.name, b.run)));
        for check in failing.iter().take(NAMED_MAX) {
            health.reasons.push(format!("Check {} {}", check.name, in_words(check.went)));
        }
        if let Some(more) = failing.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            health.reasons.push(format!("{more} more checks did not pass"));
        }
        health.causes.extend(failing.iter().map(|check| format!("check:{}", check.run)));
        health.is_pending |= self.checks.iter().any(|check| check.went == Went::Running);
        health
    }
}

fn went(conclusion: Option<Conclusion>) -> Went {
    match conclusion {
        None => Went::Running,
        Some(Conclusion::Failure | Conclusion::StartupFailure) => Went::Failed,
        Some(Conclusion::Cancelled) => Went::Cancelled,
        Some(Conclusion::TimedOut) => Went::TimedOut,
        Some(Conclusion::ActionRequired) => Went::ActionRequired,
        Some(Conclusion::Success | Conclusion::Neutral | Conclusion::Skipped | Conclusion::Stale) => {
            Went::Well
        }
    }
}

const fn in_words(went: Went) -> &'static str {
    match went {
        Went::Running => "is running",
        Went::Well => "passed",
        Went::Failed => "failed",
        Went::Cancelled => "was cancelled",
        Went::TimedOut => "timed out",
        Went::ActionRequired => "asks for action",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(id: i64, author: &str, state: ReviewState) -> PullReview {
        PullReview {
            id,
            state,
            author: Some(author.to_owned()),
            body: None,
            url: String::new(),
            submitted_at: Some(Timestamp(id)),
            commit: None,
        }
    }

    fn run(id: i64, name: &str, conclusion: Option<Conclusion>) -> CheckRun {
        CheckRun { id, suite: Some(1), name: name.to_owned(), conclusion, url: None, completed_at: None }
    }

    #[test]
    fn the_last_word_of_each_reviewer_counts_and_one_against_outweighs_all() {
        use Decision::{Approved as Yes, ChangesRequested as No};
        use ReviewState::{Approved, ChangesRequested, Commented, Dismissed, Pending};
        type Said<'a> = &'a [(&'a str, ReviewState)];
        let cases: [(Said<'_>, Option<Decision>); 10] = [
            (&[], None),
            (&[("mona", Commented), ("hubot", Pending)], None),
            (&[("mona", Approved)], Some(Yes)),
            (&[("mona", ChangesRequested)], Some(No)),
            (&[("mona", ChangesRequested), ("mona", Approved)], Some(Yes)),
            (&[("mona", Approved), ("mona", ChangesRequested), ("mona", Commented)], Some(No)),
            (&[("mona", ChangesRequested), ("hubot", Approved)], Some(No)),
            (&[("mona", ChangesRequested), ("Mona", Approved), ("hubot", Approved)], Some(Yes)),
            (&[("mona", Dismissed), ("hubot", Approved)], Some(Yes)),
            (&[("mona", Dismissed)], None),
        ];
        for (reviews, expected) in cases {
            let mut evidence = Evidence::default();
            for (id, (author, state)) in reviews.iter().enumerate() {
                evidence.review(&review(i64::try_from(id).unwrap(), author, *state));
            }
            assert_eq!(evidence.health("main", Some("a")).decision, expected, "{reviews:?}");
            // In whatever order they come.
            let mut backwards = Evidence::default();
            for (id, (author, state)) in reviews.iter().enumerate().rev() {
                backwards.review(&review(i64::try_from(id).unwrap(), author, *state));
            }
            assert_eq!(backwards.health("main", Some("a")).decision, expected, "backwards {reviews:?}");
        }
    }

    #[test]
    fn the_same_review_dismissed_says_nothing_more() {
        let mut evidence = Evidence::default();
        assert!(evidence.review(&review(1, "mona", ReviewState::ChangesRequested)));
        assert!(!evidence.review(&review(1, "mona", ReviewState::ChangesRequested)));
        assert!(evidence.review(&review(1, "mona", ReviewState::Dismissed)));
        assert!(!evidence.review(&review(1, "mona", ReviewState::ChangesRequested)), "heard late");
        assert_eq!(evidence.health("main", Some("a")).decision, None);
    }

    #[test]
    fn the_newest_run_of_each_check_counts() {
        use Conclusion::{
            ActionRequired, Cancelled, Failure, Neutral, Skipped, Stale, StartupFailure, Success, TimedOut,
        };
        let cases: [(Option<Conclusion>, &str, bool); 10] = [
            (None, "", true),
            (Some(Success), "", false),
            (Some(Neutral), "", false),
            (Some(Skipped), "", false),
            (Some(Stale), "", false),
            (Some(Failure), "Check test failed", false),
            (Some(StartupFailure), "Check test failed", false),
            (Some(Cancelled), "Check test was cancelled", false),
            (Some(TimedOut), "Check test timed out", false),
            (Some(ActionRequired), "Check test asks for action", false),
        ];
        for (conclusion, reason, pending) in cases {
            let mut evidence = Evidence { merge_state: Some("clean".to_owned()), ..Evidence::default() };
            evidence.check(&run(2, "test", conclusion));
            assert!(!evidence.check(&run(1, "test", Some(Failure))), "an older run");
            let health = evidence.health("main", Some("a"));
            assert_eq!((health.reasons.join("; ").as_str(), health.is_pending), (reason, pending));
            assert!(
                evidence.check(&run(3, "test", Some(Success)))
                    && !evidence.health("main", Some("a")).needs_followup()
            );
        }
    }

    #[test]
    fn the_same_name_in_another_suite_is_another_check() {
        let build = |id, suite, conclusion| CheckRun { suite: Some(suite), ..run(id, "build", conclusion) };
        let mut evidence = Evidence::default();
        assert!(evidence.check(&build(10, 1, Some(Conclusion::Failure))));
        assert!(evidence.check(&build(11, 2, Some(Conclusion::Success))));
        assert_eq!((evidence.failing(), evidence.checks.len()), (1, 2), "the other workflow hides it not");
        assert!(evidence.check(&build(12, 1, Some(Conclusion::Success))));
        assert_eq!((evidence.failing(), evidence.checks.len()), (0, 2), "run again");
    }

    #[test]
    fn merge_states_that_somebody_must_mend() {
        let cases = [
            ("clean", "", false),
            ("blocked", "", false),
            ("unstable", "", false),
            ("has_hooks", "", false),
            ("draft", "", false),
            ("dirty", "Merge conflict with main", false),
            ("behind", "Behind main", false),
            ("unknown", "", true),
        ];
        for (state, reason, pending) in cases {
            let evidence = Evidence { merge_state: Some(state.to_owned()), ..Evidence::default() };
            let health = evidence.health("main", Some("a"));
            assert_eq!((health.reasons.join("; ").as_str(), health.is_pending), (reason, pending), "{state}");
        }
        assert!(Evidence::default().health("main", Some("a")).is_pending);
    }

    #[test]
    fn a_conflict_of_another_head_is_another_cause() {
        for (state, cause) in [("dirty", "dirty:a"), ("behind", "behind:a")] {
            let evidence = Evidence { merge_state: Some(state.to_owned()), ..Evidence::default() };
            let of = |head| evidence.health("main", Some(head)).causes;
            assert_eq!(of("a"), [cause]);
            assert_ne!(of("b"), of("a"), "{state}");
        }
    }

    #[test]
    fn many_failures_are_counted_and_causes_name_each_run() {
        let mut evidence = Evidence { merge_state: Some("dirty".to_owned()), ..Evidence::default() };
        for id in 0..8 {
            evidence.check(&run(id, &format!("c{id}"), Some(Conclusion::Failure)));
        }
        evidence.review(&review(9, "mona", ReviewState::ChangesRequested));
        let health = evidence.health("main", Some("a"));
        assert_eq!(health.reasons[..2], ["Changes requested by mona", "Merge conflict with main"]);
        assert_eq!(health.reasons.len(), 8);
        assert_eq!(health.reasons[7], "3 more checks did not pass");
        let before = health.causes;
        assert_eq!(before.len(), 10);
        evidence.check(&run(10, "c0", Some(Conclusion::Failure)));
        assert_ne!(evidence.health("main", Some("a")).causes, before, "another failure of the same check");
    }
}
