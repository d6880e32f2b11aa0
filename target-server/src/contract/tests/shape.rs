//! Shapes: what they take, and what they say of the rest.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::contract::shape::Shape;

fn shape(written: &Value) -> Shape {
    Shape::from_value(written).unwrap()
}

fn differs(written: &Value, value: &Value) -> String {
    shape(written).check(value, true).unwrap_err().to_string()
}

#[test]
fn each_shape_takes_its_own_and_no_other() {
    let values =
        [json!(null), json!(true), json!(7), json!(0.5), json!("low"), json!(["x"]), json!({ "a": 1 })];
    for (written, taken) in [
        (json!("any"), [true; 7]),
        (json!("null"), [true, false, false, false, false, false, false]),
        (json!("boolean"), [false, true, false, false, false, false, false]),
        (json!("integer"), [false, false, true, false, false, false, false]),
        (json!("integer 8.."), [false; 7]),
        (json!("number"), [false, false, true, true, false, false, false]),
        (json!("number 0..1"), [false, false, false, true, false, false, false]),
        (json!("string"), [false, false, false, false, true, false, false]),
        (json!("string 4.."), [false; 7]),
        (json!("low|high"), [false, false, false, false, true, false, false]),
        (json!("high"), [false; 7]),
        (json!("null or integer 1..7 or low"), [true, false, true, false, true, false, false]),
        (json!(7), [false, false, true, false, false, false, false]),
        (json!(true), [false, true, false, false, false, false, false]),
        (json!(["string"]), [false, false, false, false, false, true, false]),
        (json!(["string", "2.."]), [false; 7]),
        (json!("object"), [false, false, false, false, false, false, true]),
        (json!({ "a": "integer" }), [false, false, false, false, false, false, true]),
        (json!({ "b?": "integer" }), [false; 7]),
    ] {
        let shape = shape(&written);
        let found: Vec<_> = values.iter().map(|value| shape.check(value, true).is_ok()).collect();
        assert_eq!(found, taken, "{written}");
    }
}

#[test]
fn a_difference_is_told_with_its_place() {
    let written = json!({ "tags": [{ "name": "string 1..3", "size?": "integer 1.." }], "on?": "boolean" });
    for (value, told) in [
        (
            json!({ "tags": [{ "name": "x" }, { "name": "long" }] }),
            ".tags[1].name: expected string 1..3, got \"long\"",
        ),
        (json!({ "tags": [{ "size": 1 }] }), ".tags[0].name: expected string 1..3, got nothing"),
        (json!({ "tags": [{ "name": "x", "size": 0 }] }), ".tags[0].size: expected integer 1.., got 0"),
        (json!({ "tags": {} }), ".tags: expected array of object, got {}"),
        (json!({ "tags": [], "of": 1 }), ".of: expected one of tags, on, got this name"),
    ] {
        assert_eq!(differs(&written, &value), told);
    }
    let long = differs(&json!("integer"), &json!("x".repeat(1000)));
    assert!(long.len() < 120 && long.ends_with("..."), "{long}");
}

#[test]
fn what_is_no_shape_is_refused() {
    for written in [
        json!(""),
        json!("string 1-3"),
        json!("integer 5..1"),
        json!([]),
        json!(["string", "x", "y"]),
        json!(null),
    ] {
        assert!(Shape::from_value(&written).is_err(), "{written}");
    }
}

#[test]
fn texts_of_a_query_are_read_as_what_is_expected() {
    assert_eq!(shape(&json!("integer 1..100")).read("20").unwrap(), json!(20));
    assert_eq!(shape(&json!("boolean")).read("true").unwrap(), json!(true));
    assert_eq!(shape(&json!("string")).read("20").unwrap(), json!("20"));
    assert_eq!(shape(&json!("a|b")).read("b").unwrap(), json!("b"));
    for wrong in ["", "x", "101", "1.5", "[1]", "null"] {
        assert!(shape(&json!("integer 1..100")).read(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn bounds_hold_exactly(least in -1000_i64..1000, length in 0_i64..1000, value in -3000_i64..3000) {
        let shape = shape(&json!(format!("integer {least}..{}", least + length)));
        prop_assert_eq!(shape.check(&json!(value), true).is_ok(), (least..=least + length).contains(&value));
    }

    #[test]
    fn fields_that_are_not_named_pass_unless_strict(names in prop::collection::btree_set("[a-z]{1,4}", 1..6), known in 0_usize..6) {
        let fields: Map<String, Value> = names.iter().take(known).map(|name| (name.clone(), json!("integer"))).collect();
        let values: Value = names.iter().map(|name| (name.clone(), json!(1))).collect::<Map<_, _>>().into();
        let shape = shape(&fields.into());
        prop_assert!(shape.check(&values, false).is_ok());
        prop_assert_eq!(shape.check(&values, true).is_ok(), known >= names.len());
    }
}
