//! `docs/metrics.md` and the server name the same metrics.

use std::collections::{BTreeMap, BTreeSet};

use crate::{each_db, told::busy};

const PAGE: &str = include_str!("../../docs/metrics.md");

/// The texts in backticks of a cell.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows of the table.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let mut found = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, unit, says] = cells.as_slice() else { panic!("not five cells: {row}") };
        assert!(says.ends_with(['.', '…', ')']) && says.len() > 20, "{row}");
        assert!(!unit.is_empty() || *kind == "info", "{row}");
        let name = names(name).into_iter().next().expect("a name");
        assert!(found.insert(name, ((*kind).to_owned(), names(labels))).is_none(), "{row}");
    }
    found
}

each_db! {
    async fn every_metric_is_documented_and_every_documented_one_is_there(db) {
        let (app, told) = busy(db).await;
        assert_eq!(told.catalogue(), documented());
        drop(app);
    }
}

#[test]
fn the_alerts_ask_for_metrics_that_are_there() {
    let (_, rest) = PAGE.split_once("## Alerts worth having").expect("the chapter");
    let rules =
        rest.split("```").nth(1).and_then(|block| block.strip_prefix("yaml\n")).expect("a block of YAML");
    let known = documented();
    let words = rules.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let mut asked = 0;
    for word in words.filter(|word| word.starts_with("dispatch_")) {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| word.strip_suffix(suffix));
        assert!(known.contains_key(word) || base.is_some_and(|base| known.contains_key(base)), "{word}");
        asked += 1;
    }
    assert!(asked >= 6, "{asked}");
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert_eq!(alerts.len(), 5);
    for alert in alerts {
        for part in ["expr: ", "for: ", "severity: ", "summary: ", "description: "] {
            assert!(alert.contains(part), "{part} is missing: {alert}");
        }
    }
    assert_eq!(rules.matches("\n      # ").count(), 6, "each says why");
}
