//! What becomes of inputs that are wrong, and of any input at all?
#![expect(clippy::unwrap_used, reason = "what a test needs is there, or it fails")]

use load_import::{Kind, import};
use proptest::prelude::*;
use serde_json::{Value, json};

mod common;

const HAR: Kind = Kind::Har { with_assets: true };
const KINDS: [Kind; 4] = [Kind::OpenApi, HAR, Kind::Postman, Kind::Curl];

#[track_caller]
fn refused(kind: Kind, text: &str, expected: &str) {
    let error = import(kind, "x", text).unwrap_err().to_string();
    assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
}

#[test]
fn mistakes_are_told_with_their_place() {
    refused(
        Kind::OpenApi,
        "swagger: '2.0'\n",
        "swagger: expected OpenAPI 3.0 or 3.1, and this is Swagger 2.0; convert",
    );
    refused(
        Kind::OpenApi,
        "openapi: 4.0.0\npaths: {}\n",
        "openapi: expected version 3.0 or 3.1, and this is 4.0.0",
    );
    refused(Kind::OpenApi, "openapi: 3.1.0\n", "paths: expected a table");
    refused(Kind::OpenApi, "openapi: 3.1.0\npaths: {}\n", "paths: expected at least one operation");
    refused(Kind::OpenApi, "{\n  \"openapi\": \"3.1.0\",\n}", "line 3, column 1: expected JSON");
    refused(
        Kind::OpenApi,
        "openapi: 3.1.0\npaths: [\n",
        "line 2, column 8: expected YAML: unclosed bracket '['",
    );
    refused(Kind::OpenApi, "just text", "expected a description");
    let reference = |to: &str| {
        format!("openapi: 3.0.0\npaths:\n  /a:\n    get:\n      parameters:\n        - $ref: '{to}'\n")
    };
    refused(
        Kind::OpenApi,
        &reference("#/components/x"),
        "paths./a.get: $ref \"#/components/x\" leads to nothing",
    );
    refused(
        Kind::OpenApi,
        &reference("other.yaml#/x"),
        "paths./a.get: $ref \"other.yaml#/x\" is in another file; bundle",
    );
    refused(
        Kind::OpenApi,
        &reference("#/paths/~1a/get/parameters/0"),
        "paths./a.get: expected a $ref that ends",
    );
    refused(HAR, "{}", "log.entries: expected a recording");
    refused(HAR, "{\"log\":{\"entries\":[]}}", "log.entries: expected at least one call");
    refused(HAR, "<har/>", "line 1, column 1: expected JSON");
    refused(
        Kind::Postman,
        "{\"id\":\"x\",\"requests\":[]}",
        "info.schema: expected a collection of Postman, version 2.0 or 2.1",
    );
    refused(Kind::Curl, "", "line 1: expected a command that begins with curl");
    refused(
        Kind::Curl,
        "curl http://a/\nwget http://a/\n",
        "line 2: expected a command that begins with curl, found \"wget\"",
    );
    refused(
        Kind::Curl,
        "\ncurl --proxy p --ntlm -Z http://a/",
        "line 2: unknown options of curl: --proxy, --ntlm, -Z",
    );
    refused(Kind::Curl, "curl -H", "line 1: expected a value behind -H");
    refused(Kind::Curl, "curl -s", "line 1: expected a URL");
    refused(Kind::Curl, "curl ftp://a/", "line 1: expected a URL as https://host/path");
    refused(Kind::Curl, "curl http://a/ -X 'G T'", "line 1: expected a method");
}

