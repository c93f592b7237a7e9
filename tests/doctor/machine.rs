//! What lies on this machine: variables, files, the port, tokens.

use std::{
    fs::{Permissions, set_permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use github_sim::Permission;

use crate::{
    Setup,
    support::{child::Server, child::dispatch},
    write,
};

fn chmod(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_variable_is_named_and_the_rest_is_looked_at() {
    let mut setup = Setup::new().await;
    setup.set("PORT", "70000");
    setup.set("GITHUB_REPOSITORIES", "acme");
    setup.set("DISPATCH_GITHUB_CONCURRENCY", "0");
    setup.set("DISPATCH_HEARTBEAT_DEADLINE_MS", "soon");
    setup.set("DISPATCH_AGENT_TOKN", "x");
    let found = setup.examine().await;
    for variable in
        ["PORT", "GITHUB_REPOSITORIES", "DISPATCH_GITHUB_CONCURRENCY", "DISPATCH_HEARTBEAT_DEADLINE_MS"]
    {
        found.says("configuration", "error", variable);
    }
    found.says("configuration", "warning", "did you mean DISPATCH_AGENT_TOKEN?");
    found.says("database", "ok", "the first start makes the file");
    assert!(found.lines("port").is_empty(), "which one cannot be known");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_is_an_exit_code_only_when_asked_for() {
    let mut setup = Setup::new().await;
    setup.set("DISPATCH_AGENT_TOKEN", "short");
    setup.set("DISPATCH_OIDC_ISSUER", "https://id.example.org");
    let found = setup.examine().await;
    found.says("tokens", "warning", "1 maintainer token(s) shorter");
    found.says("configuration", "warning", "not built yet");
    assert_eq!(setup.run(&["--strict"]).await.0, Some(1));
    setup.unset("DISPATCH_AGENT_TOKEN");
    setup.examine().await.says("tokens", "ok", "the first start makes one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_is_there_or_can_be_made_and_is_closed() {
    let mut setup = Setup::new().await;
    let data = setup.data();
    std::fs::create_dir(&data).expect("made");
    for (mode, status, words) in [
        (0o700, "ok", "closed to others"),
        (0o755, "warning", "(mode 0755)"),
        (0o777, "error", "anybody may replace the files in it (mode 0777)"),
    ] {
        chmod(&data, mode);
        setup.examine().await.says("data_directory", status, words);
    }
    write(&setup.home.path().join("file"), "");
    for path in ["file", "file/data"] {
        let path = setup.home.path().join(path).display().to_string();
        setup.set("DISPATCH_DATA_DIR", &path);
        let found = setup.examine().await;
        found.says("data_directory", "error", "a file stands where a directory should be");
        found.says("data_directory", "error", &path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_others_may_read_are_named() {
    let mut setup = Setup::new().await;
    let (data, key) = (setup.data(), setup.home.path().join("app.pem"));
    let app = setup.sim.create_app(7);
    let installation = app.install("acme", Permission::Write);
    write(&key, app.private_key_pem());
    write(&data.join("admin-token"), "dsp_x");
    write(&data.join("dispatch.db"), "");
    setup.set("GITHUB_APP_ID", "7");
    setup.set("GITHUB_APP_INSTALLATION_ID", installation.to_string());
    setup.set("GITHUB_APP_PRIVATE_KEY_PATH", key.display().to_string());
    setup.unset("GITHUB_TOKEN");
    let files = [data.join("admin-token"), data.join("dispatch.db"), key];
    let modes = async |folder, file| {
        chmod(&data, folder);
        for path in &files {
            chmod(path, file);
        }
        setup.examine().await
    };
    let open = modes(0o755, 0o644).await;
    open.says("admin_token", "error", "(mode 0644)");
    open.says("database_file", "warning", "(mode 0644)");
    open.says("key_file", "warning", "(mode 0644)");
    assert_eq!(modes(0o700, 0o600).await.troubles(), [], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_free_or_it_is_said_what_is_there() {
    let mut setup = Setup::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = (silent.local_addr().expect("its number").to_string(), silent);
    let github = setup.sim.url().replace("http://", "");
    for (bind, status, words) in [
        (silent.0.as_str(), "error", "another program listens there"),
        (github.as_str(), "error", "another program listens there"),
        ("192.0.2.1:0", "error", "does not have that address"),
        ("0.0.0.0:0", "warning", "plain HTTP"),
    ] {
        setup.set("DISPATCH_BIND", bind);
        let found = setup.examine().await;
        found.says("port", status, words);
        found.says("port", status, bind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_beside_a_live_server_and_disturbs_nothing() {
    let mut setup = Setup::new().await;
    let mut command = dispatch(setup.home.path());
    command.envs(setup.variables.iter().cloned());
    let server = tokio::task::spawn_blocking(|| Server::start(command)).await.expect("it starts");
    assert_eq!(server.beat("coder").await.expect("an answer").status, 200);
    setup.set("DISPATCH_BIND", server.url.replace("http://", ""));
    // Known to the database alone.
    setup.unset("GITHUB_REPOSITORIES");
    let doctors = futures_util::future::join_all((0..4).map(|_| setup.examine()));
    let beats = futures_util::future::join_all((0..4).map(|_| server.beat("coder")));
    let (doctors, beats) = tokio::join!(doctors, beats);
    for found in doctors {
        found.says("database", "ok", "in use by a running server");
        found.says("database_tables", "ok", "up to date");
        found.says("port", "ok", "runs here already");
        found.says("repository", "ok", "acme/api");
        assert_eq!(found.troubles(), [], "{:#}", found.0);
    }
    for beat in beats {
        assert_eq!(beat.expect("an answer").expect(200)["status"], "ok");
    }
    drop(server);
    setup.examine().await.says("database", "ok", "not in use");
}
