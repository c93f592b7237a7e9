//! An issue or pull request with its version and its rendered form.

use bytes::Bytes;

use super::{IssueState, PullInfo};

/// One row of a repository's issue list.
#[derive(Debug)]
pub(crate) struct Item {
    pub issue: IssueState,
    pub pull: Option<PullInfo>,
    /// Changes with every change of the rendered form, and is used only once.
    pub version: u64,
    rendered: Option<(u64, Bytes)>,
}

impl Item {
    pub fn new(issue: IssueState, pull: Option<PullInfo>, version: u64) -> Self {
        Self { issue, pull, version, rendered: None }
    }

    /// The rendered form, if nothing changed since.
    pub fn rendered(&self) -> Option<Bytes> {
        let (version, json) = self.rendered.as_ref()?;
        (*version == self.version).then(|| json.clone())
    }

    pub fn keep_rendered(&mut self, json: Bytes) {
        self.rendered = Some((self.version, json));
    }
}
