//! A card: what an operator sees of an issue at one glance.

use std::{collections::HashMap, time::Duration};

use super::filter::priority_word;
use crate::{
    domain::{claim::Terms, labels::Status, lane::Lanes, time::Timestamp},
    engine::Settings,
    store::board::{Card, Sending},
};

/// A card with the words for what it shows.
pub struct CardView<'a> {
    pub card: &'a Card,
    pub lane: &'a str,
    pub priority: Option<&'static str>,
    pub agent: Option<AgentView<'a>>,
    pub sending: Option<&'static str>,
    pub is_stuck: bool,
}

/// An agent, and whether it lives.
pub struct AgentView<'a> {
    pub name: &'a str,
    pub key: &'a str,
    pub liveness: Liveness,
    pub heard: Option<Timestamp>,
    /// When it will be quiet and when silent, in milliseconds, unless it is heard of; of a silent one there is nothing to wait for.
    pub fades: Option<(i64, i64)>,
    /// Its claim runs out then; none where it holds none, or never renews it.
    pub until: Option<Timestamp>,
    pub holds: bool,
}

/// Whether an agent was heard of lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    /// It missed a few heartbeats.
    Quiet,
    Silent,
}

impl Liveness {
    /// Judged by the agent's last word.
    pub fn of(heard: Option<Timestamp>, now: Timestamp, settings: &Settings) -> Self {
        let gone = heard.map_or(Duration::MAX, |heard| now.since(heard));
        match gone {
            gone if gone <= settings.heartbeat_interval * 3 => Self::Alive,
            gone if gone <= settings.claims.ttl => Self::Quiet,
            _ => Self::Silent,
        }
    }

    /// When one who was heard of then turns quiet, and when silent.
    pub fn fades(heard: Timestamp, settings: &Settings) -> (Timestamp, Timestamp) {
        // To the millisecond when `of` says so.
        let after = |gone: Duration| heard.plus(gone).plus(Duration::from_millis(1));
        let quiet = settings.heartbeat_interval * 3;
        (after(quiet), after(quiet.max(settings.claims.ttl)))
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Quiet => "quiet",
            Self::Silent => "silent",
        }
    }

    /// A sign beside the word, for a glance.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Alive => "●",
            Self::Quiet => "◐",
            Self::Silent => "○",
        }
    }

    /// How it is marked.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Alive => "good",
            Self::Quiet => "warn",
            Self::Silent => "bad",
        }
    }
}

impl<'a> CardView<'a> {
    pub fn of(
        card: &'a Card,
        lanes: &'a Lanes,
        heard: &HashMap<String, Timestamp>,
        (now, settings): (Timestamp, &Settings),
    ) -> Self {
        let lane = lanes.by_id(&card.lane).map_or(card.lane.as_str(), |lane| lane.title.as_str());
        let agent = card.agent.as_deref().map(|key| {
            let claim = card.claim.as_ref();
            let heard = heard.get(key).copied();
            let liveness = Liveness::of(heard, now, settings);
            let fades = heard.filter(|_| liveness != Liveness::Silent).map(|heard| {
                let (quiet, silent) = Liveness::fades(heard, settings);
                (quiet.0, silent.0)
            });
            AgentView {
                name: claim.map_or(key, |claim| claim.holder.as_str()),
                key,
                liveness,
                heard,
                fades,
                until: claim.filter(|claim| claim.terms == Terms::Leased).map(|claim| claim.expires_at),
                holds: claim.is_some(),
            }
        });
        let sending = match card.sending {
            Sending::Done => None,
            Sending::Waits => Some("GitHub has yet to be told"),
            Sending::Parked => Some("GitHub refuses a change"),
        };
        let is_stuck = card.sending == Sending::Parked;
        Self { card, lane, priority: priority_word(card.priority), agent, sending, is_stuck }
    }

    /// Texts that sort as cards stand in their column.
    pub fn order(&self) -> String {
        const END: i64 = 9_999_999_999_999;
        let Card { priority, created_at, updated_at, id, .. } = self.card;
        match self.card.status {
            // The newest first; of one time the larger id, which the script compares the other way round.
            Status::Done => format!("{:013}", END - updated_at.0),
            _ => format!("{priority}{:013}{id}", created_at.0),
        }
    }

    /// Columns that it can be moved to.
    pub fn others(&self) -> impl Iterator<Item = Status> {
        let own = self.card.status;
        Status::ALL.into_iter().filter(move |status| *status != own)
    }

    pub fn is_open(&self) -> bool {
        self.card.state == crate::domain::issue::IssueState::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fades_when_it_is_judged_so() {
        let mut settings = Settings::default();
        for interval in [1, 5, 90] {
            settings.heartbeat_interval = Duration::from_mins(interval);
            let heard = Timestamp(1_000_000);
            let (quiet, silent) = Liveness::fades(heard, &settings);
            let of = |at: i64| Liveness::of(Some(heard), Timestamp(at), &settings);
            assert_eq!(of(quiet.0 - 1), Liveness::Alive);
            assert_eq!(of(silent.0), Liveness::Silent);
            let last = if quiet == silent { Liveness::Alive } else { Liveness::Quiet };
            assert_eq!(
                (of(silent.0 - 1), of(quiet.0)),
                (last, if quiet == silent { Liveness::Silent } else { Liveness::Quiet })
            );
        }
    }
}
