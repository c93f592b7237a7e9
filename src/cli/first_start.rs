//! The first start: with no token configured, the server makes one.

use std::{
    fs::OpenOptions,
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use secrecy::ExposeSecret;

use super::data_dir;
use crate::{
    config::Config,
    domain::{
        access::{Caller, Tier},
        ids::TokenId,
    },
    engine::{Engine, tokens},
    store::tokens as table,
};

/// The file in the data directory that holds the first token.
pub const ADMIN_TOKEN_FILE: &str = "admin-token";

/// Where a maintainer's token is.
pub enum AdminToken {
    /// In the environment.
    Configured,
    /// Made at an earlier start.
    Made { file: Option<PathBuf> },
    /// Made just now; the text only where a person at a terminal can read it.
    New { file: PathBuf, shown: Option<String> },
}

/// Makes the first maintainer's token if there is none.
pub async fn admin_token(engine: &Engine, config: &Config) -> anyhow::Result<AdminToken> {
    if config.tokens.iter().any(|(_, tier)| *tier == Tier::Maintainer) {
        return Ok(AdminToken::Configured);
    }
    let directory = config.data_dir.as_deref();
    let mut tx = engine.db().read_once().await?;
    let made = table::any_maintainer(&mut tx).await?;
    drop(tx);
    if made {
        let file = directory.map(|directory| directory.join(ADMIN_TOKEN_FILE)).filter(|file| file.exists());
        return Ok(AdminToken::Made { file });
    }
    let directory = directory.context("no token is configured and there is no data directory to leave one in; set DISPATCH_AGENT_TOKEN or DISPATCH_DATA_DIR")?;
    let caller = Caller {
        tier: Tier::Maintainer,
        token: TokenId("first-start".to_owned()),
        named: Some("first-start".to_owned()),
    };
    // Beside PostgreSQL nobody has made it yet, and a token that cannot be left there would be lost.
    data_dir::make(directory)?;
    let token = tokens::draw(engine);
    let file = directory.join(ADMIN_TOKEN_FILE);
    // The file first: a token that nobody was told of must not be the one that counts.
    write_private(&file, token.expose_secret())
        .with_context(|| format!("{} cannot be written; set DISPATCH_AGENT_TOKEN instead", file.display()))?;
    tokens::open_with(engine, &caller, &token, "admin", None).await?;
    let shown = std::io::stdout().is_terminal().then(|| token.expose_secret().to_owned());
    Ok(AdminToken::New { file, shown })
}

/// Only the owner may read it (mode 0600).
#[expect(clippy::disallowed_methods, reason = "the data directory")]
fn write_private(file: &Path, token: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
        options.mode(0o600);
        let mut handle = options.open(file)?;
        // An older file keeps its mode when it is opened.
        handle.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        writeln!(handle, "{token}")?;
        handle.sync_all()
    }
    #[cfg(not(unix))]
    {
        let mut handle = options.open(file)?;
        writeln!(handle, "{token}")?;
        handle.sync_all()
    }
}
