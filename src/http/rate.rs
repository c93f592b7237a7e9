//! The request limit: a bucket per worker token, never per name that a caller chooses.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::domain::{ids::TokenId, time::Timestamp};

/// Requests that may come at once after a pause.
const BURST: f64 = 500.0;

/// Buckets of all worker tokens.
#[derive(Debug)]
pub struct Rate {
    per_second: f64,
    buckets: Mutex<HashMap<TokenId, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Rate {
    /// `per_second` requests in the long run; 0 means no limit.
    pub fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), buckets: Mutex::default() }
    }

    /// Takes one request from the token's bucket; else the whole seconds until there is one again.
    pub fn take(&self, token: &TokenId, now: Timestamp) -> Result<(), u64> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock();
        let bucket = buckets.entry(token.clone()).or_insert(Bucket { left: BURST, at: now });
        bucket.left = (bucket.left + now.since(bucket.at).as_secs_f64() * self.per_second).min(BURST);
        bucket.at = now.max(bucket.at);
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 1 / per_second"
        )]
        let seconds = ((1.0 - bucket.left) / self.per_second).ceil() as u64;
        Err(seconds.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let rate = Rate::new(100);
        let token = TokenId("t".into());
        assert!((0..500).all(|_| rate.take(&token, Timestamp(0)).is_ok()));
        assert_eq!(rate.take(&token, Timestamp(0)), Err(1));
        assert!((0..100).all(|_| rate.take(&token, Timestamp(1_000)).is_ok()));
        assert!(rate.take(&token, Timestamp(1_000)).is_err());
        assert!(rate.take(&TokenId("other".into()), Timestamp(1_000)).is_ok());
    }

    #[test]
    fn zero_is_no_limit() {
        let rate = Rate::new(0);
        assert!((0..2_000).all(|_| rate.take(&TokenId("t".into()), Timestamp(0)).is_ok()));
    }
}
