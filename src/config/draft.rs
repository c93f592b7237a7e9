//! The configuration as far as it can be read: every fault, and what is right beside them.

use std::{net::SocketAddr, path::PathBuf};

use secrecy::SecretString;
use url::Url;

use super::{
    AuthMode, Config, ConfigError, Database, Settings, Variable, auth, bind, data_dir, engine_settings,
    github, metrics_public, repositories, requests_per_second, tokens, values,
};
use crate::{
    domain::{access::Tier, repo::RepoName},
    engine::{self, sessions::SignIn, webhooks::Door},
    github::Settings as GitHubSettings,
    scheduler,
};

/// What could be read; where something is missing, a fault says why.
pub struct Draft {
    pub bind: Option<SocketAddr>,
    pub database: Option<Database>,
    pub data_dir: Option<PathBuf>,
    pub repositories: Option<Vec<RepoName>>,
    pub tokens: Vec<(SecretString, Tier)>,
    pub github: Option<GitHubSettings>,
    /// The file of the App's key, where one is named.
    pub key_file: Option<PathBuf>,
    /// One line each, for the log.
    pub warnings: Vec<String>,
    pub faults: Vec<ConfigError>,
    auth_mode: Option<AuthMode>,
    sign_in: Option<SignIn>,
    #[expect(clippy::option_option, reason = "whether it could be read, and whether it was said")]
    public_url: Option<Option<Url>>,
    trusted_proxies: Option<usize>,
    requests_per_second: Option<u32>,
    metrics_public: Option<bool>,
    engine: Option<(engine::Settings, scheduler::Settings)>,
    deadline_is_set: bool,
    variables: Vec<Variable>,
}

/// Keeps what is right and notes what is wrong.
#[derive(Default)]
pub(super) struct Faults(pub Vec<ConfigError>);

impl Faults {
    pub fn keep<T>(&mut self, value: Result<T, ConfigError>) -> Option<T> {
        value.map_err(|fault| self.0.push(fault)).ok()
    }
}

impl Draft {
    /// Checks every value.
    pub fn read(settings: &Settings) -> Self {
        let (mut warnings, mut faults) = (Vec::new(), Faults::default());
        let auth_mode = faults.keep(auth::mode(&settings.auth, &mut warnings));
        let bind = faults.keep(bind(settings));
        let sign_in = auth_mode.zip(bind).map(|(mode, bind)| auth::sign_in(&settings.auth, mode, bind));
        let tokens = tokens::read(settings, &mut warnings);
        Self {
            bind,
            database: faults.keep(settings.storage.read()),
            data_dir: data_dir(&settings.storage).ok(),
            repositories: faults.keep(repositories(settings)),
            tokens,
            auth_mode,
            sign_in: sign_in.and_then(|sign_in| faults.keep(sign_in)),
            public_url: faults.keep(auth::public_url(&settings.auth)),
            trusted_proxies: faults.keep(auth::trusted_proxies(&settings.auth)),
            requests_per_second: faults.keep(requests_per_second(settings)),
            metrics_public: faults.keep(metrics_public(settings)),
            github: github::read(settings, &mut warnings, &mut faults),
            key_file: github::key_file(settings),
            engine: engine_settings(settings, &mut warnings, &mut faults),
            deadline_is_set: values::given(settings.heartbeat_deadline_ms.as_ref()).is_some(),
            variables: settings.effective.0.clone(),
            warnings,
            faults: faults.0,
        }
    }

    /// Whether webhooks are received, as far as that could be read.
    pub fn receives_webhooks(&self) -> bool {
        self.engine.as_ref().is_some_and(|(engine, _)| engine.webhooks != Door::Closed)
    }

    /// The configuration, unless something is wrong: then the first fault.
    pub(super) fn whole(self) -> Result<Config, ConfigError> {
        if let Some(fault) = self.faults.into_iter().next() {
            return Err(fault);
        }
        let whole = || -> Option<Config> {
            let (engine, schedule) = self.engine?;
            Some(Config {
                bind: self.bind?,
                database: self.database?,
                data_dir: self.data_dir,
                repositories: self.repositories?,
                tokens: self.tokens,
                auth_mode: self.auth_mode?,
                sign_in: self.sign_in?,
                public_url: self.public_url?,
                trusted_proxies: self.trusted_proxies?,
                requests_per_second: self.requests_per_second?,
                github: self.github?,
                engine,
                metrics_public: self.metrics_public?,
                schedule,
                deadline_is_set: self.deadline_is_set,
                warnings: self.warnings,
                variables: self.variables,
            })
        };
        // Never: what is missing has a fault.
        let fault = "the configuration is not whole".to_owned();
        whole().ok_or(ConfigError { variable: "DISPATCH_BIND", fault, example: "127.0.0.1:3000" })
    }
}
