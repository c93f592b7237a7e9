//! Webhooks and their deliveries (docs.github.com/rest/repos/webhooks).

use serde_json::{Map, Value, json};

use super::Urls;
use crate::clock::iso;
use crate::state::World;
use crate::webhooks::{Delivery, Hook, Listener};

/// A webhook; its secret is never shown.
pub(crate) fn hook(urls: &Urls, world: &World, hook: &Hook) -> Value {
    let mut config = json!({
        "content_type": hook.content_type,
        "insecure_ssl": if hook.insecure_ssl { "1" } else { "0" },
        "url": hook.url,
    });
    if hook.secret.is_some() {
        config["secret"] = json!("********");
    }
    let mut body = json!({
        "id": hook.id,
        "name": "web",
        "active": hook.is_active,
        "events": hook.events,
        "config": config,
        "created_at": iso(hook.created_at),
        "updated_at": iso(hook.updated_at),
    });
    match hook.listener {
        Listener::App(app) => {
            body["type"] = json!("App");
            body["app_id"] = json!(app);
            body["deliveries_url"] = json!(format!("{}/app/hook/deliveries", urls.api));
        }
        Listener::Repo(id) => {
            let name = world.repo(id).map(crate::state::Repository::full_name).unwrap_or_default();
            let url = format!("{}/hooks/{}", urls.repo(&name), hook.id);
            body["type"] = json!("Repository");
            body["test_url"] = json!(format!("{url}/test"));
            body["ping_url"] = json!(format!("{url}/pings"));
            body["deliveries_url"] = json!(format!("{url}/deliveries"));
            body["url"] = json!(url);
            body["last_response"] = match &hook.last {
                Some((code, message)) => json!({ "code": code, "status": "active", "message": message }),
                None => json!({ "code": null, "status": "unused", "message": null }),
            };
        }
    }
    body
}

/// An entry of a list of deliveries.
pub(crate) fn delivery_item(delivery: &Delivery) -> Value {
    let Delivery { parcel, outcome, at_ms } = delivery;
    #[expect(clippy::cast_precision_loss, reason = "a span of some seconds")]
    let duration = outcome.duration_ms as f64 / 1_000.0;
    json!({
        "id": parcel.id,
        "guid": parcel.guid,
        "delivered_at": iso(at_ms.div_euclid(1_000)),
        "redelivery": parcel.is_redelivery,
        "duration": duration,
        "status": outcome.status,
        "status_code": outcome.code,
        "event": parcel.event,
        "action": parcel.action,
        "installation_id": parcel.installation,
        "repository_id": parcel.repository,
        "throttled_at": null,
    })
}

/// A delivery with what was said and answered.
pub(crate) fn delivery(delivery: &Delivery) -> Value {
    let Delivery { parcel, outcome, .. } = delivery;
    let map = |headers: &[(String, String)]| -> Map<String, Value> {
        headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
    };
    let payload: Value = serde_json::from_slice(&parcel.payload).unwrap_or_default();
    let more = json!({
        "url": outcome.url,
        "request": { "headers": map(&outcome.request_headers), "payload": payload },
        "response": { "headers": map(&outcome.response_headers), "payload": outcome.response },
    });
    super::with(delivery_item(delivery), more)
}
