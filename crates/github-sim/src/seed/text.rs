//! Titles and bodies as engineers write them.

use std::fmt::Write as _;

use super::Chance;

const PARTS: [&str; 14] = [
    "the login page",
    "the export job",
    "search",
    "the invoice PDF",
    "webhook delivery",
    "the settings form",
    "the mobile menu",
    "the audit log",
    "session handling",
    "the import wizard",
    "rate limiting",
    "the nightly backup",
    "the billing report",
    "avatar upload",
];
const BUGS: [&str; 8] = [
    "times out for large accounts",
    "returns 500 on empty input",
    "shows yesterday's data after midnight UTC",
    "loses the last entry on retry",
    "ignores the chosen time zone",
    "leaks connections under load",
    "accepts a negative amount",
    "flickers on slow connections",
];
const WISHES: [&str; 6] = [
    "Support keyboard shortcuts in",
    "Add pagination to",
    "Let admins configure",
    "Show progress in",
    "Add CSV download to",
    "Offer dark mode in",
];
const CHORES: [&str; 5] = [
    "Remove dead code from",
    "Write tests for",
    "Move to the new client in",
    "Document",
    "Split up the module behind",
];
const SENTENCES: [&str; 14] = [
    "This came up twice in support last week.",
    "It only happens when the account has more than a thousand entries.",
    "The logs show nothing unusual besides a slow query.",
    "A restart hides the problem for about an hour.",
    "We should keep the old behaviour behind the existing flag for one release.",
    "Customers on the legacy plan are not affected.",
    "The change has to work on Postgres 15 and later.",
    "There is a similar code path in the export job, which already does the right thing.",
    "Please keep the public API as it is.",
    "The existing tests cover the happy path only.",
    "Measured on staging: p95 went from 180 ms to 2.4 s.",
    "See the discussion in the team channel for the background.",
    "Errors must name the field that was wrong.",
    "Nothing should be written to disk before the check has passed.",
];
const CHECKS: [&str; 6] = [
    "A test fails without the change and passes with it",
    "The error is shown to the user in plain words",
    "The changelog has an entry",
    "No new warning in the logs",
    "p95 stays below 300 ms with 10 000 entries",
    "The docs page is updated",
];

/// A title for an issue of that type.
pub(super) fn title(chance: &mut Chance, kind: &str) -> String {
    let part = chance.pick(&PARTS);
    match kind {
        "bug" => capital(&format!("{part} {}", chance.pick(&BUGS))),
        "feature" => format!("{} {part}", chance.pick(&WISHES)),
        "chore" => format!("{} {part}", chance.pick(&CHORES)),
        "security" => format!("Harden {part}: check permissions on every path"),
        _ => format!("Find out why {part} {}", chance.pick(&BUGS)),
    }
}

/// A body of a few hundred bytes to two kilobytes.
pub(super) fn body(chance: &mut Chance) -> String {
    let mut body = String::from("## What happens\n\n");
    paragraphs(chance, &mut body);
    if chance.below(2) == 0 {
        body.push_str("## Steps\n\n");
        for step in 1..=2 + chance.below(3) {
            // Writing to a String cannot fail.
            let _ = writeln!(body, "{step}. Open {}", chance.pick(&PARTS));
        }
        body.push_str("\n## Expected\n\n");
        paragraphs(chance, &mut body);
    }
    body.push_str("## Acceptance criteria\n\n");
    for _ in 0..2 + chance.below(3) {
        let _ = writeln!(body, "- [ ] {}", chance.pick(&CHECKS));
    }
    body
}

fn paragraphs(chance: &mut Chance, body: &mut String) {
    for _ in 0..=chance.below(3) {
        for _ in 0..2 + chance.below(3) {
            body.push_str(chance.pick(&SENTENCES));
            body.push(' ');
        }
        body.push_str("\n\n");
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_of_a_plausible_size() {
        let mut chance = Chance::new(1, 1);
        for _ in 0..500 {
            let length = body(&mut chance).len();
            assert!((200..2_500).contains(&length), "{length}");
        }
    }
}
