//! A GitHub that runs on this machine: scriptable state, documented behaviour, faults on demand.
//!
//! It speaks real HTTP on a loopback port, so a client under test is the client that ships. What
//! it does follows GitHub's documentation; each module names the page. It shares no code with
//! `dispatch`: that both agree with GitHub's description is the only link between them.
//!
//! ```
//! # tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
//! use github_sim::{Fault, FaultKind, Match, NewIssue, Sim};
//!
//! let sim = Sim::start().await;
//! let api = sim.create_repo("acme/api");
//! let number = api.open_issue(NewIssue::new("Search is slow").label("type/bug"));
//! api.comment(number, "mona", "Since Tuesday.");
//!
//! let fault = Fault::new(FaultKind::Status(503)).on(Match::kind("issues.list")).times(1);
//! let id = sim.fault(fault);
//! // … point the client at `sim.url()` with `sim.token()` …
//! assert_eq!(sim.fault_hits(id), 0);
//! assert_eq!(sim.counters().quota_spent, 0);
//! # sim.stop().await;
//! # });
//! ```
//!
//! # Kinds of requests
//!
//! [`Match::kind`] and [`Counters::by_kind`] name [`operations`]: `issues.list`, `issues.get`,
//! `issues.create`, `issues.update`, `labels.list`, `labels.add`, `labels.set`, `labels.clear`,
//! `labels.remove`, `assignees.add`, `assignees.remove`, `comments.list`, `comments.create`,
//! `commits.list`, `pull_commits.list`, `line_comments.list`, `runs.list`, `jobs.list`, `job_logs.get`,
//! `comments.get`, `comments.update`, `comments.delete`, `blocked_by.list`, `pulls.list`, `pulls.get`, `reviews.list`,
//! `check_runs.list`, `repos.get`, `user.get`, `rate_limit.get`, `app.get`, `installations.list`, `installations.get`,
//! `access_tokens.create`, `installation_repositories.list`, `hooks.list`, `hooks.create`, `hooks.get`, `hooks.update`,
//! `hooks.delete`, `hooks.ping`, `deliveries.list`, `deliveries.get`, `deliveries.redeliver`, `app_deliveries.list`,
//! `app_deliveries.get`, `app_deliveries.redeliver`, `unknown`.

mod access;
mod api;
mod apps;
mod clock;
mod config;
mod control;
mod faults;
mod ids;
mod journal;
mod limits;
mod render;
mod seed;
mod server;
mod sim;
mod state;
mod webhooks;

pub use access::Permission;
pub use api::{Operation, operations};
pub use clock::{Clock, ManualClock};
pub use config::SimConfig;
pub use faults::{Fault, FaultId, FaultKind, HookHandle, Match};
pub use journal::{Counters, Exchange, RequestLog};
pub use seed::Seeding;
pub use sim::{Repo, Sim, SimApp};
pub use state::{
    CheckRun, CiJob, CiRun, Comment, CommitInfo, Conclusion, IssueState, LineComment, NewIssue, PullInfo,
    PullState, Review, ReviewState, State, StateReason,
};
pub use webhooks::{WebhookCounters, WebhookDelivery, WebhookFaults};
