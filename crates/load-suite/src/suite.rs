//! What does a suite say? Environments, profiles, users and what they do, checked as a whole.

mod capture;
mod component;
mod event;
mod expect;
mod files;
mod flags;
mod hold;
mod json;
mod measure;
mod outside;
mod path;
mod plan;
mod profile;
mod sample;
mod scene;
mod step;
mod threshold;
mod users;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::data::{Data, Order};
use crate::fields::{At, Fields, text};
use crate::node::{Node, SuiteError, Value};
use crate::template::Names;

pub use capture::{Capture, Pick, Source};
pub use component::{Component, Load, Tool};
pub use event::Event;
pub use expect::{Answer, Test, Tests, compile};
pub use files::tree;
pub use flags::scaled_time;
pub use hold::{Hold, Timer};
pub use json::{around_placeholders, json};
pub use measure::{Feed, Gives, Measure, MeasureKind};
pub use outside::Outside;
pub use path::Path as JsonPath;
pub use plan::{Asked, Job, components, names, parts, plan};
pub use profile::Profile;
pub use sample::{
    SampleGauge, SampleKind, SampleUnit, Sampled, Samples, Selector, Term, quoted, set as sample_set,
};
pub use scene::{Environment, texts};
pub use step::{Parallel, Poll, Step, verb};
pub use threshold::k6_thresholds;
pub use users::{Task, UserClass};

/// Reads a file. The suite itself knows no file system.
pub type Read<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// What the command line chooses of a suite.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// `--environment`; the first one otherwise.
    pub environment: Option<String>,
    /// `--profile`; the first one otherwise.
    pub profile: Option<String>,
    /// `-e NAME=VALUE`.
    pub vars: Vec<(String, String)>,
    /// `--tags`: only tasks with one of them, when there are any.
    pub tags: Vec<String>,
    /// `--exclude-tags`: no task with one of them.
    pub exclude_tags: Vec<String>,
    /// `--only`: names of classes or tasks, when there are any.
    pub only: Vec<String>,
    /// The variables of the process.
    pub environment_variables: BTreeMap<String, String>,
}

/// A checked suite.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Its folder's or file's name.
    pub name: String,
    /// The environment that was chosen; empty when the suite has none.
    pub environment: Environment,
    /// The profile that was chosen; empty when the suite has none.
    pub profile: Profile,
    /// Thresholds of the suite and of the profile, as written.
    pub thresholds: Vec<At<String>>,
    /// They are judged.
    pub judge: bool,
    /// Metrics of the suite's own.
    pub measures: Vec<Measure>,
    /// What every step does that says nothing else.
    pub defaults: Option<Fields>,
    /// User classes with something to do; at least one.
    pub users: Vec<UserClass>,
    /// Made once before the run.
    pub setup: Vec<Outside>,
    /// Made once after everything.
    pub cleanup: Vec<Outside>,
    /// What happens while the run lasts.
    pub events: Vec<Event>,
    /// Whom to ask what the target uses.
    pub samples: Vec<Samples>,
    /// Constants and data, with the variables of the steps of setup and cleanup.
    pub names: Names,
    /// Values that must not be shown.
    pub secrets: Vec<String>,
    /// The smallest table with a row for each user, and how many rows it has.
    pub rows: Option<(String, u64)>,
}

