//! The demo's folder: gone with the demo; what a killed demo left goes with the next.

use std::{fs, path::Path};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::cli::data_dir;

const PREFIX: &str = "dispatch-demo-";

/// A new folder for a demo's database.
pub fn make() -> anyhow::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir()
        .context("no folder for the demo could be made; is the disk full?")
}

/// Removes folders whose demo was killed: nobody holds their lock.
#[expect(clippy::disallowed_methods, reason = "data directories of demos")]
pub fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let is_demo = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_demo && is_abandoned(&entry.path()) {
            // Somebody else's folder stays; that is no reason not to start.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(folder: &Path) -> bool {
    folder.join(data_dir::LOCK_FILE).exists() && data_dir::lock(folder).is_ok()
}
