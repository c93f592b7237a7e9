//! Webhooks of repositories, and what became of deliveries
//! (docs.github.com/rest/repos/webhooks, docs.github.com/rest/apps/webhooks).

use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::{
    GitHub,
    client::{Client, Fetched, Validator},
    error::Error,
    issues::PER_PAGE,
    link::NextLink,
    posts::read,
    wire,
    writes::{Home, settled},
};
use crate::domain::{
    hook::{HookId, RemoteHook},
    repo::RepoName,
    time::Timestamp,
};

/// Whose deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookSource {
    /// The webhook of the App that we are.
    App,
    Repo(RepoName, HookId),
}

/// What a webhook of ours is like.
#[derive(Clone, Copy, Debug)]
pub struct HookWish<'a> {
    pub url: &'a str,
    pub secret: &'a SecretString,
    pub events: &'a [&'a str],
}

/// One attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteDelivery {
    pub id: i64,
    /// Shared by all attempts.
    pub guid: String,
    pub at: Timestamp,
    pub event: String,
    pub action: Option<String>,
    /// GitHub's own number of the repository.
    pub repository: Option<i64>,
    /// Whether it was answered with success.
    pub came: bool,
}

/// Which deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Newest,
    /// Those that were not answered with success.
    Failed,
}

/// A page of deliveries, newest first.
#[derive(Debug)]
pub struct DeliveryPage {
    pub deliveries: Vec<RemoteDelivery>,
    pub etag: Option<Validator>,
    pub next: Option<NextLink>,
}

impl GitHub {
    /// Does it speak as an App?
    pub fn is_app(&self) -> bool {
        self.app_client().is_ok()
    }

    /// The webhooks of a repository; waits for its point.
    pub async fn hooks(&self, repo: &RepoName) -> Result<Vec<RemoteHook>, Error> {
        let client = self.client(repo)?;
        let mut url = hooks_of(client, repo);
        url.query_pairs_mut().append_pair("per_page", PER_PAGE);
        let fetched: Fetched<Vec<wire::Hook>> = client.get(url).await?;
        Ok(fetched.content.into_iter().map(RemoteHook::from).collect())
    }

    /// Makes a webhook. One request.
    pub async fn create_hook(&self, repo: &RepoName, wish: HookWish<'_>) -> Result<RemoteHook, Error> {
        let client = self.client(repo)?;
        let mut body = wish.body();
        body["name"] = "web".into();
        let answer =
            client.write(Method::POST, hooks_of(client, repo), Some(body), Home::named(repo)).await?;
        read::<wire::Hook>(client, &answer).map(RemoteHook::from)
    }

    /// Makes a webhook what it should be; its secret too. One request.
    pub async fn update_hook(
        &self,
        repo: &RepoName,
        id: HookId,
        wish: HookWish<'_>,
    ) -> Result<RemoteHook, Error> {
        let client = self.client(repo)?;
        let answer = client
            .write(Method::PATCH, hook_of(client, repo, id), Some(wish.body()), Home::named(repo))
            .await?;
        read::<wire::Hook>(client, &answer).map(RemoteHook::from)
    }

    /// Takes a webhook away; one that is not there is as good as removed. One request.
    pub async fn delete_hook(&self, repo: &RepoName, id: HookId) -> Result<(), Error> {
        let client = self.client(repo)?;
        let answer = client.write(Method::DELETE, hook_of(client, repo, id), None, Home::named(repo)).await?;
        match settled(client, &answer) {
            Err(Error::NotFound) => Ok(()),
            outcome => outcome,
        }
    }

    /// The newest page of a webhook's deliveries, unless `held` stands for it.
    pub async fn deliveries(
        &self,
        source: &HookSource,
        which: Which,
        held: Option<&Validator>,
    ) -> Result<Option<DeliveryPage>, Error> {
        let mut url = self.deliveries_of(source)?;
        url.query_pairs_mut().append_pair("per_page", PER_PAGE);
        if which == Which::Failed {
            url.query_pairs_mut().append_pair("status", "failure");
        }
        let fetched = self.read_deliveries::<Vec<wire::Delivery>>(source, url, held).await?;
        Ok(fetched.content.map(|page| DeliveryPage {
            deliveries: page.into_iter().map(RemoteDelivery::from).collect(),
            etag: fetched.etag,
            next: fetched.next,
        }))
    }

