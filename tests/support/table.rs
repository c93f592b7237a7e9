//! Every message of an answer must be an entry of the table in `domain::notice`, remedy included.

use std::collections::BTreeSet;

use dispatch::domain::{
    notice::{self, Code, Severity},
    repo::RepoName,
    time::Timestamp,
};
use serde_json::Value;

use super::answers::strings;

const PHASES: [&str; 6] = ["renew", "sync", "reconcile", "recover", "publish", "record"];

/// What may stand in the place of the example's value.
#[derive(Clone, Copy)]
enum Part {
    Number,
    Time,
}

/// The values that vary in the example of a code.
fn variable(code: &Code) -> Option<(&'static str, Part)> {
    match code {
        Code::GitHubFailed { .. } => Some(("500", Part::Number)),
        Code::GitHubUnexpected { .. } => Some(("418", Part::Number)),
        Code::StillReading { .. } => Some(("25000", Part::Number)),
        Code::PointsUsedUp { .. } => Some(("3", Part::Number)),
        Code::EveryRepoFailed { .. } => Some(("2", Part::Number)),
        Code::QuotaReserved { .. } | Code::SecondaryLimit { .. } | Code::BreakerOpen { .. } => {
            Some(("1970-01-01T00:00:00.000Z", Part::Time))
        }
        _ => None,
    }
}

/// Is `what` this code's, with any value in the variable places (the same in all of them)?
fn says(code: &Code, what: &str) -> bool {
    let example = code.what();
    let Some((value, part)) = variable(code) else { return what == example };
    assert!(example.contains(value), "the example of {} has no {value}", code.name());
    let start = example.find(value).unwrap_or_default();
    let Some(rest) = what.strip_prefix(&example[..start]) else { return false };
    let length = rest
        .find(|c: char| match part {
            Part::Number => !c.is_ascii_digit(),
            Part::Time => !(c.is_ascii_digit() || "-:.TZ".contains(c)),
        })
        .unwrap_or(rest.len());
    let found = &rest[..length];
    let fits = match part {
        Part::Number => found.parse::<u64>().is_ok(),
        Part::Time => found.len() == value.len() && found.parse::<Timestamp>().is_ok(),
    };
    fits && what == example.replace(value, found)
}

/// The entry that `what; remedy` belongs to.
pub fn find_words(words: &str) -> Option<Code> {
    let (what, remedy) = words.split_once("; ")?;
    notice::table().into_iter().find(|code| code.remedy() == remedy && says(code, what))
}

/// The entry that a whole message belongs to: `<phase>: <subject>: <what>; <remedy>`.
#[track_caller]
pub fn code_of(message: &str) -> Code {
    let mut parts = message.splitn(3, ": ");
    let (phase, subject, words) = (parts.next(), parts.next(), parts.next());
    let (Some(phase), Some(subject), Some(words)) = (phase, subject, words) else {
        panic!("not <phase>: <subject>: <what>; <remedy>: {message}");
    };
    assert!(PHASES.contains(&phase), "no such phase: {message}");
    let larger = ["repositories", "GitHub", "database", "run"];
    // One of several installations of an App is named by its owner.
    let is_installation = subject.starts_with("GitHub (") && subject.ends_with(')');
    let is_subject = larger.contains(&subject) || is_installation || subject.parse::<RepoName>().is_ok();
    assert!(is_subject, "{message}");
    find_words(words).unwrap_or_else(|| panic!("not in the table: {message}"))
}

/// Checks the whole answer of a heartbeat, 503 included, and returns the names of its codes.
#[track_caller]
pub fn check(answer: &Value) -> BTreeSet<&'static str> {
    let (warnings, errors) = (strings(&answer["warnings"]), strings(&answer["errors"]));
    let mut names = BTreeSet::new();
    let lists = [(&warnings, Severity::Warning), (&errors, Severity::Critical)];
    for (messages, severity) in lists {
        for (n, message) in messages.iter().enumerate() {
            let code = code_of(message);
            assert_eq!(code.severity(), severity, "in the wrong list: {message}");
            assert!(!messages[..n].contains(message), "said twice: {message}");
            names.insert(code.name());
        }
    }
    let want = match (errors.is_empty(), warnings.is_empty()) {
        (false, _) => "error",
        (true, false) => "warning",
        (true, true) => "ok",
    };
    assert_eq!(answer["status"], want, "{answer}");
    names
}

/// Checks the answer, and that it says exactly these codes.
#[track_caller]
pub fn expect(answer: &Value, codes: &[&str]) {
    let found: Vec<_> = check(answer).into_iter().collect();
    let mut wanted = codes.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{answer}");
}

/// The messages about one subject: a repository's name, `GitHub`, `repositories`, `database`.
pub fn about(answer: &Value, subject: &str) -> Vec<String> {
    let messages = [strings(&answer["warnings"]), strings(&answer["errors"])].concat();
    let of_subject = format!(": {subject}: ");
    messages.into_iter().filter(|message| message.contains(&of_subject)).collect()
}

/// The fields of a heartbeat's answer, in their order.
pub const FIELDS: [&str; 10] = [
    "status",
    "agentName",
    "startedAt",
    "finishedAt",
    "summary",
    "warnings",
    "errors",
    "touchedIssueUrls",
    "runId",
    "nextHeartbeatAt",
];

/// Asserts that a body has the shape of a heartbeat's answer and nothing more.
#[track_caller]
pub fn assert_shape(text: &str) {
    let body: Value = serde_json::from_str(text).expect("JSON");
    let fields = body.as_object().expect("an object");
    assert_eq!(fields.len(), FIELDS.len(), "{text}");
    let places: Vec<_> = FIELDS.iter().map(|name| text.find(&format!("\"{name}\":"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
}
