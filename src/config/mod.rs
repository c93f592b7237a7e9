//! Configuration: every variable once, as an argument of `dispatch serve` and as an environment variable.
//! The doc text of each is `--help`.

mod auth;
mod draft;
mod effective;
mod follow_up;
mod github;
mod names;
mod pr_fix;
mod schedule;
mod tokens;
mod values;
mod webhook;
mod work;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use secrecy::SecretString;
use url::Url;

pub use self::{
    auth::AuthMode,
    draft::Draft,
    effective::{Told, Variable},
    names::check_names,
};
use self::{
    draft::Faults,
    values::{Reader, boolean, days, millis},
};
use crate::{
    domain::{access::Tier, ids::AgentName, labels::Rules, repo::RepoName},
    engine::{self, sessions::SignIn},
    github::Settings as GitHubSettings,
    scheduler,
};

/// Variables of the server. All are texts here: `Config::read` says which variable is wrong, how, and what
/// a right value looks like.
#[expect(clippy::doc_markdown, reason = "these texts are the help of the command line")]
#[derive(Args, Clone, Default)]
pub struct Settings {
    // The first: whatever is read of the arguments is taken out of them.
    #[command(flatten)]
    effective: effective::Effective,
    /// Address and port to listen on [default: 127.0.0.1:3000]
    #[arg(long, env = "DISPATCH_BIND", value_name = "ADDRESS", help_heading = "Server")]
    bind: Option<String>,
    /// Port to listen on, on the address of DISPATCH_BIND.
    #[arg(long, env = "PORT", value_name = "PORT", help_heading = "Server")]
    port: Option<String>,
    #[command(flatten)]
    storage: Storage,

    /// Base address of GitHub's REST API; Enterprise Server: `https://HOST/api/v3` [default: `https://api.github.com`]
    #[arg(long, env = "GITHUB_API_URL", value_name = "URL", help_heading = "GitHub")]
    github_api_url: Option<String>,
    /// Token that reads the repositories (Issues, Pull requests, Metadata) and writes labels, comments and edits (Issues: write); unset: public ones only, 60 requests an hour.
    #[arg(long, env = "GITHUB_TOKEN", value_name = "TOKEN", help_heading = "GitHub")]
    github_token: Option<String>,
    /// A GitHub App instead of a token: its number or client id.
    #[arg(long, env = "GITHUB_APP_ID", value_name = "ID", help_heading = "GitHub")]
    github_app_id: Option<String>,
    /// The App's installation: a number, or `owner:number` pairs separated by commas or newlines.
    #[arg(long, env = "GITHUB_APP_INSTALLATION_ID", value_name = "IDS", help_heading = "GitHub")]
    github_app_installation_id: Option<String>,
    /// The App's private key in PEM; `\n` in two characters counts as the end of a line.
    #[arg(long, env = "GITHUB_APP_PRIVATE_KEY", value_name = "PEM", help_heading = "GitHub")]
    github_app_private_key: Option<String>,
    /// File of the App's private key, instead of GITHUB_APP_PRIVATE_KEY.
    #[arg(long, env = "GITHUB_APP_PRIVATE_KEY_PATH", value_name = "FILE", help_heading = "GitHub")]
    github_app_private_key_path: Option<String>,
    /// Repositories to track at the first start, `owner/name`, separated by commas or newlines.
    #[arg(long, env = "GITHUB_REPOSITORIES", value_name = "LIST", help_heading = "GitHub")]
    github_repositories: Option<String>,
    /// Requests to GitHub at once [default: 8]
    #[arg(long, env = "DISPATCH_GITHUB_CONCURRENCY", value_name = "COUNT", help_heading = "GitHub")]
    github_concurrency: Option<String>,
    /// Points per minute (a read is 1); 0: no limit. GitHub's own limit is 900 [default: 600]
    #[arg(long, env = "DISPATCH_GITHUB_POINTS_PER_MINUTE", value_name = "POINTS", help_heading = "GitHub")]
    github_points_per_minute: Option<String>,
    /// Milliseconds for one request to GitHub, its body included [default: 20000]
    #[arg(long, env = "DISPATCH_GITHUB_TIMEOUT_MS", value_name = "MS", help_heading = "GitHub")]
    github_timeout_ms: Option<String>,
    #[command(flatten)]
    webhook: webhook::Webhook,

