//! Logging: lines on standard error; `DISPATCH_LOG` filters, `DISPATCH_LOG_FORMAT=json` structures.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::Logging;

/// Starts logging as configured; `default` is the filter when neither `DISPATCH_LOG` nor `RUST_LOG` is set.
pub fn start(default: &str, logging: &Logging) {
    let from_rust_log = std::env::var("RUST_LOG").ok().filter(|filter| !filter.trim().is_empty());
    let filter = logging.filter().map(str::to_owned).or(from_rust_log).unwrap_or_else(|| default.to_owned());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new(default));
    let terminal = std::io::stderr().is_terminal();
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(terminal);
    // A second start (tests in one process) changes nothing.
    let _ = if logging.is_json() {
        lines.json().flatten_event(true).try_init()
    } else {
        lines.with_target(false).try_init()
    };
}
