//! Points: how many requests may begin within a minute.
//!
//! GitHub allows 900 points a minute and counts 1 for a GET, 304 or not
//! (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#calculating-points-for-the-secondary-rate-limit).
//! A sliding window holds to the limit in every 60 s, where a token bucket allows twice as much in its first.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::{clock::Clock, domain::time::Timestamp};

/// A point counts in whole seconds: in the second of its use and in the 60 that follow.
const SPAN_S: i64 = 60;

/// The right to send one request, whenever that is; it counts until used or dropped, and for a minute after.
#[must_use = "a point that is dropped is gone for a minute"]
#[derive(Debug)]
pub struct Point(Option<Arc<Pool>>);

impl Point {
    /// The right to a request that is never sent.
    pub(in crate::github) fn free() -> Self {
        Self(None)
    }

    /// The request goes out now.
    pub(in crate::github) fn spend(self) {
        drop(self);
    }
}

impl Drop for Point {
    fn drop(&mut self) {
        if let Some(pool) = &self.0 {
            pool.window.lock().put_back(pool.clock.now());
        }
    }
}

/// All points of one set of credentials.
pub(super) struct Points(Option<Arc<Pool>>);

#[derive(Debug)]
struct Pool {
    clock: Clock,
    window: Mutex<Window>,
    /// Whoever waits for a point waits in line here; permits are handed out first come, first served.
    turn: Semaphore,
}

impl Points {
    /// `per_minute` of 0 sets no limit.
    pub fn new(per_minute: u32, clock: Clock) -> Self {
        let window = Mutex::new(Window::new(per_minute));
        Self((per_minute > 0).then(|| Arc::new(Pool { clock, window, turn: Semaphore::new(1) })))
    }

    /// A point for a read that has not begun: those under way go first. The error is when to ask again.
    pub fn draw(&self) -> Result<Point, Timestamp> {
        let Some(pool) = &self.0 else { return Ok(Point(None)) };
        let now = pool.clock.now();
        let mut window = pool.window.lock();
        let waiting = u32::try_from(window.waiting).unwrap_or(u32::MAX);
        if waiting > 0 && window.left(now) <= waiting {
            return Err(window.next_free(now));
        }
        window.draw(now).map(|()| Point(Some(Arc::clone(pool))))
    }

    /// A point for what goes first: of those that lie beyond the ordinary ones, a quarter as many.
    pub fn draw_first(&self) -> Result<Point, Timestamp> {
        let Some(pool) = &self.0 else { return Ok(Point(None)) };
        let now = pool.clock.now();
        pool.window.lock().draw_first(now).map(|()| Point(Some(Arc::clone(pool))))
    }

    /// A point for a read under way; waits for it in line.
    pub async fn wait(&self) -> Point {
        let Some(pool) = &self.0 else { return Point(None) };
        let _waiting = Waiting::new(pool);
        // Never an error: the semaphore is never closed.
        let _turn = pool.turn.acquire().await;
        loop {
            let drawn = pool.window.lock().draw(pool.clock.now());
            match drawn {
                Ok(()) => return Point(Some(Arc::clone(pool))),
                Err(until) => pool.clock.sleep_until(until).await,
            }
        }
    }

    /// How many could be drawn now; none when there is no limit.
    pub fn left(&self) -> Option<u32> {
        let pool = self.0.as_ref()?;
        Some(pool.window.lock().left(pool.clock.now()))
    }
}

/// One in line; also when its waiting is given up.
struct Waiting<'a>(&'a Pool);

impl<'a> Waiting<'a> {
    fn new(pool: &'a Pool) -> Self {
        pool.window.lock().waiting += 1;
        Self(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.window.lock().waiting -= 1;
    }
}

/// Counts points: those drawn and not yet used, and those used within the span.
#[derive(Debug)]
struct Window {
    most: u32,
    held: u32,
    used: u32,
    waiting: usize,
    /// Second and number of points used in it, oldest first.
    seconds: VecDeque<(i64, u32)>,
}

impl Window {
    fn new(most: u32) -> Self {
        Self { most, held: 0, used: 0, waiting: 0, seconds: VecDeque::new() }
    }

    fn left(&mut self, now: Timestamp) -> u32 {
        self.forget(second_of(now));
        self.most.saturating_sub(self.held + self.used)
    }

    fn draw(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        if self.left(now) == 0 {
            return Err(self.next_free(now));
        }
        self.held += 1;
        Ok(())
    }

    fn draw_first(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        self.forget(second_of(now));
        if self.held + self.used >= self.most + (self.most / 4).max(1) {
            return Err(self.next_free(now));
        }
        self.held += 1;
        Ok(())
    }

