//! The simulated GitHub's people: somebody changes something now and then.

use std::time::Duration;

use github_sim::{NewIssue, Repo, Sim};

/// Between two changes.
const EVERY: Duration = Duration::from_millis(2_300);

const TITLES: [&str; 6] = [
    "Search forgets its filter",
    "Crash when the list is empty",
    "Document the retry rules",
    "Slow start on large repositories",
    "Time zones in the weekly report",
    "Upgrade the parser",
];
const STATUSES: [&str; 4] = ["status/ready", "status/in-progress", "status/in-review", "status/blocked"];

/// Changes one issue after the other, without end.
pub async fn keep_changing(sim: &Sim, repos: usize) {
    for turn in 0_usize.. {
        tokio::time::sleep(EVERY).await;
        let repo = sim.repo(&format!("acme/repo-{:02}", turn % repos + 1));
        change(&repo, turn);
    }
}

/// One change; which one follows from the turn.
fn change(repo: &Repo, turn: usize) {
    let open: Vec<u64> =
        repo.issues().iter().filter(|issue| issue.is_open()).map(|issue| issue.number).collect();
    let Some(&number) = open.get(turn * 7 % open.len().max(1)) else { return };
    let title = TITLES[turn % TITLES.len()];
    match turn % 6 {
        0 => _ = repo.open_issue(NewIssue::new(title).label("status/ready").label("priority/p2")),
        1 => _ = repo.comment(number, "mona", "This happens here as well."),
        2 => {
            for status in STATUSES {
                repo.remove_label(number, status);
            }
            repo.add_label(number, STATUSES[turn % STATUSES.len()]);
        }
        3 => repo.set_title(number, title),
        4 => repo.close_issue(number),
        _ => repo.add_label(number, "priority/p1"),
    }
}
