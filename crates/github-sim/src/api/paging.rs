//! Pages and their `Link` header
//! (docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api).

use hyper::header::LINK;
use url::form_urlencoded;

use super::Reply;
use super::context::Context;
use crate::server::Ask;
use crate::state::World;

/// The asked page; what is out of range is moved into it, as GitHub does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paging {
    pub per_page: usize,
    /// From 1.
    pub page: usize,
}

impl Paging {
    pub fn of(ask: &Ask) -> Self {
        let number = |name: &str| ask.param(name)?.parse::<usize>().ok().filter(|&n| n > 0);
        Self { per_page: number("per_page").unwrap_or(30).min(100), page: number("page").unwrap_or(1) }
    }

    pub fn skip(self) -> usize {
        (self.page - 1).saturating_mul(self.per_page)
    }

    /// The relations of a list of `total` entries with their pages.
    pub fn relations(self, total: usize) -> Vec<(&'static str, usize)> {
        let last = total.div_ceil(self.per_page).max(1);
        let mut relations = Vec::new();
        if self.page > 1 {
            relations.push(("prev", (self.page - 1).min(last)));
        }
        if self.page < last {
            relations.push(("next", self.page + 1));
            relations.push(("last", last));
        }
        if self.page > 1 {
            relations.push(("first", 1));
        }
        relations
    }
}

/// One `<URL>; rel="…"`: the request's own query with its paging replaced.
pub(super) fn link(list_url: &str, query: &str, param: (&str, &str), relation: &str) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    let kept = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| !matches!(name.as_ref(), "page" | "after" | "before" | "cursor"));
    pairs.extend_pairs(kept);
    pairs.append_pair(param.0, param.1);
    format!("<{list_url}?{}>; rel=\"{relation}\"", pairs.finish())
}

/// The header of a list in numbered pages; empty when there is one page only.
pub(super) fn numbered(list_url: &str, query: &str, paging: Paging, total: usize) -> String {
    let links: Vec<String> = paging
        .relations(total)
        .into_iter()
        .map(|(relation, page)| link(list_url, query, ("page", &page.to_string()), relation))
        .collect();
    links.join(", ")
}

/// Answers with one page of a small list.
pub(super) fn page<T: serde::Serialize>(cx: &Context<'_>, world: &World, repo: u64, all: &[T]) -> Reply {
    let paging = Paging::of(cx.ask);
    let page: Vec<&T> = all.iter().skip(paging.skip()).take(paging.per_page).collect();
    let list_url = cx.list_url(world, repo);
    with_link(Reply::ok(&page), &numbered(&list_url, &cx.ask.query, paging, all.len()))
}

/// Adds a `Link` header unless it is empty.
pub(super) fn with_link(reply: Reply, link: &str) -> Reply {
    if link.is_empty() {
        return reply;
    }
    reply.with(LINK, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_name_the_neighbours_and_the_ends() {
        let at = |page| Paging { per_page: 10, page }.relations(25);
        assert_eq!(at(1), [("next", 2), ("last", 3)]);
        assert_eq!(at(2), [("prev", 1), ("next", 3), ("last", 3), ("first", 1)]);
        assert_eq!(at(3), [("prev", 2), ("first", 1)]);
        assert_eq!(at(9), [("prev", 3), ("first", 1)]);
    }

    #[test]
    fn links_keep_the_query_and_replace_the_page() {
        assert_eq!(
            link("http://x/issues", "labels=a%20b&page=2", ("page", "3"), "next"),
            "<http://x/issues?labels=a+b&page=3>; rel=\"next\""
        );
    }
}
