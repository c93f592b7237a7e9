//! Sends what waits, signed (docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries).

use std::time::{Duration, Instant};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri, body::Incoming};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use sha2::Sha256;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ContentType, Hook, Next, Outcome, Parcel};
use crate::{Sim, ids};

/// GitHub gives up when there is no answer by then
/// (docs.github.com/webhooks/using-webhooks/best-practices-for-using-webhooks#respond-within-10-seconds).
const PATIENCE: Duration = Duration::from_secs(10);
/// Most of an answer that is kept.
const MOST_ANSWER: usize = 64 * 1024;

type Http = Client<HttpConnector, Full<Bytes>>;

/// Sends until the simulator stops.
pub(crate) async fn run(sim: Sim, closing: CancellationToken, tasks: TaskTracker) {
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let wake = sim.core.world.lock().webhooks.wake.clone();
    loop {
        // Takes note of what comes from now on, before it is seen that nothing is there.
        let mut rung = std::pin::pin!(wake.notified());
        rung.as_mut().enable();
        let next = sim.core.world.lock().webhooks.next();
        match next {
            Next::Send(parcel, hook) => {
                let errand = Errand { sim: sim.clone(), parcel: Some(*parcel) };
                let (http, closing) = (http.clone(), closing.clone());
                tasks.spawn(async move {
                    closing.run_until_cancelled_owned(errand.run(http, hook)).await;
                });
            }
            Next::Hold(patience) => {
                if tokio::time::timeout(patience, rung).await.is_err() {
                    sim.core.world.lock().webhooks.release();
                }
            }
            Next::Wait => rung.await,
        }
    }
}

/// One delivery under way; dropped before its end it goes back into the line.
struct Errand {
    sim: Sim,
    parcel: Option<Parcel>,
}

impl Errand {
    async fn run(mut self, http: Http, hook: Box<Hook>) {
        let delay = self.sim.core.world.lock().webhooks.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let Some(parcel) = &self.parcel else { return };
        let outcome = attempt(&http, &hook, parcel).await;
        let at_ms = self.sim.now_ms();
        if let Some(parcel) = self.parcel.take() {
            self.sim.core.world.lock().webhooks.settle(parcel, outcome, at_ms);
        }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        if let Some(parcel) = self.parcel.take() {
            self.sim.core.world.lock().webhooks.put_back(parcel);
        }
    }
}

async fn attempt(http: &Http, hook: &Hook, parcel: &Parcel) -> Outcome {
    let (headers, body) = pack(hook, parcel);
    let mut outcome = Outcome {
        code: StatusCode::BAD_GATEWAY.as_u16(),
        status: "failed to connect to host".to_owned(),
        duration_ms: 0,
        url: hook.url.clone(),
        request_headers: texts(&headers),
        response_headers: Vec::new(),
        response: None,
    };
    // Only plain HTTP is spoken: who listens is on this machine.
    let Ok(url) = hook.url.parse::<Uri>() else { return outcome };
    if parcel.is_lost || url.scheme_str() != Some("http") {
        return outcome;
    }
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url;
    *request.headers_mut() = headers;
    let began = Instant::now();
    match tokio::time::timeout(PATIENCE, http.request(request)).await {
        Ok(Ok(response)) => answered(&mut outcome, response).await,
        Ok(Err(_)) => {}
        Err(_) => {
            outcome.code = StatusCode::GATEWAY_TIMEOUT.as_u16();
            "timed out".clone_into(&mut outcome.status);
        }
    }
    outcome.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    outcome
}

async fn answered(outcome: &mut Outcome, response: Response<Incoming>) {
    let code = response.status();
    outcome.code = code.as_u16();
    outcome.status =
        if code.is_success() { "OK".to_owned() } else { format!("Invalid HTTP Response: {}", code.as_u16()) };
    outcome.response_headers = texts(response.headers());
    let body = Limited::new(response.into_body(), MOST_ANSWER).collect().await;
    outcome.response = body.ok().map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
}

/// Headers and body (docs.github.com/webhooks/webhook-events-and-payloads#delivery-headers), without the
/// signature by SHA-1, which GitHub sends for old receivers only.
fn pack(hook: &Hook, parcel: &Parcel) -> (HeaderMap, Bytes) {
    let (content_type, body) = match hook.content_type {
        ContentType::Json => ("application/json", parcel.payload.clone()),
        ContentType::Form => {
            let text = String::from_utf8_lossy(&parcel.payload);
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("payload", &text);
            ("application/x-www-form-urlencoded", Bytes::from(form.finish()))
        }
    };
    let (kind, id) = hook.target();
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, HeaderValue::from_static("GitHub-Hookshot/5128d0a"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let own = [
        ("x-github-event", parcel.event.clone()),
        ("x-github-delivery", parcel.guid.clone()),
        ("x-github-hook-id", hook.id.to_string()),
        ("x-github-hook-installation-target-type", kind.to_owned()),
        ("x-github-hook-installation-target-id", id.to_string()),
    ];
    let signature = hook.secret.as_deref().map(|secret| ("x-hub-signature-256", sign(secret, &body)));
    for (name, value) in own.into_iter().chain(signature) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    (headers, body)
}

/// `sha256=` and the HMAC of the body as it is sent.
fn sign(secret: &str, body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(body);
    format!("sha256={}", ids::hex(&mac.finalize().into_bytes()))
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries.
    #[test]
    fn a_body_is_signed_as_githubs_page_says() {
        assert_eq!(
            sign("It's a Secret to Everybody", b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
