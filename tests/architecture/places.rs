//! What may stand where: crates and calls that belong to one place.

use crate::source::Source;

/// Code that only some places may hold; `code` is tokens with a space between.
struct Place {
    code: &'static str,
    allowed: &'static [&'static str],
    reason: &'static str,
}

const fn only(code: &'static str, allowed: &'static [&'static str], reason: &'static str) -> Place {
    Place { code, allowed, reason }
}

const NOWHERE: &[&str] = &[];

const PLACES: [Place; 26] = [
    only("sqlx ::", &["src/store/"], "SQL stands in `store`; `domain` only derives `sqlx::Type`"),
    only(
        "reqwest ::",
        &["src/github/", "src/cli/"],
        "GitHub is spoken to by `github`, servers of ours by `cli`",
    ),
    only(
        "rustls ::",
        &["src/github/", "src/cli/client.rs"],
        "GitHub is spoken to by `github`, servers of ours by `cli`",
    ),
    only("axum ::", &["src/http/", "src/cli/serve.rs"], "HTTP is served by `http`"),
    only("tower_http ::", &["src/http/"], "HTTP is served by `http`"),
    only(
        "utoipa ::",
        &["src/http/"],
        "the API is described by `http`; `domain` only derives `utoipa::ToSchema`",
    ),
    only(
        ". route (",
        &["src/http/pages/mod.rs"],
        "list routes by `.routes(routes!(…))`: none goes without a description; pages have their own list",
    ),
    only("route_service", NOWHERE, "list routes by `.routes(routes!(…))`: none goes without a description"),
    only("prometheus_client ::", &["src/metrics/"], "what is counted has its names in one place"),
    only("clap ::", &["src/cli/", "src/config/"], "arguments are read by `cli` and `config`"),
    only("anyhow ::", &["src/cli/"], "elsewhere errors are enums that a caller can act on"),
    only("etcetera ::", &["src/config/"], "where files are is configuration"),
    only("env :: var", &["src/cli/", "src/config/"], "configuration is read once, at the start"),
    only("tokio :: spawn", NOWHERE, "use `engine::tasks::Tasks`, which the server waits for"),
    only("task :: spawn", NOWHERE, "use `engine::tasks::Tasks`, which the server waits for"),
    only("thread :: spawn", NOWHERE, "use `engine::tasks::Tasks`, which the server waits for"),
    only("spawn_blocking", NOWHERE, "use `engine::tasks::Tasks`, which the server waits for"),
    only("JoinSet", &["src/cli/serve.rs"], "use `engine::tasks::Tasks`, which the server waits for"),
    only("TaskTracker", &["src/engine/tasks.rs"], "there is one, in `engine::tasks`"),
    only("github_sim ::", &["src/cli/demo/"], "the simulator is for tests and the demo"),
    only(". unwrap (", NOWHERE, "say what happens instead: `?`, a default, or a `let … else`"),
    only(". expect (", NOWHERE, "say what happens instead: `?`, a default, or a `let … else`"),
    only(":: unwrap", NOWHERE, "say what happens instead: `?`, a default, or a `let … else`"),
    only(":: expect", NOWHERE, "say what happens instead: `?`, a default, or a `let … else`"),
    only("panic !", NOWHERE, "say what happens instead: an error that a caller can act on"),
    only("unreachable !", NOWHERE, "shape the types so that it cannot be written"),
];

/// What a layer is kept free of.
const FREE_OF: [(&str, &[&str], &str); 2] = [
    (
        "src/domain/",
        &["async", "tokio ::", "std :: fs", "fs ::", "std :: net", "std :: env", "env ::"],
        "`domain` is pure",
    ),
    ("src/http/", &["WriteTx", "db ( ) . write"], "`http` reads by `store` and writes by `engine`"),
];

/// What a file of `src` ships and may not.
pub fn misplaced(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    for Place { code, allowed, reason } in PLACES {
        if !allowed.iter().any(|place| source.path.starts_with(place)) {
            faults.extend(found(source, code).into_iter().map(|fault| format!("{fault}: {reason}")));
        }
    }
    for (place, codes, reason) in FREE_OF {
        if source.path.starts_with(place) {
            let all = codes.iter().flat_map(|code| found(source, code));
            faults.extend(all.map(|fault| format!("{fault}: {reason}")));
        }
    }
    faults
}

/// Where the shipped part of a file has this code.
fn found(source: &Source, code: &str) -> Vec<String> {
    let words: Vec<&str> = code.split(' ').collect();
    let places = source.shipped.windows(words.len()).enumerate().filter(|(at, tokens)| {
        tokens.iter().zip(&words).all(|(token, word)| token.text == *word)
            && !derives_form(source, *at)
            && !is_inside_path(source, *at, &words)
    });
    places
        .map(|(_, tokens)| {
            format!("{}:{}: `{}`", source.path, tokens[0].lines.start(), code.replace(' ', ""))
        })
        .collect()
}

/// `#[derive(sqlx::Type, utoipa::ToSchema)]`: how a value looks in a column and on the wire is plain data.
fn derives_form(source: &Source, at: usize) -> bool {
    let text = |at: usize| source.shipped.get(at).map_or("", |token| token.text.as_str());
    let is_form = matches!((text(at), text(at + 2)), ("sqlx", "Type") | ("utoipa", "ToSchema"));
    source.path.starts_with("src/domain/") && is_form
}

/// The name of a crate counts at the start of a path only: `engine::axum::x` is none.
fn is_inside_path(source: &Source, at: usize, words: &[&str]) -> bool {
    words.last() == Some(&"::") && at > 0 && source.shipped[at - 1].text == "::"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> usize {
        misplaced(&Source::new(path, text)).len()
    }

    #[test]
    fn crates_stay_in_their_places() {
        assert_eq!(faults("src/engine/a.rs", "use sqlx::Row;"), 1);
        assert_eq!(faults("src/store/a.rs", "use sqlx::Row;"), 0);
        assert_eq!(faults("src/engine/a.rs", "fn a() -> Result<(), reqwest::Error> { Ok(()) }"), 1);
        assert_eq!(faults("src/http/a.rs", "use crate::{engine::anyhow, b}; // use anyhow::Error;"), 0);
    }

    #[test]
    fn the_domain_derives_column_types_and_no_more() {
        assert_eq!(
            faults("src/domain/a.rs", "#[derive(Clone, sqlx::Type)] #[sqlx(transparent)] struct A(i64);"),
            0
        );
        assert_eq!(faults("src/domain/a.rs", "#[derive(sqlx::FromRow)] struct A;"), 1);
        assert_eq!(faults("src/domain/a.rs", "#[derive(utoipa::ToSchema)] struct A;"), 0);
        assert_eq!(faults("src/domain/a.rs", "use utoipa::openapi::Ref;"), 1);
        assert_eq!(faults("src/domain/a.rs", "pub async fn a() { std::fs::read(b) }"), 2);
        assert_eq!(faults("src/domain/a.rs", "use std::{env, fmt}; fn a() { env::args(); }"), 1);
    }

    #[test]
    fn nothing_is_started_behind_the_servers_back() {
        assert_eq!(faults("src/engine/a.rs", "fn a() { tokio::spawn(b()); }"), 1);
        assert_eq!(
            faults("src/engine/a.rs", "fn a() { tokio::task::spawn(b()); std::thread::spawn(c); }"),
            2
        );
        assert_eq!(faults("src/engine/a.rs", "fn a(tasks: &Tasks) { tasks.spawn(b()); }"), 0);
    }

    #[test]
    fn failing_is_said_outside_tests() {
        assert_eq!(
            faults("src/engine/a.rs", "fn a() { b.unwrap(); c\n.expect(\"d\"); e.map(Option::unwrap); }"),
            3
        );
        let allowed =
            "#[expect(dead_code)] fn a() { b.unwrap_or(c) } #[cfg(test)] mod tests { fn d() { e.unwrap() } }";
        assert_eq!(faults("src/engine/a.rs", allowed), 0);
    }

    #[test]
    fn no_route_goes_without_a_description() {
        assert_eq!(faults("src/http/mod.rs", "Router::new().route(\"/a\", get(a))"), 1);
        assert_eq!(faults("src/http/mod.rs", "OpenApiRouter::new().routes(routes!(a))"), 0);
    }

    #[test]
    fn http_writes_nothing_itself() {
        assert_eq!(faults("src/http/api/a.rs", "let mut tx = app.engine.db().write().await?;"), 1);
        assert_eq!(faults("src/http/api/a.rs", "let mut tx = app.engine.db().read().await?;"), 0);
    }
}
