//! Rust source as tokens: comments are gone, and what stands in strings is no code.

use std::ops::RangeInclusive;

/// A word, a number or a mark; `::` is one token, a string or character is [`TEXT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub lines: RangeInclusive<usize>,
}

/// Stands for every string and character.
pub const TEXT: &str = "\"";

/// The tokens of a source.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: source, line: 1 };
    let mut tokens = Vec::new();
    while !lexer.rest.is_empty() {
        let first = lexer.line;
        if let Some(text) = lexer.next() {
            tokens.push(Token { text: text.to_owned(), lines: first..=lexer.line });
        }
    }
    tokens
}

struct Lexer<'s> {
    rest: &'s str,
    line: usize,
}

impl<'s> Lexer<'s> {
    /// Takes what comes next; nothing for white space and comments.
    fn next(&mut self) -> Option<&'s str> {
        let rest = self.rest;
        if rest.starts_with("//") {
            self.take(rest.find('\n').unwrap_or(rest.len()));
            return None;
        }
        if rest.starts_with("/*") {
            self.take(block_comment(rest));
            return None;
        }
        if let Some(length) = string(rest).or_else(|| character(rest)) {
            self.take(length);
            return Some(TEXT);
        }
        let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let length = match rest.chars().next() {
            _ if word > 0 => word,
            Some(':') if rest.starts_with("::") => 2,
            Some(first) => first.len_utf8(),
            None => 0,
        };
        Some(self.take(length)).filter(|text| !text.trim().is_empty())
    }

    fn take(&mut self, length: usize) -> &'s str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.line += taken.matches('\n').count();
        taken
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let here = &rest[at..];
        let step = if here.starts_with("/*") {
            depth += 1;
            2
        } else if here.starts_with("*/") {
            depth -= 1;
            2
        } else {
            here.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of the string that starts here: plain, byte, C or raw.
fn string(rest: &str) -> Option<usize> {
    let prefix = ["", "b", "c", "r", "br", "cr"].into_iter().rev().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|after| after.trim_start_matches('#').starts_with('"'))
    })?;
    let after = &rest[prefix.len()..];
    let hashes = after.find('"')?;
    let opened = prefix.len() + hashes + 1;
    if prefix.ends_with('r') {
        let close = format!("\"{}", "#".repeat(hashes));
        let inside = rest[opened..].find(&close).unwrap_or(rest.len() - opened - close.len());
        return Some(opened + inside + close.len());
    }
    (hashes == 0).then(|| opened + until_closed(&rest[opened..], '"'))
}

/// The length of the character that starts here; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let opened = if rest.starts_with('\'') { 1 } else { rest.starts_with("b'").then_some(2)? };
    let mut inside = rest[opened..].chars();
    let escaped = inside.next()? == '\\';
    (escaped || inside.next() == Some('\'')).then(|| opened + until_closed(&rest[opened..], '\''))
}

/// Up to and with the first `quote` that no backslash escapes.
fn until_closed(inside: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        if !escaped && c == quote {
            return at + 1;
        }
        escaped = !escaped && c == '\\';
    }
    inside.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        tokens(source).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_texts_are_no_code() {
        let source = "a /* b /* c */ d */ e // f\n\"g \\\" h\" r#\"i \" j\"# b'\\'' 'k' b\"l\" m";
        assert_eq!(texts(source), ["a", "e", TEXT, TEXT, TEXT, TEXT, TEXT, "m"]);
    }

    #[test]
    fn lifetimes_and_raw_names_are_no_texts() {
        assert_eq!(texts("&'a str"), ["&", "'", "a", "str"]);
        assert_eq!(texts("r#type br"), ["r", "#", "type", "br"]);
        assert_eq!(texts("x::y:z"), ["x", "::", "y", ":", "z"]);
    }

    #[test]
    fn lines_are_counted_through_strings() {
        let all = tokens("a\n\"b\nc\"\n\nd");
        assert_eq!(all[1].lines, 2..=3);
        assert_eq!(all[2].lines, 5..=5);
    }
}
