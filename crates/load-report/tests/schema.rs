//! The promise to scripts: `docs/schema/` is generated from the code, and real files obey it.
//! `UPDATE_SCHEMA=1 cargo test -p load-report --test schema` rewrites the stored schemas.

#![expect(clippy::unwrap_used, reason = "a test may panic; helpers of tests are not recognised as such")]

mod common;

use load_report::compare::{Comparison, Rules};
use load_report::model::RunFile;
use load_report::render::json;
use load_report::summary::Summary;
use serde_json::Value;

fn stored(name: &str, generated: &schemars::Schema) -> Value {
    let path = format!("{}/../../docs/schema/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = serde_json::to_string_pretty(generated).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == text, "docs/schema/{name} is out of date; rewrite it with UPDATE_SCHEMA=1");
    serde_json::from_str(&stored).unwrap()
}

fn errors(schema: &Value, text: &str) -> Vec<String> {
    let instance: Value = serde_json::from_str(text).unwrap();
    let validator = jsonschema::validator_for(schema).unwrap();
    validator.iter_errors(&instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn a_run_file_obeys_the_stored_schema() {
    let schema = stored("run.v1.json", &schemars::schema_for!(RunFile));
    for run in [common::run(), common::invalid_run()] {
        assert_eq!(errors(&schema, &json::run(&run)), Vec::<String>::new());
    }
    let broken = json::run(&common::run()).replacen("\"scheduled\": 200", "\"scheduled\": \"many\"", 1);
    assert!(!errors(&schema, &broken).is_empty());
}

#[test]
fn a_summary_obeys_the_stored_schema() {
    let schema = stored("summary.v1.json", &schemars::schema_for!(Summary));
    assert_eq!(errors(&schema, &json::summary(&common::summary())), Vec::<String>::new());
    let broken = json::summary(&common::summary()).replacen("\"targets\"", "\"target\"", 1);
    assert!(!errors(&schema, &broken).is_empty());
}

#[test]
fn a_comparison_obeys_the_stored_schema() {
    let schema = stored("compare.v1.json", &schemars::schema_for!(Comparison));
    let text = json::comparison(&common::comparison(Rules::default()));
    assert_eq!(errors(&schema, &text), Vec::<String>::new());
    assert!(!errors(&schema, &text.replacen("\"judgement\"", "\"judgment\"", 1)).is_empty());
}
