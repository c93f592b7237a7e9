//! Every periodic job, one row each: its name, how often it runs, the variable that says otherwise, and its verb.
//!
//! All but the first and `webhooks` run on the leader alone. A leader that fell silent may still be at a job when the next
//! one begins it, so each of them bears that: `sync`, `sweep`, `pulls` and `prune-closed` write what GitHub or the clock
//! says, twice the same; `stale-work`, `pr-fix-sweep`, `ci-failures`, `pr-followup`, `reconcile`, `publish`, `webhooks`, `deliveries`
//! and `settle` take each row by a condition that only one can meet; `retention` makes sure of
//! the fence in every transaction.

use std::{pin::Pin, time::Duration};

use tokio::time::Instant;

use crate::{
    domain::notice::Notice,
    engine::{
        Engine, ci_failures, hooks,
        lead::Leader,
        lifecycle, pr_fix, pr_followup, pr_reconcile, prune, publish, pulls, recover, reports, retention,
        sweeps,
        sync::{self, Wish},
        webhooks,
    },
    store::{self, repos},
};

/// How long one sync waits for its reads; those go on.
const SYNC_PATIENCE: Duration = Duration::from_mins(5);

/// A run of a job; its notices are for the log, and a critical one makes it a failure.
pub type Doing = Pin<Box<dyn Future<Output = store::Result<Vec<Notice>>> + Send>>;

/// Who runs a job.
#[derive(Clone, Copy, Debug)]
pub enum Verb {
    /// Every process, for itself.
    Everywhere(fn(Engine) -> Doing),
    /// The leader, which shows that it is.
    Led(fn(Engine, Leader) -> Doing),
}

/// A periodic job.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub name: &'static str,
    /// How often, unless its setting says otherwise; zero is never.
    pub every: Duration,
    pub setting: Option<Setting>,
    /// The record needs it: it runs where the scheduler is off, too.
    pub is_needed: bool,
    pub verb: Verb,
}

/// The variable that says how often a job runs, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub variable: &'static str,
    pub flag: &'static str,
    pub help: &'static str,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Takes back claims that ran out; how often bounds how short a claim may be. The Node edition looks every five minutes.
pub const STALE_WORK: Job = Job {
    name: "stale-work",
    every: MINUTE,
    setting: Some(Setting {
        variable: "DISPATCH_STALE_WORK_INTERVAL_MS",
        flag: "stale-work-interval-ms",
        help: "Milliseconds between looks for claims that ran out, besides those of heartbeats; 0: none",
    }),
    is_needed: false,
    verb: Verb::Led(|engine, _| Box::pin(take_back(engine))),
};

