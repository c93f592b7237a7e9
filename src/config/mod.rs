//! Configuration: every variable once, as an argument of `dispatch serve` and as an environment variable.
//! The doc text of each is `--help`.

mod github;
mod names;
mod tokens;
mod values;
mod work;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use secrecy::SecretString;

use self::values::{Reader, days, millis};
pub use self::{names::check_names, work::Schedule};
use crate::{
    domain::{access::Tier, labels::Rules, repo::RepoName},
    engine,
    github::Settings as GitHubSettings,
};

/// Variables of the server. All are texts here: `Config::read` says which variable is wrong, how, and what
/// a right value looks like.
#[expect(clippy::doc_markdown, reason = "these texts are the help of the command line")]
#[derive(Args, Clone, Default)]
pub struct Settings {
    /// Address and port to listen on.
    #[arg(long, env = "DISPATCH_BIND", value_name = "ADDRESS", help_heading = "Server")]
    bind: Option<String>,
    /// Port to listen on, on the address of DISPATCH_BIND.
    #[arg(long, env = "PORT", value_name = "PORT", help_heading = "Server")]
    port: Option<String>,
    /// `sqlite:///path/to/file` or `postgres://…`; unset: a SQLite file in the data directory.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, help_heading = "Server")]
    database_url: Option<String>,
    /// Another name of DATABASE_URL.
    #[arg(long, env = "DISPATCH_DATABASE_URL", value_name = "URL", hide_env_values = true, hide = true)]
    dispatch_database_url: Option<String>,
    /// Directory of the embedded database; unset: the platform's state directory.
    #[arg(long, env = "DISPATCH_DATA_DIR", value_name = "DIR", help_heading = "Server")]
    data_dir: Option<String>,

