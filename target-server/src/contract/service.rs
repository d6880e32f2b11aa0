//! What does a contract answer? The state behind it, and the order in which a request is judged.

use serde_json::{Map, Value, json};

use super::{
    Contract, ContractReport,
    auth::Tokens,
    file::{Action, Canned, Limit, Route, Strings},
    judge::{Found, Taken},
    limit::{Limits, Rate},
    request::{Reply, Request, encoded},
    shape::Wrong,
    socket::session::{Client, Session},
    store::{Page, Store},
    template::{Draws, Scope, Template, descend},
};

/// A contract that is being served.
#[derive(Debug)]
pub(crate) struct Service {
    contract: Contract,
    seed: u64,
    pub(crate) draws: Draws,
    store: Store,
    tokens: Tokens,
    limits: Limits,
    pub(crate) report: ContractReport,
}

/// A request of a known route, with all that is known of it.
#[derive(Clone, Copy)]
struct Case<'a> {
    contract: &'a Contract,
    route: &'a Route,
    taken: &'a Taken,
    request: &'a Request,
}

/// What an action came to.
enum Done {
    /// The item made, changed, read or deleted, with its name.
    Item(Value, Value),
    Items(Vec<Value>, usize),
    Nothing,
    Missing,
}

impl Service {
    pub(crate) fn new(contract: Contract, seed: u64) -> Self {
        let mut draws = Draws::new(seed);
        let store = Store::new(&contract.file.collections, &mut draws);
        let report = ContractReport::new(&contract);
        Self { seed, draws, store, tokens: Tokens::default(), limits: Limits::default(), report, contract }
    }

