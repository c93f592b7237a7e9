//! Guards the rules of ARCHITECTURE.md: who may use whom, what may stand where, and how files look.

mod house;
mod imports;
mod layers;
mod packages;
mod pages;
mod places;
mod source;
mod tokens;

use source::{Source, list, text};

const PRODUCT: &str = "src";
const SIMULATOR: &str = "crates/github-sim/src";
const TESTS: [&str; 3] = ["tests", "benches", "crates/github-sim/tests"];

/// Fails with all faults at once.
fn none(rule: &str, faults: impl IntoIterator<Item = String>) {
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

fn product() -> Vec<Source> {
    let sources = Source::all(&[PRODUCT]);
    assert!(sources.len() > 40, "only {} files were found in {PRODUCT}", sources.len());
    sources
}

fn everything() -> Vec<Source> {
    Source::all(&[&[PRODUCT, SIMULATOR], TESTS.as_slice()].concat())
}

#[test]
fn layers_use_only_what_they_may() {
    none("Layers (src/lib.rs has the rule)", product().iter().flat_map(layers::forbidden_imports));
}

#[test]
fn the_simulator_shares_no_code_with_the_product() {
    let simulator = Source::all(&[SIMULATOR]);
    assert!(!simulator.is_empty());
    none("The simulator stands alone", simulator.iter().flat_map(layers::mentions_of_the_product));
    let manifest = text("crates/github-sim/Cargo.toml");
    let tables = ["dependencies", "dev-dependencies"];
    let named = tables.iter().flat_map(|table| packages::dependencies(&manifest, table));
    none("The simulator stands alone", named.filter(|name| name == "dispatch"));
}

#[test]
fn everything_stands_in_its_place() {
    none("Places", product().iter().flat_map(places::misplaced));
}

#[test]
fn files_are_short() {
    none("Length", everything().iter().filter_map(house::too_long));
}

#[test]
fn files_say_what_they_are_for() {
    none("First sentence", everything().iter().filter_map(house::without_first_sentence));
}

#[test]
fn files_have_names_that_say_something() {
    let all = everything();
    let empty = all.iter().filter_map(|source| house::emptily_named(&source.path));
    none("Names", empty.chain(house::beside_its_folder(&all)));
}

#[test]
fn nobody_left_notes_to_oneself() {
    let code = everything().into_iter().map(|source| (source.path, source.text));
    let folders = ["migrations/sqlite", "migrations/postgres", "scripts", ".ci", "examples"];
    let files = folders.iter().flat_map(|folder| {
        list(folder)
            .into_iter()
            .filter(|name| !name.ends_with('/'))
            .map(move |name| format!("{folder}/{name}"))
    });
    let others = files.map(|path| (path.clone(), text(&path)));
    none("Notes", code.chain(others).flat_map(|(path, text)| house::notes(&path, &text)));
}

#[test]
fn the_product_names_no_agent() {
    let mut files: Vec<String> = product().into_iter().map(|source| source.path).collect();
    let folders = ["templates", "assets"]
        .into_iter()
        .filter(|folder| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).is_dir());
    let others =
        folders.flat_map(|folder| list(folder).into_iter().map(move |name| format!("{folder}/{name}")));
    files.extend(others.filter(|path| !path.ends_with('/')));
    none("Agents", files.iter().flat_map(|path| house::agents_named(path, &text(path))));
    assert_eq!(house::agents_named("x", "let agent = \"Foreman-coder\";").len(), 1);
}

#[test]
fn both_databases_have_the_same_migrations() {
    let (sqlite, postgres) = (list("migrations/sqlite"), list("migrations/postgres"));
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, postgres, "each migration has a file of the same name for the other database");
    for (n, name) in sqlite.iter().enumerate() {
        let number = format!("{:04}_", n + 1);
        let what = name.strip_prefix(&number).and_then(|rest| rest.strip_suffix(".sql"));
        assert!(what.is_some_and(|what| !what.is_empty()), "{name} is not {number}<what>.sql");
    }
}

#[test]
fn every_dependency_of_the_product_is_used() {
    let tests = Source::all(&["tests", "benches"]);
    none("Cargo.toml", packages::unused(&text("Cargo.toml"), &product(), &tests));
}

#[test]
fn every_dependency_of_the_simulator_is_used() {
    let (sources, tests) = (Source::all(&[SIMULATOR]), Source::all(&["crates/github-sim/tests"]));
    none("crates/github-sim", packages::unused(&text("crates/github-sim/Cargo.toml"), &sources, &tests));
}

#[test]
fn the_map_names_what_there_is() {
    let (sources, page) = (product(), text("ARCHITECTURE.md"));
    let faults = pages::unmapped(&page, &sources).into_iter().chain(pages::unknown_paths(&page, &sources));
    none("ARCHITECTURE.md", faults);
}

#[test]
fn the_readme_names_every_route() {
    // Its variables and commands are made from the code: tests/cli/readme.rs.
    let described = dispatch::http::openapi();
    let routes = described.paths.paths.keys().map(String::as_str);
    none("README.md", pages::unnamed(&text("README.md"), routes));
}

#[test]
fn the_product_holds_no_crate_that_is_not_released() {
    let manifest = text("Cargo.toml");
    let shipped = manifest.split("[dev-dependencies]").next().expect("a part");
    assert!(
        shipped.contains("github-sim = { path = \"crates/github-sim\", default-features = false }"),
        "the simulator's keys come from a crate that is not released; only tests may ask for the feature `apps`"
    );
}
