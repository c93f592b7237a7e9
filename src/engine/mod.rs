//! The verbs: one function is one use case and at most one write transaction at a time. No GitHub call
//! happens while a write transaction is open.

pub mod access;
pub mod actions;
pub mod automation;
pub mod ci_failures;
pub mod claims;
mod conditional;
mod confirmations;
pub mod currency;
mod dependencies;
pub mod events;
mod failpoint;
mod flight;
mod freshness;
pub mod gauges;
mod heard;
pub mod heartbeat;
pub mod hooks;
pub mod jobs;
mod labels;
pub mod lanes;
pub mod lead;
pub mod lifecycle;
pub mod outbox;
mod overlay;
mod pace;
mod passes;
pub mod polls;
pub mod pr_fix;
pub mod pr_followup;
pub mod pr_reconcile;
pub mod prune;
pub mod publish;
pub mod pulls;
pub mod queue;
pub mod reconcile;
mod record;
pub mod recover;
pub mod refresh;
pub mod renew;
pub mod reports;
pub mod repos;
pub mod retention;
pub mod runs;
pub mod sessions;
pub mod sweeps;
pub mod sync;
pub mod tasks;
pub mod tokens;
pub mod webhooks;
pub mod work;

use std::{sync::Arc, time::Duration};

use crate::{
    clock::{Clock, Ids},
    domain::{
        claim::Timing,
        ids::{AgentName, InstanceId},
        labels::Rules,
        pr_fix::Limits,
        queue::Aging,
        time::Timestamp,
        version::Version,
    },
    github::GitHub,
    metrics::Meters,
    store::{self, Db},
};

/// What the operator may set; see `config` for the variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub rules: Rules,
    /// How long closed issues stay cached.
    pub closed_retention: Duration,
    /// How long closed issues stay on the board.
    pub done_retention: Duration,
    /// How long runs are kept that touched or warned of something.
    pub run_retention: Duration,
    /// How long decisions are kept.
    pub audit_retention: Duration,
    pub heartbeat_interval: Duration,
    /// How long a caller waits.
    pub heartbeat_deadline: Duration,
    /// A read that began this long before a request arrived still serves it.
    pub sync_max_staleness: Duration,
    pub claims: Timing,
    /// A claim needs GitHub's word on its repository that is no older than this.
    pub claim_max_staleness: Duration,
    /// How long a claim waits for that word; clients wait 30 s for an answer.
    pub live_check_patience: Duration,
    pub writes: Writes,
    pub aging: Aging,
    pub pr_fix: Limits,
    /// Whom issues may be assigned to; empty: the agents that were seen.
    pub agents: Vec<AgentName>,
    pub follow_up: FollowUp,
    /// Whose deliveries of webhooks are accepted.
    pub webhooks: webhooks::Door,
    /// Where a webhook is alive, the scheduler reads no more often than this.
    pub sync_webhook_interval: Duration,
}

/// What follows pull requests and failing workflows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// Labels of issues about workflows that fail on the default branch.
    pub ci_labels: Vec<String>,
    /// Whose pull requests are followed.
    pub bots: Vec<String>,
    /// In whose repositories; empty: in all.
    pub owners: Vec<String>,
}

impl Default for FollowUp {
    fn default() -> Self {
        Self {
            ci_labels: vec!["type/bug".to_owned(), "status/ready".to_owned()],
            bots: vec!["github-actions[bot]".to_owned()],
            owners: Vec::new(),
        }
    }
}

impl Default for Settings {
    /// What holds where nothing is set.
    fn default() -> Self {
        let day = Duration::from_hours(24);
        Self {
            rules: Rules::default(),
            closed_retention: 30 * day,
            done_retention: 7 * day,
            run_retention: 30 * day,
            audit_retention: 365 * day,
            heartbeat_interval: Duration::from_mins(1),
            heartbeat_deadline: Duration::from_secs(25),
            sync_max_staleness: Duration::from_secs(5),
            claims: Timing { ttl: Duration::from_mins(30), held_ttl: Some(day) },
            claim_max_staleness: Duration::from_secs(15),
            live_check_patience: Duration::from_secs(10),
            writes: Writes { enabled: true, interval: Duration::from_secs(1) },
            aging: Aging::default(),
            pr_fix: Limits::default(),
            agents: Vec::new(),
            follow_up: FollowUp::default(),
            webhooks: webhooks::Door::Closed,
            sync_webhook_interval: Duration::from_mins(15),
        }
    }
}

/// Writing to GitHub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writes {
    /// Off: wishes are recorded and none is sent.
    pub enabled: bool,
    /// One write in so much time, in the long run.
    pub interval: Duration,
}

