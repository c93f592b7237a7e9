//! The token of an installation: kept until shortly before its end, and fetched by one request for all.
//!
//! GitHub's tokens live an hour (docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app).

use std::time::Duration;

use parking_lot::Mutex;

use super::Shown;
use crate::{
    clock::Clock,
    domain::{ids::TokenId, time::Timestamp},
    github::{error::Error, limits::Refusal},
};

/// This long before its end somebody fetches the next token, while all others go on with the old one.
const RENEW_BEFORE: Duration = Duration::from_mins(5);

/// This long before its end a token is shown no more: a request must be answered before it ends.
const SPARE_BEFORE: Duration = Duration::from_mins(1);

/// After a failure the next try waits this long, as long as the old token serves.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::github) enum NoToken {
    TurnedAway(Refusal),
    Failed(Error),
}

/// A token that GitHub gave out.
pub(in crate::github) struct Fetched {
    pub shown: Shown,
    pub ends_at: Timestamp,
}

/// The tokens of one installation, one at a time.
#[derive(Default)]
pub(in crate::github) struct Tokens {
    kept: Mutex<Kept>,
    /// Whoever holds it fetches; the one lock that is held while waiting.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    /// With the time at which somebody should fetch the next.
    token: Option<(Fetched, Timestamp)>,
    /// How many tries have ended, and how the last did if it failed.
    tries: u64,
    failure: Option<NoToken>,
}

enum Look {
    Fresh(Shown),
    /// Good, but somebody should fetch the next.
    Old(Shown),
    /// None; so many tries had ended by then.
    None {
        tries: u64,
    },
}

impl Tokens {
    /// A token that is good now; fetches one if need be.
    pub async fn present(
        &self,
        clock: &Clock,
        fetch: impl AsyncFnOnce() -> Result<Fetched, NoToken>,
    ) -> Result<Shown, NoToken> {
        match self.look(clock.now()) {
            Look::Fresh(shown) => Ok(shown),
            Look::Old(shown) => Ok(self.renew(clock, shown, fetch).await),
            Look::None { tries } => self.wait(clock, tries, fetch).await,
        }
    }

    /// GitHub refused this token, so that it is not shown again.
    pub fn forget(&self, id: &TokenId) {
        let mut kept = self.kept.lock();
        if kept.token.as_ref().is_some_and(|(token, _)| token.shown.id == *id) {
            kept.token = None;
        }
    }

    async fn renew(
        &self,
        clock: &Clock,
        old: Shown,
        fetch: impl AsyncFnOnce() -> Result<Fetched, NoToken>,
    ) -> Shown {
        let Ok(_turn) = self.turn.try_lock() else { return old };
        match self.look(clock.now()) {
            Look::Fresh(shown) => shown,
            Look::Old(_) | Look::None { .. } => self.settle(clock, fetch().await).unwrap_or(old),
        }
    }

    async fn wait(
        &self,
        clock: &Clock,
        tries: u64,
        fetch: impl AsyncFnOnce() -> Result<Fetched, NoToken>,
    ) -> Result<Shown, NoToken> {
        let _turn = self.turn.lock().await;
        match self.look(clock.now()) {
            Look::Fresh(shown) | Look::Old(shown) => return Ok(shown),
            Look::None { tries: ended } if ended > tries => {
                // Somebody tried while we waited: its failure is ours too.
                if let Some(failure) = self.kept.lock().failure {
                    return Err(failure);
                }
            }
            Look::None { .. } => {}
        }
        self.settle(clock, fetch().await)
    }

    fn look(&self, now: Timestamp) -> Look {
        let kept = self.kept.lock();
        match &kept.token {
            Some((token, renew_at)) if now < token.ends_at.minus(SPARE_BEFORE) => {
                let shown = token.shown.clone();
                if now < *renew_at { Look::Fresh(shown) } else { Look::Old(shown) }
            }
            _ => Look::None { tries: kept.tries },
        }
    }

