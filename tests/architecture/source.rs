//! A source file of ours: what ships of it, and what is there for tests only.

use std::{collections::BTreeSet, fs, path::Path};

use crate::tokens::{Token, tokens};

/// One file.
pub struct Source {
    /// From the root of the workspace, with `/`.
    pub path: String,
    pub text: String,
    pub tokens: Vec<Token>,
    /// `tokens` without items under `#[cfg(test)]`.
    pub shipped: Vec<Token>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let tokens = tokens(text);
        let shipped = if in_tests(path) { Vec::new() } else { without_tests(&tokens) };
        Self { path: path.to_owned(), text: text.to_owned(), tokens, shipped }
    }

    /// Every Rust file below these folders of the workspace.
    pub fn all(folders: &[&str]) -> Vec<Self> {
        let mut sources = Vec::new();
        for folder in folders {
            read(folder, &mut sources);
        }
        let for_tests: BTreeSet<String> = sources.iter().flat_map(Self::test_modules).collect();
        for source in &mut sources {
            if for_tests.contains(&source.path) {
                source.shipped.clear();
            }
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        sources
    }

    /// The module that the file is: `src/engine/sync/read.rs` is `engine::sync::read`.
    pub fn module(&self) -> Vec<&str> {
        let inside = self.path.split_once("src/").map_or(self.path.as_str(), |(_, inside)| inside);
        let stem = inside.strip_suffix(".rs").unwrap_or(inside);
        let mut module: Vec<&str> = stem.split('/').collect();
        if matches!(module.last(), Some(&"mod")) || matches!(module[..], ["lib" | "main"]) {
            module.pop();
        }
        module
    }

    /// Lines that hold code: of what ships or, in a file for tests, of all.
    pub fn lines_of_code(&self) -> usize {
        let counted = if self.shipped.is_empty() { &self.tokens } else { &self.shipped };
        counted.iter().flat_map(|token| token.lines.clone()).collect::<BTreeSet<_>>().len()
    }

    /// The files that this one declares by `#[cfg(test)] mod name;`.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.strip_suffix("/mod.rs").or(self.path.strip_suffix("/lib.rs")) {
            Some(folder) => folder,
            None => self.path.strip_suffix(".rs").unwrap_or(&self.path),
        };
        let words: Vec<&str> = self.tokens.iter().map(|token| token.text.as_str()).collect();
        let declared =
            words.windows(CFG_TEST.len() + 3).filter_map(|words| match words.split_at(CFG_TEST.len()) {
                (cfg, ["mod", name, ";"]) if cfg == CFG_TEST => Some(*name),
                _ => None,
            });
        declared.flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")]).collect()
    }
}

const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

/// Files of a package's `tests` and `benches` folders.
pub fn in_tests(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches"))
}

/// Where this workspace is.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the workspace.
#[expect(clippy::disallowed_methods, reason = "reading files is what these tests do")]
pub fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in a folder of the workspace, folders with a `/`, sorted; none when it is not there.
#[expect(clippy::disallowed_methods, reason = "reading files is what these tests do")]
pub fn list(folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .map(|entry| {
            let entry = entry.expect("an entry of a folder");
            let mark = if entry.path().is_dir() { "/" } else { "" };
            format!("{}{mark}", entry.file_name().to_string_lossy())
        })
        .collect();
    names.sort_unstable();
    names
}

fn read(folder: &str, sources: &mut Vec<Source>) {
    for name in list(folder) {
        let path = format!("{folder}/{}", name.trim_end_matches('/'));
        if name.ends_with('/') {
            read(&path, sources);
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "rs") {
            sources.push(Source::new(&path, &text(&path)));
        }
    }
}

/// Leaves out each item under `#[cfg(test)]`.
fn without_tests(all: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < all.len() {
        if starts_test(&all[at..]) {
            at += item(&all[at..]);
        } else {
            kept.push(all[at].clone());
            at += 1;
        }
    }
    kept
}

fn starts_test(tokens: &[Token]) -> bool {
    tokens.len() >= CFG_TEST.len() && tokens.iter().zip(CFG_TEST).all(|(token, part)| token.text == part)
}

/// How many tokens the item takes that starts here with its attributes.
fn item(tokens: &[Token]) -> usize {
    let mut depth = 0;
    // The braces of `use a::{b, c};` do not end it.
    let mut ends_by_semicolon = false;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                if depth == 0 && !ends_by_semicolon {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            "use" | "static" | "type" if depth == 0 => ends_by_semicolon = true,
            _ => {}
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(text: &str) -> String {
        let source = Source::new("src/a.rs", text);
        source.shipped.into_iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn items_for_tests_do_not_ship() {
        let text = "fn a() {} #[cfg(test)] mod tests { fn b() { if c {} } } fn d() {}";
        assert_eq!(shipped(text), "fn a ( ) { } fn d ( ) { }");
        let text = "#[cfg(test)] #[allow(x)] use a::{b, c}; #[cfg(test)] impl A { fn b() {} } struct D;";
        assert_eq!(shipped(text), "struct D ;");
        assert_eq!(shipped("#[cfg(test)] mod tests; fn a() {}"), "fn a ( ) { }");
        assert!(shipped("#[cfg(not(test))] fn a() {}").ends_with("fn a ( ) { }"));
    }

    #[test]
    fn modules_in_files_of_their_own_are_known_as_tests() {
        let source = Source::new("src/github/mod.rs", "#[cfg(test)]\nmod tests;\nmod wire;");
        assert_eq!(source.test_modules(), ["src/github/tests.rs", "src/github/tests/mod.rs"]);
        assert!(Source::new("tests/heartbeat/main.rs", "fn a() {}").shipped.is_empty());
    }

    #[test]
    fn a_file_knows_its_module() {
        assert_eq!(Source::new("src/engine/sync/read.rs", "").module(), ["engine", "sync", "read"]);
        assert_eq!(Source::new("crates/github-sim/src/api/mod.rs", "").module(), ["api"]);
        assert!(Source::new("src/lib.rs", "").module().is_empty());
    }

    #[test]
    fn lines_of_code_are_those_with_code() {
        let text =
            "//! Doc.\n\nfn a() {\n    // why\n    b(\"x\n    y\");\n}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(Source::new("src/a.rs", text).lines_of_code(), 4);
        assert_eq!(Source::new("tests/a.rs", text).lines_of_code(), 7);
    }
}