/// Every job, in the order in which they are shown.
pub const JOBS: [Job; 15] = [
    Job {
        name: "renew",
        every: lifecycle::RENEW_EVERY,
        setting: None,
        is_needed: true,
        verb: Verb::Everywhere(|engine| {
            Box::pin(async move { lifecycle::renew(&engine).await.map(|()| Vec::new()) })
        }),
    },
    Job {
        name: "sync",
        every: MINUTE.saturating_mul(15),
        setting: Some(Setting {
            variable: "DISPATCH_SYNC_INTERVAL_MS",
            flag: "sync-interval-ms",
            help: "Milliseconds between syncs of all repositories that nobody asked for; 0: none",
        }),
        is_needed: false,
        verb: Verb::Led(|engine, _| Box::pin(sync_all(engine))),
    },
    Job {
        name: "sweep",
        every: MINUTE,
        setting: None,
        is_needed: false,
        verb: Verb::Led(|engine, _| Box::pin(async move { sweeps::sweep_next(&engine).await })),
    },
    STALE_WORK,
    Job {
        name: "pr-fix-sweep",
        every: MINUTE.saturating_mul(5),
        setting: Some(Setting {
            variable: "DISPATCH_PR_FIX_SWEEP_INTERVAL_MS",
            flag: "pr-fix-sweep-interval-ms",
            help: "Milliseconds between looks at hand-outs of the PR-fix queue that came to nothing, and at pull requests that are waited for; 0: none",
        }),
        is_needed: false,
        verb: Verb::Led(|engine, _| Box::pin(sweep_pr_fixes(engine))),
    },
    Job {
        name: "ci-failures",
        every: MINUTE.saturating_mul(30),
        setting: Some(Setting {
            variable: "DISPATCH_CI_FAILURES_INTERVAL_MS",
            flag: "ci-failures-interval-ms",
            help: "Milliseconds between looks for workflows that fail on default branches; 0: none",
        }),
        is_needed: false,
        verb: Verb::Led(|engine, _| Box::pin(look_for_ci_failures(engine))),
    },
    Job {
        name: "pulls",
        every: MINUTE.saturating_mul(5),
        setting: Some(Setting {
            variable: "DISPATCH_PULLS_INTERVAL_MS",
            flag: "pulls-interval-ms",
            help: "Milliseconds between looks at open pull requests: which issues they are about, their reviews, checks and conflicts; 0: none",
        }),
        is_needed: false,
        verb: Verb::Led(|engine, _| Box::pin(async move { pulls::read::read_due(&engine).await })),
    },
    Job {
        name: "pr-followup",
        every: MINUTE.saturating_mul(15),
        setting: Some(Setting {
            variable: "DISPATCH_PR_FOLLOWUP_INTERVAL_MS",
            flag: "pr-followup-interval-ms",
            help: "Milliseconds between looks at what happened to the pull requests of bots; 0: none",
        }),
        is_needed: false,
        verb: Verb::Led(|engine, _| Box::pin(follow_pulls(engine))),
    },
    Job {
        name: "reconcile",
        every: MINUTE.saturating_mul(30),
        setting: Some(Setting {
            variable: "DISPATCH_RECONCILE_INTERVAL_MS",
            flag: "reconcile-interval-ms",
            help: "Milliseconds between passes in which issues follow their pull requests; 0: none",
        }),
        is_needed: false,
        verb: Verb::Led(|engine, _| Box::pin(reconcile(engine))),
    },
    Job {
        name: "publish",
        every: SECOND.saturating_mul(5),
        setting: None,
        is_needed: false,
        verb: Verb::Led(|engine, _| Box::pin(async move { Ok(publish::publish(&engine).await?.notices) })),
    },
    Job {
        name: "prune-closed",
        every: HOUR.saturating_mul(24),
        setting: Some(Setting {
            variable: "DISPATCH_PRUNE_CLOSED_INTERVAL_MS",
            flag: "prune-closed-interval-ms",
            help: "Milliseconds between looks for closed issues that need not be kept any more; 0: none",
        }),
        is_needed: false,
        verb: Verb::Led(|engine, _| Box::pin(prune_closed(engine))),
    },
    Job {
        name: "retention",
        every: HOUR,
        setting: None,
        is_needed: true,
        verb: Verb::Led(|engine, leader| {
            Box::pin(async move { retention::prune(&engine, &leader).await.map(|_| Vec::new()) })
        }),
    },
    Job {
        name: "deliveries",
        every: MINUTE.saturating_mul(5),
        setting: Some(Setting {
            variable: "DISPATCH_DELIVERIES_INTERVAL_MS",
            flag: "deliveries-interval-ms",
            help: "Milliseconds between looks at what webhooks should have delivered and did not; 0: none",
        }),
        is_needed: false,
        verb: Verb::Led(|engine, _| Box::pin(async move { hooks::look(&engine).await })),
    },
    Job {
        name: "webhooks",
        every: SECOND.saturating_mul(5),
        setting: None,
        is_needed: true,
        verb: Verb::Led(|engine, _| {
            Box::pin(async move {
                webhooks::wake(&engine);
                Ok(Vec::new())
            })
        }),
    },
    Job {
        name: "settle",
        every: reports::SETTLE_EVERY,
        setting: None,
        is_needed: true,
        verb: Verb::Led(|engine, _| {
            Box::pin(async move { reports::settle_pending(&engine).await.map(|_| Vec::new()) })
        }),
    },
];

