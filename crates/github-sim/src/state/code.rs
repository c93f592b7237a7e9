//! What happens around the code: commits, comments on lines, and what GitHub Actions made of it.

use serde::Serialize;

use super::{Key, Stamp, World};
use crate::clock::as_iso;

/// A commit on a branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommitInfo {
    /// Its name.
    pub sha: String,
    /// The branch that it was pushed to.
    pub branch: String,
    /// First line and text.
    pub message: String,
    /// Login of who wrote it.
    pub author: String,
    /// When it was pushed.
    #[serde(serialize_with = "as_iso")]
    pub at: i64,
}

/// A comment on a line of a pull request's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineComment {
    /// Database id.
    pub id: u64,
    /// Number of the pull request.
    pub pull: u64,
    /// Login of who wrote it.
    pub author: String,
    /// File that it is about.
    pub path: String,
    /// Line of that file.
    pub line: u64,
    /// Markdown.
    pub body: String,
    /// Time of writing.
    #[serde(serialize_with = "as_iso")]
    pub at: i64,
}

/// A job of a workflow run, with its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiJob {
    /// Database id; 0 until the run is there.
    pub id: u64,
    /// As the workflow names it.
    pub name: String,
    /// `success`, `failure`, ...; none while it runs.
    pub conclusion: Option<String>,
    /// What it printed.
    pub log: String,
}

/// A run of a workflow; make one with [`CiRun::new`] and hand it to `Repo::add_run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiRun {
    /// Database id; 0 until it is there.
    pub id: u64,
    /// The workflow's name.
    pub workflow: String,
    /// The branch that it ran on.
    pub branch: String,
    /// What started it, such as `push`.
    pub event: String,
    /// The commit that it ran on.
    pub head_sha: String,
    /// `success`, `failure`, ...; none while it runs.
    pub conclusion: Option<String>,
    /// The branch is one of a fork.
    pub is_of_fork: bool,
    /// In the order of the workflow.
    pub jobs: Vec<CiJob>,
    /// When it began.
    pub created_at: i64,
}

impl CiRun {
    /// A run of `main` that was pushed and ended so.
    pub fn new(workflow: &str, conclusion: &str) -> Self {
        Self {
            id: 0,
            workflow: workflow.to_owned(),
            branch: "main".to_owned(),
            event: "push".to_owned(),
            head_sha: crate::ids::sha(0, 0),
            conclusion: Some(conclusion.to_owned()),
            is_of_fork: false,
            jobs: Vec::new(),
            created_at: 0,
        }
    }

    /// With one more job.
    #[must_use]
    pub fn job(mut self, name: &str, conclusion: &str, log: &str) -> Self {
        self.jobs.push(CiJob {
            id: 0,
            name: name.to_owned(),
            conclusion: Some(conclusion.to_owned()),
            log: log.to_owned(),
        });
        self
    }
}

/// What a repository holds of all that, each in the order in which it came.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub commits: Vec<CommitInfo>,
    pub line_comments: Vec<LineComment>,
    pub runs: Vec<CiRun>,
}

impl World {
    /// Pushes a commit; a pull request of the branch gets it as its head.
    pub fn push(&mut self, repo: u64, branch: &str, message: &str, stamp: Stamp<'_>) -> Option<String> {
        let sha = crate::ids::sha(repo, self.fresh_id());
        let commit = CommitInfo {
            sha: sha.clone(),
            branch: branch.to_owned(),
            message: message.to_owned(),
            author: stamp.actor.to_owned(),
            at: stamp.now,
        };
        self.repo_mut(repo)?.code.commits.push(commit);
        let is_head = |item: &&super::Item| {
            item.issue.is_open() && item.pull.as_ref().is_some_and(|pull| pull.branch == branch)
        };
        let pulls: Vec<u64> =
            self.repo(repo)?.items().filter(is_head).map(|item| item.issue.number).collect();
        for number in pulls {
            self.edit_pull(Key { repo, number }, stamp, |pull| pull.head_sha.clone_from(&sha))?;
        }
        Some(sha)
    }

    /// Comments on a line of a pull request, which counts as a change of it; returns the comment's id.
    pub fn comment_on_line(
        &mut self,
        key: Key,
        (path, line): (&str, u64),
        body: &str,
        stamp: Stamp<'_>,
    ) -> Option<u64> {
        self.item(key)?.pull.as_ref()?;
        let id = self.fresh_id();
        let comment = LineComment {
            id,
            pull: key.number,
            author: stamp.actor.to_owned(),
            path: path.to_owned(),
            line,
            body: body.to_owned(),
            at: stamp.now,
        };
        self.repo_mut(key.repo)?.code.line_comments.push(comment);
        self.touch(key, stamp)?;
        self.tell_line_comment(key, stamp.actor, id);
        Some(id)
    }

    /// A workflow ran; returns the run's id.
    pub fn add_run(&mut self, repo: u64, mut run: CiRun, stamp: Stamp<'_>) -> Option<u64> {
        run.id = self.fresh_id();
        run.created_at = stamp.now;
        for job in &mut run.jobs {
            job.id = self.fresh_id();
        }
        let id = run.id;
        self.repo_mut(repo)?.code.runs.push(run);
        Some(id)
    }
}
