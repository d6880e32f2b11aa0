//! Does a request look as agreed? Its route is found, its parts are compared with the route's shapes; pure.

use serde_json::{Map, Value};

use super::{
    Contract,
    file::Route,
    request::Request,
    shape::{Fields, Wrong},
};

/// Headers that any client may send.
const CUSTOMARY: [&str; 22] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "origin",
    "pragma",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade-insecure-requests",
    "user-agent",
];

/// Where a request belongs.
#[derive(Debug)]
pub(crate) enum Found {
    /// The path is none of the contract's.
    UnknownPath,
    /// The path takes these methods.
    WrongMethod(Vec<String>),
    /// A route.
    Route(Box<Taken>),
}

/// A request as its route understands it.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Index of the route.
    pub(crate) route: usize,
    /// Where in the request the name of an item is, if anywhere.
    pub(crate) item: Option<String>,
    pub(crate) path: Map<String, Value>,
    pub(crate) query: Map<String, Value>,
    pub(crate) header: Map<String, Value>,
    pub(crate) body: Value,
    /// How it differs from what was agreed. The rest is not to be relied on then.
    pub(crate) wrong: Option<Wrong>,
}

impl Contract {
    /// Where a request belongs. Of several routes for it the first one that it fits is taken.
    pub(crate) fn find(&self, request: &Request) -> Found {
        let mut methods = Vec::new();
        let mut best: Option<(Vec<bool>, Vec<Taken>)> = None;
        for (index, route) in self.file.routes.iter().enumerate() {
            for pattern in &route.request {
                let Some(path) = pattern.path.names(&request.path) else { continue };
                if pattern.method != request.method {
                    methods.push(pattern.method.clone());
                    continue;
                }
                let item = pattern.path.item().and_then(|name| path.get(name)).and_then(Value::as_str);
                let taken = Taken {
                    route: index,
                    item: item.map(str::to_owned),
                    path,
                    query: Map::new(),
                    header: Map::new(),
                    body: Value::Null,
                    wrong: None,
                };
                let exactness = pattern.path.exactness();
                match &mut best {
                    Some((most, _)) if *most > exactness => {}
                    Some((most, all)) if *most == exactness => all.push(taken),
                    _ => best = Some((exactness, vec![taken])),
                }
            }
        }
        let Some((_, all)) = best else {
            methods.sort_unstable();
            methods.dedup();
            return if methods.is_empty() { Found::UnknownPath } else { Found::WrongMethod(methods) };
        };
        let mut first = None;
        for mut taken in all {
            match self.compare(&self.file.routes[taken.route], request, &mut taken) {
                Ok(()) => return Found::Route(Box::new(taken)),
                Err(wrong) => taken.wrong = Some(wrong),
            }
            first.get_or_insert(taken);
        }
        first.map_or(Found::UnknownPath, |taken| Found::Route(Box::new(taken)))
    }

    /// Compares query, headers and body with the shapes of a route and takes them over.
    fn compare(&self, route: &Route, request: &Request, taken: &mut Taken) -> Result<(), Wrong> {
        // Whatever becomes of the comparison, templates may look at what came.
        let body = request.json();
        if let Ok(body) = &body {
            taken.body = body.clone();
        }
        for (name, text) in request.parameters() {
            let value = route.query.find(&name).and_then(|field| field.shape.read(&text).ok());
            taken.query.insert(name, value.unwrap_or_else(|| text.into()));
        }
        for (name, text) in &request.headers {
            let name = name.to_ascii_lowercase();
            taken.header.insert(name, text.as_str().into());
        }
        if self.strict
            && let Some(place) = request.unfilled()
        {
            return Err(differs(place, "no template that was not filled", "{{"));
        }
        compare_texts(&route.query, &request.parameters(), &|_| !self.strict)
            .map_err(|w| w.within("query"))?;
        let free = |name: &str| {
            !self.strict
                || CUSTOMARY.iter().any(|known| name.eq_ignore_ascii_case(known))
                || self.file.headers.0.iter().any(|field| field.name.eq_ignore_ascii_case(name))
        };
        compare_texts(&route.headers, &request.headers, &free).map_err(|w| w.within("headers"))?;
        match &route.body {
            None if self.strict && !request.body.is_empty() => Err(differs("body", "none", "one")),
            None => Ok(()),
            Some(shape) => {
                let body = body.map_err(|error| differs("body", "JSON", &error.to_string()))?;
                let json = |text: &str| text.trim().to_ascii_lowercase().starts_with("application/json");
                if self.strict
                    && !request.body.is_empty()
                    && !request.header("content-type").is_some_and(json)
                {
                    let got = request.header("content-type").unwrap_or("none");
                    return Err(differs("headers.Content-Type", "application/json", got));
                }
                // No body says as much as one without fields.
                let empty = Value::Object(Map::new());
                let body = if request.body.is_empty() { &empty } else { &body };
                shape.check(body, self.strict).map_err(|wrong| wrong.within("body"))
            }
        }
    }
}

/// Compares texts with names, of a query or of headers, with shapes; `free` names need none.
pub(super) fn compare_texts(
    fields: &Fields,
    texts: &[(String, String)],
    free: &dyn Fn(&str) -> bool,
) -> Result<(), Wrong> {
    for (name, text) in texts {
        let field = fields.0.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        match field {
            Some(field) => {
                field.shape.read(text).map_err(|wrong| wrong.within(&format!(".{name}")))?;
            }
            None if free(name) => {}
            None => return Err(fields.unknown(name)),
        }
    }
    let there = |name: &str| texts.iter().any(|(found, _)| found.eq_ignore_ascii_case(name));
    let missing = fields.0.iter().find(|field| field.required && !there(&field.name));
    missing.map_or(Ok(()), |field| Err(field.missing()))
}

fn differs(at: &str, expected: &str, got: &str) -> Wrong {
    Wrong { at: at.to_owned(), expected: expected.to_owned(), got: got.to_owned() }
}
