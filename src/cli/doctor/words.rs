//! Words for faults of files and folders.

use std::io::{Error, ErrorKind};

/// What a failure of the file system means, and what to do.
pub fn io(error: &Error) -> (String, &'static str) {
    let (what, remedy) = match error.kind() {
        ErrorKind::PermissionDenied => {
            ("this user may not write there", "run doctor as the server's user, or change the owner")
        }
        ErrorKind::ReadOnlyFilesystem => {
            ("its file system is mounted read-only", "mount it for writing, or set DISPATCH_DATA_DIR")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ("its disk is full", "make room, or set DISPATCH_DATA_DIR to another disk")
        }
        ErrorKind::NotADirectory => {
            ("a file stands where a directory should be", "remove it, or set DISPATCH_DATA_DIR")
        }
        kind => {
            return (format!("it cannot be written ({kind})"), "set DISPATCH_DATA_DIR to another directory");
        }
    };
    (what.to_owned(), remedy)
}

/// A text from elsewhere, fit to be shown on a terminal.
pub fn plain(text: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "-_.[]:/ ".contains(*c);
    text.chars().filter(is_plain).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_of_a_disk_has_its_remedy() {
        let cases = [
            (ErrorKind::PermissionDenied, "may not write"),
            (ErrorKind::ReadOnlyFilesystem, "read-only"),
            (ErrorKind::StorageFull, "full"),
            (ErrorKind::QuotaExceeded, "full"),
            (ErrorKind::NotADirectory, "a file stands"),
            (ErrorKind::Other, "cannot be written"),
        ];
        for (kind, words) in cases {
            assert!(io(&kind.into()).0.contains(words), "{kind:?}");
        }
    }

    #[test]
    fn texts_from_elsewhere_are_cleaned() {
        assert_eq!(plain("octo\u{1b}[31m\ncat"), "octo[31mcat");
    }
}
