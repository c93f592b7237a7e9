//! Which token opens what (`contract/agents.md` 1.2).

use std::collections::HashMap;

use secrecy::SecretString;

use super::{Settings, values::given};
use crate::domain::{access::Tier, ids::AgentName};

/// Reads all tokens. Doubtful ones are left out or resolve to the lesser right, with a warning that never
/// holds a token.
pub fn read(settings: &Settings, warnings: &mut Vec<String>) -> Vec<(SecretString, Tier)> {
    let mut tiers: HashMap<String, Tier> = HashMap::new();
    for maintainer in [&settings.agent_token, &settings.maintainer_token] {
        if let Some(token) = given(maintainer.as_ref()) {
            tiers.insert(token.to_owned(), Tier::Maintainer);
        }
    }
    let legacy = given(settings.worker_token.as_ref());
    if let Some(token) = legacy {
        warnings.push(
            "DISPATCH_WORKER_TOKEN is bound to no agent; give each agent its own in DISPATCH_WORKER_TOKENS"
                .to_owned(),
        );
        lower(&mut tiers, token, Tier::UnboundWorker, warnings);
    }
    for (token, agent) in bound(settings, warnings) {
        match agent {
            Some(agent) => lower(&mut tiers, &token, Tier::Worker(agent), warnings),
            // A token of two agents opens nothing, whatever else it is; but the legacy token stays that.
            None if legacy == Some(token.as_str()) => {}
            None => {
                tiers.remove(&token);
            }
        }
    }
    tiers.into_iter().map(|(token, tier)| (token.into(), tier)).collect()
}

/// A value that is configured for several tiers gets the least of them.
fn lower(tiers: &mut HashMap<String, Tier>, token: &str, tier: Tier, warnings: &mut Vec<String>) {
    if tiers.insert(token.to_owned(), tier) == Some(Tier::Maintainer) {
        warnings.push("a worker token equals a maintainer token; it is a worker token now".to_owned());
    }
}

/// The pairs of `DISPATCH_WORKER_TOKENS`; a token that several agents share has none.
fn bound(settings: &Settings, warnings: &mut Vec<String>) -> Vec<(String, Option<AgentName>)> {
    let mut agents: Vec<(String, Option<AgentName>)> = Vec::new();
    let text = given(settings.worker_tokens.as_ref()).unwrap_or_default();
    for (n, entry) in text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty()).enumerate() {
        // Tokens may hold colons: only the first divides.
        let pair =
            entry.split_once(':').map(|(agent, token)| (agent.trim().parse::<AgentName>(), token.trim()));
        let Some((Ok(agent), token)) = pair.filter(|(_, token)| !token.is_empty()) else {
            warnings
                .push(format!("DISPATCH_WORKER_TOKENS: entry {} is not agent:token and was left out", n + 1));
            continue;
        };
        match agents.iter_mut().find(|(known, _)| known == token) {
            None => agents.push((token.to_owned(), Some(agent))),
            Some((_, Some(known))) if *known == agent => {}
            Some((_, owner)) => {
                warnings
                    .push("DISPATCH_WORKER_TOKENS: two agents share a token; it opens nothing".to_owned());
                *owner = None;
            }
        }
    }
    agents
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn tiers(settings: &Settings) -> (HashMap<String, Tier>, Vec<String>) {
        let mut warnings = Vec::new();
        let tokens = read(settings, &mut warnings);
        (tokens.into_iter().map(|(token, tier)| (token.expose_secret().to_owned(), tier)).collect(), warnings)
    }

    fn worker(name: &str) -> Tier {
        Tier::Worker(name.parse().unwrap())
    }

    #[test]
    fn pairs_are_read_as_the_contract_says() {
        let settings = Settings {
            worker_tokens: Some(" a : one,b:t:w:o\na:three,,bad,:x,c: ".into()),
            ..Settings::default()
        };
        let (tiers, warnings) = tiers(&settings);
        let want = [("one", worker("a")), ("t:w:o", worker("b")), ("three", worker("a"))];
        assert_eq!(tiers, want.map(|(token, tier)| (token.to_owned(), tier)).into());
        assert_eq!(warnings.len(), 3, "{warnings:?}");
    }

    #[test]
    fn doubtful_tokens_get_the_lesser_right() {
        let settings = Settings {
            agent_token: Some("m".into()),
            maintainer_token: Some("w".into()),
            worker_tokens: Some("a:w,a:x,b:x,a:old,b:old".into()),
            worker_token: Some("old".into()),
            ..Settings::default()
        };
        let (tiers, warnings) = tiers(&settings);
        let want = [("m", Tier::Maintainer), ("w", worker("a")), ("old", Tier::UnboundWorker)];
        assert_eq!(tiers, want.map(|(token, tier)| (token.to_owned(), tier)).into());
        assert!(warnings.iter().all(|line| !line.contains('x') || line.contains("next")), "{warnings:?}");
    }
}
