//! What a comment asks for, by its words (`contract/operations.md` 5.2): no model reads it.

use super::BLOCKED_MARKER;

/// Comments that tell how things are and ask for nothing.
const INFORMATIONAL: [&str; 3] = ["<!-- Sticky Pull Request Comment", BLOCKED_MARKER, "<!-- dispatch:"];
const REVIEWER: &str = "<!-- ai-pr-reviewer:";

/// Such a comment asks for nothing, unless a reviewer that is a machine says in it what it found.
pub fn is_informational(text: &str) -> bool {
    let findings = text.split_once(REVIEWER).and_then(|(_, rest)| rest.split_once("-->"));
    let is_review =
        findings.is_some_and(|(json, _)| serde_json::from_str::<serde_json::Value>(json.trim()).is_ok());
    !is_review && INFORMATIONAL.iter().any(|mark| text.contains(mark))
}

/// Does a comment say what is wrong, or what to change?
pub fn is_actionable(text: &str) -> bool {
    text.lines().any(|line| {
        let lower = line.to_lowercase();
        tells_of_error(&lower) || tells_of_failure(&lower) || tells_what_to_change(&lower)
    })
}

/// "`TypeError`: x is not a function", "assertion failed".
fn tells_of_error(line: &str) -> bool {
    let is_said = ["error:", "exception:"]
        .iter()
        .any(|word| line.split_once(word).is_some_and(|(_, text)| text.trim().len() > 2));
    is_said
        || line.contains("assertionerror")
        || line.contains("assertion failed")
        || line.contains("panicked at")
}

/// "the tests fail", "lint is broken", "failed with 3 errors".
fn tells_of_failure(line: &str) -> bool {
    const WHAT: [&str; 9] = ["test", "tests", "spec", "specs", "ci", "lint", "build", "typecheck", "check"];
    const HOW: [&str; 8] = ["fail", "fails", "failed", "failing", "broken", "breaks", "failure", "red"];
    let words: Vec<&str> =
        line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let what = words.iter().position(|word| WHAT.contains(word));
    let how = words.iter().position(|word| HOW.contains(word));
    let with_number = words.windows(3).any(|three| {
        HOW.contains(&three[0]) && three[1] == "with" && three[2].bytes().all(|b| b.is_ascii_digit())
    });
    with_number || what.zip(how).is_some_and(|(what, how)| what.abs_diff(how) <= 4)
}

/// "replace `a` with `b`", "use x to …", "remove `dead_code`".
fn tells_what_to_change(line: &str) -> bool {
    let words =
        line.split(|c: char| !(c.is_alphanumeric() || c == '`' || c == '_')).filter(|word| !word.is_empty());
    let all: Vec<&str> = words.collect();
    let has_code = line.matches('`').count() >= 2;
    all.iter().enumerate().any(|(at, word)| {
        let rest = &all[at + 1..];
        match *word {
            "change" | "replace" | "use" => {
                rest.len() >= 3 && rest[1..].iter().take(8).any(|word| ["to", "with"].contains(word))
            }
            "add" | "remove" | "move" | "rename" => {
                has_code && rest.iter().take(6).any(|word| word.contains('`'))
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_that_ask_for_something() {
        for (body, want) in [
            ("TypeError: x is not a function", true),
            ("error: ", false),
            ("assertion failed: a == b", true),
            ("the tests are failing on main", true),
            ("CI is red", true),
            ("failed with 3 errors", true),
            ("replace `foo` with `bar`", true),
            ("use a map to look it up", true),
            ("please remove `dead_code`", true),
            ("please remove it", false),
            ("looks good to me", false),
            ("thanks!", false),
        ] {
            assert_eq!(is_actionable(body), want, "{body}");
        }
    }

    #[test]
    fn comments_that_only_tell() {
        for (body, want) in [
            ("tests failed", false),
            ("<!-- Sticky Pull Request Comment --> tests failed", true),
            ("<!-- dispatch-pr-fix-blocked --> tests failed", true),
            ("tests failed\n\n<!-- dispatch:019b -->", true),
            ("<!-- Sticky Pull Request Comment --> <!-- ai-pr-reviewer:{\"a\":1} --> tests failed", false),
            ("<!-- Sticky Pull Request Comment --> <!-- ai-pr-reviewer:{nonsense --> tests failed", true),
        ] {
            assert_eq!(is_informational(body), want, "{body}");
        }
    }
}
