//! Tracked repositories: seeding, adding and removing.

use super::{Engine, Error, Result, claims, dependencies, pr_fix};
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        ids::{AuditId, RepoId},
        repo::{RepoName, RepoSource},
    },
    store::{
        self, audit, issues,
        repos::{self, RepoRow, Tracking},
    },
};

/// Tracks these repositories if none was ever tracked (`contract/operations.md` 1.1).
pub async fn seed(engine: &Engine, names: &[RepoName]) -> store::Result<usize> {
    let mut tx = engine.db.write().await?;
    if names.is_empty() || !repos::is_empty(&mut tx).await? {
        return Ok(0);
    }
    for name in names {
        let id = RepoId(engine.ids.next());
        repos::track(&mut tx, &id, name, RepoSource::Env, engine.clock.now()).await?;
    }
    tx.commit().await?;
    Ok(names.len())
}

/// Tracks a repository, known to GitHub or not: its next read says so.
pub async fn add(engine: &Engine, caller: &Caller, name: &RepoName) -> Result<RepoRow> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    dependencies::turn(&mut tx).await?;
    let id = match repos::find_tracked(&mut tx, name).await? {
        Some(_) => return Err(already_tracked()),
        None => RepoId(engine.ids.next()),
    };
    let (id, tracking) = repos::track(&mut tx, &id, name, RepoSource::User, now).await?;
    if tracking == Tracking::Already {
        return Err(already_tracked());
    }
    if tracking == Tracking::Resumed {
        issues::show(&mut tx, &id, true).await?;
        if let Some(resumed) = repos::find_row(&mut tx, &id).await? {
            dependencies::repo_changed(&mut tx, &resumed.full_name).await?;
        }
    }
    let mut entry = NewAudit::repo(caller.actor(), &caller.token, AuditAction::AddTrackedRepo, name.as_str());
    entry.after = vec!["user".to_owned()];
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, &entry).await?;
    let row = repos::find_row(&mut tx, &id).await?.ok_or(store::Error::RowNotFound)?;
    tx.commit().await?;
    Ok(row)
}

fn already_tracked() -> Error {
    Error::Conflict("Repository is already tracked".to_owned())
}

/// Stops tracking a repository: its issues leave every list, its cache stays for the day it comes back.
pub async fn remove(engine: &Engine, caller: &Caller, name: &RepoName) -> Result<()> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    dependencies::turn(&mut tx).await?;
    let not_tracked = || Error::NotFound("Repository not tracked".to_owned());
    let repo = repos::find_tracked(&mut tx, name).await?.ok_or_else(not_tracked)?;
    let source = repos::untrack(&mut tx, &repo.id, now).await?.ok_or_else(not_tracked)?;
    issues::show(&mut tx, &repo.id, false).await?;
    dependencies::repo_changed(&mut tx, &repo.name).await?;
    claims::repo_is_gone(engine, &mut tx, &repo.id, &repo.name).await?;
    pr_fix::close::repo_is_gone(engine, &mut tx, &repo).await?;
    let mut entry =
        NewAudit::repo(caller.actor(), &caller.token, AuditAction::RemoveTrackedRepo, repo.name.as_str());
    entry.before = vec![match source {
        RepoSource::Env => "env".to_owned(),
        RepoSource::User => "user".to_owned(),
    }];
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, &entry).await?;
    tx.commit().await?;
    engine.reads.forget(&repo.id);
    Ok(())
}
