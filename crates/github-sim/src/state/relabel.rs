//! Labels of a repository renamed and deleted; issues show it at once and are not younger for it
//! (docs.github.com/rest/issues/labels#update-a-label, #delete-a-label).

use serde_json::json;

use super::{Stamp, World};

impl World {
    /// Gives a label another name everywhere.
    pub fn rename_label(&mut self, repo: u64, name: &str, to: &str, stamp: Stamp<'_>) -> Option<()> {
        let from = self.repo(repo)?.labels.find(name)?.name.clone();
        self.repo_mut(repo)?.labels.rename(name, to)?;
        for item in self.repo_mut(repo)?.items_mut() {
            for label in item.issue.labels.iter_mut().filter(|label| **label == from) {
                to.clone_into(label);
            }
        }
        self.renew_all(repo);
        let changes = json!({ "changes": { "name": { "from": from } } });
        self.tell_label(repo, stamp.actor, "edited", to, changes);
        Some(())
    }

    /// Deletes a label and takes it from all issues.
    pub fn delete_label(&mut self, repo: u64, name: &str, stamp: Stamp<'_>) -> Option<()> {
        let name = self.repo(repo)?.labels.find(name)?.name.clone();
        self.tell_label(repo, stamp.actor, "deleted", &name, json!({}));
        self.repo_mut(repo)?.labels.remove(&name)?;
        for item in self.repo_mut(repo)?.items_mut() {
            item.issue.labels.retain(|label| *label != name);
        }
        self.renew_all(repo);
        Some(())
    }
}
