//! What `dispatch serve` says when it is ready: one block with everything needed to go on.

use std::{fmt::Write as _, net::SocketAddr};

use serde_json::{Value, json};

use super::{first_start::AdminToken, show};
use crate::{
    config::{Config, Database},
    engine::{Engine, sessions::SignIn, webhooks::Door},
    github::Credentials,
    store::{self, repos},
};

/// Repositories that are named; the rest is counted.
const NAMED: usize = 5;

/// Prints the block to standard output.
pub async fn print(
    engine: &Engine,
    config: &Config,
    address: SocketAddr,
    (admin, link): (&AdminToken, Option<String>),
    as_json: bool,
) -> store::Result<()> {
    let mut tx = engine.db().read_once().await?;
    let tracked = repos::list_tracked(&mut tx).await?;
    drop(tx);
    let names: Vec<&str> = tracked.iter().map(|repo| repo.name.as_str()).collect();
    let text = if as_json {
        object(config, address, &names, admin).to_string()
    } else {
        block(config, address, &names, (admin, link))
    };
    if let Err(error) = show::line(&text) {
        // The token is in its file all the same.
        tracing::warn!("the first lines are lost: {error:#}");
    }
    Ok(())
}

/// For a program that started the server; never with a token in it.
fn object(config: &Config, address: SocketAddr, repos: &[&str], admin: &AdminToken) -> Value {
    let file = match admin {
        AdminToken::Made { file } => file.as_ref(),
        AdminToken::New { file, .. } => Some(file),
        AdminToken::Configured => None,
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "address": format!("http://{address}"),
        "database": database(&config.database),
        "repositories": repos,
        "github": github(config),
        "webhooks": webhooks(config, address),
        "tokenFile": file,
    })
}

fn block(
    config: &Config,
    address: SocketAddr,
    repos: &[&str],
    (admin, link): (&AdminToken, Option<String>),
) -> String {
    let rows = [
        ("address", format!("http://{address}")),
        ("board", link.unwrap_or_else(|| board(config, address))),
        ("database", database(&config.database)),
        ("repositories", repositories(repos)),
        ("GitHub", github(config)),
        ("webhooks", webhooks(config, address)),
        ("token", token(admin)),
        ("next", next(address, repos, admin)),
    ];
    let mut block = format!("\n  dispatch {}\n", env!("CARGO_PKG_VERSION"));
    for (name, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(block, "  {name:<13} {value}");
    }
    block
}

/// How to get to the board, where no link was made.
fn board(config: &Config, address: SocketAddr) -> String {
    match config.sign_in {
        SignIn::Link => "`dispatch login-link` prints a link that signs you in".to_owned(),
        SignIn::Password { .. } => format!("http://{address}/board, by name and password"),
        SignIn::Open { .. } => format!("http://{address}/board, open to everybody who reaches it"),
    }
}

fn database(database: &Database) -> String {
    match database {
        Database::Sqlite { file, .. } => format!("SQLite, {}", file.display()),
        // The address may hold a password.
        Database::Postgres { .. } => "PostgreSQL (DATABASE_URL)".to_owned(),
    }
}

fn repositories(names: &[&str]) -> String {
    match names.len() {
        0 => "none yet".to_owned(),
        count if count <= NAMED => names.join(", "),
        count => format!("{}, and {} more", names[..NAMED].join(", "), count - NAMED),
    }
}

fn github(config: &Config) -> String {
    let host = config.github.api_url.host_str().unwrap_or("unknown host");
    match &config.github.credentials {
        Credentials::Token(_) => format!("{host}, with GITHUB_TOKEN"),
        Credentials::App(app) => format!("{host}, as GitHub App {} on {}", app.app, app.installations),
        Credentials::Anonymous => {
            format!(
                "{host}, without credentials: public repositories only, 60 requests an hour; set GITHUB_TOKEN"
            )
        }
    }
}

fn webhooks(config: &Config, address: SocketAddr) -> String {
    let place = format!("http://{address}/api/github/webhook");
    match config.engine.webhooks {
        Door::Closed => "not received; set WEBHOOK_SECRET".to_owned(),
        Door::Signed(_) => format!("received at {place}, signed with WEBHOOK_SECRET"),
        Door::Gateway => format!("received at {place}, from a gateway with a maintainer's token"),
    }
}

fn token(admin: &AdminToken) -> String {
    match admin {
        AdminToken::Configured => "DISPATCH_AGENT_TOKEN of the environment".to_owned(),
        AdminToken::Made { file: Some(file) } | AdminToken::New { file, shown: None } => {
            format!("in {}", file.display())
        }
        AdminToken::Made { file: None } => {
            "made at an earlier start and not in the data directory; if it is lost, start with DISPATCH_AGENT_TOKEN set"
                .to_owned()
        }
        AdminToken::New { file, shown: Some(token) } => format!("{token} (also in {})", file.display()),
    }
}

fn next(address: SocketAddr, repos: &[&str], admin: &AdminToken) -> String {
    let token = match admin {
        AdminToken::Made { file: Some(file) } | AdminToken::New { file, .. } => {
            format!("$(cat {})", file.display())
        }
        AdminToken::Configured | AdminToken::Made { file: None } => "$DISPATCH_AGENT_TOKEN".to_owned(),
    };
    let auth = format!("-H \"Authorization: Bearer {token}\"");
    if repos.is_empty() {
        let body = r#"-d '{"fullName":"octocat/hello-world"}'"#;
        return format!("curl -s {auth} {body} http://{address}/api/automation/repos");
    }
    format!("curl -s -X POST {auth} http://{address}/api/agents/my-agent/heartbeat")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_follows_from_what_is_there() {
        let address = SocketAddr::from(([127, 0, 0, 1], 3000));
        assert!(next(address, &[], &AdminToken::Configured).ends_with("/api/automation/repos"));
        let new = AdminToken::New { file: "/x/admin-token".into(), shown: None };
        let line = next(address, &["a/b"], &new);
        assert!(line.contains("$(cat /x/admin-token)") && line.ends_with("/heartbeat"), "{line}");
    }

    #[test]
    fn many_repositories_are_counted() {
        assert_eq!(repositories(&["a/b"; 7]), "a/b, a/b, a/b, a/b, a/b, and 2 more");
    }
}
