//! `dispatch backup FILE`: a copy of the embedded database, while the server runs.

use std::{fs::OpenOptions, io::ErrorKind, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use super::show::{self, Format};
use crate::{
    config::{Database, Storage},
    store::backup::copy_sqlite,
};

pub const MORE: &str = "\
The copy is whole as of one moment, holds all that the server keeps (tokens as their SHA-256), and only its \
owner may read it. To restore: stop the server, put the file in the place of dispatch.db in its data directory, \
remove dispatch.db-wal and dispatch.db-shm if they are there, start the server.

Examples:
  dispatch backup /var/backups/dispatch-$(date +%F).db
  DISPATCH_DATA_DIR=/var/lib/dispatch dispatch backup today.db

A PostgreSQL database is backed up with pg_dump.
Exit codes: 0 done; 2 error, and no file is left.";

/// Copies the embedded database to a file.
#[derive(Args)]
pub struct Backup {
    /// The file to write; it must not exist.
    file: PathBuf,
    #[command(flatten)]
    storage: Storage,
    /// Print what was copied as JSON: `{"file", "source", "bytes"}`.
    #[arg(long)]
    json: bool,
}

impl Backup {
    #[expect(clippy::disallowed_methods, reason = "what is half written is removed")]
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let database = self.storage.read()?;
        let Database::Sqlite { file, .. } = &database else {
            bail!("DATABASE_URL names a PostgreSQL database; back it up with pg_dump");
        };
        let found = file.try_exists().with_context(|| {
            format!("{} cannot be looked at; run backup as the server's user", file.display())
        })?;
        if !found {
            bail!(
                "there is no database at {}; DISPATCH_DATA_DIR or DATABASE_URL name another",
                file.display()
            );
        }
        let target = self.file.to_str().context("the file's name is not UTF-8; choose another")?;
        make_private(&self.file)?;
        if let Err(error) = copy_sqlite(file, target).await {
            // What is half written is no backup.
            let _ = std::fs::remove_file(&self.file);
            return Err(error).with_context(|| format!("{} could not be copied to {target}", file.display()));
        }
        let bytes = std::fs::metadata(&self.file).map(|file| file.len())?;
        show::value(
            Format { json: self.json },
            &json!({ "file": self.file, "source": file, "bytes": bytes }),
            &format!("{} is a whole copy of {}", self.file.display(), file.display()),
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

/// An empty file that only its owner may read: the copy holds everything that Dispatch knows.
#[expect(clippy::disallowed_methods, reason = "the operator names the file")]
fn make_private(file: &PathBuf) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} exists already; a backup never overwrites, choose another name", file.display())
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be written", file.display())),
    }
}
