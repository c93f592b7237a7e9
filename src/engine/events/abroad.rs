//! Several processes on one PostgreSQL: each tells the others what it committed, as long as anybody listens there.
//! What a process could not tell before it died is made good when its row is buried: everything is read again.

use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    domain::event::Change,
    engine::Engine,
    store::notify::{self, Ear, Mouth, TEXT_MAX},
};

/// How often a process with listeners says so.
const WISH_EVERY: Duration = Duration::from_secs(10);
/// How long others believe it.
const WISH_HOLDS: Duration = Duration::from_secs(30);
/// What happens within this time is told at once.
const PAUSE: Duration = Duration::from_millis(25);
/// Before the next try after PostgreSQL failed.
const AGAIN: Duration = Duration::from_secs(2);

/// What a process says.
#[derive(Debug, Serialize, Deserialize)]
struct Word {
    from: String,
    /// It has listeners.
    #[serde(default)]
    listens: bool,
    #[serde(default)]
    changes: Vec<Change>,
}

/// Until when another process has listeners, as far as it said.
#[derive(Debug, Default)]
pub(super) struct Wish(Mutex<Option<Instant>>);

impl Wish {
    fn renew(&self) {
        *self.0.lock() = Some(Instant::now() + WISH_HOLDS);
    }

    fn holds(&self) -> bool {
        self.0.lock().is_some_and(|until| until > Instant::now())
    }
}

/// Hears and speaks until the server stops.
pub(super) async fn run(engine: Engine) {
    let stopping = engine.tasks.stopping().clone();
    // Its connections serve nobody else: what is cut off here hurts nobody.
    stopping.run_until_cancelled(converse(&engine)).await;
}

async fn converse(engine: &Engine) {
    loop {
        match notify::open(engine.db()).await {
            Ok(Some((ear, mouth))) => {
                if engine.events.listeners() > 0 {
                    // What was said before is lost to them.
                    engine.db.feed().hear(vec![Change::All]);
                }
                tokio::select! {
                    () = hear(engine, ear) => {}
                    () = speak(engine, &mouth) => {}
                }
            }
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "what other processes change cannot be heard; it is tried again");
            }
        }
        // Those who come back before it works again are told by this.
        engine.db.feed().hear(vec![Change::All]);
        tokio::time::sleep(AGAIN).await;
    }
}

async fn hear(engine: &Engine, mut ear: Ear) {
    loop {
        let text = match ear.next().await {
            Ok(Some(text)) => text,
            Ok(None) => {
                tracing::warn!("the connection over which other processes are heard was lost");
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "other processes cannot be heard any more; it is tried again");
                return;
            }
        };
        let Ok(word) = serde_json::from_str::<Word>(&text) else {
            // A newer version may say what this one does not know.
            engine.db.feed().hear(vec![Change::All]);
            continue;
        };
        if word.from == engine.events.life {
            continue;
        }
        if word.listens {
            engine.events.wish.renew();
            engine.db.feed().wake();
        }
        if !word.changes.is_empty() {
            engine.db.feed().hear(word.changes);
        }
    }
}

async fn speak(engine: &Engine, mouth: &Mouth) {
    let mut feed = engine.db.feed().watch();
    feed.mark_changed();
    let mut wished_at: Option<Instant> = None;
    loop {
        let wish_again = wished_at.map_or_else(|| Instant::now() + WISH_EVERY, |at| at + WISH_EVERY);
        tokio::select! {
            // Its sender lives as long as the engine.
            _ = feed.changed() => {}
            () = tokio::time::sleep_until(wish_again) => {}
        }
        if engine.events.listeners() == 0 {
            wished_at = None;
        } else if wished_at.is_none_or(|at| at.elapsed() >= WISH_EVERY) {
            let word = Word { from: engine.events.life.clone(), listens: true, changes: Vec::new() };
            if !spoken(mouth, &word).await {
                return;
            }
            wished_at = Some(Instant::now());
        }
        if engine.events.wish.holds() && !tell(engine, mouth).await {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells what was committed last, when everything else has ended. That it failed is no fault of the end.
pub(super) async fn farewell(engine: &Engine) {
    if engine.db.feed().take_for_others().is_empty() || !engine.events.wish.holds() {
        return;
    }
    let word = Word { from: engine.events.life.clone(), listens: false, changes: vec![Change::All] };
    let Ok(text) = serde_json::to_string(&word) else { return };
    if let Err(error) = notify::say_once(engine.db(), &text).await {
        tracing::warn!(%error, "other processes could not be told what changed last");
    }
}

/// Tells the others what was committed here; false when that failed.
async fn tell(engine: &Engine, mouth: &Mouth) -> bool {
    let changes: Vec<Change> = engine.db.feed().take_for_others().into_iter().collect();
    let mut portions = portions(changes).into_iter();
    while let Some(changes) = portions.next() {
        let word = Word { from: engine.events.life.clone(), listens: false, changes };
        if !spoken(mouth, &word).await {
            engine.db.feed().put_back(word.changes.into_iter().chain(portions.flatten()).collect());
            return false;
        }
    }
    true
}

/// So that each fits into one text.
fn portions(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let mut portions: Vec<Vec<Change>> = Vec::new();
    let mut room = 0;
    for change in changes {
        let size = serde_json::to_string(&change).map_or(TEXT_MAX, |text| text.len() + 1);
        if size > room {
            portions.push(Vec::new());
            room = TEXT_MAX - 200;
        }
        room = room.saturating_sub(size);
        if let Some(portion) = portions.last_mut() {
            portion.push(change);
        }
    }
    portions
}

async fn spoken(mouth: &Mouth, word: &Word) -> bool {
    let Ok(text) = serde_json::to_string(word) else { return true };
    match mouth.say(&text).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "other processes cannot be told what changed; it is tried again");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::IssueId;

    #[test]
    fn no_text_is_longer_than_postgres_carries_and_nothing_is_left_out() {
        let change = |n| Change::Issue(IssueId(format!("019b76da-a800-7c3f-8000-{n:012}")));
        let changes: Vec<Change> = (0..1_000).map(change).collect();
        let portions = portions(changes.clone());
        assert!(portions.len() > 1);
        for portion in &portions {
            let word = Word { from: "0123456789ab".to_owned(), listens: false, changes: portion.clone() };
            assert!(serde_json::to_string(&word).unwrap().len() <= TEXT_MAX);
        }
        assert_eq!(portions.concat(), changes);
    }

    #[test]
    fn what_one_says_another_understands() {
        let word = Word { from: "a".to_owned(), listens: true, changes: vec![Change::All] };
        let heard: Word = serde_json::from_str(&serde_json::to_string(&word).unwrap()).unwrap();
        assert_eq!((heard.from.as_str(), heard.listens, heard.changes), ("a", true, vec![Change::All]));
        assert!(serde_json::from_str::<Word>(r#"{"from":"b","changes":[{"moon":"x"}]}"#).is_err());
    }
}
