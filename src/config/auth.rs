//! Who may sign in: `DISPATCH_AUTH_MODE`, and what belongs to its modes.

use std::net::SocketAddr;

use clap::Args;
use url::Url;

use super::{
    ConfigError,
    values::{Reader, boolean, given},
};
use crate::engine::sessions::SignIn;

/// Variables of signing in, as texts.
#[derive(Args, Clone, Default)]
pub struct Doors {
    /// Who may use the board: `legacy` (by a link that `dispatch login-link` prints), `basic` (user and password), `disabled`
    /// (everybody, on a loopback address), or `oidc`, which is not built yet. Bearer tokens open the API in all of them [default: legacy]
    #[arg(long, env = "DISPATCH_AUTH_MODE", value_name = "MODE", help_heading = "Access")]
    auth_mode: Option<String>,
    /// The operator's name where the mode is `basic`.
    #[arg(long, env = "DISPATCH_AUTH_USERNAME", value_name = "NAME", help_heading = "Access")]
    auth_username: Option<String>,
    /// The operator's password where the mode is `basic`, or its Argon2 hash (`$argon2id$…`).
    #[arg(long, env = "DISPATCH_AUTH_PASSWORD", value_name = "PASSWORD", help_heading = "Access")]
    auth_password: Option<String>,
    /// `true`: the mode `disabled` also on addresses that others reach [default: false]
    #[arg(long, env = "DISPATCH_ALLOW_OPEN", value_name = "BOOL", help_heading = "Access")]
    allow_open: Option<String>,
    /// The board's address for browsers, where a proxy stands before it; with https its cookies are Secure.
    #[arg(long, env = "AUTH_URL", value_name = "URL", help_heading = "Access")]
    auth_url: Option<String>,
    /// How many proxies of yours stand before the server: tries to sign in are counted by the address that the outermost of them
    /// wrote into X-Forwarded-For. With 0 that header counts for nothing [default: 0]
    #[arg(long, env = "DISPATCH_TRUSTED_PROXIES", value_name = "COUNT", help_heading = "Access")]
    trusted_proxies: Option<String>,
}

/// `DISPATCH_AUTH_MODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    Legacy,
    Basic,
    Oidc,
    Disabled,
}

impl AuthMode {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Basic => "basic",
            Self::Oidc => "oidc",
            Self::Disabled => "disabled",
        }
    }
}

/// Reads the mode.
pub fn mode(auth: &Doors, warnings: &mut Vec<String>) -> Result<AuthMode, ConfigError> {
    let text = given(auth.auth_mode.as_ref()).unwrap_or("legacy");
    let mode = match text.to_ascii_lowercase().as_str() {
        "legacy" => AuthMode::Legacy,
        "basic" => AuthMode::Basic,
        "oidc" => AuthMode::Oidc,
        "disabled" => AuthMode::Disabled,
        _ => {
            let fault = format!("{text:?} is no mode (legacy, basic, oidc, disabled)");
            return Err(ConfigError { variable: "DISPATCH_AUTH_MODE", fault, example: "legacy" });
        }
    };
    if mode == AuthMode::Oidc {
        warnings.push(
            "DISPATCH_AUTH_MODE=oidc is not built yet; bearer tokens and sign-in links are needed until it is"
                .to_owned(),
        );
    }
    Ok(mode)
}

/// How one signs in, by the mode and what it needs.
pub fn sign_in(auth: &Doors, mode: AuthMode, bind: SocketAddr) -> Result<SignIn, ConfigError> {
    let allow_open = boolean("DISPATCH_ALLOW_OPEN", auth.allow_open.as_ref(), false)?;
    match mode {
        AuthMode::Legacy | AuthMode::Oidc => Ok(SignIn::Link),
        AuthMode::Disabled if allow_open => Ok(SignIn::Open { to_all: true }),
        AuthMode::Disabled if bind.ip().is_loopback() => Ok(SignIn::Open { to_all: false }),
        AuthMode::Disabled => Err(ConfigError {
            variable: "DISPATCH_AUTH_MODE",
            fault: format!(
                "\"disabled\" makes everybody an operator who reaches {bind}; listen on a loopback address, or say DISPATCH_ALLOW_OPEN=true"
            ),
            example: "basic",
        }),
        AuthMode::Basic => {
            let needed = |variable, value: &Option<String>, example| {
                let fault = "DISPATCH_AUTH_MODE=basic needs it".to_owned();
                let value = given(value.as_ref()).map(str::to_owned);
                value.ok_or(ConfigError { variable, fault, example })
            };
            let user = needed("DISPATCH_AUTH_USERNAME", &auth.auth_username, "operator")?;
            let password = needed("DISPATCH_AUTH_PASSWORD", &auth.auth_password, "a-long-password")?;
            if user.contains(':') {
                let fault = "a name with a colon cannot be told from its password".to_owned();
                let variable = "DISPATCH_AUTH_USERNAME";
                return Err(ConfigError { variable, fault, example: "operator" });
            }
            Ok(SignIn::Password { user, password: password.into() })
        }
    }
}