#[test]
fn what_goes_on_for_ever_ends() {
    // Each alternative leads to two more of the same.
    let node = json!({"allOf": [{"$ref": "#/components/schemas/A"}, {"properties": {
        "l": {"$ref": "#/components/schemas/B"}, "r": {"$ref": "#/components/schemas/B"}}, "required": ["l", "r"]}]});
    let chain: Vec<Value> = (0..40).map(|i| json!({"type": "object", "properties": {
        "a": {"$ref": format!("#/components/schemas/L{}", i + 1)}, "b": {"$ref": format!("#/components/schemas/L{}", i + 1)}}})).collect();
    let mut schemas = json!({"A": {"allOf": [node.clone()]}, "B": node, "L40": {"type": "string"}});
    for (i, schema) in chain.into_iter().enumerate() {
        schemas[format!("L{i}")] = schema;
    }
    for name in ["A", "B", "L0"] {
        let body = json!({"content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}}}});
        let text = json!({"openapi": "3.0.0", "paths": {"/": {"post": {"requestBody": body}}}, "components": {"schemas": schemas}});
        let suite = import(Kind::OpenApi, "x", &text.to_string()).unwrap();
        assert!(suite.len() < 1_000_000, "{} bytes", suite.len());
    }
    let deep = format!("openapi: 3.0.0\npaths: {}", "[".repeat(100_000));
    assert!(import(Kind::OpenApi, "x", &deep).is_err());
    assert!(import(Kind::Postman, "x", &"[".repeat(100_000)).is_err());
}

/// Words that the formats know.
const WORDS: &[&str] = &[
    "openapi",
    "paths",
    "/a/{b}",
    "get",
    "post",
    "parameters",
    "name",
    "in",
    "path",
    "query",
    "schema",
    "type",
    "integer",
    "object",
    "array",
    "items",
    "properties",
    "required",
    "allOf",
    "oneOf",
    "$ref",
    "#/paths",
    "#",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "requestBody",
    "content",
    "application/json",
    "multipart/form-data",
    "security",
    "servers",
    "url",
    "http://h/a?b",
    "info",
    "schema",
    "v2.1.0",
    "item",
    "request",
    "{{x}}",
    "auth",
    "bearer",
    "basic",
    "token",
    "event",
    "listen",
    "test",
    "script",
    "exec",
    "pm.response.to.have.status(200)",
    "body",
    "mode",
    "raw",
    "urlencoded",
    "log",
    "entries",
    "response",
    "status",
    "headers",
    "value",
    "postData",
    "text",
    "mimeType",
    "startedDateTime",
    "2026-01-15T10:00:00Z",
    "variable",
    "key",
    "{\"a\": {{b}}}",
    "GET",
    "3.0.0",
    "é\u{7f}\n'\"\\",
];

/// Any JSON of the words that the formats know, so that it comes through the first checks.
fn json_like() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(WORDS);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner), 0..6).prop_map(|pairs| pairs
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<Value>()),
        ]
    })
}

/// `inner` where each kind looks first.
fn wrapped(kind: Kind, inner: &Value) -> Value {
    match kind {
        Kind::OpenApi => {
            json!({"openapi": "3.0.0", "paths": {"/a/{b}": {"post": inner, "get": {"parameters": inner}},
            "/c": {"put": {"requestBody": {"content": {"application/json": {"schema": inner}}}}}}, "servers": [inner], "components": inner})
        }
        Kind::Har { .. } => json!({"log": {"entries": [
            {"request": {"method": "POST", "url": "http://h/a", "headers": inner, "postData": inner}, "response": {"status": 200, "content": inner}}, inner]}}),
        _ => json!({"info": {"schema": "v2.1.0"}, "variable": inner, "event": inner, "item": [
            {"name": "a", "request": {"url": "http://h/a", "body": inner, "auth": inner, "header": inner}, "event": [inner]}, inner]}),
    }
}

/// What is made is a suite.
#[track_caller]
fn is_sound(kind: Kind, text: &str) {
    if let Ok(suite) = import(kind, "any\nname", text) {
        common::check(&suite).unwrap_or_else(|error| panic!("{error}\n{suite}"));
    }
}

/// How many values there are in `whole`; the one of the number `place`, from 0, becomes `value`.
fn places(whole: &mut Value, place: &mut usize, value: &Value) -> usize {
    let is_here = *place == 0;
    *place = place.wrapping_sub(1);
    if is_here {
        *whole = value.clone();
        return 1;
    }
    1 + match whole {
        Value::Array(list) => list.iter_mut().map(|item| places(item, place, value)).sum(),
        Value::Object(map) => map.values_mut().map(|item| places(item, place, value)).sum(),
        _ => 0_usize,
    }
}

proptest! {
    #[test]
    fn any_text_is_imported_or_refused(text in any::<String>()) {
        for kind in KINDS {
            is_sound(kind, &text);
        }
    }

    #[test]
    fn any_value_is_imported_or_refused(value in json_like()) {
        for kind in KINDS {
            is_sound(kind, &value.to_string());
            is_sound(kind, &wrapped(kind, &value).to_string());
        }
    }

    #[test]
    fn a_real_input_that_was_spoiled_is_imported_or_refused(at in any::<prop::sample::Index>(), value in json_like()) {
        for (kind, text) in [
            (Kind::OpenApi, include_str!("data/accounts.json")),
            (HAR, include_str!("data/shop.har")),
            (Kind::Postman, include_str!("data/shop.postman.json")),
        ] {
            let mut whole: Value = serde_json::from_str(text).unwrap();
            let place = at.index(places(&mut whole, &mut usize::MAX.clone(), &value));
            places(&mut whole, &mut place.clone(), &value);
            is_sound(kind, &whole.to_string());
        }
    }

    #[test]
    fn any_command_line_is_imported_or_refused(words in prop::collection::vec("(curl|-[XHdFubAeGIkLo]|--(data|json|form|user)|'[^']{0,9}'|\\$'[^']{0,9}'|http://a/[a-z?&={}%]{0,9}|[;|&\n\\\\]|.{0,5})", 0..12)) {
        is_sound(Kind::Curl, &format!("curl {}", words.join(" ")));
    }
}
