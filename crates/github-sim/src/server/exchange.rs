//! One request from its arrival to its answer: hooks, faults, the API, latency, the log.

use std::fmt;
use std::future;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::line::ResetFlag;
use super::{AnswerBody, Ask, Manner};
use crate::access::{Caller, Denial};
use crate::api::{self, Reply};
use crate::faults::{FaultId, FaultKind, Subject};
use crate::journal::{Exchange, Outcome, RequestLog};
use crate::{Sim, control};

/// Says that the connection is to end without an answer.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}

/// Serves one request.
pub(crate) async fn serve(
    sim: Sim,
    request: Request<Incoming>,
    reset: ResetFlag,
) -> Result<Response<AnswerBody>, Cut> {
    let ask = Ask::read(request).await.ok_or(Cut)?;
    if control::is_for(&ask) {
        return Ok(finish(control::answer(&sim, &ask), &ask, Manner::Whole));
    }
    let log = api::stored_log(&sim.core.world.lock(), &ask);
    if let Some(log) = log {
        return Ok(finish(log, &ask, Manner::Whole));
    }
    let (struck, fault) = foresee(&sim, &ask).unzip();
    let under_way = UnderWay::enter(&sim, &ask);
    match fault {
        Some(FaultKind::Hang) => {
            under_way.log_silence();
            future::pending::<()>().await;
        }
        Some(FaultKind::Reset) => {
            under_way.log_silence();
            reset.store(true, Ordering::SeqCst);
            return Err(Cut);
        }
        _ => {}
    }
    let caller = under_way.caller.as_ref().map_err(|&denial| denial);
    let (reply, mut outcome) = api::answer(&sim.core, &ask, caller, fault.as_ref());
    let is_lost = fault == Some(FaultKind::LostAnswer);
    if is_lost {
        outcome.body_bytes = 0;
        under_way.log(0, outcome);
    } else {
        under_way.log(reply.status.as_u16(), outcome);
    }
    let mut wait = sim.core.latency();
    if let Some(FaultKind::Delay(longer)) = fault {
        wait += longer;
    }
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    if let (Some(id), Some(FaultKind::Held)) = (struck, &fault) {
        hold(&sim, id).await;
    }
    if is_lost {
        return Err(Cut);
    }
    if sim.core.config.keep_exchanges {
        sim.core.journal.lock().keep(exchange(&ask, &reply));
    }
    Ok(finish(reply, &ask, manner(fault.as_ref())))
}

/// Waits until the fault is cleared.
async fn hold(sim: &Sim, id: FaultId) {
    loop {
        let waiting = sim.core.faults.lock().until_cleared(id);
        let Some(cleared) = waiting else { return };
        let mut notified = std::pin::pin!(cleared.notified());
        notified.as_mut().enable();
        // It may have been cleared before anybody listened.
        if sim.core.faults.lock().until_cleared(id).is_some() {
            notified.await;
        }
    }
}

/// Runs the hooks, then asks the faults.
fn foresee(sim: &Sim, ask: &Ask) -> Option<(FaultId, FaultKind)> {
    let path_and_query = ask.path_and_query();
    let asked = ask.route.asked_name();
    let current = current_name(sim, ask);
    let subject = Subject {
        repo: current.as_deref(),
        asked_repo: asked.as_deref(),
        kind: ask.route.kind,
        method: ask.method.as_str(),
        path_and_query: &path_and_query,
    };
    sim.core.hooks.run(sim, &subject);
    sim.core.faults.lock().strike(&subject)
}

fn current_name(sim: &Sim, ask: &Ask) -> Option<String> {
    let world = sim.core.world.lock();
    ask.route.repo.as_ref()?.current_name(&world).or_else(|| ask.route.asked_name())
}

fn manner(fault: Option<&FaultKind>) -> Manner {
    match fault {
        Some(FaultKind::Truncate) => Manner::Truncated,
        Some(&FaultKind::SlowBody { chunk, every }) => Manner::Slow { chunk, every },
        _ => Manner::Whole,
    }
}

/// What a recording keeps of it.
fn exchange(ask: &Ask, reply: &Reply) -> Exchange {
    Exchange {
        kind: ask.route.kind,
        method: ask.method.to_string(),
        path: ask.path.clone(),
        query: ask.query.clone(),
        headers: texts(&ask.headers),
        body: ask.body.clone(),
        status: reply.status.as_u16(),
        answer_headers: texts(&reply.headers),
        answer: if ask.method == Method::HEAD { Bytes::new() } else { reply.body.clone() },
    }
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let shown = match value.split_once(' ') {
            Some((scheme, _)) if *name == AUTHORIZATION => scheme.to_owned(),
            _ if *name == AUTHORIZATION => String::new(),
            _ => value,
        };
        (name.to_string(), shown)
    };
    headers.iter().map(text).collect()
}

fn finish(reply: Reply, ask: &Ask, manner: Manner) -> Response<AnswerBody> {
    let has_body = !matches!(reply.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let length = reply.body.len();
    let bytes = if ask.method == Method::HEAD { Bytes::new() } else { reply.body };
    let mut response = Response::new(manner.body(bytes));
    *response.status_mut() = reply.status;
    *response.headers_mut() = *reply.headers;
    if has_body {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response
}

/// A request between its arrival and its answer, counted for as long as it lives.
struct UnderWay<'a> {
    sim: &'a Sim,
    ask: &'a Ask,
    caller: Result<Caller, Denial>,
}

impl<'a> UnderWay<'a> {
    fn enter(sim: &'a Sim, ask: &'a Ask) -> Self {
        let caller = sim.core.access.lock().identify(ask.authorization(), sim.core.now_s());
        if let Ok(caller) = &caller {
            sim.core.limits.lock().enter(caller);
        }
        sim.core.journal.lock().enter();
        Self { sim, ask, caller }
    }

    fn log_silence(&self) {
        self.log(0, Outcome::default());
    }

    fn log(&self, status: u16, outcome: Outcome) {
        let log = RequestLog {
            at_ms: self.sim.now_ms(),
            method: self.ask.method.to_string(),
            path_and_query: self.ask.path_and_query(),
            status,
            kind: self.ask.route.kind,
            conditional: self.ask.if_none_match().is_some(),
            agent: self.ask.user_agent().unwrap_or_default().to_owned(),
            repo: current_name(self.sim, self.ask),
        };
        let outcome = Outcome {
            is_write: !self.ask.is_read(),
            is_anonymous: self.ask.authorization().is_none(),
            ..outcome
        };
        self.sim.core.journal.lock().record(log, outcome);
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Ok(caller) = &self.caller {
            self.sim.core.limits.lock().leave(caller);
        }
        self.sim.core.journal.lock().leave();
    }
}
