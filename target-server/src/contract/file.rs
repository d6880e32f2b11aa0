//! How is a contract written? TOML, taken strictly: what is not understood is refused with its place.

mod route;

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Deserializer, de, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    Contract, ContractError,
    route::Pattern,
    shape::{Fields, Shape},
    socket::Socket,
    template::Template,
};
use crate::script::Time;

pub(crate) use route::{Action, Progress, Route};

/// A contract as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// What it is, in a line.
    pub(crate) about: String,
    /// Who may call.
    pub(crate) auth: Option<Auth>,
    /// How often anybody may call, all routes together.
    pub(crate) limit: Option<Limit>,
    /// Headers that any request may have, besides the customary ones.
    #[serde(default)]
    pub(crate) headers: Fields,
    /// What an unknown path or method is answered; `{"error":"not found"}` without.
    pub(crate) unknown: Option<Canned>,
    /// What a request is answered that does not look as agreed; 422 without.
    pub(crate) invalid: Option<Canned>,
    #[serde(default)]
    pub(crate) collections: BTreeMap<String, Collection>,
    #[serde(default)]
    pub(crate) routes: Vec<Route>,
    #[serde(default)]
    pub(crate) sockets: Vec<Socket>,
    #[serde(default)]
    pub(crate) grpc: Vec<Method>,
}

/// Which tokens are good, and what a call without one is answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Auth {
    /// Good from the start; `*` is any.
    #[serde(default)]
    pub(crate) accepts: Vec<String>,
    #[serde(default = "unauthorized")]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) answer: Template,
    #[serde(default)]
    pub(crate) headers: Strings,
    /// What a call is answered that shows no token at all; the same without.
    pub(crate) absent: Option<Canned>,
}

/// An answer by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Canned {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) answer: Template,
    #[serde(default)]
    pub(crate) headers: Strings,
}

/// Names and templates: headers, fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strings(pub(crate) Vec<(String, Template)>);

/// How often may be called.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    pub(crate) calls: u64,
    pub(crate) per: Time,
    #[serde(default = "too_many")]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) answer: Template,
    /// Of the answer to a call that is one too many.
    #[serde(default)]
    pub(crate) headers: Strings,
    /// Headers of all answers: `{ X-RateLimit-Remaining = "{rate.remaining}" }`.
    #[serde(default)]
    pub(crate) told: Strings,
}

/// Things that there are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collection {
    /// The field that names an item.
    pub(crate) key: String,
    /// How items are named.
    pub(crate) id: Template,
    /// The name is a number in JSON.
    #[serde(default)]
    pub(crate) number: bool,
    /// How many there are at first.
    #[serde(default)]
    pub(crate) seeded: u64,
    pub(crate) item: Strings,
    /// Fields of those that are there at first.
    #[serde(default)]
    pub(crate) seed: Strings,
    /// How many are remembered; beyond it the oldest one that was made is forgotten.
    #[serde(default = "most_items")]
    pub(crate) most: usize,
}

/// A method of gRPC.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Method {
    /// `package.Service/Method`.
    pub(crate) method: String,
    /// What the message looks like, as JSON.
    pub(crate) body: Shape,
}

fn unauthorized() -> u16 {
    401
}

fn too_many() -> u16 {
    429
}

fn most_items() -> usize {
    100_000
}

/// What has a name that nothing else has.
pub(super) trait Named {
    fn name(&self) -> &str;
}

impl Contract {
    /// Reads a contract from a file.
    ///
    /// # Errors
    /// It cannot be read, or [`parse`](Self::parse) refuses it.
    pub fn load(path: &Path) -> Result<Self, ContractError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ContractError::Read { file: file.clone(), source })?;
        Self::parse(&file, &text)
    }

    /// Takes the text of a contract; `file` is its name in errors, and without its ending in the record.
    ///
    /// # Errors
    /// Names file and line of the first thing that is not understood.
    pub fn parse(file: &str, text: &str) -> Result<Self, ContractError> {
        let refused = |line, message: &str| ContractError::Parse {
            file: file.to_owned(),
            line,
            message: message.replace('\n', " "),
        };
        let parsed: File = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            refused(1 + text.get(..start).unwrap_or(text).matches('\n').count(), error.message())
        })?;
        parsed.check().map_err(|message| refused(1, &message))?;
        let name = Path::new(file).file_stem().map_or_else(|| file.into(), |stem| stem.to_string_lossy());
        Ok(Self { name: name.into(), strict: false, actual: false, limited: true, file: parsed.into() })
    }
}

impl File {
    /// What one part says of another one.
    fn check(&self) -> Result<(), String> {
        unique(&self.routes, "routes")?;
        unique(&self.sockets, "sockets")?;
        for route in &self.routes {
            if route.auth && self.auth.is_none() {
                return Err(format!("route {:?}: auth = true: expected [auth]", route.name));
            }
            if let Some((_, collection)) = &route.action {
                self.has(collection)?;
            }
        }
        if self.sockets.iter().any(|socket| socket.auth.is_some()) && self.auth.is_none() {
            return Err("a socket asks for a token: expected [auth]".to_owned());
        }
        self.sockets.iter().flat_map(Socket::collections).try_for_each(|collection| self.has(collection))
    }

    fn has(&self, collection: &str) -> Result<(), String> {
        if self.collections.contains_key(collection) {
            return Ok(());
        }
        let known: Vec<_> = self.collections.keys().map(String::as_str).collect();
        Err(format!("there is no collection {collection:?}: expected one of {}", known.join(", ")))
    }
}

fn unique(all: &[impl Named], what: &str) -> Result<(), String> {
    let twice = |(i, one): &(usize, _)| all[..*i].iter().any(|other| other.name() == Named::name(*one));
    match all.iter().enumerate().find(twice) {
        Some((_, one)) => {
            Err(format!("two {what} are called {:?}: expected names that tell them apart", one.name()))
        }
        None => Ok(()),
    }
}

/// One of something or a list of them.
pub(super) fn many<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let all = match Value::deserialize(from)? {
        Value::Array(all) => all,
        one => vec![one],
    };
    all.into_iter().map(|one| T::deserialize(one).map_err(de::Error::custom)).collect()
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(from)?;
        let template = |(name, value): (String, Value)| {
            Template::from_value(&value).map(|value| (name, value)).map_err(de::Error::custom)
        };
        fields.into_iter().map(template).collect::<Result<_, _>>().map(Self)
    }
}
