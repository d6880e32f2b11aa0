//! What does the target use while it is loaded? Whom to ask beside the load, and what to make of the answer.

mod term;

use crate::fields::Fields;
use crate::node::{Node, Place, SuiteError};
use crate::template::Names;

use super::measure::is_name;
use super::scene::known;

pub use term::{Selector, Term, quoted};

/// Somebody who is asked, and what for.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Where it is written.
    pub place: Place,
    /// Who.
    pub of: Sampled,
    /// What for; at least one.
    pub gauges: Vec<SampleGauge>,
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sampled {
    /// Nobody: the environment has none. Thresholds on the gauges are left out.
    Nobody,
    /// A page with Prometheus' text, or with JSON.
    Page {
        /// Where it is.
        url: String,
        /// The bearer token that it asks for.
        token: Option<String>,
    },
    /// The system, about a process of this machine: its number, or a file that has it.
    Process(String),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct SampleGauge {
    /// What thresholds call it.
    pub name: String,
    /// What it means.
    pub help: String,
    /// Of what its values are an amount.
    pub unit: SampleUnit,
    /// What its values are made of.
    pub kind: SampleKind,
    /// Added up; without one of them there is no value.
    pub plus: Vec<Term>,
    /// Taken off.
    pub minus: Vec<Term>,
    /// By what the rest is divided; nothing, where this is empty.
    pub of: Vec<Term>,
    /// By what all of it is multiplied.
    pub factor: f64,
    /// Many do not have it: nobody needs to be told.
    pub optional: bool,
}

/// Of what a value is an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleUnit {
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
    /// A fraction.
    Ratio,
    /// Things a second.
    PerS,
    /// Bytes a second.
    BytesPerS,
    /// Milliseconds.
    Ms,
}

/// What the values of a gauge are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleKind {
    /// What is answered, as it is.
    Level,
    /// What a running total has grown by since the beginning of the run.
    Growth,
    /// What a running total grows by in a second.
    Rate,
    /// What one running total has grown by, of what another one has.
    Share,
    /// How often the answer was another one than before, since the beginning of the run.
    Changes,
}

/// Gauges that go by one word: the word, the file and what is in it.
const SETS: [(&str, &str, &str); 2] = [
    ("process", "process.toml", include_str!("sample/process.toml")),
    ("node", "node.toml", include_str!("sample/node.toml")),
];

impl SampleUnit {
    const WORDS: [(&'static str, Self); 6] = [
        ("count", Self::Count),
        ("bytes", Self::Bytes),
        ("ratio", Self::Ratio),
        ("per_s", Self::PerS),
        ("bytes_per_s", Self::BytesPerS),
        ("ms", Self::Ms),
    ];
}

impl SampleKind {
    const WORDS: [(&'static str, Self); 5] = [
        ("level", Self::Level),
        ("growth", Self::Growth),
        ("rate", Self::Rate),
        ("share", Self::Share),
        ("changes", Self::Changes),
    ];
}

impl Samples {
    /// Takes `samples`.
    pub(super) fn read_all(suite: &mut Fields, names: &Names) -> Result<Vec<Self>, SuiteError> {
        suite.tables("samples")?.into_iter().map(|table| Self::read(table, names)).collect()
    }

    /// What is not to be seen.
    pub(super) fn secret(&self) -> Option<String> {
        match &self.of {
            Sampled::Page { token, .. } => token.clone(),
            _ => None,
        }
    }

