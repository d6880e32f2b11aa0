//! What does a suite ask of messages that come by themselves? What they must be, how old they may be, what they are counted as.

use std::time::Duration;

use load_core::compile::{Compiler, Feeds, feed, plan};
use load_core::protocol::{Fault, Probe};
use load_report::fault::FaultKind;
use load_report::model::ExtraPlan;
use load_suite::fields::At;
use load_suite::node::SuiteError;
use load_suite::scope::Scope;
use load_suite::suite::{Gives, JsonPath, Step};
use load_suite::template::Names;

use super::rules::{Seen, feed_on_json};
use super::series::Counters;
use super::step::Like;
use crate::heard::{Heard, Is};
use crate::stamp::Fields;

/// What a class asks of messages that nobody has asked for.
pub struct Pushes {
    /// What they must be; anything with a time in it otherwise.
    pub good: Option<Like>,
    /// How old they may be.
    pub max_age: Option<Duration>,
    /// One that is wrong or too old ends the connection.
    pub fatal: bool,
    /// Where a message says when it was sent, and which one it is.
    pub fields: Fields,
    /// What goes to metrics.
    pub feeds: Feeds,
    /// The same without times, for messages of which nobody knows how old they are.
    pub ageless: Feeds,
    /// Types that are counted.
    pub types: Option<Types>,
    /// Where they are counted.
    pub counters: Counters,
}

/// Messages counted by their type.
pub struct Types {
    /// Where the type is.
    pub path: JsonPath,
    /// Types with their counters.
    pub known: Vec<(String, usize)>,
    /// The counter of all others.
    pub other: usize,
}

/// The types that the `pushes` of a class count; those that nobody counts yet get counters.
///
/// # Errors
/// What is wrong, and where.
pub fn types(pushes: Option<&Step>, counters: &mut Vec<ExtraPlan>) -> Result<Option<Types>, SuiteError> {
    let Some(mut fields) = pushes.map(|pushes| pushes.request.clone()) else { return Ok(None) };
    let (names, path) = (fields.texts("types")?, fields.text("type_path")?);
    if names.is_empty() {
        return path.map_or(Ok(None), |path| Err(path.wrong("type_path: of which types? give types, too")));
    }
    let path = path.unwrap_or_else(|| At { place: fields.place.clone(), value: "$.type".to_owned() });
    let mut counter = |name: &str, help: String| {
        let name = format!("pushed_{name}");
        let there = counters.iter().position(|counter| counter.name == name);
        there.unwrap_or_else(|| {
            counters.push(plan((&name, &help)));
            counters.len() - 1
        })
    };
    let mut known = Vec::new();
    for name in names {
        let fits = name.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !fits || name.value.is_empty() || name.value == "other" {
            let why = format!("types: {:?} is no type like vm_status; others count together", name.value);
            return Err(name.wrong(why));
        }
        let at = counter(&name.value, format!("Messages of type {} that nobody had asked for", name.value));
        known.push((name.value, at));
    }
    let other = counter("other", "Messages of other types that nobody had asked for".to_owned());
    Ok(Some(Types { path: JsonPath::compile(&path)?, known, other }))
}

