//! Reviews of pull requests, and checks of commits.

use serde::{Deserialize, Serialize};

use super::{CiRun, Key, Stamp, World};
use crate::clock::{as_iso, as_iso_option};

/// What a review says (docs.github.com/rest/pulls/reviews).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReviewState {
    /// It may be merged.
    Approved,
    /// It may not.
    ChangesRequested,
    /// Neither.
    Commented,
    /// It said something once and was taken back by a maintainer.
    Dismissed,
    /// Its author has not sent it yet.
    Pending,
}

/// One review; times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Review {
    /// Database id, ascending over the whole simulator.
    pub id: u64,
    /// Number of the pull request.
    pub pull: u64,
    /// Login of who wrote it.
    pub author: String,
    /// What it says.
    pub state: ReviewState,
    /// Markdown; empty for none.
    pub body: String,
    /// The head that was looked at.
    pub commit: String,
    /// Time of sending.
    #[serde(serialize_with = "as_iso")]
    pub submitted_at: i64,
}

/// How a check ended (docs.github.com/rest/checks/runs).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Well.
    Success,
    /// Badly.
    Failure,
    /// Neither.
    Neutral,
    /// By somebody's word.
    Cancelled,
    /// Before it began.
    Skipped,
    /// By the clock.
    TimedOut,
    /// Somebody has to do something for it to go on.
    ActionRequired,
}

impl Conclusion {
    /// As GitHub spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Neutral => "neutral",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::TimedOut => "timed_out",
            Self::ActionRequired => "action_required",
        }
    }
}

/// One run of a check; times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckRun {
    /// Database id, ascending over the whole simulator.
    pub id: u64,
    /// The commit.
    pub head_sha: String,
    /// The workflow whose job it is; its runs of one commit are one suite.
    pub workflow: String,
    /// Database id of the suite.
    pub suite: u64,
    /// Database id of the workflow run whose job it is, where that ran too: the job bears the check's id, and has a log.
    pub run: Option<u64>,
    /// Its name, such as `test`.
    pub name: String,
    /// None while it runs.
    pub conclusion: Option<Conclusion>,
    /// Time of the start.
    #[serde(serialize_with = "as_iso")]
    pub started_at: i64,
    /// Time of the end.
    #[serde(serialize_with = "as_iso_option")]
    pub completed_at: Option<i64>,
}

impl World {
    /// Adds a review of the present head, which also counts as a change of the pull request; returns its id.
    pub fn review(&mut self, key: Key, state: ReviewState, body: &str, stamp: Stamp<'_>) -> Option<u64> {
        let commit = self.item(key)?.pull.as_ref()?.head_sha.clone();
        let id = self.fresh_id();
        let review = Review {
            id,
            pull: key.number,
            author: stamp.actor.to_owned(),
            state,
            body: body.to_owned(),
            commit,
            submitted_at: stamp.now,
        };
        self.repo_mut(key.repo)?.reviews.insert(id, review);
        self.touch(key, stamp)?;
        if state != ReviewState::Pending {
            self.tell_review(key, stamp.actor, "submitted", id);
        }
        Some(id)
    }

    /// Takes a review back.
    pub fn dismiss(&mut self, repo: u64, id: u64, stamp: Stamp<'_>) -> Option<()> {
        let review = self.repo_mut(repo)?.reviews.get_mut(&id)?;
        review.state = ReviewState::Dismissed;
        let number = review.pull;
        let key = Key { repo, number };
        self.touch(key, stamp)?;
        self.tell_review(key, stamp.actor, "dismissed", id);
        Some(())
    }

    /// The reviews of a pull request, in the order in which they were written.
    pub fn reviews(&self, key: Key) -> Vec<&Review> {
        let all = self.repo(key.repo).into_iter().flat_map(|repo| repo.reviews.values());
        all.filter(|review| review.pull == key.number).collect()
    }

    /// Starts another run of a check, or lets it end at once; returns its id. No pull request changes by it.
    pub fn check(
        &mut self,
        repo: u64,
        head_sha: &str,
        (workflow, name): (&str, &str),
        conclusion: Option<Conclusion>,
        now: i64,
    ) -> Option<u64> {
        let id = self.fresh_id();
        let run = CheckRun {
            id,
            head_sha: head_sha.to_owned(),
            workflow: workflow.to_owned(),
            suite: self.suite_of(repo, head_sha, workflow).unwrap_or(id),
            run: None,
            name: name.to_owned(),
            conclusion,
            started_at: now,
            completed_at: conclusion.map(|_| now),
        };
        self.put_check(repo, run)
    }

    /// Runs a job of GitHub Actions on the present head to its end: a check that bears the job's id and leads to its log.
    pub fn job(
        &mut self,
        key: Key,
        name: &str,
        (conclusion, log): (Conclusion, &str),
        stamp: Stamp<'_>,
    ) -> Option<u64> {
        let pull = self.item(key)?.pull.clone()?;
        let run = CiRun {
            branch: pull.branch,
            event: "pull_request".to_owned(),
            head_sha: pull.head_sha.clone(),
            is_of_fork: pull.fork.is_some(),
            ..CiRun::new("CI", conclusion.as_str())
        };
        let run = self.add_run(key.repo, run.job(name, conclusion.as_str(), log), stamp)?;
        let id = self.repo(key.repo)?.code.runs.last()?.jobs.first()?.id;
        let check = CheckRun {
            id,
            suite: self.suite_of(key.repo, &pull.head_sha, "CI").unwrap_or(id),
            head_sha: pull.head_sha,
            workflow: "CI".to_owned(),
            run: Some(run),
            name: name.to_owned(),
            conclusion: Some(conclusion),
            started_at: stamp.now,
            completed_at: Some(stamp.now),
        };
        self.put_check(key.repo, check)
    }

    /// The suite of a workflow's checks of a commit, if there are any.
    fn suite_of(&self, repo: u64, head_sha: &str, workflow: &str) -> Option<u64> {
        let mut checks = self.repo(repo)?.checks.values();
        checks.find(|run| run.head_sha == head_sha && run.workflow == workflow).map(|run| run.suite)
    }

    fn put_check(&mut self, repo: u64, run: CheckRun) -> Option<u64> {
        let (id, suite) = (run.id, run.suite);
        self.repo_mut(repo)?.checks.insert(id, run);
        self.tell_check(repo, id);
        self.tell_suite(repo, suite);
        Some(id)
    }

    /// Lets a run end.
    pub fn conclude(&mut self, repo: u64, id: u64, conclusion: Conclusion, now: i64) -> Option<()> {
        let run = self.repo_mut(repo)?.checks.get_mut(&id)?;
        run.conclusion = Some(conclusion);
        run.completed_at = Some(now);
        let suite = run.suite;
        self.tell_check(repo, id);
        self.tell_suite(repo, suite);
        Some(())
    }
}
