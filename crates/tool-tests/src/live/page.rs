//! What does a page for Prometheus say? Read as its documentation has it, and refused where it is broken.

use std::collections::{BTreeMap, BTreeSet};

/// A page, by series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// As it came.
    pub text: String,
    /// Metric and type.
    kinds: BTreeMap<String, String>,
    series: BTreeMap<Series, f64>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

impl PartialEq<str> for Series {
    fn eq(&self, name: &str) -> bool {
        self.name == name
    }
}

impl Page {
    #[track_caller]
    /// Reads a page.
    pub fn parse(text: &str) -> Self {
        let mut page = Self { text: text.to_owned(), ..Self::default() };
        let mut helped = BTreeSet::new();
        assert!(text.is_empty() || text.ends_with('\n'), "the last line has no end");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                assert!(helped.insert(help.split(' ').next().unwrap()), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(helped.contains(name) && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(page.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            } else {
                let (series, value) = sample(line);
                assert!(page.metric(&series.name).is_some(), "{line} is of nothing that was declared");
                assert!(page.series.insert(series, value).is_none(), "{line} is there twice");
            }
        }
        page.check_histograms();
        page
    }

    /// The metric that a series is of.
    fn metric(&self, series: &str) -> Option<&str> {
        let part = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| series.strip_suffix(suffix));
        let histogram =
            part.and_then(|name| self.kinds.get_key_value(name)).filter(|(_, kind)| *kind == "histogram");
        let plain = self.kinds.get_key_value(series).filter(|(_, kind)| *kind != "histogram");
        histogram.or(plain).map(|(name, _)| name.as_str())
    }

    /// Buckets rise, and the last one has all.
    fn check_histograms(&self) {
        let mut buckets = BTreeMap::<Series, Vec<(f64, f64)>>::new();
        for (series, value) in &self.series {
            if let Some(name) = series.name.strip_suffix("_bucket") {
                let mut of = Series { name: format!("{name}_count"), labels: series.labels.clone() };
                let edge = of.labels.remove("le").unwrap().replace("+Inf", "inf").parse().unwrap();
                buckets.entry(of).or_default().push((edge, *value));
            }
        }
        for (count, mut buckets) in buckets {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{count:?} {buckets:?}");
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, self.series[&count])));
        }
    }

    /// Asserts that this page came after `before` in one run.
    #[track_caller]
    pub fn follows(&self, before: &Self) {
        for (series, old) in &before.series {
            let new = self.series.get(series).unwrap_or_else(|| panic!("{series:?} is no longer there"));
            let metric = self.metric(&series.name).unwrap();
            assert!(self.kinds[metric] == "gauge" || new >= old, "{series:?} went from {old} to {new}");
        }
    }

    /// The metrics that it has series of; of a histogram also the names of its series.
    pub fn names(&self) -> BTreeSet<&str> {
        self.series.keys().map(|series| series.name.as_str()).collect()
    }

    /// The names of the labels of all series called `name`.
    pub fn labels(&self, name: &str) -> BTreeSet<&str> {
        let of = self.series.keys().filter(|series| **series == *name);
        of.flat_map(|series| series.labels.keys().map(String::as_str)).collect()
    }

    /// The value of the only series called `name`.
    pub fn value(&self, name: &str) -> Option<f64> {
        let mut all = self.series.iter().filter(|(series, _)| **series == *name);
        let (_, value) = all.next()?;
        assert!(all.next().is_none(), "there are several {name}");
        Some(*value)
    }

    /// The value of the only series called `name` with this label.
    pub fn of(&self, name: &str, label: &str, value: &str) -> Option<f64> {
        let is =
            |series: &Series| *series == *name && series.labels.get(label).is_some_and(|one| one == value);
        let mut all = self.series.iter().filter(|(series, _)| is(series));
        let (_, value) = all.next()?;
        assert!(all.next().is_none(), "there are several {name}");
        Some(*value)
    }

    /// The sum of all series called `name`.
    pub fn sum(&self, name: &str) -> f64 {
        self.series.iter().filter(|(series, _)| **series == *name).map(|(_, value)| value).sum()
    }

    /// Calls that came to this.
    pub fn calls(&self, outcome: &str) -> f64 {
        let of = |series: &Series| *series == *"quintet_calls_total" && series.labels["outcome"] == outcome;
        self.series.iter().filter(|(series, _)| of(series)).map(|(_, value)| value).sum()
    }
}

/// `name{label="value",...} 1.5`.
fn sample(line: &str) -> (Series, f64) {
    let (name, mut rest) = line.split_once('{').unwrap();
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
    let mut labels = BTreeMap::new();
    while !rest.starts_with('}') {
        let (label, value) = rest.split_once("=\"").unwrap();
        let mut text = String::new();
        let mut chars = value.char_indices();
        let end = loop {
            match chars.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => text.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    c @ ('"' | '\\') => c,
                    c => panic!("\\{c} in {line}"),
                }),
                (_, c) => text.push(c),
            }
        };
        assert!(labels.insert(label.to_owned(), text).is_none(), "{line}");
        rest = &value[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    let value: f64 = rest[1..].strip_prefix(' ').unwrap().parse().unwrap();
    assert!(value.is_finite(), "{line}");
    (Series { name: name.to_owned(), labels }, value)
}
