//! `dispatch watch`: what changes is printed, over cut connections too.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, http::HeaderMap, response::IntoResponse as _};
use serde_json::{Value, json};

use crate::{
    home,
    support::{
        App, MAINTAINER, TestDb,
        child::{dispatch, end_of},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_printed_when_it_happens() {
    let (home, app) = (home(), App::with_repos(TestDb::sqlite().await, &["acme/api"]).await);
    let mut command = dispatch(home.path());
    command.env("DISPATCH_URL", app.url("")).env("DISPATCH_AGENT_TOKEN", MAINTAINER);
    command.args(["watch", "--kind", "issue", "--repo", "acme/api", "--limit", "1", "--json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let stdout = BufReader::new(child.stdout.take().expect("its words"));
    let (send, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    let ready: Value = serde_json::from_str(&lines.recv().await.expect("a line")).expect("JSON");
    assert_eq!(ready, json!({ "event": "ready" }));
    app.sim.repo("acme/api").open_issue("One");
    app.beat("coder").await;
    let issue: Value = serde_json::from_str(&lines.recv().await.expect("a line")).expect("JSON");
    assert_eq!(
        (&issue["event"], &issue["repo"], &issue["number"]),
        (&json!("issue"), &json!("acme/api"), &json!(1))
    );
    assert_eq!(end_of(&mut child, Duration::from_secs(20)).code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_made_again_where_it_ended() {
    let home = home();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    let app = Router::new().fallback(async move |headers: HeaderMap| {
        let last = headers.get("last-event-id").map(|last| last.to_str().expect("a text").to_owned());
        let mut kept = kept.lock().expect("no panic here");
        kept.push(last);
        let stream = |text: &'static str| ([("content-type", "text/event-stream")], text).into_response();
        let away = (axum::http::StatusCode::BAD_GATEWAY, "no server").into_response();
        match kept.len() {
            // Cut off within an event, which does not count then.
            1 => stream(
                "event: ready\nid: a-1\ndata: {}\n\nid: a-5\n\nevent: issue\nid: a-6\ndata: {\"number\"",
            ),
            2 => away,
            3 => {
                stream("event: reset\nid: b-0\ndata: {}\n\nevent: run\nid: b-1\ndata: {\"agent\":\"me\"}\n\n")
            }
            _ => panic!("it has heard enough"),
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its number"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let output = crate::run(home.path(), &[("DISPATCH_URL", &url)], &["watch", "--limit", "2"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", crate::err(&output));
    assert_eq!(
        crate::out(&output),
        "listening\nsomething was missed: everything may have changed\nrun of me\n"
    );
    assert!(crate::err(&output).contains("trying again"), "{}", crate::err(&output));
    let asked = asked.lock().expect("no panic here").clone();
    assert_eq!(asked, [None, Some("a-5".to_owned()), Some("a-5".to_owned())]);
}
