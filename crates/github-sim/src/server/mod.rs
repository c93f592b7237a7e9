//! The HTTP side: a listener whose connections can be cut, stalled and reset at will.

mod answer;
mod ask;
mod door;
mod exchange;
mod line;

pub(crate) use answer::{AnswerBody, Manner};
pub(crate) use ask::Ask;
pub(crate) use door::{Door, listen, port_of};
