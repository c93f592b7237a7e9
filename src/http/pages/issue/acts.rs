//! The forms of an issue's page: each is one thing that an operator does to it.

use axum::{
    extract::{Path, State},
    response::Response,
};
use url::Url;

use super::named;
use crate::{
    domain::{
        access::Caller,
        audit::AuditAction,
        grooming::{GroomAction, Split},
        ids::AgentName,
        issue::Issue,
        labels::{LABEL_MAX, LabelEdit, OWNER_PREFIX, Status, family},
        lane::{Classification, Confidence},
        outbox::TEXT_MAX as COMMENT_MAX,
    },
    engine::{
        actions::{self, Ask, Assignee, Groom, Move, Named},
        claims::{self, ClaimAsk},
        lanes::{self, LaneAsk},
        work::{self, Release},
    },
    http::{
        App,
        error::{ApiError, ApiResult},
        pages::{
            flash::Flash,
            operator::{Form, Order},
            refusal::{PageResult, not_found},
        },
    },
};

/// The longest reason or note.
const TEXT_MAX: usize = 2_000;
/// The most issues that one was split into.
const FOLLOW_UPS_MAX: usize = 100;
/// The longest address of one.
const URL_MAX: usize = 2_000;
/// How the lane is judged that an operator chooses.
const BY_HAND: &str = "manual";

/// Does what a form asks for, and leads back to the page that tells what came of it.
pub async fn act(
    State(app): State<App>,
    Path((owner, repo, number, action)): Path<(String, String, i64, String)>,
    order: Order,
) -> PageResult<Response> {
    let Order { caller, frame, form, .. } = order;
    let mut tx = app.engine.db().read_once().await?;
    let issue = named(&mut tx, (&owner, &repo, number)).await?;
    drop(tx);
    let doing = Doing { app: &app, caller: &caller, issue: &issue, form: &form };
    let done = match action.as_str() {
        "move" => doing.move_it().await,
        "lane" => doing.set_lane().await,
        "priority" => doing.set_priority().await,
        "label" => doing.label().await,
        "claim" => doing.claim().await,
        "release" => doing.release().await,
        "assign" => doing.assign().await,
        "unassign" => doing.unassign().await,
        "groom" => doing.groom().await,
        "comment" => doing.comment().await,
        "decompose" => doing.decompose().await,
        _ => return Err(not_found()),
    };
    let flash = match done {
        Ok(words) => Flash::done(words),
        Err(error) => {
            error.log();
            Flash::failed(error.told())
        }
    };
    Ok(frame.lead_to(&format!("/issues/{}/{}", issue.repo, issue.number), &flash))
}

/// What is asked of which issue, and by whom.
struct Doing<'a> {
    app: &'a App,
    caller: &'a Caller,
    issue: &'a Issue,
    form: &'a Form,
}

