//! The `Link` header (RFC 8288), by which GitHub says where the next page is
//! (docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api).

use reqwest::header::{HeaderMap, LINK};
use url::Url;

use super::error::Error;

/// Where GitHub says the next page is; opaque, since large lists go on by cursor instead of page number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextLink(pub(super) Url);

/// The link with `rel="next"`, if the answer from `base` has one. A header that cannot be read is an error:
/// taken for none it would make the page look like the last.
pub(super) fn next(headers: &HeaderMap, base: &Url) -> Result<Option<NextLink>, Error> {
    for header in headers.get_all(LINK) {
        let text = header.to_str().map_err(|_| Error::Malformed)?;
        if let Some(target) = next_target(text)? {
            let url = base.join(target).map_err(|_| Error::Malformed)?;
            return Ok(Some(NextLink(url)));
        }
    }
    Ok(None)
}

fn next_target(header: &str) -> Result<Option<&str>, Error> {
    let mut rest = skip_commas(header);
    while !rest.is_empty() {
        let link = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        let (target, after) = link.ok_or(Error::Malformed)?;
        let (parameters, others) = after.split_at(end_of_link(after));
        if parameters.split(';').any(says_next) {
            return Ok(Some(target));
        }
        rest = skip_commas(others);
    }
    Ok(None)
}

fn skip_commas(text: &str) -> &str {
    text.trim_start_matches([',', ' ', '\t'])
}

/// Where the comma is that ends this link, rather than one inside quotes.
fn end_of_link(text: &str) -> usize {
    let mut quoted = false;
    let comma = text.find(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    comma.unwrap_or(text.len())
}

/// `rel` may name several relations.
fn says_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel") && relations.any(|name| name.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(headers: &[&str]) -> Result<Option<String>, Error> {
        let base = Url::parse("https://api.github.com/repos/a/b/issues").unwrap();
        let headers = headers.iter().map(|text| (LINK, text.parse().unwrap())).collect();
        Ok(next(&headers, &base)?.map(|NextLink(url)| url.to_string()))
    }

    #[test]
    fn finds_the_next_page() {
        let url = "https://api.github.com/repositories/1/issues?per_page=100&after=Y3Vyc29y%3D&page=2";
        let cases: [(&[&str], Option<&str>); 9] = [
            (&[], None),
            (&[""], None),
            (&["<https://x/1>; rel=\"prev\", <https://x/9>; rel=\"last\""], None),
            (&[&format!("<{url}>; rel=\"next\", <https://x/9>; rel=\"last\"")], Some(url)),
            (&[&format!("<https://x/1>; rel=\"first\" , <{url}>;rel=next")], Some(url)),
            (
                &[&format!("<https://x/1>; title=\"a, <b>; \"; rel=prev, <{url}>; REL=\"last Next\"")],
                Some(url),
            ),
            (&["<https://x/1>; rel=prev", &format!("<{url}>; rel=\"next\"")], Some(url)),
            (&["</n,ext?a=1,2>; rel=\"next\""], Some("https://api.github.com/n,ext?a=1,2")),
            (&["<https://x/1>; rel=\"nextish\""], None),
        ];
        for (headers, want) in cases {
            assert_eq!(parse(headers), Ok(want.map(str::to_owned)), "{headers:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_the_last_page() {
        for bad in ["https://x/2; rel=\"next\"", "<https://x/2; rel=\"next\"", "<http://>; rel=\"next\""] {
            assert_eq!(parse(&[bad]), Err(Error::Malformed), "{bad}");
        }
    }
}
