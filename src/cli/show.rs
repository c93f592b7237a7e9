//! What commands print: tables for people, JSON for programs.

use std::io::Write as _;

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
        line(empty);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().map(|(head, _)| *head));
    for row in list {
        table.add_row(columns.iter().map(|(_, cell)| cell(row)));
    }
    line(&table.to_string());
    Ok(())
}

/// Prints a value as JSON, or a line for people.
pub fn value(format: Format, value: &Value, words: &str) -> anyhow::Result<()> {
    if format.json {
        return json(value);
    }
    line(words);
    Ok(())
}

/// Prints one of many: JSON in a line, or words for people; false when nobody reads any more.
pub fn event(format: Format, value: &Value, words: &str) -> bool {
    let mut out = std::io::stdout();
    let printed = if format.json { writeln!(out, "{value}") } else { writeln!(out, "{words}") };
    printed.is_ok()
}

/// Prints JSON.
pub fn json(value: &Value) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints a line. Who reads it may have gone (`dispatch runs | head`): that is no failure.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
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
