//! The database: there, up to date, writable, and of the same time.

use std::{path::Path, time::Duration};

use secrecy::ExposeSecret as _;

use super::report::{Check, Line, Report};
use crate::{
    cli::data_dir,
    clock::Clock,
    config::Database,
    domain::{repo::RepoName, time::ahead_by},
    store::{
        Db,
        db::Dialect,
        examine::{self, Fault, Tables, patiently},
        instances, tokens,
    },
};

mod wording;

use wording::{fault, tables};

/// Clocks that differ by more are worth a word.
const SKEW_WARNING: i64 = 2_000;
/// A process counts as dead when its row was not renewed for so long.
const SKEW_ERROR: i64 = 30_000;

/// What the database told beside its state.
#[derive(Default)]
pub struct Seen {
    pub tracked: Vec<RepoName>,
    /// Whether an earlier start made a maintainer's token; nothing where it cannot be known.
    pub has_maintainer: Option<bool>,
}

pub async fn check(database: &Database, clock: &Clock, report: &mut Report) -> Seen {
    let opened = match database {
        Database::Sqlite { file, directory } => sqlite(file, directory, report).await,
        Database::Postgres { url } => postgres(url.expose_secret(), clock, report).await,
    };
    let Some(db) = opened else { return Seen::default() };
    let state = patiently(async { examine::tables(&mut db.read_once().await?).await }).await;
    let seen = match state {
        Ok(state) => {
            report.add(tables(state));
            writing(&db, state, report).await;
            look(&db, state).await
        }
        Err(error) => {
            report.add(fault(Check::DatabaseTables, &error, db.dialect()));
            Seen::default()
        }
    };
    let close = async {
        db.close().await;
        Ok(())
    };
    // A connection that hangs ends with the process.
    let _ = patiently(close).await;
    seen
}

async fn sqlite(file: &Path, directory: &Path, report: &mut Report) -> Option<Db> {
    let shown = file.display().to_string();
    if matches!(file.try_exists(), Ok(false)) {
        report.add(Line::ok(Check::Database, "SQLite; the first start makes the file").about(shown));
        return None;
    }
    let opened = async {
        let db = Db::examine_sqlite(file).await?;
        // Only reading tells whether it is a database at all.
        patiently(async { examine::tables(&mut db.read_once().await?).await }).await.map(|_| db)
    };
    match opened.await {
        Ok(db) => {
            let used = match data_dir::is_in_use(directory) {
                Some(true) => ", in use by a running server",
                Some(false) => ", not in use",
                None => "",
            };
            report.add(Line::ok(Check::Database, format!("SQLite{used}")).about(shown));
            Some(db)
        }
        Err(error) => {
            report.add(fault(Check::Database, &error, Dialect::Sqlite).about(shown));
            None
        }
    }
}

async fn postgres(url: &str, clock: &Clock, report: &mut Report) -> Option<Db> {
    let host = wording::host(url);
    let failed = |error: &Fault| fault(Check::Database, error, Dialect::Postgres).about(host.clone());
    let db = match Db::examine_postgres(url).await {
        Ok(db) => db,
        Err(error) => {
            report.add(failed(&error));
            return None;
        }
    };
    let told = patiently(async { examine::postgres(&mut db.read_once().await?).await }).await;
    match told {
        Ok(told) => report.add(wording::server(&told, living(&db, clock).await).about(host)),
        Err(error) => {
            report.add(failed(&error));
            return None;
        }
    }
    compare_clocks(&db, clock, report).await;
    Some(db)
}

/// How many servers use it, where that can be read.
async fn living(db: &Db, clock: &Clock) -> Option<i64> {
    let count = async { instances::count_living(&mut db.read_once().await?, clock.now()).await };
    patiently(count).await.ok().filter(|count| *count > 0)
}

async fn compare_clocks(db: &Db, clock: &Clock, report: &mut Report) {
    let ask = async {
        let mut tx = db.read_once().await?;
        let asked = clock.now();
        Ok((asked, examine::postgres_time(&mut tx).await?, clock.now()))
    };
    // Where it fails, other lines say why.
    if let Ok((asked, told, heard)) = patiently(ask).await {
        report.add(skew(Check::DatabaseClock, ahead_by(told, Duration::from_millis(1), asked, heard)));
    }
}

