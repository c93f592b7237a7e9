//! Texts of issues as HTML: Markdown, of which only what is harmless is left, and which loads nothing from elsewhere.

use std::{fmt, sync::LazyLock};

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// HTML that was made harmless.
pub struct Harmless(String);

impl askama::filters::HtmlSafe for Harmless {}

impl fmt::Display for Harmless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    builder
        .rm_tags(["img", "map", "area"])
        .url_schemes(["http", "https", "mailto"].into())
        // Paths are those of GitHub, and lead nowhere here.
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"));
    builder
});

/// A text of GitHub or of an agent, for a page.
pub fn render(text: &str) -> Harmless {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    // Pictures would be loaded from elsewhere: who opens the page would tell so.
    let events = Parser::new_ext(text, options).flat_map(|event| match event {
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let link = Event::Start(Tag::Link { link_type, dest_url, title, id });
            vec![link, Event::Text(CowStr::Borrowed("picture: "))]
        }
        Event::End(TagEnd::Image) => vec![Event::End(TagEnd::Link)],
        Event::TaskListMarker(is_done) => {
            vec![Event::Text(CowStr::Borrowed(if is_done { "☑ " } else { "☐ " }))]
        }
        // As GitHub shows them.
        Event::SoftBreak => vec![Event::HardBreak],
        event => vec![event],
    });
    let mut unsafe_html = String::with_capacity(text.len() * 2);
    html::push_html(&mut unsafe_html, events);
    Harmless(SANITISER.clean(&unsafe_html).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_stays() {
        let html = render(
            "# A\n\n**b** `c`\n\n- [x] d\n\n[e](https://example.org/f) ![g](https://example.org/h.png)",
        )
        .to_string();
        for part in [
            "<h1>A</h1>",
            "<strong>b</strong>",
            "<code>c</code>",
            "☑ d",
            "href=\"https://example.org/f\"",
            "picture: g",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("<img"), "{html}");
    }

    #[test]
    fn what_could_act_is_gone() {
        for text in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[a](javascript:alert(1))",
            "[a](data:text/html,<script>alert(1)</script>)",
            "<a href=\"jAvAsCrIpT:alert(1)\">b</a>",
            "<svg onload=alert(1)>",
            "<iframe src=https://evil.example></iframe>",
            "<form action=https://evil.example><button>Sign in</button></form>",
            "<style>body{display:none}</style>",
            "<div style=\"position:fixed;inset:0\" class=\"banner\" id=\"flash\">c</div>",
            "<base href=https://evil.example>",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
            "```\n</code></pre><script>alert(1)</script>\n```",
        ] {
            let html = render(text).to_string().to_lowercase();
            for part in [
                "<script",
                "onerror=",
                "onload=",
                "javascript:",
                "data:text",
                "<iframe",
                "<form",
                "<style",
                "style=",
                "class=",
                "id=",
                "<base",
                "<img",
                "<svg",
            ] {
                assert!(!html.contains(part), "{text} became {html}");
            }
        }
    }
}
