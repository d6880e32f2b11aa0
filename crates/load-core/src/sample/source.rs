//! Whom does a run ask besides its protocol's own target? Pages of exporters, and processes of this machine.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use load_report::gauge::{GaugeKind, GaugePlan, GaugeUnit};
use load_suite::suite::{SampleGauge, SampleKind, SampleUnit, Sampled, Samples, Term};
use serde_json::Value as Json;

use super::Reading;
use super::exposition::{self, Series};
use super::process::Process;

/// Reads a page, which is somebody else's business: see [`Protocol::exporter`](crate::protocol::Protocol::exporter).
pub trait Exporter: Send + Sync {
    /// What is read, without secrets.
    fn label(&self) -> String;

    /// What must never be shown.
    fn secrets(&self) -> Vec<String>;

    /// Reads it. The future may be dropped at any await.
    ///
    /// # Errors
    /// Why there is no page, in one line.
    fn read(&self) -> Page<'_>;
}

/// A page, under way.
pub type Page<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + 'a>>;

/// Somebody who is asked, and what for.
#[derive(Clone)]
pub(crate) struct Source {
    of: Of,
    gauges: Vec<SampleGauge>,
}

#[derive(Clone)]
enum Of {
    Page(Arc<dyn Exporter>),
    Process(Process),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

/// What an answer has for a gauge whose value is made of several answers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// How often an answer was another one than the one before.
    changes: f64,
    before: Option<f64>,
}

impl Source {
    /// Who is meant by `samples`, of which `page` knows how to read a URL. None for nobody.
    pub(crate) fn of<E>(
        samples: &Samples,
        page: impl FnOnce(&str, Option<&str>) -> Result<Arc<dyn Exporter>, E>,
    ) -> Result<Option<Self>, E> {
        let of = match &samples.of {
            Sampled::Nobody => return Ok(None),
            Sampled::Page { url, token } => Of::Page(page(url, token.as_deref())?),
            Sampled::Process(text) => Of::Process(Process::read(text)),
        };
        Ok(Some(Self { of, gauges: samples.gauges.clone() }))
    }

    /// What somebody is asked for who may not be there.
    pub(crate) fn plans(samples: &Samples) -> impl Iterator<Item = GaugePlan> {
        samples.gauges.iter().map(plan)
    }

    /// What it is asked for.
    pub(crate) fn gauges(&self) -> impl Iterator<Item = GaugePlan> {
        self.gauges.iter().map(plan)
    }

    /// Who is asked, for people.
    pub(crate) fn label(&self) -> String {
        match &self.of {
            Of::Page(page) => page.label(),
            Of::Process(process) => process.label(),
        }
    }

    /// What must never be shown.
    pub(crate) fn secrets(&self) -> Vec<String> {
        match &self.of {
            Of::Page(page) => page.secrets(),
            Of::Process(_) => Vec::new(),
        }
    }

    /// As many as there are gauges.
    pub(super) fn memories(&self) -> Vec<Memory> {
        self.gauges.iter().map(|_| Memory::default()).collect()
    }

    /// Asks for every gauge.
    pub(super) async fn ask(&self) -> Result<Answer, String> {
        match &self.of {
            Of::Process(process) => process.look().map(Answer::Series),
            Of::Page(page) => {
                let body = page.read().await?;
                let text = String::from_utf8_lossy(&body);
                if text.trim_start().starts_with(['{', '[']) {
                    let json = serde_json::from_str(&text);
                    return json.map(Answer::Json).map_err(|error| format!("no JSON: {error}"));
                }
                exposition::parse(&text, |name| self.wants(name)).map(Answer::Series)
            }
        }
    }

    /// What `answer` has for each gauge.
    pub(super) fn readings(&self, answer: &Answer, memories: &mut [Memory]) -> Vec<Reading> {
        self.gauges.iter().zip(memories).map(|(gauge, memory)| reading(gauge, answer, memory)).collect()
    }

    /// Names of those gauges that every answer should have and that are not among `readings`.
    pub(super) fn missing(&self, readings: &[Reading]) -> Vec<String> {
        let all = self.gauges.iter().zip(readings);
        let missing = all.filter(|(gauge, reading)| !gauge.optional && **reading == Reading::Unknown);
        missing.map(|(gauge, _)| gauge.name.clone()).collect()
    }

    fn wants(&self, name: &str) -> bool {
        let terms =
            self.gauges.iter().flat_map(|gauge| gauge.plus.iter().chain(&gauge.minus).chain(&gauge.of));
        terms.into_iter().any(|term| matches!(term, Term::Series(selector) if selector.name == name))
    }
}

/// A gauge for thresholds and results.
fn plan(gauge: &SampleGauge) -> GaugePlan {
    let unit = match gauge.unit {
        SampleUnit::Count => GaugeUnit::Count,
        SampleUnit::Bytes => GaugeUnit::Bytes,
        SampleUnit::Ratio => GaugeUnit::Ratio,
        SampleUnit::PerS => GaugeUnit::PerS,
        SampleUnit::BytesPerS => GaugeUnit::BytesPerS,
        SampleUnit::Ms => GaugeUnit::Ms,
    };
    let kind = match gauge.kind {
        SampleKind::Level => GaugeKind::Level,
        // How often it changed is a running total of our own.
        SampleKind::Growth | SampleKind::Changes => GaugeKind::Growth,
        SampleKind::Rate => GaugeKind::Rate,
        SampleKind::Share => GaugeKind::Share,
    };
    GaugePlan { name: gauge.name.clone(), help: gauge.help.clone(), unit, kind }
}

