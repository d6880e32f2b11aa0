//! How long does it take to write what a step sends? Texts without, with one and with many placeholders.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use load_suite::scope::Scope;
use load_suite::template::{Escape, Names, Template};

const TEXTS: [(&str, Escape, &str); 5] = [
    ("static", Escape::Url, "/products?page=1"),
    ("a number", Escape::Url, "/products?page={{int(1, 20)}}"),
    ("a variable", Escape::Url, "/orders/{{order}}"),
    ("a uuid", Escape::Raw, "{{uuid}}"),
    (
        "a body",
        Escape::Json,
        r#"{"order":"{{order}}","key":"{{uuid}}","n":{{seq}},"kind":"{{pick("a","b")}}","at":"{{now}}"}"#,
    ),
];

fn templates(criterion: &mut Criterion) {
    let mut names = Names::none();
    let order = names.slot("order");
    let mut scope = Scope::of(3);
    scope.begin(1, 12_345);
    scope.vars.set(order, b"8c5f0c9e");
    let mut group = criterion.benchmark_group("templates");
    for (name, escape, source) in TEXTS {
        let template = match Template::compile(source, &names, escape) {
            Ok(template) => template,
            Err(error) => panic!("{source}: {error}"),
        };
        let mut out = Vec::new();
        template.render(&scope, &mut out);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                template.render(black_box(&scope), &mut out);
                out.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, templates);
criterion_main!(benches);