    fn put_back(&mut self, now: Timestamp) {
        let second = second_of(now);
        self.forget(second);
        self.held = self.held.saturating_sub(1);
        self.used += 1;
        match self.seconds.back_mut() {
            Some((last, count)) if *last == second => *count += 1,
            _ => self.seconds.push_back((second, 1)),
        }
    }

    /// Before this no point can come free: those that are still held count for a whole span yet.
    fn next_free(&self, now: Timestamp) -> Timestamp {
        let oldest = self.seconds.front().map_or(second_of(now), |&(second, _)| second);
        Timestamp((oldest + SPAN_S + 1) * 1_000)
    }

    fn forget(&mut self, second: i64) {
        // A clock that was set back must not keep points for longer than their minute.
        for (used_in, _) in &mut self.seconds {
            *used_in = second.min(*used_in);
        }
        while let Some(&(used_in, count)) = self.seconds.front() {
            if second - used_in <= SPAN_S {
                break;
            }
            self.used -= count;
            self.seconds.pop_front();
        }
    }
}

fn second_of(now: Timestamp) -> i64 {
    now.0.div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::ManualClock;

    fn points(per_minute: u32) -> (ManualClock, Points) {
        let manual = ManualClock::new(Timestamp(500));
        (manual.clone(), Points::new(per_minute, Clock::Manual(manual)))
    }

    #[test]
    fn a_point_counts_until_it_is_used_and_for_a_minute_after() {
        let (clock, points) = points(2);
        let held = points.draw().unwrap();
        points.draw().unwrap().spend();
        assert_eq!(points.draw().unwrap_err(), Timestamp(61_000));
        clock.set(Timestamp(61_000));
        points.draw().unwrap().spend();
        assert_eq!(points.draw().unwrap_err(), Timestamp(122_000));
        held.spend();
        clock.set(Timestamp(121_999));
        assert_eq!(points.left(), Some(0));
        clock.set(Timestamp(122_000));
        assert_eq!(points.left(), Some(2));
    }

    #[test]
    fn zero_is_no_limit() {
        let (_, points) = points(0);
        let many: Vec<Point> = (0..10_000).map(|_| points.draw().unwrap()).collect();
        assert_eq!((many.len(), points.left()), (10_000, None));
    }

    #[test]
    fn a_clock_set_back_keeps_no_point_longer() {
        let (clock, points) = points(1);
        clock.set(Timestamp(3_600_000));
        points.draw().unwrap().spend();
        clock.set(Timestamp(0));
        assert_eq!(points.left(), Some(0));
        clock.set(Timestamp(61_000));
        assert_eq!(points.left(), Some(1));
    }

    #[tokio::test]
    async fn waiting_is_first_come_first_served_and_before_new_reads() {
        let (clock, points) = points(1);
        points.draw().unwrap().spend();
        let (first, second) = (points.wait(), points.wait());
        tokio::pin!(first, second);
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        clock.advance(Duration::from_secs(61));
        assert!(points.draw().is_err());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        first.await.spend();
        clock.advance(Duration::from_secs(61));
        second.await.spend();
        clock.advance(Duration::from_secs(61));
        assert!(points.draw().is_ok());
    }

    #[tokio::test]
    async fn who_waits_keeps_one_point_each_and_no_more() {
        let (clock, points) = points(2);
        points.draw().unwrap().spend();
        points.draw().unwrap().spend();
        let waiting = points.wait();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        clock.advance(Duration::from_secs(61));
        points.draw().unwrap().spend();
        assert!(points.draw().is_err());
        waiting.await.spend();
    }

    #[tokio::test]
    async fn giving_up_the_wait_frees_the_line() {
        let (clock, points) = points(1);
        points.draw().unwrap().spend();
        {
            let waiting = points.wait();
            tokio::pin!(waiting);
            assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        }
        clock.advance(Duration::from_secs(61));
        assert!(points.draw().is_ok());
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_in_any_sixty_seconds(
            most in 1_u32..6,
            steps in prop::collection::vec((0_i64..30_000, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let (clock, points) = points(most);
            let (mut held, mut used) = (Vec::new(), Vec::new());
            for (pass, draw, spend) in steps {
                clock.set(Timestamp(clock.now().0 + pass));
                if draw {
                    held.extend(points.draw());
                }
                if spend && !held.is_empty() {
                    held.remove(0).spend();
                    used.push(clock.now().0);
                }
            }
            for &start in &used {
                let within = used.iter().filter(|&&at| (start..=start + 60_000).contains(&at)).count();
                prop_assert!(within <= most as usize);
            }
        }
    }
}
