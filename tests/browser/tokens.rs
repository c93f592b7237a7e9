//! A token that is made in the browser, and what it opens.

use std::process::Output;

use serde_json::Value;

use crate::{API, chromium::Chromium, world::World};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_shown_once_and_lets_an_agent_beat_until_it_is_revoked() {
    let world = World::start(&[API]).await;
    let chromium = Chromium::start().await;
    let window = chromium.sign_in(&world.server, "/settings").await;
    window.write("form[action='/settings/tokens'] input[name='agent']", "coder").await;
    window.write("form[action='/settings/tokens'] input[name='name']", "the laptop").await;
    window.follow("form[action='/settings/tokens'] button").await;
    let token = window.value("document.querySelector('input.secret').value").await;
    let token = token.as_str().expect("a token");
    let holds_it = format!("document.documentElement.innerHTML.includes('{token}')");
    assert_eq!(window.value(&holds_it).await, true);

    let beat = world.run(token, &["heartbeat", "coder", "--json"]);
    assert_eq!(beat.status.code(), Some(0), "{}", said(&beat));
    let answer: Value = serde_json::from_slice(&beat.stdout).expect("JSON");
    assert_eq!((&answer["status"], &answer["agentName"]), (&"ok".into(), &"coder".into()));
    let other = world.run(token, &["heartbeat", "other"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(said(&other).contains("coder"), "{}", said(&other));

    window.follow("main a.button").await;
    window.until("document.querySelector('#tokens ~ .scroll tbody tr').innerText.includes('live')").await;
    assert_eq!(window.value(&holds_it).await, false, "it is shown once");
    window.follow("form[action='/settings/tokens/revoke'] button").await;
    let told = window.told().await;
    assert!(told.contains("The token the laptop opens nothing any more"), "{told}");
    let refused = world.run(token, &["heartbeat", "coder", "--json"]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{}", said(&refused));
    assert!(said(&refused).contains("does not know this token"), "{}", said(&refused));
    window.go(&world.server, "/runs").await;
    assert_eq!(window.value("document.querySelectorAll('main tbody tr').length").await, 1, "it beat once");
    assert!(!world.server.log().iter().any(|line| line.contains(token)), "the log tells it");
}
