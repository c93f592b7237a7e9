//! The table of all routes: none is open but those meant to be.

use serde_json::json;

use crate::{
    each_db,
    support::{App, BOUND, MAINTAINER, UNBOUND, app::send},
    with_authorization,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Anybody,
    /// Whoever signs, as `tests/webhooks` knows; a token is none.
    Signed,
    Worker,
    /// A worker whose token is bound to an agent.
    Bound,
    Maintainer,
}

use Who::{Anybody, Bound, Maintainer, Signed, Worker};

/// `contract/agents.md` 1.4 and `design.md` section 10.
const ROUTES: [(&str, &str, Who); 80] = [
    ("POST", "/api/agents/{agentName}/heartbeat", Worker),
    ("GET", "/api/agents/{agentName}/next-task", Bound),
    ("GET", "/api/agents/{agentName}/queue", Worker),
    ("GET", "/api/agents/{agentName}/work-summary", Worker),
    ("GET", "/api/agents/{agentName}/active-work", Bound),
    ("POST", "/api/agents/{agentName}/tasks/report", Worker),
    ("GET", "/api/pr-fix-queue/queued", Worker),
    ("GET", "/api/pr-fix-queue/history", Worker),
    ("POST", "/api/pr-fix-queue/enqueue", Maintainer),
    ("POST", "/api/pr-fix-queue/mark", Worker),
    ("POST", "/api/pr-fix-queue/requeue", Maintainer),
    ("POST", "/api/pr-fix-queue/ack", Worker),
    ("POST", "/api/pr-fix-queue/sweep", Maintainer),
    ("GET", "/api/agent-work", Worker),
    ("POST", "/api/agent-work", Maintainer),
    ("POST", "/api/agent-work/start", Worker),
    ("POST", "/api/agent-work/checkpoint", Worker),
    ("POST", "/api/agent-work/finish", Worker),
    ("POST", "/api/agent-work/sweep", Maintainer),
    ("POST", "/api/sync", Maintainer),
    ("POST", "/api/sync/scheduled", Maintainer),
    ("GET", "/api/issues", Worker),
    ("GET", "/api/issues/state", Worker),
    ("POST", "/api/issues/refresh", Maintainer),
    ("POST", "/api/issues/claim", Worker),
    ("POST", "/api/issues/unclaim", Worker),
    ("POST", "/api/issues/status", Worker),
    ("GET", "/api/issues/claimed", Maintainer),
    ("POST", "/api/issues/move", Maintainer),
    ("POST", "/api/issues/label", Maintainer),
    ("POST", "/api/issues/unlabel", Maintainer),
    ("POST", "/api/issues/comment", Maintainer),
    ("POST", "/api/issues/actions", Maintainer),
    ("GET", "/api/issues/actions/agents", Maintainer),
    ("POST", "/api/issues/unassign", Maintainer),
    ("POST", "/api/issues/actions/decompose", Maintainer),
    ("POST", "/api/issues/groom", Maintainer),
    ("GET", "/api/issues/untriaged", Maintainer),
    ("POST", "/api/issues/prune-closed", Maintainer),
    ("GET", "/api/issues/{issueId}/lane", Maintainer),
    ("POST", "/api/issues/{issueId}/lane", Maintainer),
    ("POST", "/api/issues/{issueId}/pr-health/refresh", Maintainer),
    ("GET", "/api/issues/{issueId}/why", Worker),
    ("GET", "/api/repos", Maintainer),
    ("POST", "/api/repos", Maintainer),
    ("GET", "/api/automation/repos", Maintainer),
    ("POST", "/api/automation/repos", Maintainer),
    ("DELETE", "/api/automation/repos/{owner}/{repo}", Maintainer),
    ("GET", "/api/automation/sync", Maintainer),
    ("POST", "/api/automation/sync", Maintainer),
    ("POST", "/api/ci-failures/sync", Maintainer),
    ("POST", "/api/pr-followup/sync", Maintainer),
    ("GET", "/api/issues/reconcile", Maintainer),
    ("POST", "/api/issues/reconcile", Maintainer),
    ("GET", "/api/agent-runs", Maintainer),
    ("POST", "/api/agent-runs", Maintainer),
    ("GET", "/api/audit", Maintainer),
    ("GET", "/api/events", Worker),
    ("GET", "/api/webhooks/{owner}/{name}", Maintainer),
    ("POST", "/api/webhooks/{owner}/{name}", Maintainer),
    ("DELETE", "/api/webhooks/{owner}/{name}", Maintainer),
    ("GET", "/api/outbox", Maintainer),
    ("POST", "/api/outbox/{id}/retry", Maintainer),
    ("POST", "/api/outbox/{id}/discard", Maintainer),
    ("POST", "/api/github/webhook", Signed),
    ("POST", "/api/issues/webhook", Signed),
    ("POST", "/api/pr-followup/webhook", Signed),
    ("GET", "/api/deliveries", Maintainer),
    ("POST", "/api/deliveries/{deliveryId}/retry", Maintainer),
    ("GET", "/api/tokens", Maintainer),
    ("POST", "/api/tokens", Maintainer),
    ("DELETE", "/api/tokens/{id}", Maintainer),
    ("POST", "/api/auth/login-link", Maintainer),
    ("GET", "/api/health", Anybody),
    ("GET", "/healthz", Anybody),
    ("GET", "/readyz", Anybody),
    ("GET", "/metrics", Maintainer),
    ("GET", "/api/openapi.json", Anybody),
    ("GET", "/api/docs", Anybody),
    ("GET", "/api/docs/{file}", Anybody),
];

