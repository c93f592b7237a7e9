//! A strict reader of the text form of OpenMetrics, as far as we write it.

use std::collections::{BTreeMap, BTreeSet};

/// One line: its labels in order, its value.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// A metric with its samples.
#[derive(Clone, Debug)]
pub struct Metric {
    pub kind: String,
    pub samples: Vec<Sample>,
}

/// Everything, by name.
#[derive(Debug)]
pub struct Exposition(pub BTreeMap<String, Metric>);

/// Panics with what is not as the form says.
pub fn read(text: &str) -> Exposition {
    let lines = text.strip_suffix("# EOF\n").expect("it ends with its mark");
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let (mut helped, mut present) = (String::new(), String::new());
    for line in lines.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a text");
            assert!(!help.is_empty(), "{line}");
            name.clone_into(&mut helped);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert_eq!(name, helped, "the type follows the help");
            assert!(["counter", "gauge", "histogram", "info"].contains(&kind), "{line}");
            let metric = Metric { kind: kind.to_owned(), samples: Vec::new() };
            assert!(metrics.insert(name.to_owned(), metric).is_none(), "{name} stands twice");
            name.clone_into(&mut present);
        } else {
            let sample = sample(line);
            let metric = metrics.get_mut(&present).unwrap_or_else(|| panic!("of no metric: {line}"));
            let suffix =
                sample.name.strip_prefix(&present).unwrap_or_else(|| panic!("{line} is not of {present}"));
            let fits: &[&str] = match metric.kind.as_str() {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                "info" => &["_info"],
                _ => &[""],
            };
            assert!(fits.contains(&suffix), "{line} does not suit a {}", metric.kind);
            metric.samples.push(sample);
        }
    }
    for (name, metric) in &metrics {
        check(name, metric);
    }
    Exposition(metrics)
}

fn sample(line: &str) -> Sample {
    let (what, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
    let (name, labels) = what.split_once('{').map_or((what, ""), |(name, rest)| {
        (name, rest.strip_suffix('}').unwrap_or_else(|| panic!("no end of labels: {line}")))
    });
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
    let labels = labels.split("\",").filter(|label| !label.is_empty()).map(|label| {
        let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        (name.to_owned(), value.trim_end_matches('"').to_owned())
    });
    let value = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
    Sample { name: name.to_owned(), labels: labels.collect(), value }
}

fn check(name: &str, metric: &Metric) {
    assert!(!metric.samples.is_empty(), "{name} is empty");
    let mut seen = BTreeSet::new();
    for sample in &metric.samples {
        assert!(seen.insert((&sample.name, &sample.labels)), "{name}: {sample:?} stands twice");
        assert!(sample.value >= 0.0 && sample.value.is_finite(), "{name}: {sample:?}");
    }
    if metric.kind != "histogram" {
        return;
    }
    for count in metric.samples.iter().filter(|sample| sample.name.ends_with("_count")) {
        let mine = |sample: &&Sample| {
            let mut labels = sample.labels.clone();
            labels.remove("le").is_some() && labels == count.labels
        };
        let buckets: Vec<&Sample> = metric.samples.iter().filter(mine).collect();
        assert!(buckets.windows(2).all(|pair| pair[0].value <= pair[1].value), "{name}: {buckets:?}");
        let last = buckets.last().expect("buckets");
        assert_eq!((last.labels["le"].as_str(), last.value), ("+Inf", count.value), "{name}");
    }
}

impl Exposition {
    /// The value of the sample with these labels; 0 when there is none.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted = |sample: &&Sample| {
            sample.name == name
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|is| is == value))
        };
        self.0.values().flat_map(|metric| &metric.samples).filter(wanted).map(|sample| sample.value).sum()
    }

    /// Each metric by the name that queries use, with its type and its labels.
    pub fn catalogue(&self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let entry = |(name, metric): (&String, &Metric)| {
            let suffix = match metric.kind.as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            let labels = metric.samples.iter().flat_map(|sample| sample.labels.keys().cloned());
            (format!("{name}{suffix}"), (metric.kind.clone(), labels.filter(|label| label != "le").collect()))
        };
        self.0.iter().map(entry).collect()
    }
}

#[test]
fn what_is_not_of_the_form_is_found() {
    let good = "# HELP a_b Text.\n# TYPE a_b counter\na_b_total{x=\"1\",y=\"2\"} 3\n# EOF\n";
    assert!((read(good).value("a_b_total", &[("y", "2")]) - 3.0).abs() < f64::EPSILON);
    let bad = [
        good.replace("# EOF\n", ""),
        good.replace("counter", "gauge"),
        good.replace(" 3\n", " three\n"),
        good.replace("a_b_total", "b_total"),
        good.replace("# EOF", "a_b_total{x=\"1\",y=\"2\"} 4\n# EOF"),
        good.replace("# TYPE a_b counter\n", ""),
    ];
    for text in bad {
        assert!(std::panic::catch_unwind(|| read(&text)).is_err(), "{text}");
    }
}
