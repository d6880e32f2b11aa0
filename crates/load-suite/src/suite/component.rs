//! Which programs load a system, and in which order? Components: a tool, its suite, its flags.

use crate::fields::Fields;
use crate::node::{Node, Place, SuiteError, Value};

use super::profile::Profile;

/// A program that loads one layer of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// How it is called: `db-load redis`.
    pub command: &'static str,
    /// What it loads, which is also how its component is called where a suite names none: `db-redis`.
    pub kind: &'static str,
    /// The file that holds its part of a suite: `db`, for db.toml.
    pub part: &'static str,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self { command: "api-load", kind: "api", part: "api" },
        Self { command: "ws-load", kind: "ws", part: "ws" },
        Self { command: "dwcp-load", kind: "dwcp", part: "dwcp" },
        Self { command: "db-load postgres", kind: "db-postgres", part: "db" },
        Self { command: "db-load redis", kind: "db-redis", part: "db" },
        Self { command: "grpc-load", kind: "grpc", part: "grpc" },
    ];
    const WORDS: [(&'static str, Self); 6] = {
        let [a, b, c, d, e, f] = Self::ALL;
        [(a.command, a), (b.command, b), (c.command, c), (d.command, d), (e.command, e), (f.command, f)]
    };

    /// Whether `part`, a file of a suite, is for this tool. Of the databases, PostgreSQL alone has steps with `sql`.
    pub(super) fn reads(self, part: &Node) -> bool {
        match self.kind {
            "db-postgres" => has_key(part, "sql"),
            "db-redis" => !has_key(part, "sql"),
            _ => true,
        }
    }
}

fn has_key(node: &Node, key: &str) -> bool {
    match &node.value {
        Value::Table(entries) => entries.iter().any(|(name, node)| name == key || has_key(node, key)),
        Value::List(list) => list.iter().any(|node| has_key(node, key)),
        _ => false,
    }
}

/// What a component does in a profile of the system.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// The profile of its suite that is called so.
    Named(String),
    /// What the flags of this profile say, without a suite.
    Own(Box<Profile>),
}

/// One of `[components.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// How it is called in results and targets.
    pub name: String,
    /// Where it is written.
    pub place: Place,
    /// What runs.
    pub tool: Tool,
    /// Another suite than the one that it stands in.
    pub suite: Option<String>,
    /// More for the command line.
    pub flags: Vec<String>,
    /// Components that have to be at their end before it begins.
    pub after: Vec<String>,
    /// What it does in which profile of the system; where nothing is said, in each that its suite has what that says.
    pub loads: Vec<(String, Load)>,
}

impl Component {
    /// Reads `[components]`.
    pub(super) fn read_all(suite: &mut Fields) -> Result<Vec<Self>, SuiteError> {
        let Some(mut tables) = suite.table("components")? else { return Ok(Vec::new()) };
        let all: Vec<Self> = tables
            .entries()
            .into_iter()
            .map(|(name, node)| Self::read(name, node))
            .collect::<Result<_, _>>()?;
        for component in &all {
            let unknown = |name: &&String| !all.iter().any(|other| other.name == **name);
            if let Some(name) = component.after.iter().find(unknown) {
                return Err(SuiteError::at(
                    &component.place,
                    format!("after: there is no component {name:?}; expected names of [components]"),
                ));
            }
        }
        Ok(all)
    }

    fn read(name: String, node: Node) -> Result<Self, SuiteError> {
        let mut fields = Fields::of(node, "a component")?;
        let place = fields.place.clone();
        let texts = |list: Vec<crate::fields::At<String>>| list.into_iter().map(|text| text.value).collect();
        let component = Self {
            name,
            tool: fields.word("tool", &Tool::WORDS)?.ok_or_else(|| {
                fields.wrong("no tool; expected one like \"api-load\" or \"db-load redis\"")
            })?,
            suite: fields.text("suite")?.map(|text| text.value),
            flags: texts(fields.texts("flags")?),
            after: texts(fields.texts("after")?),
            loads: match fields.table("profiles")? {
                Some(mut table) => table.entries().into_iter().map(load).collect::<Result<_, _>>()?,
                None => Vec::new(),
            },
            place,
        };
        fields.finish("a component")?;
        Ok(component)
    }
}

fn load((name, node): (String, Node)) -> Result<(String, Load), SuiteError> {
    if let Value::Text(text) = &node.value {
        return Ok((name, Load::Named(text.clone())));
    }
    let fields = Fields::of(node, "a profile of a component")?;
    for key in ["think", "only", "tags", "exclude_tags", "once", "vars"] {
        if fields.has(key) {
            return Err(fields.wrong(format!(
                "{key} needs a suite; expected the name of a profile of the component's suite, or a table of flags"
            )));
        }
    }
    let profile = Profile::read(name.clone(), fields)?;
    Ok((name, Load::Own(Box::new(profile))))
}
