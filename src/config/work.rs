//! What concerns claims and the queue.

use std::time::Duration;

use clap::Args;

use super::{
    ConfigError,
    pr_fix::{self, PrFix},
    values::{self, Reader, millis},
};
use crate::{
    domain::{
        claim::Timing,
        lane::{Lanes, LanesFault},
        pr_fix::Limits,
        queue::Aging,
    },
    engine::Writes,
};

const LANES_EXAMPLE: &str =
    r#"{"lanes":[{"id":"local","title":"Local","claimable":true,"role":"default"}],"laneAliases":{}}"#;

/// Variables of claims, writes and the queue.
#[expect(clippy::doc_markdown, reason = "these texts are the help of the command line")]
#[derive(Args, Clone, Default)]
pub struct Work {
    /// Milliseconds that a leased claim lasts without being renewed, and a held one before it counts as stale [default: 1800000]
    #[arg(long, env = "DISPATCH_CLAIM_TTL_MS", value_name = "MS", help_heading = "Claims")]
    claim_ttl_ms: Option<String>,
    /// Milliseconds after which a claim is taken back whose holder never renews; 0: never [default: 86400000]
    #[arg(long, env = "DISPATCH_HELD_CLAIM_TTL_MS", value_name = "MS", help_heading = "Claims")]
    held_claim_ttl_ms: Option<String>,
    /// GitHub's word on a repository that a claim relies on is at most this many milliseconds old [default: 15000]
    #[arg(long, env = "DISPATCH_CLAIM_MAX_STALENESS_MS", value_name = "MS", help_heading = "Claims")]
    claim_max_staleness_ms: Option<String>,
    /// `off` records what should be written to GitHub and sends none of it [default: on]
    #[arg(long, env = "DISPATCH_GITHUB_WRITES", value_name = "ON|OFF", help_heading = "GitHub")]
    github_writes: Option<String>,
    /// Milliseconds between two writes to GitHub in the long run; ten may go out at once [default: 1000]
    #[arg(long, env = "DISPATCH_GITHUB_WRITE_INTERVAL_MS", value_name = "MS", help_heading = "GitHub")]
    github_write_interval_ms: Option<String>,
    /// The lanes, as JSON: `{"lanes":[{"id","title","claimable","role"?}],"laneAliases"?}`.
    #[arg(long, env = "DISPATCH_LANE_CONFIG", value_name = "JSON", help_heading = "Queue")]
    lane_config: Option<String>,
    /// Another name of DISPATCH_LANE_CONFIG.
    #[arg(long, env = "DISPATCH_LANE_CONFIG_JSON", value_name = "JSON", help_heading = "Queue")]
    lane_config_json: Option<String>,
    /// So many days of waiting raise an issue's priority by one, from p2 and below [default: 7]
    #[arg(long, env = "DISPATCH_QUEUE_AGING_DAYS_PER_TIER", value_name = "DAYS", help_heading = "Queue")]
    queue_aging_days_per_tier: Option<String>,
    /// Waiting raises a priority by this much at most, and never above p1; 0: not at all [default: 2]
    #[arg(long, env = "DISPATCH_QUEUE_AGING_MAX_TIERS", value_name = "TIERS", help_heading = "Queue")]
    queue_aging_max_tiers: Option<String>,
    /// Whether ready issues must be groomed to be served; only `off` is built yet [default: off]
    #[arg(long, env = "DISPATCH_QUEUE_ADMISSION_MODE", value_name = "MODE", help_heading = "Queue")]
    queue_admission_mode: Option<String>,
    #[command(flatten)]
    pr_fix: PrFix,
}

/// What the variables say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkSettings {
    pub claims: Timing,
    pub claim_max_staleness: Duration,
    pub writes: Writes,
    pub lanes: Lanes,
    pub aging: Aging,
    pub pr_fix: Limits,
}

