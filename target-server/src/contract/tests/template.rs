//! Templates: what placeholders become.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::contract::template::{Draws, Scope, Template};

fn fill(written: &Value, scope: &Scope<'_>) -> Value {
    Template::from_value(written).unwrap().fill(scope, &mut Draws::new(1))
}

#[test]
fn placeholders_keep_their_type_alone_and_become_text_within_a_text() {
    let body = json!({ "name": "Ann", "age": 5, "tags": ["a", "b"], "deep": { "x": null } });
    let (path, query) = (json!({ "id": "7" }), json!({ "limit": 3 }));
    let item = json!({ "id": 7 });
    let items = [json!(1), json!(2)];
    let scope = Scope {
        id: Some(json!(9)),
        n: 4,
        path: path.as_object(),
        query: query.as_object(),
        body: Some(&body),
        item: Some(&item),
        items: Some(&items),
        count: Some(12),
        ..Scope::default()
    };
    for (written, filled) in [
        (json!("{body.age}"), json!(5)),
        (json!("{body.age} years"), json!("5 years")),
        (json!("{body.tags.1}-{path.id}-{n}"), json!("b-7-4")),
        (json!("{body.tags}"), json!(["a", "b"])),
        (json!("{body}"), body.clone()),
        (json!("{body.deep.x}"), json!(null)),
        (json!("{body.nothing}"), json!(null)),
        (json!("<{body.nothing}>"), json!("<>")),
        (json!("{query.limit or 10}"), json!(3)),
        (json!("{query.offset or 10}"), json!(10)),
        (json!("{query.sort or name}"), json!("name")),
        (json!("{id}"), json!(9)),
        (json!("{item}"), item.clone()),
        (json!({ "a": ["{items}", "{count}"] }), json!({ "a": [[1, 2], 12] })),
        (json!("{{id} and {id}"), json!("{id} and 9")),
        (json!([1, true, null]), json!([1, true, null])),
    ] {
        assert_eq!(fill(&written, &scope), filled, "{written}");
    }
}

#[test]
fn times_are_of_now() {
    let before = jiff::Timestamp::now().as_millisecond();
    let filled = fill(&json!(["{now}", "{now_s}", "{now_ms}"]), &Scope::default());
    let after = jiff::Timestamp::now().as_millisecond();
    let stamp: jiff::Timestamp = filled[0].as_str().unwrap().parse().unwrap();
    assert!(filled[0].as_str().unwrap().ends_with('Z'), "{filled}");
    for ms in [
        stamp.as_millisecond(),
        (filled[1].as_f64().unwrap() * 1e3).round() as i64,
        filled[2].as_i64().unwrap(),
    ] {
        assert!((before..=after).contains(&ms), "{filled}");
    }
}

#[test]
fn what_is_no_placeholder_is_refused() {
    for written in
        ["{name}", "{id", "{id.x}", "{path}.{path.a.b}", "{integer 1..}", "{dice 1..6}", "{}", "{body.}"]
    {
        assert!(Template::from_value(&json!(written)).is_err(), "{written}");
    }
}

proptest! {
    #[test]
    fn a_text_without_braces_is_itself(text in "[^{]{0,40}") {
        prop_assert_eq!(fill(&json!(text.clone()), &Scope::default()), json!(text));
    }

    #[test]
    fn draws_are_within_and_repeat_with_their_seed(seed: u64, least in -50_i64..50, length in 0_i64..50) {
        let template = Template::from_value(&json!([format!("{{integer {least}..{}}}", least + length), "{pick a|b}", "{hex}"])).unwrap();
        let draw = |seed| template.fill(&Scope::default(), &mut Draws::new(seed));
        let drawn = draw(seed);
        prop_assert!((least..=least + length).contains(&drawn[0].as_i64().unwrap()));
        prop_assert!(drawn[1] == "a" || drawn[1] == "b");
        prop_assert_eq!(drawn[2].as_str().unwrap().len(), 8);
        prop_assert_eq!(&draw(seed), &drawn);
    }
}
