//! Made-up identifiers that follow from what they name: tokens, users, commits, request ids.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// A personal access token, in the form of GitHub's classic ones.
pub(crate) fn token(seed: u64) -> String {
    let digest = Sha256::digest(format!("token {seed}"));
    format!("ghp_sim{}", &hex(&digest)[..33])
}

/// An installation access token.
pub(crate) fn installation_token(seed: u64, number: u64) -> String {
    let digest = Sha256::digest(format!("installation token {seed} {number}"));
    format!("ghs_sim{}", &hex(&digest)[..33])
}

/// The id of a user, the same for the same login.
pub(crate) fn user(login: &str) -> u64 {
    let digest = Sha256::digest(login.to_ascii_lowercase());
    u64::from(u32::from_be_bytes([0, digest[0], digest[1], digest[2]]))
}

/// The commit at the tip of a pull request's branch.
pub(crate) fn sha(repo: u64, number: u64) -> String {
    hex(&Sha256::digest(format!("commit {repo} {number}"))[..20])
}

/// A GraphQL node id: opaque, prefixed by the kind of node.
pub(crate) fn node(prefix: &str, id: u64) -> String {
    format!("{prefix}_kwDO{id:08x}")
}
