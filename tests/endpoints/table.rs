//! The endpoints: how each is asked rightly, and what comes of asking again.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    API,
    support::{Answer, App, MAINTAINER, app::send},
};

/// Whose token opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Workers for the agent that is named.
    Worker,
    /// All workers may read it; what they may change hangs on what they were handed.
    Shared,
    Maintainer,
}

/// How an endpoint is asked; `{agent}`, `{issue}` and `{claim}` stand for those of the scene.
#[derive(Debug)]
pub struct Endpoint {
    pub method: &'static str,
    pub path: &'static str,
    pub body: &'static str,
    pub tier: Tier,
    /// The code, asked once and asked again.
    pub codes: (u16, u16),
}

impl Endpoint {
    /// Is it for what operators do to issues? Those name the id that is not there.
    pub fn acts_on_an_issue(&self) -> bool {
        ["move", "label", "unlabel", "comment", "actions", "unassign", "groom"]
            .iter()
            .any(|action| self.path == format!("/api/issues/{action}"))
    }
}

const fn get(path: &'static str, tier: Tier) -> Endpoint {
    Endpoint { method: "GET", path, body: "", tier, codes: (200, 200) }
}

const fn post(path: &'static str, body: &'static str, tier: Tier, codes: (u16, u16)) -> Endpoint {
    Endpoint { method: "POST", path, body, tier, codes }
}

const NAMED: &str =
    r#"{"issueId":"{issue}","repoFullName":"acme/api","issueNumber":1,"agentName":"{agent}"}"#;

