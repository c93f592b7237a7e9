//! A repository's labels: unique without case, spelled as they first were
//! (docs.github.com/rest/issues/labels).

use std::collections::BTreeMap;

/// Longest label name GitHub accepts, in characters.
pub(crate) const MAX_LABEL: usize = 50;

/// One label of a repository.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub id: u64,
    pub name: String,
    pub color: &'static str,
}

/// The labels of one repository by name without case.
#[derive(Debug, Default)]
pub(crate) struct LabelBook(BTreeMap<String, Label>);

impl LabelBook {
    /// Whether GitHub would accept the name for a new label.
    pub fn accepts(name: &str) -> bool {
        !name.trim().is_empty() && name.chars().count() <= MAX_LABEL
    }

    /// The label of that name, whatever its case.
    pub fn find(&self, name: &str) -> Option<&Label> {
        self.0.get(&name.to_lowercase())
    }

    /// The name as this repository spells it; a missing label is made with `id`.
    pub fn spell(&mut self, name: &str, id: u64) -> String {
        let label = self.0.entry(name.to_lowercase()).or_insert_with(|| Label {
            id,
            name: name.to_owned(),
            color: "ededed",
        });
        label.name.clone()
    }

    /// Gives a label another name; `None` if there is none, or another label has that name.
    pub fn rename(&mut self, name: &str, to: &str) -> Option<()> {
        let (old, new) = (name.to_lowercase(), to.to_lowercase());
        if old != new && self.0.contains_key(&new) {
            return None;
        }
        let mut label = self.0.remove(&old)?;
        to.clone_into(&mut label.name);
        self.0.insert(new, label);
        Some(())
    }

    pub fn remove(&mut self, name: &str) -> Option<Label> {
        self.0.remove(&name.to_lowercase())
    }

    /// Every label's name in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        self.0.values().map(|label| label.name.clone()).collect()
    }
}
