//! `--shell`: variables that `eval` may read, whatever strangers wrote into them.

use std::process::ExitCode;

use crate::cli::show::{self, Format};

/// How a command prints what a program goes on with.
#[derive(clap::Args, Clone, Copy)]
pub struct Output {
    #[command(flatten)]
    pub format: Format,
    /// Print variables for `eval`: NAME='value'. All are there; what does not apply is empty.
    #[arg(long, conflicts_with = "json")]
    pub shell: bool,
}

impl Output {
    /// Prints words, JSON or variables.
    pub fn print(
        self,
        value: &serde_json::Value,
        words: &str,
        variables: &[(&str, String)],
    ) -> anyhow::Result<()> {
        if self.shell {
            let lines: Vec<String> =
                variables.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
            return show::line(&lines.join("\n"));
        }
        show::value(self.format, value, words)
    }

    /// The same, and then this code.
    pub fn end(
        self,
        value: &serde_json::Value,
        words: &str,
        variables: &[(&str, String)],
        code: u8,
    ) -> anyhow::Result<ExitCode> {
        self.print(value, words, variables).map(|()| ExitCode::from(code))
    }
}

/// A text as one word of every POSIX shell. Within single quotes nothing means anything but the next single quote;
/// control characters but tab and line feed become blanks, because no shell holds a NUL and none should steer a terminal.
fn quoted(text: &str) -> String {
    let harmless = |c: char| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c };
    let text: String = text.chars().map(harmless).collect();
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quotes_end_nowhere_but_at_the_end() {
        let cases = [
            ("", "''"),
            ("plain", "'plain'"),
            ("it's", r"'it'\''s'"),
            ("'", r"''\'''"),
            (r"a\", r"'a\'"),
            ("$(id) `id` \"x\" ; & |", "'$(id) `id` \"x\" ; & |'"),
            ("two\nlines", "'two\nlines'"),
            ("nul\0esc\u{1b}[31m", "'nul esc [31m'"),
        ];
        for (text, want) in cases {
            assert_eq!(quoted(text), want);
        }
    }
}
