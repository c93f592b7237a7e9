//! The label object (docs.github.com/rest/issues/labels).

use serde::Serialize;

use super::Urls;
use crate::ids;
use crate::state::Label;

/// A label as it appears in lists and inside issues.
#[derive(Serialize)]
pub(crate) struct LabelBody<'a> {
    id: u64,
    node_id: String,
    url: String,
    name: &'a str,
    color: &'a str,
    default: bool,
    description: Option<&'a str>,
}

/// The body of one label of the repository whose API URL is given.
pub(crate) fn label<'a>(repo_url: &str, label: &'a Label) -> LabelBody<'a> {
    let escaped: String = url::form_urlencoded::byte_serialize(label.name.as_bytes()).collect();
    // In a path a space is %20, and GitHub leaves the slash of `type/bug` as it is.
    let escaped = escaped.replace('+', "%20").replace("%2F", "/");
    LabelBody {
        id: label.id,
        node_id: ids::node("LA", label.id),
        url: format!("{repo_url}/labels/{escaped}"),
        name: &label.name,
        color: label.color,
        default: false,
        description: None,
    }
}

impl Urls {
    /// The API URL of a repository by name.
    pub fn repo(&self, full_name: &str) -> String {
        format!("{}/repos/{full_name}", self.api)
    }
}
