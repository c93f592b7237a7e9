//! From a change of the state to the events that tell it
//! (docs.github.com/webhooks/webhook-events-and-payloads).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::render::{self, UserBody, with};
use crate::state::{IssueState, Key, PullInfo, State, World};

impl World {
    /// Whether anybody hears such events of the repository.
    pub(crate) fn is_heard(&self, repo: u64, event: &str) -> bool {
        self.repo(repo).is_some_and(|repo| !self.webhooks.listeners(repo, event).is_empty())
    }

    /// Tells an event; `more` is what its payload has beside action, repository and sender.
    pub(crate) fn tell(&mut self, repo: u64, by: &str, event: &str, action: &str, more: Value) {
        let Some(it) = self.repo(repo) else { return };
        let to = self.webhooks.listeners(it, event);
        if to.is_empty() {
            return;
        }
        let frame = json!({
            "action": action,
            "repository": render::repository_summary(&self.urls, it),
            "sender": UserBody::new(&self.urls, by),
        });
        self.webhooks.post(&to, event, Some(repo), &with(frame, more));
    }

    /// Says to a new hook, or one that is asked whether it is there, that it is
    /// (docs.github.com/webhooks/webhook-events-and-payloads#ping).
    pub(crate) fn ping(&mut self, hook: u64, by: &str) -> Option<()> {
        let it = self.webhooks.hooks.get(&hook)?.clone();
        let mut payload = json!({
            "zen": "Design for failure.",
            "hook_id": hook,
            "hook": render::hook(&self.urls, self, &it),
        });
        let repo = match it.listener {
            super::Listener::Repo(id) => self.repo(id),
            super::Listener::App(_) => None,
        };
        if let Some(repo) = repo {
            payload["repository"] = render::repository_summary(&self.urls, repo);
            payload["sender"] = json!(UserBody::new(&self.urls, by));
        }
        let repo = repo.map(|repo| repo.id);
        self.webhooks.post(&[(hook, None)], "ping", repo, &payload);
        Some(())
    }

    /// Something happened to an issue or a pull request.
    pub(crate) fn tell_item(&mut self, key: Key, by: &str, action: &str, more: Value) {
        let event = match self.item(key) {
            Some(item) if item.pull.is_some() => "pull_request",
            Some(_) => "issues",
            None => return,
        };
        if !self.is_heard(key.repo, event) {
            return;
        }
        if let Some(subject) = self.subject(key) {
            self.tell(key.repo, by, event, action, with(subject, more));
        }
    }

    /// `issue`, or `pull_request` and its number, as payloads have it.
    fn subject(&mut self, key: Key) -> Option<Value> {
        if self.item(key)?.pull.is_none() {
            return Some(json!({ "issue": self.issue_value(key)? }));
        }
        let repo = self.repo(key.repo)?;
        let pull = render::pull(&self.urls, repo, repo.item(key.number)?)?;
        Some(json!({ "number": key.number, "pull_request": pull }))
    }

    /// The issue, or the issue half of a pull request, in GitHub's JSON.
    pub(crate) fn issue_value(&mut self, key: Key) -> Option<Value> {
        serde_json::from_slice(&self.issue_json(key)?).ok()
    }

    /// An item was opened: that, and what it was opened with.
    pub(crate) fn tell_opened(&mut self, key: Key, by: &str) {
        self.tell_item(key, by, "opened", json!({}));
        let Some(item) = self.item(key) else { return };
        let (labels, assignees) = (item.issue.labels.clone(), item.issue.assignees.clone());
        self.tell_labels(key, by, "labeled", &labels);
        self.tell_assignees(key, by, "assigned", &assignees);
    }

