//! Who may use whom.

use crate::{imports::references, source::Source};

/// Each layer with those that it may use, itself left out. `store` has no clock: times come as arguments.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("lib", &[]),
    ("main", &["cli"]),
    ("cli", &["clock", "config", "domain", "engine", "github", "http", "scheduler", "store"]),
    ("config", &["domain", "engine", "github", "scheduler"]),
    ("http", &["clock", "domain", "engine", "metrics", "store"]),
    ("scheduler", &["clock", "domain", "engine", "metrics", "store"]),
    ("engine", &["clock", "domain", "github", "metrics", "store"]),
    ("store", &["domain", "metrics"]),
    ("github", &["clock", "domain", "metrics"]),
    ("clock", &["domain"]),
    ("metrics", &[]),
    ("domain", &[]),
];

/// What a file of `src` names and may not.
pub fn forbidden_imports(source: &Source) -> Vec<String> {
    let module = source.module();
    let layer = match source.path.as_str() {
        "src/main.rs" => "main",
        "src/lib.rs" => "lib",
        _ => module[0],
    };
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == layer) else {
        let path = &source.path;
        return vec![format!(
            "{path}: `{layer}` is no layer; put it into one, or into MAY_USE and ARCHITECTURE.md"
        )];
    };
    let named = references(source).into_iter().filter(|found| found.layer != layer);
    named
        .filter(|found| !allowed.contains(&found.layer.as_str()))
        .map(|found| {
            let (path, line, other) = (&source.path, found.line, found.layer);
            let may = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
            format!("{path}:{line}: `{layer}` may not use `{other}`; it may use {may}")
        })
        .collect()
}

/// The simulator shares no code with the product: that both follow GitHub is their only link.
pub fn mentions_of_the_product(source: &Source) -> Vec<String> {
    let names = source.tokens.windows(2).filter(|pair| {
        let [name, after] = pair else { return false };
        name.text == "dispatch" && matches!(after.text.as_str(), "::" | "as" | ";")
    });
    names
        .map(|pair| format!("{}:{}: names the crate `dispatch`", source.path, pair[0].lines.start()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        forbidden_imports(&Source::new(path, text))
    }

    #[test]
    fn layers_above_are_refused() {
        let faults = faults(
            "src/store/a.rs",
            "use crate::{\n    domain::ids::RunId,\n    engine::{Engine, sync},\n};",
        );
        assert_eq!(faults, ["src/store/a.rs:3: `store` may not use `engine`; it may use domain, metrics"]);
    }

    #[test]
    fn store_and_github_do_not_see_each_other() {
        assert_eq!(faults("src/store/a.rs", "fn a() { crate::github::b() }").len(), 1);
        assert_eq!(faults("src/github/a.rs", "use super::super::store::Db;").len(), 1);
        assert_eq!(faults("src/domain/a.rs", "use crate::{clock::Clock, store};").len(), 2);
    }

    #[test]
    fn what_is_allowed_passes() {
        assert_eq!(
            faults("src/engine/a.rs", "use crate::{domain, engine::b, github::C, store::{self, Db}};"),
            [""; 0]
        );
        assert_eq!(faults("src/main.rs", "fn main() { dispatch::cli::main() }"), [""; 0]);
        assert_eq!(faults("src/main.rs", "fn main() { dispatch::engine::main() }").len(), 1);
    }

    #[test]
    fn a_new_layer_must_be_named() {
        assert!(faults("src/board/mod.rs", "")[0].contains("`board` is no layer"));
        assert_eq!(faults("src/engine/a.rs", "use crate::*; use crate as top;").len(), 2);
    }

    #[test]
    fn the_simulator_may_not_name_the_product() {
        let faults = |text| mentions_of_the_product(&Source::new("crates/github-sim/src/a.rs", text)).len();
        assert_eq!(faults("use dispatch::domain::ids::RunId;"), 1);
        assert_eq!(faults("//! Knows nothing of `dispatch`.\nfn dispatch() { a(\"dispatch::b\") }"), 0);
    }
}
