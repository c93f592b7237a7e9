//! Issues (docs.github.com/rest/issues/issues).

mod cursor;
mod list;
mod one;
mod query;
mod select;

pub(super) use list::list;
pub(super) use one::{create, current, show, update, whole, write};
