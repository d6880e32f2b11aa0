use proptest::prelude::*;

use super::*;
use crate::data::Order;
use crate::scope::Scope;

fn names() -> Names {
    let mut names = Names::none();
    names.set("kinds", "\"k,1\", 'k2'");
    names.set("tenant", "a b");
    names.slot("token");
    let rows = vec![vec!["x@y".to_owned()]];
    names.add_data(Data {
        name: "users".into(),
        columns: vec!["mail".into()],
        rows,
        order: Order::Sequential,
    });
    names
}

fn rendered(source: &str, escape: Escape) -> String {
    let template = Template::compile(source, &names(), escape).unwrap();
    let mut scope = Scope::of(3);
    (scope.iteration, scope.now_ns) = (4, 1_700_000_000_123_456_789);
    scope.begin(1, 12_345);
    scope.vars.set(0, b"t\"1/ \n");
    let mut out = Vec::new();
    template.render(&scope, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn values_are_inserted_in_place() {
    assert_eq!(rendered("/x?k={{seq}}&u={{ vu }}&i={{iteration}}", Escape::Url), "/x?k=12345&u=3&i=4");
    assert_eq!(rendered("{{users.mail}} {{tenant}}", Escape::Raw), "x@y a b");
    assert_eq!(
        rendered("{{now_ms}} {{now_s}} {{now}}", Escape::Raw),
        "1700000000123 1700000000.123456 2023-11-14T22:13:20.123Z"
    );
}

#[test]
fn values_are_written_as_their_place_needs_it() {
    assert_eq!(rendered("{{token}}", Escape::Raw), "t\"1/ \n");
    assert_eq!(rendered("{{token}}", Escape::Json), "t\\\"1/ \\n");
    assert_eq!(rendered("/a b/{{token}}", Escape::Url), "/a b/t%221%2F%20%0A");
    assert_eq!(rendered("{{token}}|", Escape::Line), "t\"1/  |");
    assert_eq!(rendered("{{token | raw}} {{token|url}}", Escape::Json), "t\"1/ \n t%221%2F%20%0A");
    assert_eq!(rendered("{{tenant}}", Escape::Url), "a%20b");
}

#[test]
fn what_does_not_vary_is_static() {
    let compiled = |source| Template::compile(source, &names(), Escape::Raw).unwrap();
    assert_eq!(compiled("/plain").as_static(), Some("/plain"));
    assert_eq!(compiled("{{tenant}}!").as_static(), Some("a b!"));
    assert_eq!(compiled("{{seq}}").as_static(), None);
    assert_eq!(compiled("{{token}}{{seq}}").slots().collect::<Vec<_>>(), [0]);
    assert_eq!(compiled("a").then(compiled("b{{seq}}")).source(), "ab{{seq}}");
}

#[test]
fn generators_keep_their_promises() {
    let drawn: i64 = rendered("{{int(-3, 3)}}", Escape::Raw).parse().unwrap();
    assert!((-3..=3).contains(&drawn));
    let drawn: f64 = rendered("{{float(0.1, 0.9)}}", Escape::Raw).parse().unwrap();
    assert!((0.1..=0.9).contains(&drawn));
    assert!(["k,1", "k2"].contains(&rendered("{{pick(kinds)}}", Escape::Raw).as_str()));
    assert_eq!(rendered("{{pick(\"kinds\")}}{{sample(2, 2, kinds)}}", Escape::Raw), "kinds[\"k,1\", \"k2\"]");
    assert!(["a,b", "c"].contains(&rendered("{{pick(\"a,b\", 'c')}}", Escape::Raw).as_str()));
    let uuid = rendered("{{uuid}}", Escape::Raw);
    let dashes: Vec<_> = uuid.match_indices('-').map(|(at, _)| at).collect();
    assert_eq!((uuid.len(), dashes), (36, vec![8, 13, 18, 23]));
    assert!(uuid.as_bytes()[14] == b'4' && b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
    let hex = rendered("{{hex(20)}}", Escape::Raw);
    assert!(hex.len() == 20 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(rendered("{{text(100)}}", Escape::Raw).trim().len(), 100);
    assert!(!rendered("{{text(100)}}", Escape::Url).contains(' '));
    assert_ne!(
        rendered("{{uuid}}", Escape::Raw),
        rendered("{{seq}}{{uuid}}", Escape::Raw)[5..].replace(' ', "") + "x"
    );
}

#[test]
fn mistakes_are_pointed_at() {
    let error = |source: &str| Template::compile(source, &names(), Escape::Raw).unwrap_err().to_string();
    assert_eq!(error("ab{{seq"), "column 3: {{ is not closed; expected }}");
    assert_eq!(error("{{tokne}}"), "column 1: unknown {{tokne}}; did you mean {{token}}?");
    assert!(
        error("{{quite unknown}}").starts_with(
            "column 1: unknown {{quite unknown}}; known are token, kinds, tenant, users.mail, seq"
        )
    );
    assert_eq!(error("{{users.male}}"), "column 1: unknown {{users.male}}; did you mean {{users.mail}}?");
    assert!(error("{{int(6, 1)}}").contains("int(LOW, HIGH)") && error("{{hex(0)}}").contains("hex(DIGITS)"));
    assert!(error("{{pick()}}").contains("at least one") && error("{{seq | upper}}").contains("| raw"));
}

#[test]
fn decimals_equal_the_standard_ones() {
    for value in [0, 9, 10, 12_345, u64::MAX] {
        let mut out = Vec::new();
        push_decimal(value, &mut out);
        assert_eq!(out, value.to_string().as_bytes());
    }
}

#[test]
fn some_of_several_are_a_json_list_of_each_size_and_member() {
    let template =
        Template::compile("{{sample(1, 3, \"a\", \"b \\ c\", \"d\", \"e\")}}", &names(), Escape::Raw)
            .unwrap();
    let (mut sizes, mut members) = ([0; 4], BTreeMap::<String, u32>::new());
    let mut scope = Scope::default();
    for seq in 0..6_000 {
        scope.begin(1, seq);
        let mut out = Vec::new();
        template.render(&scope, &mut out);
        let list: Vec<String> = serde_json::from_slice(&out).unwrap();
        sizes[list.len()] += 1;
        list.into_iter().for_each(|member| *members.entry(member).or_default() += 1);
    }
    assert!(sizes[0] == 0 && sizes[1..].iter().all(|n| (1_800..2_200).contains(n)), "{sizes:?}");
    // Two of four on average.
    assert!(members.len() == 4 && members.values().all(|n| (2_800..3_200).contains(n)), "{members:?}");
    for wrong in [
        "sample()",
        "sample(1, 2)",
        "sample(2, 1, \"a\", \"b\")",
        "sample(1, 3, \"a\", \"b\")",
        "sample(a, 1, \"a\")",
    ] {
        let error = Template::compile(&format!("{{{{{wrong}}}}}"), &names(), Escape::Raw).unwrap_err();
        assert!(error.to_string().contains("expected sample(LEAST, MOST"), "{wrong}: {error}");
    }
}

#[test]
fn what_was_not_captured_has_a_default() {
    let mut scope = Scope::default();
    let render = |source: &str, scope: &Scope| {
        let mut out = Vec::new();
        Template::compile(source, &names(), Escape::Url).unwrap().render(scope, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(render("{{token or \"no ne\"}}/{{token or seq}}", &scope), "no%20ne/0");
    scope.vars.set(0, b"a b");
    assert_eq!(render("{{token or \"none\"}}/{{token or seq | raw}}", &scope), "a%20b/a b");
    // A default may be put together; `+` in quotes or brackets is a letter.
    let put_together = "{{token or \"a+\" + seq + '_' + pick(\"+\")}}";
    assert_eq!(render(put_together, &scope), "a%20b");
    scope.vars.set(0, b"");
    assert_eq!(render(put_together, &scope), "a%2B0_%2B");
    assert_eq!(render("{{token or token or \"x\" + \"y\"}}", &scope), "xy");
    assert!(Template::compile("{{token or \"a\" + nobody}}", &names(), Escape::Raw).is_err());
    // Without it the request can be made all the same.
    let template = Template::compile("{{token or \"x\"}}", &names(), Escape::Raw).unwrap();
    assert_eq!(template.slots().count(), 0);
    assert!(Template::compile("{{nobody or \"x\"}}", &names(), Escape::Raw).is_err());
}

proptest! {
    #[test]
    fn any_text_compiles_or_is_refused(source in ".*\\{\\{.*\\}\\}.*") {
        let _ = Template::compile(&source, &names(), Escape::Json);
    }

    #[test]
    fn a_json_text_stays_one(value in "\\PC*[\n\t\"\\\\]?\\PC*") {
        let mut scope = Scope::default();
        scope.vars.set(0, value.as_bytes());
        let template = Template::compile("\"{{token}}\"", &names(), Escape::Json).unwrap();
        let mut out = Vec::new();
        template.render(&scope, &mut out);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), value);
    }
}