    /// Maintainer token: every route, any agent.
    #[arg(long, env = "DISPATCH_AGENT_TOKEN", value_name = "TOKEN", help_heading = "Access")]
    agent_token: Option<String>,
    /// A second maintainer token.
    #[arg(long, env = "DISPATCH_MAINTAINER_TOKEN", value_name = "TOKEN", help_heading = "Access")]
    maintainer_token: Option<String>,
    /// Worker tokens, `agent:token` pairs separated by commas or newlines; each acts for its agent only.
    #[arg(long, env = "DISPATCH_WORKER_TOKENS", value_name = "PAIRS", help_heading = "Access")]
    worker_tokens: Option<String>,
    /// The legacy worker token that is bound to no agent.
    #[arg(long, env = "DISPATCH_WORKER_TOKEN", value_name = "TOKEN", help_heading = "Access")]
    worker_token: Option<String>,
    #[command(flatten)]
    auth: auth::Doors,
    /// Requests per second that each worker token may send in the long run; 0: no limit [default: 100]
    #[arg(long, env = "DISPATCH_RATE_LIMIT_PER_S", value_name = "COUNT", help_heading = "Access")]
    rate_limit_per_s: Option<String>,
    /// `true`: anybody may read /metrics, which names repositories and lanes; else maintainers [default: false]
    #[arg(long, env = "DISPATCH_METRICS_PUBLIC", value_name = "BOOL", help_heading = "Access")]
    metrics_public: Option<String>,

    /// Issues with one of these labels are shown nowhere; separated by commas or newlines.
    #[arg(long, env = "DISPATCH_EXCLUDED_LABELS", value_name = "LIST", help_heading = "Issues")]
    excluded_labels: Option<String>,
    /// Agents that issues can be assigned to, separated by commas or newlines; unset: those that were seen.
    #[arg(long, env = "AGENTS", value_name = "LIST", help_heading = "Issues")]
    agents: Option<String>,
    /// Days that closed issues stay cached [default: 30]
    #[arg(long, env = "DISPATCH_CLOSED_ISSUE_RETENTION_DAYS", value_name = "DAYS", help_heading = "Issues")]
    closed_issue_retention_days: Option<String>,
    /// Days that closed issues stay in lists [default: 7]
    #[arg(long, env = "DISPATCH_DONE_RETENTION_DAYS", value_name = "DAYS", help_heading = "Issues")]
    done_retention_days: Option<String>,
    /// Days that runs are kept which touched or warned of something; others stay a day [default: 30]
    #[arg(long, env = "DISPATCH_RUN_RETENTION_DAYS", value_name = "DAYS", help_heading = "Issues")]
    run_retention_days: Option<String>,
    /// Days that the audit log is kept [default: 365]
    #[arg(long, env = "DISPATCH_AUDIT_RETENTION_DAYS", value_name = "DAYS", help_heading = "Issues")]
    audit_retention_days: Option<String>,

    /// Milliseconds between the heartbeats of an agent; spread by 15 % either way [default: 60000]
    #[arg(long, env = "DISPATCH_HEARTBEAT_INTERVAL_MS", value_name = "MS", help_heading = "Heartbeat")]
    heartbeat_interval_ms: Option<String>,
    /// Milliseconds that a heartbeat waits for what it started; `heartbeat --local`: 300000 unless set [default: 25000]
    #[arg(long, env = "DISPATCH_HEARTBEAT_DEADLINE_MS", value_name = "MS", help_heading = "Heartbeat")]
    heartbeat_deadline_ms: Option<String>,
    /// A read of GitHub that began at most this many milliseconds before a request serves it [default: 5000]
    #[arg(long, env = "DISPATCH_SYNC_MAX_STALENESS_MS", value_name = "MS", help_heading = "Heartbeat")]
    sync_max_staleness_ms: Option<String>,

    #[command(flatten)]
    work: work::Work,
    #[command(flatten)]
    follow_up: follow_up::Variables,
    #[command(flatten)]
    schedule: schedule::Schedule,
    #[command(flatten)]
    logging: Logging,
}