/// What to say of a clock that is ahead of ours by so many milliseconds.
pub fn skew(check: Check, ahead: i64) -> Line {
    let size = ahead.saturating_abs();
    if size <= SKEW_WARNING {
        return Line::ok(check, "agrees with this machine's");
    }
    let seconds = size / 1_000;
    let where_it_is = if ahead > 0 { "behind" } else { "ahead" };
    let what = format!("this machine's is {seconds} s {where_it_is} of it");
    let remedy = "set the clocks by NTP";
    if size > SKEW_ERROR { Line::error(check, what, remedy) } else { Line::warning(check, what, remedy) }
}

async fn writing(db: &Db, state: Tables, report: &mut Report) {
    let (has_tables, needs_create) = match state {
        Tables::Behind { by } => (true, by > 0),
        Tables::None => (false, true),
        // The line about the tables says enough.
        Tables::Foreign | Tables::Ahead { .. } | Tables::Broken => return,
    };
    let tried = patiently(async { examine::try_write(db, has_tables).await }).await;
    let line = match tried {
        Err(error) => fault(Check::DatabaseWriting, &error, db.dialect()),
        Ok(()) if needs_create && db.dialect() == Dialect::Postgres => {
            let told = patiently(async { examine::postgres(&mut db.read_once().await?).await }).await;
            match told {
                Ok(told) => wording::creation(&told),
                Err(error) => fault(Check::DatabaseWriting, &error, Dialect::Postgres),
            }
        }
        Ok(()) => Line::ok(Check::DatabaseWriting, "it can be written"),
    };
    report.add(line);
}

/// What is tracked, and whether there is a token; nothing of that is a check of its own.
async fn look(db: &Db, state: Tables) -> Seen {
    if matches!(state, Tables::None | Tables::Foreign) {
        return Seen::default();
    }
    let tracked = async { examine::tracked(&mut db.read_once().await?).await };
    let maintainer = async { tokens::any_maintainer(&mut db.read_once().await?).await };
    Seen {
        tracked: patiently(tracked).await.unwrap_or_default(),
        has_maintainer: patiently(maintainer).await.ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::report::Status, *};
    use crate::store::examine::Postgres;

    #[test]
    fn clocks_may_differ_a_little() {
        let of = |ahead| skew(Check::DatabaseClock, ahead);
        assert_eq!((of(0).status, of(-2_000).status), (Status::Ok, Status::Ok));
        assert_eq!((of(2_001).status, of(-30_000).status), (Status::Warning, Status::Warning));
        assert_eq!((of(30_001).status, of(-90_000).status), (Status::Error, Status::Error));
        assert!(of(90_500).message.contains("90 s behind") && of(-90_500).message.contains("90 s ahead"));
    }

    #[test]
    fn a_server_that_cannot_serve_is_an_error() {
        let good = Postgres {
            version: 160_002,
            is_standby: false,
            is_read_only: false,
            schema: Some("public".to_owned()),
            may_create: true,
        };
        assert_eq!(wording::server(&good, Some(2)).status, Status::Ok);
        let cases = [
            (Postgres { version: 130_014, ..good.clone() }, "PostgreSQL 13 is too old"),
            (Postgres { is_standby: true, is_read_only: true, ..good.clone() }, "standby"),
            (Postgres { is_read_only: true, ..good.clone() }, "read-only"),
        ];
        for (told, words) in cases {
            let line = wording::server(&told, None);
            assert!(line.status == Status::Error && line.message.contains(words), "{line:?}");
        }
        let nowhere = Postgres { schema: None, may_create: false, ..good.clone() };
        let barred = Postgres { may_create: false, ..good.clone() };
        for (told, words) in [(nowhere, "search path"), (barred, "may not make tables")] {
            let line = wording::creation(&told);
            assert!(line.status == Status::Error && line.message.contains(words), "{line:?}");
        }
        assert_eq!(wording::creation(&good).status, Status::Ok);
    }
}
