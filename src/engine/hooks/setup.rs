//! The webhook of a repository: added, looked at, removed (`dispatch webhook`).

use std::time::Duration;

use url::Url;

use super::{EVENTS, RECEIVER, alive::list_alive, refusal};
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        ids::AuditId,
        repo::{RepoName, TrackedRepo},
        time::Timestamp,
    },
    engine::{Engine, Error, Result, refresh::tracked, webhooks::Door},
    github::{self, HookWish, RemoteHook},
    store::{
        audit, deliveries,
        hooks::{self, HookRow, MissedCount},
    },
};

/// What `status` counts missed deliveries over.
const LATELY: Duration = Duration::from_hours(24);

/// Whether the webhook was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Created,
    /// It was there; address, events and secret are what they should be now.
    Updated,
}

/// A webhook that is there now.
#[derive(Clone, Debug)]
pub struct Added {
    pub repo: RepoName,
    pub how: How,
    pub hook: RemoteHook,
}

/// How a repository is listened to.
#[derive(Clone, Debug)]
pub struct Status {
    pub repo: RepoName,
    /// Whether this server accepts deliveries at all.
    pub is_received: bool,
    /// The webhook that is known to lead here; of an App it is its own.
    pub hook: Option<RemoteHook>,
    /// It is the App that is told.
    pub by_app: bool,
    pub heard_at: Option<Timestamp>,
    pub is_alive: bool,
    pub missed: MissedCount,
    pub looked_at: Option<Timestamp>,
    /// Why GitHub shows nothing of it, in words.
    pub problem: Option<String>,
}

