//! What the address of the board asks for: which cards, and how many of each column.

use url::form_urlencoded;

use crate::{
    domain::{
        ids::{AgentName, IssueId},
        labels::{NO_PRIORITY, OWNER_PREFIX, PROJECT_PREFIX},
        lane::Lane,
        repo::RepoName,
        time::Timestamp,
    },
    engine::Settings,
    http::{
        error::{ApiError, ApiResult},
        params::Params,
    },
    store::{
        ReadTx,
        board::{Behind, Filter},
        repos,
    },
};

/// Cards of a column that are shown unless more are asked for.
const SHOWN: i64 = 50;
/// The most.
const SHOWN_MAX: i64 = 500;
/// The longest value of a filter.
const VALUE_MAX: usize = 200;

/// The filters as they stand in the address.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub repo: String,
    pub lane: String,
    pub agent: String,
    pub owner: String,
    pub project: String,
    pub priority: String,
    pub text: String,
    pub show: i64,
}

impl Asked {
    pub fn read(params: &Params) -> ApiResult<Self> {
        let value = |name: &str| -> String {
            params.text(name).unwrap_or_default().chars().take(VALUE_MAX).collect()
        };
        let show = match params.text("show").map(str::parse::<i64>) {
            None => SHOWN,
            Some(Ok(show)) if show >= 1 => show.min(SHOWN_MAX),
            Some(_) => return Err(ApiError::invalid("show", "show must be a whole number")),
        };
        Ok(Self {
            repo: value("repo"),
            lane: value("lane"),
            agent: value("agent"),
            owner: value("owner"),
            project: value("project"),
            priority: value("priority"),
            text: value("q"),
            show,
        })
    }

    fn pairs(&self) -> [(&'static str, &str); 7] {
        [
            ("repo", &self.repo),
            ("lane", &self.lane),
            ("agent", &self.agent),
            ("owner", &self.owner),
            ("project", &self.project),
            ("priority", &self.priority),
            ("q", &self.text),
        ]
    }

    /// Is anything left out?
    pub fn narrows(&self) -> bool {
        self.pairs().iter().any(|(_, value)| !value.is_empty())
    }

    /// Is anything asked for by a filter that is folded away?
    pub fn has_more(&self) -> bool {
        [&self.agent, &self.owner, &self.project, &self.priority].iter().any(|value| !value.is_empty())
    }

    /// The same as a query string, `&` at its end where it is not empty.
    pub fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs().into_iter().filter(|(_, value)| !value.is_empty()));
        if self.show != SHOWN {
            query.append_pair("show", &self.show.to_string());
        }
        let query = query.finish();
        if query.is_empty() { query } else { format!("{query}&") }
    }

    /// What that is to the store; nothing where no card can be meant.
    pub async fn filter(
        &self,
        tx: &mut ReadTx,
        settings: &Settings,
        now: Timestamp,
    ) -> ApiResult<Option<Filter>> {
        let mut filter = Filter::all(now.minus(settings.done_retention));
        if !self.repo.is_empty() {
            let Ok(name) = self.repo.parse::<RepoName>() else { return Ok(None) };
            let Some(repo) = repos::find_tracked(tx, &name).await? else { return Ok(None) };
            filter.repo = Some(repo.id);
        }
        if !self.lane.is_empty() {
            let lane = settings.rules.lanes().find(&self.lane);
            filter.lane = Some(lane.map_or_else(|| self.lane.to_lowercase(), Lane::key));
        }
        if !self.agent.is_empty() {
            let Ok(agent) = self.agent.parse::<AgentName>() else { return Ok(None) };
            filter.agent = Some(agent.key());
        }
        for (prefix, name) in [(OWNER_PREFIX, &self.owner), (PROJECT_PREFIX, &self.project)] {
            if !name.is_empty() {
                filter.labels.push(format!("{prefix}{}", name.to_lowercase()));
            }
        }
        if !self.priority.is_empty() {
            let Some(priority) = priority_of(&self.priority) else { return Ok(None) };
            filter.priority = Some(priority);
        }
        filter.text = Some(self.text.clone()).filter(|text| !text.is_empty());
        Ok(Some(filter))
    }
}

/// The words for priorities, the most urgent first; the last is that of issues without one.
pub const PRIORITIES: [&str; 5] = ["p0", "p1", "p2", "p3", "none"];

fn priority_of(word: &str) -> Option<i64> {
    PRIORITIES.iter().position(|known| known.eq_ignore_ascii_case(word)).and_then(|at| i64::try_from(at).ok())
}

/// The word for a priority; none for issues without one.
pub fn priority_word(priority: i64) -> Option<&'static str> {
    usize::try_from(priority)
        .ok()
        .filter(|_| priority < NO_PRIORITY)
        .and_then(|at| PRIORITIES.get(at))
        .copied()
}

/// Where a part of a column begins, as it stands in an address.
pub fn write_place(behind: &Behind) -> String {
    format!("{}~{}~{}", behind.priority, behind.at.0, behind.id)
}

/// Reads it back.
pub fn read_place(params: &Params) -> ApiResult<Option<Behind>> {
    let Some(text) = params.text("behind") else { return Ok(None) };
    let read = || {
        let (priority, rest) = text.split_once('~')?;
        let (at, id) = rest.split_once('~')?;
        let at = at.parse().map(Timestamp).ok()?;
        Some(Behind { priority: priority.parse().ok()?, at, id: IssueId(id.to_owned()) })
    };
    read().map(Some).ok_or_else(|| ApiError::invalid("behind", "behind is no place of this board"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_of_priorities_agree() {
        for (number, word) in (0..).zip(PRIORITIES) {
            assert_eq!(priority_of(word), Some(number));
        }
        assert_eq!((priority_word(0), priority_word(NO_PRIORITY)), (Some("p0"), None));
        assert_eq!(priority_of("p9"), None);
    }

    #[test]
    fn what_is_asked_stays_in_the_address() {
        let asked = Asked { lane: "a b".to_owned(), text: "<&>".to_owned(), show: SHOWN, ..Asked::default() };
        assert_eq!(asked.query(), "lane=a+b&q=%3C%26%3E&");
        assert_eq!(Asked { show: SHOWN, ..Asked::default() }.query(), "");
        assert!(asked.narrows() && !Asked::default().narrows());
    }
}