/// What the `pushes` of a class say, with the `types` that they count; `fields` say when a message was sent unless they do.
///
/// # Errors
/// What is wrong, and where.
pub fn read(
    pushes: Option<&Step>,
    types: Option<Types>,
    fields: &Fields,
    names: &Names,
    compiler: &Compiler,
) -> Result<Pushes, SuiteError> {
    let mut all = Pushes {
        good: None,
        max_age: None,
        fatal: false,
        fields: fields.clone(),
        feeds: Feeds::new(),
        ageless: Feeds::new(),
        types,
        counters: Counters::new(),
    };
    let Some(step) = pushes else { return Ok(all) };
    for (key, given) in [
        ("capture", !step.captures.is_empty()),
        ("poll", step.poll.is_some()),
        ("think", step.think.is_some()),
        ("timeout", step.timeout.is_some()),
        ("name", step.name.is_some()),
        ("hold", step.hold.is_some()),
        ("parallel", step.parallel.is_some()),
    ] {
        if given {
            let why = format!("{key}: nobody has asked for what is pushed; leave it out");
            return Err(SuiteError::at(&step.place, why));
        }
    }
    let mut said = step.request.clone();
    // Taken before.
    for key in ["types", "type_path"] {
        said.node(key);
    }
    all.good = step.expect.clone().map(|expect| Like::read(expect, names, "expect")).transpose()?;
    if all.good.as_ref().is_some_and(|good| good.tests.time.is_some()) {
        return Err(SuiteError::at(&step.place, "time: of a message that nobody asked for it is max_age"));
    }
    all.max_age = said.duration("max_age")?.map(|at| at.value);
    all.fatal = said.flag("fatal")?;
    if let Some(name) = said.text("timestamp_field")? {
        all.fields.timestamp = name.value;
    }
    if let Some(name) = said.text("seq_field")? {
        all.fields.seq = name.value;
    }
    all.feeds = compiler.feeds(step);
    all.ageless = all.feeds.iter().filter(|(gives, _)| !matches!(gives, Gives::Time)).cloned().collect();
    said.finish("pushes")?;
    Ok(all)
}

impl Pushes {
    fn judges(&self) -> bool {
        self.good.is_some() || self.max_age.is_some()
    }

    /// Says what a message is that is no answer, and counts it.
    ///
    /// # Errors
    /// It is wrong or too old, and the class takes that for the end.
    pub(crate) fn take(
        &self,
        heard: &mut Heard,
        seen: &Seen<'_>,
        came_ns: i64,
        scope: &Scope,
        probe: &mut Probe<'_>,
    ) -> Result<(), Fault> {
        let judged = self.good.as_ref().map_or(Ok(()), |good| good.judge(seen, Duration::ZERO, scope));
        let (is, age) = match &judged {
            Ok(()) => match heard.pushed(&self.fields, seen.content, came_ns, probe) {
                // It is what the suite wants, though nobody knows when it was sent.
                (Is::Unexpected, age) if self.good.is_some() => (Is::Pushed, age),
                other => other,
            },
            Err(_) => (Is::Unexpected, None),
        };
        probe.count(is.counter(), 1);
        if is == Is::Duplicate {
            return Ok(());
        }
        self.count_type(seen, probe);
        let age = age.map(Duration::from_nanos);
        let old = age.zip(self.max_age).filter(|(age, most)| age > most);
        if self.judges() {
            probe.count(self.counters.judged(), 1);
            probe.count(self.counters.wrong(), u64::from(judged.is_err()));
            probe.count(self.counters.old(), u64::from(old.is_some()));
            probe.count(self.counters.failed(), u64::from(judged.is_err() || old.is_some()));
        }
        let (ok, feeds) =
            (judged.is_ok() && old.is_none(), if age.is_some() { &self.feeds } else { &self.ageless });
        if !feeds.is_empty() {
            let json = if feed_on_json(feeds) { seen.json() } else { None };
            feed(feeds, ok, age.unwrap_or_default(), json, probe);
        }
        if ok {
            return Ok(());
        }
        let why = judged.err().or_else(|| {
            old.map(|(age, most)| {
                format!("it is {:.1} ms old, expected at most {most:?}", age.as_secs_f64() * 1e3)
            })
        });
        let sample = String::from_utf8_lossy(&seen.content[..seen.content.len().min(SAMPLE)]);
        let why = format!("{sample:?} came by itself: {}", why.unwrap_or_default());
        if probe.shows() {
            probe.show(&format_args!("! {why}"));
        }
        if !self.fatal {
            return Ok(());
        }
        probe.note(why);
        Err(Fault::fatal(FaultKind::Wrong))
    }

    fn count_type(&self, seen: &Seen<'_>, probe: &Probe<'_>) {
        let Some(types) = &self.types else { return };
        let found =
            seen.json().and_then(|json| types.path.find(json).first().and_then(|value| value.as_str()));
        let known = types.known.iter().find(|(name, _)| Some(name.as_str()) == found);
        probe.count(known.map_or(types.other, |(_, counter)| *counter), 1);
    }
}

/// Bytes of a wrong message that are shown.
const SAMPLE: usize = 80;
