//! Have tool and system counted the same?

use load_report::model::RunFile;
use serde_json::Value;
use toml::Table;

use crate::case::Case;

/// Asserts that every op has been called, and that the system has counted as many calls of what it is called after.
pub(crate) fn agree(case: &Case, run: &RunFile, truth: &Value) {
    let what = format!("{} of {}", case.suite, case.tool);
    let ops: Vec<(&str, u64)> = run
        .ops
        .iter()
        .map(|op| (op.name.as_str(), op.figures.requests))
        .filter(|(name, _)| *name != "elsewhere")
        .collect();
    for (name, calls) in &ops {
        assert!(*calls > 0, "{what}: no call of {name}");
    }
    if case.tool == "api-load" {
        routes(case, &ops, truth, run.ledger.control_calls);
    } else {
        let methods: u64 = ops.iter().map(|(_, calls)| calls).sum();
        assert_eq!(sum(truth, "grpc", "calls"), methods, "{what}: {truth:#}");
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
