//! `dispatch demo`: what it shows, and that nothing of it is left, however it ends.

use std::{
    io::{BufRead as _, BufReader, Lines},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdout, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    err, home, out, run,
    support::child::{dispatch, end_of},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_beats_and_changes_and_leaves_nothing() {
    let home = home();
    let temp = TempDir::new().expect("a folder for temporary files");
    let temp_path = temp.path().to_str().expect("its name").to_owned();
    // Nothing listens at that proxy, and the demo needs none.
    let environment = [("TMPDIR", temp_path.as_str()), ("ALL_PROXY", "http://127.0.0.1:9")];
    let output = run(home.path(), &environment, &["demo", "--seconds", "9"]).await;
    assert!(output.status.success(), "{}", err(&output));
    let text = out(&output);
    let summary = text.lines().rev().find(|line| line.contains("heartbeats on record")).expect("a summary");
    let count = |words: &str| -> u64 {
        let before = summary.split(words).next().expect("a part").trim_end();
        before.rsplit([' ', ';', ',', ':']).next().expect("a number").parse().expect("a number")
    };
    assert!(
        count("heartbeats on record") >= 6 && count("ok") >= 5 && count("times an issue") >= 60,
        "{summary}"
    );
    assert!(text.contains("acme/repo-01/issues/") && text.contains("agent-3"), "{text}");
    assert_eq!(std::fs::read_dir(temp.path()).expect("readable").count(), 0, "the folder is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_speaks_json() {
    let (home, temp) = (home(), TempDir::new().expect("a folder"));
    let environment = [("TMPDIR", temp.path().to_str().expect("its name"))];
    let output = run(home.path(), &environment, &["demo", "--seconds", "2", "--json"]).await;
    assert!(output.status.success(), "{}", err(&output));
    let text = out(&output);
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let name = |event: &Value| event["event"].as_str().expect("a name").to_owned();
    assert_eq!(name(&events[0]), "started");
    assert_eq!(name(&events[events.len() - 1]), "ended");
    let beats = events.iter().filter(|event| name(event) == "heartbeat").count();
    assert!(beats >= 3 && events[1]["answer"]["runId"].is_string(), "{text}");
    assert_eq!(events[events.len() - 1]["heartbeats"]["all"].as_u64(), u64::try_from(beats).ok());
}

/// A demo in a process group of its own, after its first heartbeat.
struct Demo {
    child: Child,
    words: Option<Lines<BufReader<ChildStdout>>>,
    temp: TempDir,
    _home: TempDir,
}

impl Demo {
    fn start() -> Self {
        let (home, temp) = (home(), TempDir::new().expect("a folder for temporary files"));
        let mut command = dispatch(home.path());
        command.env("TMPDIR", temp.path()).arg("demo").stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().expect("it starts");
        let mut words = BufReader::new(child.stdout.take().expect("its output")).lines();
        let beat = words.by_ref().map_while(Result::ok).find(|line| line.contains("agent-"));
        assert!(beat.is_some(), "a demo beats");
        assert_eq!(names(temp.path()).len(), 1, "it has a folder");
        assert_eq!(processes(temp.path()).len(), 2, "it has a process beside it");
        Self { child, words: Some(words), temp, _home: home }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until neither a process nor the folder is left; panics after 20 s.
    fn assert_gone(mut self) -> Option<i32> {
        let status = end_of(&mut self.child, Duration::from_secs(20));
        let began = Instant::now();
        loop {
            let left = (names(self.temp.path()), processes(self.temp.path()));
            if left == (Vec::new(), Vec::new()) {
                return status.code();
            }
            assert!(began.elapsed() < Duration::from_secs(20), "left behind: {left:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("readable");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// Living processes that were started with this folder for temporary files.
fn processes(temp: &Path) -> Vec<String> {
    let mark = format!("TMPDIR={}", temp.display());
    let all = std::fs::read_dir("/proc").expect("Linux").flatten().map(|entry| entry.path());
    let ours = all.filter(|process| {
        // It may end while we look; one that ended and was not waited for has no environment.
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes())
    });
    ours.map(|process| process.display().to_string()).collect()
}

#[test]
fn a_stopped_demo_leaves_no_process_and_no_folder() {
    let demo = Demo::start();
    kill_process(demo.pid(), Signal::TERM).expect("sent");
    assert_eq!(demo.assert_gone(), Some(0), "SIGTERM is a way to end it");
    let demo = Demo::start();
    // As a terminal does at Ctrl-C: to all of the group.
    kill_process_group(demo.pid(), Signal::INT).expect("sent");
    assert_eq!(demo.assert_gone(), Some(0), "Ctrl-C is a way to end it");
}

#[test]
fn a_killed_demo_leaves_no_process_and_no_folder() {
    let demo = Demo::start();
    kill_process(demo.pid(), Signal::KILL).expect("sent");
    assert_eq!(demo.assert_gone(), None, "killed");
    let demo = Demo::start();
    kill_process_group(demo.pid(), Signal::KILL).expect("sent");
    assert_eq!(demo.assert_gone(), None, "killed, and all of its group");
    // As a terminal does that is closed.
    let demo = Demo::start();
    kill_process_group(demo.pid(), Signal::HUP).expect("sent");
    assert_eq!(demo.assert_gone(), None, "hung up");
}

#[test]
fn a_demo_that_nobody_reads_any_more_ends() {
    let mut demo = Demo::start();
    demo.words = None;
    assert_eq!(demo.assert_gone(), Some(0), "as with `dispatch demo | head`");
}

/// Where all that belongs to a demo is killed at once, its folder waits for the next demo.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_could_remove_goes_with_the_next_demo() {
    let (home, temp) = (home(), TempDir::new().expect("a folder"));
    let left = temp.path().join("dispatch-demo-left");
    std::fs::create_dir(&left).expect("made");
    std::fs::write(left.join("dispatch.lock"), "").expect("written");
    let other = temp.path().join("dispatch-other");
    std::fs::create_dir(&other).expect("made");
    let environment = [("TMPDIR", temp.path().to_str().expect("its name"))];
    let next = run(home.path(), &environment, &["demo", "--seconds", "1"]).await;
    assert!(next.status.success(), "{}", err(&next));
    assert_eq!(names(temp.path()), ["dispatch-other"], "nothing else is touched");
    let wrong =
        run(home.path(), &environment, &["demo", "--clear-away", other.to_str().expect("UTF-8")]).await;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(other.exists(), "only folders of demos are removed");
}
