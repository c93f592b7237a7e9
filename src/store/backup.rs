//! Copying the embedded database while it is in use.

use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use super::db::Result;

/// Writes a whole, compact copy of the SQLite file into `target`, which must be missing or empty. The copy
/// is one moment of the database, whoever writes meanwhile (`VACUUM INTO` of SQLite).
pub async fn copy_sqlite(file: &Path, target: &str) -> Result<()> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = options.connect().await?;
    sqlx::query("VACUUM INTO ?1").bind(target).execute(&mut connection).await?;
    connection.close().await
}
