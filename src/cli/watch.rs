//! `dispatch watch`: what changes, while it changes.

use std::{process::ExitCode, time::Duration};

use clap::{Args, ValueEnum};
use reqwest::Response;
use serde_json::{Value, json};

use super::{
    client::{Server, Target, is_silence},
    show::{self, Format, text},
    stream::{Event, Events},
};
use crate::domain::{event::Kind, ids::AgentName, repo::RepoName};

pub const MORE: &str = "\
Each line says what to read again, not what it is now. With --json it is one line of JSON: `event` is the kind of what \
changed, `ready` when the server begins to tell (again), or `reset` when something was missed and everything is to be \
read again; the rest is as `GET /api/events` has it. When the connection ends it is made again, and what came \
meanwhile is told.

Examples:
  dispatch watch
  dispatch watch --kind issue,claim --repo octocat/hello-world --json
  dispatch watch --kind issue --limit 1    # returns at the next change

Exit codes: 0 --limit was reached, or nobody reads any more; 2 error, also where no server answers at the start.";

/// The server says every 15 s that it lives.
const SILENCE: Duration = Duration::from_secs(45);
/// Before the second try; doubled for each further one, up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Listens to changes until it is stopped.
#[derive(Args)]
pub struct Watch {
    /// Only these kinds, separated by commas.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_enum)]
    kind: Vec<KindArg>,
    /// Only what is in this repository.
    #[arg(long, value_name = "OWNER/NAME")]
    repo: Option<RepoName>,
    /// Of claims and runs only this agent's.
    #[arg(long)]
    agent: Option<AgentName>,
    /// End after so many changes.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

/// A kind as an argument.
#[derive(Clone, Copy, ValueEnum)]
enum KindArg {
    Issue,
    Claim,
    Run,
    Outbox,
    Repository,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Issue => Self::Issue,
            KindArg::Claim => Self::Claim,
            KindArg::Run => Self::Run,
            KindArg::Outbox => Self::Outbox,
            KindArg::Repository => Self::Repository,
        }
    }
}

/// Why listening ended.
enum End {
    /// Enough was heard, or nobody reads it any more.
    Done,
    CutOff,
}

impl Watch {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let server = self.target.open_lasting(SILENCE)?;
        let path = self.path();
        let (mut last, mut left) = (None, self.limit);
        let mut stream = server.listen(&path, None).await?;
        loop {
            if let End::Done = self.hear(stream, &mut last, &mut left).await {
                return Ok(ExitCode::SUCCESS);
            }
            stream = again(&server, &path, last.as_deref()).await?;
        }
    }

    fn path(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !self.kind.is_empty() {
            let kinds: Vec<_> = self.kind.iter().map(|kind| Kind::from(*kind).as_str()).collect();
            query.append_pair("kind", &kinds.join(","));
        }
        if let Some(repo) = &self.repo {
            query.append_pair("repo", repo.as_str());
        }
        if let Some(agent) = &self.agent {
            query.append_pair("agent", agent.as_str());
        }
        format!("/api/events?{}", query.finish())
    }

    async fn hear(&self, mut stream: Response, last: &mut Option<String>, left: &mut Option<u64>) -> End {
        let mut events = Events::default();
        while let Ok(Some(piece)) = stream.chunk().await {
            let Ok(heard) = events.feed(&piece) else { return End::CutOff };
            for event in heard {
                if let Some(id) = &event.id {
                    *last = Some(id.clone());
                }
                if event.data.is_empty() {
                    continue;
                }
                if !self.say(&event) {
                    return End::Done;
                }
                if event.name != "ready"
                    && let Some(left) = left.as_mut()
                {
                    *left -= 1;
                    if *left == 0 {
                        return End::Done;
                    }
                }
            }
        }
        End::CutOff
    }

    fn say(&self, event: &Event) -> bool {
        let mut data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        if self.format.json {
            if !data.is_object() {
                data = json!({});
            }
            data["event"] = json!(event.name);
            return show::event(self.format, &data, "");
        }
        show::event(self.format, &data, &words(&event.name, &data))
    }
}

fn words(name: &str, data: &Value) -> String {
    match name {
        "ready" => return "listening".to_owned(),
        "reset" => return "something was missed: everything may have changed".to_owned(),
        _ => {}
    }
    let (repo, number, agent) = (text(data, "repo"), text(data, "number"), text(data, "agent"));
    let place = match (repo.as_str(), number.as_str()) {
        ("", _) => String::new(),
        (repo, "") => format!(" {repo}"),
        (repo, number) => format!(" {repo}#{number}"),
    };
    let who = if agent.is_empty() { String::new() } else { format!(" of {agent}") };
    let which = if place.is_empty() && who.is_empty() && data["id"].is_null() { " (several)" } else { "" };
    show::harmless(&format!("{name}{place}{who}{which}"))
}

/// Listens again, however often it takes, as long as the server is only away.
async fn again(server: &Server, path: &str, last: Option<&str>) -> anyhow::Result<Response> {
    let mut pause = PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        match server.listen(path, last).await {
            Err(error) if is_silence(&error) => show::aside(&format!("{error}; trying again")),
            outcome => return outcome,
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_in_words() {
        for (name, data, want) in [
            ("issue", json!({ "id": "x", "repo": "acme/api", "number": 7 }), "issue acme/api#7"),
            ("issue", json!({ "repo": "acme/api" }), "issue acme/api"),
            (
                "claim",
                json!({ "id": "x", "repo": "acme/api", "number": 7, "agent": "a" }),
                "claim acme/api#7 of a",
            ),
            ("run", json!({ "id": "x", "agent": "a" }), "run of a"),
            ("run", json!({}), "run (several)"),
            ("ready", json!({}), "listening"),
        ] {
            assert_eq!(words(name, &data), want);
        }
    }
}
