//! One repository: its items in the order of their last change, labels, comments, reviews, checks and what left it.

use std::collections::{BTreeMap, HashMap};

use super::{CheckRun, Code, Comment, Item, Key, LabelBook, Review, State};

/// What became of a number that no longer names an item here.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gone {
    Deleted,
    Transferred(Key),
}

/// The order index's view of an item, enough to filter by state without looking it up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub updated_at: i64,
    pub id: u64,
    pub number: u64,
    pub is_open: bool,
}

/// A repository and everything in it.
#[derive(Debug)]
pub(crate) struct Repository {
    pub id: u64,
    pub owner: String,
    pub name: String,
    pub is_private: bool,
    pub is_archived: bool,
    pub has_issues: bool,
    pub created_at: i64,
    pub labels: LabelBook,
    pub comments: BTreeMap<u64, Comment>,
    pub code: Code,
    pub reviews: BTreeMap<u64, Review>,
    pub checks: BTreeMap<u64, CheckRun>,
    pub gone: HashMap<u64, Gone>,
    items: HashMap<u64, Item>,
    by_updated: BTreeMap<(i64, u64), (u64, bool)>,
    last_number: u64,
}

impl Repository {
    pub fn new(id: u64, owner: &str, name: &str, created_at: i64) -> Self {
        Self {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            is_private: false,
            is_archived: false,
            has_issues: true,
            created_at,
            labels: LabelBook::default(),
            comments: BTreeMap::new(),
            code: Code::default(),
            reviews: BTreeMap::new(),
            checks: BTreeMap::new(),
            gone: HashMap::new(),
            items: HashMap::new(),
            by_updated: BTreeMap::new(),
            last_number: 0,
        }
    }

    /// `owner/name` as it is spelled today.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The next number of the sequence that issues and pull requests share.
    pub fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub fn insert(&mut self, item: Item) {
        self.index(&item);
        self.items.insert(item.issue.number, item);
    }

    pub fn remove(&mut self, number: u64) -> Option<Item> {
        let item = self.items.remove(&number)?;
        self.by_updated.remove(&(item.issue.updated_at, item.issue.id));
        Some(item)
    }

    pub fn item(&self, number: u64) -> Option<&Item> {
        self.items.get(&number)
    }

    /// For changes that leave the order alone; others go through `change`.
    pub fn item_mut(&mut self, number: u64) -> Option<&mut Item> {
        self.items.get_mut(&number)
    }

    /// Changes an item and puts it where its new `updated_at` belongs.
    pub fn change(&mut self, number: u64, change: impl FnOnce(&mut Item)) -> Option<&Item> {
        let mut item = self.remove(number)?;
        change(&mut item);
        self.insert(item);
        self.items.get(&number)
    }

    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    pub fn items_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        self.items.values_mut()
    }

    /// Items whose last change is at or after `from`, oldest change first, equal times by id.
    pub fn changed_from(&self, from: i64) -> impl Iterator<Item = Entry> + '_ {
        self.by_updated.range((from, 0)..).map(|(&(updated_at, id), &(number, is_open))| Entry {
            updated_at,
            id,
            number,
            is_open,
        })
    }

    /// Number of items, pull requests included.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Number of open items, pull requests included, as `open_issues_count` shows it.
    pub fn open_len(&self) -> usize {
        self.by_updated.values().filter(|(_, open)| *open).count()
    }

    fn index(&mut self, item: &Item) {
        let issue = &item.issue;
        self.by_updated.insert((issue.updated_at, issue.id), (issue.number, issue.state == State::Open));
    }
}
