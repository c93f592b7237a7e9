//! Which issues a pull request is about: closing keywords in its text
//! (docs.github.com/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue), and the
//! name of its branch (`contract/operations.md` 1.8).

use crate::domain::{
    dependencies::{one, prose, stands_alone},
    ids::IssueNumber,
    repo::RepoName,
};

/// Why a pull request counts as being about an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum LinkedBy {
    /// Merging it closes the issue.
    Keyword,
    /// Its branch bears the issue's number.
    Branch,
}

/// A pull request that names more issues than this is about none of the others.
const LINKS_MAX: usize = 50;

const KEYWORDS: [&str; 9] =
    ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];

/// The issues of `own` that merging closes by this text, each once, as they stand in it. What stands in code and
/// quotations does not count.
pub fn closed_by(text: &str, own: &RepoName) -> Vec<IssueNumber> {
    let text = prose(text);
    let lower = text.to_ascii_lowercase();
    let mut spots: Vec<usize> = KEYWORDS
        .iter()
        .flat_map(|keyword| lower.match_indices(keyword).map(|(at, _)| (at, at + keyword.len())))
        .filter(|&(start, end)| stands_alone(&lower, start, end))
        .map(|(_, end)| end)
        .collect();
    spots.sort_unstable();
    let mut all = Vec::new();
    for number in spots.into_iter().filter_map(|end| reference(&text[end..], own)) {
        if all.len() == LINKS_MAX {
            break;
        }
        if !all.contains(&number) {
            all.push(number);
        }
    }
    all
}

/// The issue that stands right behind a keyword, if it is one of `own`.
fn reference(rest: &str, own: &RepoName) -> Option<IssueNumber> {
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let word = rest.strip_prefix([' ', '\t', '\n'])?.trim_start();
    let word = word.split(|c: char| c.is_whitespace() || c == ',').next()?;
    let word = word.trim_matches(|c: char| "()[]<>.;:!?*_\"'".contains(c));
    let found = one(word, own)??;
    (found.repo == *own).then_some(found.number)
}

/// The issue whose number a branch bears: `issue-7`, `fix/issue_7-slow`, `Issue7`.
pub fn named_by(branch: &str) -> Option<IssueNumber> {
    let lower = branch.to_ascii_lowercase();
    lower.match_indices("issue").find_map(|(at, word)| {
        let rest = &lower[at + word.len()..];
        let rest = rest.strip_prefix(['-', '_', '/']).unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number = rest[..end].parse().ok().filter(|number| *number > 0)?;
        Some(IssueNumber(number))
    })
}

/// Everything that a pull request is about, what it names first at the head: by its title, its text, its branch. The title
/// counts beside a text too (`contract/operations.md` 12.2, fault 6).
pub fn links(
    body: Option<&str>,
    title: &str,
    branch: Option<&str>,
    own: &RepoName,
) -> Vec<(IssueNumber, LinkedBy)> {
    let mut named = closed_by(title, own);
    let more = body.map(|body| closed_by(body, own)).unwrap_or_default();
    for number in more {
        if !named.contains(&number) {
            named.push(number);
        }
    }
    named.truncate(LINKS_MAX);
    let mut all: Vec<_> = named.into_iter().map(|number| (number, LinkedBy::Keyword)).collect();
    all.extend(branch.and_then(named_by).map(|number| (number, LinkedBy::Branch)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(text: &str) -> Vec<i64> {
        closed_by(text, &"acme/api".parse().unwrap()).into_iter().map(|number| number.0).collect()
    }

    #[test]
    fn keywords_before_references_of_the_same_repository_close() {
        let cases: [(&str, &[i64]); 23] = [
            ("Fixes #7", &[7]),
            ("fix #7", &[7]),
            ("FIXED #7.", &[7]),
            ("close #1, closes #2 and closed #3", &[1, 2, 3]),
            ("Resolve #1\nresolves: #2\nresolved\n#3", &[1, 2, 3]),
            ("fixes acme/api#7 and fixes ACME/API#8", &[7, 8]),
            ("fixes https://github.com/acme/api/issues/7", &[7]),
            ("(fixes #7)", &[7]),
            ("**Closes #7**", &[7]),
            ("- closes #7\n- closes #7", &[7]),
            ("fixes #9, closes #3 and resolves #9", &[9, 3]),
            // Each issue needs a keyword of its own.
            ("fixes #1, #2", &[1]),
            ("fixes #1 and #2", &[1]),
            ("fixes acme/web#7", &[]),
            ("fixes https://github.com/acme/web/issues/7", &[]),
            ("fixes https://github.com/acme/api/pull/7", &[]),
            ("prefixes #7, fixing #7, suffix #8", &[]),
            ("fixes the bug of #7", &[]),
            ("fixes#7", &[]),
            ("fixes #0 fixes #-1 fixes #x", &[]),
            ("`fixes #7`", &[]),
            ("```\nfixes #7\n```\n> fixes #8", &[]),
            ("see #7", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(closed(text), expected, "{text:?}");
        }
    }

    #[test]
    fn branches_bear_numbers() {
        let cases = [
            ("issue-7", Some(7)),
            ("issue_7", Some(7)),
            ("issue/7", Some(7)),
            ("issue7", Some(7)),
            ("fix/ISSUE-12-slow-search", Some(12)),
            ("tissue-5", Some(5)),
            ("issues-7", None),
            ("issue--7", None),
            ("fix/7", None),
            ("issue-0", None),
            ("issue-x-issue-8", Some(8)),
            ("issue-99999999999999999999", None),
        ];
        for (branch, expected) in cases {
            assert_eq!(named_by(branch), expected.map(IssueNumber), "{branch}");
        }
    }

    #[test]
    fn the_title_the_text_and_the_branch_count() {
        let own = "acme/api".parse().unwrap();
        let of = |body, branch| -> Vec<(i64, LinkedBy)> {
            links(body, "Fixes #1", branch, &own).into_iter().map(|(number, by)| (number.0, by)).collect()
        };
        assert_eq!(of(None, None), [(1, LinkedBy::Keyword)]);
        assert_eq!(of(Some(""), Some("main")), [(1, LinkedBy::Keyword)]);
        let after = [(1, LinkedBy::Keyword), (2, LinkedBy::Keyword), (3, LinkedBy::Branch)];
        assert_eq!(of(Some("closes #2, fixes #1"), Some("issue-3")), after, "a branch comes after the text");
    }

    #[test]
    fn there_is_an_end_to_it() {
        let text: Vec<String> = (1..=200).map(|n| format!("fixes #{n} ")).collect();
        assert_eq!(closed(&text.concat()).len(), LINKS_MAX);
    }
}
