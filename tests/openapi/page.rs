//! The document and its page over HTTP: open to anybody, and nothing of it comes from elsewhere.

use crate::{
    API, described, each_db,
    support::{Answer, App, app},
};

async fn open(app: &App, path: &str) -> Answer {
    app::send(app::client().get(app.url(path))).await
}

/// What stands between `before` and the next quotation mark.
fn quoted<'t>(text: &'t str, before: &str) -> Vec<&'t str> {
    text.split(before).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect()
}

/// Does the text name a place elsewhere?
fn leaves(text: &str) -> bool {
    text.contains("//") || text.starts_with('/')
}

each_db! {
    async fn the_document_is_served_to_anybody_and_kept_by_its_tag(db) {
        let app = App::with_repos(db, &[API]).await;
        let answer = open(&app, "/api/openapi.json").await;
        assert_eq!(answer.expect(200), described());
        let tag = answer.header("etag").expect("a tag").to_owned();
        for (seen, status) in [(tag.as_str(), 304), ("*", 304), (&format!("\"x\", {tag}"), 304), ("\"x\"", 200)] {
            let request = app::client().get(app.url("/api/openapi.json")).header("if-none-match", seen);
            let again = app::send(request).await;
            assert_eq!((again.status, again.header("etag")), (status, Some(tag.as_str())), "{seen}");
            assert_eq!(again.text.is_empty(), status == 304, "{seen}");
        }
    }

    async fn the_page_loads_nothing_from_elsewhere(db) {
        let app = App::with_repos(db, &[API]).await;
        let page = open(&app, "/api/docs").await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        let policy = page.header("content-security-policy").expect("a policy");
        for directive in policy.split(';').map(str::trim) {
            let (name, sources) = directive.split_once(' ').expect("sources");
            let allowed = |source| matches!(source, "'self'" | "'none'") || (name, source) == ("img-src", "data:");
            assert!(sources.split(' ').all(allowed), "{directive}");
        }
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
        let mut names = quoted(&page.text, "src=\"");
        names.extend(quoted(&page.text, "href=\""));
        assert!(names.len() == 6 && names.iter().all(|name| !leaves(name)), "{names:?}");
        for inline in ["<script>", "<style", " style=", " on"] {
            assert!(!page.text.contains(inline), "{inline} would be refused by the policy");
        }
        for name in names {
            let file = open(&app, &format!("/api/{name}")).await;
            let kind = file.header("content-type").expect("a type").to_owned();
            assert_eq!((file.status, file.header("x-content-type-options")), (200, Some("nosniff")), "{name}");
            assert!(file.text.len() > 40, "{name}");
            match kind.as_str() {
                "text/css" => {
                    let urls = file.text.split("url(").skip(1);
                    for url in urls {
                        assert!(url.trim_start_matches(['"', '\'']).starts_with("data:"), "{name}: {url:.60}");
                    }
                    assert!(!file.text.contains("@import"), "{name}");
                }
                "text/javascript" if name.ends_with("page.js") => {
                    let (code, _) = file.text.split_once("// Otherwise").expect("the reason");
                    assert!(!leaves(code) && file.text.contains("validatorUrl: null,"), "{}", file.text);
                    assert_eq!(quoted(&file.text, "url: \""), ["openapi.json"]);
                }
                "text/javascript" | "image/png" | "application/json" => {}
                other => panic!("{name}: {other}"),
            }
        }
    }

    async fn only_files_of_the_page_are_served(db) {
        let app = App::with_repos(db, &[API]).await;
        for name in ["index.html", "swagger-initializer.js", "oauth2-redirect.html", "%2e%2e%2fopenapi.json", "%FF", "page"] {
            let body = open(&app, &format!("/api/docs/{name}")).await.expect(404);
            assert_eq!(body["error"], "The page /api/docs has no such file", "{name}");
        }
    }
}
