//! Named places where the crash tests stop or fail a process (feature `failpoints`; nothing otherwise).

/// Marks a place; a test that waits for it sees its name in the log first.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        {
            tracing::debug!(failpoint = $name, "reached");
            fail::fail_point!($name);
        }
    };
    ($name:literal, $error:expr) => {
        #[cfg(feature = "failpoints")]
        {
            tracing::debug!(failpoint = $name, "reached");
            fail::fail_point!($name, |_| Err($error));
        }
    };
}

pub(crate) use failpoint;
