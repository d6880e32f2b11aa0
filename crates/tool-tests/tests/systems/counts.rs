//! Have tool and system counted the same?

use load_report::model::RunFile;
use serde_json::Value;
use toml::Table;

use crate::case::Case;

/// Asserts that every op has been called, and that the system has counted as many calls of what it is called after.
pub(crate) fn agree(case: &Case, run: &RunFile, truth: &Value) {
    let what = format!("{} of {}", case.suite, case.tool);
    let ops: Vec<(&str, u64)> = run.ops.iter().map(|op| (op.name.as_str(), op.figures.requests)).collect();
    for (name, calls) in &ops {
        assert!(*calls > 0, "{what}: no call of {name}");
    }
    if case.tool == "api-load" {
        routes(case, &ops, truth, run.ledger.control_calls);
    } else if case.tool == "ws-load" {
        // Whether the system is there, is asked over connections of its own.
        messages(case, &ops, run.connections.opened + run.ledger.control_calls, truth);
    } else {
        let methods: u64 = ops.iter().map(|(_, calls)| calls).sum();
        assert_eq!(sum(truth, "grpc", "calls"), methods, "{what}: {truth:#}");
    }
}

/// Every message has been sent as often as the system has heard it, every connection is known, and whatever the system says on
/// the sockets that were opened has been said.
fn messages(case: &Case, ops: &[(&str, u64)], opened: u64, truth: &Value) {
    let count = |part: &str, name: &str, of: &str, number: &str| -> u64 {
        let lines = truth[part].as_array().unwrap().iter();
        lines.filter(|line| line[name] == of).map(|line| line[number].as_u64().unwrap()).sum()
    };
    assert_eq!(sum(truth, "sockets", "opened"), opened, "{}: {truth:#}", case.suite);
    let mut heard = 0;
    for (op, calls) in ops {
        let received = count("messages", "message", op, "received");
        // A ping of Aragora's ws.toml is a control frame, and what is no message has the name of a step.
        if received > 0 {
            assert_eq!(received, *calls, "{}: {op}: {truth:#}", case.suite);
        }
        heard += received;
    }
    assert_eq!(sum(truth, "messages", "received"), heard, "{}: {ops:?} {truth:#}", case.suite);
    let contract = contract(case);
    for socket in contract["sockets"].as_array().unwrap() {
        let path = match &socket["path"] {
            toml::Value::Array(all) => all[0].as_str().unwrap(),
            one => one.as_str().unwrap(),
        };
        // Who says nothing does not stay for what comes by itself.
        if count("messages", "socket", path, "received") == 0 {
            continue;
        }
        let parts = |key: &str| socket.get(key).and_then(toml::Value::as_array).into_iter().flatten();
        let said = truth["events"].as_array().unwrap().iter().filter(|event| event["socket"] == path);
        let said: Vec<_> = said.map(|event| event["event"].as_str().unwrap()).collect();
        let has = |name: &toml::Value| said.contains(&name.as_str().unwrap());
        for push in parts("pushes") {
            assert!(has(&push["name"]), "{}: no push {}: {truth:#}", case.suite, push["name"]);
        }
        let received = |message: &&toml::Value| {
            let name = message["name"].as_str().unwrap();
            truth["messages"]
                .as_array()
                .unwrap()
                .iter()
                .any(|line| line["socket"] == path && line["message"] == name && line["received"] != 0)
        };
        for message in parts("messages").filter(received) {
            let replies = message.get("reply").and_then(toml::Value::as_array).into_iter().flatten();
            for reply in replies {
                assert!(has(&reply["type"]), "{}: no {}: {truth:#}", case.suite, reply["type"]);
            }
        }
    }
}

/// Ops whose names are requests are compared with their routes; all together with all calls.
fn routes(case: &Case, ops: &[(&str, u64)], truth: &Value, control: u64) {
    let contract = contract(case);
    for route in contract["routes"].as_array().unwrap() {
        let name = route["name"].as_str().unwrap();
        let counted = truth["routes"].as_array().unwrap().iter();
        let counted = counted
            .filter(|counted| counted["route"] == name)
            .map(|counted| counted["calls"].as_u64().unwrap());
        let counted: u64 = counted.sum();
        let sent: u64 =
            ops.iter().filter(|(op, _)| !case.renamed && is_of(op, route)).map(|(_, calls)| calls).sum();
        assert!(counted >= sent, "{}: {name} has {counted} calls, {sent} were sent: {truth:#}", case.suite);
    }
    let sent: u64 = ops.iter().map(|(_, calls)| calls).sum();
    let counted = sum(truth, "routes", "calls");
    // A redirect is one call of the tool and two of the server.
    let redirected = statuses(truth, "307");
    assert_eq!(counted, sent + control + redirected, "{}: {ops:?} {truth:#}", case.suite);
}

/// Whether an op is called as one of the requests of a route: `GET /vms/:id?zone&status (again)` is `GET /vms/{id}`.
fn is_of(op: &str, route: &toml::Value) -> bool {
    let op = op.split(" (").next().unwrap_or_default().split('?').next().unwrap_or_default();
    let requests = match &route["request"] {
        toml::Value::Array(all) => all.iter().filter_map(toml::Value::as_str).collect(),
        one => vec![one.as_str().unwrap()],
    };
    requests.iter().any(|request| {
        let (left, right): (Vec<_>, Vec<_>) = (op.split('/').collect(), request.split('/').collect());
        left.len() == right.len()
            && left
                .iter()
                .zip(&right)
                .all(|(op, request)| op == request || (op.starts_with(':') && request.starts_with('{')))
    })
}

/// The contract of a case, as target-server has it.
fn contract(case: &Case) -> Table {
    let actual = if case.actual { ".actual" } else { "" };
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target-server/contracts/");
    let text = std::fs::read_to_string(format!("{root}{}{actual}.toml", case.system)).unwrap();
    text.parse().unwrap()
}

/// The sum of a number of all lines of a part of the record.
fn sum(truth: &Value, part: &str, number: &str) -> u64 {
    truth[part].as_array().unwrap().iter().map(|line| line[number].as_u64().unwrap()).sum()
}

fn statuses(truth: &Value, status: &str) -> u64 {
    let routes = truth["routes"].as_array().unwrap().iter();
    routes.filter_map(|route| route["statuses"][status].as_u64()).sum()
}
