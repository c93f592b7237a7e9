//! What Dispatch wants at GitHub: comments, edits, new issues, and what pull requests bear. Labels of issues have a table of
//! their own.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    access::Caller,
    audit::SYSTEM,
    ids::{AgentName, IssueNumber, OutboxId, TokenId},
    issue::{IssueState, RemoteIssue},
    labels::LabelEdit,
    time::Timestamp,
};

/// The longest text of a comment or an issue: GitHub takes 65 536 characters, and the marker is among them.
pub const TEXT_MAX: usize = 65_000;

/// What an entry of the outbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Label,
    Comment,
    Edit,
    CreateIssue,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Label, Self::Comment, Self::Edit, Self::CreateIssue];

    /// The name on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Comment => "comment",
            Self::Edit => "edit",
            Self::CreateIssue => "create_issue",
        }
    }
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// To be sent, or being sent.
    Pending,
    /// GitHub has it.
    Settled,
    /// GitHub does not take it: kept with the reason, until somebody retries or discards it.
    Parked,
    /// Given up by an operator.
    Discarded,
}

impl EntryState {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Settled, Self::Parked, Self::Discarded];

    /// The name on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Settled => "settled",
            Self::Parked => "parked",
            Self::Discarded => "discarded",
        }
    }
}

/// The text names no state, or no kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("one of {0}")]
pub struct NotOneOf(&'static str);

impl FromStr for Kind {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        let named = Self::ALL.into_iter().find(|kind| kind.word() == text);
        named.ok_or(NotOneOf("label, comment, edit, create_issue"))
    }
}

impl FromStr for EntryState {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        let named = Self::ALL.into_iter().find(|state| state.word() == text);
        named.ok_or(NotOneOf("pending, settled, parked, discarded; several with commas between them"))
    }
}

/// One state or several, with commas between them.
#[derive(Clone, Debug, PartialEq, Eq, utoipa::ToSchema)]
#[schema(
    value_type = String,
    pattern = "^(pending|settled|parked|discarded)(,(pending|settled|parked|discarded))*$",
    examples("pending,parked")
)]
pub struct EntryStates(Vec<EntryState>);

impl EntryStates {
    /// What has not come to its end.
    pub const WAITING: &str = "pending,parked";

    /// Each once, in the order of [`EntryState::ALL`].
    pub fn list(&self) -> impl Iterator<Item = EntryState> {
        EntryState::ALL.into_iter().filter(|state| self.0.contains(state))
    }
}

impl FromStr for EntryStates {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for EntryStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.list().map(EntryState::word).collect();
        f.write_str(&words.join(","))
    }
}

/// What is to be written, but for labels of issues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Comment(String),
    Edit(Edit),
    CreateIssue(NewIssue),
    /// A label of a pull request.
    Label(LabelEdit),
    /// The comment of a pull request that calls a human: this text, or none any more.
    Call(Option<String>),
}

/// What is wanted of a pull request, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Facet {
    Label,
    Call,
}

impl Facet {
    /// In the order in which their rows are locked.
    pub const ALL: [Self; 2] = [Self::Label, Self::Call];
}

/// A change of one field of an issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    Title(String),
    Body(String),
    State(StateEdit),
}

/// Closing an issue, or opening it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateEdit {
    /// Closed as done.
    Completed,
    /// Closed as dropped.
    NotPlanned,
    Reopened,
}

impl StateEdit {
    pub const fn state(self) -> IssueState {
        match self {
            Self::Completed | Self::NotPlanned => IssueState::Closed,
            Self::Reopened => IssueState::Open,
        }
    }

    /// GitHub's `state_reason`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::NotPlanned => "not_planned",
            Self::Reopened => "reopened",
        }
    }
}

/// An issue to be opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewIssue {
    pub title: String,
    pub body: String,
    pub labels: Vec<String>,
}

/// What an edit changes; edits of one field take each other's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Field {
    Title,
    Body,
    State,
}

impl Edit {
    pub const fn field(&self) -> Field {
        match self {
            Self::Title(_) => Field::Title,
            Self::Body(_) => Field::Body,
            Self::State(_) => Field::State,
        }
    }
}