async fn sync_all(engine: Engine) -> store::Result<Vec<Notice>> {
    let mut tx = engine.db().read_once().await?;
    let mut tracked = repos::list_tracked(&mut tx).await?;
    drop(tx);
    hooks::leave_to_webhooks(&engine, &mut tracked).await?;
    let wait_until = Instant::now() + SYNC_PATIENCE;
    let wish = Wish { arrival: engine.clock().now(), wait_until, patience: SYNC_PATIENCE, sweep: false };
    let notices = sync::sync(&engine, tracked, wish).await.notices;
    engine.write_confirmations().await?;
    Ok(notices)
}

/// Heartbeats tell of silent holders; here it would be told to nobody.
async fn take_back(engine: Engine) -> store::Result<Vec<Notice>> {
    let recovered = recover::recover(&engine).await?;
    if recovered.claims > 0 {
        tracing::info!(claims = recovered.claims, "claims that ran out were taken back");
    }
    Ok(Vec::new())
}

async fn sweep_pr_fixes(engine: Engine) -> store::Result<Vec<Notice>> {
    let swept = pr_fix::sweep::sweep(&engine).await?.unwrap_or_default();
    if swept.reclaimed + swept.stale + swept.woken > 0 {
        tracing::info!(?swept, "the PR-fix queue was swept");
    }
    Ok(Vec::new())
}

async fn look_for_ci_failures(engine: Engine) -> store::Result<Vec<Notice>> {
    let report = ci_failures::sync(&engine).await?.unwrap_or_default();
    if !report.filed.is_empty() || !report.closed.is_empty() {
        tracing::info!(filed = ?report.filed, closed = ?report.closed, "issues about failing workflows");
    }
    for (repo, error) in &report.errors {
        tracing::info!(repository = %repo, error, "its workflows were not looked at");
    }
    Ok(Vec::new())
}

async fn follow_pulls(engine: Engine) -> store::Result<Vec<Notice>> {
    let report = pr_followup::sync(&engine).await?.unwrap_or_default();
    if report.enqueued > 0 {
        tracing::info!(?report, "pull requests of bots need work");
    }
    Ok(Vec::new())
}

async fn reconcile(engine: Engine) -> store::Result<Vec<Notice>> {
    let report = pr_reconcile::by_itself(&engine).await?;
    if report.closed + report.labelled + report.lanes > 0 {
        tracing::info!(?report, "issues followed their pull requests");
    }
    Ok(Vec::new())
}

async fn prune_closed(engine: Engine) -> store::Result<Vec<Notice>> {
    let pruned = prune::prune_closed(&engine).await?;
    if pruned.issues > 0 {
        tracing::info!(issues = pruned.issues, before = %pruned.cutoff, "old closed issues were forgotten");
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_variables_and_flags_agree() {
        let names: BTreeSet<&str> = JOBS.iter().map(|job| job.name).collect();
        assert_eq!(names.len(), JOBS.len());
        for job in JOBS {
            let Some(setting) = job.setting else { continue };
            let flag = setting.variable.strip_prefix("DISPATCH_").unwrap().to_lowercase().replace('_', "-");
            assert_eq!(setting.flag, flag);
            assert_eq!(flag, format!("{}-interval-ms", job.name));
        }
    }

    #[test]
    fn the_table_has_the_intervals_of_the_contract() {
        // `contract/operations.md` 1.12.
        let minutes = |name: &str| JOBS.iter().find(|job| job.name == name).unwrap().every.as_secs() / 60;
        assert_eq!((minutes("sync"), minutes("prune-closed"), minutes("pr-fix-sweep")), (15, 24 * 60, 5));
        // Sooner than the contract's five: a dead agent's issue waits for nobody to call.
        assert_eq!(minutes("stale-work"), 1);
    }
}
