//! Listeners that fall behind: dropped, and told to read everything when they come back.

use dispatch::{
    domain::{
        access::Tier,
        event::{Change, Wanted},
        ids::{RepoId, TokenId},
    },
    engine::{
        Engine,
        events::{self, Guest, Listener, RING, Said},
    },
    store::{changes::MOST_WAITING, hints::MOST_SINGLE},
};

use crate::{API, each_db, support::App};

fn listen(engine: &Engine, last: Option<&str>) -> Listener {
    let tier = Tier::Maintainer;
    let guest = Guest { token: &TokenId("t".to_owned()), tier: &tier, is_revocable: false };
    events::listen(engine, guest, Wanted::of(&tier), last).expect("a place")
}

fn id(said: &Said) -> String {
    match said {
        Said::Ready(id) | Said::Reset(id) | Said::Hint(id, _) | Said::Alive(id) => id.clone(),
    }
}

/// As many changes as are told one by one, again and again, until the ring has gone round.
async fn a_round(app: &App, reader: &mut Listener) {
    let mut heard = 0;
    while heard <= RING {
        let changes = (0..MOST_SINGLE).map(|n| Change::Repo(RepoId(format!("repo-{n}")))).collect();
        app.engine.db().feed().tell(changes);
        let mut told = 0;
        while told < MOST_SINGLE {
            match reader.next().await.expect("a reader that reads is not dropped") {
                Said::Hint(..) => told += 1,
                // Once, where the process has just begun to hear the others.
                Said::Reset(_) => {}
                other => panic!("a reader that reads misses nothing: {other:?}"),
            }
        }
        heard += told;
    }
}

each_db! {
    async fn who_does_not_read_is_dropped_and_catches_up(db) {
        let app = App::with_repos(db, &[API]).await;
        let (mut reader, mut sleeper) = (listen(&app.engine, None), listen(&app.engine, None));
        let place = id(&sleeper.next().await.expect("the first event"));
        // What there was before.
        reader.next().await.expect("the first event");
        settle(&app, &mut reader).await;
        a_round(&app, &mut reader).await;
        let mut seen = 0;
        while sleeper.next().await.is_some() {
            seen += 1;
        }
        assert!(seen <= 2 * MOST_SINGLE, "what was not read is not kept for it: {seen}");
        drop(sleeper);
        let mut back = listen(&app.engine, Some(&place));
        let first = back.next().await.expect("an answer");
        assert!(matches!(first, Said::Reset(_)), "{first:?}");
        let mut again = listen(&app.engine, Some(&id(&first)));
        assert!(matches!(again.next().await, Some(Said::Ready(_))));
    }

    async fn what_does_not_concern_a_listener_keeps_nothing_from_it(db) {
        let app = App::with_repos(db, &[API]).await;
        let mut listener = listen(&app.engine, None);
        settle(&app, &mut listener).await;
        let others = (0..3 * MOST_SINGLE).map(|n| Change::Revoked(TokenId(format!("other-{n}"))));
        app.engine.db().feed().tell(others.chain([Change::Repo(RepoId("mark".to_owned()))]).collect());
        loop {
            match listener.next().await.expect("an event") {
                Said::Hint(_, hint) if hint.id.as_deref() == Some("mark") => break,
                Said::Alive(_) => panic!("nothing was said, though there was something to say"),
                _ => {}
            }
        }
    }

    async fn what_waits_for_nobody_is_bounded(db) {
        let app = App::with_repos(db, &[API]).await;
        for n in 0..20 * MOST_WAITING {
            app.engine.db().feed().tell(vec![Change::Repo(RepoId(format!("repo-{n}")))]);
        }
        let waiting = app.engine.db().feed().take();
        assert!(waiting.len() <= MOST_WAITING + 1 && waiting.contains(&Change::All), "{}", waiting.len());
        app.engine.db().feed().tell(vec![Change::All]);
        let mut listener = listen(&app.engine, None);
        assert!(matches!(listener.next().await, Some(Said::Ready(_))));
        assert!(matches!(listener.next().await, Some(Said::Reset(_))), "more than can be said");
    }

    async fn a_process_that_died_may_have_told_nobody(db) {
        let app = App::with_repos(db, &[API]).await;
        let mut listener = listen(&app.engine, None);
        app.db.sql("INSERT INTO instances (id, started_at, expires_at) VALUES ('dead', 0, 1)").await;
        dispatch::engine::lifecycle::renew(&app.engine).await.expect("a living database");
        loop {
            if let Said::Reset(_) = listener.next().await.expect("a reset") {
                break;
            }
        }
    }
}

/// Reads on until everything that came before has been told.
async fn settle(app: &App, reader: &mut Listener) {
    let mark = RepoId("mark".to_owned());
    app.engine.db().feed().tell(vec![Change::Repo(mark.clone())]);
    loop {
        if let Said::Hint(_, hint) = reader.next().await.expect("the mark")
            && hint.id.as_ref() == Some(&mark.0)
        {
            return;
        }
    }
}
