//! From what changed to hints: names and numbers for ids, in a few statements however much changed.

use std::collections::{BTreeSet, HashMap};

use crate::{
    domain::{
        event::{Change, Hint, Kind},
        ids::{AgentName, IssueId, IssueNumber, RepoId},
        repo::RepoName,
    },
    store::{ReadTx, Result},
};

/// Of more issues of one repository, and of more of any other kind, one hint speaks for all.
pub const MOST_SINGLE: usize = 32;

/// Where an issue is.
#[derive(Clone, sqlx::FromRow)]
struct Place {
    id: IssueId,
    number: IssueNumber,
    repository_id: RepoId,
    full_name: RepoName,
}

/// A claim or a run: whose it is, and on what.
#[derive(sqlx::FromRow)]
struct Doing {
    id: String,
    agent_name: AgentName,
    issue_id: Option<IssueId>,
    number: Option<IssueNumber>,
    repository_id: Option<RepoId>,
    full_name: Option<RepoName>,
}

/// Says of each change what a listener needs to read it again.
pub async fn list(tx: &mut ReadTx, changes: &BTreeSet<Change>) -> Result<Vec<Hint>> {
    let mut asked = Asked::default();
    for change in changes {
        asked.add(change);
    }
    let mut hints: Vec<Hint> = asked.any.iter().copied().map(Hint::any).collect();
    let places = places(tx, asked.issues.iter().chain(&asked.outbox).copied().collect()).await?;
    hints.extend(of_issues(&asked.issues, &places));
    hints.extend(of_outbox(&asked.outbox, &places));
    hints.extend(doings(tx, Kind::Claim, &asked.claims).await?);
    hints.extend(doings(tx, Kind::Run, &asked.runs).await?);
    if asked.agents.len() > MOST_SINGLE {
        hints.push(Hint::any(Kind::Claim));
    } else {
        let of_agent = |key: &&str| Some(Hint { agent: Some(key.parse().ok()?), ..Hint::any(Kind::Claim) });
        hints.extend(asked.agents.iter().filter_map(of_agent));
    }
    hints.extend(of_repos(tx, &asked).await?);
    Ok(hints)
}

#[derive(Default)]
struct Asked<'c> {
    any: Vec<Kind>,
    issues: Vec<&'c IssueId>,
    issues_of: Vec<&'c RepoId>,
    outbox: Vec<&'c IssueId>,
    claims: Vec<&'c str>,
    agents: Vec<&'c str>,
    runs: Vec<&'c str>,
    repos: Vec<&'c RepoId>,
}

impl<'c> Asked<'c> {
    fn add(&mut self, change: &'c Change) {
        match change {
            Change::Any(kind) => self.any.push(*kind),
            Change::Issue(id) => self.issues.push(id),
            Change::IssuesOf(repo) => self.issues_of.push(repo),
            Change::Claim(id) => self.claims.push(&id.0),
            Change::ClaimsOf(key) => self.agents.push(key),
            Change::Run(id) => self.runs.push(&id.0),
            Change::Outbox(id) => self.outbox.push(id),
            Change::Repo(id) => self.repos.push(id),
            // No rows have to be looked up for these.
            Change::Revoked(_) | Change::All => {}
        }
    }
}

