//! What a status means (docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api).

use super::{
    answer::Answer,
    error::Error,
    limits::{Quota, Refusal},
    wire::Trouble,
};

/// What to make of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The body is what was asked for.
    Whole,
    NotModified,
    /// Ask where `Location` says.
    Elsewhere,
    TurnedAway(Refusal),
    Failed(Error),
}

/// Judges by status, headers and, for errors, GitHub's message; nothing of that message goes any further.
pub(super) fn judge(answer: &Answer) -> Verdict {
    let status = answer.status.as_u16();
    let error = match status {
        200 => return Verdict::Whole,
        304 => return Verdict::NotModified,
        301 | 302 | 307 | 308 => return Verdict::Elsewhere,
        401 => return Verdict::TurnedAway(Refusal::Credentials),
        403 | 429 => match limit(answer) {
            Some(refusal) => return Verdict::TurnedAway(refusal),
            None => Error::Forbidden,
        },
        404 | 410 if message(answer).is_none() => Error::NotGitHub,
        404 => Error::NotFound,
        410 => Error::IssuesDisabled,
        451 => Error::UnavailableForLegalReasons,
        500..=599 => Error::Failed { status },
        _ => Error::Unexpected { status },
    };
    Verdict::Failed(error)
}

/// The limit that a 403 or 429 speaks of, in the order GitHub documents: `Retry-After`, then the quota, then
/// no more than the words.
fn limit(answer: &Answer) -> Option<Refusal> {
    if let asked @ Some(_) = answer.retry_after() {
        return Some(Refusal::Secondary { asked });
    }
    if let Some(Quota { remaining: 0, resets_at: reset, .. }) = answer.quota() {
        return Some(Refusal::Quota { reset });
    }
    let words = message(answer).unwrap_or_default().to_ascii_lowercase();
    let is_limit =
        answer.status.as_u16() == 429 || words.contains("rate limit") || words.contains("abuse detection");
    is_limit.then_some(Refusal::Secondary { asked: None })
}

/// GitHub's errors have a message; what stands in its place usually has none.
pub(super) fn message(answer: &Answer) -> Option<String> {
    serde_json::from_slice(&answer.body).ok().map(|Trouble { message }| message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::StatusCode;

    use super::*;
    use crate::domain::time::Timestamp;

    type Headers<'a> = &'a [(&'a str, &'a str)];

    fn answer(status: u16, headers: Headers, body: &str) -> Answer {
        let named = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers = named.collect();
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
    }

    #[test]
    fn statuses() {
        let plain = r#"{"message":"Not Found","status":"404"}"#;
        let cases = [
            (200, plain, Verdict::Whole),
            (304, "", Verdict::NotModified),
            (301, plain, Verdict::Elsewhere),
            (302, "", Verdict::Elsewhere),
            (307, "", Verdict::Elsewhere),
            (308, "", Verdict::Elsewhere),
            (401, plain, Verdict::TurnedAway(Refusal::Credentials)),
            (403, plain, Verdict::Failed(Error::Forbidden)),
            (404, plain, Verdict::Failed(Error::NotFound)),
            (404, "404 page not found", Verdict::Failed(Error::NotGitHub)),
            (404, r#"{"error":"no route"}"#, Verdict::Failed(Error::NotGitHub)),
            (410, plain, Verdict::Failed(Error::IssuesDisabled)),
            (451, plain, Verdict::Failed(Error::UnavailableForLegalReasons)),
            (500, "", Verdict::Failed(Error::Failed { status: 500 })),
            (503, plain, Verdict::Failed(Error::Failed { status: 503 })),
            (204, "", Verdict::Failed(Error::Unexpected { status: 204 })),
            (303, "", Verdict::Failed(Error::Unexpected { status: 303 })),
            (422, plain, Verdict::Failed(Error::Unexpected { status: 422 })),
        ];
        for (status, body, want) in cases {
            assert_eq!(judge(&answer(status, &[], body)), want, "{status} {body}");
        }
    }

    #[test]
    fn limits() {
        let secondary = r#"{"message":"You have exceeded a secondary rate limit. Please wait."}"#;
        let abuse = r#"{"message":"You have triggered an abuse detection mechanism."}"#;
        let plain = r#"{"message":"Resource not accessible by personal access token"}"#;
        let spent = [("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9")];
        let both = [spent.as_slice(), &[("retry-after", "7")]].concat();
        let asked = |seconds| Refusal::Secondary { asked: Some(Duration::from_secs(seconds)) };
        let quota = Refusal::Quota { reset: Timestamp(9_000) };
        let words = Refusal::Secondary { asked: None };
        let cases: [(u16, Headers, &str, Option<Refusal>); 9] = [
            (403, &[("retry-after", "60")], plain, Some(asked(60))),
            (429, &[("retry-after", "60")], "", Some(asked(60))),
            (403, &spent, plain, Some(quota)),
            (429, &spent, "", Some(quota)),
            (403, &both, secondary, Some(asked(7))),
            (403, &[], secondary, Some(words)),
            (403, &[], abuse, Some(words)),
            (429, &[], "", Some(words)),
            (403, &[("x-ratelimit-remaining", "0")], plain, None),
        ];
        for (status, headers, body, want) in cases {
            assert_eq!(limit(&answer(status, headers, body)), want, "{status} {headers:?} {body}");
        }
    }
}
