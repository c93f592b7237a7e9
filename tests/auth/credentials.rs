//! What counts as a credential, and how many requests it is good for.

use std::time::Duration;

use serde_json::json;

use crate::{
    API, each_db,
    support::{App, AppBuilder, BOUND, MAINTAINER, UNBOUND, app::send},
    with_authorization,
};

/// Requests that may come at once after a pause.
const BURST: usize = 500;

each_db! {
    async fn what_is_not_a_bearer_token_is_401(db) {
        let app = App::with_repos(db, &[API]).await;
        let bad = [
            String::new(),
            " ".into(),
            "Bearer".into(),
            "Bearer ".into(),
            "Bearer wrong".into(),
            MAINTAINER.into(),
            format!("Bearer{MAINTAINER}"),
            format!("Bearer {MAINTAINER}x"),
            format!("Bearer {}", &MAINTAINER[1..]),
            format!("Bearer {}", MAINTAINER.to_uppercase()),
            format!("Bearer {MAINTAINER} {MAINTAINER}"),
            format!("Bearer: {MAINTAINER}"),
            format!("Bearer \"{MAINTAINER}\""),
            format!("Basic {MAINTAINER}"),
            format!("Token {MAINTAINER}"),
            format!("Bearers {MAINTAINER}"),
            // base64 of `:maintainer-secret-5e0f`
            "Basic Om1haW50YWluZXItc2VjcmV0LTVlMGY=".into(),
        ];
        for value in bad {
            let answer = with_authorization(&app, "GET", "/api/audit", Some(value.as_bytes())).await;
            assert_eq!(answer.expect(401)["error"], "Unauthorized", "{value:?}");
        }
        let latin = [b"Bearer \xe4".as_slice(), MAINTAINER.as_bytes()].concat();
        with_authorization(&app, "GET", "/api/audit", Some(&latin)).await.expect(401);
    }

    async fn the_scheme_has_no_case_and_the_token_is_trimmed(db) {
        let app = App::with_repos(db, &[API]).await;
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", " Bearer", "Bearer  "] {
            let value = format!("{scheme} {MAINTAINER} ");
            with_authorization(&app, "GET", "/api/audit", Some(value.as_bytes())).await.expect(200);
        }
    }

    async fn a_worker_token_has_a_bucket_of_its_own_and_a_maintainer_none(db) {
        let builder = AppBuilder { repos: vec![API.into()], requests_per_second: 2, ..AppBuilder::default() };
        let app = builder.start(db).await;
        // Answered 400 without a look at the database; every other name is another agent's.
        let ask = |token: &'static str, n: usize| {
            let request = app.request("GET", "/api/issues/state", token);
            send(request.header("x-agent-name", format!("agent-{n}")))
        };
        for n in 0..BURST {
            ask(BOUND, n).await.expect(400);
        }
        for n in 0..3 {
            let answer = ask(BOUND, n).await;
            let body = answer.expect(429);
            assert_eq!(body["error"], "Rate limit exceeded");
            let wait = answer.header("retry-after").expect("how long").to_owned();
            assert!(wait.parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{wait}");
        }
        // The limit stands before the body is read and before the agent is looked at.
        let beat = app.request("POST", "/api/agents/no%20name/heartbeat", BOUND).body("{");
        send(beat).await.expect(429);
        ask(UNBOUND, 0).await.expect(400);
        app.advance(Duration::from_secs(1));
        let answers = [ask(BOUND, 0).await.status, ask(BOUND, 0).await.status, ask(BOUND, 0).await.status];
        assert_eq!(answers, [400, 400, 429]);
        for n in 0..=BURST {
            ask(MAINTAINER, n).await.expect(400);
        }
        assert_eq!(app.get("/api/agent-runs").await.expect(200), json!([]));
    }

    async fn zero_is_no_limit(db) {
        let builder = AppBuilder { requests_per_second: 0, ..AppBuilder::default() };
        let app = builder.start(db).await;
        for _ in 0..=BURST {
            send(app.request("GET", "/api/issues/state", BOUND)).await.expect(400);
        }
    }
}
