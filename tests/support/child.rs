//! The real program as a child process: for what only a process can show (kill -9, files, exit codes).

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use super::{Answer, MAINTAINER, app::client};

/// A running `dispatch serve`; killed when dropped.
pub struct Server {
    child: Child,
    lines: mpsc::Receiver<String>,
    pub url: String,
    client: reqwest::Client,
}

/// `dispatch` with a clean environment.
#[expect(clippy::disallowed_types, reason = "the tests start the program")]
pub fn dispatch(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dispatch"));
    command.env_clear().env("HOME", home).env("DISPATCH_DATA_DIR", home.join("data"));
    command.stdin(Stdio::null());
    command
}

impl Server {
    /// Starts `dispatch serve` on a free port and waits until it listens.
    #[expect(clippy::disallowed_types, reason = "the tests start the program")]
    pub fn start(mut command: Command) -> Self {
        command.arg("serve").env("DISPATCH_BIND", "127.0.0.1:0").env("DISPATCH_AGENT_TOKEN", MAINTAINER);
        if command.get_envs().all(|(name, _)| name != "DISPATCH_LOG") {
            command.env("DISPATCH_LOG", "info,dispatch=debug");
        }
        command.env("DISPATCH_LOG_FORMAT", "json");
        let mut child =
            command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("dispatch starts");
        let stderr = BufReader::new(child.stderr.take().expect("its log"));
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let mut server = Self { child, lines, url: String::new(), client: client() };
        let line = server.wait_for_line("\"listening\"");
        let line: serde_json::Value = serde_json::from_str(&line).expect("a JSON line");
        server.url = format!("http://{}", line["address"].as_str().expect("its address"));
        server
    }

    /// The next log line that holds `text`; panics with what came instead after 30 s.
    pub fn wait_for_line(&self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(Duration::from_secs(30)) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no line with {text}; the log was:\n{}", seen.join("\n")),
            }
        }
    }

    /// All log lines so far.
    pub fn drain(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(MAINTAINER)
    }

    /// A heartbeat; nothing when the connection ends before an answer.
    pub async fn beat(&self, agent: &str) -> Option<Answer> {
        let request = self.request("POST", &format!("/api/agents/{agent}/heartbeat"));
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Some(Answer { status, headers, text: response.text().await.ok()? })
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
