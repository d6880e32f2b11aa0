//! How much load? A profile: the flags of the command line by their names.

use std::time::Duration;

use crate::fields::{At, Fields};
use crate::node::{Node, SuiteError, Value};
use crate::stage::Stage;
use crate::template::Names;
use crate::think::Think;
use crate::units;

use super::scene::{chosen, known, texts};
use super::threshold;
use super::users::UserClass;

/// How long a profile of `once` may take when it does not say so.
const ONCE: Duration = Duration::from_mins(10);

/// How much load, as far as the suite says so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// What `--profile` calls it; empty when the suite has none.
    pub name: String,
    /// `--vus`
    pub vus: Option<u64>,
    /// `--spawn-rate`, users a second.
    pub spawn_rate: Option<f64>,
    /// `--rate`, arrivals a second.
    pub rate: Option<f64>,
    /// `--arrivals`: true for poisson.
    pub poisson: Option<bool>,
    /// `--max-vus`
    pub max_vus: Option<u64>,
    /// `--connections`
    pub connections: Option<u64>,
    /// `--duration`
    pub duration: Option<Duration>,
    /// `--requests`
    pub requests: Option<u64>,
    /// `--stage`
    pub stages: Vec<Stage>,
    /// `--warmup`
    pub warmup: Option<Duration>,
    /// `--think`
    pub think: Option<Think>,
    /// `--timeout`
    pub timeout: Option<Duration>,
    /// `--graceful-stop`
    pub graceful_stop: Option<Duration>,
    /// `--threshold`
    pub thresholds: Vec<At<String>>,
    /// `--only`
    pub only: Vec<String>,
    /// `--tags`
    pub tags: Vec<String>,
    /// `--exclude-tags`
    pub exclude_tags: Vec<String>,
    /// Each task of each class once: a user for each class, who makes one iteration of all its tasks in their order.
    pub once: bool,
    /// Values for `{{name}}`, instead of those of `[vars]` and of the environment.
    pub vars: Vec<(String, At<String>)>,
}

impl Profile {
    /// The one that is called `wanted`, or the first one.
    pub(super) fn choose(
        suite: &mut Fields,
        wanted: Option<&str>,
        names: &Names,
    ) -> Result<Self, SuiteError> {
        suite.change("profiles", |profiles| settle(profiles, names))?;
        chosen(suite, "profiles", "--profile", wanted, Self::read)
    }

    pub(super) fn read(name: String, mut fields: Fields) -> Result<Self, SuiteError> {
        let profile = Self {
            name,
            vus: fields.count("vus", 0)?,
            spawn_rate: rate(&mut fields, "spawn_rate")?,
            rate: rate(&mut fields, "rate")?,
            poisson: fields.word("arrivals", &[("constant", false), ("poisson", true)])?,
            max_vus: fields.count("max_vus", 1)?,
            connections: fields.count("connections", 1)?,
            duration: fields.duration("duration")?.map(|at| at.value),
            requests: fields.count("requests", 1)?,
            stages: fields.texts("stages")?.into_iter().map(|text| stage(&text)).collect::<Result<_, _>>()?,
            warmup: fields.duration("warmup")?.map(|at| at.value),
            think: think(&mut fields)?,
            timeout: fields.duration("timeout")?.map(|at| at.value),
            graceful_stop: fields.duration("graceful_stop")?.map(|at| at.value),
            thresholds: threshold::read(&mut fields)?,
            only: words(&mut fields, "only")?,
            tags: words(&mut fields, "tags")?,
            exclude_tags: words(&mut fields, "exclude_tags")?,
            once: fields.flag("once")?,
            vars: fields.table("vars")?.map_or_else(|| Ok(Vec::new()), |mut table| texts(&mut table))?,
        };
        let says = profile.vus.is_some() || profile.spawn_rate.is_some() || profile.rate.is_some();
        if profile.once
            && (says || profile.requests.is_some() || !profile.stages.is_empty() || profile.think.is_some())
        {
            return Err(fields.wrong(
                "once: it says itself how much there is to do; leave out vus, spawn_rate, rate, requests, stages and think",
            ));
        }
        fields.finish("a profile")?;
        Ok(profile)
    }

    /// Each of `users` makes one iteration of all its tasks, when the profile says `once`.
    pub(super) fn once(&mut self, users: &mut [UserClass]) {
        if !self.once {
            return;
        }
        for class in users.iter_mut() {
            (class.weight, class.in_order) = (1, true);
        }
        self.vus = Some(users.len() as u64);
        // The run ends when all of them have made theirs.
        self.requests = self.vus;
        let longest = self.duration.unwrap_or(ONCE);
        self.duration = Some(longest);
        // A user whose pause is longer than the run leaves after its first iteration.
        self.think = Some(Think::Pacing(longest.saturating_mul(1_000)));
    }
}

/// Puts what is known of the environment's variables into what profiles say: `vus = '{{env.USERS or "20"}}'`. Thresholds stay, for
/// their ops may be named by `{{...}}`, and so do variables, which may build on each other.
fn settle(profiles: &mut Node, names: &Names) -> Result<(), SuiteError> {
    let Value::Table(profiles) = &mut profiles.value else { return Ok(()) };
    for (_, profile) in profiles {
        let Value::Table(keys) = &mut profile.value else { continue };
        for (key, node) in keys.iter_mut().filter(|(key, _)| key != "thresholds" && key != "vars") {
            let place = node.place.clone();
            if let Value::Text(text) = &mut node.value
                && text.contains("{{")
            {
                *text = known(&At { place, value: text.clone() }, names)
                    .map_err(|error| SuiteError::new(format!("{error} ({key} of a profile)")))?;
            }
        }
    }
    Ok(())
}

fn words(fields: &mut Fields, key: &'static str) -> Result<Vec<String>, SuiteError> {
    Ok(fields.texts(key)?.into_iter().map(|word| word.value).collect())
}

fn stage(text: &At<String>) -> Result<Stage, SuiteError> {
    text.value.parse().map_err(|error| text.wrong(format!("stages: {error}")))
}

fn rate(fields: &mut Fields, key: &'static str) -> Result<Option<f64>, SuiteError> {
    let Some(text) = fields.text(key)? else { return Ok(None) };
    units::rate(&text.value).map(Some).map_err(|error| text.wrong(format!("{key}: {error}")))
}

/// Takes `think`.
pub(super) fn think(fields: &mut Fields) -> Result<Option<Think>, SuiteError> {
    let Some(text) = fields.text("think")? else { return Ok(None) };
    Think::parse(&text.value).map(Some).map_err(|error| text.wrong(format!("think: {error}")))
}
