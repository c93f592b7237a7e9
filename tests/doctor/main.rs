//! `dispatch doctor`: for each check a set-up in which it fails, and what it says of a sound one.

#![expect(clippy::disallowed_methods, reason = "the tests break the folders of the programs they start")]

#[path = "../support/mod.rs"]
mod support;

mod database;
mod github;
#[cfg(unix)]
mod machine;

use std::path::Path;

use github_sim::{Sim, SimConfig};
use serde_json::Value;
use support::{MAINTAINER, child::dispatch};
use tempfile::TempDir;

/// No answer may hold it; the tests put it where passwords stand.
const PASSWORD: &str = "pass-5ecret-word";

/// A set-up: sound, until a test breaks it.
struct Setup {
    home: TempDir,
    sim: Sim,
    variables: Vec<(String, String)>,
}

impl Setup {
    async fn new() -> Self {
        Self::over(SimConfig::default()).await
    }

    /// One repository, a token that reads it, and a port that is free.
    async fn over(config: SimConfig) -> Self {
        let sim = Sim::start_with(config).await;
        sim.create_repo("acme/api").open_issue("One");
        let (url, token) = (sim.url(), sim.token());
        let mut setup = Self { home: TempDir::new().expect("a home"), sim, variables: Vec::new() };
        setup.set("GITHUB_API_URL", url);
        setup.set("GITHUB_TOKEN", token);
        setup.set("GITHUB_REPOSITORIES", "acme/api");
        setup.set("DISPATCH_BIND", "127.0.0.1:0");
        setup.set("DISPATCH_AGENT_TOKEN", MAINTAINER);
        setup
    }

    fn set(&mut self, variable: &str, value: impl Into<String>) {
        self.unset(variable);
        self.variables.push((variable.to_owned(), value.into()));
    }

    fn unset(&mut self, variable: &str) {
        self.variables.retain(|(name, _)| name != variable);
    }

    fn data(&self) -> std::path::PathBuf {
        self.home.path().join("data")
    }

    /// Runs the program; whatever it says holds no secret.
    async fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = dispatch(self.home.path());
        command.arg("doctor").args(arguments).envs(self.variables.iter().cloned());
        let output = tokio::task::spawn_blocking(move || command.output().expect("it runs"));
        let output = output.await.expect("it ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        for secret in [self.sim.token().as_str(), MAINTAINER, PASSWORD, "BEGIN RSA", "ghs_", "eyJ"] {
            assert!(!out.contains(secret) && !err.contains(secret), "{secret} in {out}{err}");
        }
        assert_eq!(err, "", "{out}");
        (output.status.code(), out)
    }

    async fn examine(&self) -> Found {
        let (code, text) = self.run(&["--json"]).await;
        let json: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"));
        let want = match json["status"].as_str() {
            Some("error") => 2,
            _ => 0,
        };
        assert_eq!(code, Some(want), "{text}");
        Found(json)
    }
}

/// What doctor found.
struct Found(Value);

impl Found {
    fn lines(&self, check: &str) -> Vec<&Value> {
        let all = self.0["checks"].as_array().expect("checks");
        all.iter().filter(|line| line["check"] == check).collect()
    }

    /// Asserts that a line of this check has the status, holds the words, and says what to do unless all is well.
    #[track_caller]
    fn says(&self, check: &str, status: &str, words: &str) {
        let lines = self.lines(check);
        let fits = |line: &&&Value| line["status"] == status && line.to_string().contains(words);
        let line = lines.iter().find(fits);
        let line = line.unwrap_or_else(|| panic!("no {check} {status} with {words:?} in {:#}", self.0));
        assert_eq!(line["remedy"].is_string(), status != "ok", "{line}");
    }

    /// The checks that are no success.
    fn troubles(&self) -> Vec<(&str, &str)> {
        let all = self.0["checks"].as_array().expect("checks");
        let bad = all.iter().filter(|line| line["status"] != "ok");
        bad.map(|line| (line["check"].as_str().expect("a name"), line["status"].as_str().expect("a word")))
            .collect()
    }
}

fn write(file: &Path, text: impl AsRef<[u8]>) {
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("its folder");
    std::fs::write(file, text).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_setup_is_ok_costs_little_and_stays_as_it_was() {
    let setup = Setup::new().await;
    let found = setup.examine().await;
    assert_eq!((found.0["status"].as_str(), found.troubles()), (Some("ok"), vec![]), "{:#}", found.0);
    found.says("repository", "ok", "acme/api");
    found.says("github_credentials", "ok", "token of dispatch-bot");
    let counters = setup.sim.counters();
    let kinds: Vec<(&str, u64)> =
        counters.by_kind.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    let want = [("issues.list", 1), ("rate_limit.get", 2), ("repos.get", 1), ("user.get", 1)];
    assert_eq!(kinds, want);
    assert!(!setup.data().exists(), "nothing is made");
    assert!(setup.run(&["--help"]).await.1.contains("Exit codes: 0 nothing is wrong"));
    let (code, text) = setup.run(&["--strict"]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\nok       GitHub: credentials: fine-grained token of dispatch-bot\n"), "{text}");
    assert!(text.contains("\n0 errors, 0 warnings, ") && !text.contains('\u{1b}'), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_broken_setups_name_each_cause() {
    let mut broken =
        [Setup::new().await, Setup::new().await, Setup::new().await, Setup::new().await, Setup::new().await];
    let wanted = [
        ("github_credentials", "the credentials were refused (401)"),
        ("github", "is not GitHub's REST API"),
        ("data_directory", "a file stands where a directory should be"),
        ("database", "nothing listens there"),
        ("port", "another program listens there"),
    ];
    broken[0].sim.revoke_token(&broken[0].sim.token());
    let wrong = format!("{}/wrong", broken[1].sim.url());
    broken[1].set("GITHUB_API_URL", wrong);
    write(&broken[2].data(), "a file");
    broken[3].set("DATABASE_URL", format!("postgres://dispatch:{PASSWORD}@127.0.0.1:9/dispatch"));
    let taken = broken[4].sim.url().replace("http://", "");
    broken[4].set("DISPATCH_BIND", taken);
    for (setup, (check, words)) in broken.iter().zip(wanted) {
        setup.examine().await.says(check, "error", words);
    }
}
