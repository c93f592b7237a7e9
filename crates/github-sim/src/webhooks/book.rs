//! The hooks, what waits to be sent to them, and what was.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::{Delivery, Hook, Listener, Outcome, Parcel, WebhookCounters, WebhookFaults};
use crate::ids;
use crate::seed::chance::Chance;
use crate::state::Repository;

/// How long GitHub shows a delivery and sends it again
/// (docs.github.com/webhooks/testing-and-troubleshooting-webhooks/viewing-webhook-deliveries).
const KEPT_MS: i64 = 3 * 24 * 3_600 * 1_000;
/// Chance is drawn from this many parts.
const PARTS: u32 = 1_000_000;

/// What the courier does next.
#[derive(Debug)]
pub(crate) enum Next {
    Send(Box<Parcel>, Box<Hook>),
    /// Something waits to be overtaken, for so long.
    Hold(Duration),
    /// Nothing to do.
    Wait,
}

/// All webhooks and their deliveries.
#[derive(Debug)]
pub(crate) struct Webhooks {
    pub hooks: BTreeMap<u64, Hook>,
    /// Installations that hear events: their App and account.
    pub installations: BTreeMap<u64, (u64, String)>,
    pub counters: WebhookCounters,
    /// How many of the next ones are lost, whatever chance says.
    pub lose_next: u32,
    /// Rung when there may be something to send.
    pub wake: Arc<Notify>,
    /// Rung when nothing waits any more.
    pub idle: Arc<Notify>,
    seed: u64,
    faults: WebhookFaults,
    chance: Chance,
    line: VecDeque<Parcel>,
    held: Vec<Parcel>,
    deliveries: BTreeMap<u64, Delivery>,
    under_way: usize,
    last_delivery: u64,
}

impl Webhooks {
    pub fn new(seed: u64) -> Self {
        let faults = WebhookFaults::default();
        Self {
            hooks: BTreeMap::new(),
            installations: BTreeMap::new(),
            counters: WebhookCounters::default(),
            lose_next: 0,
            wake: Arc::default(),
            idle: Arc::default(),
            seed,
            chance: Chance::new(faults.seed, 0),
            faults,
            line: VecDeque::new(),
            held: Vec::new(),
            deliveries: BTreeMap::new(),
            under_way: 0,
            last_delivery: 12_000_000_000,
        }
    }

    /// Starts chance anew with other faults.
    pub fn set_faults(&mut self, faults: WebhookFaults) {
        self.chance = Chance::new(faults.seed, 0);
        self.faults = faults;
        self.wake.notify_one();
    }

    pub fn delay(&self) -> Duration {
        self.faults.delay
    }

    /// The hooks that hear an event of a repository, each with the installation by which it does.
    pub fn listeners(&self, repo: &Repository, event: &str) -> Vec<(u64, Option<u64>)> {
        let hears = |hook: &Hook| match hook.listener {
            _ if !hook.wants(event) => None,
            Listener::Repo(id) => (id == repo.id).then_some(None),
            Listener::App(app) => self
                .installations
                .iter()
                .find(|(_, (of, account))| *of == app && account.eq_ignore_ascii_case(&repo.owner))
                .map(|(id, _)| Some(*id)),
        };
        self.hooks.values().filter_map(|hook| Some((hook.id, hears(hook)?))).collect()
    }

    /// Puts an event into the line for each that hears it.
    pub fn post(&mut self, to: &[(u64, Option<u64>)], event: &str, repo: Option<u64>, payload: &Value) {
        self.counters.events += 1;
        let guid = self.guid();
        for &(hook, installation) in to {
            let mut payload = payload.clone();
            if let Some(id) = installation {
                payload["installation"] = json!({ "id": id, "node_id": ids::node("IN", id) });
            }
            let parcel = Parcel {
                id: self.fresh_id(),
                guid: guid.clone(),
                hook,
                event: event.to_owned(),
                action: payload["action"].as_str().map(str::to_owned),
                installation,
                repository: repo,
                is_redelivery: false,
                payload: Bytes::from(payload.to_string()),
                is_lost: false,
                is_copy: false,
                behind: 0,
            };
            self.try_luck(parcel);
        }
        self.wake.notify_one();
    }

