//! What the simulator answers, and that nothing of what it serves goes unchecked.

use std::collections::BTreeSet;

use github_sim::operations;
use serde_json::{Value, json};

use crate::{
    check::{Checker, validator},
    description::Description,
    exceptions::{EXCEPTIONS, Proof, errata},
    repair::Repairs,
    script,
};

#[test]
fn every_operation_of_the_simulator_is_described() {
    let description = Description::get();
    assert!(description.version().starts_with("3.0."), "`nullable` went away in OpenAPI 3.1");
    for operation in operations() {
        let described = description.find(&operation);
        assert!(described.is_some(), "{} {} is not GitHub's", operation.method, operation.path);
    }
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let mut checker = Checker::new();
    let exchanges = script::play().await;
    let faults: Vec<String> = exchanges.iter().flat_map(|it| checker.faults(it)).collect();
    assert_eq!(faults, [""; 0], "{} of {}: {}", faults.len(), exchanges.len(), faults.join("\n"));
    let repairs = checker.repairs;
    assert!(repairs.typed > 0 && repairs.untyped > 0, "{repairs:?}");
    assert_eq!(repairs.silent, 0, "a schema that lets anything pass");
    let unused: Vec<_> = (0..EXCEPTIONS.len()).filter(|at| !checker.used.contains(at)).collect();
    assert_eq!(unused, [0; 0], "exceptions that nothing needs, by their place in the table");
    let well: BTreeSet<&str> =
        exchanges.iter().filter(|it| matches!(it.status, 200..=204 | 302)).map(|it| it.kind).collect();
    let all: BTreeSet<&str> = operations().map(|operation| operation.kind).collect();
    assert_eq!(well, all, "each operation is played to a good end");
}

/// The places of these operations where the description says `nullable` and no type.
#[test]
fn null_counts_where_the_description_gives_no_type() {
    let of_the_list = "/paths/~1repos~1{owner}~1{repo}~1issues";
    let of_one = "/paths/~1repos~1{owner}~1{repo}~1issues~1{issue_number}";
    let body = "requestBody/content/application~1json/schema/properties";
    let places = [
        "/components/schemas/issue-field-value/properties/value".to_owned(),
        format!("{of_the_list}/post/{body}/milestone"),
        format!("{of_one}/patch/{body}/title"),
        format!("{of_one}/patch/{body}/milestone"),
        format!("{of_one}/patch/{body}/type"),
    ];
    let description = Description::get();
    for place in places {
        let described = description.at(&place);
        assert!(described["nullable"] == true && described.get("type").is_none(), "{place}");
        let plain = jsonschema::options().build(described).expect("a schema");
        assert!(!plain.is_valid(&Value::Null), "{place}: `nullable` says nothing to a validator");
        let mended = validator(description, described, &mut Repairs::default());
        assert!(mended.is_valid(&Value::Null), "{place}");
        assert!(!mended.is_valid(&json!({ "wrong": true })), "{place}");
    }
}

#[test]
fn errata_are_faults_of_the_description_and_not_of_the_simulator() {
    let description = Description::get();
    let allows = |schema, value| validator(description, schema, &mut Repairs::default()).is_valid(value);
    for (erratum, wrong) in errata().iter().zip(description.wrong()) {
        let answer = match &erratum.refused {
            Proof::Example(pointer) => description.at(pointer),
            Proof::Value(value) => value,
        };
        assert!(!allows(wrong, answer), "{} is as it should be now: drop the erratum", erratum.pointer);
        assert!(allows(&erratum.right, answer), "{}", erratum.pointer);
    }
    let pages = EXCEPTIONS.map(|exception| exception.page);
    assert!(pages.iter().all(|page| !page.is_empty()), "an exception is what GitHub says somewhere");
}
