//! `owner/name#7`: how issues and pull requests are named in arguments.

use std::{fmt, str::FromStr};

use crate::domain::repo::RepoName;

/// An issue or a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub repo: RepoName,
    pub number: i64,
    /// The page, where that was given.
    pub url: Option<String>,
}

/// The text names neither an issue nor a pull request.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("write it as owner/name#7, or as the address of its page")]
pub struct NotAReference;

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.repo, self.number)
    }
}

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        let text = text.trim();
        if text.starts_with("https://") || text.starts_with("http://") {
            return of_page(text).ok_or(NotAReference);
        }
        let (repo, number) = text.rsplit_once('#').ok_or(NotAReference)?;
        of(repo, number, None).ok_or(NotAReference)
    }
}

/// Enterprise Server has pages of the same form, perhaps below a path of its own.
fn of_page(text: &str) -> Option<Reference> {
    let page = text.parse::<url::Url>().ok()?;
    let parts: Vec<&str> = page.path_segments()?.filter(|part| !part.is_empty()).collect();
    let at = parts.iter().rposition(|part| matches!(*part, "issues" | "pull"))?;
    let (owner, name) = (parts.get(at.checked_sub(2)?)?, parts.get(at - 1)?);
    of(&format!("{owner}/{name}"), parts.get(at + 1)?, Some(text.to_owned()))
}

fn of(repo: &str, number: &str, url: Option<String>) -> Option<Reference> {
    let is_plain = number.bytes().all(|digit| digit.is_ascii_digit());
    let number = number.parse().ok().filter(|number| is_plain && *number > 0)?;
    Some(Reference { repo: repo.parse().ok()?, number, url })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read() {
        let cases = [
            ("acme/api#7", Some(("acme/api", 7))),
            (" acme/a.b-c#123 ", Some(("acme/a.b-c", 123))),
            ("https://github.com/acme/api/pull/43", Some(("acme/api", 43))),
            ("https://github.com/acme/api/issues/9#issuecomment-1", Some(("acme/api", 9))),
            ("https://git.example/hub/acme/issues/issues/9/", Some(("acme/issues", 9))),
            ("http://127.0.0.1:4010/acme/api/pull/2/files", Some(("acme/api", 2))),
            ("acme/api", None),
            ("acme#7", None),
            ("#7", None),
            ("acme/api#0", None),
            ("acme/api#+7", None),
            ("acme/api#-7", None),
            ("acme/api#7x", None),
            ("a/b/c#7", None),
            ("https://github.com/acme/api", None),
            ("https://github.com/issues/7", None),
            ("ftp://github.com/acme/api/issues/7", None),
        ];
        for (text, want) in cases {
            let read = text.parse::<Reference>().ok();
            assert_eq!(read.as_ref().map(|read| (read.repo.as_str(), read.number)), want, "{text}");
        }
        let page = "https://github.com/acme/api/pull/43".parse::<Reference>().unwrap();
        assert_eq!(page.url.as_deref(), Some("https://github.com/acme/api/pull/43"));
        assert_eq!(page.to_string(), "acme/api#43");
    }
}