/// Where the data is, as texts.
#[expect(clippy::doc_markdown, reason = "these texts are the help of the command line")]
#[derive(Args, Clone, Default)]
pub struct Storage {
    /// `sqlite:///path/to/file` or `postgres://…` (14 or later); unset: dispatch.db in the data directory.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", help_heading = "Server")]
    database_url: Option<String>,
    /// Another name of DATABASE_URL.
    #[arg(long, env = "DISPATCH_DATABASE_URL", value_name = "URL", hide = true, help_heading = "Server")]
    dispatch_database_url: Option<String>,
    /// Directory of the embedded database, used by one process at a time; unset: the platform's place for state,
    /// such as ~/.local/state/dispatch.
    #[arg(long, env = "DISPATCH_DATA_DIR", value_name = "DIR", help_heading = "Server")]
    data_dir: Option<String>,
}

/// What is logged, on standard error.
#[expect(clippy::doc_markdown, reason = "these texts are the help of the command line")]
#[derive(Args, Clone, Default)]
pub struct Logging {
    /// Filter of the log, such as `dispatch=debug`; unset: RUST_LOG, else `info` (`heartbeat`: `warn`).
    #[arg(long, env = "DISPATCH_LOG", value_name = "FILTER", help_heading = "Log")]
    log: Option<String>,
    /// `json`: one object a line.
    #[arg(long, env = "DISPATCH_LOG_FORMAT", value_name = "FORMAT", help_heading = "Log")]
    log_format: Option<String>,
}

impl Settings {
    /// What is logged.
    pub const fn logging(&self) -> &Logging {
        &self.logging
    }
}

impl Logging {
    /// The filter, if one is given.
    pub fn filter(&self) -> Option<&str> {
        values::given(self.log.as_ref())
    }

    pub fn is_json(&self) -> bool {
        values::given(self.log_format.as_ref()) == Some("json")
    }
}

impl Storage {
    /// Checks every value.
    pub fn read(&self) -> Result<Database, ConfigError> {
        database(self)
    }
}

/// Why the server does not start: the variable, the fault, and an example.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {fault}; for example {variable}={example}")]
pub struct ConfigError {
    pub variable: &'static str,
    pub fault: String,
    pub example: &'static str,
}

/// Where the data is.
#[derive(Clone, Debug)]
pub enum Database {
    /// The file, and the directory that one process at a time may use.
    Sqlite {
        file: PathBuf,
        directory: PathBuf,
    },
    Postgres {
        url: SecretString,
    },
}

/// The configuration, checked.
#[derive(Debug)]
pub struct Config {
    pub bind: SocketAddr,
    pub database: Database,
    /// The data directory; none where there is no home directory and none is set.
    pub data_dir: Option<PathBuf>,
    pub repositories: Vec<RepoName>,
    pub tokens: Vec<(SecretString, Tier)>,
    pub auth_mode: AuthMode,
    pub sign_in: SignIn,
    /// Where browsers reach the board, where that was said.
    pub public_url: Option<Url>,
    /// How many proxies stand before the server.
    pub trusted_proxies: usize,
    pub requests_per_second: u32,
    pub github: GitHubSettings,
    pub engine: engine::Settings,
    /// May anybody read metrics?
    pub metrics_public: bool,
    pub schedule: scheduler::Settings,
    /// Whether the deadline was set or is the default.
    pub deadline_is_set: bool,
    /// One line each, for the log.
    pub warnings: Vec<String>,
    /// Every variable as it was given, without secrets; none where nothing was read from a command line.
    pub variables: Vec<Variable>,
}

impl Config {
    /// Checks every value; the error is the first fault.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        Draft::read(settings).whole()
    }
}

fn requests_per_second(settings: &Settings) -> Result<u32, ConfigError> {
    let rate = Reader::new("DISPATCH_RATE_LIMIT_PER_S", settings.rate_limit_per_s.as_ref(), "100");
    Ok(rate.number(0..=1_000_000)?.unwrap_or(100))
}

fn metrics_public(settings: &Settings) -> Result<bool, ConfigError> {
    boolean("DISPATCH_METRICS_PUBLIC", settings.metrics_public.as_ref(), false)
}

