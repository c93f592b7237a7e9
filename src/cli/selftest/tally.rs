//! What a race came to.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::race::Heard;

/// Counts of all rounds so far.
#[derive(Default)]
pub struct Tally {
    /// Rounds that were asked for.
    asked: u64,
    /// Rounds by the number of their winners.
    winners: BTreeMap<usize, u64>,
    /// Answers by their status.
    answers: BTreeMap<u16, u64>,
    unanswered: u64,
    /// Wins whose fence was not above all before it.
    old_fences: u64,
    last_fence: i64,
    took: Vec<Duration>,
    /// The first thing that was wrong.
    fault: Option<String>,
}

impl Tally {
    /// Of a race of so many rounds.
    pub fn of(rounds: u64) -> Self {
        Self { asked: rounds, ..Self::default() }
    }

    /// Adds a round.
    pub fn add(&mut self, heard: &[Heard]) {
        let round = self.rounds() + 1;
        let mut fences = Vec::new();
        for one in heard {
            self.took.push(one.took);
            let Some(answer) = &one.answer else {
                self.unanswered += 1;
                self.note(round, "a claim got no answer");
                continue;
            };
            let status = answer.status.as_u16();
            *self.answers.entry(status).or_default() += 1;
            match status {
                200 => fences.push(answer.body["fence"].as_i64().unwrap_or(0)),
                409 => {}
                _ => self.note(round, &format!("a claim was answered {status}: {}", answer.body["error"])),
            }
        }
        *self.winners.entry(fences.len()).or_default() += 1;
        if fences.len() != 1 {
            self.note(round, &format!("{} agents got the issue", fences.len()));
        }
        for fence in fences {
            if fence <= self.last_fence {
                self.old_fences += 1;
                self.note(round, &format!("fence {fence} was granted after {}", self.last_fence));
            }
            self.last_fence = self.last_fence.max(fence);
        }
    }

    fn note(&mut self, round: u64, what: &str) {
        self.fault.get_or_insert_with(|| format!("round {round}: {what}"));
    }

    fn rounds(&self) -> u64 {
        self.winners.values().sum()
    }

    /// Did every round have one winner, and nothing but winners and losers?
    pub const fn is_sound(&self) -> bool {
        self.fault.is_none()
    }

    /// Did it end before its last round?
    pub fn is_interrupted(&self) -> bool {
        self.rounds() < self.asked
    }

    fn won_by_one(&self) -> u64 {
        self.winners.get(&1).copied().unwrap_or(0)
    }

    /// How long claims took: half of them at most, 99 of 100 at most, all at most.
    fn latencies(&self) -> [Duration; 3] {
        let mut sorted = self.took.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        [last / 2, last * 99 / 100, last].map(|at| sorted.get(at).copied().unwrap_or_default())
    }

    /// For programs.
    pub fn json(&self, issue: &str, agents: usize, took: Duration) -> Value {
        let [p50, p99, max] = self.latencies().map(millis);
        let keyed = |(key, count): (String, &u64)| (key, json!(count));
        json!({
            "issue": issue,
            "agents": agents,
            "rounds": self.rounds(),
            "roundsWithOneWinner": self.won_by_one(),
            "winners": self.winners.iter().map(|(n, count)| keyed((n.to_string(), count))).collect::<Value>(),
            "answers": self.answers.iter().map(|(n, count)| keyed((n.to_string(), count))).collect::<Value>(),
            "unanswered": self.unanswered,
            "oldFences": self.old_fences,
            "latencyMs": { "p50": p50, "p99": p99, "max": max },
            "seconds": took.as_secs_f64(),
            "passed": self.is_sound() && !self.is_interrupted(),
            "interrupted": self.is_interrupted(),
            "fault": self.fault,
        })
    }

    /// For people.
    pub fn words(&self, issue: &str, agents: usize, took: Duration) -> String {
        let [p50, p99, max] = self.latencies().map(millis);
        let rounds = self.rounds();
        let winners: Vec<String> =
            self.winners.iter().map(|(winners, rounds)| format!("{winners} in {rounds} rounds")).collect();
        let answers: Vec<String> =
            self.answers.iter().map(|(code, count)| format!("{code}: {count}")).collect();
        let end = match &self.fault {
            None if self.is_interrupted() => {
                format!("INTERRUPTED after {rounds} of {} rounds: not passed", self.asked)
            }
            None => "passed".to_owned(),
            Some(fault) => format!("FAILED, first in {fault}"),
        };
        format!(
            "{issue}: {agents} agents, {rounds} rounds in {:.1} s\n  \
             one winner         in {} of {rounds} rounds\n  \
             winners            {}\n  \
             answers            {}; none: {}\n  \
             latency of claims  p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms\n{end}",
            took.as_secs_f64(),
            self.won_by_one(),
            winners.join(", "),
            answers.join(", "),
            self.unanswered,
        )
    }
}

fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::cli::client::Answer;

    fn heard(status: u16, fence: i64) -> Heard {
        let body = json!({ "fence": fence, "error": "e" });
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), body };
        Heard { answer: Some(answer), took: Duration::from_millis(u64::from(status)) }
    }

    #[test]
    fn whatever_is_not_one_winner_is_a_fault() {
        let lost = || heard(409, 0);
        let cases: [(&str, Vec<Heard>, Option<&str>); 6] = [
            ("one", vec![heard(200, 9), lost(), lost()], None),
            ("none", vec![lost(), lost()], Some("round 2: 0 agents got the issue")),
            ("two", vec![heard(200, 9), heard(200, 10)], Some("round 2: 2 agents got the issue")),
            ("5xx", vec![heard(200, 9), heard(503, 0)], Some("round 2: a claim was answered 503: \"e\"")),
            ("old", vec![heard(200, 5), lost()], Some("round 2: fence 5 was granted after 5")),
            (
                "silent",
                vec![heard(200, 9), Heard { answer: None, took: Duration::ZERO }],
                Some("round 2: a claim got no answer"),
            ),
        ];
        for (name, round, fault) in cases {
            let mut tally = Tally::default();
            tally.add(&[lost(), heard(200, 5)]);
            tally.add(&round);
            assert_eq!((tally.fault.as_deref(), tally.is_sound()), (fault, fault.is_none()), "{name}");
            assert_eq!(tally.json("i", 2, Duration::ZERO)["passed"], fault.is_none(), "{name}");
        }
    }

    #[test]
    fn a_race_that_ends_early_has_not_passed() {
        let mut tally = Tally::of(2);
        for passed in [false, true] {
            tally.add(&[heard(200, 5 + i64::from(passed)), heard(409, 0)]);
            let summary = tally.json("i", 2, Duration::ZERO);
            assert_eq!((&summary["passed"], &summary["interrupted"]), (&json!(passed), &json!(!passed)));
            let words = tally.words("i", 2, Duration::ZERO);
            assert_eq!(words.contains("INTERRUPTED after 1 of 2 rounds"), !passed, "{words}");
            assert!(tally.is_sound());
        }
    }

    #[test]
    fn latencies_are_those_of_the_middle_and_of_the_end() {
        let mut tally = Tally::default();
        let round: Vec<Heard> =
            (1..=101).map(|ms| Heard { took: Duration::from_millis(ms), ..heard(409, 0) }).collect();
        tally.add(&round);
        assert_eq!(tally.latencies(), [51, 100, 101].map(Duration::from_millis));
        assert_eq!(Tally::default().latencies(), [Duration::ZERO; 3]);
    }
}