    /// An item is another than it was: an event for each difference that GitHub tells.
    pub(crate) fn tell_edited(&mut self, key: Key, before: &IssueState, by: &str) {
        let Some(after) = self.item(key).map(|item| item.issue.clone()) else { return };
        let mut changes: BTreeMap<&str, Value> = BTreeMap::new();
        if before.title != after.title {
            changes.insert("title", json!({ "from": before.title }));
        }
        if before.body != after.body {
            changes.insert("body", json!({ "from": before.body.as_deref().unwrap_or_default() }));
        }
        if !changes.is_empty() {
            self.tell_item(key, by, "edited", json!({ "changes": changes }));
        }
        self.tell_labels(key, by, "unlabeled", &missing(&before.labels, &after.labels));
        self.tell_labels(key, by, "labeled", &missing(&after.labels, &before.labels));
        self.tell_assignees(key, by, "unassigned", &missing(&before.assignees, &after.assignees));
        self.tell_assignees(key, by, "assigned", &missing(&after.assignees, &before.assignees));
        match (before.state, after.state) {
            (State::Open, State::Closed) => self.tell_item(key, by, "closed", json!({})),
            (State::Closed, State::Open) => self.tell_item(key, by, "reopened", json!({})),
            _ => {}
        }
        match (before.locked, after.locked) {
            (false, true) => self.tell_item(key, by, "locked", json!({})),
            (true, false) => self.tell_item(key, by, "unlocked", json!({})),
            _ => {}
        }
    }

    /// A pull request's own half is another than it was.
    pub(crate) fn tell_pull_edited(&mut self, key: Key, before: &PullInfo, by: &str) {
        let Some(after) = self.item(key).and_then(|item| item.pull.clone()) else { return };
        if before.head_sha != after.head_sha {
            let shas = json!({ "before": before.head_sha, "after": after.head_sha });
            self.tell_item(key, by, "synchronize", shas);
        }
        if before.base != after.base {
            let from = json!({ "changes": { "base": { "ref": { "from": before.base } } } });
            self.tell_item(key, by, "edited", from);
        }
        match (before.draft, after.draft) {
            (false, true) => self.tell_item(key, by, "converted_to_draft", json!({})),
            (true, false) => self.tell_item(key, by, "ready_for_review", json!({})),
            _ => {}
        }
    }

    /// A comment was written or changed.
    pub(crate) fn tell_comment(&mut self, key: Key, by: &str, action: &str, id: u64, more: Value) {
        if !self.is_heard(key.repo, "issue_comment") {
            return;
        }
        let Some(issue) = self.issue_value(key) else { return };
        let Some(repo) = self.repo(key.repo) else { return };
        let Some(comment) = repo.comments.get(&id) else { return };
        let comment = render::comment(&self.urls, repo, comment);
        let subject = json!({ "issue": issue, "comment": comment });
        self.tell(key.repo, by, "issue_comment", action, with(subject, more));
    }

    /// A review was sent or taken back; in payloads its state is in lower case
    /// (docs.github.com/webhooks/webhook-events-and-payloads#pull_request_review).
    pub(crate) fn tell_review(&mut self, key: Key, by: &str, action: &str, id: u64) {
        let Some(repo) = self.repo(key.repo) else { return };
        let (Some(review), Some(item)) = (repo.reviews.get(&id), repo.item(key.number)) else { return };
        let mut review = render::review(&self.urls, repo, review);
        review["state"] = review["state"].as_str().unwrap_or_default().to_lowercase().into();
        let pull = render::pull_summary(&self.urls, repo, item);
        let more = json!({ "review": review, "pull_request": pull });
        self.tell(key.repo, by, "pull_request_review", action, more);
    }

    /// A run of a check began or ended
    /// (docs.github.com/webhooks/webhook-events-and-payloads#check_run).
    pub(crate) fn tell_check(&mut self, repo: u64, id: u64) {
        let Some(it) = self.repo(repo) else { return };
        let Some(run) = it.checks.get(&id) else { return };
        let action = if run.conclusion.is_some() { "completed" } else { "created" };
        let run = render::check_run(&self.urls, it, run);
        self.tell(repo, "github-actions[bot]", "check_run", action, json!({ "check_run": run }));
    }

