//! `dispatch login-link`: a link that signs a person in at the board; `serve` prints one to a terminal.

use std::{io::IsTerminal as _, net::SocketAddr, process::ExitCode};

use anyhow::bail;
use clap::Args;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    client::Target,
    show::{self, Format, text},
};
use crate::{
    config::Config,
    engine::{
        Engine,
        sessions::{self, SignIn},
    },
    http::sign_in::password::is_usable,
};

pub const MORE: &str = "\
Examples:
  dispatch login-link                                       on the machine of the server
  DISPATCH_URL=https://dispatch.example.org dispatch login-link    DISPATCH_AGENT_TOKEN holds a maintainer's token

The link works once, within 15 minutes, in one browser; who opened it stays signed in for two weeks. Revoking the token \
that made it ends that.
Exit codes: 0 done; 2 error.";

/// Makes a link.
#[derive(Args)]
pub struct LoginLink {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

impl LoginLink {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let server = self.target.open()?;
        let made = server.post("/api/auth/login-link", &json!({}), "path").await?;
        let url = format!("{}{}", server.url(), text(&made, "path"));
        let made = json!({ "url": url, "expiresAt": made["expiresAt"] });
        show::value(self.format, &made, &url)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A link for whoever sees the first lines of the server: only a person at a terminal gets one.
pub async fn for_terminal(
    engine: &Engine,
    config: &Config,
    address: SocketAddr,
) -> anyhow::Result<Option<String>> {
    if !matches!(config.sign_in, SignIn::Link) || !std::io::stdout().is_terminal() {
        return Ok(None);
    }
    let base = config.public_url.as_ref().map_or(format!("http://{address}"), ToString::to_string);
    let link = console_link(engine, base.trim_end_matches('/')).await?;
    Ok(Some(format!("{link} (once, within 15 minutes)")))
}

/// A link that the process itself gives out, to a board at `base`.
pub async fn console_link(engine: &Engine, base: &str) -> anyhow::Result<String> {
    let link = sessions::make_link(engine, &sessions::console()).await?;
    Ok(format!("{base}/login?link={}", link.secret.expose_secret()))
}

/// A hash that is cut short would let nobody in.
pub fn check(sign_in: &SignIn) -> anyhow::Result<()> {
    match sign_in {
        SignIn::Password { password, .. } if !is_usable(password.expose_secret()) => {
            bail!(
                "DISPATCH_AUTH_PASSWORD: it begins like an Argon2 hash and is none; copy it whole, in single quotes"
            );
        }
        _ => Ok(()),
    }
}
