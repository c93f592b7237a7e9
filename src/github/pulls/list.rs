//! Lists whose pages change each by itself: every page is asked for with its own `ETag`, so that a list of any length
//! costs nothing while it is as it was.

use serde::de::DeserializeOwned;
use url::Url;

use super::{Reading, of_no_issue};
use crate::{
    domain::repo::ETag,
    github::{
        client::{Client, Fetched, Validator},
        error::Error,
        limits::Point,
    },
};

/// Entries of a page, as `PER_PAGE` asks for.
const FULL: usize = 100;
/// Stands between the `ETag`s of pages; no header can hold it.
const BETWEEN: char = '\n';

/// A page of a list.
struct Page<T> {
    /// None: as it was.
    content: Option<Vec<T>>,
    etag: Option<Validator>,
}

/// All pages of a list. Only the first request uses `point`; the others wait for theirs. Where one page changed, those are
/// read as well that did not.
pub async fn read_list<P, T>(
    client: &Client,
    url: Url,
    (held, point): (Option<&Validator>, Option<Point>),
) -> Result<Reading<Vec<T>>, Error>
where
    P: DeserializeOwned + Into<Vec<T>>,
{
    let held = held.map(apart).unwrap_or_default();
    let mut pages = ask::<P, T>(client, &url, &held, point).await?;
    if pages.iter().all(|page| page.content.is_none()) {
        return Ok(Reading::Same);
    }
    for (at, page) in pages.iter_mut().enumerate() {
        if page.content.is_none() {
            let again = client.get::<P>(address(&url, at)).await.map_err(of_no_issue)?;
            *page = Page { content: Some(again.content.into()), etag: again.etag };
        }
    }
    let (content, tags): (Vec<_>, Vec<_>) = pages.into_iter().map(|page| (page.content, page.etag)).unzip();
    Ok(Reading::New { content: content.into_iter().flatten().flatten().collect(), etag: together(tags) })
}

/// Asks for page after page. A full page at the end says nothing of what may come behind it, so the empty one there
/// belongs to the list too.
async fn ask<P, T>(
    client: &Client,
    url: &Url,
    held: &[Validator],
    mut point: Option<Point>,
) -> Result<Vec<Page<T>>, Error>
where
    P: DeserializeOwned + Into<Vec<T>>,
{
    let mut pages = Vec::new();
    let mut was_end = false;
    loop {
        let at = pages.len();
        let fetched = client.follow::<P>(address(url, at), held.get(at), point.take()).await;
        let Fetched { content, etag, next, .. } = fetched.map_err(of_no_issue)?;
        let content: Option<Vec<T>> = content.map(Into::into);
        let goes_on = match &content {
            None => at + 1 < held.len(),
            Some(content) => next.is_some() || (content.len() >= FULL && !was_end),
        };
        was_end = content.is_some() && next.is_none();
        pages.push(Page { content, etag });
        if !goes_on {
            return Ok(pages);
        }
    }
}

/// A page by its number, from 0. Not by `Link`: it is asked for again when what names it is not at hand.
fn address(url: &Url, at: usize) -> Url {
    let mut url = url.clone();
    if at > 0 {
        url.query_pairs_mut().append_pair("page", &(at + 1).to_string());
    }
    url
}

/// The `ETag`s of pages as one; none unless every page has one, of the same token.
fn together(tags: Vec<Option<Validator>>) -> Option<Validator> {
    let tags: Vec<Validator> = tags.into_iter().collect::<Option<_>>()?;
    let (_, token) = tags.first()?;
    if tags.iter().any(|(_, other)| other != token) {
        return None;
    }
    let text: Vec<&str> = tags.iter().map(|(tag, _)| tag.0.as_str()).collect();
    Some((ETag(text.join(&BETWEEN.to_string())), token.clone()))
}

fn apart((tags, token): &Validator) -> Vec<Validator> {
    tags.0.split(BETWEEN).map(|tag| (ETag(tag.to_owned()), token.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TokenId;

    fn tag(text: &str, token: &str) -> Validator {
        (ETag(text.to_owned()), TokenId(token.to_owned()))
    }

    #[test]
    fn tags_of_one_token_go_together_and_come_apart() {
        for texts in [&["W/\"a\""][..], &["W/\"a\"", "\"b\"", "W/\"c\""]] {
            let tags: Vec<_> = texts.iter().map(|text| tag(text, "t")).collect();
            let one = together(tags.iter().cloned().map(Some).collect()).unwrap();
            assert_eq!(apart(&one), tags);
        }
        assert_eq!(together(vec![Some(tag("a", "t")), Some(tag("b", "u"))]), None);
        assert_eq!(together(vec![Some(tag("a", "t")), None]), None);
        assert_eq!(together(Vec::new()), None);
    }

    #[test]
    fn the_first_page_has_the_address_of_the_list() {
        let url: Url = "https://x/list?per_page=100".parse().unwrap();
        assert_eq!(address(&url, 0), url);
        assert_eq!(address(&url, 2).as_str(), "https://x/list?per_page=100&page=3");
    }
}
