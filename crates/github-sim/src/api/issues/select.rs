//! Filtering, ordering and cutting the issue list.

use super::cursor::Cursor;
use super::query::{Assignee, From, ListQuery, Sort};
use crate::state::{IssueState, Repository};

/// An item's place in the asked order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub cursor: Cursor,
    pub number: u64,
}

/// One page of the list.
#[derive(Debug)]
pub(super) struct Selection {
    pub page: Vec<Place>,
    pub total: usize,
    /// Whether something precedes the page.
    pub has_before: bool,
    /// Whether something follows it.
    pub has_after: bool,
}

/// Picks the asked page.
pub(super) fn select(repo: &Repository, query: &ListQuery) -> Selection {
    let mut places = fitting(repo, query);
    // The index is by `updated_at` and id, so that order comes for free.
    if query.sort != Sort::Updated {
        places.sort_unstable_by_key(|place| place.cursor);
    }
    if query.is_descending {
        places.reverse();
    }
    let (start, end) = bounds(&places, query);
    Selection {
        total: places.len(),
        has_before: start > 0,
        has_after: end < places.len(),
        page: places[start..end].to_vec(),
    }
}

fn fitting(repo: &Repository, query: &ListQuery) -> Vec<Place> {
    let mut places = Vec::with_capacity(repo.len());
    let by_index = query.is_plain() && query.sort == Sort::Updated;
    for entry in repo.changed_from(query.since) {
        if query.is_open.is_some_and(|open| open != entry.is_open) {
            continue;
        }
        let mut key = entry.updated_at;
        if !by_index {
            let Some(item) = repo.item(entry.number) else {
                continue;
            };
            if !fits(&item.issue, query) {
                continue;
            }
            key = sort_key(&item.issue, query.sort);
        }
        places.push(Place { cursor: Cursor { key, id: entry.id }, number: entry.number });
    }
    places
}

fn fits(issue: &IssueState, query: &ListQuery) -> bool {
    let is_assigned = match &query.assignee {
        Assignee::Anyone => true,
        Assignee::Nobody => issue.assignees.is_empty(),
        Assignee::Somebody => !issue.assignees.is_empty(),
        Assignee::Login(login) => issue.assignees.iter().any(|other| other.eq_ignore_ascii_case(login)),
    };
    let is_by = query.creator.as_ref().is_none_or(|login| issue.author.eq_ignore_ascii_case(login));
    is_assigned && is_by && query.labels.iter().all(|name| issue.has_label(name))
}

fn sort_key(issue: &IssueState, sort: Sort) -> i64 {
    match sort {
        Sort::Created => issue.created_at,
        Sort::Updated => issue.updated_at,
        Sort::Comments => i64::try_from(issue.comments).unwrap_or(i64::MAX),
    }
}

/// First and one past the last place of the page.
fn bounds(places: &[Place], query: &ListQuery) -> (usize, usize) {
    let per_page = query.paging.per_page;
    let precedes = |place: &Place, cursor: Cursor| {
        if query.is_descending { place.cursor > cursor } else { place.cursor < cursor }
    };
    match query.from {
        None => {
            let start = query.paging.skip().min(places.len());
            (start, (start + per_page).min(places.len()))
        }
        Some(From::After(cursor)) => {
            let start = places.partition_point(|p| precedes(p, cursor) || p.cursor == cursor);
            (start, (start + per_page).min(places.len()))
        }
        Some(From::Before(cursor)) => {
            let end = places.partition_point(|p| precedes(p, cursor));
            (end.saturating_sub(per_page), end)
        }
    }
}
