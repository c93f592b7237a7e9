//! What went on lately, as charts with their tables: runs by the hour, how long work waited and took, heartbeats.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::Mutex;

use super::{
    chart::{Arranged, Drawing, Ink, Series, bars, columns},
    time::span,
};
use crate::{
    domain::{
        ids::{AgentName, IssueId},
        time::Timestamp,
    },
    engine::Engine,
    http::error::ApiResult,
    store::{
        ReadTx,
        activity::{self, Course, Hour},
    },
};

const HOURS: u32 = 24;
const HOUR: Duration = Duration::from_hours(1);
const DAYS: u32 = 7;
const DAY: Duration = Duration::from_hours(24);
/// Claims of a day whose times are looked at: the newest.
const COURSES_MAX: i64 = 1_000;
/// Agents of the table, and of its chart.
const AGENTS_MAX: i64 = 100;
const BARS_MAX: usize = 8;
/// What was read is shown for so long at most.
const KEPT_MOST: Duration = Duration::from_secs(10);
/// And for so long whatever is written meanwhile: a busy fleet writes all the time.
const KEPT_LEAST: Duration = Duration::from_secs(1);

/// All of it.
pub struct Activity {
    pub runs: Runs,
    pub work: Work,
    pub beats: Beats,
}

/// Runs by the hour; nothing is drawn of nothing.
pub struct Runs {
    pub hours: Vec<Hour>,
    pub legend: Vec<(Ink, &'static str, i64)>,
    pub drawing: Option<Drawing>,
}

/// How long issues waited and took, by the day of their claim.
pub struct Work {
    pub days: Vec<Day>,
    pub drawing: Option<Drawing>,
}

/// The claims of a day: how many, and medians of the newest.
pub struct Day {
    pub at: Timestamp,
    pub claims: i64,
    pub waited: Option<Duration>,
    pub took: Option<Duration>,
}

/// Heartbeats of a day by agent, the most eager first.
pub struct Beats {
    pub agents: Vec<(AgentName, i64)>,
    /// How many beat; more than are named.
    pub all: i64,
    pub drawing: Option<Drawing>,
}

impl Beats {
    /// How many are drawn, where that is not all.
    pub fn drawn(&self) -> Option<usize> {
        Some(BARS_MAX).filter(|drawn| self.exceeds(*drawn))
    }

    /// How many are named, where that is not all.
    pub fn named(&self) -> Option<usize> {
        Some(self.agents.len()).filter(|named| self.exceeds(*named))
    }