    /// Takes up how a try ended.
    fn settle(&self, clock: &Clock, outcome: Result<Fetched, NoToken>) -> Result<Shown, NoToken> {
        let mut kept = self.kept.lock();
        kept.tries += 1;
        kept.failure = outcome.as_ref().err().copied();
        match outcome {
            Ok(fetched) => {
                let shown = fetched.shown.clone();
                let renew_at = fetched.ends_at.minus(RENEW_BEFORE);
                kept.token = Some((fetched, renew_at));
                Ok(shown)
            }
            Err(failure) => {
                if let Some((_, renew_at)) = &mut kept.token {
                    *renew_at = clock.now().plus(TRY_AGAIN);
                }
                Err(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;
    use crate::clock::ManualClock;

    const MINUTE: i64 = 60_000;
    const FAILURE: NoToken = NoToken::Failed(Error::TimedOut);

    struct Bench {
        manual: ManualClock,
        clock: Clock,
        tokens: Tokens,
        fetched: AtomicUsize,
    }

    impl Bench {
        fn new() -> Self {
            let manual = ManualClock::new(Timestamp(0));
            let clock = Clock::Manual(manual.clone());
            Self { manual, clock, tokens: Tokens::default(), fetched: AtomicUsize::new(0) }
        }

        fn at(&self, minute: i64) {
            self.manual.set(Timestamp(minute * MINUTE));
        }

        /// The token's name, or why there is none.
        async fn ask(&self, works: bool) -> Result<String, NoToken> {
            let fetch = async || {
                let n = self.fetched.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                let shown = Shown { header: None, id: TokenId(n.to_string()) };
                let ends_at = Timestamp(self.manual.now().0 + 60 * MINUTE);
                if works { Ok(Fetched { shown, ends_at }) } else { Err(FAILURE) }
            };
            self.tokens.present(&self.clock, fetch).await.map(|shown| shown.id.0)
        }

        fn fetched(&self) -> usize {
            self.fetched.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn one_request_fetches_for_all_and_again_before_the_end() {
        let bench = Bench::new();
        let first = join_all((0..32).map(|_| bench.ask(true))).await;
        assert!(first.iter().all(|token| *token == Ok("0".to_owned())));
        bench.at(54);
        assert_eq!((bench.ask(true).await, bench.fetched()), (Ok("0".to_owned()), 1));
        bench.at(55);
        let renewing = join_all((0..32).map(|_| bench.ask(true))).await;
        assert_eq!((renewing[0].clone(), renewing[1].clone()), (Ok("1".to_owned()), Ok("0".to_owned())));
        assert_eq!((bench.ask(true).await, bench.fetched()), (Ok("1".to_owned()), 2));
    }

    #[tokio::test]
    async fn a_failure_leaves_the_old_token_as_long_as_it_is_good() {
        let bench = Bench::new();
        bench.ask(true).await.unwrap();
        bench.at(56);
        assert_eq!((bench.ask(false).await, bench.fetched()), (Ok("0".to_owned()), 2));
        assert_eq!((bench.ask(false).await, bench.fetched()), (Ok("0".to_owned()), 2), "not at once again");
        bench.at(57);
        assert_eq!((bench.ask(false).await, bench.fetched()), (Ok("0".to_owned()), 3));
        bench.at(59);
        assert_eq!((bench.ask(false).await, bench.fetched()), (Err(FAILURE), 4));
        assert_eq!(bench.ask(true).await, Ok("4".to_owned()));
    }

    #[tokio::test]
    async fn whoever_waited_shares_a_failure_and_the_next_tries_again() {
        let bench = Bench::new();
        let all = join_all((0..8).map(|_| bench.ask(false))).await;
        assert!(all.iter().all(|outcome| *outcome == Err(FAILURE)));
        assert_eq!(bench.fetched(), 1);
        assert_eq!(bench.ask(true).await, Ok("1".to_owned()));
    }

    #[tokio::test]
    async fn a_refused_token_is_shown_no_more_but_its_successor_stays() {
        let bench = Bench::new();
        bench.ask(true).await.unwrap();
        bench.tokens.forget(&TokenId("0".to_owned()));
        assert_eq!(bench.ask(true).await, Ok("1".to_owned()));
        bench.tokens.forget(&TokenId("0".to_owned()));
        assert_eq!((bench.ask(true).await, bench.fetched()), (Ok("1".to_owned()), 2));
    }
}