/// A path that fits the route, for the agent that the bound token belongs to.
fn path(route: &str) -> String {
    route
        .replace("{agentName}", "bound")
        .replace("{owner}", "acme")
        .replace("{repo}", "api")
        .replace("{id}", "none")
        .replace("{deliveryId}", "none")
        .replace("{issueId}", "none")
        .replace("{file}", "page.js")
}

/// Every route with who may call it, as the router describes itself: it has no route without a description.
fn routes_of_the_router() -> Vec<(String, String, Who)> {
    let document = serde_json::to_value(dispatch::http::openapi()).expect("JSON");
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let who = match operation.get("security").map(serde_json::Value::to_string).as_deref() {
                None => Anybody,
                Some(r#"[{"bearer":["worker"]}]"#) => Worker,
                Some(r#"[{"bearer":["maintainer"]}]"#) => Maintainer,
                Some(other) => panic!("{method} {path} is for nobody we know: {other}"),
            };
            routes.push((method.to_uppercase(), path.clone(), who));
        }
    }
    routes.sort();
    routes
}

/// What the description calls it: bound or not, a worker's token is a worker's.
fn role(who: Who) -> Who {
    match who {
        Bound => Worker,
        Signed => Anybody,
        who => who,
    }
}

#[test]
fn the_table_holds_every_route_of_the_router() {
    let mut table: Vec<_> = ROUTES
        .iter()
        .map(|(method, path, who)| ((*method).to_owned(), (*path).to_owned(), role(*who)))
        .collect();
    table.sort();
    assert_eq!(routes_of_the_router(), table);
}

each_db! {
    async fn without_a_token_every_route_but_the_public_ones_is_401(db) {
        let app = App::with_repos(db, &[crate::API]).await;
        for (method, route, who) in ROUTES {
            for authorization in [None, Some("Bearer wrong".as_bytes())] {
                // The body is not JSON: who calls is asked before what is sent.
                let answer = with_authorization(&app, method, &path(route), authorization).await;
                if who == Signed {
                    assert_eq!(answer.status, 400, "{method} {route}: no event");
                    continue;
                }
                if who == Anybody {
                    assert_eq!(answer.status, 200, "{method} {route}");
                    continue;
                }
                let body = answer.expect(401);
                assert_eq!(body["error"], "Unauthorized", "{method} {route}");
                assert_eq!(body["requestId"].as_str(), answer.header("x-request-id"), "{method} {route}");
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {route}");
            }
        }
        assert_eq!(app.get("/api/automation/repos").await.expect(200).as_array().unwrap().len(), 1);
        assert_eq!(app.get("/api/agent-runs").await.expect(200), json!([]));
        assert_eq!(app.get("/api/audit").await.expect(200), json!([]));
    }

    async fn each_tier_gets_where_the_contract_lets_it(db) {
        let app = App::with_repos(db, &[crate::API]).await;
        for (method, route, who) in ROUTES {
            for (token, tier) in [(BOUND, Bound), (UNBOUND, Worker), (MAINTAINER, Maintainer)] {
                let answer = send(app.request(method, &path(route), token).body("{")).await;
                let refused = tier < who;
                assert_eq!(answer.status == 403, refused, "{tier:?} at {method} {route}: {}", answer.text);
                assert_ne!(answer.status, 401, "{tier:?} at {method} {route}");
                if refused && who == Bound {
                    assert_eq!(answer.json()["code"], "unbound_token");
                } else if refused {
                    let message = answer.json()["error"].as_str().unwrap().to_owned();
                    assert!(message.starts_with("Forbidden:") && message.contains("DISPATCH_AGENT_TOKEN"), "{message}");
                    assert_eq!(answer.json()["code"], "maintainer_required");
                }
            }
        }
    }
}