/// Checks every value; `heartbeat_interval` is how often agents show that they live, `recovery` how often claims that
/// ran out are looked for.
pub fn read(
    work: &Work,
    heartbeat_interval: Duration,
    recovery: Duration,
) -> Result<WorkSettings, ConfigError> {
    admission(work)?;
    Ok(WorkSettings {
        claims: timing(work, heartbeat_interval, recovery)?,
        claim_max_staleness: millis(
            "DISPATCH_CLAIM_MAX_STALENESS_MS",
            work.claim_max_staleness_ms.as_ref(),
            0,
            15_000,
        )?,
        writes: writes(work)?,
        lanes: lanes(work)?,
        aging: aging(work)?,
        pr_fix: pr_fix::read(&work.pr_fix)?,
    })
}

fn timing(
    work: &Work,
    heartbeat_interval: Duration,
    recover_interval: Duration,
) -> Result<Timing, ConfigError> {
    const TTL: &str = "DISPATCH_CLAIM_TTL_MS";
    const HELD: &str = "DISPATCH_HELD_CLAIM_TTL_MS";
    let ttl = millis(TTL, work.claim_ttl_ms.as_ref(), 1_000, 1_800_000)?;
    let least = heartbeat_interval * 3 + recover_interval;
    if ttl < least {
        let fault = format!(
            "{} ms is less than three heartbeat intervals and one of the recovery ({} ms), so living agents would lose their claims",
            ttl.as_millis(),
            least.as_millis()
        );
        return Err(ConfigError { variable: TTL, fault, example: "1800000" });
    }
    let held = millis(HELD, work.held_claim_ttl_ms.as_ref(), 0, 86_400_000)?;
    if !held.is_zero() && held < ttl {
        let fault =
            format!("{} ms is less than DISPATCH_CLAIM_TTL_MS ({})", held.as_millis(), ttl.as_millis());
        return Err(ConfigError { variable: HELD, fault, example: "86400000" });
    }
    Ok(Timing { ttl, held_ttl: (!held.is_zero()).then_some(held) })
}

fn writes(work: &Work) -> Result<Writes, ConfigError> {
    const WRITES: &str = "DISPATCH_GITHUB_WRITES";
    let enabled = match values::given(work.github_writes.as_ref()).unwrap_or("on") {
        "on" | "true" | "1" => true,
        "off" | "false" | "0" => false,
        other => {
            let fault = format!("{other:?} is neither on nor off");
            return Err(ConfigError { variable: WRITES, fault, example: "off" });
        }
    };
    let interval =
        millis("DISPATCH_GITHUB_WRITE_INTERVAL_MS", work.github_write_interval_ms.as_ref(), 0, 1_000)?;
    Ok(Writes { enabled, interval })
}

fn lanes(work: &Work) -> Result<Lanes, ConfigError> {
    const ONE: &str = "DISPATCH_LANE_CONFIG";
    const OTHER: &str = "DISPATCH_LANE_CONFIG_JSON";
    let one = values::given(work.lane_config.as_ref());
    let other = values::given(work.lane_config_json.as_ref());
    let (variable, text) = match (one, other) {
        (Some(one), Some(other)) if one != other => {
            let fault = format!("{OTHER} is set too, and says something else");
            return Err(ConfigError { variable: ONE, fault, example: LANES_EXAMPLE });
        }
        (Some(text), _) => (ONE, text),
        (None, Some(text)) => (OTHER, text),
        (None, None) => return Ok(Lanes::default()),
    };
    let fault =
        |fault: LanesFault| ConfigError { variable, fault: fault.to_string(), example: LANES_EXAMPLE };
    text.parse().map_err(fault)
}

fn aging(work: &Work) -> Result<Aging, ConfigError> {
    let days =
        Reader::new("DISPATCH_QUEUE_AGING_DAYS_PER_TIER", work.queue_aging_days_per_tier.as_ref(), "7");
    let tiers = Reader::new("DISPATCH_QUEUE_AGING_MAX_TIERS", work.queue_aging_max_tiers.as_ref(), "2");
    let default = Aging::default();
    Ok(Aging {
        days_per_tier: days.number(1..=36_500)?.unwrap_or(default.days_per_tier),
        max_tiers: tiers.number(0..=4)?.unwrap_or(default.max_tiers),
    })
}

