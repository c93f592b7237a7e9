//! The heartbeat: one pass of five phases with a record (`design.md` section 1).

use tokio::time::Instant;

pub use super::record::Key;
use super::{
    Engine,
    publish::{self, Published},
    queue,
    record::{self, Opening},
    recover::{self, Recovered},
    renew,
    sync::{self, Outcome, RepoReport, Wish},
};
use crate::{
    domain::{
        heartbeat::{self, Asked, Counts, HeartbeatAnswer, Lease},
        ids::{AgentName, ReadId, RunId},
        notice::{Code, Notice, Phase, Severity, Subject},
        queue::Ask,
        run::{PassEnd, PassStatus},
        task::Task,
        time::Timestamp,
    },
    metrics::Stopwatch,
    store::{self, repos},
};

/// A heartbeat that was received.
#[derive(Clone, Debug)]
pub struct Beat {
    pub agent: AgentName,
    pub key: Option<Key>,
    /// When the request was received.
    pub arrival: Timestamp,
    /// Until when its caller waits.
    pub wait_until: Instant,
    /// The claims to renew; without it, all that are leased.
    pub claims: Option<Vec<renew::Named>>,
    /// The task that the answer is to name.
    pub want: Option<Ask>,
}

/// What a heartbeat came to.
#[derive(Debug)]
pub enum Beaten {
    /// The pass ran and is recorded.
    Recorded(HeartbeatAnswer),
    /// The key's pass ran before; this is its answer.
    Replayed(HeartbeatAnswer),
    /// The key stands for another body.
    OtherBody,
    /// The database could not record it; the answer says so and is not stored.
    Unrecorded(HeartbeatAnswer),
}

impl Engine {
    /// A beat that arrives now.
    pub fn beat(&self, agent: AgentName, key: Option<Key>) -> Beat {
        let wait_until = Instant::now() + self.settings.heartbeat_deadline;
        Beat { agent, key, arrival: self.clock.now(), wait_until, claims: None, want: None }
    }
}

/// Runs one pass. Call it in a task of the server: it must go on when its caller has gone.
pub async fn heartbeat(engine: &Engine, beat: Beat) -> Beaten {
    let watch = Stopwatch::start();
    let beaten = run(engine, beat).await;
    let status = match &beaten {
        Beaten::Recorded(answer) => answer.status.as_str(),
        Beaten::Unrecorded(_) => "unrecorded",
        Beaten::Replayed(_) => "replayed",
        Beaten::OtherBody => "refused",
    };
    engine.meters.heartbeats.ended(status, watch.elapsed());
    beaten
}

async fn run(engine: &Engine, beat: Beat) -> Beaten {
    let opening = record::open(engine, &beat.agent, beat.key.as_ref(), beat.arrival).await;
    let (run, agent) = match opening {
        Ok(Opening::New { run, agent }) => (run, agent),
        Ok(Opening::Replay(answer)) => return Beaten::Replayed(*answer),
        Ok(Opening::OtherBody) => return Beaten::OtherBody,
        Err(error) => {
            tracing::error!(%error, agent = %beat.agent, "a heartbeat could not be recorded");
            return Beaten::Unrecorded(unrecorded(engine, &beat.agent, beat.arrival));
        }
    };
    let pass = run_phases(engine, &agent, &beat).await;
    let answer = answer(engine, agent, run, &beat, pass.report(engine), pass.asked());
    close(engine, answer, pass.reads(), pass.recovered.urls).await
}

/// What the phases left behind.
#[derive(Default)]
struct Pass {
    repos: Vec<RepoReport>,
    notices: Vec<Notice>,
    recovered: Recovered,
    published: Published,
    leases: Option<Vec<Lease>>,
    /// The agent has a claim to be renewed.
    is_holder: bool,
    next: Option<Task>,
}