/// Everything the verbs work with. Clones share it.
#[derive(Clone)]
pub struct Engine(Arc<Parts>);

/// What [`Engine`] shares; the fields are for the verbs.
pub struct Parts {
    pub(crate) db: Db,
    pub(crate) github: GitHub,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) settings: Settings,
    pub(crate) tasks: tasks::Tasks,
    /// This process, in the records of its runs.
    instance: InstanceId,
    reads: sync::Reads,
    confirmations: confirmations::Confirmations,
    passes: passes::Passes,
    denials: access::Denials,
    outbox: publish::Outbox,
    polls: polls::Polls,
    unheard: heard::Unheard,
    recovery: recover::Turn,
    events: events::Events,
    pr_fix_sweep: pr_fix::sweep::Turn,
    ci_failures: ci_failures::Turn,
    pr_followup: pr_followup::Turn,
    pr_reconcile: pr_reconcile::Turn,
    automation: automation::Turn,
    sweeps: sweeps::Tries,
    jobs: jobs::Jobs,
    webhooks: webhooks::Webhooks,
    meters: Meters,
}

impl std::ops::Deref for Engine {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Engine {
    pub fn new(db: Db, github: GitHub, clock: Clock, ids: Ids, settings: Settings) -> Self {
        let instance = InstanceId(ids.next());
        let events = events::Events::new(&instance);
        let outbox = publish::Outbox::new(settings.writes, &clock);
        let meters = Meters::new(db.times(), github.traffic());
        Self(Arc::new(Parts {
            db,
            github,
            clock,
            ids,
            settings,
            tasks: tasks::Tasks::default(),
            instance,
            reads: sync::Reads::default(),
            confirmations: confirmations::Confirmations::default(),
            passes: passes::Passes::default(),
            denials: access::Denials::default(),
            outbox,
            polls: polls::Polls::default(),
            unheard: heard::Unheard::default(),
            recovery: recover::Turn::default(),
            events,
            pr_fix_sweep: pr_fix::sweep::Turn::default(),
            ci_failures: ci_failures::Turn::default(),
            pr_followup: pr_followup::Turn::default(),
            pr_reconcile: pr_reconcile::Turn::default(),
            automation: automation::Turn::default(),
            sweeps: sweeps::Tries::default(),
            jobs: jobs::Jobs::default(),
            webhooks: webhooks::Webhooks::default(),
            meters,
        }))
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// 32 random bytes in text form, for what nobody may guess.
    pub fn secret(&self) -> String {
        self.ids.secret()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Writes down which repositories GitHub confirmed; a heartbeat does it with its record.
    pub async fn write_confirmations(&self) -> store::Result<()> {
        self.confirmations.settle(&self.db).await
    }

    /// Those who listen to this process.
    pub fn events(&self) -> &events::Events {
        &self.events
    }

    pub fn tasks(&self) -> &tasks::Tasks {
        &self.tasks
    }

    /// Does it read GitHub without credentials?
    pub fn is_anonymous(&self) -> bool {
        self.github.is_anonymous()
    }

    /// How periodic jobs fare.
    pub fn jobs(&self) -> &jobs::Jobs {
        &self.jobs
    }

    /// What is counted and timed.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }
}

/// Why a verb did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was named is not there.
    #[error("{0}")]
    NotFound(String),
    /// What is there forbids it.
    #[error("{0}")]
    Conflict(String),
    /// A value of the request breaks a rule.
    #[error("{rule}")]
    Invalid { field: &'static str, rule: String },
    /// GitHub did not do its part; the text is ours, never GitHub's.
    #[error("{0}")]
    GitHub(String),
    /// The claim that the caller shows is not live any more.
    #[error("{message}")]
    ClaimLost { message: String, holder: Option<AgentName>, at: Option<Timestamp> },
    /// The caller decided on what is not so any more.
    #[error("{message}")]
    Stale { message: String, version: Version },
    /// Another has the issue.
    #[error("{message}")]
    Held { message: String, holder: String },
    /// The caller may not do this to what is there.
    #[error("{0}")]
    Forbidden(String),
    /// GitHub could not be asked, and without its word nothing may change.
    #[error("{0}")]
    Unverified(String),
    /// The caller may try again soon.
    #[error("{0}")]
    Busy(String),
    /// The caller has as much as one caller may have.
    #[error("{0}")]
    TooMany(String),
    #[error("the database failed")]
    Database(#[from] store::Error),
}

/// The result of a verb.
pub type Result<T> = std::result::Result<T, Error>;
