//! How files look: their length, their names, their first line, and what may not be left in them.

use crate::source::{Source, in_tests};

/// Where a file is too long for one idea.
const LINES_MAX: usize = 400;

/// Tests tell more with less: tables of cases are long and plain.
const TEST_LINES_MAX: usize = 500;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] =
    ["common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"];

/// Notes to oneself; in two parts, so that this file has none.
const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Agents of this world and of the Node edition: to the product every agent is any.
const AGENTS: [&str; 8] = ["foreman", "claude", "codex", "copilot", "devin", "gemini", "hermes", "openhands"];

/// The product names a particular agent.
pub fn agents_named(path: &str, text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let named = AGENTS.iter().filter(|agent| text.contains(*agent));
    named
        .map(|agent| format!("{path}: names the agent `{agent}`; to the product every agent is any"))
        .collect()
}

/// A file with more code than one idea takes.
pub fn too_long(source: &Source) -> Option<String> {
    let lines = source.lines_of_code();
    let most = if in_tests(&source.path) { TEST_LINES_MAX } else { LINES_MAX };
    (lines > most).then(|| format!("{}: {lines} lines of code; split it by idea", source.path))
}

/// A file that does not begin by saying what it is for.
pub fn without_first_sentence(source: &Source) -> Option<String> {
    let said = source.text.strip_prefix("//! ").is_some_and(|rest| !rest.trim_start().is_empty());
    (!said).then(|| format!("{}: does not begin with `//! ` and what it is for", source.path))
}

/// A file or folder whose name says nothing.
pub fn emptily_named(path: &str) -> Option<String> {
    let part = path.split('/').find(|part| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part)))?;
    Some(format!("{path}: `{part}` says nothing about what is inside"))
}

/// Notes to oneself, in code or comments.
pub fn notes(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    let noted = lines.filter(|(_, line)| {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| NOTES.contains(&word))
    });
    noted.map(|(n, _)| format!("{path}:{}: a note to oneself; do it, or open an issue", n + 1)).collect()
}

/// `foo.rs` beside `foo/`: here a module with children is `foo/mod.rs`.
pub fn beside_its_folder(sources: &[Source]) -> Vec<String> {
    let folder = |source: &Source| source.path.strip_suffix(".rs").map(|stem| format!("{stem}/"));
    let has_folder = |folder: &String| sources.iter().any(|other| other.path.starts_with(folder));
    let modules = sources.iter().filter(|source| !in_tests(&source.path));
    modules
        .filter(|source| folder(source).as_ref().is_some_and(has_folder))
        .map(|source| format!("{}: move it into its folder as mod.rs", source.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_found() {
        let text = |lines: usize| "fn a() {}\n".repeat(lines);
        assert!(too_long(&Source::new("src/a.rs", &text(LINES_MAX))).is_none());
        assert!(too_long(&Source::new("src/a.rs", &text(LINES_MAX + 1))).is_some());
        let comments = format!("{}{}", text(LINES_MAX), "// why\n\n".repeat(100));
        assert!(too_long(&Source::new("src/a.rs", &comments)).is_none());
        assert!(too_long(&Source::new("tests/a.rs", &text(LINES_MAX + 1))).is_none());
        assert!(too_long(&Source::new("tests/a.rs", &text(TEST_LINES_MAX + 1))).is_some());
    }

    #[test]
    fn a_file_says_first_what_it_is_for() {
        assert!(without_first_sentence(&Source::new("src/a.rs", "//! A clock.\n")).is_none());
        assert!(without_first_sentence(&Source::new("src/a.rs", "//!\nuse b;")).is_some());
        assert!(without_first_sentence(&Source::new("src/a.rs", "use b;\n//! A clock.")).is_some());
    }

    #[test]
    fn empty_names_are_found_in_files_and_folders() {
        assert!(emptily_named("src/store/utils.rs").is_some());
        assert!(emptily_named("src/common/mod.rs").is_some());
        assert!(emptily_named("src/engine/commons.rs").is_none());
    }

    #[test]
    fn notes_are_found_as_words() {
        let note = NOTES[0];
        assert_eq!(
            notes("src/a.rs", &format!("a\n// {note}: b\n")),
            ["src/a.rs:2: a note to oneself; do it, or open an issue"]
        );
        assert_eq!(notes("src/a.rs", &format!("let {note}S = 1; mktemp {0}{0}", NOTES[2])), [""; 0]);
    }

    #[test]
    fn modules_live_in_their_folders() {
        let files = ["src/sync.rs", "src/sync/read.rs", "src/store/mod.rs", "src/store/db.rs"];
        let sources = files.map(|path| Source::new(path, ""));
        assert_eq!(beside_its_folder(&sources), ["src/sync.rs: move it into its folder as mod.rs"]);
    }
}
