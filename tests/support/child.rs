//! The real program as a child process: for what only a process can show (kill -9, files, exit codes).

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use super::{
    Answer, MAINTAINER,
    app::{client, try_send},
};

/// A running `dispatch serve`; killed when dropped.
pub struct Server {
    child: Child,
    lines: mpsc::Receiver<String>,
    log: Arc<Mutex<Vec<String>>>,
    said: Arc<Mutex<String>>,
    pub url: String,
    client: reqwest::Client,
}

/// `dispatch` with a clean environment.
pub fn dispatch(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dispatch"));
    command.env_clear().env("HOME", home).env("DISPATCH_DATA_DIR", home.join("data"));
    command.stdin(Stdio::null());
    command
}

/// Waits for the end of a process; kills it and panics when it does not come within `limit`.
pub fn end_of(child: &mut Child, limit: Duration) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the process's state") {
            return status;
        }
        if began.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the process had not ended after {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Server {
    /// Starts `dispatch serve` on a free port, unless the command names another, with the maintainer's token, and waits until it
    /// listens.
    pub fn start(mut command: Command) -> Self {
        command.env("DISPATCH_AGENT_TOKEN", MAINTAINER);
        Self::start_without_token(command)
    }

    /// As [`Server::start`], but with no token in the environment.
    pub fn start_without_token(mut command: Command) -> Self {
        command.arg("serve");
        for (name, value) in [("DISPATCH_BIND", "127.0.0.1:0"), ("DISPATCH_LOG", "info,dispatch=debug")] {
            if command.get_envs().all(|(set, _)| set != name) {
                command.env(name, value);
            }
        }
        command.env("DISPATCH_LOG_FORMAT", "json");
        let mut child =
            command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("dispatch starts");
        let stderr = BufReader::new(child.stderr.take().expect("its log"));
        let (send, lines) = mpsc::channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                kept.lock().expect("no panic here").push(line.clone());
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let stdout = BufReader::new(child.stdout.take().expect("its words"));
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let mut heard = heard.lock().expect("no panic here");
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        let mut server = Self { child, lines, log, said, url: String::new(), client: client() };
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
                Err(error) => panic!("no line with {text} ({error}); the log was:\n{}", seen.join("\n")),
            }
        }
    }

    /// The block that the server prints when it is ready; waits for its last line.
    pub fn greeting(&self) -> String {
        let began = Instant::now();
        loop {
            let said = self.said.lock().expect("no panic here").clone();
            if said.contains("  next ") || began.elapsed() > Duration::from_secs(10) {
                return said;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Every log line since the start, also those that were waited past.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("no panic here").clone()
    }

    /// All log lines so far that nobody has looked at.
    pub fn drain(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(MAINTAINER)
    }

    /// A heartbeat; nothing when the connection ends before an answer.
    pub async fn beat(&self, agent: &str) -> Option<Answer> {
        try_send(self.request("POST", &format!("/api/agents/{agent}/heartbeat"))).await.ok()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and the exit code; panics when the program has not ended after 20 s.
    pub fn terminate(&mut self) -> Option<i32> {
        let sent = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        assert!(sent.expect("kill").success(), "the program had ended before");
        end_of(&mut self.child, Duration::from_secs(20)).code()
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
