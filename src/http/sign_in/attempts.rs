//! The limit for tries to sign in: a bucket for each address that they come from.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use parking_lot::Mutex;

use crate::domain::time::Timestamp;

/// Tries that may come at once.
const BURST: u32 = 5;
/// After so long there is one more.
const ONE_IN: Duration = Duration::from_secs(12);
/// Addresses that are remembered; beyond them the oldest are forgotten.
const MOST: usize = 10_000;

/// Buckets of all addresses that tried lately and were not let in.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<IpAddr, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// When it is full again.
    full_at: Timestamp,
}

impl Attempts {
    /// Takes one try, before it is known what comes of it, so that many at once are no way around; else the whole
    /// seconds until the next.
    pub fn take(&self, from: IpAddr, now: Timestamp) -> Result<(), u64> {
        let mut buckets = self.0.lock();
        if buckets.len() >= MOST {
            buckets.retain(|_, bucket| bucket.full_at > now);
            if buckets.len() >= MOST {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(place(from)).or_insert(Bucket { full_at: now });
        let after = bucket.full_at.max(now).plus(ONE_IN);
        let over = after.since(now.plus(ONE_IN * BURST));
        if over.is_zero() {
            bucket.full_at = after;
            return Ok(());
        }
        Err(over.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX))
    }

    /// Who is let in has all tries again.
    pub fn forget(&self, from: IpAddr) {
        self.0.lock().remove(&place(from));
    }
}

/// One household has 2^64 addresses of version 6.
fn place(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_at_once_then_one_in_twelve_seconds() {
        let (attempts, from) = (Attempts::default(), IpAddr::from([10, 0, 0, 1]));
        for _ in 0..BURST {
            assert_eq!(attempts.take(from, Timestamp(0)), Ok(()));
        }
        assert_eq!(attempts.take(from, Timestamp(0)), Err(12));
        assert_eq!(attempts.take(from, Timestamp(11_500)), Err(1));
        assert_eq!(attempts.take(from, Timestamp(12_000)), Ok(()));
        assert!(attempts.take(from, Timestamp(12_000)).is_err());
        assert_eq!(attempts.take(IpAddr::from([10, 0, 0, 2]), Timestamp(12_000)), Ok(()));
        attempts.forget(from);
        assert_eq!(attempts.take(from, Timestamp(12_000)), Ok(()));
    }

    #[test]
    fn a_network_of_version_6_is_one_place() {
        let attempts = Attempts::default();
        for n in 0..u16::try_from(BURST).unwrap() {
            assert!(attempts.take(IpAddr::from([1, 2, 3, 4, 5, 6, 7, n]), Timestamp(0)).is_ok());
        }
        assert!(attempts.take(IpAddr::from([1, 2, 3, 4, 9, 9, 9, 9]), Timestamp(0)).is_err());
    }
}