impl Doing<'_> {
    fn ask(&self) -> Ask {
        let issue = Named::Id(self.issue.id.clone());
        Ask { issue, actor: self.caller.actor().to_owned(), if_match: None }
    }

    fn needed(&self, field: &'static str) -> ApiResult<&str> {
        self.form.text(field).ok_or_else(|| ApiError::invalid(field, format!("{field} is missing")))
    }

    fn short(&self, field: &'static str, most: usize) -> ApiResult<Option<String>> {
        match self.form.text(field) {
            Some(text) if text.chars().count() > most => {
                Err(ApiError::invalid(field, format!("{field} must be at most {most} characters")))
            }
            text => Ok(text.map(str::to_owned)),
        }
    }

    fn agent(&self) -> ApiResult<AgentName> {
        let name = self.needed("agent")?;
        name.parse().map_err(|rule| ApiError::invalid("agent", format!("agent: {rule}")))
    }

    async fn move_it(&self) -> ApiResult<String> {
        let word = self.needed("to")?;
        let status = Status::ALL.into_iter().find(|status| status.word() == word);
        let status = status.ok_or_else(|| ApiError::invalid("to", "to: no column of the board"))?;
        let wanted = Move { from: None, to: Some(status) };
        actions::move_issue(&self.app.engine, self.caller, &self.ask(), wanted).await?;
        Ok(format!("It is in {} now", status.title()))
    }

    async fn set_lane(&self) -> ApiResult<String> {
        let lane = self.needed("lane")?;
        let configured = self.app.engine.settings().rules.lanes().by_id(lane);
        let lane = configured.ok_or_else(|| ApiError::invalid("lane", "lane: no lane of this server"))?;
        let reason = self.short("reason", TEXT_MAX)?.unwrap_or_else(|| "chosen by an operator".to_owned());
        let classification =
            Some(Classification { lane: lane.id.clone(), confidence: Confidence::High, reason });
        let model = Some(BY_HAND.to_owned());
        let ask = LaneAsk { issue: self.issue.id.clone(), classification, model, force: true };
        lanes::classify(&self.app.engine, self.caller, &ask).await?;
        Ok(format!("It is in the lane {} now", lane.title))
    }

    async fn set_priority(&self) -> ApiResult<String> {
        let word = self.needed("priority")?;
        if !["p0", "p1", "p2", "p3", "none"].contains(&word) {
            return Err(ApiError::invalid("priority", "priority must be p0, p1, p2, p3 or none"));
        }
        let wanted = format!("priority/{word}");
        for label in family(&self.issue.labels, "priority/") {
            if !label.eq_ignore_ascii_case(&wanted) {
                self.edit(LabelEdit::remove(label)).await?;
            }
        }
        if word != "none" {
            self.edit(LabelEdit::add(wanted)).await?;
        }
        Ok(format!("Its priority is {word} now"))
    }

    async fn label(&self) -> ApiResult<String> {
        let label = self.short("label", LABEL_MAX)?;
        let label = label.ok_or_else(|| ApiError::invalid("label", "label is missing"))?;
        if label.chars().any(char::is_control) {
            return Err(ApiError::invalid("label", "label must be one line of text"));
        }
        let wanted = self.form.text("action") != Some("remove");
        self.edit(LabelEdit { label: label.clone(), wanted }).await?;
        Ok(format!("The label {label} is {}", if wanted { "there" } else { "gone" }))
    }

    async fn edit(&self, edit: LabelEdit) -> ApiResult<()> {
        actions::label(&self.app.engine, self.caller, &self.ask(), &edit).await?;
        Ok(())
    }

    async fn claim(&self) -> ApiResult<String> {
        let agent = self.agent()?;
        let ask = ClaimAsk {
            issue: self.issue.id.clone(),
            repo: self.issue.repo.as_str().to_owned(),
            number: self.issue.number,
            agent: agent.clone(),
            force: self.form.text("force").is_some(),
            lease: false,
            start: None,
        };
        let granted = claims::claim(&self.app.engine, self.caller, &ask).await?;
        let warnings = granted.warnings.iter().map(|warning| format!("; but {warning}"));
        Ok(format!("{agent} holds it now{}", warnings.collect::<String>()))
    }

    async fn release(&self) -> ApiResult<String> {
        let agent = self.agent()?;
        let reason = self.short("reason", TEXT_MAX)?.unwrap_or_else(|| "Released by operator".to_owned());
        let what = Release::OfAgent { agent: agent.clone(), issue: Some(self.issue.id.clone()) };
        let released = work::release(&self.app.engine, self.caller, &what, &reason).await?;
        if released.leases == 0 {
            return Err(ApiError::conflict(format!("{agent} does not hold it any more")));
        }
        Ok(format!("{agent} holds it no more"))
    }

    async fn assign(&self) -> ApiResult<String> {
        let force = self.form.text("force").is_some();
        let (to, words) = if let Some(owner) = self.short("owner", LABEL_MAX - OWNER_PREFIX.len())? {
            (Assignee::Owner(format!("{OWNER_PREFIX}{owner}")), format!("{owner} answers for it now"))
        } else {
            let agent = self.agent()?;
            let words = format!("It is assigned to {agent} now");
            (Assignee::Agent(agent), words)
        };
        actions::assign(&self.app.engine, self.caller, &self.ask(), &to, force).await?;
        Ok(words)
    }

    async fn unassign(&self) -> ApiResult<String> {
        let unassigned =
            actions::unassign(&self.app.engine, self.caller, &self.ask(), AuditAction::UnassignAgent).await?;
        Ok(format!("{} is gone", unassigned.removed.join(", ")))
    }

    async fn groom(&self) -> ApiResult<String> {
        let word = self.needed("action")?;
        let action: GroomAction =
            word.parse().map_err(|rule| ApiError::invalid("action", format!("action: {rule}")))?;
        let reason = self.short("reason", TEXT_MAX)?;
        if action.reason_field().is_some() && reason.is_none() {
            return Err(ApiError::invalid("reason", format!("Say why: {} needs a reason", action.title())));
        }
        let groom = Groom { action, summary: self.short("summary", TEXT_MAX)?, reason };
        actions::groom(&self.app.engine, self.caller, &self.ask(), &groom).await?;
        Ok(format!("Groomed: {}", action.title()))
    }

    async fn comment(&self) -> ApiResult<String> {
        let text = self.form.exact("body");
        if text.trim().is_empty() || text.len() > COMMENT_MAX {
            return Err(ApiError::invalid("body", format!("Write a comment of at most {COMMENT_MAX} bytes")));
        }
        let said = actions::comment(&self.app.engine, self.caller, &self.ask(), text, None).await?;
        let is_there = said.url.is_some();
        Ok(if is_there { "The comment is on GitHub" } else { "The comment is on its way to GitHub" }
            .to_owned())
    }

    async fn decompose(&self) -> ApiResult<String> {
        let decomposed = self.form.text("decomposed") != Some("false");
        let follow_up_urls: Vec<String> =
            self.form.text("urls").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        if follow_up_urls.len() > FOLLOW_UPS_MAX || !follow_up_urls.iter().all(|url| is_address(url)) {
            let rule = format!("Name addresses that begin with https://, {FOLLOW_UPS_MAX} at most");
            return Err(ApiError::invalid("urls", rule));
        }
        let note = self.short("note", TEXT_MAX)?;
        let split = Split { decomposed, note, follow_up_urls, ..Split::default() };
        actions::decompose(&self.app.engine, self.caller, &self.ask(), &split).await?;
        Ok(if decomposed { "It counts as split into others" } else { "It counts as whole" }.to_owned())
    }
}

fn is_address(text: &str) -> bool {
    text.len() <= URL_MAX && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
