//! What every case works with.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::Result;
use tempfile::TempDir;

use super::options::Options;

/// No question of ours is answered later than this.
const PATIENCE: Duration = Duration::from_mins(20);

/// The benchmark: its options, its client, and the folder of everything it writes.
pub struct Bench {
    pub options: Options,
    /// For questions that are not measured, and for single heartbeats.
    pub http: reqwest::Client,
    folder: TempDir,
    next: AtomicU32,
}

impl Bench {
    pub fn new(options: Options) -> Result<Self> {
        let http = client(true)?;
        let folder = TempDir::with_prefix("dispatch-bench.")?;
        Ok(Self { options, http, folder, next: AtomicU32::new(0) })
    }

    /// A path for a new file or folder.
    pub fn path(&self, what: &str) -> PathBuf {
        self.folder.path().join(format!("{what}-{}", self.next.fetch_add(1, Ordering::Relaxed)))
    }
}

/// A client that keeps its connections, or makes one for each call.
pub fn client(keeps_connections: bool) -> Result<reqwest::Client> {
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let most_idle = if keeps_connections { usize::MAX } else { 0 };
    let builder = reqwest::Client::builder().no_proxy().timeout(PATIENCE).pool_max_idle_per_host(most_idle);
    Ok(builder.build()?)
}
