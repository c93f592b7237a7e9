//! Many heartbeats: all at once, or one after the other at a fixed rate whether answers come or not. Latency
//! counts from the time at which a heartbeat was meant to go out, so that a slow client cannot hide a slow
//! server; how late it really went out is told beside.

use std::{fmt, time::Duration};

use anyhow::Result;
use hdrhistogram::Histogram;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    bench,
    process::{Program, processor_time},
    server::{Answer, Server, beat},
};

/// Who connects how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// As agents do: one process, one call, one connection.
    OnePerCall,
    KeptAlive,
}

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub count: u32,
    /// Between two; zero is all at once.
    pub every: Duration,
    pub agents: u32,
    pub connections: Connections,
}

/// What came of it.
pub struct Outcome {
    /// From the intended time to the whole answer, in microseconds.
    latency: Histogram<u64>,
    /// From the intended time to the sending, in microseconds.
    lag: Histogram<u64>,
    pub mishaps: Mishaps,
    /// Every answer with code 200.
    pub answers: Vec<Answer>,
    pub lasted: Duration,
    server_busy: Duration,
    client_busy: Duration,
}

/// Heartbeats that did not go well.
#[derive(Default)]
pub struct Mishaps {
    /// Anything but a 200 with an answer that is no error.
    pub errors: usize,
    warned: usize,
    /// What the first of them said.
    first: Option<String>,
}

struct Sample {
    lag: Duration,
    latency: Duration,
    answer: Result<Answer, String>,
}

/// Sends it all and waits for every answer.
pub async fn run(server: &Server, load: Load) -> Result<Outcome> {
    let client = bench::client(load.connections == Connections::KeptAlive)?;
    let before = busy(&server.program)?;
    let began = Instant::now();
    let mut sending = JoinSet::new();
    for n in 0..load.count {
        let intended = began + load.every * n;
        sleep_until(intended).await;
        let (client, url) = (client.clone(), server.url.clone());
        let agent = format!("agent-{}", n % load.agents);
        sending.spawn(async move { send(&client, &url, &agent, intended).await });
    }
    let samples = sending.join_all().await;
    let lasted = began.elapsed();
    let after = busy(&server.program)?;
    let mut outcome = Outcome::new(samples)?;
    outcome.lasted = lasted;
    outcome.server_busy = after.0.saturating_sub(before.0);
    outcome.client_busy = after.1.saturating_sub(before.1);
    Ok(outcome)
}

async fn send(client: &reqwest::Client, url: &str, agent: &str, intended: Instant) -> Sample {
    let lag = intended.elapsed();
    let answer = beat(client, url, agent).await;
    Sample { lag, latency: intended.elapsed(), answer }
}

/// Processor time of the server and of this process.
fn busy(server: &Program) -> Result<(Duration, Duration)> {
    Ok((server.processor_time()?, processor_time(std::process::id())?))
}

impl Outcome {
    fn new(samples: Vec<Sample>) -> Result<Self> {
        let mut outcome = Self {
            latency: Histogram::new(3)?,
            lag: Histogram::new(3)?,
            mishaps: Mishaps::default(),
            answers: Vec::new(),
            lasted: Duration::ZERO,
            server_busy: Duration::ZERO,
            client_busy: Duration::ZERO,
        };
        for sample in samples {
            outcome.latency.record(micros(sample.latency))?;
            outcome.lag.record(micros(sample.lag))?;
            outcome.mishaps.note(&sample.answer);
            outcome.answers.extend(sample.answer.ok());
        }
        Ok(outcome)
    }

    /// The latency that so much of 1 stayed within.
    pub fn latency(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.latency.value_at_quantile(quantile))
    }

    /// How late the client sent.
    pub fn lag(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.lag.value_at_quantile(quantile))
    }

    /// How busy the server and this client kept the processor; 100 % is one core.
    pub fn business(&self) -> String {
        let percent = |busy: Duration| 100.0 * busy.div_duration_f64(self.lasted);
        format!("{:.0} % / {:.0} %", percent(self.server_busy), percent(self.client_busy))
    }
}

impl Mishaps {
    fn note(&mut self, answer: &Result<Answer, String>) {
        let said = match answer {
            Ok(answer) if answer.status == "ok" => return,
            Ok(answer) if answer.status == "warning" => {
                self.warned += 1;
                answer.warnings.first()
            }
            Ok(answer) => {
                self.errors += 1;
                answer.errors.first()
            }
            Err(error) => {
                self.errors += 1;
                Some(error)
            }
        };
        self.first = self.first.take().or_else(|| said.cloned());
    }

    /// Those of another load too.
    pub fn add(&mut self, other: Self) {
        self.errors += other.errors;
        self.warned += other.warned;
        self.first = self.first.take().or(other.first);
    }
}

impl fmt::Display for Mishaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.errors, self.warned)?;
        self.first.iter().try_for_each(|first| write!(f, ": {first:.100}"))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
