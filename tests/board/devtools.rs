//! A Chromium without a head and the way to speak with it: the `DevTools` protocol, JSON over a web socket. The crates that
//! know all of that protocol take longer to build than everything else here; the tests use a dozen of its methods.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the test starts a browser, and reads where it listens"
)]

use std::{
    collections::HashMap,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

/// Nothing that is waited for takes so long, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_mins(1);

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// The program, ended with this value.
pub struct Program {
    child: Child,
    profile: TempDir,
}

/// What is said to it, and what it says.
#[derive(Clone)]
pub struct Devtools {
    out: mpsc::UnboundedSender<Message>,
    waiting: Waiting,
    events: broadcast::Sender<Value>,
    next: Arc<AtomicU64>,
    _tasks: Arc<[JoinHandle<()>; 2]>,
}

impl Program {
    pub fn start() -> Self {
        let profile = TempDir::new().expect("a folder");
        let child = Command::new("chromium")
            .args(["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            // It runs as root where tests do, and sees pages of our own only.
            .args(["--no-sandbox", "--window-size=1440,900", "--remote-debugging-port=0"])
            // Windows behind others stay as awake as the one in front.
            .args(["--disable-background-timer-throttling", "--disable-renderer-backgrounding"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Chromium; `apt-get install chromium` installs it, and so does scripts/test");
        Self { child, profile }
    }

    /// Where it listens, once it says so.
    pub async fn address(&self) -> String {
        let file = self.profile.path().join("DevToolsActivePort");
        let written = async {
            loop {
                let lines: Vec<String> = match std::fs::read_to_string(&file) {
                    Ok(text) => text.lines().map(str::to_owned).collect(),
                    Err(_) => Vec::new(),
                };
                if let [port, path] = lines.as_slice() {
                    return format!("ws://127.0.0.1:{port}{path}");
                }
                tokio::task::yield_now().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, written).await.expect("Chromium says where it listens")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Devtools {
    pub async fn connect(address: &str) -> Self {
        let (socket, _) = connect_async(address).await.expect("a connection to Chromium");
        let (mut sink, mut stream) = socket.split();
        let (out, mut queue) = mpsc::unbounded_channel::<Message>();
        let (events, _) = broadcast::channel(4_096);
        let waiting = Waiting::default();
        let (answered, told) = (Arc::clone(&waiting), events.clone());
        let sender = tokio::spawn(async move {
            while let Some(message) = queue.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
        });
        let hearer = tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let Ok(text) = message.into_text() else { continue };
                let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
                let found = message["id"].as_u64().and_then(|id| answered.lock().remove(&id));
                match found {
                    Some(asker) => drop(asker.send(message)),
                    None => drop(told.send(message)),
                }
            }
            answered.lock().clear();
        });
        let next = Arc::new(AtomicU64::new(1));
        Self { out, waiting, events, next, _tasks: Arc::new([sender, hearer]) }
    }

    /// Calls a method, of the program or of one window; the error is what it says.
    pub async fn call(&self, window: Option<&str>, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (asker, answer) = oneshot::channel();
        self.waiting.lock().insert(id, asker);
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(window) = window {
            message["sessionId"] = json!(window);
        }
        self.out.send(Message::text(message.to_string())).expect("Chromium listens");
        let answer = timeout(PATIENCE * 2, answer).await.unwrap_or_else(|_| panic!("{method}: no answer"));
        let mut answer = answer.unwrap_or_else(|_| panic!("{method}: Chromium is gone"));
        if answer["error"].is_null() { Ok(answer["result"].take()) } else { Err(answer["error"].take()) }
    }

    /// What happens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Value> {
        self.events.subscribe()
    }
}

/// The next event of this name in a window.
pub async fn event(heard: &mut broadcast::Receiver<Value>, window: &str, name: &str) -> Value {
    let next = async {
        loop {
            let event = heard.recv().await.expect("events");
            if event["method"] == name && event["sessionId"] == window {
                return event["params"].clone();
            }
        }
    };
    timeout(PATIENCE, next).await.unwrap_or_else(|_| panic!("{name} never happened"))
}
