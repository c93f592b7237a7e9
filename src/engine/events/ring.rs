//! The last events of this process, in order, as many as fit.

use std::{collections::VecDeque, sync::Arc};

use crate::domain::{
    event::{Hint, Wanted},
    ids::TokenId,
};

/// One event.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Hint(Arc<Hint>),
    /// Everything is to be read again.
    Reset,
    /// Who listens with this token is to go.
    Revoked(TokenId),
}

/// Numbered from 1; the oldest go first.
#[derive(Debug)]
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    most: usize,
    /// The number of the entry that comes next.
    next: u64,
}

/// What a place in the ring leads to.
#[derive(Debug)]
pub(super) enum Read {
    /// Events with their numbers, and the place after all that was looked at.
    Entries(Vec<(u64, Entry)>, u64),
    /// What came next is forgotten.
    Behind,
}

impl Ring {
    pub(super) fn new(most: usize) -> Self {
        Self { entries: VecDeque::new(), most, next: 1 }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        if self.entries.len() == self.most {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        self.next += 1;
    }

    /// The place of what comes next.
    pub(super) fn end(&self) -> u64 {
        self.next
    }

    fn start(&self) -> u64 {
        self.next - self.entries.len() as u64
    }

    /// Can everything be told that came since this place?
    pub(super) fn reaches(&self, place: u64) -> bool {
        (self.start()..=self.next).contains(&place)
    }

    /// What comes at and after `place`, at most so many, of what is wanted.
    pub(super) fn read(&self, mut place: u64, wanted: &Wanted, most: usize) -> Read {
        if !self.reaches(place) {
            return Read::Behind;
        }
        let skip = usize::try_from(place - self.start()).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        for entry in self.entries.iter().skip(skip) {
            if found.len() == most {
                break;
            }
            if !matches!(entry, Entry::Hint(hint) if !wanted.admits(hint)) {
                found.push((place, entry.clone()));
            }
            place += 1;
        }
        Read::Entries(found, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{access::Tier, event::Kind};

    fn ring(most: usize, pushed: usize) -> Ring {
        let mut ring = Ring::new(most);
        for n in 0..pushed {
            let kind = if n % 2 == 0 { Kind::Issue } else { Kind::Outbox };
            ring.push(Entry::Hint(Arc::new(Hint::any(kind))));
            assert!(ring.entries.len() <= most, "memory does not grow");
        }
        ring
    }

    #[test]
    fn every_event_is_read_once_in_order_whatever_the_steps() {
        let (ring, all) = (ring(100, 90), Wanted::of(&Tier::Maintainer));
        for step in [1, 7, 90, 1_000] {
            let (mut place, mut seen) = (1, Vec::new());
            loop {
                let Read::Entries(found, next) = ring.read(place, &all, step) else {
                    panic!("it is all there")
                };
                if found.is_empty() {
                    break;
                }
                seen.extend(found.into_iter().map(|(number, _)| number));
                place = next;
            }
            assert_eq!(seen, (1..=90).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_not_wanted_is_passed_over() {
        let (ring, worker) = (ring(100, 90), Wanted::of(&Tier::UnboundWorker));
        let Read::Entries(found, place) = ring.read(1, &worker, 1_000) else { panic!("it is all there") };
        assert_eq!((found.len(), place), (45, 91));
    }

    #[test]
    fn who_is_behind_is_told_and_who_is_just_there_is_not() {
        let (ring, all) = (ring(10, 25), Wanted::of(&Tier::Maintainer));
        assert!(matches!(ring.read(15, &all, 99), Read::Behind));
        assert!(matches!(ring.read(16, &all, 99), Read::Entries(found, 26) if found.len() == 10));
        assert!(matches!(ring.read(26, &all, 99), Read::Entries(found, 26) if found.is_empty()));
        assert!(!ring.reaches(27), "that was never given out");
        assert!(!ring.reaches(0));
    }
}
