//! Repositories full of plausible issues, the same for the same seed.

pub(crate) mod chance;
mod text;

use crate::Sim;
use crate::state::{Key, NewIssue, State};
use chance::Chance;

/// How much to make up.
#[derive(Clone, Debug)]
pub struct Seeding {
    /// Owner of every repository.
    pub owner: String,
    /// Number of repositories, `repo-01` and on.
    pub repos: usize,
    /// Open issues in each.
    pub issues: usize,
    /// Closed issues in each, on top.
    pub closed: usize,
    /// Open issues that an agent works on, over all repositories.
    pub active: usize,
}

impl Default for Seeding {
    fn default() -> Self {
        Self { owner: "acme".to_owned(), repos: 10, issues: 100, closed: 0, active: 0 }
    }
}

const AGENTS: [&str; 6] = ["coder", "reviewer", "tester", "writer", "fixer", "scout"];
const TYPES: [&str; 5] = ["bug", "feature", "chore", "research", "security"];
const HUMANS: [&str; 5] = ["octocat", "hubot", "mona", "defunkt", "monalisa"];
const MINUTE: i64 = 60;

impl Sim {
    /// Makes repositories and issues up; what is made follows from the plan and the simulator's seed.
    pub fn populate(&self, plan: &Seeding) {
        for index in 0..plan.repos {
            let repo = self.create_repo(&format!("{}/repo-{:02}", plan.owner, index + 1));
            let mut chance = Chance::new(self.core.config.seed, index as u64);
            let active = share(plan.active, plan.repos, index);
            let count = plan.closed + plan.issues;
            for number in 0..count {
                let is_closed = number < plan.closed;
                let is_active = number >= count.saturating_sub(active) && !is_closed;
                let age = (count - number) as u64;
                let opened = repo.open_issue(self.invent(&mut chance, age, is_active));
                if is_closed {
                    close(&repo, opened, &mut chance);
                }
            }
            self.render(repo.id(), count as u64);
        }
    }

    /// Renders every issue now, so that the first reader is not the one who waits.
    fn render(&self, repo: u64, count: u64) {
        let mut world = self.core.world.lock();
        for number in 1..=count {
            world.issue_json(Key { repo, number });
        }
    }

    fn invent(&self, chance: &mut Chance, age: u64, is_active: bool) -> NewIssue {
        let now = self.core.now_s();
        let minutes = age * 37 + chance.below(37);
        let created_at = now - MINUTE * i64::try_from(minutes).unwrap_or_default();
        let lived = u64::try_from(now - created_at).unwrap_or_default();
        let updated_at = created_at + i64::try_from(chance.below(lived.max(1))).unwrap_or_default();
        let kind = chance.pick(&TYPES);
        NewIssue::new(text::title(chance, kind))
            .body(text::body(chance))
            .author(chance.pick(&HUMANS))
            .label(format!("type/{kind}"))
            .label(format!("priority/p{}", chance.below(4)))
            .labels(status(chance, is_active))
            .created_at(created_at)
            .updated_at(updated_at)
    }
}

fn status(chance: &mut Chance, is_active: bool) -> Vec<String> {
    if is_active {
        let agent = chance.pick(&AGENTS);
        return vec!["status/in-progress".to_owned(), format!("agent/{agent}")];
    }
    let status = match chance.below(10) {
        0..6 => "status/ready",
        6..9 => "status/backlog",
        _ => "status/blocked",
    };
    vec![status.to_owned()]
}

fn close(repo: &crate::Repo, number: u64, chance: &mut Chance) {
    repo.edit_issue(number, |issue| {
        issue.state = State::Closed;
        issue.labels.retain(|label| !label.starts_with("status/"));
        issue.labels.push("status/done".to_owned());
        issue.closed_by = Some(chance.pick(&HUMANS).to_owned());
        // A second later, so that the change of the time is one.
        issue.updated_at += 1;
        issue.closed_at = Some(issue.updated_at);
    });
}

/// The part of `whole` that falls to one of `parts`.
fn share(whole: usize, parts: usize, index: usize) -> usize {
    whole / parts + usize::from(index < whole % parts)
}
