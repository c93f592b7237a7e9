//! Files that others must not read: the first token, the database, the key of the App.

use std::path::Path;

use super::report::{Check, Line, Report};
use crate::{
    cli::first_start::ADMIN_TOKEN_FILE,
    config::{Database, Draft},
};

pub fn check(draft: &Draft, report: &mut Report) {
    if let Some(file) = draft.data_dir.as_ref().map(|directory| directory.join(ADMIN_TOKEN_FILE))
        && let Some(mode) = mode(&file)
    {
        report.add(admin_token(mode).about(file.display().to_string()));
    }
    if let Some(Database::Sqlite { file, directory }) = &draft.database
        && let (Some(own), Some(folder)) = (mode(file), mode(directory))
        && let Some(line) = database(own, folder)
    {
        report.add(line.about(file.display().to_string()));
    }
    // Its path is not shown: somebody may have put the key there.
    if let Some(mode) = draft.key_file.as_deref().and_then(mode) {
        report.add(key(mode).about("GITHUB_APP_PRIVATE_KEY_PATH"));
    }
}

#[cfg(unix)]
fn mode(file: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;

    Some(file.metadata().ok()?.mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}

fn admin_token(mode: u32) -> Line {
    if mode & 0o077 != 0 {
        return Line::error(
            Check::AdminToken,
            format!("others may read the maintainer's token (mode {mode:04o})"),
            "chmod 600 it; if somebody may have read it, make another with `dispatch token create` and revoke this one",
        );
    }
    Line::ok(Check::AdminToken, "only its owner may read it")
}

/// A closed directory protects whatever is in it.
fn database(own: u32, folder: u32) -> Option<Line> {
    let is_open = (folder & 0o001 != 0 && own & 0o004 != 0) || (folder & 0o010 != 0 && own & 0o040 != 0);
    is_open.then(|| {
        let what = format!("others may read all that Dispatch knows (mode {own:04o})");
        Line::warning(Check::DatabaseFile, what, "chmod 600 it, and 700 its directory")
    })
}

fn key(mode: u32) -> Line {
    if mode & 0o004 == 0 {
        return Line::ok(Check::KeyFile, "not open to everybody");
    }
    let what = format!("everybody on this machine may read the App's key (mode {mode:04o})");
    Line::warning(Check::KeyFile, what, "chmod 600 it, and let it belong to the server's user")
}

#[cfg(test)]
mod tests {
    use super::{super::report::Status, *};

    #[test]
    fn modes_are_judged_by_what_they_open() {
        assert_eq!((admin_token(0o600).status, admin_token(0o640).status), (Status::Ok, Status::Error));
        assert_eq!((key(0o640).status, key(0o644).status), (Status::Ok, Status::Warning));
        for (own, folder, open) in [
            (0o644, 0o700, false),
            (0o644, 0o755, true),
            (0o600, 0o755, false),
            (0o640, 0o750, true),
            (0o640, 0o701, false),
        ] {
            assert_eq!(database(own, folder).is_some(), open, "{own:o} in {folder:o}");
        }
    }
}
