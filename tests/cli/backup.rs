//! `dispatch backup`: taken while the server writes, whole, and restorable.

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    assert_says, err, github, home, out, run, server,
    support::{self, child::Server},
};

/// Puts a copy into the place of the database of a server that has stopped.
fn restore(home: &std::path::Path, copy: &std::path::Path) {
    let data = home.join("data");
    for old in ["dispatch.db", "dispatch.db-wal", "dispatch.db-shm"] {
        let _ = std::fs::remove_file(data.join(old));
    }
    std::fs::rename(copy, data.join("dispatch.db")).expect("restored");
}

async fn runs(server: &Server) -> Vec<Value> {
    let answer = support::app::send(server.request("GET", "/api/agent-runs?limit=1000")).await.expect(200);
    answer.as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_server_can_be_restored() {
    let (home, sim) = (home(), github().await);
    let mut server = server(home.path(), &sim).await;
    assert_eq!(server.beat("coder").await.expect("an answer").status, 200);
    let file = home.path().join("copy.db");
    let name = file.to_str().expect("its name");
    let saved = run(home.path(), &[], &["backup", name]).await;
    assert!(saved.status.success(), "{}", err(&saved));
    let again = run(home.path(), &[], &["backup", name]).await;
    assert_says(&again, "exists already");
    sim.repo("acme/api").open_issue("Three");
    server.kill();
    restore(home.path(), &file);
    let server = crate::server(home.path(), &sim).await;
    assert_eq!(runs(&server).await.len(), 1);
    let beat = server.beat("coder").await.expect("an answer").expect(200);
    assert_eq!(
        (beat["status"].as_str(), beat["touchedIssueUrls"].as_array().map(Vec::len)),
        (Some("ok"), Some(1))
    );
    let nothing = TempDir::new().expect("another home");
    let none = run(nothing.path(), &[], &["backup", name]).await;
    assert_says(&none, "there is no database");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_writes_is_whole_and_holds_what_was_answered_before() {
    let (home, sim) = (home(), github().await);
    let mut server = server(home.path(), &sim).await;
    let file = home.path().join("copy.db");
    let name = file.to_str().expect("its name");
    let before: Vec<String> = beat_many(&server, "before").await;
    // Agents beat all the while.
    let arguments = ["backup", name, "--json"];
    let (saved, during) = tokio::join!(run(home.path(), &[], &arguments), beat_many(&server, "during"));
    assert!(saved.status.success(), "{}", err(&saved));
    let said: Value = serde_json::from_str(&out(&saved)).expect("JSON");
    let length = std::fs::metadata(&file).expect("the copy").len();
    assert_eq!((said["file"].as_str(), said["bytes"].as_u64()), (Some(name), Some(length)));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).expect("the copy").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "only its owner reads it");
    }
    server.kill();
    restore(home.path(), &file);
    let server = crate::server(home.path(), &sim).await;
    let restored = runs(&server).await;
    let is_there = |id: &String| restored.iter().any(|run| run["id"] == id.as_str());
    assert!(before.iter().all(is_there), "what was answered before the backup is in it");
    assert!(restored.iter().all(|run| run["status"] != "running"), "{restored:?}");
    assert!(restored.len() <= before.len() + during.len() + 1);
    let sound = server.beat("after").await.expect("an answer").expect(200);
    assert_eq!(sound["status"], "ok", "{sound}");
}

/// Runs of 20 heartbeats of several agents.
async fn beat_many(server: &Server, name: &str) -> Vec<String> {
    let agents: Vec<String> = (0..20).map(|n| format!("{name}-{n}")).collect();
    let beats = agents.iter().map(|agent| server.beat(agent));
    let answers = futures_util::future::join_all(beats).await;
    let ids = answers.into_iter().map(|answer| answer.expect("an answer").expect(200)["runId"].clone());
    ids.map(|id| id.as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_backed_up_says_so_and_leaves_no_file() {
    let (home, sim) = (home(), github().await);
    let _server = server(home.path(), &sim).await;
    let file = home.path().join("copy.db");
    let name = file.to_str().expect("its name");
    let secret = [("DATABASE_URL", "postgres://user:hunter2@127.0.0.1/none")];
    let postgres = run(home.path(), &secret, &["backup", name]).await;
    assert_says(&postgres, "pg_dump");
    assert!(!err(&postgres).contains("hunter2"));
    let nowhere = home.path().join("no/such/folder/copy.db");
    let nowhere = nowhere.to_str().expect("its name");
    assert_says(&run(home.path(), &[], &["backup", nowhere]).await, "cannot be written");
    // Something else lies where the database should be.
    let other = home.path().join("other.db");
    std::fs::write(&other, "this is no database, but long enough to look at ".repeat(100)).expect("written");
    let url = format!("sqlite://{}", other.display());
    let broken = run(home.path(), &[("DATABASE_URL", &url)], &["backup", name]).await;
    assert_says(&broken, "could not be copied");
    assert!(!file.exists(), "what is half written is removed");
}