/// Where browsers reach the board.
pub fn public_url(auth: &Doors) -> Result<Option<Url>, ConfigError> {
    let reader = Reader::new("AUTH_URL", auth.auth_url.as_ref(), "https://dispatch.example.org");
    let Some(url) = reader.parse::<Url>("not an address")? else { return Ok(None) };
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(reader.fault("it must begin with http:// or https:// and hold no credentials".to_owned()));
    }
    Ok(Some(url))
}

/// How many proxies stand before the server.
pub fn trusted_proxies(auth: &Doors) -> Result<usize, ConfigError> {
    let count = Reader::new("DISPATCH_TRUSTED_PROXIES", auth.trusted_proxies.as_ref(), "1");
    Ok(count.number(0..=10)?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(auth: &Doors, bind: &str) -> Result<SignIn, ConfigError> {
        sign_in(auth, mode(auth, &mut Vec::new())?, bind.parse().unwrap())
    }

    fn auth(mode: &str) -> Doors {
        Doors { auth_mode: Some(mode.to_owned()), ..Doors::default() }
    }

    #[test]
    fn an_open_board_is_on_this_machine_or_said_to_be_open() {
        let open = |auth: &Doors, bind| match read(auth, bind) {
            Ok(SignIn::Open { to_all }) => Some(to_all),
            Ok(_) => panic!("not open"),
            Err(_) => None,
        };
        assert_eq!(open(&auth("disabled"), "127.0.0.1:3000"), Some(false));
        assert_eq!(open(&auth("Disabled"), "[::1]:3000"), Some(false));
        assert_eq!(open(&auth("disabled"), "0.0.0.0:3000"), None);
        let allowed = Doors { allow_open: Some("true".to_owned()), ..auth("disabled") };
        assert_eq!(open(&allowed, "0.0.0.0:3000"), Some(true));
    }

    #[test]
    fn proxies_are_counted() {
        let count = |text: &str| {
            trusted_proxies(&Doors { trusted_proxies: Some(text.to_owned()), ..Doors::default() })
                .map_err(|fault| fault.variable)
        };
        assert_eq!(trusted_proxies(&Doors::default()).unwrap(), 0);
        assert_eq!((count("0"), count("2")), (Ok(0), Ok(2)));
        for bad in ["-1", "10.0.0.1", "11", "true"] {
            assert_eq!(count(bad), Err("DISPATCH_TRUSTED_PROXIES"), "{bad}");
        }
    }

    #[test]
    fn a_password_needs_a_name_and_the_other_way_round() {
        let variable = |auth: &Doors| read(auth, "127.0.0.1:3000").err().map(|fault| fault.variable);
        assert_eq!(variable(&auth("basic")), Some("DISPATCH_AUTH_USERNAME"));
        let named = Doors { auth_username: Some("ann".to_owned()), ..auth("basic") };
        assert_eq!(variable(&named), Some("DISPATCH_AUTH_PASSWORD"));
        let whole = Doors { auth_password: Some("x".to_owned()), ..named };
        assert!(matches!(read(&whole, "0.0.0.0:1"), Ok(SignIn::Password { user, .. }) if user == "ann"));
        let colon = Doors { auth_username: Some("a:b".to_owned()), ..whole };
        assert_eq!(variable(&colon), Some("DISPATCH_AUTH_USERNAME"));
    }
}
