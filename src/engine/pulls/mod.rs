//! Pull requests: what GitHub tells of them, which issues they are about, whether they need another look, and what follows
//! from it.

pub mod facts;
pub mod health;
pub mod heard;
pub mod read;
pub mod refresh;
