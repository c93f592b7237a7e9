//! Webhooks as a test sets them up and watches them.

use super::{Repo, Sim, SimApp};
use crate::webhooks::{ContentType, Hook, Listener, WebhookCounters, WebhookDelivery, WebhookFaults};

impl Repo {
    /// Makes a webhook for all events, in JSON, and pings it; returns its id.
    pub fn add_webhook(&self, url: &str, secret: &str) -> u64 {
        self.act(|world, stamp| {
            let id = world.fresh_id();
            let hook = hook(id, Listener::Repo(self.id()), (url, secret), stamp.now);
            world.webhooks.hooks.insert(id, hook);
            world.ping(id, stamp.actor);
            id
        })
    }

    /// Gives a webhook another address. Panics if there is none of that id.
    pub fn move_webhook(&self, id: u64, url: &str) {
        self.act(|world, _| {
            let hook = world.webhooks.hooks.get_mut(&id)?;
            url.clone_into(&mut hook.url);
            Some(())
        })
        .expect("the webhook exists");
    }

    /// Takes a webhook away. Panics if there is none of that id.
    pub fn remove_webhook(&self, id: u64) {
        self.act(|world, _| world.webhooks.hooks.remove(&id)).expect("the webhook exists");
    }

    /// The ids of the repository's webhooks.
    pub fn webhooks(&self) -> Vec<u64> {
        self.act(|world, _| {
            let own = world.webhooks.hooks.values().filter(|hook| hook.listener == Listener::Repo(self.id()));
            own.map(|hook| hook.id).collect()
        })
    }
}

impl SimApp {
    /// Gives the App its webhook, for all events of the accounts on which it is installed.
    pub fn set_webhook(&self, url: &str, secret: &str) {
        let core = &self.sim().core;
        let now = core.now_s();
        let mut world = core.world.lock();
        let listener = Listener::App(self.id());
        world.webhooks.hooks.retain(|_, hook| hook.listener != listener);
        let id = world.fresh_id();
        world.webhooks.hooks.insert(id, hook(id, listener, (url, secret), now));
        world.ping(id, "octocat");
    }
}

impl Sim {
    /// Changes what goes wrong with deliveries from now on.
    pub fn webhook_faults(&self, faults: WebhookFaults) {
        self.core.world.lock().webhooks.set_faults(faults);
    }

    /// Loses the next so many deliveries.
    pub fn lose_webhooks(&self, count: u32) {
        self.core.world.lock().webhooks.lose_next = count;
    }

    /// Waits until every delivery was attempted, what is held back included.
    pub async fn webhooks_idle(&self) {
        let idle = self.core.world.lock().webhooks.idle.clone();
        loop {
            let mut rung = std::pin::pin!(idle.notified());
            rung.as_mut().enable();
            if self.core.world.lock().webhooks.is_idle() {
                return;
            }
            rung.await;
        }
    }

    /// What became of all deliveries.
    pub fn webhook_counters(&self) -> WebhookCounters {
        self.core.world.lock().webhooks.count()
    }

    /// Every attempt to deliver, oldest first.
    pub fn webhook_deliveries(&self) -> Vec<WebhookDelivery> {
        let world = self.core.world.lock();
        world.webhooks.all().map(crate::webhooks::Delivery::view).collect()
    }

    /// Asks for a delivery again, as a person does on GitHub's page. Panics if there is none of that id.
    pub fn redeliver_webhook(&self, id: u64) {
        let now = self.now_ms();
        let mut world = self.core.world.lock();
        let hook = world.webhooks.all().find(|it| it.parcel.id == id).map(|it| it.parcel.hook);
        world.webhooks.redeliver(hook.unwrap_or_default(), id, now).expect("the delivery exists");
    }
}

fn hook(id: u64, listener: Listener, (url, secret): (&str, &str), now: i64) -> Hook {
    Hook {
        id,
        listener,
        is_active: true,
        events: vec!["*".to_owned()],
        url: url.to_owned(),
        secret: Some(secret.to_owned()),
        content_type: ContentType::Json,
        insecure_ssl: false,
        created_at: now,
        updated_at: now,
        last: None,
    }
}
