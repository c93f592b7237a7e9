//! Changes of the state by other processes.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::change::{Change, IssueChange, Mutation, OnIssue};
use super::{parse, refusal};
use crate::Sim;
use crate::api::Reply;
use crate::server::Ask;
use crate::sim::{Repo, split_name};
use crate::state::NewIssue;

/// `POST /_sim/mutate`: one change, or a list of them in order up to the first that fails.
pub(super) fn all(sim: &Sim, ask: &Ask) -> Result<Reply, Reply> {
    match parse::<Value>(ask)? {
        Value::Array(list) => {
            let outcomes: Result<Vec<Value>, Reply> =
                list.into_iter().map(|one| read_and_apply(sim, one)).collect();
            Ok(Reply::ok(&outcomes?))
        }
        one => Ok(Reply::ok(&read_and_apply(sim, one)?)),
    }
}

fn read_and_apply(sim: &Sim, value: Value) -> Result<Value, Reply> {
    let mutation: Mutation = serde_json::from_value(value)
        .map_err(|error| refusal(StatusCode::BAD_REQUEST, &error.to_string()))?;
    if matches!(mutation.change, Change::CreateRepo) {
        must_be_free(sim, &mutation.repo)?;
        let repo = sim.create_repo(&mutation.repo);
        return Ok(json!({ "id": repo.id() }));
    }
    let repo = existing(sim, &mutation.repo)?;
    apply(sim, &repo, mutation.change)
}

fn apply(sim: &Sim, repo: &Repo, change: Change) -> Result<Value, Reply> {
    match change {
        Change::OpenIssue { title, body, labels, assignees } => {
            let mut new = NewIssue::new(title).labels(labels);
            new.body = body;
            new.assignees = assignees;
            return Ok(json!({ "number": repo.open_issue(new) }));
        }
        Change::OpenPull { title, branch, body } => {
            let mut new = NewIssue::new(title);
            new.body = body;
            return Ok(json!({ "number": repo.open_pull(new, &branch) }));
        }
        Change::OnIssue(on) => return on_issue(sim, repo, on),
        Change::RenameRepo { to } => {
            must_be_free(sim, &to)?;
            repo.rename(&to);
        }
        Change::SetPrivate { private } => repo.set_private(private),
        Change::Archive => repo.archive(),
        Change::Unarchive => repo.unarchive(),
        Change::RenameLabel { label, to } => {
            must_have_label(repo, &label)?;
            repo.rename_label(&label, &to);
        }
        Change::DeleteLabel { label } => {
            must_have_label(repo, &label)?;
            repo.delete_label(&label);
        }
        Change::DisableIssues => repo.disable_issues(),
        Change::EnableIssues => repo.enable_issues(),
        Change::DeleteRepo => repo.delete(),
        // Handled before the repository is looked up.
        Change::CreateRepo => {}
    }
    Ok(json!({ "ok": true }))
}

fn on_issue(sim: &Sim, repo: &Repo, on: OnIssue) -> Result<Value, Reply> {
    let number = on.number;
    must_exist(repo, number)?;
    match on.change {
        IssueChange::Edit { title, body } => repo.edit_issue(number, |issue| {
            if let Some(title) = title {
                issue.title = title;
            }
            if body.is_some() {
                issue.body = body;
            }
        }),
        IssueChange::Close => repo.close_issue(number),
        IssueChange::Reopen => repo.reopen_issue(number),
        IssueChange::Touch => repo.touch(number),
        IssueChange::Delete => repo.delete_issue(number),
        IssueChange::Transfer { to } => {
            existing(sim, &to)?;
            return Ok(json!({ "number": repo.transfer_issue(number, &to) }));
        }
        IssueChange::AddLabel { label } => repo.add_label(number, &label),
        IssueChange::RemoveLabel { label } => repo.remove_label(number, &label),
        IssueChange::Assign { login } => repo.assign(number, &login),
        IssueChange::Unassign { login } => repo.unassign(number, &login),
        IssueChange::Comment { body, author } => {
            return Ok(json!({ "id": repo.comment(number, &author, &body) }));
        }
        IssueChange::Block { blocker, blocker_repo } => {
            let other = blocker_of(sim, repo, blocker, blocker_repo)?;
            repo.block(number, &other, blocker);
        }
        IssueChange::Unblock { blocker, blocker_repo } => {
            let other = blocker_of(sim, repo, blocker, blocker_repo)?;
            repo.unblock(number, &other, blocker);
        }
        IssueChange::ClosePull => repo.close_pull(number),
        IssueChange::MergePull => {
            must_be_pull(repo, number)?;
            repo.merge_pull(number);
        }
        IssueChange::Push => {
            must_be_pull(repo, number)?;
            return Ok(json!({ "sha": repo.push(number) }));
        }
        IssueChange::MergeState { state } => {
            must_be_pull(repo, number)?;
            repo.set_merge_state(number, &state);
        }
        IssueChange::Review { state, author, body } => {
            must_be_pull(repo, number)?;
            return Ok(json!({ "id": repo.review(number, &author, state, &body) }));
        }
        IssueChange::Check { name, conclusion } => {
            must_be_pull(repo, number)?;
            return Ok(json!({ "id": repo.check(number, &name, conclusion) }));
        }
    }
    Ok(json!({ "ok": true }))
}

fn blocker_of(sim: &Sim, repo: &Repo, blocker: u64, other: Option<String>) -> Result<String, Reply> {
    let other = other.unwrap_or_else(|| repo.full_name());
    must_exist(&existing(sim, &other)?, blocker)?;
    Ok(other)
}

fn existing(sim: &Sim, name: &str) -> Result<Repo, Reply> {
    match sim.find_repo(name) {
        Some(_) => Ok(sim.repo(name)),
        None => Err(refusal(StatusCode::NOT_FOUND, &format!("no repository {name:?}"))),
    }
}

fn must_exist(repo: &Repo, number: u64) -> Result<(), Reply> {
    if repo.issue(number).is_some() {
        return Ok(());
    }
    let message = format!("no issue {}#{number}", repo.full_name());
    Err(refusal(StatusCode::NOT_FOUND, &message))
}

fn must_be_pull(repo: &Repo, number: u64) -> Result<(), Reply> {
    if repo.pulls().iter().any(|pull| pull.issue.number == number) {
        return Ok(());
    }
    let message = format!("{}#{number} is no pull request", repo.full_name());
    Err(refusal(StatusCode::UNPROCESSABLE_ENTITY, &message))
}

fn must_have_label(repo: &Repo, label: &str) -> Result<(), Reply> {
    if repo.labels().iter().any(|name| name.to_lowercase() == label.to_lowercase()) {
        return Ok(());
    }
    let message = format!("no label {label:?} in {}", repo.full_name());
    Err(refusal(StatusCode::NOT_FOUND, &message))
}

fn must_be_free(sim: &Sim, name: &str) -> Result<(), Reply> {
    if split_name(name).is_some() && sim.find_repo(name).is_none() {
        return Ok(());
    }
    let message = format!("{name:?} is taken, or not owner/name");
    Err(refusal(StatusCode::UNPROCESSABLE_ENTITY, &message))
}
