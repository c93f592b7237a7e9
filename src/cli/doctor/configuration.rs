//! Every variable that is wrong, and every one that will not do what its setter hopes.

use super::report::{Check, Line, Report};
use crate::config::{Draft, check_names};

pub fn check(draft: &Draft, names: impl IntoIterator<Item = String>, report: &mut Report) {
    for fault in &draft.faults {
        let remedy = format!("for example {}={}", fault.variable, fault.example);
        report.add(Line::error(Check::Configuration, &fault.fault, remedy).about(fault.variable));
    }
    let warnings: Vec<String> = draft.warnings.iter().cloned().chain(check_names(names)).collect();
    for warning in &warnings {
        report.add(split(warning));
    }
    if draft.faults.is_empty() && warnings.is_empty() {
        report.add(Line::ok(Check::Configuration, "every value can be read"));
    }
}

/// Warnings of the configuration say what is wrong, then what follows.
fn split(warning: &str) -> Line {
    let (what, remedy) = warning.split_once("; ").unwrap_or((warning, "check the configuration"));
    Line::warning(Check::Configuration, what, remedy)
}
