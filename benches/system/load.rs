//! Many heartbeats: all at once, or one after the other at a fixed rate.

use std::{fmt, time::Duration};

use anyhow::Result;

use super::{
    bench,
    open_loop::{self, Pace, Timing},
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
    pub timing: Timing,
    pub mishaps: Mishaps,
    /// Every answer with code 200.
    pub answers: Vec<Answer>,
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

/// Sends it all and waits for every answer.
pub async fn run(server: &Server, load: Load) -> Result<Outcome> {
    let client = bench::client(load.connections == Connections::KeptAlive)?;
    let pace = Pace { count: load.count, every: load.every };
    let (timing, answers) = open_loop::run(&server.program, pace, |n| {
        let (client, url) = (client.clone(), server.url.clone());
        let agent = format!("agent-{}", n % load.agents);
        async move { beat(&client, &url, &agent).await }
    })
    .await?;
    let mut mishaps = Mishaps::default();
    for answer in &answers {
        mishaps.note(answer);
    }
    Ok(Outcome { timing, mishaps, answers: answers.into_iter().filter_map(Result::ok).collect() })
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
