//! `GET /api/events`: what changes is heard by those who may, and by nobody twice as much as needed.

#[path = "../support/mod.rs"]
mod support;

mod behind;
mod ear;
mod load;
mod place;
mod replicas;
mod scope;
mod told;

const API: &str = "acme/api";
const WEB: &str = "acme/web";

/// Somebody decided of every table whether writing to it is told.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test reads the migrations")]
fn no_table_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    let mut tables = 0;
    for file in std::fs::read_dir(folder).expect("the folder") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("a text");
        for rest in text.split("CREATE TABLE ").skip(1) {
            let table = rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().expect("a name");
            assert!(
                dispatch::store::changes::is_known(table),
                "say in src/store/changes.rs what `{table}` is"
            );
            tables += 1;
        }
    }
    assert!(tables >= 17, "only {tables} tables were found");
}
