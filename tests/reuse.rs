//! One verb for one thing: whoever wants an issue read comes by the same functions; and what is banned where.

#[cfg(feature = "failpoints")]
mod support;

/// Bans of `clippy.toml`: all that starts programs or touches files, wherever it may be called.
const BANNED: [&str; 28] = [
    "std::process::Command",
    "tokio::process::Command",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::read_dir",
    "std::fs::write",
    "std::fs::copy",
    "std::fs::rename",
    "std::fs::create_dir",
    "std::fs::create_dir_all",
    "std::fs::remove_file",
    "std::fs::remove_dir",
    "std::fs::remove_dir_all",
    "std::fs::File::open",
    "std::fs::File::create",
    "std::fs::OpenOptions::open",
    "std::fs::DirBuilder::create",
    "tokio::fs::read",
    "tokio::fs::read_to_string",
    "tokio::fs::read_dir",
    "tokio::fs::write",
    "tokio::fs::copy",
    "tokio::fs::rename",
    "tokio::fs::create_dir_all",
    "tokio::fs::remove_file",
    "tokio::fs::File::open",
    "tokio::fs::File::create",
    "tokio::fs::OpenOptions::open",
];

#[test]
fn clippy_bans_programs_and_files_with_a_reason() {
    let rules = include_str!("../clippy.toml");
    for name in BANNED {
        let rule = rules.lines().find(|line| line.contains(&format!("path = \"{name}\"")));
        let rule = rule.unwrap_or_else(|| panic!("clippy.toml does not ban {name}"));
        assert!(rule.contains("reason = \""), "{rule}");
    }
}

#[cfg(feature = "failpoints")]
mod poisoned {
    use serde_json::{Value, json};

    use super::{
        each_db,
        support::{App, AppBuilder, world},
    };

    const API: &str = "acme/api";

    /// A repository with an issue that is cached, changed at GitHub, and not yet read again.
    async fn changed(db: super::support::TestDb) -> App {
        let app = AppBuilder { repos: vec![API.into()], ..AppBuilder::default() }.start(db).await;
        app.sim.repo(API).open_issue("One");
        app.beat("coder").await;
        app.tick();
        app.sim.repo(API).set_title(1, "Changed");
        app
    }

    async fn sync(app: &App) -> Value {
        app.tick();
        app.post("/api/sync", json!({})).await.expect(200)
    }

    async fn scheduled(app: &App) -> Value {
        app.tick();
        app.post("/api/sync/scheduled", json!({})).await.expect(200)
    }

    async fn refresh(app: &App) -> u16 {
        app.post("/api/issues/refresh", json!({ "repoFullName": API, "issueNumber": 1 })).await.status
    }

    /// Asserts that all who read a repository whole fail, and say the same of why.
    async fn assert_reads_fail(app: &App, what: &str) {
        let beat = app.next_beat("coder").await;
        assert_eq!(beat["status"], "error", "{beat}");
        assert!(
            beat["warnings"][0]
                .as_str()
                .or(beat["errors"][0].as_str())
                .is_some_and(|text| text.contains(what)),
            "{beat}"
        );
        let synced = sync(app).await;
        assert_eq!((&synced["success"], &synced["syncedCount"]), (&json!(false), &json!(0)));
        assert!(synced["results"][0]["error"].as_str().is_some_and(|text| text.contains(what)), "{synced}");
        let synced = scheduled(app).await;
        assert!(
            synced["issues"]["results"][0]["error"].as_str().is_some_and(|text| text.contains(what)),
            "{synced}"
        );
    }

    async fn assert_all_work(app: &App) {
        assert_eq!(app.next_beat("coder").await["status"], "ok");
        assert_eq!(sync(app).await["success"], true);
        assert_eq!(scheduled(app).await["issues"]["results"][0]["error"], json!(null));
        assert_eq!(refresh(app).await, 200);
        world::assert_same(app, API).await;
    }

    each_db! {
        async fn whoever_reads_a_repository_comes_by_one_read(db) {
            let app = changed(db).await;
            fail::cfg("sync.read", "return").expect("a failpoint");
            assert_reads_fail(&app, "the read ended by a fault of Dispatch itself").await;
            assert_eq!(app.get("/api/issues").await.expect(200)[0]["title"], "One");
            fail::remove("sync.read");
            assert_all_work(&app).await;
        }

        async fn whoever_changes_the_cache_comes_by_one_apply(db) {
            let app = changed(db).await;
            fail::cfg("sync.apply", "return").expect("a failpoint");
            assert_reads_fail(&app, "a statement failed").await;
            assert_eq!(refresh(&app).await, 503);
            assert_eq!(app.get("/api/issues").await.expect(200)[0]["title"], "One");
            fail::remove("sync.apply");
            assert_all_work(&app).await;
        }

        async fn whoever_changes_the_cache_reconciles_it(db) {
            let app = changed(db).await;
            fail::cfg("reconcile", "return").expect("a failpoint");
            assert_reads_fail(&app, "a statement failed").await;
            assert_eq!(refresh(&app).await, 503);
            fail::remove("reconcile");
            assert_all_work(&app).await;
        }
    }
}
