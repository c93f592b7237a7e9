//! What became of an issue.

use super::*;

/// How a number is looked up: what the issue, its redirect and the repository answer, and what that means.
async fn look_up(answer: impl Fn(&str) -> Response<Body> + Clone + Send + Sync + 'static) -> String {
    let server = Server::new(move |path, _| answer(path)).await;
    match server.github().issue(&repo(), IssueNumber(7)).await {
        Ok(Lookup::Issue(issue)) => format!("issue {}", issue.number),
        Ok(Lookup::Pull(pull)) => format!("pull {}", pull.number),
        Ok(Lookup::Gone) => "gone".to_owned(),
        Ok(Lookup::Moved) => "moved".to_owned(),
        Err(error) => error.code().name().to_owned(),
    }
}

#[tokio::test]
async fn an_issue_is_there_or_gone_or_out_of_reach() {
    assert_eq!(look_up(|_| answer(200, item(7, "a/b").to_string())).await, "issue 7");
    let mut pull = item(7, "a/b");
    pull["pull_request"] = json!({ "merged_at": null });
    assert_eq!(look_up(move |_| answer(200, pull.to_string())).await, "pull 7");
    for (issue, has_issues, want) in
        [(404, true, "gone"), (410, true, "gone"), (410, false, "issues_disabled")]
    {
        let answers = move |path: &str| {
            if path.ends_with("/7") { trouble(issue) } else { repository("a/b", has_issues) }
        };
        assert_eq!(look_up(answers).await, want, "{issue} {has_issues}");
    }
    assert_eq!(look_up(|_| trouble(404)).await, "repo_not_found");
    assert_eq!(look_up(|_| trouble(403)).await, "repo_forbidden");
}

#[tokio::test]
async fn a_transfer_is_told_from_a_new_name() {
    let cases = [
        ("renamed", ("/repositories/1/issues/7", 7, "a/new"), "a/new", "issue 7"),
        ("transferred", ("/repositories/2/issues/9", 9, "a/c"), "a/b", "moved"),
        ("transferred to the same number", ("/repositories/2/issues/7", 7, "a/c"), "a/b", "moved"),
    ];
    for (what, (location, number, home), name, want) in cases {
        let answers = move |path: &str| match path {
            "/repos/a/b/issues/7" => with(trouble(301), "location", location),
            "/repos/a/b" => repository(name, true),
            _ => answer(200, item(number, home).to_string()),
        };
        assert_eq!(look_up(answers).await, want, "{what}");
    }
    let out_of_reach = |path: &str| match path {
        "/repos/a/b/issues/7" => with(trouble(301), "location", "/repositories/2/issues/7"),
        "/repos/a/b" => repository("a/b", true),
        _ => trouble(404),
    };
    assert_eq!(look_up(out_of_reach).await, "gone");
}