impl Suite {
    /// Reads what [`tree`] found; `read` opens the files of data.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn read(name: &str, node: Node, choice: &Choice, read: Read<'_>) -> Result<Self, SuiteError> {
        let mut fields = Fields::of(node, "a suite")?;
        let mut names = Names::none();
        for (key, value) in &choice.environment_variables {
            names.set(&format!("env.{key}"), value);
        }
        let place = wanted(&mut fields, "environment", choice.environment.as_ref(), &names)?;
        let mut environment = Environment::choose(&mut fields, place.as_deref())?;
        let load = wanted(&mut fields, "profile", choice.profile.as_ref(), &names)?;
        let mut profile = Profile::choose(&mut fields, load.as_deref(), &names)?;
        let mut thresholds = threshold::read(&mut fields)?;
        thresholds.extend(profile.thresholds.iter().cloned());
        let over = [profile.vars.as_slice(), environment.vars.as_slice()].concat();
        constants(&mut fields, &over, choice, &mut names)?;
        let hidden = names.constants().filter(|(key, value)| is_secret(key) && !value.is_empty());
        let mut secrets: Vec<_> = hidden.map(|(_, value)| value.to_owned()).collect();
        secrets.extend(environment.settle(&names)?);
        let judge = judged(&mut fields, &names)?;
        let mut rows = None;
        for data in data(&mut fields, &names, read)? {
            let own = (data.order == Order::Unique).then(|| (data.name.clone(), data.rows.len() as u64));
            rows = rows.into_iter().chain(own).min_by_key(|(_, rows)| *rows);
            names.add_data(data);
        }
        let measures = Measure::read_all(&mut fields)?;
        let defaults = fields.table("defaults")?;
        let kept = choice.or_of(&profile);
        let mut users = users::read(&mut fields, &names, &measures, &kept)?;
        profile.once(&mut users);
        // Behind the users, who know nothing of what these capture; the last steps know what the first ones have.
        let setup = Outside::read_all("setup", &mut fields, &mut names, &measures)?;
        let cleanup = Outside::read_all("cleanup", &mut fields, &mut names, &measures)?;
        let events = Event::read_all(&mut fields, &names, &profile.name)?;
        let samples = Samples::read_all(&mut fields, &names)?;
        secrets.extend(samples.iter().filter_map(Samples::secret));
        // Only where a suite builds on it; `tree` has seen to that.
        fields.node("extends");
        fields.text("about")?;
        Component::read_all(&mut fields)?;
        fields.finish("a suite")?;
        let name = name.to_owned();
        Ok(Self {
            name,
            environment,
            profile,
            thresholds,
            judge,
            measures,
            defaults,
            users,
            setup,
            cleanup,
            events,
            samples,
            names,
            secrets,
            rows,
        })
    }
}

/// What `--environment` or `--profile` says, or `key` of the suite, or nothing.
fn wanted(
    fields: &mut Fields,
    key: &'static str,
    given: Option<&String>,
    names: &Names,
) -> Result<Option<String>, SuiteError> {
    let written = fields.text(key)?.map(|text| scene::known(&text, names)).transpose()?;
    Ok(given.cloned().or(written))
}

/// Takes `judge`: whether anything is to hold.
fn judged(fields: &mut Fields, names: &Names) -> Result<bool, SuiteError> {
    let Some(text) = fields.text("judge")? else { return Ok(true) };
    match scene::known(&text, names)?.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        other => {
            Err(text.wrong(format!("judge: {other:?}; expected true (1, yes, on) or false (0, no, off)")))
        }
    }
}

/// What a name means before anything was captured: `[vars]`, then `over` (of the first that has it), then `-e`. Each may insert
/// others.
fn constants(
    fields: &mut Fields,
    over: &[(String, At<String>)],
    choice: &Choice,
    names: &mut Names,
) -> Result<(), SuiteError> {
    let mut written = Vec::<(String, At<String>)>::new();
    if let Some(mut vars) = fields.table("vars")? {
        for (key, node) in vars.entries() {
            let value = text(node, &key)?;
            written.push((key, value));
        }
    }
    // What replaces one of them stands where that one was named, so that what is built of it has the new value.
    for (key, value) in over.iter().rev() {
        match written.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value.clone(),
            None => written.push((key.clone(), value.clone())),
        }
    }
    for (key, value) in &choice.vars {
        names.set(key, value);
    }
    written.retain(|(key, _)| !choice.vars.iter().any(|(name, _)| name == key));
    // In whatever order they are written: those that need others wait for them.
    while !written.is_empty() {
        let (mut waiting, mut why) = (Vec::new(), None);
        let before = written.len();
        for (key, value) in written {
            match scene::known(&value, names) {
                Ok(known) => names.set(&key, &known),
                Err(error) => {
                    why.get_or_insert(error);
                    waiting.push((key, value));
                }
            }
        }
        match why {
            Some(why) if waiting.len() == before => return Err(why),
            _ => written = waiting,
        }
    }
    Ok(())
}

impl Choice {
    /// What the command line keeps, or else what the profile does.
    fn or_of(&self, profile: &Profile) -> Self {
        let or = |given: &[String], profile: &[String]| {
            if given.is_empty() { profile.to_vec() } else { given.to_vec() }
        };
        Self {
            only: or(&self.only, &profile.only),
            tags: or(&self.tags, &profile.tags),
            exclude_tags: or(&self.exclude_tags, &profile.exclude_tags),
            ..self.clone()
        }
    }
}