    /// As it was at first: the collections, the tokens, the record.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.contract.clone(), self.seed);
    }

    pub(crate) fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Makes a token good.
    #[cfg(test)]
    pub(super) fn trust(&mut self, token: &str) {
        self.tokens.issue(token);
    }

    /// Makes an item and tells its name.
    #[cfg(test)]
    pub(super) fn make(&mut self, name: &str, collection: &super::file::Collection) -> Value {
        let made =
            self.store.create(name, collection, &Scope::default(), &Strings::default(), &mut self.draws);
        made.map_or(Value::Null, |(id, _)| id)
    }

    /// Whether a token is good.
    pub(crate) fn knows_token(&self, token: &str) -> bool {
        self.contract.file.auth.as_ref().is_some_and(|auth| self.tokens.is_good(token, &auth.accepts))
    }

    /// Whether a collection has this item.
    pub(crate) fn has_item(&self, collection: &str, id: &str) -> bool {
        self.store.has(collection, id, &[])
    }

    /// Begins a connection, number `n` of the server.
    ///
    /// # Errors
    /// Why it is refused: the status, and what is wrong.
    pub(crate) fn connect(&mut self, client: &Client<'_>, n: u64) -> Result<Session, (u16, String)> {
        match Session::open(&self.contract, client, self.seed ^ n.rotate_left(32), self) {
            Ok(session) => Ok(session),
            Err(refused) => {
                match refused.socket {
                    Some(socket) => self.report.turned_away(&self.contract.file.sockets[socket]),
                    None => self.report.unknown += 1,
                }
                self.report.wrong(refused.why.clone());
                Err((refused.status, refused.why))
            }
        }
    }

    /// Answers a request.
    pub(crate) fn answer(&mut self, request: &Request) -> Reply {
        let contract = self.contract.clone();
        let taken = match contract.find(request) {
            Found::Route(taken) => taken,
            Found::UnknownPath => return self.unknown(request, 404, "no path of this contract"),
            Found::WrongMethod(methods) => {
                let expected = methods.join(", ");
                let mut reply = self.unknown(request, 405, &format!("expected the method {expected}"));
                reply.headers.push(("Allow".to_owned(), expected));
                return reply;
            }
        };
        let route = &contract.file.routes[taken.route];
        let case = Case { contract: &contract, route, taken: &taken, request };
        let mut reply = self.judge(case);
        if matches!(reply.status, 204 | 304) {
            reply.body.clear();
        }
        self.report.answered(taken.route, reply.status);
        reply
    }

    /// Judges a request of a known route, from the outside to the inside.
    fn judge(&mut self, case: Case<'_>) -> Reply {
        let Case { contract, route, taken, request } = case;
        let number = self.report.routes.get(taken.route).map_or(1, |route| route.calls + 1);
        let mut scope = Scope {
            n: number,
            path: Some(&taken.path),
            query: Some(&taken.query),
            header: Some(&taken.header),
            body: Some(&taken.body),
            ..Scope::default()
        };
        if let Some(redirect) = &route.redirect {
            let mut target = encoded(&redirect.text(&scope, &mut self.draws));
            if !request.query.is_empty() {
                target = format!("{target}?{}", request.query);
            }
            let headers = vec![("Location".to_owned(), target)];
            return Reply { status: route.status, headers, body: Vec::new() };
        }
        let mut told = Vec::new();
        let limits = [(0, contract.file.limit.as_ref()), (taken.route + 1, route.limit.as_ref())];
        for (which, limit) in limits {
            let Some(limit) = limit.filter(|_| contract.limited) else { continue };
            let rate = self.rate(which, limit, request);
            let value = rate.value();
            let scope = Scope { rate: Some(&value), ..scope.clone() };
            told.extend(self.headers(&limit.told, &scope));
            if rate.exceeded {
                let mut reply = self.said(limit.status, &limit.answer, &limit.headers, &scope);
                reply.headers.extend(told);
                return reply;
            }
        }
        let mut reply = match self.unauthorized(case, &scope) {
            Some(refusal) => refusal,
            None => match &taken.wrong {
                Some(wrong) => self.refuse(case, wrong, &scope),
                None => self.serve(case, &mut scope),
            },
        };
        reply.headers.extend(told);
        reply
    }

    /// Does what a route does.
    fn serve(&mut self, case: Case<'_>, scope: &mut Scope<'_>) -> Reply {
        let Case { route, request, .. } = case;
        if let Some(also) = route.also.iter().find(|also| scope.n.is_multiple_of(also.every)) {
            return self.said(also.status, &also.answer, &also.headers, scope);
        }
        let done = self.act(case, scope);
        let (mut item, mut items) = (Value::Null, Vec::new());
        match done {
            Done::Missing => {
                let missing = route.missing.clone().unwrap_or_else(not_found);
                return self.said(missing.status, &missing.answer, &missing.headers, scope);
            }
            Done::Nothing => {}
            Done::Item(id, found) => (scope.id, item) = (Some(id), found),
            Done::Items(found, count) => (scope.count, items) = (Some(count), found),
        }
        let scope = Scope { item: Some(&item), items: Some(&items), ..scope.clone() };
        let mut reply = if let Some(text) = &route.text {
            let content_type = route.content_type.as_deref().unwrap_or("text/plain");
            let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
            let body = text.text(&scope, &mut self.draws).into_bytes();
            Reply { status: route.status, headers, body }
        } else {
            let answer = match &route.answer {
                Some(answer) => answer.fill(&scope, &mut self.draws),
                None if scope.count.is_some() => Value::from(items.clone()),
                None if !item.is_null() => item.clone(),
                None => json!({}),
            };
            for path in &route.issue {
                if let Some(Value::String(token)) = descend(&answer, path) {
                    self.tokens.issue(token);
                }
            }
            Reply::json(route.status, &answer)
        };
        if route.revoke
            && let Some(token) = request.token()
        {
            self.tokens.revoke(token);
        }
        let headers = self.headers(&route.headers_out, &scope);
        reply.headers.extend(headers);
        reply
    }

    /// Does to a collection what a route does to it.
    fn act(&mut self, case: Case<'_>, scope: &Scope<'_>) -> Done {
        let Case { contract, route, taken, .. } = case;
        let Some((action, name)) = &route.action else { return Done::Nothing };
        let Some(collection) = contract.file.collections.get(name) else { return Done::Missing };
        let value = |(field, value): &(String, Template)| (field.clone(), value.fill(scope, &mut self.draws));
        let mut within: Vec<_> =
            route.within.0.iter().map(value).filter(|(_, value)| !value.is_null()).collect();
        let id = match &route.of {
            Some(of) => of.text(scope, &mut self.draws),
            None => taken.item.clone().unwrap_or_default(),
        };
        let id = id.as_str();
        let named = matches!(action, Action::Read | Action::Update | Action::Delete);
        if named && !self.store.has(name, id, &within) {
            return Done::Missing;
        }
        let draws = &mut self.draws;
        let item = match action {
            Action::Create => {
                let made = self.store.create(name, collection, scope, &route.set, draws);
                return made.map_or(Done::Missing, |(id, item)| Done::Item(id, item));
            }
            Action::List => {
                if route.filter {
                    let asked = taken.query.iter().filter(|(field, _)| self.store.knows(name, field));
                    within.extend(asked.map(|(field, value)| (field.clone(), value.clone())));
                }
                let (items, count) = self.store.list(name, &within, page(&taken.query, route.page));
                return Done::Items(items, count);
            }
            Action::Read => self.store.look(name, id, &route.progress, scope, draws),
            Action::Update => self.store.update(name, id, scope, &route.set, draws),
            Action::Delete => self.store.delete(name, id),
        };
        item.map_or(Done::Missing, |item| {
            Done::Item(item.get(&collection.key).cloned().unwrap_or_else(|| id.into()), item)
        })
    }

    /// Looks at a call of gRPC.
    ///
    /// # Errors
    /// The message does not look as agreed: what is wrong with it.
    pub(crate) fn call(&mut self, method: &str, message: &Value) -> Result<(), String> {
        let method = method.trim_start_matches('/');
        let contract = self.contract.clone();
        let Some(index) =
            contract.file.grpc.iter().position(|one| one.method.trim_start_matches('/') == method)
        else {
            return Ok(());
        };
        let checked = contract.file.grpc[index].body.check(message, contract.strict);
        if let Some(counted) = self.report.grpc.get_mut(index) {
            counted.calls += 1;
            counted.refused += u64::from(checked.is_err());
        }
        checked.map_err(|wrong| {
            let what = format!("{method}: {}", wrong.within("message"));
            self.report.wrong(what.clone());
            what
        })
    }

    /// Notes a call of gRPC to a method that there is not.
    pub(crate) fn call_unknown(&mut self, method: &str) {
        self.report.unknown += 1;
        self.report.wrong(format!("{method}: no method of this contract"));
    }

    fn rate(&mut self, which: usize, limit: &Limit, request: &Request) -> Rate {
        let caller = request.token().unwrap_or(&request.peer);
        self.limits.take(which, caller, limit.calls, limit.per.0, request.at_ns)
    }

    /// What a caller without a good token is answered.
    fn unauthorized(&mut self, case: Case<'_>, scope: &Scope<'_>) -> Option<Reply> {
        let Case { contract, route, request, .. } = case;
        let auth = contract.file.auth.as_ref().filter(|_| route.auth)?;
        match request.token() {
            Some(token) if self.tokens.is_good(token, &auth.accepts) => None,
            None if auth.absent.is_some() => {
                let absent = auth.absent.as_ref()?;
                Some(self.said(absent.status, &absent.answer, &absent.headers, scope))
            }
            _ => Some(self.said(auth.status, &auth.answer, &auth.headers, scope)),
        }
    }

    /// What a request that does not look as agreed is answered.
    fn refuse(&mut self, case: Case<'_>, wrong: &Wrong, scope: &Scope<'_>) -> Reply {
        let Case { contract, route, taken, request } = case;
        let what = format!("{} {}: {wrong}", request.method, request.path);
        if let Some(route) = self.report.routes.get_mut(taken.route) {
            route.refused += 1;
        }
        self.report.wrong(what.clone());
        if contract.strict {
            return Reply::json(422, &json!({ "contract": what }));
        }
        match route.invalid.as_ref().or(contract.file.invalid.as_ref()) {
            Some(invalid) => self.said(invalid.status, &invalid.answer, &invalid.headers, scope),
            None => Reply::json(422, &json!({ "error": wrong.to_string() })),
        }
    }

    /// What a request is answered that no route takes.
    fn unknown(&mut self, request: &Request, status: u16, what: &str) -> Reply {
        let what = format!("{} {}: {what}", request.method, request.path);
        self.report.unknown += 1;
        self.report.wrong(what.clone());
        if self.contract.strict {
            return Reply::json(status, &json!({ "contract": what }));
        }
        let Some(unknown) = self.contract.file.unknown.clone() else {
            let error = if status == 404 { "not found" } else { "method not allowed" };
            return Reply::json(status, &json!({ "error": error }));
        };
        self.said(unknown.status, &unknown.answer, &unknown.headers, &Scope::default())
    }

    /// An answer by itself.
    fn said(&mut self, status: u16, answer: &Template, headers: &Strings, scope: &Scope<'_>) -> Reply {
        let mut reply = Reply::json(status, &answer.fill(scope, &mut self.draws));
        reply.headers.extend(self.headers(headers, scope));
        reply
    }

    fn headers(&mut self, headers: &Strings, scope: &Scope<'_>) -> Vec<(String, String)> {
        let header = |(name, value): &(String, Template)| {
            // A value that came with the request must not begin a line of its own.
            let text = value.text(scope, &mut self.draws).replace(char::is_control, " ");
            (name.clone(), text)
        };
        headers.0.iter().map(header).collect()
    }
}

/// Which part of a list a query asks for.
fn page(query: &Map<String, Value>, usual: usize) -> Page {
    let number = |names: &[&str]| {
        let value = names.iter().find_map(|name| query.get(*name))?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok()).map(|number| number as usize)
    };
    let size = number(&["limit", "page_size", "pageSize", "per_page", "top_k"]).unwrap_or(usual);
    let skip = number(&["offset", "skip"]);
    let skip = skip.or_else(|| Some(number(&["page"])?.saturating_sub(1).saturating_mul(size)));
    Page { skip: skip.unwrap_or(0), size }
}

fn not_found() -> Canned {
    let answer = Template::Literal(json!({ "error": "not found" }));
    Canned { status: 404, answer, headers: Strings::default() }
}
