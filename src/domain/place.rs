//! Where a page of the queue begins: behind an issue of the page before, in the order that held when the first page was made.

use super::{
    ids::{AgentName, IssueNumber, RepoId},
    page::NotACursor,
    queue::{Aging, Class, Facts, days_to, rank},
    time::Timestamp,
};

/// An issue's place in a queue, as it was at a certain time: waiting raises issues, and no page may move under its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub at: Timestamp,
    score: i64,
    pub created_at: Timestamp,
    pub repo: RepoId,
    pub number: IssueNumber,
    aging: Aging,
}

/// Which issues of a class stand behind a place. In a class the older stands first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    All,
    None,
    /// Those made later than this.
    MadeAfter(Timestamp),
    /// Those that follow the place itself by creation, repository and number.
    Following,
}

impl Place {
    /// The place of an issue in the queue of `agent`.
    pub fn of(issue: &Facts, agent: &AgentName, aging: Aging, at: Timestamp) -> Self {
        let score = rank(issue, agent, aging, at).score;
        let Facts { created_at, repo, number, .. } = issue;
        Self { at, score, created_at: *created_at, repo: repo.clone(), number: *number, aging }
    }

    /// The opaque form for the wire.
    pub fn encode(&self) -> String {
        let Self { at, score, created_at, repo, number, .. } = self;
        format!("{}~{score}~{}~{}~{}", at.0, created_at.0, repo.0, number.0)
    }

    pub fn decode(text: &str, aging: Aging) -> Result<Self, NotACursor> {
        let parts: Vec<&str> = text.split('~').collect();
        let [at, score, created_at, repo, number] = parts[..] else { return Err(NotACursor) };
        let number_of = |text: &str| text.parse::<i64>().map_err(|_| NotACursor);
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        if repo.is_empty() || repo.len() > 64 || !repo.bytes().all(is_plain) {
            return Err(NotACursor);
        }
        Ok(Self {
            at: Timestamp(number_of(at)?),
            score: number_of(score)?,
            created_at: Timestamp(number_of(created_at)?),
            repo: RepoId(repo.to_owned()),
            number: IssueNumber(number_of(number)?),
            aging,
        })
    }

    /// Which issues of a class stand behind this place: those that score more, and of those that score the same the
    /// ones that follow it.
    pub fn behind(&self, class: Class) -> Behind {
        let lead = class.score(0).saturating_sub(self.score);
        let tiers = lead.div_euclid(100);
        if lead < 0 {
            return Behind::None;
        }
        if tiers > class.most_tiers(self.aging) {
            return Behind::All;
        }
        let scores_the_same = lead.rem_euclid(100) == 0;
        let raised_by = |tiers| self.at.minus(days_to(tiers, self.aging));
        // What was raised by so many tiers is made at `newest` or before, and after `oldest`.
        let newest = (tiers > 0).then(|| raised_by(tiers));
        let oldest = (tiers < class.most_tiers(self.aging)).then(|| raised_by(tiers + 1));
        match (scores_the_same, newest, oldest) {
            // All that was raised less scores more.
            (true, Some(newest), _) if self.created_at > newest => Behind::MadeAfter(newest),
            (true, _, Some(oldest)) if self.created_at <= oldest => Behind::MadeAfter(oldest),
            (true, ..) => Behind::Following,
            (false, _, Some(oldest)) => Behind::MadeAfter(oldest),
            (false, ..) => Behind::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::labels::Status;

    const DAY: i64 = 24 * 60 * 60 * 1_000;

    fn issues() -> impl Strategy<Value = Vec<Facts>> {
        let status = prop::sample::select(vec![
            None,
            Some(Status::Ready),
            Some(Status::InProgress),
            Some(Status::InReview),
        ]);
        let age =
            prop_oneof![0..40_i64 * DAY, (0..6_i64, -1..2_i64).prop_map(|(weeks, ms)| weeks * 7 * DAY + ms)];
        let issue = (0..5_i64, any::<bool>(), status, age);
        prop::collection::vec(issue, 2..30).prop_map(|issues| {
            let numbered = issues.into_iter().enumerate();
            let fact = |(n, (priority, own, status, age)): (usize, (i64, bool, Option<Status>, i64))| Facts {
                repo: RepoId(format!("r{}", n % 2)),
                number: IssueNumber(i64::try_from(n).unwrap()),
                hidden: None,
                status,
                rests: false,
                priority,
                agent: own.then(|| "me".to_owned()),
                holder: None,
                lane: "local".into(),
                lane_closed: false,
                automated: false,
                decomposed: false,
                open_blockers: 0,
                created_at: Timestamp(100 * DAY - age),
            };
            numbered.map(fact).collect()
        })
    }

    fn stands_behind(issue: &Facts, place: &Place) -> bool {
        let stranger = issue.agent.is_none();
        match place.behind(Class { priority: issue.priority, stranger, status: issue.status }) {
            Behind::All => true,
            Behind::None => false,
            Behind::MadeAfter(at) => issue.created_at > at,
            Behind::Following => {
                (issue.created_at, &issue.repo, issue.number) > (place.created_at, &place.repo, place.number)
            }
        }
    }

    proptest! {
        #[test]
        fn what_stands_behind_a_place_is_what_ranks_after_it(issues in issues(), days in 1..9_u32, max_tiers in 0..4_u32) {
            let (aging, at) = (Aging { days_per_tier: days, max_tiers }, Timestamp(100 * DAY));
            let me = "me".parse().unwrap();
            for one in &issues {
                let place = Place::of(one, &me, aging, at);
                prop_assert_eq!(Place::decode(&place.encode(), aging), Ok(place.clone()));
                for other in &issues {
                    let after = rank(other, &me, aging, at) > rank(one, &me, aging, at);
                    prop_assert_eq!(stands_behind(other, &place), after, "{:?} behind {:?}", other, place);
                }
            }
        }
    }

    #[test]
    fn strangers_are_no_places() {
        for text in ["", "1~2~3", "1~2~3~r~x", "1~2~3~~4", "1~2~3~a'b~4", "1~2~3~r~4~5", "x~2~3~r~4"] {
            assert_eq!(Place::decode(text, Aging::default()), Err(NotACursor), "{text}");
        }
        assert_eq!(days_to(2, Aging::default()), Duration::from_hours(14 * 24));
    }
}
