//! Faults set by other processes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::parse;
use crate::Sim;
use crate::api::Reply;
use crate::faults::{Fault, FaultId, FaultKind, Match};
use crate::server::Ask;

#[derive(Debug, Deserialize)]
struct FaultBody {
    #[serde(flatten)]
    kind: KindBody,
    #[serde(default)]
    on: MatchBody,
    times: Option<u32>,
    #[serde(default)]
    after: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchBody {
    repo: Option<String>,
    kind: Option<String>,
    method: Option<String>,
    path_contains: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
enum KindBody {
    Status { status: u16, body: Option<String> },
    Hang,
    Reset,
    Truncate,
    WrongJson,
    NotJson,
    SlowBody { chunk: usize, every_ms: u64 },
    Delay { ms: u64 },
    Held,
    LostAnswer,
    PrimaryLimit,
    SecondaryLimit { status: Option<u16>, retry_after: Option<u64> },
    BadCredentials,
    Forbidden,
    RedirectElsewhere { url: String },
}

/// `POST /_sim/faults`
pub(super) fn set(sim: &Sim, ask: &Ask) -> Result<Reply, Reply> {
    let body: FaultBody = parse(ask)?;
    let fault = Fault { kind: body.kind.into(), on: body.on.into(), times: body.times, after: body.after };
    Ok(Reply::ok(&json!({ "id": sim.fault(fault).0 })))
}

/// `GET /_sim/faults?id=`
pub(super) fn hits(sim: &Sim, ask: &Ask) -> Reply {
    let id = ask.param("id").and_then(|text| text.parse().ok());
    let hits = id.map_or(0, |id| sim.fault_hits(FaultId(id)));
    Reply::ok(&json!({ "hits": hits }))
}

impl From<MatchBody> for Match {
    fn from(body: MatchBody) -> Self {
        let conditions = [
            body.repo.map(Self::repo),
            body.kind.map(Self::kind),
            body.method.map(Self::method),
            body.path_contains.map(Self::path_contains),
        ];
        conditions.into_iter().flatten().fold(Self::any(), Self::and)
    }
}

impl From<KindBody> for FaultKind {
    fn from(body: KindBody) -> Self {
        match body {
            KindBody::Status { status, body } => match body {
                Some(body) => Self::StatusWithBody(status, body),
                None => Self::Status(status),
            },
            KindBody::Hang => Self::Hang,
            KindBody::Reset => Self::Reset,
            KindBody::Truncate => Self::Truncate,
            KindBody::WrongJson => Self::WrongJson,
            KindBody::NotJson => Self::NotJson,
            KindBody::SlowBody { chunk, every_ms } => {
                Self::SlowBody { chunk, every: Duration::from_millis(every_ms) }
            }
            KindBody::Delay { ms } => Self::Delay(Duration::from_millis(ms)),
            KindBody::Held => Self::Held,
            KindBody::LostAnswer => Self::LostAnswer,
            KindBody::PrimaryLimit => Self::PrimaryLimit,
            KindBody::SecondaryLimit { status, retry_after } => {
                Self::SecondaryLimit { status: status.unwrap_or(403), retry_after }
            }
            KindBody::BadCredentials => Self::BadCredentials,
            KindBody::Forbidden => Self::Forbidden,
            KindBody::RedirectElsewhere { url } => Self::RedirectElsewhere(url),
        }
    }
}
