//! One request of an examination: out once, back with all that its answer says.

use reqwest::{
    StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};
use serde::de::DeserializeOwned;
use url::Url;

use super::{Silence, Trouble};
use crate::github::{
    answer::Answer,
    client::{Client, VERSION, receive},
    error::Error,
    verdict::{Verdict, judge, message},
};

/// Asks once; any status is an answer.
pub(super) async fn ask(client: &Client, url: &Url, shown: Option<&HeaderValue>) -> Result<Answer, Trouble> {
    let mut request = client.http.get(url.clone()).header("x-github-api-version", VERSION);
    if let Some(header) = shown {
        request = request.header(AUTHORIZATION, header);
    }
    let silent = |error: reqwest::Error| {
        tracing::debug!(path = url.path(), ?error, "an examination got no answer");
        Trouble::Silent(Silence::of(&error))
    };
    let answer = receive(request.send().await.map_err(silent)?).await?;
    tracing::debug!(path = url.path(), status = answer.status.as_u16(), "examined at GitHub");
    if answer.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Err(Trouble::Silent(Silence::Proxy));
    }
    Ok(answer)
}

/// What an answer holds, or why it holds nothing.
pub(super) fn content<T: DeserializeOwned>(client: &Client, answer: &Answer) -> Result<T, Trouble> {
    match judge(answer) {
        Verdict::Whole => Ok(answer.json()?),
        Verdict::NotModified => Err(Error::Unexpected { status: 304 }.into()),
        Verdict::Elsewhere => Err(Error::RedirectRefused.into()),
        Verdict::TurnedAway(refusal) => Err(client.limits.turned_away(refusal).into()),
        Verdict::Failed(Error::Forbidden) => {
            Err(accepted(answer).map_or(Error::Forbidden.into(), Trouble::Lacks))
        }
        Verdict::Failed(error) => Err(error.into()),
    }
}

/// Is this GitHub's answer to an anonymous `GET /rate_limit`? An Enterprise Server may refuse it (private mode) or
/// have no limits; both it says in GitHub's form.
pub(super) fn is_github(answer: &Answer) -> Result<(), Error> {
    if answer.status.is_redirection() {
        return Err(Error::RedirectRefused);
    }
    if answer.status == StatusCode::OK {
        return answer.json::<super::wire::RateLimits>().map(drop).map_err(|_| Error::NotGitHub);
    }
    let is_signed = answer.headers.contains_key("x-github-request-id");
    let said = message(answer).filter(|_| is_signed);
    match (answer.status.as_u16(), said) {
        (status @ 500..=599, _) => Err(Error::Failed { status }),
        // GitHub, asked below a wrong path, says no more than "Not Found".
        (404, Some(said)) if !said.to_ascii_lowercase().contains("rate limiting") => Err(Error::NotGitHub),
        (_, Some(_)) => Ok(()),
        (_, None) => Err(Error::NotGitHub),
    }
}

/// The scopes of a classic token (docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps).
pub(super) fn scopes(answer: &Answer) -> Option<Vec<String>> {
    let text = answer.headers.get("x-oauth-scopes")?.to_str().ok()?;
    Some(text.split(',').map(|scope| scope.trim().to_owned()).filter(|scope| !scope.is_empty()).collect())
}

/// The permissions that a 403 asks for, if it says so in the documented form
/// (docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api#resource-not-accessible).
fn accepted(answer: &Answer) -> Option<String> {
    let text = answer.headers.get("x-accepted-github-permissions")?.to_str().ok()?;
    let is_plain = |c: char| c.is_ascii_lowercase() || "_=;, ".contains(c);
    (text.len() <= 100 && !text.is_empty() && text.chars().all(is_plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let named = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers = named.collect();
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
    }

    #[test]
    fn github_is_known_by_its_form() {
        let limits = r#"{"resources":{"core":{"limit":60,"remaining":59,"reset":1}}}"#;
        let said = r#"{"message":"Rate limiting is not enabled."}"#;
        let signed = [("x-github-request-id", "1"), ("content-type", "application/json")];
        let lost = r#"{"message":"Not Found"}"#;
        let unsigned = &signed[1..];
        let cases = [
            (404, signed.as_slice(), lost, Err(Error::NotGitHub)),
            (200, unsigned, limits, Ok(())),
            (200, unsigned, "<html>", Err(Error::NotGitHub)),
            (200, unsigned, r#"{"ok":true}"#, Err(Error::NotGitHub)),
            (404, signed.as_slice(), said, Ok(())),
            (401, signed.as_slice(), said, Ok(())),
            (404, unsigned, said, Err(Error::NotGitHub)),
            (404, signed.as_slice(), "<html>", Err(Error::NotGitHub)),
            (302, signed.as_slice(), "", Err(Error::RedirectRefused)),
            (502, unsigned, "", Err(Error::Failed { status: 502 })),
        ];
        for (status, headers, body, want) in cases {
            assert_eq!(is_github(&answer(status, headers, body)), want, "{status} {body}");
        }
    }

    #[test]
    fn headers_are_read_and_nonsense_is_not_passed_on() {
        let of = |name, value| answer(403, &[(name, value)], "");
        assert_eq!(
            scopes(&of("x-oauth-scopes", "repo, read:org")),
            Some(vec!["repo".into(), "read:org".into()])
        );
        assert_eq!(scopes(&of("x-oauth-scopes", "")), Some(vec![]));
        assert_eq!(scopes(&of("x-other", "")), None);
        let needed = |value| accepted(&of("x-accepted-github-permissions", value));
        assert_eq!(
            needed("issues=read; pull_requests=read").as_deref(),
            Some("issues=read; pull_requests=read")
        );
        assert_eq!(needed("<b>ghp_SECRET</b>"), None);
    }
}