    fn exceeds(&self, count: usize) -> bool {
        usize::try_from(self.all).is_ok_and(|all| all > count)
    }
}

/// What was read last: it walks all that ran lately, and serves whoever looks.
#[derive(Default)]
pub struct Memo(Mutex<Option<Kept>>);

struct Kept {
    at: Timestamp,
    /// What the database had told then.
    version: u64,
    activity: Arc<Activity>,
}

impl Kept {
    fn holds(&self, now: Timestamp, version: u64) -> bool {
        let most = if version == self.version { KEPT_MOST } else { KEPT_LEAST };
        self.at <= now && now.since(self.at) < most
    }
}

impl Memo {
    /// Reads, unless somebody did so a moment ago. Whoever comes meanwhile waits for the same read, so the caller must
    /// have no transaction open: the one who reads may need its connection.
    pub async fn read(&self, engine: &Engine) -> ApiResult<Arc<Activity>> {
        let mut kept = self.0.lock().await;
        let (now, version) = (engine.clock().now(), engine.db().feed().version());
        if let Some(kept) = kept.as_ref().filter(|kept| kept.holds(now, version)) {
            return Ok(Arc::clone(&kept.activity));
        }
        let mut tx = engine.db().read().await?;
        let activity = Arc::new(Activity::read(&mut tx, now).await?);
        drop(tx);
        *kept = Some(Kept { at: now, version, activity: Arc::clone(&activity) });
        Ok(activity)
    }
}

impl Activity {
    async fn read(tx: &mut ReadTx, now: Timestamp) -> ApiResult<Self> {
        let first = begin(now, HOUR).minus(HOUR * (HOURS - 1));
        let hours = activity::list_hours(tx, first, HOURS).await?;
        let first = begin(now, DAY).minus(DAY * (DAYS - 1));
        let (mut counts, mut courses) = (Vec::new(), Vec::new());
        for n in 0..DAYS {
            let (from, until) = (first.plus(DAY * n), first.plus(DAY * (n + 1)));
            counts.push(activity::count_claims(tx, from, until).await?);
            courses.extend(activity::list_courses(tx, (from, until), COURSES_MAX).await?);
        }
        let agents = activity::list_beats(tx, now.minus(DAY), AGENTS_MAX).await?;
        let beating = activity::count_beating(tx, now.minus(DAY)).await?;
        Ok(Self {
            runs: Runs::of(hours)?,
            work: Work::of(first, &counts, &courses)?,
            beats: Beats::of(agents, beating)?,
        })
    }
}

/// What is counted of an hour.
type Count<'a> = &'a dyn Fn(&Hour) -> i64;

impl Runs {
    fn of(hours: Vec<Hour>) -> ApiResult<Self> {
        let other = |hour: &Hour| (hour.total - hour.good - hour.warned - hour.failed).max(0);
        let kinds: [(Ink, &str, Count<'_>); 4] = [
            (Ink::Good, "went well", &|hour| hour.good),
            (Ink::Warned, "warned, blocked or still running", &|hour| hour.warned),
            (Ink::Failed, "failed", &|hour| hour.failed),
            (Ink::Other, "other words", &other),
        ];
        let sum = |of: &dyn Fn(&Hour) -> i64| hours.iter().map(of).sum::<i64>();
        let legend: Vec<_> = kinds.iter().map(|(ink, words, of)| (*ink, *words, sum(of))).collect();
        let series = kinds
            .map(|(ink, _, of)| Series { ink, values: hours.iter().map(|hour| height(of(hour))).collect() });
        let labels: Vec<String> = hours.iter().map(|hour| time_of(&hour.at)).collect();
        let has_any = hours.iter().any(|hour| hour.total > 0);
        let draw = || columns("Runs per hour, as columns", &labels, &series, Arranged::Stacked, "");
        let drawing = has_any.then(draw).transpose()?;
        Ok(Self { hours, legend, drawing })
    }
}

#[expect(clippy::cast_precision_loss, reason = "the height of a column")]
const fn height(count: i64) -> f64 {
    count as f64
}

impl Work {
    fn of(first: Timestamp, counts: &[i64], courses: &[Course]) -> ApiResult<Self> {
        let mut waited: BTreeMap<&IssueId, (Timestamp, Duration)> = BTreeMap::new();
        let mut took: BTreeMap<&IssueId, (Timestamp, Duration)> = BTreeMap::new();
        for Course { issue, claimed_at, ready_at, review_at } in courses {
            // It waited for the first of its claims, and the last of them led to the review.
            if let Some(ready) = ready_at.filter(|ready| ready <= claimed_at) {
                let one = waited.entry(issue).or_insert((*claimed_at, claimed_at.since(ready)));
                *one = (*one).min((*claimed_at, claimed_at.since(ready)));
            }
            if let Some(review) = review_at.filter(|review| review >= claimed_at) {
                let one = took.entry(issue).or_insert((*claimed_at, review.since(*claimed_at)));
                *one = (*one).max((*claimed_at, review.since(*claimed_at)));
            }
        }
        let days: Vec<Day> = (0..DAYS)
            .zip(counts)
            .map(|(n, claims)| {
                let at = first.plus(DAY * n);
                let is_in = |claimed: Timestamp| claimed >= at && claimed < at.plus(DAY);
                let of = |all: &BTreeMap<&IssueId, (Timestamp, Duration)>| {
                    median(all.values().filter(|(claimed, _)| is_in(*claimed)).map(|(_, lasted)| *lasted))
                };
                Day { at, claims: *claims, waited: of(&waited), took: of(&took) }
            })
            .collect();
        let lasted = || days.iter().flat_map(|day| [day.waited, day.took]).flatten();
        let drawing = lasted().max().map(|longest| {
            let (unit, letters) = unit_of(longest);
            let values = |of: fn(&Day) -> Option<Duration>| {
                days.iter().map(|day| of(day).map_or(0.0, |lasted| lasted.div_duration_f64(unit))).collect()
            };
            let series = [
                Series { ink: Ink::First, values: values(|day| day.waited) },
                Series { ink: Ink::Second, values: values(|day| day.took) },
            ];
            let labels: Vec<String> = days.iter().map(|day| date_of(day.at)).collect();
            columns(
                "How long work waits and takes, as columns",
                &labels,
                &series,
                Arranged::SideBySide,
                letters,
            )
        });
        Ok(Self { drawing: drawing.transpose()?, days })
    }

    /// How many claims of a day its medians are of at most, where a day has more.
    pub fn looked_at(&self) -> Option<i64> {
        self.days.iter().any(|day| day.claims > COURSES_MAX).then_some(COURSES_MAX)
    }
}

impl Day {
    pub fn name(&self) -> String {
        date_of(self.at)
    }