async fn run_phases(engine: &Engine, agent: &AgentName, beat: &Beat) -> Pass {
    let mut pass = Pass::default();
    match timed(engine, Phase::Renew, renew::renew(engine, agent, beat.claims.as_deref())).await {
        Ok(renewed) => {
            pass.is_holder = renewed.is_holder;
            pass.leases = beat.claims.as_ref().map(|_| renewed.leases);
        }
        Err(error) => {
            // Nobody knows.
            pass.is_holder = true;
            pass.notices.push(database(Phase::Renew, &error));
        }
    }
    match timed(engine, Phase::Sync, read_tracked(engine, beat)).await {
        Ok(report) => {
            pass.notices.extend(report.notices);
            pass.repos = report.repos;
        }
        Err(error) => pass.notices.push(database(Phase::Sync, &error)),
    }
    match timed(engine, Phase::Recover, recover::recover(engine)).await {
        Ok(mut recovered) => {
            pass.notices.append(&mut recovered.notices);
            pass.recovered = recovered;
        }
        Err(error) => pass.notices.push(database(Phase::Recover, &error)),
    }
    match timed(engine, Phase::Publish, publish::publish(engine)).await {
        Ok(mut published) => {
            pass.notices.append(&mut published.notices);
            pass.published = published;
        }
        Err(error) => pass.notices.push(database(Phase::Publish, &error)),
    }
    if let Some(ask) = &beat.want {
        // Last: it is told what the other phases left.
        match queue::next_task(engine, ask).await {
            Ok(task) => pass.next = Some(task),
            Err(error) => pass.notices.push(database(Phase::Record, &error)),
        }
    }
    pass
}

async fn timed<T>(engine: &Engine, phase: Phase, work: impl Future<Output = T>) -> T {
    let watch = Stopwatch::start();
    let done = work.await;
    engine.meters.heartbeats.phase(phase.as_str(), watch.elapsed());
    done
}

fn database(phase: Phase, error: &store::Error) -> Notice {
    tracing::error!(%error, %phase, "a phase lost the database");
    Notice::new(phase, Subject::Database, Code::DatabaseFailed)
}

async fn read_tracked(engine: &Engine, beat: &Beat) -> store::Result<sync::Report> {
    let mut tx = engine.db.read_once().await?;
    let tracked = repos::list_tracked(&mut tx).await?;
    drop(tx);
    if tracked.is_empty() {
        let notices = vec![Notice::sync_whole(Code::NoRepositories)];
        return Ok(sync::Report { notices, ..sync::Report::default() });
    }
    let patience = engine.settings.heartbeat_deadline;
    let wish = Wish { arrival: beat.arrival, wait_until: beat.wait_until, patience, sweep: false };
    Ok(sync::sync(engine, tracked, wish).await)
}

/// A pass boiled down to what its answer says.
struct PassReport {
    counts: Counts,
    notices: Vec<Notice>,
    touched: Vec<String>,
    /// Until when GitHub asks to leave all of the repositories alone.
    backoff: Option<Timestamp>,
    is_holder: bool,
}

impl Pass {
    fn report(&self, engine: &Engine) -> PassReport {
        let mut counts = Counts {
            recovered: self.recovered.claims,
            touched: self.recovered.urls.len() as u64,
            sent: self.published.sent,
            pending: self.published.pending,
            ..Counts::default()
        };
        for report in &self.repos {
            match report.outcome {
                Outcome::Unchanged => counts.unchanged += 1,
                Outcome::Changed => counts.changed += 1,
                Outcome::Failed(_) => counts.failed += 1,
                Outcome::Left(_) => counts.left += 1,
            }
            counts.touched += report.touched.count;
        }
        let mut released = self.recovered.urls.clone();
        released.sort_unstable();
        let lists =
            self.repos.iter().map(|report| report.touched.urls.as_slice()).chain([released.as_slice()]);
        let backoff = engine.github.backoff(self.repos.iter().map(|report| &report.repo.name));
        PassReport {
            counts,
            notices: self.notices.clone(),
            touched: heartbeat::merge_touched(lists),
            backoff: backoff.map(|backoff| backoff.until),
            is_holder: self.is_holder,
        }
    }

