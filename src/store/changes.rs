//! What committed transactions wrote, for those who listen: each statement says it, or its table does.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::event::{Change, Kind};

/// So many changes wait to be taken; of more it is only said that there were.
pub const MOST_WAITING: usize = 1_024;

/// Tables, and the kind of change that writing to them is; `None`: nobody is told.
const TABLES: [(&str, Option<Kind>); 39] = [
    ("issues", Some(Kind::Issue)),
    ("dependencies", Some(Kind::Issue)),
    ("lane_history", Some(Kind::Issue)),
    ("claims", Some(Kind::Claim)),
    ("claim_history", Some(Kind::Claim)),
    ("runs", Some(Kind::Run)),
    ("label_edits", Some(Kind::Outbox)),
    ("outbox", Some(Kind::Outbox)),
    ("repositories", Some(Kind::Repository)),
    ("repository_aliases", Some(Kind::Repository)),
    ("sync_state", Some(Kind::Repository)),
    ("pulls", Some(Kind::Repository)),
    ("ci_failures", None),
    ("conditional_reads", None),
    ("settled_merges", None),
    ("pull_links", None),
    ("pull_etags", None),
    ("agents", None),
    ("audit_log", None),
    ("fences", None),
    ("idempotency_keys", None),
    ("instances", None),
    ("leases", None),
    ("login_links", None),
    ("pr_fix_items", None),
    ("pr_fix_evidence", None),
    ("pr_fix_feedback", None),
    ("pr_fix_late_evidence", None),
    ("pr_fix_handouts", None),
    ("pr_fix_history", None),
    ("reads", None),
    ("reports", None),
    ("sessions", None),
    ("tokens", None),
    ("webhook_deliveries", None),
    ("webhooks", None),
    ("missed_deliveries", None),
    ("sqlite_sequence", None),
    ("_sqlx_migrations", None),
];

/// Has somebody decided what writing to this table is to those who listen?
pub fn is_known(table: &str) -> bool {
    TABLES.iter().any(|(known, _)| *known == table)
}

/// The table that a statement writes; `Err`: it only reads.
pub(super) fn written_table(sql: &str) -> Result<Option<&str>, ()> {
    let sql = sql.trim_start();
    if ["SELECT", "PRAGMA", "EXPLAIN"].iter().any(|word| sql.starts_with(word)) {
        return Err(());
    }
    let written = ["INSERT INTO ", "UPDATE ", "DELETE FROM "].iter().find_map(|verb| sql.strip_prefix(verb));
    Ok(written.and_then(|rest| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()))
}

/// What a transaction has to tell once it is committed.
#[derive(Debug, Default)]
pub(super) struct Told(Vec<Change>);

impl Told {
    /// A statement wrote rows of `table`; `about` is what it said of them.
    pub(super) fn wrote(&mut self, table: Option<&str>, about: Option<Vec<Change>>) {
        match about {
            Some(about) => self.0.extend(about),
            None => self.0.extend(table.and_then(kind_of).map(Change::Any)),
        }
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.0
    }
}

fn kind_of(table: &str) -> Option<Kind> {
    TABLES.iter().find(|(known, _)| *known == table).and_then(|(_, kind)| *kind)
}

/// What was committed and nobody has taken yet: once for this process, once for the others.
#[derive(Debug)]
pub struct Feed {
    here: Mutex<Waiting>,
    abroad: Option<Mutex<Waiting>>,
    version: watch::Sender<u64>,
}

impl Feed {
    /// `has_others`: other processes may use the same database.
    pub(super) fn new(has_others: bool) -> Self {
        let abroad = has_others.then(Mutex::default);
        Self { here: Mutex::default(), abroad, version: watch::Sender::new(0) }
    }

    /// This process committed these.
    pub fn tell(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        if let Some(abroad) = &self.abroad {
            abroad.lock().add(changes.iter().cloned());
        }
        self.here.lock().add(changes);
        self.wake();
    }

    /// Another process committed these.
    pub fn hear(&self, changes: Vec<Change>) {
        self.here.lock().add(changes);
        self.wake();
    }

    /// The others have yet to be told of these.
    pub fn put_back(&self, changes: Vec<Change>) {
        if let Some(abroad) = &self.abroad {
            abroad.lock().add(changes);
        }
    }

    /// What waits for those who listen here.
    pub fn take(&self) -> BTreeSet<Change> {
        std::mem::take(&mut self.here.lock().0)
    }

    /// What waits to be told to other processes.
    pub fn take_for_others(&self) -> BTreeSet<Change> {
        self.abroad.as_ref().map(|abroad| std::mem::take(&mut abroad.lock().0)).unwrap_or_default()
    }

    /// Makes those look who wait for something to take.
    pub fn wake(&self) {
        self.version.send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Changes with what is told; it says nothing else.
    pub fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// Tells when there may be something to take.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

#[derive(Debug, Default)]
struct Waiting(BTreeSet<Change>);

impl Waiting {
    fn add(&mut self, changes: impl IntoIterator<Item = Change>) {
        self.0.extend(changes);
        if self.0.len() > MOST_WAITING {
            // A token that was revoked must not be heard of by chance.
            self.0.retain(|change| matches!(change, Change::Revoked(_)));
            self.0.insert(Change::All);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{IssueId, TokenId};

    fn issue(n: usize) -> Change {
        Change::Issue(IssueId(format!("i{n:06}")))
    }

    #[test]
    fn a_statement_says_what_it_wrote_or_its_table_does() {
        let mut told = Told::default();
        told.wrote(Some("issues"), Some(vec![issue(1)]));
        told.wrote(Some("issues"), Some(Vec::new()));
        told.wrote(Some("claims"), None);
        told.wrote(Some("audit_log"), None);
        told.wrote(None, None);
        assert_eq!(told.into_changes(), [issue(1), Change::Any(Kind::Claim)]);
    }

    #[test]
    fn the_same_change_waits_once_and_many_are_said_as_one() {
        let feed = Feed::new(true);
        feed.tell(vec![issue(1), issue(2)]);
        feed.tell(vec![issue(1)]);
        assert_eq!(feed.take().len(), 2);
        assert!(feed.take().is_empty());
        assert_eq!(feed.take_for_others().len(), 2, "whoever takes first leaves them to the other");
        let revoked = Change::Revoked(TokenId("t".to_owned()));
        feed.tell(vec![revoked.clone()]);
        for n in 0..10 * MOST_WAITING {
            feed.tell(vec![issue(n)]);
            assert!(feed.here.lock().0.len() <= MOST_WAITING + 2);
        }
        let taken = feed.take();
        assert!(taken.contains(&revoked) && taken.contains(&Change::All));
    }

    #[test]
    fn what_only_stays_here_is_not_kept_for_others() {
        let feed = Feed::new(false);
        feed.tell(vec![issue(1)]);
        assert!(feed.take_for_others().is_empty());
        let feed = Feed::new(true);
        feed.hear(vec![issue(1)]);
        assert!(feed.take_for_others().is_empty(), "they said it themselves");
    }
}
