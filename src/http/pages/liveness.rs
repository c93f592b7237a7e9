//! Whether an agent lives, by when it was heard of last.

use crate::{domain::time::Timestamp, engine::Settings};

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
        match heard.map(|heard| now.since(heard)) {
            Some(gone) if gone <= settings.heartbeat_interval * 3 => Self::Alive,
            Some(gone) if gone <= settings.claims.ttl => Self::Quiet,
            _ => Self::Silent,
        }
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
    pub const fn tone(self) -> &'static str {
        match self {
            Self::Alive => "good",
            Self::Quiet => "warn",
            Self::Silent => "bad",
        }
    }

    /// What it means, in a sentence.
    pub fn sentence(self, settings: &Settings) -> String {
        let interval = super::time::span(settings.heartbeat_interval);
        let ttl = super::time::span(settings.claims.ttl);
        match self {
            Self::Alive => format!("heard of within three heartbeats of {interval}"),
            Self::Quiet => format!("it missed heartbeats, which come every {interval}"),
            Self::Silent => format!("nothing was heard for more than {ttl}, or ever"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn silence_is_judged_by_heartbeats_and_claims() {
        let settings = Settings::default();
        let of = |gone: Option<u64>| {
            let now = Timestamp(10_000_000_000);
            Liveness::of(gone.map(|gone| now.minus(Duration::from_secs(gone))), now, &settings).word()
        };
        let words = [of(Some(0)), of(Some(180)), of(Some(181)), of(Some(1_800)), of(Some(1_801)), of(None)];
        assert_eq!(words, ["alive", "alive", "quiet", "quiet", "silent", "silent"]);
    }
}
