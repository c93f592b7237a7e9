//! Median, least and most of what several rounds gave, and how figures are written.

use std::time::Duration;

/// One figure of each round.
#[derive(Clone, Debug)]
pub struct Spread<T>(Vec<T>);

impl<T> Default for Spread<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy + Ord> Spread<T> {
    pub fn add(&mut self, figure: T) {
        let place = self.0.partition_point(|other| *other <= figure);
        self.0.insert(place, figure);
    }

    /// The middle one; of an even number the lesser.
    pub fn median(&self) -> Option<T> {
        self.0.get(self.0.len().saturating_sub(1) / 2).copied()
    }

    pub fn most(&self) -> Option<T> {
        self.0.last().copied()
    }

    pub fn is_always(&self, figure: T) -> bool {
        !self.0.is_empty() && self.0.iter().all(|other| *other == figure)
    }

    /// `median (least..most)`, or one figure when all are the same.
    pub fn write(&self, format: impl Fn(T) -> String) -> String {
        let (Some(least), Some(most), Some(median)) = (self.0.first(), self.most(), self.median()) else {
            return "none".to_owned();
        };
        let [least, most, median] = [*least, most, median].map(format);
        if least == most { median } else { format!("{median} ({}..{most})", without_unit(&least, &most)) }
    }
}

/// `163` of `163 ms`, when what follows has the same unit.
fn without_unit<'t>(figure: &'t str, next: &str) -> &'t str {
    let unit = next.rsplit_once(' ').map_or("", |(_, unit)| unit);
    let has_unit = unit.chars().all(char::is_alphabetic);
    figure.strip_suffix(unit).filter(|_| has_unit).map_or(figure, str::trim_end)
}

impl Spread<Duration> {
    pub fn times(&self) -> String {
        self.write(time)
    }

    /// Whether the median is at most `limit`.
    pub fn is_within(&self, limit: Duration) -> bool {
        self.median().is_some_and(|median| median <= limit)
    }
}

impl Spread<u64> {
    pub fn counts(&self) -> String {
        self.write(count)
    }

    pub fn sizes(&self) -> String {
        self.write(size)
    }
}

impl<T: Copy + Ord> FromIterator<T> for Spread<T> {
    fn from_iter<I: IntoIterator<Item = T>>(figures: I) -> Self {
        let mut spread = Self::default();
        figures.into_iter().for_each(|figure| spread.add(figure));
        spread
    }
}

/// `4.3 ms`, `163 ms`, `19.3 s`.
pub fn time(time: Duration) -> String {
    match time.as_millis() {
        0..10 => format!("{:.1} ms", time.as_secs_f64() * 1000.0),
        10..10_000 => format!("{:.0} ms", time.as_secs_f64() * 1000.0),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// `1 920`.
pub fn count(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        _ => format!("{} {:03}", self::count(count / 1_000), count % 1_000),
    }
}

/// `340 B`, or `17.4 MB` in millions of bytes.
pub fn size(bytes: u64) -> String {
    if bytes < 50_000 {
        return format!("{} B", count(bytes));
    }
    let tenths = (bytes + 50_000) / 100_000;
    format!("{}.{} MB", count(tenths / 10), tenths % 10)
}
