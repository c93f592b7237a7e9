//! What every request passes: credentials, limits, the quota's account, the common headers.

use std::sync::atomic::Ordering;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, DATE, ETAG, HeaderName, VARY};

use super::context::Context;
use super::route::Action;
use super::{Reply, errors, faulty, handle};
use crate::access::{Caller, Denial, user_id};
use crate::clock::http_date;
use crate::faults::FaultKind;
use crate::journal::Outcome;
use crate::limits::{Refusal, Standing, Weight};
use crate::server::Ask;
use crate::sim::Core;

const VARIES: &str = "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With";

/// Answers a request of a caller who is known, or was turned away.
pub(crate) fn answer(
    core: &Core,
    ask: &Ask,
    caller: Result<&Caller, Denial>,
    fault: Option<&FaultKind>,
) -> (Reply, Outcome) {
    let now_s = core.now_s();
    let known = caller.unwrap_or(&Caller::Anonymous);
    let mut cost = 0;
    let reply = if let Some(reply) = refuse(core, ask, caller, fault, now_s) {
        reply
    } else {
        let reply = serve(core, ask, known, fault, now_s);
        cost = u64::from(costs(ask, known, &reply));
        reply
    };
    if cost > 0 {
        core.limits.lock().spend(known, now_s);
    }
    let outcome =
        Outcome { cost, body_bytes: reply.body.len(), refusal: reply.refusal, ..Outcome::default() };
    (decorate(core, reply, known, now_s), outcome)
}

/// A 304 to a request with credentials spends no primary quota, nor does asking for the limits
/// (docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate).
fn costs(ask: &Ask, known: &Caller, reply: &Reply) -> bool {
    let free = reply.status == StatusCode::NOT_MODIFIED && !known.is_anonymous();
    !free && ask.route.action != Action::RateLimitGet
}

fn refuse(
    core: &Core,
    ask: &Ask,
    caller: Result<&Caller, Denial>,
    fault: Option<&FaultKind>,
    now_s: i64,
) -> Option<Reply> {
    if ask.user_agent().is_none() {
        return Some(errors::no_user_agent());
    }
    let caller = match caller {
        Ok(caller) => caller,
        Err(denial) => return Some(errors::denied(denial)),
    };
    match fault {
        Some(FaultKind::BadCredentials) => return Some(errors::bad_credentials()),
        Some(FaultKind::PrimaryLimit) => return Some(primary(caller)),
        Some(&FaultKind::SecondaryLimit { status, retry_after }) => {
            return Some(errors::secondary_limit(faulty::status(status), retry_after));
        }
        _ => {}
    }
    match core.limits.lock().admit(caller, weigh(ask), now_s) {
        Ok(()) => None,
        Err(Refusal::Primary) => Some(primary(caller)),
        Err(Refusal::Secondary) => Some(errors::secondary_limit(StatusCode::FORBIDDEN, Some(60))),
    }
}

/// Points as documented (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#calculating-points-for-the-secondary-rate-limit).
fn weigh(ask: &Ask) -> Weight {
    Weight {
        points: if ask.is_read() { 1 } else { 5 },
        makes_content: matches!(ask.route.action, Action::IssueCreate | Action::CommentCreate(_)),
        is_free: ask.route.action == Action::RateLimitGet,
    }
}

fn primary(caller: &Caller) -> Reply {
    if caller.is_anonymous() {
        return errors::primary_limit(
            "API rate limit exceeded for 127.0.0.1. (But here's the good news: Authenticated \
             requests get a higher rate limit. Check out the documentation for more details.)",
        );
    }
    let id = user_id(caller);
    errors::primary_limit(&format!(
        "API rate limit exceeded for user ID {id}. If you reach out to GitHub Support for help, \
         please include the request ID."
    ))
}

fn serve(core: &Core, ask: &Ask, caller: &Caller, fault: Option<&FaultKind>, now_s: i64) -> Reply {
    if let Some(reply) = fault.and_then(faulty::reply) {
        return reply;
    }
    let if_none_match = match fault {
        Some(fault) if faulty::needs_body(fault) => None,
        _ => ask.if_none_match(),
    };
    let cx = Context {
        ask,
        caller,
        config: &core.config,
        access: &core.access,
        now_s,
        if_none_match,
        standing: core.limits.lock().standing(caller, now_s),
    };
    let reply = handle(&cx, &mut core.world.lock());
    cx.tag(reply.unwrap_or_else(|refused| refused))
}

/// The headers every answer has.
fn decorate(core: &Core, reply: Reply, caller: &Caller, now_s: i64) -> Reply {
    let mut standing = core.limits.lock().standing(caller, now_s);
    if reply.refusal == Some(Refusal::Primary) {
        standing.used = standing.limit;
    }
    let number = core.answered.fetch_add(1, Ordering::Relaxed);
    let reach = if caller.is_anonymous() {
        "public, max-age=60, s-maxage=60"
    } else {
        "private, max-age=60, s-maxage=60"
    };
    let etag = reply.tag.clone();
    let reply = limit_headers(reply, standing)
        .with(DATE, &http_date(now_s))
        .with(CACHE_CONTROL, reach)
        .with(VARY, VARIES)
        .with(header("x-github-request-id"), &format!("51D0:{number:06X}"))
        .with(header("x-github-media-type"), "github.v3; format=json")
        .with(header("x-github-api-version-selected"), "2022-11-28");
    let reply = match caller.scopes() {
        Some(scopes) => reply.with(header("x-oauth-scopes"), scopes),
        None => reply,
    };
    match etag {
        Some(tag) => reply.with(ETAG, &tag.0),
        None => reply,
    }
}

fn limit_headers(reply: Reply, standing: Standing) -> Reply {
    reply
        .with(header("x-ratelimit-limit"), &standing.limit.to_string())
        .with(header("x-ratelimit-remaining"), &standing.remaining().to_string())
        .with(header("x-ratelimit-used"), &standing.used.to_string())
        .with(header("x-ratelimit-reset"), &standing.reset_s.to_string())
        .with(header("x-ratelimit-resource"), "core")
}

fn header(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}