    /// Sends a delivery again, under the same GUID; `None` if it is not known any more.
    pub fn redeliver(&mut self, hook: u64, id: u64, now_ms: i64) -> Option<()> {
        let parcel = self.find(hook, id, now_ms)?.parcel.clone();
        let parcel = Parcel { id: self.fresh_id(), is_redelivery: true, is_lost: false, behind: 0, ..parcel };
        self.counters.redeliveries += 1;
        self.counters.deliveries += 1;
        self.line.push_back(parcel);
        self.wake.notify_one();
        Some(())
    }

    /// What to send now; it counts as under way until it is settled or put back.
    pub fn next(&mut self) -> Next {
        if self.under_way >= self.faults.at_once.max(1) {
            return Next::Wait;
        }
        loop {
            let due = self.held.iter().position(|parcel| parcel.behind == 0);
            let parcel = match due {
                Some(place) => self.held.remove(place),
                None => match self.line.pop_front() {
                    Some(parcel) if parcel.behind > 0 => {
                        self.held.push(parcel);
                        continue;
                    }
                    Some(parcel) => {
                        for held in &mut self.held {
                            held.behind -= 1;
                        }
                        parcel
                    }
                    None if self.held.is_empty() => return Next::Wait,
                    None => return Next::Hold(self.faults.patience),
                },
            };
            // A hook that was taken away meanwhile hears nothing any more.
            if let Some(hook) = self.hooks.get(&parcel.hook) {
                let hook = Box::new(hook.clone());
                self.under_way += 1;
                return Next::Send(Box::new(parcel), hook);
            }
            self.ring_if_idle();
        }
    }

    /// Nothing came to overtake what is held.
    pub fn release(&mut self) {
        for held in &mut self.held {
            held.behind = 0;
        }
    }

    /// Records what came of a delivery.
    pub fn settle(&mut self, parcel: Parcel, outcome: Outcome, at_ms: i64) {
        self.under_way -= 1;
        let delivery = Delivery { parcel, outcome, at_ms };
        self.counters.sent += u64::from(!delivery.parcel.is_lost);
        if !delivery.parcel.is_copy {
            match (delivery.parcel.is_lost, delivery.is_success()) {
                (true, _) => self.counters.lost += 1,
                (false, true) => self.counters.accepted += 1,
                (false, false) => self.counters.failed += 1,
            }
            if let Some(hook) = self.hooks.get_mut(&delivery.parcel.hook) {
                hook.last = Some((delivery.outcome.code, delivery.outcome.status.clone()));
            }
            self.deliveries.insert(delivery.parcel.id, delivery);
        }
        self.ring_if_idle();
        self.wake.notify_one();
    }

    /// What was under way when the simulator stopped goes out when it starts again.
    pub fn put_back(&mut self, parcel: Parcel) {
        self.under_way -= 1;
        self.line.push_front(parcel);
    }

    /// Whether nothing waits, is held or is under way.
    pub fn is_idle(&self) -> bool {
        self.waiting() == 0
    }

    /// The counters now.
    pub fn count(&self) -> WebhookCounters {
        WebhookCounters { waiting: self.waiting() as u64, ..self.counters }
    }

    /// The attempts to reach a hook, newest first, for as long as GitHub keeps them.
    pub fn of_hook(&self, hook: u64, now_ms: i64) -> impl Iterator<Item = &Delivery> {
        let is_kept = move |it: &&Delivery| it.parcel.hook == hook && it.at_ms + KEPT_MS > now_ms;
        self.deliveries.values().rev().filter(is_kept)
    }

    /// One attempt to reach a hook.
    pub fn find(&self, hook: u64, id: u64, now_ms: i64) -> Option<&Delivery> {
        let delivery = self.deliveries.get(&id)?;
        (delivery.parcel.hook == hook && delivery.at_ms + KEPT_MS > now_ms).then_some(delivery)
    }

