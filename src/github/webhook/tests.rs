//! Signatures, and payloads as GitHub's documentation shows them.

use serde_json::{Value, json};

use super::{Payload, Said, Secrets, SecretsFault, Unreadable, event_name, read};
use crate::domain::{
    ids::IssueNumber,
    pull_event::{CheckKind, Conclusion, PullEvent, ReviewState, Written},
    time::Timestamp,
};

/// The example of docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries.
const SECRET: &str = "It's a Secret to Everybody";
const BODY: &[u8] = b"Hello, World!";
const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

#[test]
fn the_documented_example_is_signed() {
    for secrets in [SECRET.to_owned(), format!("{SECRET},another"), format!(" another , {SECRET}")] {
        let secrets = Secrets::parse(&secrets).unwrap();
        assert!(secrets.verify(SIGNATURE, BODY));
        assert!(secrets.verify(&SIGNATURE.to_uppercase().replace("SHA", "sha"), BODY));
    }
}

#[test]
fn anything_else_is_not() {
    let secrets = Secrets::parse(SECRET).unwrap();
    assert!(!secrets.verify(SIGNATURE, b"Hello, World."));
    assert!(!Secrets::parse("another").unwrap().verify(SIGNATURE, BODY));
    let hex = SIGNATURE.strip_prefix("sha256=").unwrap();
    for wrong in [
        String::new(),
        "sha256=".to_owned(),
        hex.to_owned(),
        format!("sha1={hex}"),
        format!("sha256={}", &hex[1..]),
        format!("sha256={hex}0"),
        format!("sha256={}", hex.replace('7', "g")),
        format!("sha256={}", hex.replacen('7', "8", 1)),
        format!("sha256={}ü", &hex[..62]),
    ] {
        assert!(!secrets.verify(&wrong, BODY), "{wrong}");
    }
}

#[test]
fn secrets_are_one_or_two_and_never_shown() {
    assert_eq!(Secrets::parse("a,b,c").unwrap_err(), SecretsFault::TooMany);
    for empty in ["", ",", "a,", " ,b"] {
        assert_eq!(Secrets::parse(empty).unwrap_err(), SecretsFault::Empty, "{empty:?}");
    }
    assert_eq!(format!("{:?}", Secrets::parse("hush,quiet").unwrap()), "Secrets(2)");
}

fn issue() -> Value {
    json!({
        "id": 1, "number": 7, "title": "Spelling", "body": null, "state": "open",
        "html_url": "https://github.com/Codertocat/Hello-World/issues/7",
        "repository_url": "https://api.github.com/repos/Codertocat/Hello-World",
        "labels": [{ "name": "bug" }], "assignees": [], "comments": 2, "user": { "login": "mona" },
        "created_at": "2019-05-15T15:20:18Z", "updated_at": "2019-05-15T15:20:19Z", "closed_at": null,
    })
}

fn pull() -> Value {
    json!({
        "number": 2, "title": "Update", "body": "fixes #7", "state": "closed", "draft": false, "merged": true,
        "html_url": "https://github.com/Codertocat/Hello-World/pull/2", "user": { "login": "mona" },
        "labels": [{ "name": "bug" }], "created_at": "2019-05-15T15:20:33Z", "updated_at": "2019-05-15T15:20:34Z",
        "closed_at": "2019-05-15T15:20:34Z", "merged_at": "2019-05-15T15:20:34Z", "mergeable": null,
        "mergeable_state": "unknown", "head": { "sha": "ec26c3e", "ref": "changes", "repo": null },
        "base": { "sha": "f95f852", "ref": "master", "repo": {} },
    })
}

fn payload(action: &str, fields: &Value) -> Value {
    let mut whole = json!({
        "action": action,
        "repository": { "id": 186_853_002, "full_name": "Codertocat/Hello-World", "owner": { "login": "x" } },
        "sender": { "login": "Codertocat" },
    });
    whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    whole
}