fn bind(settings: &Settings) -> Result<SocketAddr, ConfigError> {
    let address = Reader::new("DISPATCH_BIND", settings.bind.as_ref(), "127.0.0.1:3000");
    let mut bind: SocketAddr = address
        .parse("not an address with a port (write the address as numbers, IPv6 in brackets)")?
        .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 3000)));
    let port = Reader::new("PORT", settings.port.as_ref(), "3000");
    if let Some(port) = port.parse::<u16>("not a port (0 to 65535)")? {
        bind.set_port(port);
    }
    Ok(bind)
}

fn database(settings: &Storage) -> Result<Database, ConfigError> {
    let url = values::given(settings.database_url.as_ref())
        .or(values::given(settings.dispatch_database_url.as_ref()));
    let error = |fault: &str| ConfigError {
        variable: "DATABASE_URL",
        fault: fault.to_owned(),
        example: "postgres://dispatch:password@localhost/dispatch",
    };
    match url {
        None => {
            let directory = data_dir(settings)?;
            Ok(Database::Sqlite { file: directory.join("dispatch.db"), directory })
        }
        Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            Ok(Database::Postgres { url: url.to_owned().into() })
        }
        Some(url) => {
            let path = url.strip_prefix("sqlite://").or(url.strip_prefix("sqlite:"));
            let file = path.filter(|path| !path.is_empty() && !path.contains(['?', '#']));
            let file =
                PathBuf::from(file.ok_or_else(|| error("neither a postgres:// nor a sqlite:// address"))?);
            let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
            let directory = directory.unwrap_or(Path::new(".")).to_owned();
            Ok(Database::Sqlite { file, directory })
        }
    }
}

fn data_dir(settings: &Storage) -> Result<PathBuf, ConfigError> {
    if let Some(directory) = values::given(settings.data_dir.as_ref()) {
        return Ok(PathBuf::from(directory));
    }
    default_data_dir().ok_or_else(|| ConfigError {
        variable: "DISPATCH_DATA_DIR",
        fault: "it is not set, and there is no home directory to take instead".to_owned(),
        example: "/var/lib/dispatch",
    })
}

/// The platform's directory for a program's state, with a folder of ours.
pub fn default_data_dir() -> Option<PathBuf> {
    use etcetera::BaseStrategy;

    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("dispatch"))
}

