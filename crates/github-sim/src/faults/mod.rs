//! Faults on demand and hooks: what goes wrong, or changes, at a chosen request.

mod book;
mod fault;
mod hook;
mod matching;

pub(crate) use book::FaultBook;
pub use fault::{Fault, FaultId, FaultKind};
pub use hook::HookHandle;
pub(crate) use hook::Hooks;
pub use matching::Match;
pub(crate) use matching::Subject;
