//! Names of variables: unknown ones are probably misspelt, known ones may wait for their feature.

use clap::Args as _;

use super::Settings;

/// Settings of the Node edition (and of the design) whose feature is not built yet.
const LATER: [&str; 4] = [
    "DISPATCH_HOSTED_GROOMER_ENABLED",
    "DISPATCH_OIDC_CLIENT_ID",
    "DISPATCH_OIDC_CLIENT_SECRET",
    "DISPATCH_OIDC_ISSUER",
];

/// Names that are ours but not the server's: clients, and what has no meaning here.
const OTHERS: [&str; 5] = [
    "DISPATCH_AGENT_NAME",
    "DISPATCH_SYNC_LOCK_MAX_AGE_MS",
    "DISPATCH_TEST_POSTGRES",
    "DISPATCH_URL",
    "DISPATCH_WORK",
];

/// One warning for each variable of this environment that will not do what its setter hopes.
pub fn check_names(environment: impl IntoIterator<Item = String>) -> Vec<String> {
    let known = known();
    let mut names: Vec<String> = environment.into_iter().collect();
    names.sort_unstable();
    names.iter().filter_map(|name| warning(name, &known)).collect()
}

fn known() -> Vec<String> {
    let command = Settings::augment_args(clap::Command::new("serve"));
    command.get_arguments().filter_map(|arg| arg.get_env()?.to_str().map(str::to_owned)).collect()
}

fn warning(name: &str, known: &[String]) -> Option<String> {
    if LATER.contains(&name) {
        return Some(format!("{name} is set, but its feature is not built yet; it changes nothing"));
    }
    if !name.starts_with("DISPATCH_") || OTHERS.contains(&name) || known.iter().any(|other| other == name) {
        return None;
    }
    let nearest = known.iter().min_by_key(|other| strsim::damerau_levenshtein(name, other))?;
    Some(format!("{name} is not a setting of Dispatch; did you mean {nearest}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_and_early_names_are_said() {
        let names = ["DISPATCH_AGENT_TOKN", "DISPATCH_OIDC_ISSUER", "DISPATCH_BIND", "HOME", "DISPATCH_URL"];
        let warnings = check_names(names.map(str::to_owned));
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].ends_with("did you mean DISPATCH_AGENT_TOKEN?"));
        assert!(warnings[1].contains("not built yet"));
    }
}