    fn read(mut fields: Fields, names: &Names) -> Result<Self, SuiteError> {
        let place = fields.place.clone();
        let mut text = |key| fields.text(key)?.map(|text| known(&text, names)).transpose();
        let (url, token, pid) = (text("url")?, text("token")?, text("pid")?);
        let token = token.filter(|token| !token.is_empty());
        let of = match (url, pid, token) {
            (None, None, _) => {
                return Err(
                    fields.wrong("expected either url, a page to ask, or pid, a process of this machine")
                );
            }
            (Some(_), Some(_), _) => return Err(fields.wrong("url and pid: expected one of the two")),
            (None, Some(_), Some(_)) => return Err(fields.wrong("token: a process needs none; leave it out")),
            (None, Some(text), None) | (Some(text), None, _) if text.is_empty() => Sampled::Nobody,
            (Some(url), None, token) => Sampled::Page { url, token },
            (None, Some(pid), None) => Sampled::Process(pid),
        };
        let mut gauges = Vec::new();
        for word in fields.texts("use")? {
            let known = SETS.map(|(name, ..)| format!("{name:?}")).join(" and ");
            let set = set(&word.value)
                .ok_or_else(|| word.wrong(format!("use: {:?} is unknown; known are {known}", word.value)))?;
            gauges.extend(set?);
        }
        for table in fields.tables("gauges")? {
            gauges.push(SampleGauge::read(table)?);
        }
        if let Some(prefix) = fields.text("prefix")? {
            if !is_name(&prefix.value) {
                return Err(
                    prefix.wrong(format!("prefix: {:?} is no beginning of a name like db_", prefix.value))
                );
            }
            gauges.iter_mut().for_each(|gauge| gauge.name.insert_str(0, &prefix.value));
        }
        if gauges.is_empty() {
            return Err(fields
                .wrong("nothing to ask for; expected use = \"process\" or \"node\", or [[samples.gauges]]"));
        }
        fields.finish("samples")?;
        Ok(Self { place, of, gauges })
    }
}

/// The gauges that go by this word; none where none do.
///
/// # Errors
/// Never: what is built in has no mistakes.
pub fn set(word: &str) -> Option<Result<Vec<SampleGauge>, SuiteError>> {
    let (_, file, toml) = SETS.into_iter().find(|(name, ..)| *name == word)?;
    let read = || {
        let mut fields = Fields::of(Node::parse(file, toml)?, "gauges")?;
        fields.tables("gauges")?.into_iter().map(SampleGauge::read).collect()
    };
    Some(read())
}

impl SampleGauge {
    fn read(mut fields: Fields) -> Result<Self, SuiteError> {
        let name = fields.required("name", "what thresholds call it, like queue_length")?;
        if !is_name(&name.value) {
            return Err(name.wrong(format!("name: {:?} is no name like queue_length", name.value)));
        }
        let mut terms =
            |key| fields.texts(key)?.iter().map(Term::read).collect::<Result<Vec<_>, SuiteError>>();
        let (plus, minus, of) = (terms("metric")?, terms("minus")?, terms("of")?);
        let kind = fields.word("kind", &SampleKind::WORDS)?.unwrap_or(SampleKind::Level);
        let unit = fields.word("unit", &SampleUnit::WORDS)?.unwrap_or(match kind {
            SampleKind::Rate => SampleUnit::PerS,
            SampleKind::Share => SampleUnit::Ratio,
            _ => SampleUnit::Count,
        });
        let help = fields.text("help")?.map_or_else(String::new, |help| help.value);
        let factor = match fields.text("factor")? {
            None => 1.0,
            Some(text) => {
                text.value.parse().ok().filter(|factor: &f64| factor.is_finite()).ok_or_else(|| {
                    text.wrong(format!("factor: {:?}; expected a number like 0.01", text.value))
                })?
            }
        };
        let optional = fields.flag("optional")?;
        let wrong = |why: &str| Err(fields.wrong(format!("{}: {why}", name.value)));
        match kind {
            _ if plus.is_empty() => {
                return wrong(
                    "no metric; expected a series like process_open_fds, or a path into JSON like $.cpu",
                );
            }
            SampleKind::Share if of.is_empty() => {
                return wrong("a share needs of: the running total of which metric is a part");
            }
            SampleKind::Growth | SampleKind::Rate | SampleKind::Changes if !of.is_empty() => {
                return wrong("of is for a share or a level");
            }
            _ => {}
        }
        let name = name.value;
        fields.finish("a gauge")?;
        Ok(Self { name, help, unit, kind, plus, minus, of, factor, optional })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Vec<Samples>, String> {
        let mut fields = Fields::of(Node::parse("s.toml", toml).unwrap(), "a suite").unwrap();
        let mut names = Names::none();
        names.set("at", "http://h/metrics");
        names.set("none", "");
        Samples::read_all(&mut fields, &names).map_err(|error| error.to_string())
    }

    #[test]
    fn sets_go_by_one_word() {
        let samples =
            read("[[samples]]\nurl = \"{{at}}\"\nuse = [\"process\", \"node\"]\nprefix = \"db_\"").unwrap();
        let page = Sampled::Page { url: "http://h/metrics".into(), token: None };
        assert_eq!(samples[0].of, page);
        let names: Vec<_> = samples[0].gauges.iter().map(|gauge| gauge.name.as_str()).collect();
        assert_eq!((names[0], names.len()), ("db_process_cpu", 17));
        assert!(names.contains(&"db_node_memory_share"), "{names:?}");
        for (word, ..) in SETS {
            assert!(set(word).unwrap().is_ok(), "{word}");
        }
    }

    #[test]
    fn gauges_may_be_written() {
        let samples = read(
            "[[samples]]\npid = 17\n[[samples.gauges]]\nname = \"queue\"\nmetric = [\"a\", 'b{c=\"d\"}']\n\
             [[samples.gauges]]\nname = \"cpu\"\nmetric = \"$.cpu_percent\"\nunit = \"ratio\"\nfactor = 0.01\n\
             [[samples.gauges]]\nname = \"hits\"\nmetric = \"h\"\nof = [\"h\", \"m\"]\nkind = \"share\"",
        );
        let samples = samples.unwrap();
        assert_eq!(samples[0].of, Sampled::Process("17".into()));
        let [queue, cpu, hits] = samples[0].gauges.as_slice() else { panic!("{samples:?}") };
        assert_eq!((queue.plus.len(), queue.kind, queue.unit), (2, SampleKind::Level, SampleUnit::Count));
        assert!(matches!(cpu.plus[0], Term::Json(_)) && cpu.factor < 0.02);
        assert_eq!((hits.of.len(), hits.unit), (2, SampleUnit::Ratio));
    }

    #[test]
    fn an_environment_may_have_nobody_to_ask() {
        let samples = read("[[samples]]\nurl = \"{{none}}\"\nuse = \"process\"").unwrap();
        assert_eq!(samples[0].of, Sampled::Nobody);
    }

    #[test]
    fn mistakes_are_told_with_file_and_line() {
        for (table, expected) in [
            ("use = \"process\"", "s.toml:1: expected either url, a page to ask, or pid"),
            ("url = \"a\"\npid = 3\nuse = \"process\"", "s.toml:1: url and pid: expected one of the two"),
            ("pid = 3\ntoken = \"x\"\nuse = \"process\"", "token: a process needs none"),
            ("url = \"a\"", "s.toml:1: nothing to ask for; expected use ="),
            (
                "url = \"a\"\nuse = \"nodes\"",
                "s.toml:3: use: \"nodes\" is unknown; known are \"process\" and \"node\"",
            ),
            ("url = \"{{vu}}\"\nuse = \"process\"", "s.toml:2: \"{{vu}}\" varies"),
            ("ulr = \"a\"\npid = 3\nuse = \"process\"", "s.toml:2: samples has no ulr; did you mean url?"),
            ("url = \"a\"\nuse = \"process\"\nprefix = \"a b\"", "s.toml:4: prefix: \"a b\" is no beginning"),
            (
                "url = \"a\"\n[[samples.gauges]]\nmetric = \"b\"",
                "s.toml:3: no name; expected what thresholds call it",
            ),
            ("url = \"a\"\n[[samples.gauges]]\nname = \"b\"", "s.toml:3: b: no metric; expected a series"),
            (
                "url = \"a\"\n[[samples.gauges]]\nname = \"b c\"\nmetric = \"b\"",
                "s.toml:4: name: \"b c\" is no name",
            ),
            (
                "url = \"a\"\n[[samples.gauges]]\nname = \"b\"\nmetric = \"b{\"",
                "s.toml:5: \"b{\": expected a label",
            ),
            (
                "url = \"a\"\n[[samples.gauges]]\nname = \"b\"\nmetric = \"$[\"",
                "s.toml:5: \"$[\" is no JSONPath",
            ),
            (
                "url = \"a\"\n[[samples.gauges]]\nname = \"b\"\nmetric = \"b\"\nkind = \"sum\"",
                "s.toml:6: kind: \"sum\" is none of \"level\"",
            ),
            (
                "url = \"a\"\n[[samples.gauges]]\nname = \"b\"\nmetric = \"b\"\nkind = \"share\"",
                "b: a share needs of",
            ),
            (
                "url = \"a\"\n[[samples.gauges]]\nname = \"b\"\nmetric = \"b\"\nof = \"c\"\nkind = \"rate\"",
                "b: of is for a share or a level",
            ),
            (
                "url = \"a\"\n[[samples.gauges]]\nname = \"b\"\nmetric = \"b\"\nunit = \"MB\"",
                "s.toml:6: unit: \"MB\" is none of",
            ),
            (
                "url = \"a\"\n[[samples.gauges]]\nname = \"b\"\nmetric = \"b\"\nfactor = \"x\"",
                "s.toml:6: factor: \"x\"",
            ),
        ] {
            let error = read(&format!("[[samples]]\n{table}")).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
