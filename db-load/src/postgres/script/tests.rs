use load_core::protocol::Vu;

use super::statement::Kind;
use super::*;

fn compiled(text: &str, style: Style, pipelined: bool) -> Result<(Script, Names), String> {
    let mut names = Names::none();
    names.set("scale", "2");
    names.set("who", "O'Hara");
    let script = Script::compile(("t", "t.sql"), text, &mut names, Manner { style, pipelined }, &mut 0)?;
    Ok((script, names))
}

fn sent(script: &Script, names: &Names, values: &[(&str, &str)]) -> Vec<u8> {
    let mut vu = Vu::new(0);
    for (name, value) in values {
        vu.scope.vars.set(slot(names, name).unwrap(), value.as_bytes());
    }
    let mut out = Vec::new();
    for statement in script.statements() {
        statement.encode(&vu.scope, &mut out).unwrap();
    }
    out
}

#[test]
fn a_script_becomes_commands() {
    let text = "\\set aid random(1, 10 * :scale)\nBEGIN;\nSELECT a AS b FROM t WHERE id = :aid \\gset x_\n\\rows 1\nUPDATE t SET a = :x_b + :aid;END;";
    let (script, names) = compiled(text, Style::Prepared, false).unwrap();
    assert_eq!(script.commands.len(), 5);
    assert!(script.restores);
    let Command::Send(batch) = &script.commands[2] else { panic!("{:?}", script.commands) };
    assert_eq!(batch.check, Some(Check::Rows(1)));
    let column = ("b".to_owned(), slot(&names, "x_b").unwrap());
    assert!(batch.keep.as_ref().unwrap().contains(&column), "{:?}", batch.keep);
    let statements: Vec<_> = script.statements().map(|s| (s.sql.as_str(), s.name.as_str(), s.kind)).collect();
    assert_eq!(statements[1], ("SELECT a AS b FROM t WHERE id = $1", "s1", Kind::Read));
    assert_eq!(statements[2], ("UPDATE t SET a = $1 + $2", "s2", Kind::Other));
    assert_eq!(statements[3], ("END", "s3", Kind::Commit));
}

#[test]
fn statements_that_depend_on_nothing_go_in_one_piece_when_asked() {
    let text = "BEGIN; UPDATE t SET a = 1; SELECT 1 AS x \\gset\nSELECT :x; END;";
    let batches = |pipelined| {
        let (script, _) = compiled(text, Style::Extended, pipelined).unwrap();
        let sizes = script.commands.iter().map(|command| match command {
            Command::Send(batch) => batch.statements.len(),
            Command::Set(..) => 0,
        });
        sizes.collect::<Vec<_>>()
    };
    assert_eq!(batches(false), [1, 1, 1, 1, 1]);
    assert_eq!(batches(true), [3, 2]);
    let (script, _) = compiled(
        "SELECT 1;\\startpipeline\nSELECT 2;SELECT 3;\n\\endpipeline\nSELECT 4",
        Style::Prepared,
        false,
    )
    .unwrap();
    assert_eq!(script.commands.len(), 3);
    assert!(compiled("\\startpipeline\nSELECT 1;", Style::Simple, false).is_err());
}

#[test]
fn values_of_the_simple_protocol_are_literals() {
    let text = "\\set n 1\n\\set t 2\nSELECT 1 -:n, :t, :who, ':n', a::int, {{pick(\"x\")}}";
    let (script, names) = compiled(text, Style::Simple, false).unwrap();
    let out = sent(&script, &names, &[("n", "-5"), ("t", "a'b")]);
    assert_eq!(&out[5..], b"SELECT 1 -(-5), 'a''b', 'O''Hara', ':n', a::int, 'x'\0");
    assert_eq!(out[..5], [b'Q', 0, 0, 0, (out.len() - 1) as u8]);
}

#[test]
fn values_of_the_others_are_apart() {
    let (script, names) = compiled("\\set n 1\nSELECT :n", Style::Prepared, false).unwrap();
    let out = sent(&script, &names, &[("n", "42")]);
    let bind = [&b"B\0\0\0\x14\0s0\0\0\0\0\x01\0\0\0\x0242\0\0"[..], b"E\0\0\0\x09\0\0\0\0\0"].concat();
    assert_eq!(out, bind);
    let (script, names) = compiled("\\set n 1\nSELECT :n", Style::Extended, false).unwrap();
    let out = sent(&script, &names, &[("n", "42")]);
    assert!(out.starts_with(b"P\0\0\0\x11\0SELECT $1\0\0\0B\0\0\0\x12\0\0"), "{out:?}");
}

#[test]
fn mistakes_are_told_with_their_line() {
    for (text, expected) in [
        ("", "t.sql: no statement"),
        ("\\set a 1\n", "t.sql: no statement"),
        ("SELECT 1;\nSELECT :x;", "t.sql:2: unknown :x"),
        ("\\set a b c\nSELECT 1", "t.sql:1: "),
        ("\\sett a 1", "t.sql:1: \\sett is not known"),
        ("\\gset\nSELECT 1", "t.sql:1: \\gset belongs behind a statement"),
        ("SELECT '{{uuid}}'", "leave the quotes out"),
        ("SELECT {{uid}}", "unknown {{uid}}"),
        ("SELECT 1;\n\n\\sleep 1 s", "t.sql:3: \\sleep"),
        ("SELECT 'x", "t.sql:1: a quote"),
        ("\\rows x\nSELECT 1", "\\rows \"x\""),
    ] {
        let error = compiled(text, Style::Prepared, false).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
