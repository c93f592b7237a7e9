//! What every variable was given as, for those who ask later; secrets are left out at once.

use clap::{ArgMatches, Args, Command, FromArgMatches, parser::MatchesError};

use super::Settings;

/// A variable, and what may be told of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// What it belongs to, as in the help.
    pub group: String,
    pub name: String,
    pub value: Told,
}

/// What may be told of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Is(String),
    /// It was given, and is a secret or may hold one.
    Secret,
    Default(String),
    Unset,
}

/// All variables of the server; no argument of its own.
#[derive(Clone, Default)]
pub struct Effective(pub Vec<Variable>);

impl FromArgMatches for Effective {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let command = Settings::augment_args(Command::new("serve"));
        let variables = command.get_arguments().filter_map(|arg| {
            let name = arg.get_env()?.to_str()?;
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let value = match given(matches, arg.get_id().as_str()) {
                Some(value) if is_open(name, &value) => Told::Is(value),
                Some(_) => Told::Secret,
                None => default_of(&help).map_or(Told::Unset, |text| Told::Default(text.to_owned())),
            };
            let group = arg.get_help_heading().unwrap_or_default().to_owned();
            Some(Variable { group, name: name.to_owned(), value })
        });
        Ok(Self(variables.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Effective {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

fn given(matches: &ArgMatches, id: &str) -> Option<String> {
    let raw: Result<_, MatchesError> = matches.try_get_raw(id);
    let value = raw.ok()??.next()?.to_string_lossy().trim().to_owned();
    Some(value).filter(|value| !value.is_empty())
}

/// What the help says that holds otherwise.
fn default_of(help: &str) -> Option<&str> {
    let text = help.rsplit_once("[default: ")?.1.split(']').next()?;
    Some(text.trim_matches('`'))
}

/// May everybody who may operate see it? Not what is called a secret, nor an address that may hold one.
fn is_open(name: &str, value: &str) -> bool {
    let is_secret =
        ["TOKEN", "SECRET", "PASSWORD", "KEY", "DATABASE_URL"].iter().any(|word| name.contains(word));
    let is_path = name.ends_with("_PATH");
    let holds_one = url::Url::parse(value)
        .is_ok_and(|url| !url.username().is_empty() || url.password().is_some() || url.query().is_some());
    (!is_secret || is_path) && !holds_one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Vec<Variable> {
        let command = Settings::augment_args(Command::new("serve").no_binary_name(true))
            .mut_args(|arg| arg.env(None::<&str>));
        let matches = command.try_get_matches_from(arguments).unwrap();
        Effective::from_arg_matches(&matches).unwrap().0
    }

    fn told(variables: &[Variable], name: &str) -> Told {
        variables.iter().find(|variable| variable.name == name).unwrap().value.clone()
    }

    #[test]
    fn values_are_told_and_secrets_are_not() {
        let variables = read(&[
            "--github-concurrency",
            "3",
            "--github-token",
            "ghp_x",
            "--worker-tokens",
            "coder:x",
            "--agent-token",
            "x",
            "--database-url",
            "postgres://u:p@h/d",
            "--webhook-secret",
            "x",
            "--auth-password",
            "x",
            "--github-app-private-key",
            "x",
            "--github-app-private-key-path",
            "/etc/key.pem",
            "--github-api-url",
            "https://me:secret@ghe.example/api/v3",
            "--bind",
            " ",
        ]);
        assert_eq!(told(&variables, "DISPATCH_GITHUB_CONCURRENCY"), Told::Is("3".into()));
        assert_eq!(told(&variables, "GITHUB_APP_PRIVATE_KEY_PATH"), Told::Is("/etc/key.pem".into()));
        assert_eq!(told(&variables, "DISPATCH_BIND"), Told::Default("127.0.0.1:3000".into()));
        assert_eq!(told(&variables, "GITHUB_REPOSITORIES"), Told::Unset);
        let secret = [
            "GITHUB_TOKEN",
            "DISPATCH_WORKER_TOKENS",
            "DISPATCH_AGENT_TOKEN",
            "DATABASE_URL",
            "WEBHOOK_SECRET",
            "DISPATCH_AUTH_PASSWORD",
            "GITHUB_APP_PRIVATE_KEY",
            "GITHUB_API_URL",
        ];
        for name in secret {
            assert_eq!(told(&variables, name), Told::Secret, "{name}");
        }
    }

    #[test]
    fn every_variable_is_there_with_its_group() {
        let variables = read(&[]);
        assert!(variables.len() > 40, "{}", variables.len());
        assert!(variables.iter().all(|variable| !variable.group.is_empty()));
        assert!(variables.iter().any(|variable| variable.group == "Scheduler"));
    }
}
