//! Whom is to be asked what the target uses, for what, and how often?

use std::sync::Arc;
use std::time::Duration;

use load_report::gauge::GaugePlan;
use load_report::threshold::{Catalog, Threshold};
use load_suite::node::Place;
use load_suite::suite::{Sampled as Whom, Samples, sample_set};

use super::Context;
use super::args::{LoadArgs, Sampled, TYPED};
use crate::error::UsageError;
use crate::sample::{Exporter, Source};

/// When nothing says so.
const SAMPLED: Duration = Duration::from_secs(1);

/// Whom to ask besides the protocol's own target.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// In the order of their gauges, which are behind those of the protocol.
    pub(crate) sources: Vec<Source>,
    /// Gauges of those whom the environment does not have.
    pub(super) absent: Vec<GaugePlan>,
    /// Where these are written.
    nobody: Vec<Place>,
}

impl Asked {
    /// Whom the command line and the suite's `samples` mean. `page` says who reads a URL.
    ///
    /// # Errors
    /// A URL that is none, or two gauges of one name.
    pub(crate) fn of(
        args: &LoadArgs,
        samples: &[Samples],
        page: impl Fn(&str, Option<&str>) -> Result<Arc<dyn Exporter>, UsageError>,
    ) -> Result<Self, UsageError> {
        let mut asked = Self::default();
        let mut absent = Vec::new();
        for samples in typed(args)?.iter().chain(samples) {
            let told = |error: UsageError| UsageError::new(format!("{}: {error}", place(&samples.place)));
            if let Some(source) = Source::of(samples, &page).map_err(told)? {
                asked.sources.push(source);
            } else {
                absent.extend(Source::plans(samples));
                asked.nobody.push(samples.place.clone());
            }
        }
        let is_there = |gauge: &GaugePlan| asked.gauges().any(|one| one.name == gauge.name);
        asked.absent = absent.into_iter().filter(|gauge| !is_there(gauge)).collect();
        Ok(asked)
    }

    fn gauges(&self) -> impl Iterator<Item = GaugePlan> {
        self.sources.iter().flat_map(Source::gauges)
    }

    /// What must never be shown.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.sources.iter().flat_map(Source::secrets).collect()
    }

    /// What a reader should know before the run, a line each.
    pub(crate) fn notices(&self) -> Vec<String> {
        if self.absent.is_empty() {
            return Vec::new();
        }
        let places: Vec<_> = self.nobody.iter().map(ToString::to_string).collect();
        vec![format!("{}: nobody to ask; thresholds on these gauges are left out", places.join(", "))]
    }

    /// Adds to `context` what is asked for.
    ///
    /// # Errors
    /// Two of one name.
    pub(super) fn join(&self, args: &LoadArgs, context: &mut Context) -> Result<(), UsageError> {
        if self.sources.is_empty() {
            let typed =
                [("--sample-url", !args.sample_urls.is_empty()), ("--sample-pid", args.sample_pid.is_some())];
            return match typed.into_iter().find(|(_, typed)| *typed) {
                Some((flag, _)) => {
                    Err(UsageError::new(format!("{flag}: there is no target with --null; leave one out")))
                }
                None => Ok(()),
            };
        }
        for source in &self.sources {
            for gauge in source.gauges() {
                let taken = Catalog::standard()
                    .with_extras(&context.extras)
                    .with_counters(&context.counters)
                    .with_rates(&context.rates)
                    .with_gauges(&context.gauges)
                    .names()
                    .any(|name| name == gauge.name);
                if taken {
                    return Err(UsageError::new(format!(
                        "{}: there is another {} already; in a suite, [[samples]] may have a prefix",
                        source.label(),
                        gauge.name
                    )));
                }
                context.gauges.push(gauge);
            }
        }
        let labels: Vec<_> = self.sources.iter().map(Source::label).collect();
        if let Some(described) = context.args.as_object_mut() {
            described.insert("samples".into(), labels.into());
        }
        Ok(())
    }

    /// Those of `all`, each with its place, that are not about somebody who is not there.
    ///
    /// # Errors
    /// One of these was typed.
    pub(super) fn judged(&self, all: Vec<(&str, Threshold)>) -> Result<Vec<Threshold>, UsageError> {
        let is_absent = |threshold: &Threshold| {
            threshold.gauges().any(|name| self.absent.iter().any(|gauge| gauge.name == name))
        };
        match all.iter().find(|(place, threshold)| *place == TYPED && is_absent(threshold)) {
            Some((_, threshold)) => {
                let places: Vec<_> = self.nobody.iter().map(ToString::to_string).collect();
                Err(UsageError::new(format!(
                    "{TYPED} {threshold}: {} has nobody to ask; give --sample-url or --sample-pid",
                    places.join(", ")
                )))
            }
            None => {
                Ok(all.into_iter().map(|(_, threshold)| threshold).filter(|one| !is_absent(one)).collect())
            }
        }
    }
}

/// What the command line says, in the words of a suite.
fn typed(args: &LoadArgs) -> Result<Vec<Samples>, UsageError> {
    let samples = |flag: &str, of: Whom, word: &str| -> Result<Samples, UsageError> {
        let gauges = sample_set(word).unwrap_or_else(|| Ok(Vec::new()));
        let gauges = gauges.map_err(|error| UsageError::new(error.to_string()))?;
        Ok(Samples { place: Place { file: flag.into(), line: 0 }, of, gauges })
    };
    let mut all = Vec::new();
    for text in &args.sample_urls {
        let (word, url) = match text.split_once('=') {
            // What stands before the first = of a URL's query is no word.
            Some((word, url)) if word.bytes().all(|b| b.is_ascii_alphanumeric()) => (word, url),
            _ => ("process", text.as_str()),
        };
        if sample_set(word).is_none() {
            return Err(UsageError::new(format!(
                "--sample-url {word}=...: expected process=URL, node=URL or a URL"
            )));
        }
        all.push(samples("--sample-url", Whom::Page { url: url.to_owned(), token: None }, word)?);
    }
    if let Some(process) = &args.sample_pid {
        all.push(samples("--sample-pid", Whom::Process(process.clone()), "process")?);
    }
    Ok(all)
}

/// A line of a suite, or a flag, which has none.
fn place(place: &Place) -> String {
    if place.line == 0 { place.file.to_string() } else { place.to_string() }
}

/// None when nobody is asked.
///
/// # Errors
/// When nobody can be asked, or somebody has to be.
pub(super) fn sample(
    args: &LoadArgs,
    context: &Context,
    thresholds: &[Threshold],
) -> Result<Option<Duration>, UsageError> {
    let refuse = |message: String| Err(UsageError::new(message));
    match args.sample {
        Some(Sampled::Every(_)) if context.gauges.is_empty() => {
            refuse("--sample: this target is not asked about itself; leave it out, or give --sample-url or --sample-pid".to_owned())
        }
        Some(Sampled::Off) => match thresholds.iter().find_map(|one| Some((one, one.gauges().next()?))) {
            Some((threshold, gauge)) => refuse(format!(
                "--sample off: nobody would look at {gauge}, which a threshold is about: {threshold}"
            )),
            None => Ok(None),
        },
        _ if context.gauges.is_empty() => Ok(None),
        Some(Sampled::Every(every)) => Ok(Some(every)),
        None => Ok(Some(SAMPLED)),
    }
}
