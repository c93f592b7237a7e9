//! The demo's folder: gone with the demo, however that ends.
//!
//! A process that is killed can remove nothing. So a demo starts this program once more beside itself, which
//! waits on a pipe that the system closes with the demo, and then removes the folder. Where that one was
//! killed as well (a container that ends), the next demo finds that nobody holds the folder's lock.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _},
    path::Path,
    process::{Child, Stdio},
};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::cli::data_dir;

const PREFIX: &str = "dispatch-demo-";

/// A folder, and the process that removes it when this one cannot.
pub struct Folder {
    folder: TempDir,
    /// Its standard input is the pipe.
    remover: Option<Child>,
}

impl Folder {
    /// A new folder for a demo's database.
    pub fn make() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir().with_context(|| {
            let temp = std::env::temp_dir();
            format!("no folder for the demo could be made in {}; set TMPDIR to another", temp.display())
        })?;
        // Without it the folder of a killed demo stays until the next demo; that is no reason not to start.
        let remover = start_remover(folder.path()).ok();
        Ok(Self { folder, remover })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Removes the folder, and waits for the other process to end.
    pub fn remove(self) -> io::Result<()> {
        let closed = self.folder.close();
        if let Some(mut remover) = self.remover {
            // Closes the pipe first.
            remover.wait()?;
        }
        closed
    }
}

/// In a process group of its own, so that Ctrl-C in a terminal and a signal to the demo's group miss it.
#[expect(clippy::disallowed_types, reason = "the one process that this program starts: itself")]
fn start_remover(folder: &Path) -> io::Result<Child> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command
        .args(["demo", "--clear-away"])
        .arg(folder)
        .env_clear()
        .envs(std::env::var_os("TMPDIR").map(|dir| ("TMPDIR", dir)));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()
}

/// What the other process does: waits for the demo's end, and removes what the demo did not.
#[expect(clippy::disallowed_methods, reason = "data directories of demos")]
pub fn clear_away(folder: &Path) -> anyhow::Result<()> {
    let is_ours = folder.parent() == Some(std::env::temp_dir().as_path()) && is_named_so(folder);
    if !is_ours {
        bail!("{} is no folder of a demo; nothing was removed", folder.display());
    }
    io::stdin().read_to_end(&mut Vec::new())?;
    // The system closes a dead process's files one by one: the lock perhaps after the pipe.
    if let Ok(lock) = File::open(folder.join(data_dir::LOCK_FILE)) {
        lock.lock()?;
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Removes folders whose demo was killed: nobody holds their lock.
#[expect(clippy::disallowed_methods, reason = "data directories of demos")]
pub fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for folder in entries.flatten().map(|entry| entry.path()) {
        if is_named_so(&folder) && is_abandoned(&folder) {
            // Somebody else's folder stays; that is no reason not to start.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn is_named_so(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
}

fn is_abandoned(folder: &Path) -> bool {
    folder.join(data_dir::LOCK_FILE).exists() && data_dir::lock(folder).is_ok()
}