    /// Base address of GitHub's REST API; Enterprise Server: `https://HOST/api/v3`.
    #[arg(long, env = "GITHUB_API_URL", value_name = "URL", help_heading = "GitHub")]
    github_api_url: Option<String>,
    /// Token that reads the repositories; unset: public repositories only, 60 requests an hour.
    #[arg(long, env = "GITHUB_TOKEN", value_name = "TOKEN", hide_env_values = true, help_heading = "GitHub")]
    github_token: Option<String>,
    /// A GitHub App instead of a token: its number or client id.
    #[arg(long, env = "GITHUB_APP_ID", value_name = "ID", help_heading = "GitHub")]
    github_app_id: Option<String>,
    /// The App's installation: a number, or `owner:number` pairs separated by commas or newlines.
    #[arg(long, env = "GITHUB_APP_INSTALLATION_ID", value_name = "IDS", help_heading = "GitHub")]
    github_app_installation_id: Option<String>,
    /// The App's private key in PEM; `\n` in two characters counts as the end of a line.
    #[arg(
        long,
        env = "GITHUB_APP_PRIVATE_KEY",
        value_name = "PEM",
        hide_env_values = true,
        help_heading = "GitHub"
    )]
    github_app_private_key: Option<String>,
    /// File of the App's private key, instead of GITHUB_APP_PRIVATE_KEY.
    #[arg(long, env = "GITHUB_APP_PRIVATE_KEY_PATH", value_name = "FILE", help_heading = "GitHub")]
    github_app_private_key_path: Option<String>,
    /// Repositories to track at the first start, `owner/name`, separated by commas or newlines.
    #[arg(long, env = "GITHUB_REPOSITORIES", value_name = "LIST", help_heading = "GitHub")]
    github_repositories: Option<String>,
    /// Requests to GitHub at once.
    #[arg(long, env = "DISPATCH_GITHUB_CONCURRENCY", value_name = "COUNT", help_heading = "GitHub")]
    github_concurrency: Option<String>,
    /// Points per minute (a read is 1); 0: no limit. GitHub's own limit is 900.
    #[arg(long, env = "DISPATCH_GITHUB_POINTS_PER_MINUTE", value_name = "POINTS", help_heading = "GitHub")]
    github_points_per_minute: Option<String>,
    /// Milliseconds for one request to GitHub, its body included.
    #[arg(long, env = "DISPATCH_GITHUB_TIMEOUT_MS", value_name = "MS", help_heading = "GitHub")]
    github_timeout_ms: Option<String>,

    /// Maintainer token: every route, any agent.
    #[arg(
        long,
        env = "DISPATCH_AGENT_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Access"
    )]
    agent_token: Option<String>,
    /// A second maintainer token.
    #[arg(
        long,
        env = "DISPATCH_MAINTAINER_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Access"
    )]
    maintainer_token: Option<String>,
    /// Worker tokens, `agent:token` pairs separated by commas or newlines; each acts for its agent only.
    #[arg(
        long,
        env = "DISPATCH_WORKER_TOKENS",
        value_name = "PAIRS",
        hide_env_values = true,
        help_heading = "Access"
    )]
    worker_tokens: Option<String>,
    /// The legacy worker token that is bound to no agent.
    #[arg(
        long,
        env = "DISPATCH_WORKER_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Access"
    )]
    worker_token: Option<String>,
    /// `legacy` (bearer tokens), `basic`, `oidc` or `disabled`; those beside `legacy` still mean bearer tokens here.
    #[arg(long, env = "DISPATCH_AUTH_MODE", value_name = "MODE", help_heading = "Access")]
    auth_mode: Option<String>,
    /// Requests per second that each worker token may send in the long run; 0: no limit.
    #[arg(long, env = "DISPATCH_RATE_LIMIT_PER_S", value_name = "COUNT", help_heading = "Access")]
    rate_limit_per_s: Option<String>,

    /// Issues with one of these labels are shown nowhere; separated by commas.
    #[arg(long, env = "DISPATCH_EXCLUDED_LABELS", value_name = "LIST", help_heading = "Issues")]
    excluded_labels: Option<String>,
    /// Days that closed issues stay cached.
    #[arg(long, env = "DISPATCH_CLOSED_ISSUE_RETENTION_DAYS", value_name = "DAYS", help_heading = "Issues")]
    closed_issue_retention_days: Option<String>,
    /// Days that closed issues stay in lists.
    #[arg(long, env = "DISPATCH_DONE_RETENTION_DAYS", value_name = "DAYS", help_heading = "Issues")]
    done_retention_days: Option<String>,
    /// Days that runs are kept which touched or warned of something; others stay a day.
    #[arg(long, env = "DISPATCH_RUN_RETENTION_DAYS", value_name = "DAYS", help_heading = "Issues")]
    run_retention_days: Option<String>,

    /// Milliseconds between the heartbeats of an agent; spread by 15 % either way.
    #[arg(long, env = "DISPATCH_HEARTBEAT_INTERVAL_MS", value_name = "MS", help_heading = "Heartbeat")]
    heartbeat_interval_ms: Option<String>,
    /// Milliseconds that a heartbeat waits for what it started.
    #[arg(long, env = "DISPATCH_HEARTBEAT_DEADLINE_MS", value_name = "MS", help_heading = "Heartbeat")]
    heartbeat_deadline_ms: Option<String>,
    /// A read of GitHub that began at most this many milliseconds before a request serves it.
    #[arg(long, env = "DISPATCH_SYNC_MAX_STALENESS_MS", value_name = "MS", help_heading = "Heartbeat")]
    sync_max_staleness_ms: Option<String>,
    #[command(flatten)]
    work: work::Work,
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
pub struct Config {
    pub bind: SocketAddr,
    pub database: Database,
    /// The data directory; none where there is no home directory and none is set.
    pub data_dir: Option<PathBuf>,
    pub repositories: Vec<RepoName>,
    pub tokens: Vec<(SecretString, Tier)>,
    pub auth_mode: AuthMode,
    pub requests_per_second: u32,
    pub github: GitHubSettings,
    pub engine: engine::Settings,
    pub schedule: Schedule,
    /// Whether the deadline was set or is the default.
    pub deadline_is_set: bool,
    /// One line each, for the log.
    pub warnings: Vec<String>,
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

impl Config {
    /// Checks every value.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let mut warnings = Vec::new();
        let auth_mode = auth_mode(settings, &mut warnings)?;
        let tokens = tokens::read(settings, &mut warnings);
        let (engine, schedule) = engine_settings(settings)?;
        Ok(Self {
            bind: bind(settings)?,
            database: database(settings)?,
            data_dir: data_dir(settings).ok(),
            repositories: repositories(settings)?,
            tokens,
            auth_mode,
            requests_per_second: Reader::new(
                "DISPATCH_RATE_LIMIT_PER_S",
                settings.rate_limit_per_s.as_ref(),
                "100",
            )
            .number(0..=1_000_000)?
            .unwrap_or(100),
            github: github::read(settings, &mut warnings)?,
            engine,
            schedule,
            deadline_is_set: values::given(settings.heartbeat_deadline_ms.as_ref()).is_some(),
            warnings,
        })
    }
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

fn database(settings: &Settings) -> Result<Database, ConfigError> {
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

fn data_dir(settings: &Settings) -> Result<PathBuf, ConfigError> {
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

fn auth_mode(settings: &Settings, warnings: &mut Vec<String>) -> Result<AuthMode, ConfigError> {
    let text = values::given(settings.auth_mode.as_ref()).unwrap_or("legacy");
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
    if mode != AuthMode::Legacy {
        let name = mode.name();
        warnings.push(format!(
            "DISPATCH_AUTH_MODE={name} is not built yet; bearer tokens are needed until it is"
        ));
    }
    Ok(mode)
}

fn engine_settings(settings: &Settings) -> Result<(engine::Settings, Schedule), ConfigError> {
    let excluded = values::given(settings.excluded_labels.as_ref()).unwrap_or_default();
    let interval =
        millis("DISPATCH_HEARTBEAT_INTERVAL_MS", settings.heartbeat_interval_ms.as_ref(), 1_000, 60_000)?;
    let deadline =
        millis("DISPATCH_HEARTBEAT_DEADLINE_MS", settings.heartbeat_deadline_ms.as_ref(), 100, 25_000)?;
    let staleness =
        millis("DISPATCH_SYNC_MAX_STALENESS_MS", settings.sync_max_staleness_ms.as_ref(), 0, 5_000)?;
    if staleness >= interval {
        return Err(ConfigError {
            variable: "DISPATCH_SYNC_MAX_STALENESS_MS",
            fault: format!(
                "{} ms is not less than the heartbeat interval of {} ms, so no beat would read",
                staleness.as_millis(),
                interval.as_millis()
            ),
            example: "5000",
        });
    }
    let work = work::read(&settings.work, interval)?;
    let engine = engine::Settings {
        rules: Rules::new(excluded.split([',', '\n'])).with_lanes(work.lanes),
        closed_retention: days(
            "DISPATCH_CLOSED_ISSUE_RETENTION_DAYS",
            settings.closed_issue_retention_days.as_ref(),
            30,
        )?,
        done_retention: days("DISPATCH_DONE_RETENTION_DAYS", settings.done_retention_days.as_ref(), 7)?,
        run_retention: days("DISPATCH_RUN_RETENTION_DAYS", settings.run_retention_days.as_ref(), 30)?,
        heartbeat_interval: interval,
        heartbeat_deadline: deadline,
        sync_max_staleness: staleness,
        claims: work.claims,
        claim_max_staleness: work.claim_max_staleness,
        live_check_patience: LIVE_CHECK_PATIENCE,
        writes: work.writes,
        aging: work.aging,
    };
    Ok((engine, work.schedule))
}

/// How long a claim waits for GitHub's word on its repository; clients wait 30 s for an answer.
const LIVE_CHECK_PATIENCE: Duration = Duration::from_secs(10);

/// The caller's patience where no server goes on reading after the answer.
pub const LOCAL_DEADLINE: Duration = Duration::from_mins(5);
