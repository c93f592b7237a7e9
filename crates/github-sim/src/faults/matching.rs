//! Which requests a fault or a hook is about.

/// A condition on a request; join several with [`Match::and`].
///
/// ```
/// use github_sim::Match;
/// let first_page = Match::repo("acme/api").and(Match::kind("issues.list"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Match(Vec<Condition>);

#[derive(Clone, Debug)]
enum Condition {
    Repo(String),
    Kind(String),
    Method(String),
    PathContains(String),
}

/// What is known of a request before it is served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The repository's current name, or the asked one where there is none.
    pub repo: Option<&'a str>,
    /// The repository's name as asked for.
    pub asked_repo: Option<&'a str>,
    pub kind: &'static str,
    pub method: &'a str,
    pub path_and_query: &'a str,
}

impl Match {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests to a repository by its current name or the name they use, without case.
    pub fn repo(full_name: impl Into<String>) -> Self {
        Self(vec![Condition::Repo(full_name.into())])
    }

    /// Requests of a kind, such as `issues.list`; the crate's documentation lists the kinds.
    pub fn kind(kind: impl Into<String>) -> Self {
        Self(vec![Condition::Kind(kind.into())])
    }

    /// Requests with this HTTP method.
    pub fn method(method: impl Into<String>) -> Self {
        Self(vec![Condition::Method(method.into())])
    }

    /// Requests whose path and query contain this text.
    pub fn path_contains(part: impl Into<String>) -> Self {
        Self(vec![Condition::PathContains(part.into())])
    }

    /// Requests that fulfil both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn accepts(&self, subject: &Subject<'_>) -> bool {
        self.0.iter().all(|condition| condition.accepts(subject))
    }
}

impl Condition {
    fn accepts(&self, subject: &Subject<'_>) -> bool {
        let is =
            |name: &str, other: Option<&str>| other.is_some_and(|other| other.eq_ignore_ascii_case(name));
        match self {
            Self::Repo(name) => is(name, subject.repo) || is(name, subject.asked_repo),
            Self::Kind(kind) => kind == subject.kind,
            Self::Method(method) => method.eq_ignore_ascii_case(subject.method),
            Self::PathContains(part) => subject.path_and_query.contains(part.as_str()),
        }
    }
}
