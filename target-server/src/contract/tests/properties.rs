//! Limits and collections, compared with the plainest thing that they could be.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::contract::{
    auth::Tokens,
    file::{Collection, Strings},
    limit::Limits,
    route::PathPattern,
    store::{Page, Store},
    template::{Draws, Scope},
};

/// What clients do to a collection; the number says to which item.
#[derive(Debug, Clone)]
enum Step {
    Create,
    Update(u64, i64),
    Delete(u64),
    Look(u64),
    List(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Create),
        (1..20_u64, any::<i64>()).prop_map(|(id, value)| Step::Update(id, value)),
        (1..20_u64).prop_map(Step::Delete),
        (1..20_u64).prop_map(Step::Look),
        (0..10_usize, 0..10_usize).prop_map(|(skip, size)| Step::List(skip, size)),
    ]
}

fn collection() -> Collection {
    toml::from_str("key = \"id\"\nid = \"{n}\"\nnumber = true\nseeded = 3\nitem = { value = 0 }\n").unwrap()
}

proptest! {
    #[test]
    fn no_window_has_more_calls_than_its_limit(
        gaps in prop::collection::vec(0..40_u64, 1..200),
        calls in 1..6_u64,
        per in 1..100_u64,
    ) {
        let (mut limits, mut now, mut taken, mut before) = (Limits::default(), 0, Vec::new(), 0);
        for gap in gaps {
            now += gap;
            let within = taken.iter().filter(|at| **at + per > now).count() as u64;
            let rate = limits.take(0, "a", calls, per, now);
            // Neither one too many nor one too few.
            prop_assert_eq!(rate.exceeded, within >= calls);
            if !rate.exceeded {
                taken.push(now);
            }
            // Others are not counted with it.
            prop_assert!(!limits.take(1, "a", u64::MAX, per, now).exceeded);
            before += 1;
        }
        prop_assert!(taken.len() <= before);
    }

    #[test]
    fn a_collection_is_a_map(steps in prop::collection::vec(step(), 0..60)) {
        let (collection, mut draws) = (collection(), Draws::new(1));
        let collections = [("things".to_owned(), collection.clone())].into();
        let mut store = Store::new(&collections, &mut draws);
        let mut model: BTreeMap<u64, i64> = (1..=3).map(|id| (id, 0)).collect();
        let mut made = 3;
        let item = |(id, value): (&u64, &i64)| json!({ "value": value, "id": id });
        for step in steps {
            match step {
                Step::Create => {
                    made += 1;
                    model.insert(made, 0);
                    let none = Strings::default();
                    let (id, _) = store.create("things", &collection, &Scope::default(), &none, &mut draws).unwrap();
                    prop_assert_eq!(id, json!(made));
                }
                Step::Update(id, value) => {
                    // The name of an item is not to be changed.
                    let body = json!({ "value": value, "id": 99 });
                    let scope = Scope { body: Some(&body), ..Scope::default() };
                    let found = store.update("things", &id.to_string(), &scope, &Strings::default(), &mut draws);
                    let expected = model.get_mut(&id).map(|held| {
                        *held = value;
                        json!({ "value": value, "id": id })
                    });
                    prop_assert_eq!(found, expected);
                }
                Step::Delete(id) => {
                    let expected = model.remove(&id).map(|value| item((&id, &value)));
                    prop_assert_eq!(store.delete("things", &id.to_string()), expected);
                }
                Step::Look(id) => {
                    let found = store.look("things", &id.to_string(), &[], &Scope::default(), &mut draws);
                    prop_assert_eq!(found, model.get_key_value(&id).map(item));
                    prop_assert_eq!(store.has("things", &id.to_string(), &[]), model.contains_key(&id));
                }
                Step::List(skip, size) => {
                    let page = Page { skip, size };
                    let expected: Vec<Value> = model.iter().skip(skip).take(size).map(item).collect();
                    prop_assert_eq!(store.list("things", &[], page), (expected, model.len()));
                    let zero = [("value".to_owned(), json!("0"))];
                    let zeros = model.values().filter(|value| **value == 0).count();
                    prop_assert_eq!(store.list("things", &zero, page).1, zeros);
                }
            }
        }
    }

    #[test]
    fn a_pattern_takes_what_it_was_made_for(names in prop::collection::vec("[a-zA-Z0-9 /%é.]{1,8}", 1..4)) {
        let encoded: Vec<_> = names
            .iter()
            .map(|name| percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string())
            .collect();
        let pattern: Vec<_> = (0..names.len()).map(|i| format!("x/{{n{i}}}")).collect();
        let pattern = PathPattern::parse(&format!("/{}", pattern.join("/"))).unwrap();
        let path = format!("/x/{}", encoded.join("/x/"));
        let found = pattern.names(&path).unwrap();
        let values: Vec<_> = found.values().map(|value| value.as_str().unwrap()).collect();
        prop_assert_eq!(values, names);
        let longer = path.clone() + "/";
        prop_assert!(pattern.names(&longer).is_none());
        prop_assert!(pattern.names(&path[2..]).is_none());
    }
}

#[test]
fn tokens_and_callers_are_not_remembered_for_ever() {
    let (mut tokens, any) = (Tokens::default(), ["*".to_owned()]);
    for n in 0..100_100 {
        tokens.issue(&n.to_string());
    }
    assert!(!tokens.is_good("99", &[]) && tokens.is_good("100", &[]) && tokens.is_good("100099", &[]));
    assert!(tokens.is_good("99", &any));
    let mut limits = Limits::default();
    for n in 0..30_000_u64 {
        assert!(!limits.take(0, &n.to_string(), 1, 10, n).exceeded);
    }
    assert!(limits.callers() <= 10_001, "{}", limits.callers());
    assert!(limits.take(0, "29999", 1, 10, 30_000).exceeded);
}
