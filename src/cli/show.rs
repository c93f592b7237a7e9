//! What commands print: tables for people, JSON for programs.

use std::{
    io::{ErrorKind, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use serde_json::Value;

/// `--json`, on every command that prints data.
#[derive(clap::Args, Clone, Copy)]
pub struct Format {
    /// Print JSON for programs.
    #[arg(long, global = true)]
    pub json: bool,
}

/// One column: its head, and where its value is in a row.
pub type Column = (&'static str, fn(&Value) -> String);

/// Prints rows as a table, or `empty` when there are none.
pub fn rows(format: Format, rows: &Value, columns: &[Column], empty: &str) -> anyhow::Result<()> {
    if format.json {
        return json(rows);
    }
    let list = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        return line(empty);
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().map(|(head, _)| *head));
    for row in list {
        table.add_row(columns.iter().map(|(_, cell)| harmless(&cell(row))));
    }
    line(&table.to_string())
}

/// Without what would steer a terminal: names and notes are what somebody wrote.
pub fn harmless(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

/// Prints a value as JSON, or a line for people.
pub fn value(format: Format, value: &Value, words: &str) -> anyhow::Result<()> {
    if format.json {
        return json(value);
    }
    line(words)
}

/// Prints one of many: JSON in a line, or words for people; false when nobody reads any more.
pub fn event(format: Format, value: &Value, words: &str) -> bool {
    let mut out = std::io::stdout();
    let printed = if format.json { writeln!(out, "{value}") } else { writeln!(out, "{words}") };
    printed.is_ok()
}

/// Prints a piece of something long; false when nobody reads any more.
pub fn piece(bytes: &[u8]) -> anyhow::Result<bool> {
    let mut out = std::io::stdout();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("standard output cannot be written"),
    }
}

/// Prints JSON.
pub fn json(value: &Value) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Prints a line. A line that is lost (a full disk) is a failure: it may hold a token that is shown once.
pub fn line(text: &str) -> anyhow::Result<()> {
    print(format!("{text}\n").as_bytes())
}

/// Says something to the person, past what programs read.
#[expect(clippy::print_stderr, reason = "it is for the terminal, not for the log")]
pub fn aside(text: &str) {
    eprintln!("dispatch: {}", harmless(text));
}

/// Prints a file for others; half of it is none.
pub fn script(text: &[u8]) -> anyhow::Result<ExitCode> {
    print(text).map(|()| ExitCode::SUCCESS)
}

/// Who reads it may have gone (`dispatch runs | head`): that is no failure.
fn print(text: &[u8]) -> anyhow::Result<()> {
    piece(text).map(drop)
}

/// A field as text; nothing for null.
pub fn text(row: &Value, field: &str) -> String {
    match &row[field] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A time without its milliseconds.
pub fn time(row: &Value, field: &str) -> String {
    let text = text(row, field);
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_steers_the_terminal() {
        assert_eq!(harmless("ev\u{1b}[31mil\nl\u{9b}ne é"), "ev [31mil l ne é");
    }
}