    /// The next page.
    pub async fn more_deliveries(&self, source: &HookSource, next: NextLink) -> Result<DeliveryPage, Error> {
        let fetched = self.read_deliveries::<Vec<wire::Delivery>>(source, next.0, None).await?;
        let page = fetched.content.ok_or(Error::Unexpected { status: 304 })?;
        let deliveries = page.into_iter().map(RemoteDelivery::from).collect();
        Ok(DeliveryPage { deliveries, etag: None, next: fetched.next })
    }

    /// What was delivered, or should have been: the payload's JSON. GitHub keeps it for three days.
    pub async fn delivered(&self, source: &HookSource, id: i64) -> Result<String, Error> {
        let url = below(self.deliveries_of(source)?, &[&id.to_string()]);
        let fetched = self.read_deliveries::<wire::Delivered>(source, url, None).await?;
        let delivered = fetched.content.ok_or(Error::Unexpected { status: 304 })?;
        Ok(delivered.request.payload.to_string())
    }

    /// Asks GitHub to deliver again. One request.
    pub async fn redeliver(&self, source: &HookSource, id: i64) -> Result<(), Error> {
        let url = below(self.deliveries_of(source)?, &[&id.to_string(), "attempts"]);
        match source {
            HookSource::App => self.app_client()?.as_app(Method::POST, url, None).await.map(drop),
            HookSource::Repo(repo, _) => {
                let client = self.client(repo)?;
                let answer = client.write(Method::POST, url, None, Home::named(repo)).await?;
                settled(client, &answer)
            }
        }
    }

    fn deliveries_of(&self, source: &HookSource) -> Result<Url, Error> {
        match source {
            HookSource::App => Ok(self.app_client()?.url(&["app", "hook", "deliveries"])),
            HookSource::Repo(repo, id) => Ok(below(hook_of(self.client(repo)?, repo, *id), &["deliveries"])),
        }
    }

    async fn read_deliveries<T: serde::de::DeserializeOwned>(
        &self,
        source: &HookSource,
        url: Url,
        held: Option<&Validator>,
    ) -> Result<Fetched<Option<T>>, Error> {
        match source {
            HookSource::App => self.app_client()?.get_as_app(url, held).await,
            HookSource::Repo(repo, _) => {
                let point = self.admit(repo).map_err(Error::Backoff)?;
                self.client(repo)?.get_if_changed(url, held, point).await
            }
        }
    }
}

impl HookWish<'_> {
    fn body(&self) -> Value {
        json!({
            "active": true,
            "events": self.events,
            "config": {
                "url": self.url,
                "content_type": "json",
                "insecure_ssl": "0",
                "secret": self.secret.expose_secret(),
            },
        })
    }
}

fn hooks_of(client: &Client, repo: &RepoName) -> Url {
    client.url(&["repos", repo.owner(), repo.name(), "hooks"])
}

fn hook_of(client: &Client, repo: &RepoName, id: HookId) -> Url {
    below(hooks_of(client, repo), &[&id.to_string()])
}

fn below(mut url: Url, segments: &[&str]) -> Url {
    if let Ok(mut path) = url.path_segments_mut() {
        path.extend(segments);
    }
    url
}

impl From<wire::Hook> for RemoteHook {
    fn from(hook: wire::Hook) -> Self {
        Self {
            id: hook.id,
            is_active: hook.active,
            is_json: hook.config.content_type.as_deref() == Some("json"),
            url: hook.config.url.unwrap_or_default(),
            events: hook.events,
            last_status: hook.last_response.and_then(|last| last.code),
        }
    }
}

impl From<wire::Delivery> for RemoteDelivery {
    fn from(delivery: wire::Delivery) -> Self {
        let status = u16::try_from(delivery.status_code).unwrap_or_default();
        Self {
            id: delivery.id,
            guid: delivery.guid,
            at: delivery.delivered_at,
            event: delivery.event,
            action: delivery.action,
            repository: delivery.repository_id,
            came: StatusCode::from_u16(status).is_ok_and(|status| status.is_success()),
        }
    }
}
