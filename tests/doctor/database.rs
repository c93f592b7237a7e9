//! Databases that are not there, not ready, not ours, or of another time.

use std::{net::TcpListener, time::Instant};

use crate::{PASSWORD, Setup, each_db, support::TestDb, write};

impl Setup {
    async fn with(db: &TestDb) -> Self {
        let mut setup = Self::new().await;
        setup.set("DATABASE_URL", db.url());
        setup
    }
}

each_db! {
    async fn tables_are_behind_ahead_or_broken(db) {
        let setup = Setup::with(&db).await;
        db.open().await.close().await;
        let versions = "SELECT count(*) FROM _sqlx_migrations";
        let all = db.count(versions).await;
        let found = setup.examine().await;
        found.says("database_tables", "ok", "up to date");
        found.says("database_writing", "ok", "can be written");
        db.sql("DELETE FROM _sqlx_migrations WHERE version = 2").await;
        setup.examine().await.says("database_tables", "warning", "1 migration(s) behind");
        assert_eq!(db.count(versions).await, all - 1, "nothing is migrated");
        db.sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                VALUES (9999, 'later', TRUE, '00', 0)").await;
        setup.examine().await.says("database_tables", "error", "a newer Dispatch wrote them");
        db.sql("DELETE FROM _sqlx_migrations WHERE version = 9999").await;
        db.sql("UPDATE _sqlx_migrations SET success = FALSE").await;
        setup.examine().await.says("database_tables", "error", "broke off");
    }

    async fn tables_of_another_program_are_no_place_for_ours(db) {
        let setup = Setup::with(&db).await;
        if !db.is_postgres() {
            db.open().await.close().await;
            for table in db.texts("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'").await {
                db.sql(&format!("PRAGMA foreign_keys = OFF; DROP TABLE {table}")).await;
            }
            setup.examine().await.says("database_tables", "ok", "none yet");
        }
        db.sql("CREATE TABLE customers (id INTEGER)").await;
        setup.examine().await.says("database_tables", "error", "belong to another program");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_is_one_and_can_be_opened_and_written() {
    let setup = Setup::new().await;
    let file = setup.data().join("dispatch.db");
    write(&file, [b'x'; 8192]);
    setup.examine().await.says("database", "error", "not a SQLite database");
    std::fs::remove_file(&file).expect("removed");
    std::fs::create_dir(&file).expect("a directory in its place");
    setup.examine().await.says("database", "error", "cannot be opened");

    let db = TestDb::sqlite().await;
    let setup = Setup::with(&db).await;
    let open = db.open().await;
    let writer = open.write().await.expect("the write lock");
    setup.examine().await.says("database_writing", "error", "another program has been writing");
    drop(writer);
    open.close().await;
    assert_eq!(setup.examine().await.lines("database_writing")[0]["status"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_is_not_there_is_told_from_one_that_refuses() {
    let mut setup = Setup::new().await;
    let admin = std::env::var("DISPATCH_TEST_POSTGRES").expect("a PostgreSQL");
    let (server, _) = admin.rsplit_once('/').expect("a database");
    let github = setup.sim.url().replace("http://", "");
    let cases = [
        (format!("postgres://me:{PASSWORD}@127.0.0.1:9/x"), "nothing listens there"),
        (format!("postgres://me:{PASSWORD}@{github}/x"), "not PostgreSQL"),
        (format!("{server}/none_of_that_name"), "no such database"),
        (format!("{admin}?sslmode=verify-full"), "TLS could not be agreed on"),
        (format!("postgres://me:{PASSWORD}@[x/x"), "cannot be read"),
    ];
    for (url, words) in cases {
        setup.set("DATABASE_URL", url);
        let found = setup.examine().await;
        found.says("database", "error", words);
        found.says("github", "ok", "reachable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_never_answer_hold_nobody_up() {
    let mut setup = Setup::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_at = silent.local_addr().expect("its number");
    setup.set("DATABASE_URL", format!("postgres://me:{PASSWORD}@{silent_at}/x"));
    setup.set("GITHUB_API_URL", format!("http://{silent_at}"));
    setup.set("DISPATCH_GITHUB_TIMEOUT_MS", "86400000");
    let began = Instant::now();
    let found = setup.examine().await;
    assert!(began.elapsed().as_secs() < 45, "{:?}", began.elapsed());
    found.says("database", "error", "did not answer in time");
    found.says("github", "error", "did not answer in time");
}

/// PostgreSQL with more settings for each session.
fn with_options(db: &TestDb, options: &str) -> String {
    format!("{}{}", db.url(), options.replace(' ', "%20").replace('=', "%3D"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_session_that_only_reads_is_no_use() {
    let db = TestDb::postgres().await;
    db.open().await.close().await;
    let mut setup = Setup::with(&db).await;
    setup.set("DATABASE_URL", with_options(&db, " -cdefault_transaction_read_only=on"));
    let found = setup.examine().await;
    found.says("database", "error", "its sessions are read-only");
    found.says("database_writing", "error", "its sessions are read-only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_user_needs_rights() {
    let db = TestDb::postgres().await;
    let TestDb::Postgres { schema, .. } = &db else { panic!("PostgreSQL") };
    let role = format!("reader_{schema}");
    db.sql(&format!("DROP ROLE IF EXISTS {role}; CREATE ROLE {role}")).await;
    let mut setup = Setup::with(&db).await;
    setup.set("DATABASE_URL", with_options(&db, &format!(" -crole={role}")));
    setup.examine().await.says("database_writing", "error", "leads to no schema");
    db.sql(&format!("GRANT USAGE ON SCHEMA {schema} TO {role}")).await;
    setup.examine().await.says("database_writing", "error", "may not make tables");
    db.open().await.close().await;
    setup.examine().await.says("database_tables", "error", "lacks rights");
    db.sql(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")).await;
    let found = setup.examine().await;
    found.says("database_tables", "ok", "up to date");
    found.says("database_writing", "error", "lacks rights");
    db.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_token_needs_a_place_beside_postgres_too() {
    let db = TestDb::postgres().await;
    let mut setup = Setup::with(&db).await;
    setup.unset("DISPATCH_AGENT_TOKEN");
    setup.examine().await.says("tokens", "error", "no data directory to leave one in");
    std::fs::create_dir(setup.data()).expect("made");
    setup.examine().await.says("tokens", "ok", "the first start makes one");
    std::fs::remove_dir(setup.data()).expect("removed");
    db.open().await.close().await;
    db.sql("INSERT INTO tokens (id, hash, name, created_at, created_by) VALUES ('1', 'x', 'admin', 0, 'me')")
        .await;
    setup.examine().await.says("tokens", "ok", "an earlier start made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_of_another_time_is_told() {
    let db = TestDb::postgres().await;
    let TestDb::Postgres { schema, admin, .. } = &db else { panic!("PostgreSQL") };
    let mut setup = Setup::new().await;
    // Found before PostgreSQL's own.
    setup.set("DATABASE_URL", format!("{admin}?options=-csearch_path%3D{schema},pg_catalog"));
    for (ahead, status, words) in
        [("0", "ok", "agrees"), ("10", "warning", "s behind"), ("-90", "error", "s ahead")]
    {
        db.sql(&format!(
            "CREATE OR REPLACE FUNCTION {schema}.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
             'SELECT pg_catalog.clock_timestamp() + interval ''{ahead} seconds'''"
        ))
        .await;
        setup.examine().await.says("database_clock", status, words);
    }
}