/// Adds the webhook of a repository, or makes the one that is there what it should be.
pub async fn add(engine: &Engine, caller: &Caller, name: &RepoName, url: &str) -> Result<Added> {
    let url = receiver(url)?;
    let Door::Signed(secrets) = &engine.settings.webhooks else {
        let message = "The server receives no signed webhooks; set WEBHOOK_SECRET and start it again";
        return Err(Error::Conflict(message.to_owned()));
    };
    let (repo, known) = find(engine, name).await?;
    let listed = engine.github.hooks(&repo.name).await.map_err(in_words)?;
    let same = |hook: &&RemoteHook| hook.url == url;
    let own = |hook: &&RemoteHook| known.as_ref().is_some_and(|row| row.hook_id == Some(hook.id));
    let there = listed.iter().find(same).or_else(|| listed.iter().find(own));
    let wish = HookWish { url: &url, secret: secrets.newest(), events: &EVENTS };
    let (how, hook) = match there {
        Some(hook) => (How::Updated, engine.github.update_hook(&repo.name, hook.id, wish).await),
        None => (How::Created, engine.github.create_hook(&repo.name, wish).await),
    };
    let hook = hook.map_err(in_words)?;
    let same_as_known = known.filter(|row| row.hook_id == Some(hook.id)).unwrap_or_default();
    let row = HookRow {
        source: repo.id.0.clone(),
        hook_id: Some(hook.id),
        url: Some(url.clone()),
        refused: None,
        ..same_as_known
    };
    let mut tx = engine.db.write().await?;
    hooks::upsert(&mut tx, &row).await?;
    let mut entry = entry(caller, AuditAction::WebhookAdded, &repo);
    entry.after = vec![url];
    audit::insert(&mut tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await?;
    tx.commit().await?;
    Ok(Added { repo: repo.name, how, hook })
}

/// Takes the webhook of a repository away that is known to lead here.
pub async fn remove(engine: &Engine, caller: &Caller, name: &RepoName) -> Result<RepoName> {
    let (repo, known) = find(engine, name).await?;
    let unknown = || {
        let message = format!("No webhook of {} is known to lead here", repo.name);
        Error::NotFound(format!("{message}; one that was made on GitHub is removed there"))
    };
    let row = known.ok_or_else(unknown)?;
    let hook = row.hook_id.ok_or_else(unknown)?;
    engine.github.delete_hook(&repo.name, hook).await.map_err(in_words)?;
    let mut tx = engine.db.write().await?;
    hooks::remove(&mut tx, &repo.id.0).await?;
    let mut entry = entry(caller, AuditAction::WebhookRemoved, &repo);
    entry.before = row.url.into_iter().collect();
    audit::insert(&mut tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await?;
    tx.commit().await?;
    Ok(repo.name)
}

/// How a repository is listened to; one request to GitHub where a webhook of it is known.
pub async fn status(engine: &Engine, name: &RepoName) -> Result<Status> {
    let (repo, own) = find(engine, name).await?;
    let by_app = engine.github.is_app() && own.as_ref().is_none_or(|row| row.hook_id.is_none());
    let now = engine.clock.now();
    let mut tx = engine.db.read().await?;
    let row = if by_app { hooks::find(&mut tx, hooks::APP).await? } else { own };
    let heard_at = deliveries::last_heard(&mut tx).await?.remove(&repo.id);
    let missed = hooks::count_missed(&mut tx, now.minus(LATELY)).await?.remove(&Some(repo.id.clone()));
    let is_alive = list_alive(&mut tx, now).await?.contains(&repo.id);
    drop(tx);
    let mut problem = row.as_ref().and_then(|row| row.refused.clone());
    let mut hook = None;
    if let Some(id) = row.as_ref().and_then(|row| row.hook_id) {
        match engine.github.hooks(&repo.name).await {
            Ok(listed) => {
                hook = listed.into_iter().find(|hook| hook.id == id);
                if hook.is_none() {
                    problem = Some(
                        "the webhook is gone on GitHub; `dispatch webhook add` makes it anew".to_owned(),
                    );
                }
            }
            Err(error) => problem = Some(words(&error)),
        }
    }
    Ok(Status {
        repo: repo.name,
        is_received: !matches!(engine.settings.webhooks, Door::Closed),
        hook,
        by_app,
        heard_at,
        is_alive,
        missed: missed.unwrap_or_default(),
        looked_at: row.and_then(|row| row.looked_at),
        problem,
    })
}

async fn find(engine: &Engine, name: &RepoName) -> Result<(TrackedRepo, Option<HookRow>)> {
    let mut tx = engine.db.read().await?;
    let repo = tracked(&mut tx, name).await?;
    let row = hooks::find(&mut tx, &repo.id.0).await?;
    Ok((repo, row))
}

fn entry(caller: &Caller, action: AuditAction, repo: &TrackedRepo) -> NewAudit {
    NewAudit::repo(caller.actor(), &caller.token, action, repo.name.as_str())
}

/// The address of our receiver at a server that is given by its own.
fn receiver(url: &str) -> Result<String> {
    let invalid = |rule: &str| {
        let rule = format!("url: {rule}, for example https://dispatch.example.com");
        Err(Error::Invalid { field: "url", rule })
    };
    let Ok(mut url) = url.parse::<Url>() else { return invalid("not an address") };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return invalid("it begins with https:// (or http://) and a host");
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return invalid("it has no credentials and no fragment");
    }
    if url.path() == "/" {
        url.set_path(RECEIVER);
    }
    Ok(url.to_string())
}

fn words(error: &github::Error) -> String {
    match refusal(error, false) {
        Some(words) => words.to_owned(),
        None if *error == (github::Error::Unexpected { status: 422 }) => {
            "GitHub refuses the webhook (422); its address must be one that GitHub can reach, and a repository takes 20 webhooks".to_owned()
        }
        None => format!("{}; {}", error.code().what(), error.code().remedy()),
    }
}

fn in_words(error: github::Error) -> Error {
    Error::GitHub(words(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_leads_to_the_receiver() {
        let cases = [
            ("https://dispatch.example.com", Some("https://dispatch.example.com/api/github/webhook")),
            ("https://dispatch.example.com/", Some("https://dispatch.example.com/api/github/webhook")),
            ("http://127.0.0.1:3000/api/issues/webhook", Some("http://127.0.0.1:3000/api/issues/webhook")),
            ("https://example.com/gateway?to=dispatch", Some("https://example.com/gateway?to=dispatch")),
            ("dispatch.example.com", None),
            ("ftp://example.com", None),
            ("https://me:secret@example.com", None),
            ("", None),
        ];
        for (given, want) in cases {
            assert_eq!(receiver(given).ok().as_deref(), want, "{given}");
        }
    }
}