/// Every endpoint of `contract/agents.md` 3 to 8 and 10, and what operators do to issues (`contract/operations.md` 3).
pub const ENDPOINTS: [Endpoint; 36] = [
    post("/api/issues/claim", NAMED, Tier::Worker, (200, 200)),
    post(
        "/api/issues/status",
        r#"{"issueId":"{issue}","repoFullName":"acme/api","issueNumber":1,"status":"in-review","agentName":"{agent}"}"#,
        Tier::Worker,
        (200, 200),
    ),
    // Whoever gave it up has nothing to give up.
    post("/api/issues/unclaim", NAMED, Tier::Worker, (200, 400)),
    get("/api/issues/claimed?agentName={agent}", Tier::Maintainer),
    get("/api/agents/{agent}/active-work", Tier::Worker),
    get("/api/agents/{agent}/queue", Tier::Worker),
    get("/api/agents/{agent}/next-task", Tier::Worker),
    get("/api/agents/{agent}/work-summary", Tier::Worker),
    post("/api/agents/{agent}/heartbeat", r#"{"claims":[]}"#, Tier::Worker, (200, 200)),
    post(
        "/api/agents/{agent}/tasks/report",
        r#"{"taskType":"implement","outcome":"pr_opened","idempotencyKey":"k"}"#,
        Tier::Worker,
        (200, 200),
    ),
    get("/api/agent-work?agent={agent}", Tier::Worker),
    post("/api/agent-work/start", r#"{"agentName":"{agent}","issueId":"{issue}"}"#, Tier::Worker, (201, 201)),
    post(
        "/api/agent-work/checkpoint",
        r#"{"agentName":"{agent}","checkpoint":"PR_OPENED"}"#,
        Tier::Worker,
        (200, 200),
    ),
    // Without a claim's id there is nothing left that could be meant.
    post("/api/agent-work/finish", r#"{"agentName":"{agent}","state":"DONE"}"#, Tier::Worker, (200, 404)),
    post(
        "/api/agent-work",
        r#"{"action":"release","agentName":"{agent}","releaseAll":true}"#,
        Tier::Maintainer,
        (200, 200),
    ),
    post("/api/agent-work", r#"{"action":"release","workId":"{claim}"}"#, Tier::Maintainer, (200, 400)),
    post(
        "/api/agent-work",
        r#"{"action":"reassign","workId":"{claim}","newAgentName":"third"}"#,
        Tier::Maintainer,
        (200, 400),
    ),
    post("/api/agent-work/sweep", "{}", Tier::Maintainer, (200, 200)),
    get("/api/issues/{issue}/lane", Tier::Maintainer),
    post(
        "/api/issues/{issue}/lane",
        r#"{"classification":{"lane":"cloud","confidence":"high","reason":"because"}}"#,
        Tier::Maintainer,
        (200, 200),
    ),
    get("/api/issues/{issue}/why?agent={agent}", Tier::Worker),
    post(
        "/api/pr-fix-queue/enqueue",
        r#"{"repo":"acme/api","pr":9,"reason":"red","feedback":"red","evidenceKey":"k"}"#,
        Tier::Maintainer,
        (200, 200),
    ),
    get("/api/pr-fix-queue/queued?lane=NORMAL", Tier::Shared),
    get("/api/pr-fix-queue/history?repo=acme/api&pr=7", Tier::Shared),
    post(
        "/api/pr-fix-queue/mark",
        r#"{"repo":"acme/api","pr":7,"status":"BLOCKED","generation":1}"#,
        Tier::Shared,
        (200, 200),
    ),
    // What is queued again is not to be queued again.
    post("/api/pr-fix-queue/requeue", r#"{"repo":"acme/api","pr":8}"#, Tier::Maintainer, (200, 400)),
    post(
        "/api/pr-fix-queue/ack",
        r#"{"repo":"acme/api","pr":7,"generation":1,"agentName":"{agent}"}"#,
        Tier::Worker,
        (200, 200),
    ),
    post("/api/pr-fix-queue/sweep", "{}", Tier::Maintainer, (200, 200)),
    post("/api/issues/move", MOVE, Tier::Maintainer, (200, 200)),
    post("/api/issues/label", LABEL, Tier::Maintainer, (200, 200)),
    post("/api/issues/unlabel", LABEL, Tier::Maintainer, (200, 200)),
    post("/api/issues/comment", COMMENT, Tier::Maintainer, (200, 200)),
    post("/api/issues/actions", ASSIGN, Tier::Maintainer, (200, 200)),
    // Nobody is left to be taken away.
    post("/api/issues/unassign", UNASSIGN, Tier::Maintainer, (200, 400)),
    post(
        "/api/issues/actions/decompose",
        r#"{"repo":"acme/api","issueNumber":1,"decomposed":true,"actor":"ann"}"#,
        Tier::Maintainer,
        (200, 200),
    ),
    post("/api/issues/groom", GROOM, Tier::Maintainer, (200, 200)),
];

const MOVE: &str = r#"{"issueId":"{issue}","repoFullName":"acme/api","issueNumber":1,"actor":"ann","oldLabels":["status/in-progress"],"newLabels":["status/in-review"]}"#;
const LABEL: &str =
    r#"{"issueId":"{issue}","repoFullName":"acme/api","issueNumber":1,"actor":"ann","label":"bug"}"#;
const COMMENT: &str =
    r#"{"issueId":"{issue}","repoFullName":"acme/api","issueNumber":1,"actor":"ann","body":"Hello"}"#;
const ASSIGN: &str = r#"{"issueId":"{issue}","repoFullName":"acme/api","issueNumber":1,"actor":"ann","action":"assign_agent","value":"agent/third"}"#;
const UNASSIGN: &str = r#"{"issueId":"{issue}","repoFullName":"acme/api","issueNumber":1,"actor":"ann","action":"unassign_agent"}"#;
const GROOM: &str =
    r#"{"issueId":"{issue}","repoFullName":"acme/api","issueNumber":1,"actor":"ann","action":"escalate"}"#;

/// A server, and an agent at work on its first issue.
pub struct Scene {
    pub app: Arc<App>,
    pub agent: String,
    pub issue: String,
    pub claim: String,
}

impl Scene {
    pub async fn begin(app: App, agent: &str) -> Self {
        let state = app.get(&format!("/api/issues/state?repo={API}&number=1")).await.expect(200);
        let issue = state["issueId"].as_str().expect("an id").to_owned();
        let mut scene = Self { app: Arc::new(app), agent: agent.to_owned(), issue, claim: String::new() };
        scene.resume().await;
        scene
    }

    /// The agent is at work, whatever came of it before.
    pub async fn resume(&mut self) {
        self.app.db.sql("DELETE FROM claims; DELETE FROM label_edits; DELETE FROM pr_fix_items").await;
        let state = json!({ "issueId": self.issue, "repoFullName": API, "issueNumber": 1 });
        let mut body = state.clone();
        body["agentName"] = json!(self.agent);
        body["force"] = json!(true);
        self.app.post("/api/issues/claim", body).await.expect(200);
        let work = json!({ "agentName": self.agent, "issueId": self.issue });
        let begun = self.app.post("/api/agent-work/start", work).await.expect(201);
        begun["id"].as_str().expect("an id").clone_into(&mut self.claim);
        self.hand_out().await;
    }

    /// The agent has a pull request to mend, and another is for a human.
    async fn hand_out(&self) {
        for pr in [7, 8] {
            let evidence =
                json!({ "repo": API, "pr": pr, "reason": "red", "feedback": "red", "evidenceKey": "k" });
            self.app.post("/api/pr-fix-queue/enqueue", evidence).await.expect(200);
            if pr == 8 {
                let human = json!({ "repo": API, "pr": 8, "status": "BLOCKED", "generation": 1 });
                self.app.post("/api/pr-fix-queue/mark", human).await.expect(200);
            }
        }
        let task = self.app.get(&self.fill("/api/agents/{agent}/next-task")).await.expect(200);
        assert_eq!(task["pullRequest"]["number"], 7, "{task}");
    }

    pub fn fill(&self, text: &str) -> String {
        text.replace("{agent}", &self.agent).replace("{issue}", &self.issue).replace("{claim}", &self.claim)
    }

    /// The fields of a good body.
    pub fn body(&self, endpoint: &Endpoint) -> Map<String, Value> {
        if endpoint.body.is_empty() {
            return Map::new();
        }
        match serde_json::from_str(&self.fill(endpoint.body)) {
            Ok(Value::Object(fields)) => fields,
            other => panic!("{}: {other:?}", endpoint.path),
        }
    }

    /// Asks with another path or body than the endpoint's own.
    pub async fn ask_with(
        &self,
        endpoint: &Endpoint,
        token: &str,
        path: &str,
        body: Map<String, Value>,
    ) -> Answer {
        let mut request = self.app.request(endpoint.method, path, token);
        if endpoint.method == "POST" {
            request = request.body(Value::Object(body).to_string());
        }
        send(request).await
    }

    pub async fn ask(&self, endpoint: &Endpoint, token: &str) -> Answer {
        self.ask_with(endpoint, token, &self.fill(endpoint.path), self.body(endpoint)).await
    }

    pub async fn ask_rightly(&self, endpoint: &Endpoint) -> Answer {
        self.ask(endpoint, MAINTAINER).await
    }

    /// Everything that may not change by what is refused.
    pub async fn rows(&self) -> Vec<String> {
        let mut rows = self
            .app
            .db
            .texts("SELECT id || agent_key || state || checkpoint || expires_at FROM claims ORDER BY id")
            .await;
        rows.extend(
            self.app
                .db
                .texts(
                    "SELECT issue_id || label_key || version FROM label_edits ORDER BY issue_id, label_key",
                )
                .await,
        );
        rows.extend(self.app.db.texts("SELECT id FROM runs ORDER BY id").await);
        rows.extend(self.app.db.texts("SELECT id FROM reports ORDER BY id").await);
        rows.extend(self.app.db.texts("SELECT id FROM lane_history ORDER BY id").await);
        rows.extend(
            self.app
                .db
                .texts("SELECT id || status || generation || reason FROM pr_fix_items ORDER BY id")
                .await,
        );
        rows.extend(self.app.db.texts("SELECT id || version || state FROM outbox ORDER BY id").await);
        rows.extend(self.app.db.texts("SELECT id FROM audit_log WHERE success ORDER BY id").await);
        rows
    }
}
