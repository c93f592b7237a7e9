//! What is said about arguments that cannot be used: two lines.

use std::process::ExitCode;

/// Help and version as clap prints them; anything else as what is wrong, and where to read on.
pub fn explain(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    {
        // Nobody reads any more: that is no failure of this program.
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    say(&shorten(&error.render().to_string()));
    ExitCode::from(2)
}

#[expect(clippy::print_stderr, reason = "the last words of a command go to the terminal, not to the log")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Clap's paragraphs as two lines: the fault with its tips; the usage.
fn shorten(text: &str) -> String {
    let (mut fault, mut usage) = (Vec::new(), String::new());
    for paragraph in text.trim().split("\n\n") {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(line) = line.strip_prefix("Usage: ") {
            usage = format!("usage: {line}; ");
        } else if !line.starts_with("For more information") {
            fault.push(line);
        }
    }
    let fault = fault.join("; ");
    format!("dispatch: {}\n{usage}--help says more", fault.strip_prefix("error: ").unwrap_or(&fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_become_two_lines() {
        let text = "error: unrecognized subcommand 'ad'\n\n  tip: a similar subcommand exists: 'add'\n\n\
            Usage: dispatch repo [OPTIONS] <COMMAND>\n\nFor more information, try '--help'.\n";
        let want = "dispatch: unrecognized subcommand 'ad'; tip: a similar subcommand exists: 'add'\n\
            usage: dispatch repo [OPTIONS] <COMMAND>; --help says more";
        assert_eq!(shorten(text), want);
        let text = "error: these are missing:\n  <AGENT>\n\nFor more information, try '--help'.\n";
        assert_eq!(shorten(text), "dispatch: these are missing: <AGENT>\n--help says more");
    }
}