#[track_caller]
fn said(event: &str, payload: &Value) -> Said {
    read(event, &payload.to_string()).unwrap().said
}

#[test]
fn issues_and_their_comments() {
    let opened = read("issues", &payload("opened", &json!({ "issue": issue() })).to_string()).unwrap();
    let Payload { action, repo: Some(repo), said: Said::Issue(opened) } = opened else { panic!("no issue") };
    assert_eq!((action.as_deref(), repo.github_id), (Some("opened"), 186_853_002));
    assert_eq!(repo.full_name.as_str(), "Codertocat/Hello-World");
    assert_eq!((opened.number, opened.updated_at), (IssueNumber(7), Timestamp(1_557_933_619_000)));
    for action in ["edited", "closed", "labeled", "unassigned", "milestoned", "typed"] {
        let payload = payload(action, &json!({ "issue": issue() }));
        assert_eq!(said("issues", &payload), Said::Issue(opened.clone()), "{action}");
    }
    for action in ["deleted", "transferred"] {
        let payload = payload(action, &json!({ "issue": issue(), "changes": { "new_issue": {} } }));
        assert_eq!(said("issues", &payload), Said::IssueGone(opened.clone()), "{action}");
    }
    let commented = payload("created", &json!({ "issue": issue(), "comment": {} }));
    assert_eq!(said("issue_comment", &commented), Said::Issue(opened));
    assert!(matches!(said("issues", &payload("yodelled", &json!({}))), Said::Nothing(_)));
}

#[test]
fn pull_requests() {
    let of = |event: &str, action: &str, fields: Value| match said(event, &payload(action, &fields)) {
        Said::Pull(event) => *event,
        other => panic!("{event} {action}: {other:?}"),
    };
    let PullEvent::Changed(now) = of("pull_request", "synchronize", json!({ "pull_request": pull() })) else {
        panic!("not whole")
    };
    assert!(now.is_merged() && !now.is_open() && now.mergeable.is_none());
    assert_eq!((now.number(), now.head.branch.as_str(), &now.head.repo), (IssueNumber(2), "changes", &None));
    assert_eq!((now.base_ref.as_str(), now.listed.labels.as_slice()), ("master", &["bug".to_owned()][..]));
    let review = json!({
        "id": 9, "state": "changes_requested", "user": null, "body": null, "commit_id": "ec26c3e",
        "html_url": "https://github.com/x", "submitted_at": "2019-05-15T15:20:38Z",
    });
    let fields = json!({ "pull_request": pull(), "review": review });
    let PullEvent::Reviewed { pull: of_review, review } = of("pull_request_review", "submitted", fields)
    else {
        panic!("no review")
    };
    assert_eq!((of_review, review.state, review.author), (now, ReviewState::ChangesRequested, None));
    let comment = json!({
        "id": 5, "user": { "login": "mona" }, "body": "Why?\0", "html_url": "https://github.com/x", "path": "a.rs",
        "line": 3, "created_at": "2019-05-15T15:20:38Z", "updated_at": "2019-05-15T15:20:38Z",
    });
    let fields = json!({ "pull_request": pull(), "comment": comment });
    let PullEvent::LineComment { comment: at_line, .. } =
        of("pull_request_review_comment", "deleted", fields)
    else {
        panic!("no comment")
    };
    assert_eq!((at_line.written, at_line.body.as_str()), (Written::Deleted, "Why?\u{fffd}"));
    let place = at_line.place.unwrap();
    assert_eq!((place.path.as_str(), place.line), ("a.rs", Some(3)));
    let mut listed = issue();
    listed["pull_request"] = json!({ "url": "…", "merged_at": null });
    let fields = json!({ "issue": listed, "comment": comment });
    let PullEvent::Comment { pull, comment } = of("issue_comment", "created", fields) else {
        panic!("no comment")
    };
    assert_eq!((pull.number, comment.written), (IssueNumber(7), Written::Created));
    assert!(matches!(of("issues", "labeled", json!({ "issue": listed })), PullEvent::Listed(_)));
}

