//! GitHub Actions: runs of workflows, their jobs and logs (docs.github.com/rest/actions/workflow-runs,
//! docs.github.com/rest/actions/workflow-jobs).

use std::collections::VecDeque;

use reqwest::StatusCode;
use serde::Deserialize;
use url::Url;

use super::{
    GitHub,
    client::{Client, Fetched, Validator, fault},
    error::Error,
    issues::PER_PAGE,
    limits::Point,
    pulls::Reading,
};
use crate::domain::{
    ci_failure::{Job, Run},
    repo::RepoName,
    time::Timestamp,
};

/// So many bytes of the end of a log are kept: what failed stands there.
const LOG_MAX: usize = 512 * 1024;
/// And so many are read at most to get there.
const READ_MAX: usize = 64 * 1024 * 1024;
/// Pages of jobs that are looked through for one that failed.
const PAGES_MAX: usize = 5;

/// What came of asking for a job's log.
#[derive(Debug)]
pub enum JobLog {
    Text(String),
    /// GitHub has it no more, or not for these credentials.
    NotThere,
    /// GitHub said where it is, and what keeps it there failed, which passes.
    OutOfReach(Error),
}

#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<WireRun>,
}

#[derive(Deserialize)]
struct WireRun {
    id: i64,
    workflow_id: i64,
    name: Option<String>,
    path: String,
    event: String,
    conclusion: Option<String>,
    html_url: String,
    head_sha: String,
    created_at: Timestamp,
    repository: Numbered,
    head_repository: Option<Numbered>,
}

#[derive(Deserialize)]
struct Numbered {
    id: i64,
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<WireJob>,
}

#[derive(Deserialize)]
struct WireJob {
    id: i64,
    name: String,
    conclusion: Option<String>,
    html_url: Option<String>,
}

impl From<WireRun> for Run {
    fn from(run: WireRun) -> Self {
        let success = match run.conclusion.as_deref() {
            Some("success") => Some(true),
            Some("failure" | "timed_out" | "startup_failure") => Some(false),
            _ => None,
        };
        let is_of_fork = run.head_repository.is_none_or(|head| head.id != run.repository.id);
        Self {
            id: run.id,
            workflow_id: run.workflow_id,
            workflow: run.name.filter(|name| !name.is_empty()).unwrap_or(run.path),
            success,
            url: run.html_url,
            head_sha: run.head_sha,
            created_at: run.created_at,
            is_foreign: is_of_fork || run.event.starts_with("pull_request"),
        }
    }
}

impl From<WireJob> for Job {
    fn from(job: WireJob) -> Self {
        let failed = matches!(job.conclusion.as_deref(), Some("failure" | "timed_out"));
        Self { id: job.id, name: job.name, failed, url: job.html_url }
    }
}

impl GitHub {
    /// The last hundred runs of a branch that came to their end, unless they are as they were.
    pub async fn runs(
        &self,
        repo: &RepoName,
        branch: &str,
        held: Option<&Validator>,
        point: Point,
    ) -> Result<Reading<Vec<Run>>, Error> {
        let client = self.client(repo)?;
        let mut url = client.url(&["repos", repo.owner(), repo.name(), "actions", "runs"]);
        let query = [("status", "completed"), ("exclude_pull_requests", "true"), ("per_page", PER_PAGE)];
        url.query_pairs_mut().append_pair("branch", branch).extend_pairs(query);
        let Fetched { content, etag, .. } = client.get_if_changed::<Runs>(url, held, point).await?;
        Ok(match content {
            None => Reading::Same,
            Some(runs) => {
                Reading::New { content: runs.workflow_runs.into_iter().map(Run::from).collect(), etag }
            }
        })
    }

    /// The first job of a run that failed; each request waits for its point.
    pub async fn find_failed_job(&self, repo: &RepoName, run: i64) -> Result<Option<Job>, Error> {
        let client = self.client(repo)?;
        let run = run.to_string();
        let mut url = client.url(&["repos", repo.owner(), repo.name(), "actions", "runs", &run, "jobs"]);
        url.query_pairs_mut().append_pair("filter", "latest").append_pair("per_page", PER_PAGE);
        let mut next = Some(url);
        for _ in 0..PAGES_MAX {
            let Some(url) = next else { break };
            let page: Fetched<Jobs> = client.get(url).await?;
            if let Some(job) = page.content.jobs.into_iter().map(Job::from).find(|job| job.failed) {
                return Ok(Some(job));
            }
            next = page.next.map(|link| link.0);
        }
        Ok(None)
    }

    /// The end of a job's log. Waits for its point.
    pub async fn job_log(&self, repo: &RepoName, job: i64) -> Result<JobLog, Error> {
        let client = self.client(repo)?;
        let job = job.to_string();
        let url = client.url(&["repos", repo.owner(), repo.name(), "actions", "jobs", &job, "logs"]);
        let place = match client.pointed_to(&url).await {
            Ok(Some(place)) => place,
            Ok(None) => return Ok(JobLog::NotThere),
            Err(error) if error.is_refusal() => return Ok(JobLog::NotThere),
            Err(error) => return Err(error),
        };
        Ok(match read_log(client, place).await {
            Ok(Some(text)) => JobLog::Text(text),
            Ok(None) => JobLog::NotThere,
            Err(error) if error.is_refusal() => JobLog::NotThere,
            Err(error) => JobLog::OutOfReach(error),
        })
    }
}

/// GitHub keeps logs with others: they are read there without our token, and by TLS (a server at the API's own address
/// excepted, as in tests).
async fn read_log(client: &Client, place: Url) -> Result<Option<String>, Error> {
    if place.scheme() != "https" && place.origin() != client.api.origin() {
        return Err(Error::RedirectRefused);
    }
    let _permit = client.turn().await;
    let mut response =
        client.http.get(place).send().await.map_err(|error| fault(&error, Error::ConnectionLost))?;
    match response.status() {
        StatusCode::OK => {}
        // What keeps the log is unwell, which passes.
        status if status.is_server_error() => return Err(Error::Failed { status: status.as_u16() }),
        _ => return Ok(None),
    }
    let mut tail = Tail::default();
    while tail.wants_more() {
        let chunk = response.chunk().await.map_err(|error| fault(&error, Error::Cut))?;
        let Some(chunk) = chunk else { break };
        tail.take(&chunk);
    }
    Ok(Some(tail.into_text()))
}

/// The end of what was read, as far as it is read at all.
#[derive(Default)]
struct Tail {
    bytes: VecDeque<u8>,
    read: usize,
}

impl Tail {
    fn wants_more(&self) -> bool {
        self.read < READ_MAX
    }

    fn take(&mut self, chunk: &[u8]) {
        self.read += chunk.len();
        self.bytes.extend(chunk);
        self.bytes.drain(..self.bytes.len().saturating_sub(LOG_MAX));
    }

    fn into_text(mut self) -> String {
        String::from_utf8_lossy(self.bytes.make_contiguous()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_log_without_end_what_was_read_last_is_kept() {
        let mut tail = Tail::default();
        let mut chunks = 0_usize;
        while tail.wants_more() {
            tail.take(&vec![b'a'; LOG_MAX]);
            tail.take(b"end");
            chunks += 1;
        }
        assert_eq!(chunks, READ_MAX / LOG_MAX);
        let text = tail.into_text();
        assert!(text.len() == LOG_MAX && text.ends_with("aend"));
    }
}
