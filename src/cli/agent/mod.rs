//! What agents do by the command line: ask, claim, tell how far they are, report. A shell can tell from the exit code
//! what came of it.

pub mod checkpoint;
pub mod claim;
pub mod next;
pub mod queue;
pub mod reference;
pub mod report;
mod shell;

use std::{process::ExitCode, str::FromStr};

use anyhow::bail;
use clap::Args;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

pub use self::reference::Reference;
use super::{
    client::Server,
    show::{self, Format, text},
};
use crate::domain::{
    claim::Fence,
    ids::{AgentName, NotAnAgentName},
};

/// There is nothing to do now.
const IDLE: u8 = 3;
/// The issue is another's, or the claim is lost.
pub const NOT_YOURS: u8 = 4;

/// Which agent acts.
#[derive(Args)]
pub struct Who {
    /// The agent that acts: letters, digits, `.`, `_` and `-`, at most 44.
    #[arg(long, env = "DISPATCH_AGENT_NAME", value_name = "NAME")]
    agent: Option<Named>,
}

/// A name; an empty one is none.
#[derive(Clone)]
struct Named(Option<AgentName>);

impl FromStr for Named {
    type Err = NotAnAgentName;

    fn from_str(text: &str) -> Result<Self, NotAnAgentName> {
        let text = text.trim();
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(|name| Self(Some(name))) }
    }
}

impl Who {
    fn name(self) -> anyhow::Result<AgentName> {
        match self.agent {
            Some(Named(Some(name))) => Ok(name),
            _ => bail!("for which agent? Say --agent NAME, or set DISPATCH_AGENT_NAME"),
        }
    }
}

/// Which claim is meant; a late writer is refused by it.
#[derive(Args)]
pub struct Shown {
    /// The claim that is meant, as `claim` printed it: refused when it is lost.
    #[arg(long, value_name = "ID")]
    claim: Option<String>,
    /// Its fence.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..))]
    fence: Option<i64>,
}

impl Shown {
    fn add_to(&self, body: &mut Value) {
        if let Some(claim) = self.claim.as_deref().map(str::trim).filter(|claim| !claim.is_empty()) {
            body["claimId"] = claim.into();
        }
        if let Some(fence) = self.fence.map(Fence) {
            body["fence"] = fence.0.into();
        }
    }
}

/// An issue of the server's cache, as its routes want it named.
async fn find(server: &Server, issue: &Reference, agent: &AgentName) -> anyhow::Result<Value> {
    let path = format!("/api/issues/state?repo={}&number={}", issue.repo, issue.number);
    let found = server.get(&path, "issueId").await?;
    Ok(json!({
        "issueId": found["issueId"],
        "repoFullName": issue.repo.as_str(),
        "issueNumber": issue.number,
        "agentName": agent.as_str(),
    }))
}

/// Sends what only the holder may say: its answer, or the refusal of one that holds nothing.
async fn say(server: &Server, path: &str, body: &Value, field: &str) -> anyhow::Result<Result<Value, Value>> {
    let answer = server.send(Method::POST, path, Some(body)).await?;
    if answer.status == StatusCode::CONFLICT && answer.body["error"].is_string() {
        return Ok(Err(answer.body));
    }
    if !answer.status.is_success() {
        return Err(server.refusal(&answer));
    }
    if answer.body.get(field).is_some() { Ok(Ok(answer.body)) } else { Err(server.stranger(answer.status)) }
}

/// Ends a command whose agent holds nothing; who does is said.
fn not_yours(format: Format, refusal: &Value) -> anyhow::Result<ExitCode> {
    if format.json {
        show::json(refusal)?;
    }
    let (mut words, holder) = (text(refusal, "error"), text(refusal, "holder"));
    if !words.contains(&holder) {
        words = format!("{words} ({holder} has it)");
    }
    show::aside(&words);
    Ok(ExitCode::from(NOT_YOURS))
}

/// Adds what was given to a body.
fn add(body: &mut Value, field: &str, given: Option<&str>) {
    if let Some(given) = given {
        body[field] = given.into();
    }
}
