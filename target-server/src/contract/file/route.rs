//! How is a route written? Its fields, and which of them go together.

use serde::Deserialize;

use super::{Canned, Limit, Named, Strings, many};
use crate::{
    contract::{
        route::Pattern,
        shape::{Fields, Shape},
        template::Template,
    },
    script::check_status,
};

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

impl Named for Route {
    fn name(&self) -> &str {
        &self.name
    }
}
