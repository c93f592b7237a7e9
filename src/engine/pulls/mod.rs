//! Pull requests: what GitHub tells of them, and what follows from it.

pub mod heard;
