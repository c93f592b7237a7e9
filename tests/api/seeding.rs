//! `GITHUB_REPOSITORIES`: seeds an empty table of the real program, and nothing else.

use github_sim::Sim;
use serde_json::Value;

use crate::{
    API, WEB, each, each_db,
    support::{TestDb, app::send, child},
};

/// The program over this database.
#[expect(clippy::disallowed_types, reason = "the tests start the program")]
fn program(home: &std::path::Path, db: &TestDb, sim: &Sim, repositories: &str) -> std::process::Command {
    let mut command = child::dispatch(home);
    command.env("DATABASE_URL", db.url()).env("GITHUB_API_URL", sim.url()).env("GITHUB_TOKEN", sim.token());
    command.env("GITHUB_REPOSITORIES", repositories);
    command
}

async fn tracked(server: &child::Server) -> Value {
    send(server.request("GET", "/api/automation/repos")).await.expect(200)
}

each_db! {
    async fn commas_and_newlines_seed_an_empty_table_once(db) {
        let (sim, home) = (Sim::start().await, tempfile::TempDir::new().unwrap());
        for name in [API, WEB, "acme/third"] {
            sim.create_repo(name);
        }
        let list = " acme/web,, acme/api\n\n,ACME/API\r\nacme/third ,\n";
        let mut server = child::Server::start(program(home.path(), &db, &sim, list));
        let repos = tracked(&server).await;
        assert_eq!(each(&repos, "fullName"), [API, "acme/third", WEB]);
        assert_eq!(each(&repos, "source"), ["env", "env", "env"]);
        let beat = server.beat("coder").await.expect("an answer").expect(200);
        assert_eq!(beat["status"], "ok", "{beat}");
        for name in [API, WEB] {
            send(server.request("DELETE", &format!("/api/automation/repos/{name}"))).await.expect(200);
        }
        assert_eq!(server.terminate(), Some(0));
        // One row is enough for the variable to be ignored.
        let mut server = child::Server::start(program(home.path(), &db, &sim, "acme/api,acme/new"));
        assert_eq!(each(&tracked(&server).await, "fullName"), ["acme/third"]);
        send(server.request("DELETE", "/api/automation/repos/acme/third")).await.expect(200);
        assert_eq!(server.terminate(), Some(0));
        // What was untracked by hand stays so.
        let mut server = child::Server::start(program(home.path(), &db, &sim, "acme/api"));
        assert_eq!(each(&tracked(&server).await, "fullName"), Vec::<String>::new());
        assert_eq!(server.terminate(), Some(0));
    }

    async fn a_bad_name_refuses_the_start_with_the_reason(db) {
        let (sim, home) = (Sim::start().await, tempfile::TempDir::new().unwrap());
        for (list, reason) in [
            ("acme/api,acme", "\"acme\": write it as owner/name"),
            ("a/b/c", "\"a/b/c\": write it as owner/name"),
            ("acme/api\nac me/web", "\"ac me/web\": the owner is 1 to 39"),
            ("acme/", "\"acme/\": the name is 1 to 100"),
        ] {
            let output = program(home.path(), &db, &sim, list).arg("serve").output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{list:?}: {text}");
            assert!(text.contains("GITHUB_REPOSITORIES") && text.contains(reason), "{list:?}: {text}");
            assert!(text.contains("for example GITHUB_REPOSITORIES="), "{text}");
        }
    }
}