fn admission(work: &Work) -> Result<(), ConfigError> {
    let fault = match values::given(work.queue_admission_mode.as_ref()).unwrap_or("off") {
        "off" => return Ok(()),
        mode @ ("audit" | "enforce") => {
            format!("{mode} needs the evidence of grooming, which this version does not keep yet")
        }
        other => format!("{other:?} is no mode (off, audit, enforce)"),
    };
    Err(ConfigError { variable: "DISPATCH_QUEUE_ADMISSION_MODE", fault, example: "off" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Duration = Duration::from_mins(1);

    fn set(edit: impl FnOnce(&mut Work)) -> Result<WorkSettings, ConfigError> {
        let mut work = Work::default();
        edit(&mut work);
        read(&work, BEAT, Duration::from_mins(1))
    }

    #[test]
    fn what_holds_when_nothing_is_set() {
        let settings = set(|_| {}).unwrap();
        let hour = Duration::from_hours(1);
        assert_eq!(settings.claims, Timing { ttl: hour / 2, held_ttl: Some(24 * hour) });
        assert_eq!(settings.writes, Writes { enabled: true, interval: Duration::from_secs(1) });
        assert_eq!(
            (settings.claim_max_staleness, settings.aging),
            (Duration::from_secs(15), Aging::default())
        );
        assert_eq!(settings.lanes, Lanes::default());
    }

    #[test]
    fn refusals_name_the_variable() {
        type Edit = fn(&mut Work);
        let cases: [(Edit, &str, &str); 9] = [
            (
                |w| w.claim_ttl_ms = Some("239999".into()),
                "DISPATCH_CLAIM_TTL_MS",
                "three heartbeat intervals",
            ),
            (|w| w.held_claim_ttl_ms = Some("60000".into()), "DISPATCH_HELD_CLAIM_TTL_MS", "less than"),
            (|w| w.github_writes = Some("maybe".into()), "DISPATCH_GITHUB_WRITES", "neither"),
            (|w| w.lane_config = Some("{".into()), "DISPATCH_LANE_CONFIG", "JSON"),
            (|w| w.lane_config_json = Some("[]".into()), "DISPATCH_LANE_CONFIG_JSON", "JSON"),
            (
                |w| w.queue_aging_days_per_tier = Some("0".into()),
                "DISPATCH_QUEUE_AGING_DAYS_PER_TIER",
                "between",
            ),
            (
                |w| w.queue_aging_max_tiers = Some("-1".into()),
                "DISPATCH_QUEUE_AGING_MAX_TIERS",
                "whole number",
            ),
            (
                |w| w.queue_admission_mode = Some("enforce".into()),
                "DISPATCH_QUEUE_ADMISSION_MODE",
                "grooming",
            ),
            (|w| w.queue_admission_mode = Some("on".into()), "DISPATCH_QUEUE_ADMISSION_MODE", "no mode"),
        ];
        for (edit, variable, words) in cases {
            let error = set(edit).unwrap_err();
            assert_eq!(error.variable, variable);
            assert!(error.fault.contains(words), "{variable}: {}", error.fault);
        }
    }

    #[test]
    fn both_names_of_the_lanes_work_but_must_agree() {
        let lanes = r#"{"lanes":[{"id":"a","title":"A","claimable":true}]}"#.to_owned();
        for edit in [
            (|w: &mut Work, text: String| w.lane_config = Some(text)) as fn(&mut Work, String),
            |w, text| w.lane_config_json = Some(text),
            |w, text| (w.lane_config, w.lane_config_json) = (Some(text.clone()), Some(text)),
        ] {
            assert_eq!(set(|work| edit(work, lanes.clone())).unwrap().lanes.ids(), "a");
        }
        let error = set(|work| (work.lane_config, work.lane_config_json) = (Some(lanes), Some("{}".into())));
        assert!(error.unwrap_err().fault.contains("is set too"));
    }

    #[test]
    fn zero_is_never() {
        assert_eq!(set(|w| w.held_claim_ttl_ms = Some("0".into())).unwrap().claims.held_ttl, None);
        assert!(!set(|w| w.github_writes = Some("off".into())).unwrap().writes.enabled);
    }
}
