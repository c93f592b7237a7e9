//! The audit log as files: CSV that no spreadsheet runs, and JSON lines.

use serde_json::Value;

/// One row in a line.
pub fn jsonl(rows: &[Value]) -> Vec<u8> {
    rows.iter().flat_map(|row| format!("{row}\n").into_bytes()).collect()
}

const HEAD: [&str; 14] = [
    "createdAt",
    "id",
    "actor",
    "agent",
    "tokenId",
    "action",
    "repoFullName",
    "issueNumber",
    "issueId",
    "success",
    "beforeLabels",
    "afterLabels",
    "errorMessage",
    "notes",
];

/// Rows as a spreadsheet reads them, with or without the line of names.
pub fn csv(rows: &[Value], with_head: bool) -> csv::Result<Vec<u8>> {
    // RFC 4180 ends lines thus.
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if with_head {
        writer.write_record(HEAD)?;
    }
    for row in rows {
        writer.write_record(HEAD.map(|name| cell(&row[name])))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// A value that no spreadsheet takes for a formula.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            items.join(" ")
        }
        other => other.to_string(),
    };
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_quoted_and_none_is_a_formula() {
        let row = json!({
            "createdAt": "2026-01-01T00:00:00.000Z",
            "actor": "=HYPERLINK(\"http://x\")",
            "agent": "@sum",
            "action": "set_lane",
            "issueNumber": 7,
            "success": true,
            "beforeLabels": ["a", "b c"],
            "afterLabels": ["-1"],
            "errorMessage": null,
            "notes": "two\nlines, \"quoted\"",
        });
        let text = String::from_utf8(csv(&[row], true).unwrap()).unwrap();
        let (head, rest) = text.split_once("\r\n").unwrap();
        assert_eq!(head, HEAD.join(","));
        assert_eq!(
            rest,
            "2026-01-01T00:00:00.000Z,,\"'=HYPERLINK(\"\"http://x\"\")\",'@sum,,set_lane,,7,,true,a b c,'-1,,\
             \"two\nlines, \"\"quoted\"\"\"\r\n"
        );
        assert_eq!(csv(&[], false).unwrap(), b"");
    }
}