    fn asked(&self) -> Asked {
        Asked { leases: self.leases.clone(), next: self.next.clone() }
    }

    fn reads(&self) -> Vec<ReadId> {
        self.repos.iter().filter_map(|report| report.touched.read.clone()).collect()
    }
}

fn answer(
    engine: &Engine,
    agent: AgentName,
    run: RunId,
    beat: &Beat,
    report: PassReport,
    asked: Asked,
) -> HeartbeatAnswer {
    let (status, warnings, errors) = heartbeat::settle(&report.notices);
    let finished_at = engine.clock.now().max(beat.arrival);
    let settings = &engine.settings;
    let claim_ttl = report.is_holder.then_some(settings.claims.ttl);
    let next_heartbeat_at =
        heartbeat::next_beat(&agent, finished_at, settings.heartbeat_interval, report.backoff, claim_ttl);
    HeartbeatAnswer {
        status,
        agent_name: agent,
        started_at: beat.arrival,
        finished_at,
        summary: heartbeat::summary(&report.counts),
        warnings,
        errors,
        touched_issue_urls: report.touched,
        run_id: Some(run),
        next_heartbeat_at,
        asked,
    }
}

async fn close(
    engine: &Engine,
    answer: HeartbeatAnswer,
    reads: Vec<ReadId>,
    released: Vec<String>,
) -> Beaten {
    let Some(run) = answer.run_id.clone() else { return Beaten::Unrecorded(answer) };
    let end = PassEnd {
        status: answer.status,
        finished_at: answer.finished_at,
        summary: answer.summary.clone(),
        warnings: answer.warnings.clone(),
        errors: answer.errors.clone(),
        uneventful: answer.status == PassStatus::Ok && reads.is_empty() && released.is_empty(),
        reads,
        touched: released,
        asked: answer.asked.clone(),
        next_heartbeat_at: answer.next_heartbeat_at,
    };
    match record::close(engine, &run, &end).await {
        Ok(true) => {
            log(&answer);
            Beaten::Recorded(answer)
        }
        Ok(false) => {
            tracing::warn!(%run, "a pass was declared interrupted before it ended");
            Beaten::Unrecorded(unrecorded(engine, &answer.agent_name, answer.started_at))
        }
        Err(error) => {
            tracing::error!(%error, %run, "the record of a pass could not be closed");
            Beaten::Unrecorded(unrecorded(engine, &answer.agent_name, answer.started_at))
        }
    }
}

fn log(answer: &HeartbeatAnswer) {
    tracing::info!(
        agent = %answer.agent_name,
        status = answer.status.as_str(),
        ms = answer.finished_at.since(answer.started_at).as_millis(),
        warnings = answer.warnings.len(),
        errors = answer.errors.len(),
        summary = answer.summary,
        "heartbeat"
    );
}

/// The answer when the database could not record the run.
fn unrecorded(engine: &Engine, agent: &AgentName, started_at: Timestamp) -> HeartbeatAnswer {
    let notice = Notice::new(Phase::Record, Subject::Database, Code::DatabaseFailed);
    debug_assert_eq!(notice.severity(), Severity::Critical);
    let finished_at = engine.clock.now().max(started_at);
    HeartbeatAnswer {
        status: PassStatus::Error,
        agent_name: agent.clone(),
        started_at,
        finished_at,
        summary: "the pass could not be recorded".to_owned(),
        warnings: Vec::new(),
        errors: vec![notice.to_string()],
        touched_issue_urls: Vec::new(),
        run_id: None,
        next_heartbeat_at: heartbeat::next_beat(
            agent,
            finished_at,
            engine.settings.heartbeat_interval,
            None,
            Some(engine.settings.claims.ttl),
        ),
        asked: Asked::default(),
    }
}
