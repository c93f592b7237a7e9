//! The issue of a race: one whose labels are afterwards what they were.

use anyhow::bail;
use serde_json::{Value, json};

use crate::{
    cli::{agent::Reference, client::Server, show::text},
    domain::labels::Status,
};

/// The issue that is raced for.
pub struct Course {
    pub issue: Reference,
    id: String,
    labels: Vec<String>,
}

impl Course {
    /// The issue that was named, or the first in the queue that nobody has.
    pub async fn find(server: &Server, named: Option<Reference>) -> anyhow::Result<Self> {
        let issue = match named {
            Some(issue) => issue,
            None => free_issue(server).await?,
        };
        let found = server.get(&path(&issue), "issueId").await?;
        let course = Self { id: text(&found, "issueId"), labels: labels(&found), issue };
        let statuses: Vec<&str> = course.with_prefix("status/").collect();
        if found["state"] != "open" || statuses != [Status::Ready.label()] {
            bail!(
                "{} is not open and status/ready, so its labels would not be as they were after the race; choose another issue",
                course.issue
            );
        }
        if let Some(agent) = course.with_prefix("agent/").next() {
            bail!("{} has the label {agent}: it is somebody's; choose another issue", course.issue);
        }
        Ok(course)
    }

    fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.labels.iter().map(String::as_str).filter(move |label| label.to_lowercase().starts_with(prefix))
    }

    /// What an agent sends about it.
    pub fn body(&self, agent: &str) -> Value {
        json!({
            "issueId": self.id,
            "repoFullName": self.issue.repo.as_str(),
            "issueNumber": self.issue.number,
            "agentName": agent,
        })
    }

    /// What the race left behind, in words; nothing where all is as it was.
    pub async fn left_behind(&self, server: &Server) -> anyhow::Result<Option<String>> {
        let now = labels(&server.get(&path(&self.issue), "issueId").await?);
        let (before, after) = (self.labels.join(", "), now.join(", "));
        let is_as_before =
            now.len() == self.labels.len() && now.iter().all(|label| self.labels.contains(label));
        Ok((!is_as_before).then(|| format!("the labels of {} were {before}, and are {after}", self.issue)))
    }
}

fn path(issue: &Reference) -> String {
    format!("/api/issues/state?repo={}&number={}", issue.repo, issue.number)
}

fn labels(issue: &Value) -> Vec<String> {
    let all = issue["labels"].as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

async fn free_issue(server: &Server) -> anyhow::Result<Reference> {
    let queue = server.list("/api/agents/race-01/queue?limit=200").await?;
    let is_free = |item: &&Value| {
        item["type"] == "issue" && item["status"] == Status::Ready.label() && item["claimable"] == true
    };
    let nobodys =
        |item: &&Value| !labels(item).iter().any(|label| label.to_lowercase().starts_with("agent/"));
    let item = queue.as_array().into_iter().flatten().filter(is_free).find(nobodys);
    let named = item.map(|item| format!("{}#{}", text(item, "repoFullName"), text(item, "number")));
    match named.and_then(|named| named.parse().ok()) {
        Some(issue) => Ok(issue),
        None => bail!("no tracked issue is status/ready and nobody's; name one with --issue owner/name#7"),
    }
}
