//! The negative controls: of each operation something that must be refused, made of something that is not.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use github_sim::{Exchange, operations};
use serde_json::{Value, json};

use crate::{check::Checker, description::Description, operation, script};

/// What is spoilt.
enum Spoilt {
    /// A field of the answer, by its pointer, gets a wrong value or, with null where null may not be, none.
    Answer(&'static str, Value),
    /// A field of the answer is taken out.
    Missing(&'static str),
    /// The same of the request's body.
    Request(&'static str, Value),
    /// A query that is not described.
    Query(&'static str),
    /// A path that is not described.
    Path(&'static str),
    /// A header of the request is taken out.
    Header(&'static str),
    /// The same of the answer.
    AnswerHeader(&'static str),
    Status(u16),
}

use Spoilt::{Answer, AnswerHeader, Header, Missing, Path, Query, Request, Status};

/// Kind, what is spoilt, and what the fault must name.
#[expect(clippy::too_many_lines, reason = "a table")]
fn controls() -> Vec<(&'static str, Spoilt, &'static str)> {
    vec![
        ("user.get", Missing("/login"), "oneOf"),
        ("user.get", Answer("/blog", json!(1)), "oneOf"),
        ("rate_limit.get", Missing("/resources/search"), "search"),
        ("rate_limit.get", Answer("/rate/remaining", json!("5000")), "/rate/remaining"),
        ("app.get", Missing("/permissions"), "permissions"),
        ("app.get", Answer("/owner", json!(7)), "/owner"),
        // `nullable` without `type`: an account may be null, and is nothing but an account otherwise.
        ("installations.list", Answer("/0/account", json!("acme")), "/0/account"),
        ("installations.list", Answer("/0/account", json!({ "login": "acme" })), "/0/account"),
        ("installations.list", Answer("/0/suspended_at", json!("yesterday")), "date-time"),
        ("installations.list", Query("since=yesterday"), "since"),
        ("installations.get", Missing("/permissions"), "permissions"),
        // `nullable` without `type`, as in the list.
        ("installations.get", Answer("/account", json!("acme")), "/account"),
        ("access_tokens.create", Missing("/token"), "token"),
        ("access_tokens.create", Request("/repository_ids", json!(["7"])), "/repository_ids/0"),
        ("installation_repositories.list", Missing("/repositories/0/clone_url"), "clone_url"),
        ("installation_repositories.list", Query("per_page=101"), "more than GitHub takes"),
        ("repos.get", Missing("/default_branch"), "default_branch"),
        ("repos.get", Answer("/homepage", json!(1)), "/homepage"),
        ("repos.get", Header("accept"), "accept"),
        ("repos.get", Header("user-agent"), "user-agent"),
        // Only `Link` and `Location` lead there.
        ("repos.get", Path("/repositories/1"), "/repositories/1 is not"),
        ("issues.list", Missing("/0/user"), "user"),
        ("issues.list", Answer("/0/user", json!("mona")), "/0/user"),
        ("issues.list", Answer("/0/updated_at", json!("2026-01-01")), "date-time"),
        ("issues.list", Query("state=unfinished"), "state"),
        ("issues.list", Query("per_page=101"), "more than GitHub takes"),
        ("issues.list", Query("perpage=100"), "perpage"),
        ("issues.create", Missing("/number"), "number"),
        ("issues.create", Request("/milestone", json!({ "number": 1 })), "/milestone"),
        ("issues.create", Request("/lables", json!(["a"])), "lables"),
        ("issues.get", Answer("/milestone", json!("next")), "/milestone"),
        ("issues.get", Answer("/issue_field_values", field_value()), "/issue_field_values/0/value"),
        ("issues.get", Status(203), "203"),
        ("issues.get", Path("/repos/acme/api/issues/seven"), "issue_number"),
        ("issues.get", Header("x-github-api-version"), "x-github-api-version"),
        ("issues.update", Answer("/state_reason", json!("tired")), "/state_reason"),
        ("issues.update", Request("/milestone", json!([1])), "/milestone"),
        ("issues.update", Request("/title", json!({})), "/title"),
        ("issues.update", Request("/type", json!(false)), "/type"),
        ("labels.list", Answer("/0/description", json!(1)), "/0/description"),
        ("labels.list", AnswerHeader("content-type"), "no JSON"),
        ("labels.add", Request("/labels", json!(["a", 7])), "oneOf"),
        ("labels.add", Answer("/0/color", Value::Null), "/0/color"),
        ("labels.set", Request("/labels", json!([7])), "oneOf"),
        ("labels.set", Missing("/0/name"), "name"),
        ("labels.clear", Status(200), "200"),
        ("labels.clear", Answer("", json!([])), "a body where none"),
        ("labels.remove", Missing("/0/default"), "default"),
        ("assignees.add", Request("/assignees", json!("mona")), "/assignees"),
        ("assignees.add", Answer("/assignees/0/login", json!(7)), "/assignees/0/login"),
        ("assignees.add", Answer("/issue_field_values", field_value()), "/issue_field_values/0/value"),
        ("assignees.remove", Request("/assignee", json!("mona")), "assignee"),
        ("assignees.remove", Answer("/issue_field_values", field_value()), "/issue_field_values/0/value"),
        ("comments.list", Answer("/0/user/site_admin", json!("no")), "/0/user"),
        ("comments.list", Query("since=2026"), "since"),
        ("comments.create", Request("/body", Value::Null), "/body"),
        ("comments.create", Missing("/created_at"), "created_at"),
        ("comments.get", Answer("/author_association", json!("FRIEND")), "/author_association"),
        ("comments.update", Request("/body", json!(["a"])), "/body"),
        ("comments.update", Answer("/issue_url", json!("no url")), "uri"),
        ("comments.delete", Status(200), "200"),
        ("comments.delete", Answer("", json!({})), "a body where none"),
        ("blocked_by.list", Answer("/0/issue_field_values", field_value()), "/0/issue_field_values/0/value"),
        ("blocked_by.list", Missing("/0/title"), "title"),
        ("pulls.list", Answer("/0/labels/0/name", Value::Null), "/0/labels/0/name"),
        ("pulls.list", Query("state=merged"), "state"),
        ("pulls.get", Answer("/mergeable", json!("yes")), "/mergeable"),
        ("pulls.get", Missing("/head/repo/owner"), "owner"),
        ("pulls.list", Answer("/0/head/ref", json!(7)), "/0/head/ref"),
        ("reviews.list", Missing("/0/state"), "state"),
        ("reviews.list", Answer("/0/submitted_at", json!("yesterday")), "date-time"),
        ("check_runs.list", Answer("/check_runs/0/conclusion", json!("red")), "/check_runs/0/conclusion"),
        ("check_runs.list", Missing("/check_runs/0/name"), "name"),
        ("check_runs.list", Query("filter=newest"), "filter"),
        // What the client goes by.
        ("pulls.get", Missing("/head/sha"), "sha"),
        ("pulls.get", Missing("/merged"), "merged"),
        ("pulls.get", Answer("/state", json!("merged")), "/state"),
        ("pulls.get", Missing("/base/repo/archived"), "archived"),
        ("pull_commits.list", Missing("/0/commit/message"), "message"),
        ("line_comments.list", Missing("/0/path"), "path"),
        ("line_comments.list", Query("since=2026"), "since"),
        ("commits.list", Missing("/0/sha"), "sha"),
        ("runs.list", Answer("/workflow_runs/0/created_at", json!("today")), "date-time"),
        ("runs.list", Missing("/workflow_runs/0/workflow_id"), "workflow_id"),
        ("runs.list", Query("status=red"), "status"),
        ("jobs.list", Answer("/jobs/0/conclusion", json!("red")), "/jobs/0/conclusion"),
        ("jobs.list", Query("filter=first"), "filter"),
        ("job_logs.get", Status(200), "200"),
        ("hooks.list", Missing("/0/config"), "config"),
        ("hooks.list", Query("active=true"), "active"),
        ("hooks.create", Request("/events", json!("issues")), "/events"),
        ("hooks.create", Request("/secret", json!("a")), "secret"),
        ("hooks.create", Missing("/ping_url"), "ping_url"),
        ("hooks.get", Answer("/events", json!("issues")), "/events"),
        ("hooks.get", Missing("/last_response"), "last_response"),
        ("hooks.update", Request("/add_events", json!([7])), "/add_events/0"),
        ("hooks.update", Answer("/active", json!("yes")), "/active"),
        ("hooks.delete", Status(200), "200"),
        ("hooks.ping", Answer("", json!({})), "a body where none"),
        ("deliveries.list", Missing("/0/guid"), "guid"),
        ("deliveries.list", Answer("/0/status_code", json!("502")), "/0/status_code"),
        ("deliveries.list", Query("status=lost"), "status"),
        ("deliveries.get", Missing("/request/payload"), "payload"),
        ("deliveries.get", Path("/repos/acme/api/hooks/1/deliveries/newest"), "delivery_id"),
        ("deliveries.redeliver", Status(201), "201"),
        ("app_deliveries.list", Missing("/0/redelivery"), "redelivery"),
        ("app_deliveries.list", Query("page=2"), "page"),
        ("app_deliveries.get", Answer("/installation_id", json!("7")), "/installation_id"),
        ("app_deliveries.redeliver", Status(200), "200"),
    ]
}

/// `value` is `nullable` without `type`, and no object.
fn field_value() -> Value {
    json!([{ "issue_field_id": 1, "node_id": "IFT_1", "data_type": "text", "value": {} }])
}

fn spoil(exchange: &mut Exchange, spoilt: &Spoilt) {
    match spoilt {
        Answer(pointer, value) => exchange.answer = changed(&exchange.answer, pointer, Some(value)),
        Missing(pointer) => exchange.answer = changed(&exchange.answer, pointer, None),
        Request(pointer, value) => exchange.body = changed(&exchange.body, pointer, Some(value)),
        Query(query) => (*query).clone_into(&mut exchange.query),
        Path(path) => (*path).clone_into(&mut exchange.path),
        Header(name) => exchange.headers.retain(|(other, _)| other != name),
        AnswerHeader(name) => exchange.answer_headers.retain(|(other, _)| other != name),
        Status(status) => exchange.status = *status,
    }
}

/// The JSON with one field set or taken out; what holds the field must be there.
fn changed(json: &Bytes, pointer: &str, value: Option<&Value>) -> Bytes {
    let mut root: Value = serde_json::from_slice(json).unwrap_or_default();
    if let Some((holder, name)) = pointer.rsplit_once('/') {
        let holder = root.pointer_mut(holder).and_then(Value::as_object_mut);
        let holder = holder.unwrap_or_else(|| panic!("nothing holds {pointer}"));
        match value {
            Some(value) => _ = holder.insert(name.to_owned(), value.clone()),
            None => assert!(holder.remove(name).is_some(), "{pointer} is not there"),
        }
    } else if let Some(value) = value {
        root = value.clone();
    }
    root.to_string().into()
}

/// A good exchange that can be spoilt thus.
fn sample<'a>(exchanges: &'a [Exchange], kind: &str, spoilt: &Spoilt) -> Option<&'a Exchange> {
    let holds = |json: &Bytes, pointer: &str| {
        let holder = pointer.rsplit_once('/').map_or("", |(holder, _)| holder);
        serde_json::from_slice::<Value>(json).is_ok_and(|json| json.pointer(holder).is_some())
    };
    let fits = |it: &&Exchange| match spoilt {
        Answer("", _) | Query(_) | Path(_) | Header(_) | AnswerHeader(_) | Status(_) => true,
        Answer(pointer, _) | Missing(pointer) => holds(&it.answer, pointer),
        Request(pointer, _) => holds(&it.body, pointer),
    };
    let good = |it: &&Exchange| {
        it.kind == kind
            && matches!(it.status, 200..=204 | 302)
            && it.path.starts_with(operation(it).path.split('{').next().unwrap_or_default())
    };
    exchanges.iter().filter(|it| it.method != "HEAD").filter(good).find(fits)
}

#[tokio::test]
async fn what_is_not_as_described_is_refused() {
    let exchanges = script::play().await;
    let mut accepted = Vec::new();
    for (kind, spoilt, named) in controls() {
        let exchange = sample(&exchanges, kind, &spoilt);
        let mut exchange = exchange.unwrap_or_else(|| panic!("{kind}: nothing to spoil for {named}")).clone();
        let mut checker = Checker::new();
        assert_eq!(checker.faults(&exchange), [""; 0], "{kind} before");
        spoil(&mut exchange, &spoilt);
        // What this answer itself leads to is no excuse for the request before it.
        let faults = Checker::new().faults(&exchange);
        if !faults.iter().any(|fault| fault.contains(named)) {
            accepted.push(format!("{kind} with a wrong {named}: {faults:?}"));
        }
    }
    assert_eq!(accepted, [""; 0], "{}", accepted.join("\n"));
}

#[tokio::test]
async fn a_field_that_nobody_describes_is_refused_in_every_answer() {
    let mut accepted = BTreeMap::new();
    for exchange in script::play().await.iter().filter(|it| it.method != "HEAD" && !it.answer.is_empty()) {
        // What is done later is answered with an object of which nothing is described.
        if exchange.status == 202 {
            continue;
        }
        let mut spoilt = exchange.clone();
        let list = serde_json::from_slice(&exchange.answer).is_ok_and(|it: Value| it.is_array());
        if list && exchange.answer.len() < 3 {
            continue;
        }
        spoilt.answer =
            changed(&exchange.answer, if list { "/0/nobody" } else { "/nobody" }, Some(&json!(1)));
        let faults = Checker::new().answer(&spoilt);
        if faults.is_empty() {
            accepted.insert((exchange.kind, exchange.status), spoilt.answer);
        }
    }
    assert!(accepted.is_empty(), "{accepted:?}");
}

#[test]
fn every_operation_has_a_control() {
    let controlled: BTreeSet<&str> = controls().iter().map(|(kind, ..)| *kind).collect();
    let all: BTreeSet<&str> = operations().map(|operation| operation.kind).collect();
    assert_eq!(controlled, all, "each operation of the simulator needs a negative control here");
}

#[test]
fn every_request_with_a_body_has_a_control_of_it() {
    let of_bodies: BTreeSet<&str> = controls()
        .iter()
        .filter(|(_, spoilt, _)| matches!(spoilt, Request(..)))
        .map(|(kind, ..)| *kind)
        .collect();
    let with_body = operations().filter(|it| {
        let described = Description::get().find(it).expect("a described operation");
        described.request_body().is_some()
    });
    assert_eq!(of_bodies, with_body.map(|it| it.kind).collect());
}
