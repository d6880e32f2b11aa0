//! How is a contract written? TOML, taken strictly: what is not understood is refused with its place.

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
use crate::script::{Time, check_status};

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

/// What is answered to requests of one kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawRoute")]
pub(crate) struct Route {
    /// Its name in the record.
    pub(crate) name: String,
    pub(crate) request: Vec<Pattern>,
    pub(crate) query: Fields,
    pub(crate) headers: Fields,
    pub(crate) auth: bool,
    /// What the body looks like; `None` is no body.
    pub(crate) body: Option<Shape>,
    /// What it does, and with which collection.
    pub(crate) action: Option<(Action, String)>,
    pub(crate) status: u16,
    pub(crate) answer: Option<Template>,
    /// A body that is not JSON.
    pub(crate) text: Option<Template>,
    pub(crate) content_type: Option<String>,
    pub(crate) headers_out: Strings,
    pub(crate) missing: Option<Canned>,
    pub(crate) invalid: Option<Canned>,
    pub(crate) progress: Vec<Progress>,
    /// Fields of an item that it changes, besides those of the body.
    pub(crate) set: Strings,
    /// Which item is meant, where the path does not name it.
    pub(crate) of: Option<Template>,
    /// Fields of an item that have to have these values.
    pub(crate) within: Strings,
    /// Fields of the answer that are good tokens from now on.
    pub(crate) issue: Vec<Vec<String>>,
    /// The caller's token is good no longer.
    pub(crate) revoke: bool,
    pub(crate) limit: Option<Limit>,
    pub(crate) redirect: Option<Template>,
    pub(crate) also: Vec<Also>,
    /// Items of an answer where the query does not say it.
    pub(crate) page: usize,
    /// Parameters of the query that are fields of the items choose among them.
    pub(crate) filter: bool,
}

/// What a route does with a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Read,
    List,
    Update,
    Delete,
}

/// What becomes of an item that is looked at.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// From this look on, counted from 1.
    pub(crate) looks: u64,
    pub(crate) set: Strings,
}

/// An answer that comes now and then.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Also {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) answer: Template,
    #[serde(default)]
    pub(crate) headers: Strings,
    /// With the calls n, 2n, 3n and so on.
    pub(crate) every: u64,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoute {
    name: Option<String>,
    #[serde(deserialize_with = "many")]
    request: Vec<Pattern>,
    #[serde(default)]
    query: Fields,
    #[serde(default)]
    headers: Fields,
    #[serde(default)]
    auth: bool,
    body: Option<Shape>,
    create: Option<String>,
    read: Option<String>,
    list: Option<String>,
    update: Option<String>,
    delete: Option<String>,
    status: Option<u16>,
    answer: Option<Template>,
    text: Option<Template>,
    content_type: Option<String>,
    #[serde(default)]
    headers_out: Strings,
    missing: Option<Canned>,
    invalid: Option<Canned>,
    #[serde(default, deserialize_with = "many")]
    progress: Vec<Progress>,
    #[serde(default)]
    set: Strings,
    of: Option<Template>,
    #[serde(default)]
    within: Strings,
    #[serde(default)]
    issue: String,
    #[serde(default)]
    revoke: bool,
    limit: Option<Limit>,
    redirect: Option<Template>,
    #[serde(default)]
    also: Vec<Also>,
    #[serde(default = "whole_page")]
    page: usize,
    #[serde(default = "yes")]
    filter: bool,
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

fn whole_page() -> usize {
    100
}

fn yes() -> bool {
    true
}

impl TryFrom<RawRoute> for Route {
    type Error = String;

    fn try_from(raw: RawRoute) -> Result<Self, String> {
        let Some(first) = raw.request.first() else {
            return Err("request = []: expected at least one".to_owned());
        };
        let name = raw.name.unwrap_or_else(|| first.written.clone());
        let actions = [
            (Action::Create, raw.create),
            (Action::Read, raw.read),
            (Action::List, raw.list),
            (Action::Update, raw.update),
            (Action::Delete, raw.delete),
        ];
        let mut actions = actions.into_iter().filter_map(|(action, of)| of.map(|of| (action, of)));
        let action = actions.next();
        let told = |what: &str| Err(format!("route {name:?}: {what}"));
        if actions.next().is_some() {
            return told("expected one of create, read, list, update, delete");
        }
        let names_one = |(action, _): &(Action, String)| !matches!(action, Action::Create | Action::List);
        let unnamed = raw.of.is_none() && raw.request.iter().any(|one| one.path.item().is_none());
        if action.as_ref().is_some_and(names_one) && unnamed {
            return told("expected a segment like {id} that names the item, or `of`");
        }
        if raw.answer.is_some() && raw.text.is_some() {
            return told("expected `answer` or `text`, not both");
        }
        let status = raw.status.unwrap_or(if raw.redirect.is_some() { 307 } else { 200 });
        check_status(status)?;
        if raw.also.iter().any(|also| also.every == 0) {
            return told("also: expected `every` from 1 on");
        }
        let issue = raw.issue.split('|').filter(|path| !path.is_empty());
        Ok(Self {
            name,
            request: raw.request,
            query: raw.query,
            headers: raw.headers,
            auth: raw.auth,
            body: raw.body,
            action,
            status,
            answer: raw.answer,
            text: raw.text,
            content_type: raw.content_type,
            headers_out: raw.headers_out,
            missing: raw.missing,
            invalid: raw.invalid,
            progress: raw.progress,
            set: raw.set,
            of: raw.of,
            within: raw.within,
            issue: issue.map(|path| path.split('.').map(str::to_owned).collect()).collect(),
            revoke: raw.revoke,
            limit: raw.limit,
            redirect: raw.redirect,
            also: raw.also,
            page: raw.page,
            filter: raw.filter,
        })
    }
}

/// What has a name that nothing else has.
pub(super) trait Named {
    fn name(&self) -> &str;
}

impl Named for Route {
    fn name(&self) -> &str {
        &self.name
    }
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
        Ok(Self { name: name.into_owned(), strict: false, actual: false, file: parsed.into() })
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
