//! How may thresholds be written? As expressions, or as k6's block of metrics, in a suite or in a file of k6's options.

use serde_json::Value as Json;

use crate::fields::{At, Fields, text};
use crate::node::{Node, SuiteError, Value};

/// Takes `thresholds` of a suite or a profile: a list of expressions, or a table of metrics as k6 has it.
pub(super) fn read(fields: &mut Fields) -> Result<Vec<At<String>>, SuiteError> {
    let Some(node) = fields.node("thresholds") else { return Ok(Vec::new()) };
    match node.value {
        Value::Table(metrics) => block(metrics),
        Value::List(list) => list.into_iter().map(|node| text(node, "thresholds")).collect(),
        _ => Ok(vec![text(node, "thresholds")?]),
    }
}

/// The thresholds of `json`, which is k6's block of metrics, or a file of options that has one. `file` is for messages.
///
/// # Errors
/// It is neither.
pub fn k6_thresholds(file: &str, json: &str) -> Result<Vec<String>, SuiteError> {
    let place = Node::empty(file).place;
    let json: Json = serde_json::from_str(json)
        .map_err(|error| SuiteError::at(&place, format!("{error}; expected k6's thresholds in JSON")))?;
    let thresholds = json.get("thresholds").unwrap_or(&json);
    match Node::of_json(&place, thresholds).value {
        Value::Table(metrics) => Ok(block(metrics)?.into_iter().map(|at| at.value).collect()),
        _ => Err(SuiteError::at(&place, "expected a table of metrics, like {\"checks\": [\"rate>0.9\"]}")),
    }
}

/// `metric = ["p(95)<200", { threshold = "avg<100", abortOnFail = true, delayAbortEval = "10s" }]`, and more of them.
fn block(metrics: Vec<(String, Node)>) -> Result<Vec<At<String>>, SuiteError> {
    let mut all = Vec::new();
    for (metric, node) in metrics {
        let rules = match node.value {
            Value::List(list) => list,
            _ => vec![node],
        };
        for rule in rules {
            let (rule, options) = match rule.value {
                Value::Table(_) => with_options(rule)?,
                _ => (text(rule, &metric)?, String::new()),
            };
            all.push(rule.map(|rule| format!("{metric}: {}{options}", rule.trim())));
        }
    }
    Ok(all)
}

/// A rule, and what stands behind it.
fn with_options(node: Node) -> Result<(At<String>, String), SuiteError> {
    let mut fields = Fields::of(node, "a threshold")?;
    let rule = fields.required("threshold", "a comparison like \"p(95)<200\"")?;
    let abort = fields.flag("abortOnFail")?;
    let delay = fields.text("delayAbortEval")?;
    fields.finish("a threshold")?;
    let delay = delay.map_or_else(String::new, |delay| format!(" delayAbortEval={}", delay.value));
    Ok((rule, if abort { format!(" abortOnFail{delay}") } else { String::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_suite(toml: &str) -> Result<Vec<String>, String> {
        let mut fields = Fields::of(Node::parse("s.toml", toml).unwrap(), "a suite").unwrap();
        let all = read(&mut fields).map_err(|error| error.to_string())?;
        Ok(all.into_iter().map(|at| format!("{} {}", at.place.line, at.value)).collect())
    }

    #[test]
    fn a_block_of_k6_means_the_same_as_expressions() {
        let toml = "[thresholds]\nchecks = \"rate>0.9\"\nhttp_reqs = [\n\"count>5\",\n\
            { threshold = \" rate>1\", abortOnFail = true, delayAbortEval = \"10s\" }]\n\
            'http_req_duration{name:GET /a}' = [{ threshold = \"p(95)<200\", abortOnFail = false }]\n";
        let expected = [
            "2 checks: rate>0.9",
            "4 http_reqs: count>5",
            "5 http_reqs: rate>1 abortOnFail delayAbortEval=10s",
            "6 http_req_duration{name:GET /a}: p(95)<200",
        ];
        assert_eq!(of_suite(toml).unwrap(), expected);
        assert_eq!(of_suite("thresholds = [\"a: b\"]").unwrap(), ["1 a: b"]);
        let json = r#"{"vus": 1, "thresholds": {"checks": ["rate>0.9", {"threshold": "rate>0.1", "abortOnFail": true}]}}"#;
        assert_eq!(
            k6_thresholds("k6.json", json).unwrap(),
            ["checks: rate>0.9", "checks: rate>0.1 abortOnFail"]
        );
        assert_eq!(k6_thresholds("k6.json", r#"{"checks": "rate>0.9"}"#).unwrap(), ["checks: rate>0.9"]);
    }

    #[test]
    fn mistakes_in_a_block_are_told() {
        let error = of_suite("[thresholds]\na = [{ threshhold = \"p(95)<1\" }]").unwrap_err();
        assert_eq!(error, "s.toml:2: no threshold; expected a comparison like \"p(95)<200\"");
        let error =
            of_suite("[thresholds]\na = [{ threshold = \"p(95)<1\", abortonfail = true }]").unwrap_err();
        assert!(error.contains("did you mean abortOnFail?"), "{error}");
        for (json, expected) in
            [("{", "k6.json:1: EOF"), ("[1]", "expected a table"), ("{\"a\": [[]]}", "a: expected a text")]
        {
            let error = k6_thresholds("k6.json", json).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
