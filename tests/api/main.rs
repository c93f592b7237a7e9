//! The routes beside the heartbeat: what they answer, to the letter of the contract.

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod errors;
mod health;
mod issue_list;
mod issue_state;
mod oddities;
mod paging;
mod refresh;
mod repos;
mod runs;
mod runs_reported;
mod scheduled;
mod seeding;
mod sync;

use serde_json::Value;
use support::{Answer, App};

const API: &str = "acme/api";
const WEB: &str = "acme/web";

/// The rows of a list.
#[track_caller]
fn rows(list: &Value) -> &[Value] {
    list.as_array().unwrap_or_else(|| panic!("not a bare array: {list}"))
}

/// One field of each row, as text.
#[track_caller]
fn each(list: &Value, field: &str) -> Vec<String> {
    let text = |row: &Value| row[field].as_str().map_or_else(|| row[field].to_string(), str::to_owned);
    rows(list).iter().map(text).collect()
}

/// The numbers of a list of issues, in their order.
#[track_caller]
fn numbers(list: &Value) -> Vec<i64> {
    rows(list).iter().map(|issue| issue["number"].as_i64().expect("a number")).collect()
}

/// Follows `Link` from page to page and returns the rows of all, and how many pages there were.
async fn follow(app: &App, first: &str) -> (Vec<Value>, usize) {
    let (mut all, mut path, mut pages) = (Vec::new(), first.to_owned(), 0);
    loop {
        let page = app.get(&path).await;
        all.extend(rows(&page.expect(200)).iter().cloned());
        pages += 1;
        assert!(pages < 1_000, "the pages of {first} never end");
        match next_page(&page) {
            Some(next) => path = next,
            None => return (all, pages),
        }
    }
}

/// Where `Link` leads; asserts that `X-Next-Cursor` agrees.
#[track_caller]
fn next_page(page: &Answer) -> Option<String> {
    let cursor = page.header("x-next-cursor");
    let Some(link) = page.header("link") else {
        assert_eq!(cursor, None, "a cursor without a link");
        return None;
    };
    let path = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\""));
    let path = path.unwrap_or_else(|| panic!("not a link: {link}")).to_owned();
    let query = url::Url::parse(&format!("http://x{path}")).expect("an address");
    let named = query.query_pairs().find(|(name, _)| name == "cursor").map(|(_, value)| value.into_owned());
    assert_eq!(named.as_deref(), cursor, "{link}");
    Some(path)
}