    /// All checks of a suite came to their end
    /// (docs.github.com/webhooks/webhook-events-and-payloads#check_suite).
    pub(crate) fn tell_suite(&mut self, repo: u64, id: u64) {
        if !self.is_heard(repo, "check_suite") {
            return;
        }
        let Some(it) = self.repo(repo) else { return };
        let Some(suite) = render::ended_suite(&self.urls, it, id) else { return };
        self.tell(repo, "github-actions[bot]", "check_suite", "completed", json!({ "check_suite": suite }));
    }

    /// Somebody wrote beside a line of a pull request's change
    /// (docs.github.com/webhooks/webhook-events-and-payloads#pull_request_review_comment).
    pub(crate) fn tell_line_comment(&mut self, key: Key, by: &str, id: u64) {
        let Some(repo) = self.repo(key.repo) else { return };
        let comment = repo.code.line_comments.iter().find(|comment| comment.id == id);
        let (Some(comment), Some(item)) = (comment, repo.item(key.number)) else { return };
        let comment = render::line_comment(&self.urls, repo, comment);
        let pull = render::pull_summary(&self.urls, repo, item);
        let more = json!({ "comment": comment, "pull_request": pull });
        self.tell(key.repo, by, "pull_request_review_comment", "created", more);
    }

    /// A label of the repository was made, changed or is about to go.
    pub(crate) fn tell_label(&mut self, repo: u64, by: &str, action: &str, name: &str, more: Value) {
        if let Some(label) = self.label_value(repo, name) {
            self.tell(repo, by, "label", action, with(json!({ "label": label }), more));
        }
    }

    /// A repository has another name, or another owner.
    pub(crate) fn tell_renamed(&mut self, repo: u64, by: &str, owner: &str, name: &str) {
        let Some(now) = self.repo(repo) else { return };
        let (moved, renamed) = (now.owner != owner, now.name != name);
        if moved {
            let from = json!({ "user": UserBody::new(&self.urls, owner) });
            let changes = json!({ "changes": { "owner": { "from": from } } });
            self.tell(repo, by, "repository", "transferred", changes);
        }
        if renamed {
            let changes = json!({ "changes": { "repository": { "name": { "from": name } } } });
            self.tell(repo, by, "repository", "renamed", changes);
        }
    }

    /// The issue and its repository before it leaves, if anybody hears of that.
    pub(crate) fn told(&mut self, key: Key) -> Option<(Value, Value)> {
        let issue = self.issue_value(key)?;
        let repo = render::repository_summary(&self.urls, self.repo(key.repo)?);
        Some((issue, repo))
    }

    /// An issue left for another repository: the one hears that it went, the other that it came
    /// (docs.github.com/webhooks/webhook-events-and-payloads?actionType=transferred#issues).
    pub(crate) fn tell_transferred(&mut self, from: Key, to: Key, old: Option<(Value, Value)>, by: &str) {
        let (Some((old_issue, old_repo)), Some((new_issue, new_repo))) = (old, self.told(to)) else {
            return;
        };
        let changes = json!({ "new_issue": new_issue, "new_repository": new_repo });
        let went = json!({ "issue": old_issue, "changes": changes });
        self.tell(from.repo, by, "issues", "transferred", went);
        let changes = json!({ "old_issue": old_issue, "old_repository": old_repo });
        self.tell_item(to, by, "opened", json!({ "changes": changes }));
    }

    fn tell_labels(&mut self, key: Key, by: &str, action: &str, names: &[String]) {
        for name in names {
            let label = self.label_value(key.repo, name);
            self.tell_item(key, by, action, json!({ "label": label }));
        }
    }

    fn tell_assignees(&mut self, key: Key, by: &str, action: &str, logins: &[String]) {
        for login in logins {
            let assignee = json!({ "assignee": UserBody::new(&self.urls, login) });
            self.tell_item(key, by, action, assignee);
        }
    }

    fn label_value(&self, repo: u64, name: &str) -> Option<Value> {
        let repo = self.repo(repo)?;
        let label = repo.labels.find(name)?;
        Some(json!(render::label(&self.urls.repo(&repo.full_name()), label)))
    }
}

/// What the one list has and the other has not.
fn missing(from: &[String], other: &[String]) -> Vec<String> {
    from.iter().filter(|name| !other.contains(name)).cloned().collect()
}
