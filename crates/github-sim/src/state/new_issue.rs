//! What a test says about an issue it opens.

/// A new issue; only the title is needed, so a `&str` will do.
#[derive(Clone, Debug, Default)]
pub struct NewIssue {
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) assignees: Vec<String>,
    pub(crate) author: Option<String>,
    pub(crate) created_at: Option<i64>,
    pub(crate) updated_at: Option<i64>,
}

impl NewIssue {
    /// An issue with this title and nothing else.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Sets the Markdown body.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Adds one label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>) -> Self {
        self.labels.push(name.into());
        self
    }

    /// Adds several labels.
    #[must_use]
    pub fn labels<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.labels.extend(names.into_iter().map(Into::into));
        self
    }

    /// Adds one assignee by login.
    #[must_use]
    pub fn assignee(mut self, login: impl Into<String>) -> Self {
        self.assignees.push(login.into());
        self
    }

    /// Sets who opened it.
    #[must_use]
    pub fn author(mut self, login: impl Into<String>) -> Self {
        self.author = Some(login.into());
        self
    }

    /// Opens it in the past, in Unix seconds.
    #[must_use]
    pub fn created_at(mut self, unix_s: i64) -> Self {
        self.created_at = Some(unix_s);
        self
    }

    /// Says when it last changed, in Unix seconds.
    #[must_use]
    pub fn updated_at(mut self, unix_s: i64) -> Self {
        self.updated_at = Some(unix_s);
        self
    }
}

impl From<&str> for NewIssue {
    fn from(title: &str) -> Self {
        Self::new(title)
    }
}

impl From<&String> for NewIssue {
    fn from(title: &String) -> Self {
        Self::new(title)
    }
}

impl From<String> for NewIssue {
    fn from(title: String) -> Self {
        Self::new(title)
    }
}
