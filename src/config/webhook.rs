//! Whose deliveries of webhooks are accepted.

use clap::Args;

use super::{
    ConfigError,
    values::{boolean, given},
};
use crate::{engine::webhooks::Door, github::webhook::Secrets};

/// A shorter secret can be guessed by who has seen one delivery.
const SHORT: usize = 16;

/// Variables of the receiver, as texts.
#[expect(clippy::doc_markdown, reason = "these texts are the help of the command line")]
#[derive(Args, Clone, Default)]
pub struct Webhook {
    /// Secret that GitHub signs webhooks with; while it is replaced, the old and then the new one with a comma between. Unset: none are received.
    #[arg(long, env = "WEBHOOK_SECRET", value_name = "SECRET", help_heading = "GitHub")]
    webhook_secret: Option<String>,
    /// `true`, without WEBHOOK_SECRET: a gateway has checked signatures and sends a maintainer's token along [default: false]
    #[arg(long, env = "WEBHOOK_GATEWAY_MODE", value_name = "BOOL", help_heading = "GitHub")]
    webhook_gateway_mode: Option<String>,
}

/// Checks both values; a secret counts before the gateway.
pub fn read(variables: &Webhook, warnings: &mut Vec<String>) -> Result<Door, ConfigError> {
    let gateway = boolean("WEBHOOK_GATEWAY_MODE", variables.webhook_gateway_mode.as_ref(), false)?;
    let Some(text) = given(variables.webhook_secret.as_ref()) else {
        return Ok(if gateway { Door::Gateway } else { Door::Closed });
    };
    let secrets = Secrets::parse(text).map_err(|fault| ConfigError {
        variable: "WEBHOOK_SECRET",
        fault: fault.to_string(),
        example: "the output of `openssl rand -hex 32`",
    })?;
    if gateway {
        warnings.push("WEBHOOK_GATEWAY_MODE changes nothing while WEBHOOK_SECRET is set".to_owned());
    }
    if secrets.shortest() < SHORT {
        warnings.push(format!("WEBHOOK_SECRET is shorter than {SHORT} characters; make it longer"));
    }
    Ok(Door::Signed(secrets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(secret: Option<&str>, gateway: Option<&str>) -> (Result<Door, ConfigError>, Vec<String>) {
        let mut warnings = Vec::new();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let variables = Webhook { webhook_secret: owned(secret), webhook_gateway_mode: owned(gateway) };
        (read(&variables, &mut warnings), warnings)
    }

    #[test]
    fn nothing_set_is_closed_and_a_secret_counts_first() {
        assert!(matches!(door(None, None), (Ok(Door::Closed), warnings) if warnings.is_empty()));
        assert!(matches!(door(Some(" "), Some("true")).0, Ok(Door::Gateway)));
        let long = "0123456789abcdef";
        assert!(matches!(door(Some(long), None), (Ok(Door::Signed(_)), warnings) if warnings.is_empty()));
        let (both, warnings) = door(Some(long), Some("true"));
        assert!(matches!(both, Ok(Door::Signed(_))) && warnings.len() == 1);
    }

    #[test]
    fn refusals_and_warnings_show_no_secret() {
        for secret in ["hush,", ",hush", "hush,hush,hush"] {
            let error = door(Some(secret), None).0.unwrap_err();
            assert_eq!(error.variable, "WEBHOOK_SECRET");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
        let (short, warnings) = door(Some("hush"), None);
        assert!(warnings.len() == 1 && !warnings[0].contains("hush"), "{warnings:?}");
        assert!(!format!("{short:?}").contains("hush"));
        assert_eq!(door(None, Some("yes")).0.unwrap_err().variable, "WEBHOOK_GATEWAY_MODE");
    }
}
