//! README.md says what the code says: its tables of commands and variables are made from the command line
//! itself. `UPDATE_README=1 cargo nextest run -p dispatch --test cli readme` writes them anew.

use std::{collections::BTreeSet, fmt::Write as _};

use clap::{Args as _, Command};
use dispatch::config::Settings;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// Text that is no table cell of its own accord.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// A row for each command without subcommands.
fn commands() -> String {
    let mut table = "| command | what |\n|---|---|\n".to_owned();
    let mut command = dispatch::cli::command();
    command.build();
    add_commands(&command, &mut table);
    table
}

fn add_commands(command: &Command, table: &mut String) {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        if below.has_subcommands() {
            add_commands(below, table);
            continue;
        }
        let name = below.get_bin_name().expect("a built command");
        let words: Vec<String> =
            [name.to_owned()].into_iter().chain(below.get_positionals().map(ToString::to_string)).collect();
        writeln!(table, "| `{}` | {} |", words.join(" "), cell(&about(below))).expect("a string");
    }
}

/// A row for each variable of the server, then for those that only other commands read.
fn variables() -> String {
    let mut table = "| variable | flag | default | what |\n|---|---|---|---|\n".to_owned();
    let mut named = BTreeSet::new();
    let server = Settings::augment_args(Command::new("serve"));
    server.get_arguments().for_each(|arg| add_variable(arg, &mut named, &mut table));
    let mut command = dispatch::cli::command();
    command.build();
    add_others(&command, &mut named, &mut table);
    table
}

fn add_others(command: &Command, named: &mut BTreeSet<String>, table: &mut String) {
    command.get_arguments().for_each(|arg| add_variable(arg, named, table));
    command.get_subcommands().for_each(|below| add_others(below, named, table));
}

fn add_variable(arg: &clap::Arg, named: &mut BTreeSet<String>, table: &mut String) {
    let Some(name) = arg.get_env().and_then(|name| name.to_str()) else { return };
    if !named.insert(name.to_owned()) {
        return;
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let (what, default) = help.split_once(" [default: ").unwrap_or((&help, ""));
    let values: Vec<&str> = arg.get_default_values().iter().filter_map(|value| value.to_str()).collect();
    let default = if default.is_empty() {
        values.join(",")
    } else {
        default.trim_end_matches(']').trim_matches('`').to_owned()
    };
    let default = if default.is_empty() { default } else { format!("`{default}`") };
    let flag = arg.get_long().map(|flag| format!("`--{flag}`")).unwrap_or_default();
    writeln!(table, "| `{name}` | {flag} | {default} | {} |", cell(what)).expect("a string");
}

/// The page with what stands between the marks of `name` replaced.
fn with(page: &str, name: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: made from the code -->\n"), format!("<!-- end of {name} -->"));
    let parts = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("README.md has no {begin:?} with {end:?} after it"));
    format!("{before}{begin}{text}{end}{after}")
}

#[test]
fn the_tables_of_the_readme_are_those_of_the_code() {
    let page = std::fs::read_to_string(PAGE).expect("README.md");
    let right = with(&with(&page, "commands", &commands()), "configuration", &variables());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(PAGE, right).expect("README.md is written");
        return;
    }
    let lines = right.lines().zip(page.lines()).find(|(right, is)| right != is);
    assert!(
        right == page,
        "README.md is not what the code says; `UPDATE_README=1 cargo nextest run -p dispatch --test cli readme` \
         writes it. The first line that differs (right, written): {lines:?}"
    );
}

#[test]
fn the_tables_leave_nothing_out() {
    let (commands, variables) = (commands(), variables());
    for words in ["| `dispatch serve` |", "`dispatch token revoke <ID>`", "`dispatch repo sync [OWNER/NAME]`"]
    {
        assert!(commands.contains(words), "{words}: {commands}");
    }
    for words in
        ["| `PORT` |", "| `DISPATCH_URL` |", "| `--github-concurrency` | `8` |", "| `DISPATCH_LOG` |"]
    {
        assert!(variables.contains(words), "{words}: {variables}");
    }
}
