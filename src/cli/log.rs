//! Logging: lines on standard error; `DISPATCH_LOG` filters, `DISPATCH_LOG_FORMAT=json` structures.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging; `default` is the filter when `DISPATCH_LOG` (or `RUST_LOG`) is not set.
pub fn start(default: &str) {
    let given = |name| std::env::var(name).ok().filter(|value: &String| !value.trim().is_empty());
    let filter = given("DISPATCH_LOG").or_else(|| given("RUST_LOG")).unwrap_or_else(|| default.to_owned());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new(default));
    let terminal = std::io::stderr().is_terminal();
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(terminal);
    // A second start (tests in one process) changes nothing.
    let _ = match given("DISPATCH_LOG_FORMAT").as_deref() {
        Some("json") => lines.json().flatten_event(true).try_init(),
        _ => lines.with_target(false).try_init(),
    };
}
