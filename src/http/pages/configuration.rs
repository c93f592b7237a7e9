//! What this server is set to, who may use it, and what runs by itself: `/settings`.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    frame::{Frame, Theme},
    list::{Paging, ROWS},
    operator::{Operator, Order},
    outcome::Sent,
    refusal::PageResult,
    time,
};
use crate::{
    domain::ids::TokenId,
    engine::{self, jobs::JobState},
    http::{App, error::ApiError, params::Params},
    store::{
        sessions::{self, SessionRow},
        tokens::{self, TokenRow},
    },
};

/// A variable of the configuration, without what is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What it belongs to, as in the help.
    pub group: String,
    pub variable: String,
    pub value: Shown,
}

/// What may be shown of a variable's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It was set to this.
    Is(String),
    /// It was set; to what is nobody's business.
    Secret,
    /// It was not set, and this holds.
    Default(String),
    Unset,
}

/// A group of variables.
struct Group<'a> {
    name: &'a str,
    settings: Vec<&'a Setting>,
}

fn grouped(settings: &[Setting]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for setting in settings {
        match groups.iter_mut().find(|group| group.name == setting.group) {
            Some(group) => group.settings.push(setting),
            None => groups.push(Group { name: &setting.group, settings: vec![setting] }),
        }
    }
    groups
}

#[derive(Template)]
#[template(path = "settings/page.html")]
struct Settings<'a> {
    frame: &'a Frame,
    version: &'static str,
    auth_mode: &'static str,
    leads: bool,
    groups: Vec<Group<'a>>,
    asked: tokens::Filter,
    tokens: Vec<TokenRow>,
    tokens_paging: Paging,
    sessions: Vec<SessionRow>,
    sessions_paging: Paging,
    own: Option<TokenId>,
    jobs: Vec<JobState>,
}

impl Settings<'_> {
    /// Whose tokens were asked for.
    fn agent(&self) -> &str {
        self.asked.agent.as_deref().unwrap_or_default()
    }

    fn narrows(&self) -> bool {
        self.asked.is_revoked || self.asked.agent.is_some()
    }

    fn is_own(&self, session: &SessionRow) -> bool {
        self.own.as_ref() == Some(&session.id)
    }

    fn is_overdue(&self, job: &JobState) -> bool {
        job.is_overdue(self.frame.now)
    }

    fn interval(&self, job: &JobState) -> String {
        time::span(job.interval)
    }
}

/// The page.
pub async fn show(State(app): State<App>, operator: Operator, params: Params) -> PageResult<Response> {
    let frame = &operator.frame;
    let asked = tokens::Filter {
        is_revoked: params.text("tokens") == Some("revoked"),
        agent: params.text("agent").map(str::to_owned),
    };
    let (after, behind) = (params.cursor()?, params.cursor_of("sessions")?);
    let mut tx = app.engine.db().read().await?;
    let tokens = tokens::list_page(&mut tx, &asked, after.as_ref(), ROWS).await?;
    let sessions = sessions::list_live(&mut tx, frame.now, behind.as_ref(), ROWS).await?;
    drop(tx);
    let jobs = app.engine.jobs();
    frame.show(&Settings {
        frame,
        version: app.about.version,
        auth_mode: app.about.auth_mode,
        leads: jobs.leads(),
        groups: grouped(&app.about.settings),
        asked,
        tokens_paging: Paging::within(&params, &tokens, ("cursor", "tokens")),
        tokens: tokens.rows,
        sessions_paging: Paging::within(&params, &sessions, ("sessions", "sessions")),
        sessions: sessions.rows,
        own: operator.session,
        jobs: jobs.list(),
    })
}

/// Ends a session, of whomever.
pub async fn end_session(State(app): State<App>, order: Order) -> PageResult<Response> {
    let sent = Sent::from(order);
    let id = TokenId(sent.form.needed("id")?.to_owned());
    let done = engine::sessions::end(&app.engine, &sent.caller, &id).await;
    sent.end(done.map_err(ApiError::from).map(|()| "The session is ended".to_owned()))
}
