//! The data directory: made private, and used by one process at a time.

use std::{
    fs::{DirBuilder, File, TryLockError},
    io::ErrorKind,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail};

/// The file whose lock says that the directory is in use.
pub const LOCK_FILE: &str = "dispatch.lock";

/// Holds the directory's lock; the system frees it when the process ends, however it ends.
pub struct Lock {
    _file: File,
}

/// Makes the directory if it is missing (mode 0700) and takes its lock.
#[expect(clippy::disallowed_methods, reason = "this is the data directory")]
pub fn lock(directory: &Path) -> anyhow::Result<Lock> {
    make(directory)?;
    let shown = directory.display();
    let path = directory.join(LOCK_FILE);
    let file = File::options().create(true).truncate(false).write(true).open(&path).with_context(|| {
        format!("{} cannot be opened; check the permissions of the directory", path.display())
    })?;
    // `is_in_use` may hold it for a moment.
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        std::thread::sleep(Duration::from_millis(50));
    }
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => bail!(
            "the data directory {shown} is in use by another dispatch process; talk to that one (DISPATCH_URL names its address), \
             or set DISPATCH_DATA_DIR to another directory"
        ),
        Err(TryLockError::Error(error)) => Err(error)
            .with_context(|| format!("{} cannot be locked; use a local file system", path.display())),
    }
}

/// Does a process hold the lock of this directory? Nothing is made, and the lock is let go at once. Nothing where
/// this user may not ask.
#[expect(clippy::disallowed_methods, reason = "this is the data directory")]
pub fn is_in_use(directory: &Path) -> Option<bool> {
    match File::open(directory.join(LOCK_FILE)) {
        Ok(file) => Some(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))),
        Err(error) if error.kind() == ErrorKind::NotFound => Some(false),
        Err(_) => None,
    }
}

/// Makes the directory if it is missing (mode 0700).
#[expect(clippy::disallowed_methods, reason = "this is the data directory")]
pub fn make(directory: &Path) -> anyhow::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).with_context(|| {
        let shown = directory.display();
        format!("the data directory {shown} cannot be made; set DISPATCH_DATA_DIR to one that can")
    })
}