impl Content {
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Comment(_) | Self::Call(_) => Kind::Comment,
            Self::Edit(_) => Kind::Edit,
            Self::CreateIssue(_) => Kind::CreateIssue,
            Self::Label(_) => Kind::Label,
        }
    }

    /// The edit, if it is one.
    pub const fn edit(&self) -> Option<&Edit> {
        match self {
            Self::Edit(edit) => Some(edit),
            Self::Comment(_) | Self::CreateIssue(_) | Self::Label(_) | Self::Call(_) => None,
        }
    }

    /// Does a pull request bear something, once GitHub has this, that is to be taken away again?
    pub fn is_held(&self) -> bool {
        match self {
            Self::Label(edit) => edit.wanted,
            Self::Call(text) => text.is_some(),
            Self::Comment(_) | Self::Edit(_) | Self::CreateIssue(_) => false,
        }
    }

    /// In words, for lists and the audit log.
    pub fn in_words(&self) -> String {
        match self {
            Self::Comment(_) => "post a comment".to_owned(),
            Self::Edit(Edit::Title(title)) => format!("change the title to \"{title}\""),
            Self::Edit(Edit::Body(_)) => "change the text".to_owned(),
            Self::Edit(Edit::State(StateEdit::Reopened)) => "open it again".to_owned(),
            Self::Edit(Edit::State(edit)) => format!("close it as {}", edit.reason()),
            Self::CreateIssue(new) => format!("open the issue \"{}\"", new.title),
            Self::Label(edit) => edit.in_words(),
            Self::Call(Some(_)) => "say in a comment why a human is needed".to_owned(),
            Self::Call(None) => "take back the comment that calls a human".to_owned(),
        }
    }
}

/// The fields of an issue that edits change, as they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    pub title: String,
    pub body: Option<String>,
    pub state: IssueState,
    pub closed_at: Option<Timestamp>,
}

/// What GitHub said last of a field over which an edit lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beneath {
    Title(String),
    Body(Option<String>),
    State { state: IssueState, closed_at: Option<i64> },
}

impl Fields {
    /// As GitHub shows an issue.
    pub fn of(issue: &RemoteIssue) -> Self {
        Self {
            title: issue.title.clone(),
            body: issue.body.clone(),
            state: issue.state,
            closed_at: issue.closed_at,
        }
    }

    /// One of them, to be kept while an edit lies over it.
    pub fn beneath(&self, field: Field) -> Beneath {
        match field {
            Field::Title => Beneath::Title(self.title.clone()),
            Field::Body => Beneath::Body(self.body.clone()),
            Field::State => {
                Beneath::State { state: self.state, closed_at: self.closed_at.map(|Timestamp(at)| at) }
            }
        }
    }

    /// Lays an edit of ours, asked for at `at`, over them.
    pub fn lay(&mut self, edit: &Edit, at: Timestamp) {
        match edit {
            Edit::Title(title) => self.title.clone_from(title),
            Edit::Body(body) => self.body = Some(body.clone()),
            Edit::State(edit) => {
                // What is closed already keeps its time.
                let since = self.closed_at.unwrap_or(at);
                self.state = edit.state();
                self.closed_at = (self.state == IssueState::Closed).then_some(since);
            }
        }
    }

    /// Shows what lay beneath an edit.
    pub fn uncover(&mut self, beneath: &Beneath) {
        match beneath {
            Beneath::Title(title) => self.title.clone_from(title),
            Beneath::Body(body) => self.body.clone_from(body),
            Beneath::State { state, closed_at } => {
                self.state = *state;
                self.closed_at = closed_at.map(Timestamp);
            }
        }
    }

    /// The issue with these fields in place of its own.
    pub fn put_into(self, issue: &RemoteIssue) -> RemoteIssue {
        let Self { title, body, state, closed_at } = self;
        RemoteIssue { title, body, state, closed_at, ..issue.clone() }
    }
}

/// What GitHub made of a comment or a new issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// For people.
    pub url: String,
    /// Of a new issue.
    pub number: Option<IssueNumber>,
    /// GitHub's number of a comment.
    #[serde(default)]
    pub comment: Option<i64>,
}

