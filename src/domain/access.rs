//! Who calls, and for whom they may act (`contract/agents.md` section 1).

use super::ids::{AgentName, TokenId};

/// What a credential is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Every route, any agent.
    Maintainer,
    /// The worker routes, for one agent only.
    Worker(AgentName),
    /// The worker routes that name no agent in their scope (the legacy shared token).
    UnboundWorker,
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller {
    pub tier: Tier,
    pub token: TokenId,
    /// The trimmed `x-agent-name` header; means nothing for a bound worker.
    pub named: Option<String>,
}

/// Why a caller may not act.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Denied {
    #[error(
        "Forbidden: this endpoint requires a maintainer token (DISPATCH_AGENT_TOKEN); worker tokens are restricted to the worker endpoints"
    )]
    Tier,
    #[error("Worker token is bound to agent \"{bound}\" and may not act for \"{wanted}\"")]
    OtherAgent { bound: AgentName, wanted: AgentName },
    #[error(
        "This worker token is not bound to an agent; give each agent its own token in DISPATCH_WORKER_TOKENS"
    )]
    Unbound,
}

/// How strictly a route ties a worker to the agent it acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A bound worker acts only for its agent; an unbound one may pass (`design.md` section 10).
    BoundOnly,
    /// As above, and an unbound worker is refused (`contract/agents.md` 1.5).
    Strict,
}

impl Caller {
    /// The name that the audit log shows.
    pub fn actor(&self) -> &str {
        match &self.tier {
            Tier::Worker(agent) => agent.as_str(),
            Tier::Maintainer | Tier::UnboundWorker => self.named.as_deref().unwrap_or("agent"),
        }
    }

    /// May it call routes that need a maintainer?
    pub fn may_maintain(&self) -> Result<(), Denied> {
        match self.tier {
            Tier::Maintainer => Ok(()),
            Tier::Worker(_) | Tier::UnboundWorker => Err(Denied::Tier),
        }
    }

    /// May it act for `wanted` on a route of this scope?
    pub fn may_act_for(&self, wanted: &AgentName, scope: Scope) -> Result<(), Denied> {
        match &self.tier {
            Tier::Worker(bound) if bound != wanted => {
                Err(Denied::OtherAgent { bound: bound.clone(), wanted: wanted.clone() })
            }
            Tier::UnboundWorker if scope == Scope::Strict => Err(Denied::Unbound),
            Tier::Maintainer | Tier::Worker(_) | Tier::UnboundWorker => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(tier: Tier) -> Caller {
        Caller { tier, token: TokenId("0".into()), named: Some("header".into()) }
    }

    #[test]
    fn who_may_act_for_whom() {
        let (a, b): (AgentName, AgentName) = ("a".parse().unwrap(), "b".parse().unwrap());
        let other = Denied::OtherAgent { bound: a.clone(), wanted: b.clone() };
        let cases = [
            (Tier::Maintainer, Scope::Strict, &b, Ok(())),
            (Tier::Worker(a.clone()), Scope::Strict, &a, Ok(())),
            (Tier::Worker("A".parse().unwrap()), Scope::Strict, &a, Ok(())),
            (Tier::Worker(a.clone()), Scope::BoundOnly, &b, Err(other)),
            (Tier::UnboundWorker, Scope::BoundOnly, &b, Ok(())),
            (Tier::UnboundWorker, Scope::Strict, &b, Err(Denied::Unbound)),
        ];
        for (tier, scope, wanted, want) in cases {
            assert_eq!(caller(tier.clone()).may_act_for(wanted, scope), want, "{tier:?} {scope:?}");
        }
    }

    #[test]
    fn a_bound_worker_cannot_choose_its_name() {
        assert_eq!(caller(Tier::Worker("w".parse().unwrap())).actor(), "w");
        assert_eq!(caller(Tier::Maintainer).actor(), "header");
    }
}
