//! The parameters of the issue list
//! (docs.github.com/rest/issues/issues#list-repository-issues).

use super::cursor::Cursor;
use crate::api::paging::Paging;
use crate::api::{Reply, errors};
use crate::clock::parse_iso;
use crate::server::Ask;

/// What the list is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Created,
    Updated,
    Comments,
}

/// Where a page in a large result set starts or ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    After(Cursor),
    Before(Cursor),
}

/// Whose issues are wanted.
#[derive(Clone, Debug)]
pub(super) enum Assignee {
    Anyone,
    Nobody,
    Somebody,
    Login(String),
}

/// The parameters, checked.
#[derive(Clone, Debug)]
pub(super) struct ListQuery {
    /// `None` is all.
    pub is_open: Option<bool>,
    pub sort: Sort,
    pub is_descending: bool,
    /// Least `updated_at`.
    pub since: i64,
    /// In lower case; an issue must have all of them.
    pub labels: Vec<String>,
    pub assignee: Assignee,
    pub creator: Option<String>,
    pub paging: Paging,
    pub from: Option<From>,
}

impl ListQuery {
    pub fn of(ask: &Ask, since_inclusive: bool) -> Result<Self, Reply> {
        Ok(Self {
            is_open: match ask.param("state").as_deref() {
                None | Some("open") => Some(true),
                Some("closed") => Some(false),
                Some("all") => None,
                Some(_) => return Err(invalid("state")),
            },
            sort: match ask.param("sort").as_deref() {
                None | Some("created") => Sort::Created,
                Some("updated") => Sort::Updated,
                Some("comments") => Sort::Comments,
                Some(_) => return Err(invalid("sort")),
            },
            is_descending: match ask.param("direction").as_deref() {
                None | Some("desc") => true,
                Some("asc") => false,
                Some(_) => return Err(invalid("direction")),
            },
            since: since(ask, since_inclusive)?,
            labels: labels(ask),
            assignee: match ask.param("assignee") {
                None => Assignee::Anyone,
                Some(login) if login == "none" => Assignee::Nobody,
                Some(login) if login == "*" => Assignee::Somebody,
                Some(login) => Assignee::Login(login),
            },
            creator: ask.param("creator"),
            paging: Paging::of(ask),
            from: from(ask)?,
        })
    }

    /// Whether every item of that state and time fits, so that none need be looked at.
    pub fn is_plain(&self) -> bool {
        self.labels.is_empty() && matches!(self.assignee, Assignee::Anyone) && self.creator.is_none()
    }
}

fn since(ask: &Ask, is_inclusive: bool) -> Result<i64, Reply> {
    let Some(text) = ask.param("since").filter(|text| !text.is_empty()) else {
        return Ok(i64::MIN);
    };
    let at = parse_iso(&text).ok_or_else(|| invalid("since"))?;
    Ok(if is_inclusive { at } else { at + 1 })
}

fn labels(ask: &Ask) -> Vec<String> {
    let list = ask.param("labels").unwrap_or_default();
    list.split(',').map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()).collect()
}

fn from(ask: &Ask) -> Result<Option<From>, Reply> {
    if let Some(text) = ask.param("after") {
        let cursor = Cursor::parse(&text).ok_or_else(|| invalid("after"))?;
        return Ok(Some(From::After(cursor)));
    }
    if let Some(text) = ask.param("before") {
        let cursor = Cursor::parse(&text).ok_or_else(|| invalid("before"))?;
        return Ok(Some(From::Before(cursor)));
    }
    Ok(None)
}

fn invalid(field: &str) -> Reply {
    errors::validation("Issue", field, "invalid", None)
}