/// What is known of a write that was to be sent and is not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Try {
    /// It did not go out, or GitHub did not look at it: it does not count.
    Void,
    /// GitHub has it not.
    Refused,
    /// It may be there all the same.
    Unsure,
}

impl Try {
    /// What is taken off the count of attempts again.
    pub const fn given_back(self) -> i64 {
        match self {
            Self::Void => 1,
            Self::Refused | Self::Unsure => 0,
        }
    }
}

/// Who asked for a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    pub actor: String,
    pub token: Option<TokenId>,
    /// On whose behalf.
    pub agent: Option<AgentName>,
}

impl Asker {
    pub fn of(caller: &Caller, agent: Option<&AgentName>) -> Self {
        Self { actor: caller.actor().to_owned(), token: Some(caller.token.clone()), agent: agent.cloned() }
    }

    /// Dispatch itself.
    pub fn system() -> Self {
        Self { actor: SYSTEM.to_owned(), token: None, agent: None }
    }
}

/// What a comment or an issue holds that nobody sees: it tells, after an answer was lost, whether it is there. The id
/// has 74 random bits, so nobody can write it before us.
pub fn marker(id: &OutboxId) -> String {
    format!("<!-- dispatch:{id} -->")
}

/// A text with its marker.
pub fn with_marker(text: &str, id: &OutboxId) -> String {
    format!("{}\n\n{}", text.trim_end(), marker(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        Fields { title: "a".into(), body: None, state: IssueState::Open, closed_at: None }
    }

    #[test]
    fn what_is_laid_over_can_be_lifted() {
        let edits = [
            Edit::Title("b".into()),
            Edit::Body("text".into()),
            Edit::State(StateEdit::Completed),
            Edit::State(StateEdit::NotPlanned),
        ];
        for edit in edits {
            let mut shown = fields();
            let beneath = shown.beneath(edit.field());
            shown.lay(&edit, Timestamp(7));
            assert_ne!(shown, fields(), "{edit:?}");
            shown.uncover(&beneath);
            assert_eq!(shown, fields(), "{edit:?}");
        }
    }

    #[test]
    fn closing_has_a_time_and_opening_has_none() {
        let mut shown = fields();
        shown.lay(&Edit::State(StateEdit::Completed), Timestamp(7));
        assert_eq!((shown.state, shown.closed_at), (IssueState::Closed, Some(Timestamp(7))));
        shown.lay(&Edit::State(StateEdit::NotPlanned), Timestamp(9));
        assert_eq!(shown.closed_at, Some(Timestamp(7)), "it was closed already");
        shown.lay(&Edit::State(StateEdit::Reopened), Timestamp(11));
        assert_eq!((shown.state, shown.closed_at), (IssueState::Open, None));
    }

    #[test]
    fn contents_are_kept_as_they_are() {
        let new = NewIssue { title: "t".into(), body: "b".into(), labels: vec!["l".into()] };
        for content in [
            Content::Comment("c".into()),
            Content::Edit(Edit::Body("b".into())),
            Content::Edit(Edit::State(StateEdit::Reopened)),
            Content::CreateIssue(new),
            Content::Label(LabelEdit::add("l")),
            Content::Call(Some("c".into())),
            Content::Call(None),
        ] {
            let text = serde_json::to_string(&content).unwrap();
            assert_eq!(serde_json::from_str::<Content>(&text).unwrap(), content, "{text}");
        }
    }

    #[test]
    fn what_was_made_before_comments_had_numbers_is_read() {
        let made: Made = serde_json::from_str(r#"{"url":"u","number":null}"#).unwrap();
        assert_eq!(made, Made { url: "u".into(), number: None, comment: None });
    }

    #[test]
    fn the_longest_text_leaves_room_for_the_marker() {
        let id = OutboxId("019b76da-a800-7c3f-8000-3b1c5ad0e006".into());
        let text = with_marker(&"x".repeat(TEXT_MAX), &id);
        assert!(text.len() <= 65_536 && text.ends_with(&marker(&id)));
    }
}
