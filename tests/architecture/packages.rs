//! Dependencies that nothing uses, or only tests.

use crate::{source::Source, tokens::Token};

/// Dependencies of one table of a manifest, as code spells them.
pub fn dependencies(manifest: &str, table: &str) -> Vec<String> {
    let header = format!("[{table}]");
    let lines = manifest.lines().map(str::trim).skip_while(|line| *line != header).skip(1);
    let entries = lines.take_while(|line| !line.starts_with('['));
    let names = entries.filter(|line| !line.starts_with('#')).filter_map(|line| {
        let end = line.find([' ', '.', '='])?;
        Some(line[..end].trim_matches('"').replace('-', "_"))
    });
    names.collect()
}

/// What a manifest asks for and the code does not use.
pub fn unused(manifest: &str, shipping: &[Source], testing: &[Source]) -> Vec<String> {
    let ships = |name: &str| shipping.iter().any(|source| names(&source.shipped, name));
    let tests = |name: &str| shipping.iter().chain(testing).any(|source| names(&source.tokens, name));
    let mut faults = Vec::new();
    for name in dependencies(manifest, "dependencies") {
        if !ships(&name) {
            let rest = if tests(&name) {
                "is for tests only; move it to dev-dependencies"
            } else {
                "is used nowhere"
            };
            faults.push(format!("`{name}` {rest}"));
        }
    }
    for name in dependencies(manifest, "dev-dependencies") {
        if !tests(&name) {
            faults.push(format!("`{name}` (for tests) is used nowhere"));
        }
    }
    faults
}

/// A crate is used where a path begins with its name.
fn names(tokens: &[Token], name: &str) -> bool {
    tokens.iter().enumerate().any(|(at, token)| {
        let before = at.checked_sub(1).map_or("", |at| tokens[at].text.as_str());
        let after = tokens.get(at + 1).map_or("", |token| token.text.as_str());
        token.text == name && before != "::" && (after == "::" || before == "use")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"x\"\n\n[dependencies]\nserde.workspace = true\n# why\n\
        tokio-util = { version = \"1\" }\nbytes = \"1\"\n\n[dev-dependencies]\ninsta = \"1\"\n";

    #[test]
    fn tables_are_read() {
        assert_eq!(dependencies(MANIFEST, "dependencies"), ["serde", "tokio_util", "bytes"]);
        assert_eq!(dependencies(MANIFEST, "dev-dependencies"), ["insta"]);
    }

    #[test]
    fn what_nobody_names_is_unused() {
        let text = "use serde::Serialize; fn a(bytes: &[u8]) { b::insta::c() }\
            #[cfg(test)] mod tests { use tokio_util::d; }";
        let shipping = [Source::new("src/a.rs", text)];
        let want = [
            "`tokio_util` is for tests only; move it to dev-dependencies",
            "`bytes` is used nowhere",
            "`insta` (for tests) is used nowhere",
        ];
        assert_eq!(unused(MANIFEST, &shipping, &[]), want);
        let testing = [Source::new("tests/a.rs", "use insta::assert_json_snapshot;")];
        assert_eq!(unused(MANIFEST, &shipping, &testing), want[..2]);
    }
}
