//! Who hears what, and how many may listen.

use dispatch::{
    domain::{
        access::Tier,
        event::{Change, Kind, Wanted},
        ids::{RepoId, TokenId},
    },
    engine::events::{self, Guest, LISTENERS_OF_WORKER, Said},
};
use serde_json::json;

use crate::{
    API, each_db,
    ear::Ear,
    support::{App, BOUND, UNBOUND, app::send},
};

each_db! {
    async fn without_a_token_nobody_hears_anything(db) {
        let app = App::with_repos(db, &[API]).await;
        let answer = send(app.request("GET", "/api/events", "wrong")).await;
        assert_eq!((answer.expect(401)["error"].clone(), answer.header("www-authenticate")), (json!("Unauthorized"), Some("Bearer")));
    }

    async fn a_worker_hears_issues_claims_and_its_own_runs(db) {
        let app = App::with_repos(db, &[API]).await;
        let (mut worker, _) = Ear::with(&app, "", BOUND, None).await;
        let (mut unbound, _) = Ear::with(&app, "", UNBOUND, None).await;
        app.sim.repo(API).open_issue("One");
        app.beat("coder").await;
        app.tick();
        app.beat("bound").await;
        let heard = worker.until("its own run", |heard| heard.data["agent"] == "bound").await;
        let names: Vec<_> = heard.iter().map(|heard| heard.name.as_str()).collect();
        assert!(names.contains(&"issue"), "{names:?}");
        assert!(!names.contains(&"repository") && heard.iter().all(|heard| heard.data["agent"] != "coder"), "{heard:?}");
        app.tick();
        app.sim.repo(API).open_issue("Two");
        app.beat("bound").await;
        let heard = unbound.until("the second issue", |heard| heard.data["number"] == 2).await;
        assert!(heard.iter().all(|heard| ["issue", "claim", "reset"].contains(&heard.name.as_str())), "{heard:?}");
    }

    async fn asking_for_what_is_not_for_workers_is_refused_and_recorded(db) {
        let app = App::with_repos(db, &[API]).await;
        for (token, kind) in [(BOUND, "outbox"), (BOUND, "issue,repository"), (UNBOUND, "run")] {
            let answer = send(app.request("GET", &format!("/api/events?kind={kind}"), token)).await;
            assert_eq!(answer.expect(403)["code"], "maintainer_required", "{kind}");
        }
        let audit = app.get("/api/audit?action=auth_tier_denied").await.expect(200);
        assert_eq!(audit[0]["notes"], "GET /api/events");
        let (_ear, ready) = Ear::with(&app, "kind=run&agent=bound", BOUND, None).await;
        assert_eq!(ready.name, "ready");
    }

    async fn a_revoked_token_hears_nothing_more(db) {
        let app = App::with_repos(db, &[API]).await;
        let made = app.post("/api/tokens", json!({ "name": "ci", "agent": "coder" })).await.expect(201);
        let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
        let (mut ear, _) = Ear::with(&app, "", token, None).await;
        let (mut other, _) = Ear::open(&app, "kind=run").await;
        app.delete(&format!("/api/tokens/{id}")).await.expect(200);
        while ear.next().await.is_some() {}
        assert_eq!(send(app.request("GET", "/api/events", token)).await.status, 401);
        let run = app.next_beat("coder").await["runId"].clone();
        other.until("run", |heard| heard.data["id"] == run).await;
    }

    async fn a_token_that_was_revoked_before_it_had_a_place_hears_nothing(db) {
        let app = App::with_repos(db, &[API]).await;
        let made = app.post("/api/tokens", json!({ "name": "ci", "agent": "coder" })).await.expect(201);
        let token = TokenId(made["id"].as_str().unwrap().to_owned());
        let tier = Tier::Worker("coder".parse().unwrap());
        app.delete(&format!("/api/tokens/{token}")).await.expect(200);
        // Its request was authenticated just before.
        let guest = Guest { token: &token, tier: &tier, is_revocable: true };
        let mut late = events::listen(&app.engine, guest, Wanted::of(&tier), None).expect("a place");
        assert!(late.next().await.is_none());
        let guest = Guest { is_revocable: false, ..guest };
        let mut other = events::listen(&app.engine, guest, Wanted::of(&tier), None).expect("a place");
        assert!(matches!(other.next().await, Some(Said::Ready(_))), "one of the configuration is good");
    }

    async fn a_revocation_that_was_lost_is_found_when_something_was_missed(db) {
        let app = App::with_repos(db, &[API]).await;
        let made = app.post("/api/tokens", json!({ "name": "ci", "agent": "coder" })).await.expect(201);
        let (mut ear, _) = Ear::with(&app, "", made["token"].as_str().unwrap(), None).await;
        let (mut other, _) = Ear::open(&app, "kind=repository").await;
        app.db.sql("UPDATE tokens SET revoked_at = 1").await;
        app.engine.db().feed().hear(vec![Change::All, Change::Any(Kind::Issue)]);
        while let Some(heard) = ear.next().await {
            assert_ne!(heard.name, "issue", "what came after it");
        }
        // Who is not concerned hears on.
        other.until_kind("reset").await;
        app.engine.db().feed().hear(vec![Change::Repo(RepoId("mark".to_owned()))]);
        other.until("the mark", |heard| heard.data["id"] == "mark").await;
    }

    async fn one_worker_does_not_take_all_places(db) {
        let app = App::with_repos(db, &[API]).await;
        let mut ears = Vec::new();
        for _ in 0..LISTENERS_OF_WORKER {
            ears.push(Ear::with(&app, "", BOUND, None).await);
        }
        let answer = send(app.request("GET", "/api/events", BOUND)).await;
        assert_eq!(answer.expect(429)["code"], "too_many_listeners");
        assert_eq!(answer.header("retry-after"), Some("10"));
        drop(Ear::open(&app, "").await);
        ears.truncate(10);
        // The server learns of it when the connections end.
        while app.engine.events().listeners() > 10 {
            tokio::task::yield_now().await;
        }
        Ear::with(&app, "", BOUND, None).await;
    }
}
