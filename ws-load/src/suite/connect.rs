//! How are the connections of a class made? Path, headers and subprotocols of the upgrade, at once or by a step.

use http::HeaderName;
use load_net::url::Url;
use load_suite::fields::At;
use load_suite::node::{Place, SuiteError};
use load_suite::suite::{self, compile, texts};
use load_suite::template::{Escape, Names, Template};

use crate::upgrade::Upgrade;

/// What the connections of all classes have in common.
pub struct Base<'a> {
    /// The target.
    pub url: &'a Url,
    /// Headers of the command line.
    pub headers: &'a [(String, String)],
    /// Headers of the suite.
    pub suite_headers: Vec<(String, At<String>)>,
    /// Subprotocols of the command line.
    pub subprotocols: &'a [String],
    /// Bytes of a message.
    pub max_message: usize,
}

/// How the connections of one class are made.
pub struct Connect {
    /// With which request.
    pub upgrade: Upgrade,
    /// A step makes a WebSocket of the connection, when its users know enough.
    pub by_step: bool,
}

impl Base<'_> {
    /// The URL of `path` behind that of the target.
    ///
    /// # Errors
    /// It is no path, or says an unknown `{{...}}`.
    pub fn at(&self, path: &At<String>, names: &Names) -> Result<Template, SuiteError> {
        let outside = outside(&path.value);
        if !path.value.starts_with('/') || outside.contains(|c: char| c.is_whitespace() || c == '#') {
            let why = format!("{:?}; expected a path like \"/realtime?token={{{{token}}}}\"", path.value);
            return Err(path.wrong(why));
        }
        let (before, query) = self.url.target.split_once('?').unwrap_or((&self.url.target, ""));
        if !query.is_empty() {
            return Err(path.wrong("a path behind that of the target, whose URL has a query; leave that out"));
        }
        let before = format!("{}://{}{}", self.url.scheme, self.url.authority, before.trim_end_matches('/'));
        Ok(Template::text(before).then(compile(path, names, Escape::Url)?))
    }

    /// What `class` says of its connections.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn class(&self, class: &suite::UserClass) -> Result<Connect, SuiteError> {
        let by_step = steps(class).any(|step| step.request.has("connect"));
        let whole = format!("{}://{}{}", self.url.scheme, self.url.authority, self.url.target);
        let mut uri =
            compile(&At { place: class.name.place.clone(), value: whole }, &class.names, Escape::Raw)?;
        let mut headers = Vec::new();
        let as_they_are = |(name, value): &(String, String)| {
            let place = class.name.place.clone();
            (name.clone(), At { place, value: value.clone() }, false)
        };
        headers.extend(self.headers.iter().map(as_they_are));
        let varied = |(name, value)| (name, value, true);
        headers.extend(self.suite_headers.iter().cloned().map(varied));
        let mut subprotocols = self.subprotocols.to_vec();
        let mut place = class.name.place.clone();
        if let Some(mut fields) = class.connect.clone() {
            place = fields.place.clone();
            if let Some(path) = fields.text("path")? {
                if by_step {
                    return Err(
                        path.wrong("path: the class has steps that connect, which say it; leave it out")
                    );
                }
                uri = self.at(&path, &class.names)?;
            }
            if let Some(mut table) = fields.table("headers")? {
                headers.extend(texts(&mut table)?.into_iter().map(varied));
            }
            let own = fields.texts("subprotocols")?;
            if !own.is_empty() {
                subprotocols = own.into_iter().map(|name| name.value).collect();
            }
            fields.finish("connect")?;
        }
        if let Some((name, _)) =
            class.names.variables().find(|(_, slot)| uri.slots().any(|used| used == *slot))
        {
            let why = format!(
                "connect: {{{{{name}}}}} is not known before there is a connection; let a step connect = \"/...\" behind the one that captures it"
            );
            return Err(SuiteError::at(&place, why));
        }
        let headers = merged(headers, &class.names)?;
        let upgrade = Upgrade::compiled(uri, headers, &subprotocols, self.max_message);
        let upgrade = upgrade.map_err(|error| SuiteError::at(&place, error.to_string()))?;
        Ok(Connect { upgrade, by_step })
    }
}

/// All headers, each with the value that was said last; whether `{{...}}` stands in a value for something comes with it.
fn merged(
    all: Vec<(String, At<String>, bool)>,
    names: &Names,
) -> Result<Vec<(HeaderName, Template)>, SuiteError> {
    let mut merged = Vec::<(HeaderName, Template)>::new();
    for (name, value, varies) in all {
        let parsed = name.parse::<HeaderName>();
        let fits = !value.value.contains(['\r', '\n', '\0']);
        let Some(name) = parsed.ok().filter(|_| fits) else {
            let why = format!("headers: {name:?} with this value is no header like Origin = \"http://here\"");
            return Err(value.wrong(why));
        };
        let value = if varies { compile(&value, names, Escape::Line)? } else { Template::text(value.value) };
        match merged.iter_mut().find(|(there, _)| *there == name) {
            Some((_, there)) => *there = value,
            None => merged.push((name, value)),
        }
    }
    Ok(merged)
}

/// What of `path` is outside of `{{...}}`.
fn outside(path: &str) -> String {
    path.split("{{")
        .enumerate()
        .map(|(i, piece)| if i == 0 { piece } else { piece.split_once("}}").map_or("", |(_, rest)| rest) })
        .collect()
}

/// All steps of `class` but those of its end.
fn steps(class: &suite::UserClass) -> impl Iterator<Item = &suite::Step> {
    class.start.iter().chain(class.tasks.iter().flat_map(|task| &task.steps))
}

/// Refuses what cannot be: a step on a connection that is over, a second one on a WebSocket.
///
/// # Errors
/// The first such step.
pub fn check(class: &suite::UserClass) -> Result<(), SuiteError> {
    let has = |step: &suite::Step, key: &str| step.request.has(key);
    let wrong = |place: &Place, why: &str| Err(SuiteError::at(place, why));
    let all = || steps(class).chain(&class.stop);
    if let Some(step) = all().find(|step| step.parallel.is_some()) {
        return wrong(
            &step.place,
            "parallel: a user has one WebSocket; give each of its calls a step of its own",
        );
    }
    if let Some(close) = class.start.iter().find(|step| has(step, "close")) {
        return wrong(
            &close.place,
            "close: among the first steps, so that nothing could follow; leave it out",
        );
    }
    let tasks = || class.tasks.iter().map(|task| task.steps.iter().collect::<Vec<_>>());
    let visits: Vec<_> = if class.in_order { vec![tasks().flatten().collect()] } else { tasks().collect() };
    for steps in visits {
        let close = steps.iter().position(|step| has(step, "close") && step.conditions.is_empty());
        if let Some(next) = close.and_then(|at| steps.get(at + 1)) {
            let why = "a step behind close: the connection is over, and the user's next iteration begins with a new one";
            return wrong(&next.place, why);
        }
        let connect = steps.iter().find(|step| has(step, "connect"));
        if let (Some(connect), false) = (connect, steps.iter().any(|step| has(step, "close"))) {
            let why = "connect: in a task without close, so that the next iteration would connect a second time; end the task with close, or connect in [[users.start]]";
            return wrong(&connect.place, why);
        }
    }
    Ok(())
}