/// Whether a value of that name is nobody's business.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "password", "passwd", "secret", "api_key", "apikey", "credential", "authorization"]
        .iter()
        .any(|word| name.contains(word))
}

fn data(fields: &mut Fields, names: &Names, read: Read<'_>) -> Result<Vec<Data>, SuiteError> {
    let Some(mut tables) = fields.table("data")? else { return Ok(Vec::new()) };
    tables.entries().into_iter().map(|(name, node)| table(name, node, names, read)).collect()
}

fn table(name: String, node: Node, names: &Names, read: Read<'_>) -> Result<Data, SuiteError> {
    let mut fields = Fields::of(node, "data")?;
    let order = fields.word("order", &Order::NAMES)?.unwrap_or_default();
    let found = (
        fields.text("file")?,
        fields.node("rows"),
        number(&mut fields, "from", names)?,
        number(&mut fields, "to", names)?,
    );
    let (columns, rows) = match found {
        (Some(file), None, None, None) => csv(&file, read)?,
        (None, Some(rows), None, None) => written(rows)?,
        (None, None, Some(from), Some(to)) if from <= to && to - from < MOST_NUMBERS => {
            (vec!["n".to_owned()], (from..=to).map(|n| vec![n.to_string()]).collect())
        }
        (None, None, Some(_), Some(_)) => {
            return Err(fields
                .wrong(format!("from, to: expected 1 to {MOST_NUMBERS} numbers, the smaller one first")));
        }
        _ => {
            return Err(fields.wrong(
                "expected either file (CSV with a heading), rows (a list of tables), or from and to (the column n)",
            ));
        }
    };
    if rows.is_empty() {
        return Err(fields.wrong(format!("the data of {name} has no rows")));
    }
    fields.finish("data")?;
    Ok(Data { name, columns, rows, order })
}

/// So many numbers make a table at most: they are kept as texts.
const MOST_NUMBERS: i64 = 1_000_000;

/// Takes a whole number, or the name of one: `to = "{{vms}}"`.
fn number(fields: &mut Fields, key: &'static str, names: &Names) -> Result<Option<i64>, SuiteError> {
    let Some(text) = fields.text(key)? else { return Ok(None) };
    let value = scene::known(&text, names)?;
    value.parse().map(Some).map_err(|_| text.wrong(format!("{key}: {value:?} is no whole number")))
}

type Table = (Vec<String>, Vec<Vec<String>>);

/// Rows of a file beside the suite.
fn csv(file: &At<String>, read: Read<'_>) -> Result<Table, SuiteError> {
    let folder = Path::new(&*file.place.file).parent().unwrap_or_else(|| Path::new(""));
    let path = folder.join(&file.value);
    let text = read(&path).map_err(|error| file.wrong(format!("{}: {error}", path.display())))?;
    let wrong = |error: csv::Error| file.wrong(format!("{}: {error}", path.display()));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let columns = reader.headers().map_err(wrong)?.iter().map(str::to_owned).collect();
    let rows = reader.records().map(|record| Ok(record.map_err(wrong)?.iter().map(str::to_owned).collect()));
    Ok((columns, rows.collect::<Result<_, SuiteError>>()?))
}

/// Rows that stand in the suite itself.
fn written(node: Node) -> Result<Table, SuiteError> {
    let Value::List(list) = node.value else {
        return Err(SuiteError::at(&node.place, "rows: expected a list of tables"));
    };
    let (mut columns, mut rows) = (Vec::<String>::new(), Vec::new());
    for node in list {
        let mut fields = Fields::of(node, "a row")?;
        let place = fields.place.clone();
        let mut row = Vec::new();
        let entries = fields.entries();
        if columns.is_empty() {
            columns = entries.iter().map(|(key, _)| key.clone()).collect();
        }
        for column in &columns {
            let found = entries.iter().find(|(key, _)| key == column);
            let (key, node) =
                found.ok_or_else(|| SuiteError::at(&place, format!("the row has no {column}")))?;
            row.push(text(node.clone(), key)?.value);
        }
        if entries.len() != columns.len() {
            return Err(SuiteError::at(
                &place,
                format!("a row has the keys of the first one: {}", columns.join(", ")),
            ));
        }
        rows.push(row);
    }
    Ok((columns, rows))
}

#[cfg(test)]
mod tests;
