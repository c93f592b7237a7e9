//! Words for what a database says and for what is wrong with it; never its address, which may hold a password.

use url::Url;

use crate::{
    cli::doctor::report::{Check, Line},
    store::{
        db::Dialect,
        examine::{Fault, Postgres, Tables},
    },
};

/// The first version whose SQL suffices.
const OLDEST: i64 = 140_000;

/// Host and port of an address.
pub fn host(url: &str) -> String {
    let parsed = Url::parse(url).ok();
    let host = parsed.as_ref().and_then(Url::host_str).filter(|host| !host.is_empty());
    let port = parsed.as_ref().and_then(Url::port).unwrap_or(5432);
    host.map_or_else(|| "PostgreSQL".to_owned(), |host| format!("{host}:{port}"))
}

pub fn server(told: &Postgres, living: Option<i64>) -> Line {
    let version = told.version / 10_000;
    if told.version < OLDEST {
        let what = format!("PostgreSQL {version} is too old");
        return Line::error(Check::Database, what, "14 or later is needed");
    }
    if told.is_standby {
        let remedy = "let DATABASE_URL name the primary server";
        return Line::error(Check::Database, "a standby that only reads", remedy);
    }
    if told.is_read_only {
        let remedy = "turn default_transaction_read_only off for this user and database";
        return Line::error(Check::Database, "its sessions are read-only", remedy);
    }
    let used = match living {
        None => "not in use".to_owned(),
        Some(1) => "in use by a running server".to_owned(),
        Some(count) => format!("in use by {count} running servers"),
    };
    Line::ok(Check::Database, format!("PostgreSQL {version}, {used}"))
}

/// Can the tables that are missing be made?
pub fn creation(told: &Postgres) -> Line {
    match &told.schema {
        None => Line::error(
            Check::DatabaseWriting,
            "its search path leads to no schema, so there is no place for tables",
            "create the schema, or correct search_path",
        ),
        Some(_) if !told.may_create => Line::error(
            Check::DatabaseWriting,
            "the user may not make tables in the schema",
            "GRANT CREATE ON SCHEMA to it",
        ),
        Some(_) => Line::ok(Check::DatabaseWriting, "it can be written"),
    }
}

pub fn tables(state: Tables) -> Line {
    let check = Check::DatabaseTables;
    match state {
        Tables::None => Line::ok(check, "none yet; the first start makes them"),
        Tables::Behind { by: 0 } => Line::ok(check, "up to date"),
        Tables::Behind { by } => Line::warning(
            check,
            format!("{by} migration(s) behind this program"),
            "the next start brings them up to date; make a backup before",
        ),
        Tables::Ahead { by } => Line::error(
            check,
            format!("a newer Dispatch wrote them ({by} migration(s) that this one does not know)"),
            "run that version, or restore a backup",
        ),
        Tables::Broken => Line::error(
            check,
            "a migration broke off or was changed",
            "restore a backup, and report it if no migration was edited",
        ),
        Tables::Foreign => Line::error(
            check,
            "they belong to another program",
            "let DATABASE_URL name a database or schema of Dispatch's own",
        ),
    }
}

/// A fault with its remedy.
pub fn fault(check: Check, fault: &Fault, dialect: Dialect) -> Line {
    let is_file = dialect == Dialect::Sqlite;
    let network = "check the host and port in DATABASE_URL, and that the server runs";
    let (what, remedy) = match fault {
        Fault::Address => ("DATABASE_URL cannot be read", "write it as postgres://user:password@host/name"),
        Fault::Name => ("the host's name has no address", "check DATABASE_URL and this machine's DNS"),
        Fault::Refused => ("nothing listens there", network),
        Fault::Unreachable => ("no way leads there", network),
        Fault::Stranger => ("what answers there is not PostgreSQL", network),
        Fault::Tls => {
            ("TLS could not be agreed on", "check sslmode in DATABASE_URL, and the server's certificate")
        }
        Fault::TimedOut => ("it did not answer in time", network),
        Fault::Login => ("user or password were refused", "correct them in DATABASE_URL"),
        Fault::NoSuchDatabase => {
            ("there is no such database", "create it, or correct its name in DATABASE_URL")
        }
        Fault::Unready => {
            ("it takes no connection now", "wait until it has started, or raise max_connections")
        }
        Fault::CannotOpen => (
            "the file or one of its companions (-wal, -shm) cannot be opened",
            "check their permissions, and that each is a file",
        ),
        Fault::NotADatabase => (
            "the file is not a SQLite database",
            "move it away for a new start, or restore a backup in its place",
        ),
        Fault::Damaged => ("the file is damaged", "restore a backup"),
        Fault::Busy => (
            "another program has been writing to it for seconds",
            "end that program; only one server may use the file",
        ),
        Fault::ReadOnly if is_file => {
            ("the file cannot be written", "check its permissions and those of its directory")
        }
        Fault::ReadOnly => (
            "its sessions are read-only",
            "turn default_transaction_read_only off, and let DATABASE_URL name the primary server",
        ),
        Fault::Full => ("its disk is full", "make room there"),
        Fault::Forbidden => (
            "the user lacks rights on the tables",
            "let it own them, or GRANT SELECT, INSERT, UPDATE, DELETE on each",
        ),
        Fault::Other { code } => {
            let code = code.as_ref().map_or_else(String::new, |code| format!(" (code {code})"));
            return Line::error(check, format!("it failed{code}"), "see the database's own log");
        }
    };
    Line::error(check, what, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_all_that_is_shown_of_an_address() {
        assert_eq!(host("postgres://me:s3cret@db.example:5433/x?password=s3cret"), "db.example:5433");
        assert_eq!(host("postgres:///x?host=/run&password=s3cret"), "PostgreSQL");
        assert_eq!(host("postgres://me:s3cret@db/x"), "db:5432");
    }
}
