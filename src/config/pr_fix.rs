//! Variables of the PR-fix queue.

use std::time::Duration;

use clap::Args;

use super::{ConfigError, values::Reader};
use crate::domain::pr_fix::Limits;

/// How pull requests are given out that need another attempt.
#[derive(Args, Clone, Default)]
pub struct PrFix {
    /// A pull request that took so many attempts is for a human [default: 5]
    #[arg(
        long = "pr-fix-max-attempts",
        env = "PR_FIX_MAX_ATTEMPTS",
        value_name = "COUNT",
        help_heading = "PR fixes"
    )]
    max_attempts: Option<String>,
    /// Milliseconds that an attempt stays with an agent after its last heartbeat, acknowledgement or report; a day at most [default: 1800000]
    #[arg(
        long = "pr-fix-handout-timeout-ms",
        env = "PR_FIX_HANDOUT_TIMEOUT_MS",
        value_name = "MS",
        help_heading = "PR fixes"
    )]
    handout_timeout_ms: Option<String>,
    /// A pull request that was taken back from silent agents more often is for a human [default: 3]
    #[arg(
        long = "pr-fix-max-reclaims",
        env = "PR_FIX_MAX_RECLAIMS",
        value_name = "COUNT",
        help_heading = "PR fixes"
    )]
    max_reclaims: Option<String>,
}

/// The record keeps heartbeats for a day: by them it is known when an agent was last heard of.
const DAY_MS: u64 = 24 * 3_600_000;

/// Checks every value.
pub fn read(variables: &PrFix) -> Result<Limits, ConfigError> {
    let attempts = Reader::new("PR_FIX_MAX_ATTEMPTS", variables.max_attempts.as_ref(), "5");
    let timeout = Reader::new("PR_FIX_HANDOUT_TIMEOUT_MS", variables.handout_timeout_ms.as_ref(), "1800000");
    let reclaims = Reader::new("PR_FIX_MAX_RECLAIMS", variables.max_reclaims.as_ref(), "3");
    let default = Limits::default();
    Ok(Limits {
        attempts: attempts.number(1..=1_000_000)?.unwrap_or(default.attempts),
        handout: timeout.number(1_000..=DAY_MS)?.map_or(default.handout, Duration::from_millis),
        reclaims: reclaims.number(0..=1_000_000)?.unwrap_or(default.reclaims),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_variable() {
        type Edit = fn(&mut PrFix);
        let cases: [(Edit, &str); 4] = [
            (|v| v.max_attempts = Some("0".into()), "PR_FIX_MAX_ATTEMPTS"),
            (|v| v.handout_timeout_ms = Some("999".into()), "PR_FIX_HANDOUT_TIMEOUT_MS"),
            (|v| v.handout_timeout_ms = Some("86400001".into()), "PR_FIX_HANDOUT_TIMEOUT_MS"),
            (|v| v.max_reclaims = Some("-1".into()), "PR_FIX_MAX_RECLAIMS"),
        ];
        for (edit, variable) in cases {
            let mut variables = PrFix::default();
            edit(&mut variables);
            assert_eq!(read(&variables).unwrap_err().variable, variable);
        }
        assert_eq!(read(&PrFix::default()).unwrap(), Limits::default());
    }
}
