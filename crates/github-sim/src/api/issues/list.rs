//! The issue list, pull requests included
//! (docs.github.com/rest/issues/issues#list-repository-issues).

use hyper::StatusCode;

use super::query::ListQuery;
use super::select::{Selection, select};
use crate::api::context::Context;
use crate::api::etag::Tag;
use crate::api::{Reply, errors, paging, scope};
use crate::state::{Key, Repository, World};

/// `GET …/issues`
pub(in crate::api) fn list(cx: &Context<'_>, world: &mut World, repo: u64) -> Result<Reply, Reply> {
    scope::has_issues(world, repo)?;
    let query = ListQuery::of(cx.ask, cx.config.since_inclusive)?;
    let repository = world.repo(repo).ok_or_else(errors::not_found)?;
    let selection = select(repository, &query);
    let is_large = selection.total > cx.config.cursor_links_over;
    let paging = query.paging;
    let reach = paging.page.saturating_mul(paging.per_page);
    if is_large && query.from.is_none() && paging.page > 1 && reach >= cx.config.cursor_links_over {
        return Err(errors::too_far());
    }
    let list_url = cx.list_url(world, repo);
    let link = if is_large || query.from.is_some() {
        by_cursor(&list_url, &cx.ask.query, &selection)
    } else {
        paging::numbered(&list_url, &cx.ask.query, paging, selection.total)
    };
    let tag = tag(cx, repository, &selection, &link);
    if let Some(unchanged) = cx.unchanged(&tag) {
        return Ok(paging::with_link(unchanged, &link));
    }
    let body = body(world, repo, &selection);
    Ok(paging::with_link(Reply::rendered(StatusCode::OK, body).tagged(tag), &link))
}

/// Large sets page by cursor, and do not say how many pages there are.
fn by_cursor(list_url: &str, query: &str, selection: &Selection) -> String {
    let mut links = Vec::new();
    if let (true, Some(first)) = (selection.has_before, selection.page.first()) {
        let cursor = first.cursor.text();
        links.push(paging::link(list_url, query, ("before", &cursor), "prev"));
    }
    if let (true, Some(last)) = (selection.has_after, selection.page.last()) {
        let cursor = last.cursor.text();
        links.push(paging::link(list_url, query, ("after", &cursor), "next"));
    }
    links.join(", ")
}

/// Exactly what the page shows: its items at their versions, and its neighbours.
fn tag(cx: &Context<'_>, repo: &Repository, selection: &Selection, link: &str) -> Tag {
    let recipe = cx.recipe().bytes(link.as_bytes());
    selection
        .page
        .iter()
        .filter_map(|place| repo.item(place.number))
        .fold(recipe, |recipe, item| recipe.number(item.version))
        .tag()
}

fn body(world: &mut World, repo: u64, selection: &Selection) -> Vec<u8> {
    let items: Vec<_> = selection
        .page
        .iter()
        .filter_map(|place| world.issue_json(Key { repo, number: place.number }))
        .collect();
    let length = items.iter().map(|json| json.len() + 1).sum::<usize>();
    let mut body = Vec::with_capacity(length + 2);
    body.push(b'[');
    for (index, json) in items.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(json);
    }
    body.push(b']');
    body
}
