//! What concerns GitHub: its address, our credentials, and how hard to use it.

use std::path::{Path, PathBuf};

use url::Url;

use super::{
    ConfigError, Settings,
    draft::Faults,
    values::{self, Reader, millis},
};
use crate::github::{AppCredentials, AppKey, Credentials, Settings as GitHubSettings};

const APP_ID: &str = "GITHUB_APP_ID";
const INSTALLATION: &str = "GITHUB_APP_INSTALLATION_ID";
const KEY: &str = "GITHUB_APP_PRIVATE_KEY";
const KEY_PATH: &str = "GITHUB_APP_PRIVATE_KEY_PATH";

const APP_ID_EXAMPLE: &str = "123456";
const INSTALLATION_EXAMPLE: &str = "acme:45678901,beta:45678902";
const KEY_EXAMPLE: &str = "'-----BEGIN RSA PRIVATE KEY-----\\n…\\n-----END RSA PRIVATE KEY-----'";
const KEY_PATH_EXAMPLE: &str = "/etc/dispatch/app.pem";

/// Checks every value.
pub fn read(settings: &Settings, warnings: &mut Vec<String>, faults: &mut Faults) -> Option<GitHubSettings> {
    let api_url = faults.keep(api_url(settings));
    let credentials = faults.keep(credentials(settings, warnings));
    let count = settings.github_concurrency.as_ref();
    let concurrency = faults.keep(Reader::new("DISPATCH_GITHUB_CONCURRENCY", count, "8").number(1..=100));
    let points = settings.github_points_per_minute.as_ref();
    let points =
        faults.keep(Reader::new("DISPATCH_GITHUB_POINTS_PER_MINUTE", points, "600").number(0..=100_000));
    let timeout = settings.github_timeout_ms.as_ref();
    let timeout = faults.keep(millis("DISPATCH_GITHUB_TIMEOUT_MS", timeout, 100, 20_000));
    Some(GitHubSettings {
        api_url: api_url?,
        credentials: credentials?,
        concurrency: concurrency?.map_or(8, |count: u16| usize::from(count)),
        points_per_minute: points?.unwrap_or(600),
        request_timeout: timeout?,
        retries: 2,
        user_agent: concat!("dispatch/", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

/// The file of the App's key, where one is named.
pub fn key_file(settings: &Settings) -> Option<PathBuf> {
    values::given(settings.github_app_private_key_path.as_ref()).map(PathBuf::from)
}

fn api_url(settings: &Settings) -> Result<Url, ConfigError> {
    let url = Reader::new("GITHUB_API_URL", settings.github_api_url.as_ref(), "https://api.github.com");
    // Said without the value: it may hold a password.
    let given = url.parse("").map_err(|_| url.fault("it is not an address".to_owned()))?;
    let api_url: Url = match given {
        Some(url) => url,
        None => Url::parse("https://api.github.com").map_err(|error| url.fault(error.to_string()))?,
    };
    if !matches!(api_url.scheme(), "http" | "https") || api_url.host().is_none() {
        return Err(url.fault("it must begin with https:// (or http://) and name a host".to_owned()));
    }
    if !api_url.username().is_empty() || api_url.password().is_some() || api_url.query().is_some() {
        return Err(url.fault("it must hold neither credentials nor a query".to_owned()));
    }
    Ok(api_url)
}

/// The App if there is one, else the token if there is one.
fn credentials(settings: &Settings, warnings: &mut Vec<String>) -> Result<Credentials, ConfigError> {
    let token = values::given(settings.github_token.as_ref());
    if let Some(app) = app(settings)? {
        if token.is_some() {
            warnings
                .push("GITHUB_TOKEN is set beside the GitHub App; the App is used, not the token".to_owned());
        }
        return Ok(Credentials::App(app));
    }
    Ok(token.map_or(Credentials::Anonymous, |token| Credentials::Token(token.to_owned().into())))
}

/// All of the App's variables or none: with a part of them nobody can say what was meant.
fn app(settings: &Settings) -> Result<Option<AppCredentials>, ConfigError> {
    let id = values::given(settings.github_app_id.as_ref());
    let installation = values::given(settings.github_app_installation_id.as_ref());
    let key = values::given(settings.github_app_private_key.as_ref());
    let path = values::given(settings.github_app_private_key_path.as_ref());
    match (id, installation, key.or(path)) {
        (None, None, None) => Ok(None),
        (Some(id), Some(installation), Some(_)) => Ok(Some(AppCredentials {
            app: app_id(id)?,
            installations: installation.parse().map_err(|fault| ConfigError {
                variable: INSTALLATION,
                fault,
                example: INSTALLATION_EXAMPLE,
            })?,
            key: app_key(key, path)?,
        })),
        (id, installation, key) => Err(partial(id.is_some(), installation.is_some(), key.is_some())),
    }
}

fn partial(id: bool, installation: bool, key: bool) -> ConfigError {
    let parts = [
        (APP_ID, id, APP_ID_EXAMPLE),
        (INSTALLATION, installation, INSTALLATION_EXAMPLE),
        (KEY, key, KEY_EXAMPLE),
    ];
    let names = |set: bool| -> Vec<&str> {
        parts.iter().filter(|(_, is_set, _)| *is_set == set).map(|(name, ..)| *name).collect()
    };
    let (variable, example) = parts
        .iter()
        .find(|(_, is_set, _)| !is_set)
        .map_or((APP_ID, APP_ID_EXAMPLE), |&(name, _, example)| (name, example));
    let fault = format!(
        "a GitHub App needs its id, an installation and a key; set: {}; missing: {}",
        names(true).join(", "),
        names(false).join(", ")
    );
    ConfigError { variable, fault, example }
}

/// The number, or the client id that GitHub prefers by now.
fn app_id(id: &str) -> Result<String, ConfigError> {
    if id.len() <= 64 && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'.') {
        return Ok(id.to_owned());
    }
    let fault = "it is neither the App's number nor its client id".to_owned();
    Err(ConfigError { variable: APP_ID, fault, example: APP_ID_EXAMPLE })
}

/// From the variable or the file; no error tells what is in either, nor the path: the key may stand there.
fn app_key(key: Option<&str>, path: Option<&str>) -> Result<AppKey, ConfigError> {
    match (key, path) {
        (Some(_), Some(_)) => {
            let fault = format!("{KEY} is set too; keep one of the two");
            Err(ConfigError { variable: KEY_PATH, fault, example: KEY_PATH_EXAMPLE })
        }
        (Some(key), None) => AppKey::from_pem(key).map_err(|fault| ConfigError {
            variable: KEY,
            fault: fault.to_string(),
            example: KEY_EXAMPLE,
        }),
        (None, path) => {
            let path = Path::new(path.unwrap_or_default());
            let error = |fault| ConfigError { variable: KEY_PATH, fault, example: KEY_PATH_EXAMPLE };
            #[expect(clippy::disallowed_methods, reason = "the configuration names a file")]
            let pem = std::fs::read_to_string(path);
            let pem = pem.map_err(|cause| error(format!("the file cannot be read: {}", cause.kind())))?;
            AppKey::from_pem(&pem).map_err(|fault| error(format!("what is in the file: {fault}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use github_sim::Sim;

    use super::*;

    /// The values of `GITHUB_APP_ID`, `…_INSTALLATION_ID`, `…_PRIVATE_KEY` and `…_PRIVATE_KEY_PATH`.
    fn settings(values: [&str; 4]) -> Settings {
        let [id, installation, key, path] = values.map(|value| Some(value.to_owned()));
        Settings {
            github_app_id: id,
            github_app_installation_id: installation,
            github_app_private_key: key,
            github_app_private_key_path: path,
            ..Settings::default()
        }
    }

    fn fault(values: [&str; 4]) -> String {
        let mut faults = Faults::default();
        assert!(read(&settings(values), &mut Vec::new(), &mut faults).is_none());
        faults.0[0].to_string()
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the file that the configuration names")]
    async fn the_key_comes_from_the_variable_or_a_file_and_the_app_wins_over_a_token() {
        let pem = Sim::start().await.create_app(7).private_key_pem();
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("app.pem");
        std::fs::write(&file, &pem).unwrap();
        let file = file.to_str().unwrap();
        for (key, path) in [(pem.as_str(), ""), ("", file), (&pem.replace('\n', "\\n"), " ")] {
            let mut warnings = Vec::new();
            let settings = Settings {
                github_token: Some("t0k".into()),
                ..settings(["Iv1.8a61", "acme:1,2", key, path])
            };
            let read = read(&settings, &mut warnings, &mut Faults::default()).unwrap();
            let Credentials::App(app) = &read.credentials else { panic!("{:?}", read.credentials) };
            assert_eq!(app.app, "Iv1.8a61");
            assert!(warnings.len() == 1 && !warnings[0].contains("t0k"), "{warnings:?}");
            assert!(!format!("{read:?}").contains(&pem[40..60]));
        }
        assert!(fault(["1", "1", &pem, file]).starts_with("GITHUB_APP_PRIVATE_KEY_PATH: "));
    }

    #[test]
    fn a_part_is_an_error_that_names_what_is_missing() {
        let cases = [
            (["1", "", "", ""], APP_ID, "GITHUB_APP_INSTALLATION_ID, GITHUB_APP_PRIVATE_KEY"),
            (["", "1", "", ""], INSTALLATION, "GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY"),
            (["", "", "s3cret", ""], KEY, "GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID"),
            (["", "", "", "/s3cret"], KEY, "GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID"),
            (["1", "1", " ", ""], "GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID", KEY),
            (["1", "", "s3cret", ""], "GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY", INSTALLATION),
            (["", "1", "s3cret", ""], "GITHUB_APP_INSTALLATION_ID, GITHUB_APP_PRIVATE_KEY", APP_ID),
        ];
        for (values, set, missing) in cases {
            let fault = fault(values);
            let first = missing.split(',').next().unwrap();
            assert!(fault.starts_with(&format!("{first}: ")), "{fault}");
            assert!(fault.contains(&format!("; set: {set}; missing: {missing};")), "{fault}");
            assert!(!fault.contains("s3cret"), "{fault}");
        }
    }

    #[test]
    fn bad_values_are_errors_that_hold_no_key() {
        let cases = [
            (["a b", "1", "s3cret", ""], APP_ID),
            (["1", "x", "s3cret", ""], INSTALLATION),
            (["1", "1,2", "s3cret", ""], INSTALLATION),
            (["1", "1", "s3cret", ""], KEY),
            (["1", "1", "-----BEGIN RSA PRIVATE KEY-----\ns3cret", ""], KEY),
            (["s3cret\n", "1", "s3cret", ""], KEY),
            (["-----BEGIN s3cret", "1", "s3cret", ""], APP_ID),
            (["1", "-----BEGIN\\ns3cret:s3cret", "s3cret", ""], INSTALLATION),
            (["1", "1", "", "-----BEGIN s3cret"], KEY_PATH),
            (["1", "1", "", "/no/such/file"], KEY_PATH),
            (["1", "1", "", "/dev/null"], KEY_PATH),
        ];
        for (values, variable) in cases {
            let fault = fault(values);
            assert!(fault.starts_with(&format!("{variable}: ")) && !fault.contains("s3cret"), "{fault}");
        }
    }
}
