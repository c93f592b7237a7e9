//! Help and completions: of every command that there is, as snapshots (`INSTA_UPDATE=always` takes them anew).

use std::{collections::BTreeSet, io::Write as _, process::Stdio};

use clap::Command;

use crate::{err, home, out, run};

/// The name of each command, such as `dispatch repo add`, with its help.
fn helps(mut command: Command) -> Vec<(String, String)> {
    command.build();
    let mut all = Vec::new();
    collect(&command, &mut all);
    all
}

fn collect(command: &Command, all: &mut Vec<(String, String)>) {
    let name = command.get_bin_name().unwrap_or("dispatch").to_owned();
    all.push((name, command.clone().term_width(100).render_long_help().to_string()));
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        collect(below, all);
    }
}

#[test]
fn the_help_of_every_command_is_as_it_was() {
    let mut files = BTreeSet::new();
    for (name, help) in helps(dispatch::cli::command()) {
        let file = name.replace(' ', "-");
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(file.clone(), help);
        });
        files.insert(format!("{file}.snap"));
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/snapshots");
    let names =
        std::fs::read_dir(folder).expect("the snapshots").map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let kept: BTreeSet<String> = names.filter(|name| name.strip_suffix(".snap").is_some()).collect();
    assert_eq!(kept, files, "a snapshot whose command is gone is removed by hand");
}

#[test]
fn every_command_and_flag_says_what_it_is_for() {
    fn check(command: &Command) {
        let name = command.get_bin_name().unwrap_or("dispatch");
        assert!(command.get_about().is_some(), "`{name}` has no description");
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            assert!(arg.get_help().is_some(), "`{name}`: {} has no help", arg.get_id());
        }
        let has_more = command.get_after_help().is_some_and(|more| {
            let more = more.to_string();
            more.contains("dispatch ") && (more.contains("Exit codes: ") || name.ends_with("completions"))
        });
        let is_below = name.split(' ').count() > 2;
        assert!(has_more || is_below, "`{name}` has neither examples nor exit codes");
        command.get_subcommands().filter(|below| below.get_name() != "help").for_each(check);
    }
    let mut command = dispatch::cli::command();
    command.build();
    check(&command);
}

#[tokio::test(flavor = "multi_thread")]
async fn help_has_colours_on_request_and_no_value_of_a_variable() {
    let home = home();
    let secrets = [
        ("DATABASE_URL", "postgres://user:hunter2@host/name"),
        ("GITHUB_TOKEN", "hunter2"),
        ("DISPATCH_AGENT_TOKEN", "hunter2"),
        ("DISPATCH_URL", "http://hunter2"),
    ];
    for command in ["serve", "heartbeat", "backup", "runs"] {
        let output = run(home.path(), &secrets, &[command, "--help"]).await;
        assert!(output.status.success() && !out(&output).contains("hunter2"), "{}", out(&output));
    }
    let help = async |environment: &[(&str, &str)]| out(&run(home.path(), environment, &["--help"]).await);
    assert!(!help(&[]).await.contains('\x1b'), "no terminal, no colour");
    assert!(help(&[("CLICOLOR_FORCE", "1")]).await.contains("\x1b["));
    assert!(!help(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).await.contains('\x1b'));
    let version = run(home.path(), &[], &["--version"]).await;
    assert_eq!(out(&version), format!("dispatch {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_know_every_command() {
    let home = home();
    for shell in ["bash", "zsh", "fish"] {
        let output = run(home.path(), &[], &["completions", shell]).await;
        assert!(output.status.success(), "{shell}: {}", err(&output));
        let script = out(&output);
        for (name, _) in helps(dispatch::cli::command()) {
            let command = name.rsplit(' ').next().expect("a name");
            assert!(script.contains(command), "{shell}: {name}");
        }
        assert!(script.contains("heartbeat-interval-ms"), "{shell}");
        if shell == "bash" {
            check_bash(&script);
        }
    }
}

/// Bash itself reads the script.
fn check_bash(script: &str) {
    let mut bash = std::process::Command::new("bash");
    let mut bash = bash.arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash");
    bash.stdin.take().expect("its input").write_all(script.as_bytes()).expect("written");
    let output = bash.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", err(&output));
}
