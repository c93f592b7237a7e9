//! Which layers a file names: by `use`, by path, and through `super`.

use crate::{source::Source, tokens::Token};

/// A layer that is named somewhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Reference {
    pub layer: String,
    pub line: usize,
}

/// Every mention of another module at the top of the crate, tests included.
pub fn references(source: &Source) -> Vec<Reference> {
    let tokens = &source.tokens;
    let mut found = Vec::new();
    let mut scope = Scope::new(source);
    for at in 0..tokens.len() {
        scope.enter(tokens, at);
        if !starts_path(tokens, at) {
            continue;
        }
        let below = match tokens[at].text.as_str() {
            "crate" => Some(at + 1),
            // What the program calls the library.
            "dispatch" if source.path == "src/main.rs" => Some(at + 1),
            "super" => scope.to_root(tokens, at),
            _ => None,
        };
        if let Some(below) = below {
            heads(tokens, below, &mut found);
        }
    }
    found
}

/// `self::` before it changes nothing.
fn starts_path(tokens: &[Token], at: usize) -> bool {
    match tokens[..at] {
        [.., ref before, ref colons] if colons.text == "::" => before.text == "self",
        _ => true,
    }
}

/// In which module of the crate a token stands.
struct Scope {
    module: Vec<String>,
    /// For each open brace, whether it opened a module.
    braces: Vec<bool>,
}

impl Scope {
    fn new(source: &Source) -> Self {
        Self { module: source.module().into_iter().map(str::to_owned).collect(), braces: Vec::new() }
    }

    fn enter(&mut self, tokens: &[Token], at: usize) {
        match tokens[at].text.as_str() {
            "{" => {
                let opens = at >= 2 && tokens[at - 2].text == "mod";
                if opens {
                    self.module.push(tokens[at - 1].text.clone());
                }
                self.braces.push(opens);
            }
            "}" if self.braces.pop() == Some(true) => drop(self.module.pop()),
            _ => {}
        }
    }

    /// Where the path after `super::super` goes on, if that is the top of the crate.
    fn to_root(&self, tokens: &[Token], mut at: usize) -> Option<usize> {
        let mut above = self.module.len();
        while tokens.get(at).is_some_and(|token| token.text == "super") {
            above = above.saturating_sub(1);
            at += 1;
            if tokens.get(at).is_none_or(|token| token.text != "::") {
                break;
            }
            if tokens.get(at + 1).is_some_and(|token| token.text == "super") {
                at += 1;
            }
        }
        (above == 0).then_some(at)
    }
}

/// The first names below `crate`: one, or those of a `{…}`.
fn heads(tokens: &[Token], at: usize, found: &mut Vec<Reference>) {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut add = |at: usize| {
        if let Some(Token { text, lines }) = tokens.get(at) {
            found.push(Reference { layer: text.clone(), line: *lines.start() });
        }
    };
    match (text(at), text(at + 1)) {
        ("::", "{") => {
            let (mut depth, mut at) = (1, at + 2);
            let mut starts = true;
            while depth > 0 && at < tokens.len() {
                match text(at) {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    "," => starts = depth == 1,
                    _ => {
                        if std::mem::take(&mut starts) {
                            add(at);
                        }
                    }
                }
                at += 1;
            }
        }
        ("::", _) => add(at + 1),
        // `use crate as other` would hide every later path.
        ("as", _) => add(at),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(path: &str, text: &str) -> Vec<String> {
        references(&Source::new(path, text)).into_iter().map(|found| found.layer).collect()
    }

    #[test]
    fn one_path_names_one_layer() {
        assert_eq!(layers("src/store/a.rs", "use crate::http::App;"), ["http"]);
        assert_eq!(layers("src/store/a.rs", "fn a() { crate::http::router(b::crate_x()) }"), ["http"]);
        assert_eq!(layers("src/store/a.rs", "pub(crate) fn a(b: &c::http::D) {}"), [""; 0]);
        assert_eq!(layers("src/main.rs", "fn main() { dispatch::cli::main() }"), ["cli"]);
    }

    #[test]
    fn nested_braces_name_only_their_heads() {
        let text =
            "use crate::{\n    domain::{ids::{A, B}, time::C},\n    store::{self, db},\n    github,\n};";
        let found = references(&Source::new("src/engine/a.rs", text));
        let lines: Vec<_> = found.iter().map(|found| (found.layer.as_str(), found.line)).collect();
        assert_eq!(lines, [("domain", 2), ("store", 3), ("github", 4)]);
    }

    #[test]
    fn super_reaches_other_layers_only_from_the_top() {
        assert_eq!(layers("src/store/a.rs", "use super::db::Db; use super::super::http;"), ["http"]);
        assert_eq!(layers("src/clock.rs", "use super::engine::Engine;"), ["engine"]);
        assert_eq!(layers("src/clock.rs", "use self::super::engine::Engine; use a::super_b;"), ["engine"]);
        assert_eq!(layers("src/store/a.rs", "mod tests { use super::*; use super::super::db; }"), [""; 0]);
        assert_eq!(
            layers("src/store/a.rs", "mod b { } use super::super::{http, engine::A};"),
            ["http", "engine"]
        );
    }

    #[test]
    fn aliases_and_globs_of_the_crate_are_seen() {
        assert_eq!(layers("src/store/a.rs", "use crate as root;"), ["as"]);
        assert_eq!(layers("src/store/a.rs", "use crate::*; use crate::{self as root};"), ["*", "self"]);
    }
}
