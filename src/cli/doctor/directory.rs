//! The data directory: there or to be made, writable, and closed to others.

use std::{
    fs::Metadata,
    io::{self, Write as _},
    path::Path,
};

use super::{
    report::{Check, Line, Report, Status},
    words,
};
use crate::config::{Database, Draft};

/// More than a page of the database, so that a full disk shows.
static TRIAL: [u8; 64 * 1024] = [0; 64 * 1024];

/// For SQLite the directory of its file; for PostgreSQL there is only the first token to leave.
pub fn check(draft: &Draft, report: &mut Report) {
    let directory = match &draft.database {
        Some(Database::Sqlite { directory, .. }) => Some(directory.as_path()),
        Some(Database::Postgres { .. }) | None => None,
    };
    if let Some(directory) = directory {
        for line in lines(directory) {
            report.add(line.about(directory.display().to_string()));
        }
    }
}

fn lines(directory: &Path) -> Vec<Line> {
    let found = match directory.metadata() {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return vec![missing(directory)],
        Err(error) => return vec![unusable(&error)],
    };
    if !found.is_dir() {
        return vec![unusable(&io::ErrorKind::NotADirectory.into())];
    }
    let ours = match try_to_write(directory) {
        Ok(ours) => ours,
        Err(error) => return vec![unusable(&error)],
    };
    let lines: Vec<Line> = doubts(&found, &ours);
    if lines.is_empty() {
        return vec![Line::ok(Check::DataDirectory, "there, writable, closed to others")];
    }
    lines
}

fn unusable(error: &io::Error) -> Line {
    let (what, remedy) = words::io(error);
    Line::error(Check::DataDirectory, what, remedy)
}

/// It will be made below the nearest directory that is there.
fn missing(directory: &Path) -> Line {
    let mut above =
        directory.ancestors().skip(1).map(|it| if it.as_os_str().is_empty() { Path::new(".") } else { it });
    let Some(base) = above.find(|it| it.exists()) else {
        return unusable(&io::ErrorKind::NotFound.into());
    };
    if !base.is_dir() {
        return unusable(&io::ErrorKind::NotADirectory.into());
    }
    match try_to_write(base) {
        Ok(_) => Line::ok(Check::DataDirectory, "not there yet; the first start makes it, closed to others"),
        Err(error) => {
            let (what, remedy) = words::io(&error);
            Line::error(
                Check::DataDirectory,
                format!("it cannot be made in {}: {what}", base.display()),
                remedy,
            )
        }
    }
}

/// Writes a file without a name, which is gone when it is closed; returns what the system says of it.
fn try_to_write(directory: &Path) -> io::Result<Metadata> {
    let mut file = tempfile::tempfile_in(directory)?;
    file.write_all(&TRIAL)?;
    file.sync_all()?;
    file.metadata()
}

#[cfg(unix)]
fn doubts(found: &Metadata, ours: &Metadata) -> Vec<Line> {
    use std::os::unix::fs::MetadataExt as _;

    let of_mode = openness(found.mode())
        .map(|(status, what)| Line { status, ..Line::warning(Check::DataDirectory, what, "chmod 700 it") });
    let of_owner = (found.uid() != ours.uid()).then(|| {
        let what = format!("it belongs to user {}, and doctor runs as user {}", found.uid(), ours.uid());
        Line::warning(
            Check::DataDirectory,
            what,
            "run doctor as the server's user, to see what the server sees",
        )
    });
    of_mode.into_iter().chain(of_owner).collect()
}

#[cfg(not(unix))]
fn doubts(_: &Metadata, _: &Metadata) -> Vec<Line> {
    Vec::new()
}

/// What a mode leaves open to others.
fn openness(mode: u32) -> Option<(Status, String)> {
    const STICKY: u32 = 0o1000;
    let shown = mode & 0o7777;
    if mode & 0o002 != 0 && mode & STICKY == 0 {
        return Some((Status::Error, format!("anybody may replace the files in it (mode {shown:04o})")));
    }
    (mode & 0o077 != 0).then(|| (Status::Warning, format!("others may look into it (mode {shown:04o})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_for_its_owner_alone() {
        let status = |mode| openness(mode).map(|(status, _)| status);
        assert_eq!(status(0o40700), None);
        for mode in [0o40750, 0o40755, 0o40710, 0o42770, 0o41777] {
            assert_eq!(status(mode), Some(Status::Warning), "{mode:o}");
        }
        assert_eq!(status(0o40777), Some(Status::Error));
        assert!(openness(0o40755).unwrap().1.contains("mode 0755"));
    }
}
