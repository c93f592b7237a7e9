//! What a request is about and what came of it, in a word each: for counting. No word names a repository.

use reqwest::Method;
use url::Url;

use super::{
    answer::Answer,
    error::Error,
    limits::Refusal,
    verdict::{Verdict, judge},
};

/// By method and path below the API's address.
pub(super) fn kind(method: &Method, api: &Url, url: &Url) -> &'static str {
    let above = segments(api).count();
    let path: Vec<&str> = segments(url).skip(above).collect();
    let inside = match path.as_slice() {
        ["repos", _, _, inside @ ..] | ["repositories", _, inside @ ..] => inside,
        ["app", "installations", _, "access_tokens"] => return "token",
        ["app", "hook", "deliveries", ..] => return deliveries(method),
        _ => return "other",
    };
    match (method.as_str(), inside) {
        ("GET", []) => "repository",
        ("GET", ["issues"]) => "issues",
        ("GET", ["issues", _]) => "issue",
        ("GET", ["issues", _, "dependencies", "blocked_by"]) => "blockers",
        ("GET", ["issues", _, "comments"]) => "comments",
        ("GET", ["pulls", _, "reviews"]) => "reviews",
        ("GET", ["commits", _, "check-runs"]) => "checks",
        ("GET", ["pulls", ..]) => "pulls",
        ("GET", ["commits", ..]) => "commits",
        ("GET", ["actions", ..]) => "actions",
        ("POST", ["issues", _, "labels"]) => "add_labels",
        ("DELETE", ["issues", _, "labels", _]) => "remove_label",
        ("POST", ["issues", _, "comments"]) => "comment",
        ("PATCH", ["issues", _]) => "edit_issue",
        ("POST", ["issues"]) => "create_issue",
        (_, ["hooks", _, "deliveries", ..]) => deliveries(method),
        (_, ["hooks", ..]) => "webhooks",
        _ => "other",
    }
}

fn deliveries(method: &Method) -> &'static str {
    if *method == Method::POST { "redeliver" } else { "deliveries" }
}

/// What came of it.
pub(super) fn result(outcome: &Result<Answer, Error>) -> &'static str {
    match outcome {
        Ok(answer) if answer.status.is_success() => "ok",
        Ok(answer) => match judge(answer) {
            Verdict::Whole => "ok",
            Verdict::NotModified => "not_modified",
            Verdict::Elsewhere => "moved",
            Verdict::TurnedAway(Refusal::Quota { .. } | Refusal::Secondary { .. }) => "limited",
            Verdict::TurnedAway(Refusal::Credentials | Refusal::App(_)) => "unauthorized",
            Verdict::Failed(error) => match error {
                Error::Forbidden => "forbidden",
                Error::NotFound | Error::IssuesDisabled | Error::UnavailableForLegalReasons => "not_found",
                Error::Failed { .. } => "server_error",
                _ => "unexpected",
            },
        },
        Err(Error::TimedOut) => "timed_out",
        Err(_) => "lost",
    }
}

fn segments(url: &Url) -> impl Iterator<Item = &str> {
    url.path_segments().into_iter().flatten().filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use reqwest::{StatusCode, header::HeaderMap};

    use super::*;

    #[test]
    fn kinds_by_method_and_path() {
        let cases = [
            ("GET", "/repos/acme/api", "repository"),
            ("GET", "/repositories/7", "repository"),
            ("GET", "/repos/acme/api/issues?state=all", "issues"),
            ("GET", "/repositories/7/issues?page=2", "issues"),
            ("GET", "/repos/acme/api/issues/5", "issue"),
            ("GET", "/repos/acme/api/issues/5/dependencies/blocked_by", "blockers"),
            ("GET", "/repos/acme/api/pulls?state=open", "pulls"),
            ("GET", "/repositories/7/pulls/5/reviews?page=2", "reviews"),
            ("GET", "/repos/acme/api/commits/abc/check-runs", "checks"),
            ("POST", "/repos/acme/api/issues/5/labels", "add_labels"),
            ("DELETE", "/repos/acme/api/issues/5/labels/status%2Fready", "remove_label"),
            ("POST", "/repos/acme/api/issues/5/comments", "comment"),
            ("PATCH", "/repos/acme/api/issues/5", "edit_issue"),
            ("POST", "/repos/acme/api/issues", "create_issue"),
            ("GET", "/repos/acme/api/actions/runs/3/jobs", "actions"),
            ("POST", "/app/installations/9/access_tokens", "token"),
            ("GET", "/repos/acme/api/hooks", "webhooks"),
            ("GET", "/repos/acme/api/hooks/7/deliveries", "deliveries"),
            ("POST", "/app/hook/deliveries/9/attempts", "redeliver"),
            ("GET", "/repos/acme/api/keys", "other"),
            ("GET", "/", "other"),
        ];
        for base in ["https://api.github.com", "https://github.example.com/api/v3"] {
            let api: Url = base.parse().unwrap();
            for (method, path, want) in cases {
                let url: Url = format!("{base}{path}").parse().unwrap();
                assert_eq!(kind(&method.parse().unwrap(), &api, &url), want, "{method} {url}");
            }
        }
    }

    #[test]
    fn results_by_status() {
        let said = r#"{"message":"x"}"#;
        let cases = [
            (200, "ok"),
            (201, "ok"),
            (204, "ok"),
            (304, "not_modified"),
            (301, "moved"),
            (401, "unauthorized"),
            (403, "forbidden"),
            (404, "not_found"),
            (410, "not_found"),
            (422, "unexpected"),
            (429, "limited"),
            (502, "server_error"),
        ];
        for (status, want) in cases {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = Answer { status, headers: HeaderMap::new(), body: said.into() };
            assert_eq!(result(&Ok(answer)), want, "{status}");
        }
        assert_eq!(result(&Err(Error::TimedOut)), "timed_out");
        assert_eq!(result(&Err(Error::ConnectionLost)), "lost");
    }
}
