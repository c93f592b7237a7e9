//! What is wrong with a database, as far as its driver tells.

use std::io::ErrorKind;

use sqlx::error::DatabaseError;

use super::Error;

/// Why a step of an examination failed. Holds no text of the driver: that may repeat the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The address cannot be read.
    Address,
    /// The host's name has no address.
    Name,
    /// Nothing listens there.
    Refused,
    Unreachable,
    /// Answered, but not as PostgreSQL does.
    Stranger,
    Tls,
    TimedOut,
    /// Wrong user or password.
    Login,
    NoSuchDatabase,
    /// Starting up, shutting down, or no connection is free.
    Unready,
    /// SQLite cannot open the file or one of its companions.
    CannotOpen,
    NotADatabase,
    Damaged,
    /// Another program has been writing all the while.
    Busy,
    ReadOnly,
    Full,
    /// The user lacks a right.
    Forbidden,
    /// Anything else, with the database's code.
    Other {
        code: Option<String>,
    },
}

impl Fault {
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Database(error) => Self::told(error.as_ref()),
            Error::Io(error) => match error.kind() {
                // The second is a socket in the file system.
                ErrorKind::ConnectionRefused | ErrorKind::NotFound => Self::Refused,
                ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Self::Unreachable,
                ErrorKind::TimedOut => Self::TimedOut,
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => Self::Stranger,
                ErrorKind::PermissionDenied => Self::Forbidden,
                // It has no kind of its own.
                _ if error.to_string().starts_with("failed to lookup address") => Self::Name,
                _ => Self::Other { code: error.raw_os_error().map(|code| code.to_string()) },
            },
            Error::Tls(_) => Self::Tls,
            Error::Protocol(_) => Self::Stranger,
            Error::PoolTimedOut => Self::TimedOut,
            Error::Configuration(_) => Self::Address,
            _ => Self::Other { code: None },
        }
    }

    /// By the code: SQLite's are numbers, whose low byte is the kind; PostgreSQL's have five characters
    /// (sqlite.org/rescode.html, postgresql.org/docs/current/errcodes-appendix.html).
    fn told(error: &dyn DatabaseError) -> Self {
        let Some(code) = error.code() else { return Self::Other { code: None } };
        Self::coded(&code)
    }

    fn coded(code: &str) -> Self {
        let sqlite = (code.len() < 5).then(|| code.parse::<u32>().ok()).flatten();
        match sqlite.map(|code| code & 0xff) {
            Some(5 | 6) => return Self::Busy,
            Some(8) => return Self::ReadOnly,
            Some(11) => return Self::Damaged,
            Some(13) => return Self::Full,
            Some(3 | 14 | 23) => return Self::CannotOpen,
            Some(26) => return Self::NotADatabase,
            _ => {}
        }
        match code {
            "28000" | "28P01" => Self::Login,
            "3D000" => Self::NoSuchDatabase,
            "53100" => Self::Full,
            "53300" | "57P01" | "57P02" | "57P03" => Self::Unready,
            "25006" => Self::ReadOnly,
            "42501" => Self::Forbidden,
            "57014" => Self::TimedOut,
            _ => Self::Other { code: Some(code.to_owned()) },
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::of(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        let cases = [
            ("5", Fault::Busy),
            ("517", Fault::Busy),
            ("8", Fault::ReadOnly),
            ("776", Fault::ReadOnly),
            ("13", Fault::Full),
            ("14", Fault::CannotOpen),
            ("26", Fault::NotADatabase),
            ("25006", Fault::ReadOnly),
            ("28P01", Fault::Login),
            ("53100", Fault::Full),
            ("42501", Fault::Forbidden),
            ("22012", Fault::Other { code: Some("22012".to_owned()) }),
        ];
        for (code, want) in cases {
            assert_eq!(Fault::coded(code), want, "{code}");
        }
    }
}