fn repositories(settings: &Settings) -> Result<Vec<RepoName>, ConfigError> {
    let text = values::given(settings.github_repositories.as_ref()).unwrap_or_default();
    let mut names: Vec<RepoName> = Vec::new();
    for entry in text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty()) {
        let name = entry.parse().map_err(|rule| ConfigError {
            variable: "GITHUB_REPOSITORIES",
            fault: format!("{entry:?}: {rule}"),
            example: "octocat/hello-world,octocat/spoon-knife",
        })?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn agents(settings: &Settings) -> Result<Vec<AgentName>, ConfigError> {
    let text = values::given(settings.agents.as_ref()).unwrap_or_default();
    let mut names: Vec<AgentName> = Vec::new();
    for entry in text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty()) {
        let name: AgentName = entry.parse().map_err(|rule| ConfigError {
            variable: "AGENTS",
            fault: format!("{entry:?}: {rule}"),
            example: "coder,reviewer",
        })?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn engine_settings(
    settings: &Settings,
    warnings: &mut Vec<String>,
    faults: &mut Faults,
) -> Option<(engine::Settings, scheduler::Settings)> {
    let excluded = values::given(settings.excluded_labels.as_ref()).unwrap_or_default();
    let interval = settings.heartbeat_interval_ms.as_ref();
    let interval = faults.keep(millis("DISPATCH_HEARTBEAT_INTERVAL_MS", interval, 1_000, 60_000));
    let deadline = settings.heartbeat_deadline_ms.as_ref();
    let deadline = faults.keep(millis("DISPATCH_HEARTBEAT_DEADLINE_MS", deadline, 100, 25_000));
    let staleness = settings.sync_max_staleness_ms.as_ref();
    let staleness = faults.keep(millis("DISPATCH_SYNC_MAX_STALENESS_MS", staleness, 0, 5_000));
    let staleness = match (staleness, interval) {
        (Some(staleness), Some(interval)) => faults.keep(below(staleness, interval)),
        _ => None,
    };
    let closed = settings.closed_issue_retention_days.as_ref();
    let closed_retention = faults.keep(days("DISPATCH_CLOSED_ISSUE_RETENTION_DAYS", closed, 30));
    let done = settings.done_retention_days.as_ref();
    let done_retention = faults.keep(days("DISPATCH_DONE_RETENTION_DAYS", done, 7));
    let run = settings.run_retention_days.as_ref();
    let run_retention = faults.keep(days("DISPATCH_RUN_RETENTION_DAYS", run, 30));
    let agents = faults.keep(agents(settings));
    let webhooks = faults.keep(webhook::read(&settings.webhook, warnings));
    let audit = settings.audit_retention_days.as_ref();
    let audit_retention = faults.keep(days("DISPATCH_AUDIT_RETENTION_DAYS", audit, 365));
    let schedule = faults.keep(schedule::read(&settings.schedule));
    let stretched = faults.keep(schedule::stretched(&settings.schedule));
    let recovery = schedule.as_ref().map(schedule::recovery);
    let beat = interval.unwrap_or_default();
    let work = faults.keep(work::read(&settings.work, beat, recovery.unwrap_or_default()))?;
    let engine = engine::Settings {
        rules: Rules::new(excluded.split([',', '\n'])).with_lanes(work.lanes),
        closed_retention: closed_retention?,
        done_retention: done_retention?,
        run_retention: run_retention?,
        audit_retention: audit_retention?,
        heartbeat_interval: interval?,
        heartbeat_deadline: deadline?,
        sync_max_staleness: staleness?,
        claims: work.claims,
        claim_max_staleness: work.claim_max_staleness,
        live_check_patience: engine::Settings::default().live_check_patience,
        writes: work.writes,
        aging: work.aging,
        pr_fix: work.pr_fix,
        agents: agents?,
        follow_up: follow_up::read(&settings.follow_up),
        webhooks: webhooks?,
        sync_webhook_interval: stretched?,
    };
    Some((engine, schedule?))
}

fn below(staleness: Duration, interval: Duration) -> Result<Duration, ConfigError> {
    if staleness < interval {
        return Ok(staleness);
    }
    let (staleness, interval) = (staleness.as_millis(), interval.as_millis());
    Err(ConfigError {
        variable: "DISPATCH_SYNC_MAX_STALENESS_MS",
        fault: format!(
            "{staleness} ms is not less than the heartbeat interval of {interval} ms, so no beat would read"
        ),
        example: "5000",
    })
}

/// The caller's patience where no server goes on reading after the answer.
pub const LOCAL_DEADLINE: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches as _};

    use super::*;

    fn read(arguments: &[String]) -> String {
        // The environment of the tests is not asked.
        let command = Settings::augment_args(Command::new("serve")).mut_args(|arg| arg.env(None::<&str>));
        let matches = command.try_get_matches_from([&["serve".to_owned()], arguments].concat()).unwrap();
        let config = Config::read(&Settings::from_arg_matches(&matches).unwrap()).unwrap();
        // That something was said is no difference.
        format!("{:?}", Config { deadline_is_set: false, variables: Vec::new(), ..config })
    }

    #[test]
    fn where_nothing_is_set_the_defaults_of_the_engine_hold() {
        assert_eq!(Config::read(&Settings::default()).unwrap().engine, engine::Settings::default());
    }

    #[test]
    fn the_defaults_that_the_help_names_are_those_that_count() {
        let (unset, mut tried) = (read(&[]), 0);
        for arg in Settings::augment_args(Command::new("serve")).get_arguments() {
            let help = arg.get_help().unwrap().to_string();
            let Some((_, default)) = help.split_once("[default: ") else { continue };
            let flag = format!("--{}", arg.get_long().unwrap());
            assert_eq!(
                read(&[flag.clone(), default.trim_end_matches(']').trim_matches('`').to_owned()]),
                unset,
                "{flag}"
            );
            tried += 1;
        }
        assert!(tried >= 12, "{tried} defaults");
        assert_ne!(read(&["--rate-limit-per-s".to_owned(), "99".to_owned()]), unset);
    }
}