#[test]
fn checks_count_when_they_end() {
    let run = json!({
        "id": 128, "name": "tests", "conclusion": "timed_out", "head_sha": "ec26c3e", "html_url": "https://github.com/x",
        "completed_at": "2019-05-15T15:20:38Z", "pull_requests": [{ "number": 2, "id": 1 }],
    });
    let completed = payload("completed", &json!({ "check_run": run }));
    let Said::Pull(event) = said("check_run", &completed) else { panic!("no check") };
    let PullEvent::Checked(check) = *event else { panic!("no check") };
    assert_eq!((check.kind, check.id, check.pulls.as_slice()), (CheckKind::Run, 128, &[IssueNumber(2)][..]));
    assert_eq!(check.conclusion, Some(Conclusion::TimedOut));
    assert!(matches!(said("check_run", &payload("created", &json!({ "check_run": run }))), Said::Nothing(_)));
    let suite = json!({ "id": 118, "conclusion": "success", "head_sha": "ec26c3e", "app": { "name": "ci" } });
    let Said::Pull(event) = said("check_suite", &payload("completed", &json!({ "check_suite": suite })))
    else {
        panic!("no suite")
    };
    let PullEvent::Checked(check) = *event else { panic!("no suite") };
    assert_eq!((check.kind, check.name.as_str(), check.url), (CheckKind::Suite, "ci", None));
}

#[test]
fn what_is_not_about_one_issue() {
    let renamed = payload("edited", &json!({ "changes": { "name": { "from": "old" } }, "label": {} }));
    assert_eq!(said("label", &renamed), Said::Labels);
    assert_eq!(said("label", &payload("deleted", &json!({}))), Said::Labels);
    let painted = payload("edited", &json!({ "changes": { "color": { "from": "f29513" } } }));
    assert!(matches!(said("label", &painted), Said::Nothing(_)));
    assert!(matches!(said("label", &payload("created", &json!({}))), Said::Nothing(_)));
    for action in ["renamed", "archived", "deleted", "transferred"] {
        assert_eq!(said("repository", &payload(action, &json!({}))), Said::Repository, "{action}");
    }
    let reach = json!({
        "action": "removed", "repositories_added": [], "repositories_removed": [{ "id": 1, "full_name": "a/b" }],
    });
    assert_eq!(said("installation_repositories", &reach), Said::Reach(vec!["a/b".parse().unwrap()]));
    assert_eq!(said("ping", &json!({ "zen": "Keep it logically awesome.", "hook_id": 1 })), Said::Ping);
    for unknown in [payload("created", &json!({})), json!([1, 2]), json!({ "repository": 7, "action": 7 })] {
        assert!(matches!(said("star", &unknown), Said::Nothing(_)));
    }
    assert_eq!((event_name("issues"), event_name("star")), ("issues", "other"));
}

#[test]
fn other_forms_are_told_from_what_is_no_json() {
    for bad in ["", "{", "payload=%7B%7D", "{} {}", "{\"action\": nope}"] {
        for event in ["issues", "star", "ping"] {
            assert_eq!(read(event, bad), Err(Unreadable::NotJson), "{event}: {bad:?}");
        }
    }
    let mut no_time = payload("opened", &json!({ "issue": issue() }));
    no_time["issue"].as_object_mut().unwrap().remove("updated_at");
    let mut nowhere = payload("opened", &json!({ "issue": issue() }));
    nowhere.as_object_mut().unwrap().remove("repository");
    for bad in [json!([]), json!(7), json!({ "action": 7 }), payload("opened", &json!({})), no_time, nowhere]
    {
        assert!(matches!(read("issues", &bad.to_string()), Err(Unreadable::Form { .. })), "{bad}");
    }
}
