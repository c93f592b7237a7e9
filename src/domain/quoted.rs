//! Texts of others within ours: code, in which nobody is mentioned and nothing is referred to.

/// Within a line.
pub fn in_line(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

/// On lines of its own; nothing in the text ends it.
pub fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

/// Without what would be taken for a marker of ours, or of another program.
pub fn unmarked(text: &str) -> String {
    text.replace("<!--", "<! --")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_code() {
        assert_eq!(in_line("a `b` @mona"), "`a 'b' @mona`");
        assert_eq!(fenced("a ```` b"), "`````text\na ```` b\n`````");
        assert_eq!(fenced("a"), "```text\na\n```");
        assert_eq!(unmarked("<!-- x --> <!--"), "<! -- x --> <! --");
    }
}
