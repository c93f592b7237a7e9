//! Every recorded example of the events that Dispatch reads is accepted, and applied or ignored by rule. The examples are
//! GitHub's own (npm package `@octokit/webhooks-examples`); `scripts/test` fetches them, and without them this fails.

#[path = "../support/mod.rs"]
mod support;

mod examples;

use std::{fmt::Write as _, sync::Arc};

use dispatch::{
    engine::{self, webhooks::Door},
    github::webhook::Secrets,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use examples::{EVENTS, Example};
use support::{
    Answer, App, AppBuilder,
    app::{client, engine_settings, send},
};

const SECRET: &str = "a-secret-of-examples-77d0";
/// The repositories that the examples are about, as GitHub numbers them.
const REPOS: [(u64, &str); 2] =
    [(186_853_002, "Codertocat/Hello-World"), (186_853_261, "Octocoders/Hello-World")];

async fn started(db: support::TestDb) -> App {
    let secrets = Secrets::parse(SECRET).expect("a secret");
    let engine = engine::Settings { webhooks: Door::Signed(secrets), ..engine_settings() };
    let repos = REPOS.map(|(_, name)| name.to_owned()).to_vec();
    let mut builder = AppBuilder { repos, engine, ..AppBuilder::default() };
    let (sim, clock) = builder.simulator().await;
    for (id, name) in REPOS {
        sim.create_repo_as(id, name);
    }
    builder.start_with(Arc::new(db), sim, clock).await
}

async fn deliver(app: &App, number: usize, Example { event, payload }: &Example) -> Answer {
    let body = payload.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(body.as_bytes());
    let hex = mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a text");
        hex
    });
    let request = client().post(app.url("/api/github/webhook")).header("content-type", "application/json");
    let request =
        request.header("x-github-event", event).header("x-github-delivery", format!("example-{number:03}"));
    send(request.header("x-hub-signature-256", format!("sha256={hex}")).body(body)).await
}

each_db! {
    async fn each_example_is_accepted_and_none_fails(db) {
        let app = started(db).await;
        let all = examples::read();
        for event in EVENTS {
            assert!(all.iter().any(|example| example.event == event), "no example of {event}");
        }
        let mut refused = Vec::new();
        for (number, example) in all.iter().enumerate() {
            let answer = deliver(&app, number, example).await;
            if answer.status != 202 {
                refused.push(format!("{}: {}", example.name(), answer.text));
            }
            // One after the other: some rename what others are about.
            while app.db.count("SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'").await > 0 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(refused, [""; 0], "{refused:#?}");
        let kept = app.db.count("SELECT count(*) FROM webhook_deliveries").await;
        assert_eq!(usize::try_from(kept).expect("a number"), all.len());
        let mut came = app
            .db
            .texts(
                "SELECT state || ' ' || event || COALESCE('.' || action, '') || COALESCE(': ' || words, '')
                 FROM webhook_deliveries GROUP BY state, event, action, words",
            )
            .await;
        came.sort_unstable();
        assert!(!came.iter().any(|line| line.starts_with("failed")), "{came:#?}");
        let evidence = "SELECT count(*) FROM pulls WHERE opinions <> '[]' AND checks <> '[]'";
        assert_ne!(app.db.count(evidence).await, 0, "reviews and checks were applied");
        insta::allow_duplicates! { insta::assert_snapshot!("what_became_of_them", came.join("\n")) }
    }
}
