//! What a case came to, and the table that shows it.

use std::fs;

use comfy_table::{ContentArrangement, Table, presets};

use super::options::Backend;

/// One figure, what it must be, and what the Node edition has instead.
pub struct Row {
    measure: String,
    value: String,
    goal: String,
    node: &'static str,
    met: bool,
}

impl Row {
    pub fn new(measure: impl Into<String>, value: impl Into<String>) -> Self {
        Self { measure: measure.into(), value: value.into(), goal: String::new(), node: "", met: true }
    }

    /// A line above the figures that belong together.
    pub fn section(name: &str) -> Self {
        Self::new(name, "")
    }

    /// What the issue asks for, and whether it is so.
    pub fn must_be(mut self, goal: impl Into<String>, met: bool) -> Self {
        self.goal = goal.into();
        self.met = met;
        self
    }

    /// What another has instead, as the issue quotes it: the Node edition, or who is named.
    pub fn node(mut self, quoted: &'static str) -> Self {
        self.node = quoted;
        self
    }

    fn shown(&self) -> String {
        if self.met { self.value.clone() } else { format!("{}  << MISSED", self.value) }
    }
}

/// The rows that one database gave.
pub type Column = (Backend, Vec<Row>);

/// Prints a case as a table with a column for each database.
#[expect(clippy::print_stdout, reason = "the table is what the benchmark is for")]
pub fn print(title: &str, columns: &[Column]) {
    let Some((_, first)) = columns.first() else { return };
    println!("\n{title}");
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    let names = columns.iter().map(|(backend, _)| backend.name());
    table.set_header(["measure"].into_iter().chain(names).chain(["must be", "others"]));
    for (at, row) in first.iter().enumerate() {
        let shown = |(_, rows): &Column| rows.get(at).map_or_else(String::new, Row::shown);
        let mut cells = vec![row.measure.clone()];
        cells.extend(columns.iter().map(shown));
        cells.extend([row.goal.clone(), row.node.to_owned()]);
        table.add_row(cells);
    }
    println!("{table}");
}

/// Prints a line.
#[expect(clippy::print_stdout, reason = "what stands beside the tables belongs to them")]
pub fn say(line: &str) {
    println!("{line}");
}

/// Prints what happens now, where it is not mixed with the tables.
#[expect(clippy::print_stderr, reason = "progress is not part of the result")]
pub fn progress(line: &str) {
    eprintln!("{line}");
}

/// How busy the machine is, as it says itself: the cores may be shared with others.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
