//! The meters that run all the time. Each is a few atomic operations, so that nothing is too hot to be measured.

use std::{borrow::Cow, fmt::Write as _, time::Duration};

use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use super::Gauges;

/// Upper bounds in seconds for what should take milliseconds.
const QUICK: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Upper bounds in seconds for what waits for GitHub.
const SLOW: [f64; 12] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Times<L> = Family<L, Histogram, fn() -> Histogram>;

fn quick() -> Histogram {
    Histogram::new(QUICK)
}

fn slow() -> Histogram {
    Histogram::new(SLOW)
}

/// What a session of the database may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// What a session of the database is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Waiting for a connection, and BEGIN.
    Begin,
    Statement,
    Commit,
}

/// Time spent in the database.
#[derive(Clone, Debug)]
pub struct Database(Times<Labels<2>>);

impl Default for Database {
    fn default() -> Self {
        Self(Family::new_with_constructor(quick))
    }
}

impl Database {
    pub fn took(&self, access: Access, step: Step, time: Duration) {
        let access = match access {
            Access::Read => "read",
            Access::Write => "write",
        };
        let step = match step {
            Step::Begin => "begin",
            Step::Statement => "statement",
            Step::Commit => "commit",
        };
        self.0.get_or_create(&[("access", access), ("step", step)]).observe(time.as_secs_f64());
    }
}

/// Requests to GitHub.
#[derive(Clone, Debug)]
pub struct GitHub {
    requests: Family<Labels<2>, Counter>,
    seconds: Times<Labels<1>>,
}

impl Default for GitHub {
    fn default() -> Self {
        Self { requests: Family::default(), seconds: Family::new_with_constructor(slow) }
    }
}

impl GitHub {
    pub fn asked(&self, kind: &'static str, result: &'static str, time: Duration) {
        self.requests.get_or_create(&[("kind", kind), ("result", result)]).inc();
        self.seconds.get_or_create(&[("kind", kind)]).observe(time.as_secs_f64());
    }
}

/// Passes of agents.
#[derive(Clone, Debug)]
pub struct Heartbeats {
    ended: Family<Labels<1>, Counter>,
    seconds: Histogram,
    phases: Times<Labels<1>>,
}

impl Default for Heartbeats {
    fn default() -> Self {
        let phases = Family::new_with_constructor(slow as fn() -> Histogram);
        Self { ended: Family::default(), seconds: slow(), phases }
    }
}

impl Heartbeats {
    pub fn ended(&self, status: &'static str, time: Duration) {
        self.ended.get_or_create(&[("status", status)]).inc();
        self.seconds.observe(time.as_secs_f64());
    }

    pub fn phase(&self, name: &'static str, time: Duration) {
        self.phases.get_or_create(&[("phase", name)]).observe(time.as_secs_f64());
    }
}

type Answered = [(&'static str, Cow<'static, str>); 3];

/// Answers of the server.
#[derive(Clone, Debug)]
pub struct Http(Times<Answered>);

impl Default for Http {
    fn default() -> Self {
        Self(Family::new_with_constructor(quick))
    }
}

impl Http {
    /// `route` is the one that the path matched, never the path.
    pub fn answered(&self, method: &'static str, route: String, status: &'static str, time: Duration) {
        let labels = [("method", method.into()), ("route", route.into()), ("status", status.into())];
        self.0.get_or_create(&labels).observe(time.as_secs_f64());
    }
}

/// Jobs of the scheduler.
#[derive(Clone, Debug)]
pub struct Jobs {
    runs: Family<Labels<2>, Counter>,
    seconds: Times<Labels<1>>,
    leads: Gauge,
}

impl Default for Jobs {
    fn default() -> Self {
        let seconds = Family::new_with_constructor(slow as fn() -> Histogram);
        Self { runs: Family::default(), seconds, leads: Gauge::default() }
    }
}

impl Jobs {
    pub fn ran(&self, job: &'static str, went_well: bool, time: Duration) {
        let result = if went_well { "ok" } else { "failed" };
        self.runs.get_or_create(&[("job", job), ("result", result)]).inc();
        self.seconds.get_or_create(&[("job", job)]).observe(time.as_secs_f64());
    }

    pub fn lead(&self, leads: bool) {
        self.leads.set(i64::from(leads));
    }
}

/// Deliveries of webhooks.
#[derive(Clone, Debug, Default)]
pub struct Webhooks {
    deliveries: Family<Labels<2>, Counter>,
    looked: Counter,
}

impl Webhooks {
    /// `event` is one of ours or `other`: callers may make them up.
    pub fn told(&self, event: &'static str, result: &'static str) {
        self.deliveries.get_or_create(&[("event", event), ("result", result)]).inc();
    }

    /// So many were settled by asking GitHub.
    pub fn looked(&self, deliveries: u64) {
        self.looked.inc_by(deliveries);
    }
}

/// All meters of a process, and how they are told.
#[derive(Debug)]
pub struct Meters {
    pub heartbeats: Heartbeats,
    pub http: Http,
    pub jobs: Jobs,
    /// Claims that were taken back.
    pub recovered: Counter,
    pub webhooks: Webhooks,
    registry: Registry,
}

impl Meters {
    /// The meters of the database and of GitHub are held by those who run them.
    pub fn new(database: &Database, github: &GitHub) -> Self {
        let (heartbeats, http, jobs) = (Heartbeats::default(), Http::default(), Jobs::default());
        let (recovered, webhooks) = (Counter::default(), Webhooks::default());
        let mut all = Registry::with_prefix("dispatch");
        all.register("heartbeats", "Heartbeats by how they ended", heartbeats.ended.clone());
        all.register(
            "heartbeat_seconds",
            "Seconds from a heartbeat's arrival to its answer",
            heartbeats.seconds.clone(),
        );
        all.register(
            "heartbeat_phase_seconds",
            "Seconds in a phase of a heartbeat",
            heartbeats.phases.clone(),
        );
        all.register("claims_recovered", "Claims that ran out and were taken back", recovered.clone());
        all.register("github_requests", "Requests to GitHub by what came of them", github.requests.clone());
        all.register("github_request_seconds", "Seconds of a request to GitHub", github.seconds.clone());
        all.register("http_request_seconds", "Seconds to answer a request", http.0.clone());
        all.register("database_seconds", "Seconds in the database", database.0.clone());
        all.register("job_runs", "Runs of periodic jobs", jobs.runs.clone());
        all.register("job_seconds", "Seconds of a run of a periodic job", jobs.seconds.clone());
        all.register(
            "leader",
            "Whether this process runs the jobs that only one may run",
            jobs.leads.clone(),
        );
        all.register(
            "webhook_deliveries",
            "Deliveries of webhooks by what came of them",
            webhooks.deliveries.clone(),
        );
        all.register("webhook_looks", "Deliveries that GitHub was asked about", webhooks.looked.clone());
        all.register("build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self { heartbeats, http, jobs, recovered, webhooks, registry: all }
    }

    /// Everything in OpenMetrics text, with what was read just now.
    pub fn expose(&self, gauges: &Gauges) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        text.write_str(&gauges.text()?)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}