async fn places(tx: &mut ReadTx, issues: BTreeSet<&IssueId>) -> Result<HashMap<IssueId, Place>> {
    if issues.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = tx.build(
        "SELECT i.id, i.number, i.repository_id, r.full_name FROM issues i JOIN repositories r ON r.id = i.repository_id
         WHERE i.id IN ",
    );
    sql.push_list(issues);
    let rows: Vec<Place> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

fn of_issue(kind: Kind, id: &IssueId, place: Option<&Place>) -> Hint {
    Hint {
        id: Some(id.0.clone()),
        repo: place.map(|place| place.full_name.clone()),
        repo_id: place.map(|place| place.repository_id.clone()),
        number: place.map(|place| place.number),
        issue_id: Some(id.clone()),
        ..Hint::any(kind)
    }
}

fn of_issues(issues: &[&IssueId], places: &HashMap<IssueId, Place>) -> Vec<Hint> {
    let mut of_repo: HashMap<Option<String>, Vec<Hint>> = HashMap::new();
    for id in issues {
        let place = places.get(*id);
        let hint = of_issue(Kind::Issue, id, place);
        of_repo.entry(place.map(|place| place.full_name.key())).or_default().push(hint);
    }
    let said = of_repo.into_values().flat_map(|hints| {
        if hints.len() <= MOST_SINGLE {
            return hints;
        }
        let first = hints.into_iter().next();
        first
            .map(|Hint { repo, repo_id, .. }| Hint { repo, repo_id, ..Hint::any(Kind::Issue) })
            .into_iter()
            .collect()
    });
    let mut said: Vec<Hint> = said.collect();
    if said.len() > 4 * MOST_SINGLE {
        return vec![Hint::any(Kind::Issue)];
    }
    said.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    said
}

fn of_outbox(issues: &[&IssueId], places: &HashMap<IssueId, Place>) -> Vec<Hint> {
    if issues.len() > MOST_SINGLE {
        return vec![Hint::any(Kind::Outbox)];
    }
    issues.iter().map(|id| of_issue(Kind::Outbox, id, places.get(*id))).collect()
}

async fn doings(tx: &mut ReadTx, kind: Kind, ids: &[&str]) -> Result<Vec<Hint>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    if ids.len() > MOST_SINGLE {
        return Ok(vec![Hint::any(kind)]);
    }
    let mut sql =
        tx.build("SELECT d.id, d.agent_name, d.issue_id, i.number, i.repository_id, r.full_name FROM ");
    sql.push(if kind == Kind::Claim { "claims d" } else { "runs d" });
    sql.push(" LEFT JOIN issues i ON i.id = d.issue_id LEFT JOIN repositories r ON r.id = i.repository_id");
    sql.push(" WHERE d.id IN ").push_list(ids.iter().copied()).push(" ORDER BY d.id");
    let rows: Vec<Doing> = sql.done().fetch_all().await?;
    if rows.len() < ids.len() {
        // Some are gone already, and whose they were nobody can tell.
        return Ok(vec![Hint::any(kind)]);
    }
    let hint = |row: Doing| Hint {
        kind,
        id: Some(row.id),
        repo: row.full_name,
        repo_id: row.repository_id,
        number: row.number,
        issue_id: row.issue_id,
        agent: Some(row.agent_name),
    };
    Ok(rows.into_iter().map(hint).collect())
}

#[derive(sqlx::FromRow)]
struct Named {
    id: RepoId,
    full_name: RepoName,
}

async fn of_repos(tx: &mut ReadTx, asked: &Asked<'_>) -> Result<Vec<Hint>> {
    let ids: BTreeSet<&RepoId> = asked.repos.iter().chain(&asked.issues_of).copied().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build("SELECT id, full_name FROM repositories WHERE id IN ");
    sql.push_list(ids).push(" ORDER BY name_key");
    let rows: Vec<Named> = sql.done().fetch_all().await?;
    let names: HashMap<RepoId, RepoName> = rows.into_iter().map(|row| (row.id, row.full_name)).collect();
    let issues = asked.issues_of.iter().filter_map(|id| Some((*id, names.get(*id)?)));
    let issues = issues.map(|(id, name)| Hint {
        repo: Some(name.clone()),
        repo_id: Some(id.clone()),
        ..Hint::any(Kind::Issue)
    });
    let mut hints: Vec<Hint> = issues.collect();
    if asked.repos.len() > MOST_SINGLE {
        hints.push(Hint::any(Kind::Repository));
        return Ok(hints);
    }
    hints.extend(asked.repos.iter().map(|id| Hint {
        id: Some(id.0.clone()),
        repo: names.get(*id).cloned(),
        repo_id: Some((*id).clone()),
        ..Hint::any(Kind::Repository)
    }));
    Ok(hints)
}
