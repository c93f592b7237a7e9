//! What an issue waits for: references in its text (`contract/agents.md` 3.5) and GitHub's own "blocked by".

use std::cmp::Reverse;

use super::{ids::IssueNumber, repo::RepoName};

/// An issue that another one waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    pub repo: RepoName,
    pub number: IssueNumber,
}

/// An issue waits for at most so many others; what its text names beyond them is left out.
const BLOCKERS_MAX: usize = 100;

/// Phrases after which references count.
const TRIGGERS: [&str; 13] = [
    "blocked by",
    "blocked on",
    "blocking issue",
    "depends on",
    "depends upon",
    "depend on",
    "depend upon",
    "depended on",
    "dependency on",
    "dependencies on",
    "requirements:",
    "requires",
    "require",
];

/// Words that turn a phrase into its opposite when they stand before it in its clause.
const NEGATIONS: [&str; 7] = ["no", "not", "never", "without", "neither", "nor", "cannot"];

/// The blockers that the text of an issue of `own` names, in their order, without doubles and without itself.
/// What stands in code blocks, code spans and quotes does not count.
pub fn blockers_in(text: &str, own: &RepoName, itself: IssueNumber) -> Vec<Blocker> {
    let text = prose(text);
    let lower = text.to_ascii_lowercase();
    let mut found: Vec<Blocker> = Vec::new();
    let mut read_to = 0;
    for (start, end) in triggers(&lower) {
        if start < read_to || is_negated(&lower[..start]) {
            continue;
        }
        read_to = end;
        for blocker in references(&text[end..], own) {
            let is_itself = blocker.number == itself && blocker.repo == *own;
            if !is_itself && !found.contains(&blocker) && found.len() < BLOCKERS_MAX {
                found.push(blocker);
            }
        }
    }
    found
}

/// The text with code and quotations blanked.
pub(super) fn prose(text: &str) -> String {
    let mut fence: Option<&str> = None;
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        let trimmed = line.trim_start();
        let marker = ["```", "~~~"].into_iter().find(|marker| trimmed.starts_with(marker));
        match (fence, marker) {
            (None, Some(opening)) => fence = Some(opening),
            (Some(open), Some(closing)) if open == closing => fence = None,
            (Some(_), _) => {}
            (None, None) if trimmed.starts_with('>') => {}
            (None, None) => without_spans(line, &mut kept),
        }
        kept.push('\n');
    }
    kept
}

/// Leaves the code spans of a line out.
fn without_spans(line: &str, kept: &mut String) {
    let parts: Vec<&str> = line.split('`').collect();
    let last = parts.len() - 1;
    for (n, part) in parts.into_iter().enumerate() {
        // An opening backtick without a closing one opens nothing.
        if n % 2 == 0 || n == last {
            kept.push_str(part);
        }
        kept.push(' ');
    }
}

/// The phrases that stand as words of their own, each by its start and end, in order; of several that begin at
/// one place the longest comes first.
fn triggers(lower: &str) -> Vec<(usize, usize)> {
    let spots = TRIGGERS
        .iter()
        .flat_map(|trigger| lower.match_indices(trigger).map(|(at, _)| (at, at + trigger.len())));
    let mut whole: Vec<_> = spots.filter(|&(start, end)| stands_alone(lower, start, end)).collect();
    whole.sort_unstable_by_key(|&(start, end)| (start, Reverse(end)));
    whole
}

pub(super) fn stands_alone(lower: &str, start: usize, end: usize) -> bool {
    let before = lower[..start].chars().next_back();
    let after = lower[end..].chars().next();
    let ends = lower[..end].ends_with(':') || !after.is_some_and(char::is_alphanumeric);
    ends && !before.is_some_and(char::is_alphanumeric)
}

/// Does the clause before a phrase deny it?
fn is_negated(before: &str) -> bool {
    let clause = before.rsplit(['.', '!', '?', ',', ';', ':', '\n']).next().unwrap_or_default();
    clause.split_whitespace().any(|word| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'' && c != '\u{2019}');
        NEGATIONS.contains(&word) || word.ends_with("'t") || word.ends_with("\u{2019}t")
    })
}

/// The references that follow one another, up to the first word that is none.
fn references(rest: &str, own: &RepoName) -> Vec<Blocker> {
    let mut found = Vec::new();
    let mut rest = rest;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || ",&+/:".contains(c));
        if let Some(after) = strip_and(rest) {
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || ",&+".contains(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        let Some(references) = in_word(word, own) else { return found };
        found.extend(references);
        rest = &rest[end..];
    }
}

fn strip_and(rest: &str) -> Option<&str> {
    let head = rest.get(..3)?;
    let after = &rest[3..];
    (head.eq_ignore_ascii_case("and") && after.starts_with(char::is_whitespace)).then_some(after)
}

/// A word that is a reference, or several with slashes between ("#1/#2"); `None` for any other word.
fn in_word(word: &str, own: &RepoName) -> Option<Vec<Blocker>> {
    let word = word.trim_matches(|c: char| "()[]<>.;!?*_\"'".contains(c));
    if word.is_empty() {
        return None;
    }
    if let Some(blocker) = one(word, own) {
        return Some(blocker.into_iter().collect());
    }
    let parts: Option<Vec<_>> = word.split('/').map(|part| one(part, own)).collect();
    parts.map(|parts| parts.into_iter().flatten().collect())
}

