//! `packaging/`: what the systemd unit and the container file name is there.

use std::{collections::BTreeSet, process::Stdio};

use clap::{Args as _, Command};
use dispatch::config::Settings;

use crate::{github, home, server};

const UNIT: &str = include_str!("../../packaging/dispatch.service");
const CONTAINER: &str = include_str!("../../packaging/Containerfile");
const MANIFEST: &str = include_str!("../../Cargo.toml");

/// What stands after `key` at the start of a line; a line may go on after a backslash.
fn values(text: &str, key: &str) -> Vec<String> {
    let whole = text.replace("\\\n", " ");
    let lines = whole.lines().filter_map(|line| line.strip_prefix(key));
    lines.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn variables() -> BTreeSet<String> {
    let command = Settings::augment_args(Command::new("serve"));
    let names = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str().map(str::to_owned));
    names.collect()
}

fn assert_settings<'v>(settings: impl IntoIterator<Item = &'v str>) {
    for setting in settings {
        let (name, _) = setting.split_once('=').expect("NAME=value");
        assert!(variables().contains(name), "{name} is no setting");
    }
}

/// The program takes these arguments.
fn assert_starts(arguments: &[&str]) {
    dispatch::cli::command().try_get_matches_from(arguments).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_unit_starts_the_server_with_settings_that_exist() {
    let [start] = values(UNIT, "ExecStart=").try_into().expect("one");
    let words: Vec<&str> = start.split(' ').collect();
    assert_eq!(words, ["/usr/local/bin/dispatch", "serve"]);
    assert_starts(&words);
    let environment = values(UNIT, "Environment=");
    assert_settings(environment.iter().map(String::as_str));
    let state = values(UNIT, "StateDirectory=");
    assert_eq!(environment, [format!("DISPATCH_DATA_DIR=/var/lib/{}", state[0])]);
    let grace: u64 = values(UNIT, "TimeoutStopSec=")[0].parse().expect("seconds");
    assert!(grace > 10, "the server may take 10 s to end");
}

#[test]
fn the_container_runs_the_server_as_nobody_in_particular() {
    let [entry] = values(CONTAINER, "ENTRYPOINT ").try_into().expect("one");
    let entry: Vec<&str> = serde_json::from_str(&entry).expect("the form without a shell");
    let [command] = values(CONTAINER, "CMD ").try_into().expect("one");
    let command: Vec<&str> = serde_json::from_str(&command).expect("the form without a shell");
    assert_eq!([entry.clone(), command.clone()].concat(), ["/usr/local/bin/dispatch", "serve"]);
    assert_starts(&[entry, command].concat());
    let environment = values(CONTAINER, "ENV ");
    assert_settings(environment.iter().flat_map(|line| line.split(' ')));
    let data = values(CONTAINER, "VOLUME ");
    assert!(environment.concat().contains(&format!("DISPATCH_DATA_DIR={}", data[0])));
    assert!(environment.concat().contains("DISPATCH_BIND=0.0.0.0:3000"));
    assert_eq!(values(CONTAINER, "STOPSIGNAL "), ["SIGTERM"]);
    let user = &values(CONTAINER, "USER ")[0];
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user} is root or unknown");
    let rust = MANIFEST.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("a version");
    let image = &values(CONTAINER, "FROM ")[0];
    assert!(image.contains(rust.trim_matches('"')), "{image} is not of Rust {rust}");
    for folder in values(CONTAINER, "COPY ").iter().filter(|line| !line.starts_with("--from")) {
        let (sources, _) = folder.rsplit_once(' ').expect("from and to");
        for source in sources.split(' ') {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
            assert!(path.exists(), "{source} is not there");
        }
    }
}

/// The probe of the container file, against a running server and against none.
#[tokio::test(flavor = "multi_thread")]
async fn the_probe_of_the_container_tells_a_server_from_none() {
    let (home, sim) = (home(), github().await);
    let mut server = server(home.path(), &sim).await;
    let health = values(CONTAINER, "HEALTHCHECK ");
    let (_, probe) = health[0].split_once(" CMD ").expect("a command");
    let probe: Vec<String> = serde_json::from_str(probe).expect("the form without a shell");
    let address = server.url.strip_prefix("http://").expect("an address").replace(':', "/");
    let probe: Vec<String> = probe.iter().map(|word| word.replace("127.0.0.1/3000", &address)).collect();
    assert!(probe.concat().contains(&address), "{probe:?}");
    let run = || {
        let mut command = std::process::Command::new(&probe[0]);
        command.args(&probe[1..]).stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::null());
        command.status().expect("it runs").code()
    };
    assert_eq!(run(), Some(0));
    server.kill();
    assert_eq!(run(), Some(1));
}
