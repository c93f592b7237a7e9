//! Which credentials a repository is asked about with: one set, or an installation by the repository's owner.

use std::collections::HashMap;

use super::{
    GitHub,
    auth::{self, Account},
    client::{self, Client},
    error::Error,
    limits::{Backoff, Point, Quota},
    settings::{Settings, StartError},
};
use crate::{
    clock::{Clock, Ids},
    domain::{notice::Code, repo::RepoName, time::Timestamp},
    metrics,
};

/// One client for each set of credentials, which shares nothing with the others that GitHub limits.
pub(super) struct Accounts {
    clients: Vec<Client>,
    /// Indices by owner, in lower case.
    by_owner: HashMap<String, usize>,
    /// For all other owners.
    default: Option<usize>,
    traffic: metrics::GitHub,
}

/// What GitHub grants one set of credentials at this moment.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// Where there are several: whose.
    pub account: Option<String>,
    /// As an answer last told it.
    pub quota: Option<Quota>,
    /// None where there is no limit.
    pub points_left: Option<u32>,
    pub paused_until: Option<Timestamp>,
}

impl Accounts {
    pub fn new(settings: &Settings, clock: &Clock, ids: &Ids) -> Result<Self, StartError> {
        settings.check()?;
        let http = client::connect(settings)?;
        let accounts = auth::accounts(&settings.credentials)?;
        let several = accounts.len() > 1;
        let traffic = metrics::GitHub::default();
        let mut made =
            Self { clients: Vec::new(), by_owner: HashMap::new(), default: None, traffic: traffic.clone() };
        for Account { owners, is_default, auth } in accounts {
            let index = made.clients.len();
            let name = several.then(|| name_of(&owners));
            made.by_owner.extend(owners.into_iter().map(|owner| (owner.to_ascii_lowercase(), index)));
            made.default = made.default.or(is_default.then_some(index));
            let mut client = Client::new(settings, http.clone(), auth, name, clock.clone(), ids.clone());
            client.traffic = traffic.clone();
            made.clients.push(client);
        }
        Ok(made)
    }

    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter()
    }

    fn find(&self, repo: &RepoName) -> Option<&Client> {
        let named = self.by_owner.get(&repo.owner().to_ascii_lowercase()).copied();
        self.clients.get(named.or(self.default)?)
    }
}

fn name_of(owners: &[String]) -> String {
    owners.first().map_or_else(|| "the default installation".to_owned(), String::clone)
}

impl GitHub {
    /// Does it read without credentials: public repositories only, 60 requests an hour?
    pub fn is_anonymous(&self) -> bool {
        self.0.clients.iter().any(|client| client.auth.is_anonymous())
    }

    /// Draws the point for an ordinary read of that repository, or says why none may begin now; never waits.
    /// Where there is no installation the point is free, and the read says what is missing.
    pub fn admit(&self, repo: &RepoName) -> Result<Point, Backoff> {
        self.0.find(repo).map_or_else(|| Ok(Point::free()), |client| client.limits.admit())
    }

    /// As [`GitHub::admit`], for a read that a claim waits for: what ordinary reads leave alone is for it.
    pub fn admit_first(&self, repo: &RepoName) -> Result<Point, Backoff> {
        self.0.find(repo).map_or_else(|| Ok(Point::free()), |client| client.limits.admit_first())
    }

    /// The back-off that holds up all of these repositories, until the first of them may be read again. A lack
    /// of points is none.
    pub fn backoff<'r>(&self, repos: impl IntoIterator<Item = &'r RepoName>) -> Option<Backoff> {
        let clients = repos.into_iter().filter_map(|repo| self.0.find(repo));
        let all: Option<Vec<Backoff>> = clients.map(|client| client.limits.backoff()).collect();
        all?.into_iter().min_by_key(|backoff| backoff.until)
    }

    /// Why an ordinary read of that repository would have to wait now; draws nothing.
    pub fn pause(&self, repo: &RepoName) -> Option<Code> {
        let limits = &self.0.find(repo)?.limits;
        let used_up = || (limits.points_left() == Some(0)).then_some(Code::PointsUsedUp { left_out: 1 });
        limits.backoff().map(|backoff| backoff.code()).or_else(used_up)
    }

    /// The hourly quota for that repository, as an answer last told it.
    pub fn quota(&self, repo: &RepoName) -> Option<Quota> {
        self.0.find(repo)?.limits.quota()
    }

    /// Are there credentials for that repository?
    pub fn knows(&self, repo: &RepoName) -> bool {
        self.0.find(repo).is_some()
    }

    /// What to call the installation that reads that repository, where there are several.
    pub fn account(&self, repo: &RepoName) -> Option<&str> {
        self.0.find(repo)?.name.as_deref()
    }

    /// What is counted and timed of all requests.
    pub fn traffic(&self) -> &metrics::GitHub {
        &self.0.traffic
    }

    /// What is left of every limit.
    pub fn allowances(&self) -> Vec<Allowance> {
        let allowance = |client: &Client| Allowance {
            account: client.name.clone(),
            quota: client.limits.quota(),
            points_left: client.limits.points_left(),
            paused_until: client.limits.backoff().map(|backoff| backoff.until),
        };
        self.0.clients.iter().map(allowance).collect()
    }

    /// Who asks about that repository.
    pub(super) fn client(&self, repo: &RepoName) -> Result<&Client, Error> {
        self.0.find(repo).ok_or(Error::NoInstallation)
    }
}