/// One reference: `#N`, `owner/repo#N`, or the address of an issue. `Some(None)` for one without meaning (`#0`).
#[expect(clippy::option_option, reason = "no reference, a void one, a good one")]
pub(super) fn one(word: &str, own: &RepoName) -> Option<Option<Blocker>> {
    let (repo, number) = match word.split_once('#') {
        Some(("", number)) => (own.clone(), number),
        Some((repo, number)) if !repo.contains("://") => (repo.parse().ok()?, number),
        _ => {
            let path =
                ["https://github.com/", "http://github.com/"].iter().find_map(|p| word.strip_prefix(p))?;
            let mut parts = path.split('/');
            let repo = format!("{}/{}", parts.next()?, parts.next()?).parse().ok()?;
            let kind = parts.next()?;
            if kind != "issues" {
                return None;
            }
            let number = parts.next()?;
            (repo, number.split(['#', '?']).next().unwrap_or_default())
        }
    };
    if number.is_empty() || !number.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let number = number.parse::<i64>().ok()?;
    Some((number > 0).then_some(Blocker { repo, number: IssueNumber(number) }))
}

/// Why an issue is held back: `Blocked by open #5, owner/repo#9`.
pub fn reason(own: &RepoName, open: &[Blocker]) -> String {
    let name = |blocker: &Blocker| {
        if blocker.repo == *own {
            format!("#{}", blocker.number)
        } else {
            format!("{}#{}", blocker.repo, blocker.number)
        }
    };
    match open {
        [] => String::new(),
        open => format!("Blocked by open {}", open.iter().map(name).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let own: RepoName = "acme/api".parse().unwrap();
        let name = |b: &Blocker| {
            if b.repo == own { format!("#{}", b.number) } else { format!("{}#{}", b.repo, b.number) }
        };
        blockers_in(text, &own, IssueNumber(7)).iter().map(name).collect()
    }

    #[test]
    fn references_after_a_phrase_count() {
        let cases: [(&str, &[&str]); 22] = [
            ("Blocked by #5", &["#5"]),
            ("blocked on #5, #6 and acme/web#9.", &["#5", "#6", "acme/web#9"]),
            ("Depends on: #5 & #6 + #8", &["#5", "#6", "#8"]),
            ("depends upon #5/#6", &["#5", "#6"]),
            ("depended on https://github.com/acme/web/issues/3", &["acme/web#3"]),
            ("It has a dependency on (#5).", &["#5"]),
            ("dependencies on #1\nand #2", &["#1", "#2"]),
            ("Requires #5", &["#5"]),
            ("Requirements: #5, #6", &["#5", "#6"]),
            ("blocking issue #5", &["#5"]),
            ("BLOCKED BY #5. Depends on #5", &["#5"]),
            ("required by #5", &[]),
            ("Blocked by the release of #5", &[]),
            ("blocked by #0, #5", &["#5"]),
            ("blocked by #7", &[]),
            ("blocked by acme/api#7 and other/api#7", &["other/api#7"]),
            ("see #5", &[]),
            ("unblocked by #5", &[]),
            ("blocked by https://github.com/acme/web/pull/3", &[]),
            ("blocked by https://example.com/acme/web/issues/3", &[]),
            ("Blocked by #99999999999999999999", &[]),
            ("", &[]),
        ];
        for (text, want) in cases {
            assert_eq!(found(text), want, "{text}");
        }
    }

    #[test]
    fn a_denial_in_the_clause_counts() {
        for text in [
            "Not blocked by #5",
            "This is no longer blocked by #5",
            "It doesn't depend on #5",
            "can be done without depends on #5",
            "This cannot require #5",
            "isn\u{2019}t blocked by #5",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
        assert_eq!(found("This is not easy. Blocked by #5"), ["#5"]);
        assert_eq!(found("Nothing here: blocked by #5"), ["#5"]);
    }

    #[test]
    fn code_and_quotes_do_not_count() {
        let text = "```\nblocked by #1\n```\n> blocked by #2\n`blocked by #3`\n~~~\n```\nrequires #4\n~~~\nblocked by #5";
        assert_eq!(found(text), ["#5"]);
    }

    #[test]
    fn no_text_breaks_it() {
        for text in
            ["blocked by", "blocked by ä#1", "ärequires #5", "requires \u{1F600}#1", "and", "blocked by and"]
        {
            let _ = found(text);
        }
        let long = "blocked by #1 ".repeat(5_000);
        assert_eq!(found(&long), ["#1"]);
    }

    #[test]
    fn the_reason_names_other_repositories() {
        let own: RepoName = "acme/api".parse().unwrap();
        let open = blockers_in("blocked by #5, owner/repo#9", &own, IssueNumber(1));
        assert_eq!(reason(&own, &open), "Blocked by open #5, owner/repo#9");
        assert_eq!(reason(&own, &[]), "");
    }
}
