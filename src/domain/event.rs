//! What changed, as a hint to read again: never the content itself. A hint with fewer fields covers more.

use serde::{Deserialize, Serialize};

use super::{
    access::Tier,
    ids::{AgentName, ClaimId, IssueId, IssueNumber, RepoId, RunId, TokenId},
    repo::RepoName,
};

/// What a hint is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Issue,
    Claim,
    Run,
    /// What Dispatch has yet to tell GitHub.
    Outbox,
    /// A repository, or how far its cache is.
    Repository,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Issue, Self::Claim, Self::Run, Self::Outbox, Self::Repository];

    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Claim => "claim",
            Self::Run => "run",
            Self::Outbox => "outbox",
            Self::Repository => "repository",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What a committed transaction wrote. Other processes are told in the same words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Much of this kind, or nobody said what.
    Any(Kind),
    Issue(IssueId),
    /// Many issues of a repository.
    IssuesOf(RepoId),
    Claim(ClaimId),
    /// Claims of the agent of this key.
    ClaimsOf(String),
    Run(RunId),
    /// What waits to be told of an issue.
    Outbox(IssueId),
    Repo(RepoId),
    /// This token opens nothing any more.
    Revoked(TokenId),
    /// More than can be said.
    All,
}

/// A hint to read something again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EventHint)]
pub struct Hint {
    pub kind: Kind,
    /// Of the issue, claim, run or repository; for the outbox, of the issue. Null: several.
    #[schema(required, examples("019b76da-a800-7c3f-8000-3b1c5ad0e001"))]
    pub id: Option<String>,
    /// Null: it is in none, or in several.
    #[schema(required)]
    pub repo: Option<RepoName>,
    /// Of the issue.
    #[schema(required)]
    pub number: Option<IssueNumber>,
    /// The issue of a claim, of a run, or of what waits in the outbox; the issue itself.
    #[schema(required)]
    pub issue_id: Option<IssueId>,
    /// Whose claim or run it is.
    #[schema(required)]
    pub agent: Option<AgentName>,
    /// Which repository `repo` is, whatever it is called; stays here.
    #[serde(skip)]
    #[schema(ignore)]
    pub repo_id: Option<RepoId>,
}

impl Hint {
    /// Everything of a kind.
    pub const fn any(kind: Kind) -> Self {
        Self { kind, id: None, repo: None, number: None, issue_id: None, agent: None, repo_id: None }
    }
}

/// A repository as a listener names it.
#[derive(Clone, Debug)]
pub struct WantedRepo {
    pub name: RepoName,
    /// Which it is, or once was of this name; none that is known yet.
    pub id: Option<RepoId>,
}

impl WantedRepo {
    fn admits(&self, hint: &Hint) -> bool {
        match (&self.id, &hint.repo_id, &hint.repo) {
            (Some(wanted), Some(id), _) => wanted == id,
            (_, _, Some(name)) => self.name == *name,
            _ => true,
        }
    }
}

/// What a listener may hear, and wants to.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub kinds: Vec<Kind>,
    pub repo: Option<WantedRepo>,
    pub agent: Option<AgentName>,
    /// A worker hears of its own runs only.
    pub runs_of: Option<AgentName>,
}

impl Wanted {
    /// Everything that a caller may read by the other routes.
    pub fn of(tier: &Tier) -> Self {
        let (kinds, runs_of) = match tier {
            Tier::Maintainer => (Kind::ALL.to_vec(), None),
            Tier::Worker(agent) => (vec![Kind::Issue, Kind::Claim, Kind::Run], Some(agent.clone())),
            Tier::UnboundWorker => (vec![Kind::Issue, Kind::Claim], None),
        };
        Self { kinds, repo: None, agent: None, runs_of }
    }

    /// A hint that leaves a field open covers every value of it.
    pub fn admits(&self, hint: &Hint) -> bool {
        let fits_repo = self.repo.as_ref().is_none_or(|repo| repo.admits(hint));
        let fits = |wanted: &Option<AgentName>| match (wanted, &hint.agent) {
            (Some(wanted), Some(agent)) => wanted == agent,
            _ => true,
        };
        let is_own = hint.kind != Kind::Run || fits(&self.runs_of);
        self.kinds.contains(&hint.kind) && fits_repo && fits(&self.agent) && is_own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(kind: Kind, repo: Option<&str>, agent: Option<&str>) -> Hint {
        let repo = repo.map(|repo| repo.parse().unwrap());
        let agent = agent.map(|agent| agent.parse().unwrap());
        Hint { repo, agent, ..Hint::any(kind) }
    }

    #[test]
    fn what_a_listener_hears() {
        let all = Wanted::of(&Tier::Maintainer);
        let repo = |id: Option<&str>| WantedRepo {
            name: "acme/api".parse().unwrap(),
            id: id.map(|id| RepoId(id.to_owned())),
        };
        let of_api = Wanted { repo: Some(repo(None)), ..all.clone() };
        let of_first = Wanted { repo: Some(repo(Some("first"))), ..all.clone() };
        let renamed =
            Hint { repo_id: Some(RepoId("first".to_owned())), ..hint(Kind::Issue, Some("acme/new"), None) };
        let stranger =
            Hint { repo_id: Some(RepoId("second".to_owned())), ..hint(Kind::Issue, Some("acme/api"), None) };
        let of_coder = Wanted { agent: Some("coder".parse().unwrap()), ..all.clone() };
        let worker = Wanted::of(&Tier::Worker("coder".parse().unwrap()));
        let unbound = Wanted::of(&Tier::UnboundWorker);
        let outbox = hint(Kind::Outbox, Some("Acme/API"), None);
        let other = hint(Kind::Run, None, Some("other"));
        let claim = hint(Kind::Claim, Some("acme/web"), Some("other"));
        for (wanted, hint, hears) in [
            (&all, &outbox, true),
            (&of_api, &outbox, true),
            (&of_api, &claim, false),
            (&of_api, &other, true),
            (&of_first, &renamed, true),
            (&of_first, &stranger, false),
            (&of_first, &other, true),
            (&of_api, &renamed, false),
            (&of_coder, &outbox, true),
            (&of_coder, &claim, false),
            (&of_coder, &Hint::any(Kind::Claim), true),
            (&worker, &outbox, false),
            (&worker, &claim, true),
            (&worker, &other, false),
            (&worker, &hint(Kind::Run, None, Some("CODER")), true),
            (&worker, &Hint::any(Kind::Run), true),
            (&worker, &Hint::any(Kind::Repository), false),
            (&unbound, &claim, true),
            (&unbound, &Hint::any(Kind::Run), false),
        ] {
            assert_eq!(wanted.admits(hint), hears, "{wanted:?} {hint:?}");
        }
    }

    #[test]
    fn kinds_are_named_on_the_wire_as_in_filters() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(Kind::named(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::named("Issue"), None);
    }
}
