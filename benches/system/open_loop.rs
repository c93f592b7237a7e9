//! Requests at a fixed rate whether answers come or not. Latency counts from the time at which a request was meant
//! to go out, so that a slow client cannot hide a slow server; how late it really went out is told beside.

use std::{thread, time::Duration};

use anyhow::Result;
use hdrhistogram::Histogram;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
    time::Instant,
};

use super::process::{Program, processor_time};

/// How many requests, and how far apart.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub count: u32,
    /// Between two; zero is all at once.
    pub every: Duration,
}

impl Pace {
    /// So many a second, for so long.
    pub fn steady(per_second: u32, seconds: u32) -> Self {
        Self { count: per_second * seconds, every: Duration::from_secs(1) / per_second }
    }
}

/// How long it all took.
pub struct Timing {
    /// From the intended time to the whole answer, in microseconds.
    latency: Histogram<u64>,
    /// From the intended time to the sending, in microseconds.
    lag: Histogram<u64>,
    pub lasted: Duration,
    server_busy: Duration,
    client_busy: Duration,
}

/// Makes the calls at their times and waits for all of them; gives what each came to.
pub async fn run<T, F, Call>(server: &Program, pace: Pace, call: F) -> Result<(Timing, Vec<T>)>
where
    F: Fn(u32) -> Call,
    Call: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let before = busy(server)?;
    let began = Instant::now();
    let mut sending = JoinSet::new();
    let mut due = beat(began, pace);
    while let Some((n, intended)) = due.recv().await {
        let call = call(n);
        sending.spawn(async move {
            let lag = intended.elapsed();
            let answer = call.await;
            (lag, intended.elapsed(), answer)
        });
    }
    let samples = sending.join_all().await;
    let lasted = began.elapsed();
    let after = busy(server)?;
    let mut timing = Timing {
        latency: Histogram::new(3)?,
        lag: Histogram::new(3)?,
        lasted,
        server_busy: after.0.saturating_sub(before.0),
        client_busy: after.1.saturating_sub(before.1),
    };
    let mut answers = Vec::with_capacity(samples.len());
    for (lag, latency, answer) in samples {
        timing.latency.record(micros(latency))?;
        timing.lag.record(micros(lag))?;
        answers.push(answer);
    }
    Ok((timing, answers))
}

/// Says when a request is due. A thread of its own: the runtime's timer is a millisecond coarse, longer than an answer
/// may take.
fn beat(began: Instant, pace: Pace) -> UnboundedReceiver<(u32, Instant)> {
    let (tell, due) = unbounded_channel();
    thread::spawn(move || {
        for n in 0..pace.count {
            let intended = began + pace.every * n;
            thread::sleep(intended.saturating_duration_since(Instant::now()));
            if tell.send((n, intended)).is_err() {
                return;
            }
        }
    });
    due
}

/// Processor time of the server and of this process.
fn busy(server: &Program) -> Result<(Duration, Duration)> {
    Ok((server.processor_time()?, processor_time(std::process::id())?))
}

impl Timing {
    /// The latency that so much of 1 stayed within.
    pub fn latency(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.latency.value_at_quantile(quantile))
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        usize::try_from(self.latency.len()).unwrap_or(usize::MAX)
    }

    /// How late the client sent.
    pub fn lag(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.lag.value_at_quantile(quantile))
    }

    /// How busy the server kept the processor; 1 is one core.
    pub fn server_business(&self) -> f64 {
        self.server_busy.div_duration_f64(self.lasted)
    }

    /// How busy the server and this client kept the processor; 100 % is one core.
    pub fn business(&self) -> String {
        let client = self.client_busy.div_duration_f64(self.lasted);
        format!("{:.0} % / {:.0} %", 100.0 * self.server_business(), 100.0 * client)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