/// What somebody said.
#[derive(Debug)]
pub(super) enum Answer {
    Series(Vec<Series>),
    Json(Json),
}

impl Answer {
    /// The sum of all that `term` means; none where there is nothing.
    fn amount(&self, term: &Term) -> Option<f64> {
        let found: Vec<f64> = match (self, term) {
            (Self::Series(all), Term::Series(selector)) => {
                let fits = |series: &&Series| {
                    series.name == selector.name && selector.fits(|label| series.label(label))
                };
                all.iter().filter(fits).map(|series| series.value).collect()
            }
            (Self::Json(json), Term::Json(path)) => path.find(json).into_iter().filter_map(number).collect(),
            _ => Vec::new(),
        };
        (!found.is_empty()).then(|| found.iter().sum())
    }

    /// The sum of all `terms`; none where one has nothing.
    fn sum(&self, terms: &[Term]) -> Option<f64> {
        terms.iter().map(|term| self.amount(term)).sum()
    }
}

/// A number, also one in quotes.
fn number(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn reading(gauge: &SampleGauge, answer: &Answer, memory: &mut Memory) -> Reading {
    let (Some(plus), Some(minus)) = (answer.sum(&gauge.plus), answer.sum(&gauge.minus)) else {
        return Reading::Unknown;
    };
    let value = (plus - minus) * gauge.factor;
    let of = (!gauge.of.is_empty()).then(|| answer.sum(&gauge.of));
    match (gauge.kind, of) {
        (_, Some(None)) => Reading::Unknown,
        (SampleKind::Share, of) => Reading::Share { cases: value, of: of.flatten().unwrap_or_default() },
        (SampleKind::Changes, _) => {
            if memory.before.replace(value).is_some_and(|before| before.to_bits() != value.to_bits()) {
                memory.changes += 1.0;
            }
            Reading::Value(memory.changes)
        }
        (_, Some(Some(of))) => Reading::Value(value / of),
        (_, None) => Reading::Value(value),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use load_suite::suite::sample_set;

    /// Says one page after the other, the last one for ever.
    pub(in crate::sample) struct Pages(
        pub(in crate::sample) Mutex<VecDeque<Result<&'static str, &'static str>>>,
    );

    impl Exporter for Pages {
        fn label(&self) -> String {
            "http://pages/".into()
        }

        fn secrets(&self) -> Vec<String> {
            Vec::new()
        }

        fn read(&self) -> Page<'_> {
            let mut pages = self.0.lock().unwrap();
            let page = if pages.len() > 1 { pages.pop_front() } else { pages.front().copied() };
            let page = page.unwrap_or(Err("no page"));
            Box::pin(async move { page.map(|page| page.as_bytes().to_vec()).map_err(str::to_owned) })
        }
    }

    pub(in crate::sample) fn source(set: &str, pages: &[Result<&'static str, &'static str>]) -> Source {
        let pages = Pages(Mutex::new(pages.iter().copied().collect()));
        Source { of: Of::Page(Arc::new(pages)), gauges: sample_set(set).unwrap().unwrap() }
    }

    fn looks(source: &Source, count: usize) -> Vec<Vec<Reading>> {
        let memories = RefCell::new(source.memories());
        let look = async || source.readings(&source.ask().await.unwrap(), &mut memories.borrow_mut());
        let all = async {
            let mut all = Vec::new();
            for _ in 0..count {
                all.push(look().await);
            }
            all
        };
        futures_util::FutureExt::now_or_never(all).unwrap()
    }

    #[test]
    fn a_node_is_told_by_its_exporter() {
        let page = "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 70\nnode_cpu_seconds_total{cpu=\"0\",mode=\"iowait\"} 10\n\
                    node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 15\nnode_cpu_seconds_total{cpu=\"1\",mode=\"system\"} 5\n\
                    node_memory_MemTotal_bytes 1e9\nnode_memory_MemAvailable_bytes 2.5e8\n\
                    node_network_receive_bytes_total{device=\"lo\"} 1000\nnode_network_receive_bytes_total{device=\"eth0\"} 7\n";
        let source = source("node", &[Ok(page)]);
        let readings = &looks(&source, 1)[0];
        let named = |name: &str| readings[source.gauges().position(|gauge| gauge.name == name).unwrap()];
        assert_eq!(named("node_cpu"), Reading::Share { cases: 20.0, of: 100.0 });
        assert_eq!(named("node_memory"), Reading::Value(7.5e8));
        assert_eq!(named("node_memory_share"), Reading::Value(0.75));
        assert_eq!(named("node_network_in"), Reading::Value(7.0));
        assert_eq!(named("node_disk_read"), Reading::Unknown);
        let missing = source.missing(readings);
        assert!(missing.contains(&"node_disk_read".to_owned()) && !missing.contains(&"node_cpu".to_owned()));
    }

    #[test]
    fn another_process_in_its_place_is_a_restart() {
        let [first, again, other] = [
            "process_start_time_seconds 5.5",
            "process_start_time_seconds 5.50",
            "process_start_time_seconds 9",
        ];
        let source = source("process", &[Ok(first), Ok(again), Ok(other), Ok(other)]);
        let index = source.gauges().position(|gauge| gauge.name == "process_restarts").unwrap();
        let restarts: Vec<_> = looks(&source, 4).into_iter().map(|readings| readings[index]).collect();
        assert_eq!(restarts, [0.0, 0.0, 1.0, 1.0].map(Reading::Value));
    }
}
