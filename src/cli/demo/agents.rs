//! The demo's agents: each beats when its last answer told it to.

use anyhow::{Context as _, anyhow};
use futures_util::future::try_join_all;
use reqwest::Method;
use serde_json::json;

use crate::{
    cli::{
        client::Server,
        show::{self, Format},
    },
    clock::Clock,
    domain::{heartbeat::HeartbeatAnswer, ids::AgentName},
};

/// Lets all agents beat as long as somebody reads what is printed; an error is a fault of the demo.
pub async fn beat_all(server: &Server, agents: &[AgentName], format: Format) -> anyhow::Result<()> {
    try_join_all(agents.iter().map(|agent| beat_on(server, agent, format))).await.map(drop)
}

async fn beat_on(server: &Server, agent: &AgentName, format: Format) -> anyhow::Result<()> {
    loop {
        let answer = server.send(Method::POST, &format!("/api/agents/{agent}/heartbeat"), None).await?;
        if !answer.status.is_success() {
            return Err(anyhow!("{agent}: {}", server.refusal(&answer)));
        }
        let answer: HeartbeatAnswer =
            serde_json::from_value(answer.body).context("an answer of another shape")?;
        let event = json!({ "event": "heartbeat", "answer": answer });
        if !show::event(format, &event, &line(&answer)) {
            return Ok(());
        }
        Clock::System.sleep_until(answer.next_heartbeat_at).await;
    }
}

fn line(answer: &HeartbeatAnswer) -> String {
    let time = answer.started_at.to_string();
    let time = time.get(11..19).unwrap_or(&time);
    let changed: Vec<&str> = answer.touched_issue_urls.iter().map(|url| short(url)).collect();
    let news = match changed.len() {
        0 => "nothing new".to_owned(),
        count if count <= 4 => changed.join(", "),
        count => format!("{} and {} more", changed[..4].join(", "), count - 4),
    };
    let trouble: Vec<&str> = answer.errors.iter().chain(&answer.warnings).map(String::as_str).collect();
    let trouble = if trouble.is_empty() { String::new() } else { format!("  ({})", trouble.join("; ")) };
    format!("  {time}  {:<10} {:<8} {news}{trouble}", answer.agent_name.as_str(), answer.status.as_str())
}

/// `owner/name/issues/7` of an issue's address.
fn short(url: &str) -> &str {
    url.splitn(4, '/').nth(3).unwrap_or(url)
}