    pub fn waited(&self) -> String {
        in_words(self.waited)
    }

    pub fn took(&self) -> String {
        in_words(self.took)
    }
}

impl Beats {
    fn of(agents: Vec<(AgentName, i64)>, all: i64) -> ApiResult<Self> {
        let rows = || {
            agents.iter().take(BARS_MAX).map(|(name, beats)| (name.to_string(), *beats)).collect::<Vec<_>>()
        };
        let draw = || bars("Heartbeats of the last day by agent, as bars", &rows());
        let drawing = (!agents.is_empty()).then(draw).transpose()?;
        Ok(Self { agents, all, drawing })
    }
}

fn in_words(lasted: Option<Duration>) -> String {
    lasted.map_or_else(|| "–".to_owned(), span)
}

/// When the span began that this time is in.
fn begin(at: Timestamp, span: Duration) -> Timestamp {
    let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp(at.0.div_euclid(span) * span)
}

/// `14:00`.
pub fn time_of(at: &Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or_default().to_owned()
}

/// `01-31`.
fn date_of(at: Timestamp) -> String {
    at.to_string().get(5..10).unwrap_or_default().to_owned()
}

fn median(all: impl Iterator<Item = Duration>) -> Option<Duration> {
    let mut all: Vec<Duration> = all.collect();
    all.sort_unstable();
    all.get(all.len().saturating_sub(1) / 2).copied()
}

/// What such spans are measured in on an axis.
const fn unit_of(longest: Duration) -> (Duration, &'static str) {
    match longest.as_secs() {
        0..600 => (Duration::from_secs(1), " s"),
        600..10_800 => (Duration::from_mins(1), " min"),
        10_800..259_200 => (Duration::from_hours(1), " h"),
        _ => (DAY, " d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(issue: &str, claimed: i64, ready: Option<i64>, review: Option<i64>) -> Course {
        let at = |hours: i64| Timestamp(hours * 3_600_000);
        Course {
            issue: IssueId(issue.to_owned()),
            claimed_at: at(claimed),
            ready_at: ready.map(at),
            review_at: review.map(at),
        }
    }

    #[test]
    fn an_issue_waits_for_its_first_claim_and_takes_from_its_last() {
        let courses = [
            // Two claims after it was ready: it waited for 2 h, and the second took 3 h.
            course("twice", 12, Some(0), Some(15)),
            course("twice", 2, Some(0), Some(15)),
            // Ready again since its claim: how long it waited then is not known any more.
            course("again", 30, Some(40), None),
            // Its review was before this claim.
            course("reviewed", 31, Some(30), Some(20)),
        ];
        let days = Work::of(Timestamp(0), &[1_200, 2, 0, 0, 0, 0, 0], &courses).unwrap();
        assert_eq!(days.looked_at(), Some(1_000));
        let days = days.days;
        let hours = |lasted: Option<Duration>| lasted.map(|lasted| lasted.as_secs() / 3600);
        let seen: Vec<_> =
            days.iter().map(|day| (day.claims, hours(day.waited), hours(day.took))).take(3).collect();
        assert_eq!(seen, [(1_200, Some(2), Some(3)), (2, Some(1), None), (0, None, None)]);
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(Work::of(Timestamp(0), &[0; 7], &[]).unwrap().drawing.is_none());
        assert!(Beats::of(Vec::new(), 0).unwrap().drawing.is_none());
        let idle = Hour { at: Timestamp(0), good: 0, warned: 0, failed: 0, total: 0 };
        assert!(Runs::of(vec![idle; 24]).unwrap().drawing.is_none());
        assert!(Runs::of(vec![Hour { total: 1, ..idle }, idle]).unwrap().drawing.is_some());
    }

    #[test]
    fn medians_are_figures_that_were_there() {
        let of =
            |all: &[u64]| median(all.iter().map(|secs| Duration::from_secs(*secs))).map(|one| one.as_secs());
        assert_eq!((of(&[]), of(&[7]), of(&[9, 1]), of(&[5, 1, 9])), (None, Some(7), Some(1), Some(5)));
    }

    #[test]
    fn spans_begin_where_clocks_say_so() {
        assert_eq!(begin(Timestamp(3_600_001), HOUR), Timestamp(3_600_000));
        assert_eq!(
            (time_of(&Timestamp(50_400_000)), date_of(Timestamp(0))),
            ("14:00".to_owned(), "01-01".to_owned())
        );
    }
}
