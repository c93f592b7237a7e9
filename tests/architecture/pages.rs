//! The pages for people: ARCHITECTURE.md and README.md name what there is, and nothing else.

use crate::source::Source;

/// Files that the map leaves out, and files that it names and that are not there.
pub fn unmapped(page: &str, sources: &[Source]) -> Vec<String> {
    let paths: Vec<&str> = sources.iter().filter(|source| !source.shipped.is_empty()).map(inside).collect();
    let named: Vec<&str> = spans(page).filter(|span| span.strip_suffix(".rs").is_some()).collect();
    let left_out = paths.iter().filter(|path| !named.contains(path));
    let left_out = left_out.map(|path| format!("`{path}` is not in the map"));
    let gone = named.iter().filter(|name| !paths.iter().any(|path| path == *name));
    left_out.chain(gone.map(|name| format!("`{name}` is in the map and not in src"))).collect()
}

fn inside(source: &Source) -> &str {
    source.path.strip_prefix("src/").unwrap_or(&source.path)
}

/// Paths such as `record::open` or `Db::write` that lead nowhere.
pub fn unknown_paths(page: &str, sources: &[Source]) -> Vec<String> {
    let paths = spans(page).filter_map(|span| {
        let (owner, name) = span.rsplit_once("::")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_');
        span.chars().all(plain).then(|| (span, owner.rsplit("::").next().unwrap_or(owner), name))
    });
    let leads = |owner, name| sources.iter().any(|source| owns(source, owner) && declares(source, name));
    let unknown = paths.filter(|(_, owner, name)| !leads(*owner, *name));
    unknown.map(|(span, ..)| format!("`{span}` is not in src")).collect()
}

/// Is the file the module `owner`, or does it say what the type `owner` is or does?
fn owns(source: &Source, owner: &str) -> bool {
    source.module().last() == Some(&owner)
        || follows(source, owner, &["impl"])
        || follows(source, owner, &["struct", "enum", "trait"])
}

fn declares(source: &Source, name: &str) -> bool {
    follows(source, name, &["fn", "struct", "enum", "trait", "const", "mod"])
}

/// Does `name` stand after one of these words?
fn follows(source: &Source, name: &str, words: &[&str]) -> bool {
    source.shipped.windows(2).any(|pair| pair[1].text == name && words.contains(&pair[0].text.as_str()))
}

/// Names that are not in the page.
pub fn unnamed<'n>(page: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let left_out = names.into_iter().filter(|name| !page.contains(&format!("{name}`")));
    left_out.map(|name| format!("`{name}` is not there")).collect()
}

/// Texts between backticks.
fn spans(page: &str) -> impl Iterator<Item = &str> {
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> [Source; 2] {
        let tests = Source::new("src/github/tests/mod.rs", "fn a() {}");
        [Source::new("src/store/db.rs", "pub struct Db; impl Db { fn write() {} }"), tests]
    }

    #[test]
    fn the_map_is_whole_and_true() {
        assert_eq!(unmapped("| `store/db.rs` | x |", &sources()), [""; 0]);
        let want = ["`store/db.rs` is not in the map", "`store/gone.rs` is in the map and not in src"];
        assert_eq!(unmapped("`store/gone.rs`", &sources()), want);
    }

    #[test]
    fn names_in_the_text_exist() {
        assert_eq!(unknown_paths("`Db::write`, `store::db::Db` and `a::b, c`", &sources()), [""; 0]);
        assert_eq!(unknown_paths("`Db::read`", &sources()), ["`Db::read` is not in src"]);
        assert_eq!(unknown_paths("`runs::write`", &sources()), ["`runs::write` is not in src"]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert_eq!(unnamed("`GET /a` and /b", ["/a", "/b"]), ["`/b` is not there"]);
    }
}
