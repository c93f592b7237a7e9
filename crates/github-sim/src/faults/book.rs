//! The faults that are set, and how often each struck.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{Fault, FaultId, FaultKind, Subject};

#[derive(Debug)]
struct Page {
    fault: Fault,
    is_cleared: bool,
    seen: u32,
    hits: u32,
}

/// All faults ever set; a cleared one keeps its number of hits.
#[derive(Debug, Default)]
pub(crate) struct FaultBook {
    pages: Vec<Page>,
    /// Wakes what waits for a fault to be cleared.
    cleared: Arc<Notify>,
}

impl FaultBook {
    pub fn set(&mut self, fault: Fault) -> FaultId {
        self.pages.push(Page { fault, is_cleared: false, seen: 0, hits: 0 });
        FaultId(self.pages.len() as u64 - 1)
    }

    pub fn clear(&mut self, id: FaultId) {
        if let Some(page) = self.page_mut(id) {
            page.is_cleared = true;
        }
        self.cleared.notify_waiters();
    }

    pub fn clear_all(&mut self) {
        for page in &mut self.pages {
            page.is_cleared = true;
        }
        self.cleared.notify_waiters();
    }

    /// What is notified when faults are cleared; nothing once this one is.
    pub fn until_cleared(&self, id: FaultId) -> Option<Arc<Notify>> {
        let page = usize::try_from(id.0).ok().and_then(|i| self.pages.get(i))?;
        (!page.is_cleared).then(|| Arc::clone(&self.cleared))
    }

    pub fn hits(&self, id: FaultId) -> u64 {
        let page = usize::try_from(id.0).ok().and_then(|i| self.pages.get(i));
        page.map_or(0, |page| u64::from(page.hits))
    }

    /// The fault for a request: the first set one that matches and is due.
    pub fn strike(&mut self, subject: &Subject<'_>) -> Option<(FaultId, FaultKind)> {
        let mut pages = (0..).map(FaultId).zip(&mut self.pages);
        pages.find_map(|(id, page)| Some((id, page.strike(subject)?)))
    }

    fn page_mut(&mut self, id: FaultId) -> Option<&mut Page> {
        self.pages.get_mut(usize::try_from(id.0).ok()?)
    }
}

impl Page {
    fn strike(&mut self, subject: &Subject<'_>) -> Option<FaultKind> {
        let is_spent = self.fault.times.is_some_and(|times| self.hits >= times);
        if self.is_cleared || is_spent || !self.fault.on.accepts(subject) {
            return None;
        }
        self.seen += 1;
        if self.seen <= self.fault.after {
            return None;
        }
        self.hits += 1;
        Some(self.fault.kind.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Match;

    const LIST: Subject<'_> = Subject {
        repo: Some("acme/api"),
        asked_repo: Some("Acme/API"),
        kind: "issues.list",
        method: "GET",
        path_and_query: "/repos/Acme/API/issues?state=all",
    };

    #[test]
    fn a_fault_strikes_after_and_times() {
        let mut book = FaultBook::default();
        let on = Match::repo("ACME/api").and(Match::path_contains("state=all"));
        let id = book.set(Fault::new(FaultKind::Hang).on(on).after(1).times(2));
        let strikes: Vec<bool> = (0..5).map(|_| book.strike(&LIST).is_some()).collect();
        assert_eq!(strikes, [false, true, true, false, false]);
        assert_eq!(book.hits(id), 2);
    }

    #[test]
    fn every_condition_must_hold() {
        let mut book = FaultBook::default();
        book.set(Fault::new(FaultKind::Reset).on(Match::kind("issues.list").and(Match::method("POST"))));
        assert_eq!(book.strike(&LIST), None);
        book.set(Fault::new(FaultKind::Reset));
        book.clear_all();
        assert_eq!(book.strike(&LIST), None);
    }
}
