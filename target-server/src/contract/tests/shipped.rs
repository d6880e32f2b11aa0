//! Every contract that comes with the server, route by route: does each take what its own shapes ask for?

use serde_json::{Map, Value, json};

use crate::contract::{
    Contract, ContractError, Request, Service,
    file::{Action, Route},
    route::Pattern,
    shape::{Fields, Shape},
};

/// Every contract that comes with the server, as it is and as the service really is.
fn shipped() -> impl Iterator<Item = Contract> {
    let both = |name| [Contract::named(name, false), Contract::named(name, true)];
    Contract::names().flat_map(both).filter_map(|one| match one {
        Err(ContractError::NoActual { .. }) => None,
        other => Some(other.unwrap_or_else(|error| panic!("{error}"))),
    })
}

/// A value of a shape.
fn example(shape: &Shape) -> Value {
    let candidates = || (0..200).map(|n| json!("x".repeat(n))).chain((0..10_000).map(Value::from));
    let scalar = || candidates().chain([json!(0.5)]).find(|value| shape.check(value, true).is_ok());
    match shape {
        Shape::Any => json!("anything"),
        Shape::Null => Value::Null,
        Shape::Boolean => json!(true),
        Shape::Integer(_) | Shape::Number(_) | Shape::Text(_) => {
            scalar().unwrap_or_else(|| panic!("{shape}"))
        }
        Shape::OneOf(texts) => json!(texts[0]),
        Shape::Constant(value) => value.clone(),
        Shape::Object => json!({}),
        Shape::Fields(fields) => example_fields(fields).into(),
        Shape::Array(item, _) => {
            let of = |n| Value::from(vec![example(item); n]);
            (0..100).map(of).find(|value| shape.check(value, true).is_ok()).unwrap()
        }
        Shape::Either(shapes) => example(&shapes[0]),
    }
}

fn example_fields(fields: &Fields) -> Map<String, Value> {
    fields.0.iter().map(|field| (field.name.clone(), example(&field.shape))).collect()
}

/// A request that a route takes, for each of its paths.
fn example_requests(service: &mut Service, route: &Route) -> Vec<Request> {
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let file = service.contract().file.clone();
    let pairs = |fields: &Fields| example_fields(fields).into_iter().map(|(name, value)| (name, text(value)));
    let query: Vec<_> = pairs(&route.query)
        // The page is to be one that there is.
        .filter(|(name, _)| !matches!(name.as_str(), "offset" | "skip" | "page"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut headers: Vec<_> = pairs(&route.headers).collect();
    headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    headers.push(("Authorization".to_owned(), "Bearer made for this test".to_owned()));
    let mut request = |pattern: &Pattern| {
        let path = pattern.written.split_once(' ').unwrap().1;
        // An item made for this: there may be none yet.
        let id = route.action.as_ref().map_or(Value::Null, |(action, name)| match action {
            Action::Create | Action::List => json!("1"),
            _ => service.make(name, &file.collections[name]),
        });
        let id = if id.is_null() { "1".to_owned() } else { text(id) };
        let named = |segment: &str| if segment.starts_with('{') { id.clone() } else { segment.to_owned() };
        Request {
            method: pattern.method.clone(),
            path: path.split('/').map(named).collect::<Vec<_>>().join("/"),
            query: query.join("&"),
            headers: headers.clone(),
            body: route
                .body
                .as_ref()
                .map(|shape| example(shape).to_string().into_bytes())
                .unwrap_or_default(),
            peer: "127.0.0.1".to_owned(),
            at_ns: 0,
        }
    };
    route.request.iter().map(&mut request).collect()
}

#[test]
fn every_route_of_every_contract_takes_what_it_asks_for_and_answers_as_it_says() {
    for contract in shipped() {
        let name = format!("{}{}", contract.name, if contract.actual { " --actual" } else { "" });
        assert!(!contract.about().is_empty());
        for (index, route) in contract.file.routes.iter().enumerate() {
            let mut service = Service::new(contract.clone().strict(true), 1);
            for request in example_requests(&mut service, route) {
                let place =
                    format!("{name}: {}: {} {}?{}", route.name, request.method, request.path, request.query);
                // A log-out before may have taken it back.
                service.trust("made for this test");
                let reply = service.answer(&request);
                let body = String::from_utf8_lossy(&reply.body);
                assert_eq!(service.report.routes[index].refused, 0, "{place}\n{body}");
                // Where routes share a path, an earlier one may take it.
                if service.report.routes[index].calls == 0 {
                    assert!(
                        service.report.routes[..index].iter().any(|earlier| earlier.calls > 0),
                        "{place}\n{body}"
                    );
                    continue;
                }
                let missing = route.missing.as_ref().map_or(404, |missing| missing.status);
                // Which item is meant is a matter of what the request says.
                let other = !route.within.0.is_empty() || route.of.is_some();
                let within = reply.status == missing && other;
                let rare = route.also.iter().any(|also| also.status == reply.status);
                assert!(reply.status == route.status || within || rare, "{place}: {}\n{body}", reply.status);
                if route.text.is_none() && !matches!(reply.status, 204 | 300..400) {
                    assert!(serde_json::from_str::<Value>(&body).is_ok(), "{place}\n{body}");
                }
            }
        }
    }
}

#[test]
fn the_examples_of_the_documentation_are_understood() {
    let page = include_str!("../../../../docs/contracts.md");
    let blocks: Vec<_> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let whole = Contract::parse("contracts.md", blocks[0]).unwrap();
    assert_eq!(whole.file.routes.len(), 1);
    for block in &blocks[1..] {
        let before =
            "about = \"\"\nauth = {}\ncollections.rooms = { key = \"id\", id = \"{n}\", item = {} }\n";
        let part = format!("{before}{block}");
        let script = crate::Script::parse("contracts.md", block).is_ok();
        let contract = Contract::parse("contracts.md", &part);
        assert!(script || contract.is_ok(), "{block}\n{contract:?}");
    }
    assert!(blocks.len() >= 3);
}