    /// Every attempt, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values()
    }

    fn waiting(&self) -> usize {
        self.line.len() + self.held.len() + self.under_way
    }

    fn ring_if_idle(&self) {
        if self.is_idle() {
            self.idle.notify_waiters();
        }
    }

    fn try_luck(&mut self, mut parcel: Parcel) {
        let WebhookFaults { lost, doubled, reordered, .. } = self.faults;
        self.counters.deliveries += 1;
        if parcel.event == "ping" {
            self.line.push_back(parcel);
            return;
        }
        // Each is drawn whatever came before, so that one share does not move the others' places.
        let (is_lost, is_doubled, is_overtaken) =
            (self.strikes(lost), self.strikes(doubled), self.strikes(reordered));
        let behind = 1 + u32::try_from(self.chance.below(8)).unwrap_or_default();
        if self.lose_next > 0 || is_lost {
            self.lose_next = self.lose_next.saturating_sub(1);
            self.line.push_back(Parcel { is_lost: true, ..parcel });
            return;
        }
        if is_doubled {
            self.counters.doubled += 1;
            self.line.push_back(Parcel { is_copy: true, ..parcel.clone() });
        }
        if is_overtaken {
            self.counters.reordered += 1;
            parcel.behind = behind;
        }
        self.line.push_back(parcel);
    }

    fn strikes(&mut self, share: f64) -> bool {
        let drawn = u32::try_from(self.chance.below(u64::from(PARTS))).unwrap_or_default();
        f64::from(drawn) < share * f64::from(PARTS)
    }

    fn fresh_id(&mut self) -> u64 {
        self.last_delivery += 1;
        self.last_delivery
    }

    /// In the form of GitHub's, a UUID; it follows from the seed and the number of the event.
    fn guid(&self) -> String {
        let digest = Sha256::digest(format!("event {} {}", self.seed, self.counters.events));
        let hex = ids::hex(&digest[..16]);
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_hook() -> Webhooks {
        let mut book = Webhooks::new(1);
        let hook = Hook {
            id: 1,
            listener: Listener::Repo(7),
            is_active: true,
            events: vec!["*".to_owned()],
            url: "http://127.0.0.1:1/".to_owned(),
            secret: None,
            content_type: super::super::ContentType::Json,
            insecure_ssl: false,
            created_at: 0,
            updated_at: 0,
            last: None,
        };
        book.hooks.insert(1, hook);
        book
    }

    /// Posts so many events and takes all of them: the numbers that were posted, in the order in which they go.
    fn order(book: &mut Webhooks, events: u64) -> Vec<(u64, bool)> {
        for number in 0..events {
            book.post(&[(1, None)], "issues", Some(7), &json!({ "action": "edited", "number": number }));
        }
        let mut order = Vec::new();
        loop {
            match book.next() {
                Next::Send(parcel, _) => {
                    let payload: Value = serde_json::from_slice(&parcel.payload).expect("JSON");
                    order.push((payload["number"].as_u64().expect("a number"), parcel.is_lost));
                    book.under_way -= 1;
                }
                Next::Hold(_) => book.release(),
                Next::Wait => return order,
            }
        }
    }

    #[test]
    fn without_faults_everything_comes_once_and_in_order() {
        let order = order(&mut with_hook(), 50);
        assert_eq!(order, (0..50).map(|number| (number, false)).collect::<Vec<_>>());
    }

    #[test]
    fn shares_are_lost_doubled_and_overtaken_the_same_for_the_same_seed() {
        let faults = WebhookFaults {
            lost: 0.05,
            doubled: 0.1,
            reordered: 0.2,
            at_once: 10,
            ..WebhookFaults::default()
        };
        let run = || {
            let mut book = with_hook();
            book.set_faults(faults.clone());
            (order(&mut book, 1_000), book.counters)
        };
        let (first, counters) = run();
        assert_eq!(first, run().0);
        let lost = first.iter().filter(|(_, is_lost)| *is_lost).count();
        assert!((20..80).contains(&lost), "{lost} of 1 000 lost");
        assert!((50..150).contains(&counters.doubled), "{} doubled", counters.doubled);
        assert!((100..300).contains(&counters.reordered), "{} overtaken", counters.reordered);
        assert_eq!(first.len() as u64, 1_000 + counters.doubled);
        let mut numbers: Vec<u64> = first.iter().map(|(number, _)| *number).collect();
        assert!(!numbers.is_sorted());
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 1_000, "each goes out at least once");
    }
}
