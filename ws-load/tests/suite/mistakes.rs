//! Is every mistake told with file, line and what was expected, before anything is sent?

use crate::tool;

/// What the tool says of the suite `text`, behind the file's name.
fn said(text: &str, line: &str) -> String {
    let tool = tool();
    let path = tool.folder().join("ws.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    let words = ["--suite", &path, "--url", "ws://127.0.0.1:1"];
    let left = tool.run(words.into_iter().chain(line.split_whitespace()));
    assert_eq!(left.code, 104, "{}{}\n{text}", left.stdout, left.stderr);
    assert!(left.run.is_none(), "nothing was measured");
    left.stderr.trim().replace(&path, "FILE")
}

#[test]
fn mistakes_in_steps_have_their_place() {
    let head = "[[users]]\nname = \"u\"\n[[users.tasks]]\nname = \"t\"\n[[users.tasks.steps]]\n";
    for (step, expected) in [
        ("", "FILE:5: a step that does nothing; expected one of send, send_base64, ping"),
        ("send = \"a\"\nping = true", "FILE:5: send and ping in one step"),
        ("sned = \"a\"", "FILE:5: a step that does nothing"),
        ("send = \"a\"\nanwser = \"echo\"", "FILE:7: a step with send has no anwser; did you mean answer?"),
        ("send = \"a\"\nanswer = \"ehco\"", "FILE:7: answer: expected \"echo\", \"next\" or a table"),
        ("send = \"a\"\nanswer = {}", "FILE:7: answer: every message is like this"),
        ("send = \"{{nope}}\"", "FILE:6: \"{{nope}}\": column 1: unknown {{nope}}"),
        ("send = { a = \"{{nope}}\" }", "FILE:6: "),
        (
            "send = \"a\"\ncapture = { x = \"$.x\" }",
            "FILE:5: capture: of a send without an answer; say by what",
        ),
        (
            "close = true\ncapture = { x = \"$.x\" }",
            "FILE:5: capture: of a close without an answer; leave it out",
        ),
        ("send_base64 = \"?\"", "FILE:6: send_base64: expected bytes in base64"),
        ("ping = 3", "FILE:6: ping: expected true, or a text"),
        ("close = 1005", "FILE:6: close: expected true, or a code from 1000 to 4999"),
        (
            "close = 1000\n[[users.tasks.steps]]\nping = true",
            "FILE:7: a step behind close: the connection is over",
        ),
        ("connect = \"/x\"", "FILE:5: connect: in a task without close"),
        ("connect = \"x\"\n[[users.tasks.steps]]\nclose = true", "FILE:6: \"x\"; expected a path like"),
        ("receive = { jsn = 1 }", "FILE:6: receive has no jsn; did you mean json?"),
        ("parallel = [{ ping = true }]", "FILE:5: parallel: a user has one WebSocket"),
        ("hold = \"soon\"", "FILE:6: hold: "),
        ("hold = \"pacing 5s\"", "FILE:6: hold: \"pacing 5s\": expected a time like 30s"),
        ("hold = \"5s\"\nseries = \"x\"", "FILE:7: series: of the times until what?"),
        ("hold = \"5s\"\nsend = \"x\"", "FILE:7: a step with hold has no send"),
        ("hold = \"5s\"\ntimers = [{ send = \"x\" }]", "FILE:7: a timer without every"),
        ("hold = \"5s\"\ntimers = [{ every = 0, send = \"x\" }]", "FILE:7: every: expected a time above 0"),
        ("hold = \"5s\"\ntimers = [{ every = \"1s\", sned = \"x\" }]", "FILE:7: a step that does nothing"),
        (
            "hold = \"5s\"\ntimers = [{ every = \"1s\", hold = \"1s\" }]",
            "FILE:7: timers: each makes one call",
        ),
        (
            "hold = \"5s\"\ntimers = [{ every = \"1s\", send = \"x\", think = \"1s\" }]",
            "FILE:7: think: calls of a timer",
        ),
        ("request = \"POST ftp://x/\"", "FILE:6: request: \"POST ftp://x/\": scheme"),
        ("request = \"/x\"", "FILE:6: request: \"/x\": expected a method and a path or URL"),
    ] {
        let error = said(&format!("{head}{step}\n"), "");
        assert!(error.starts_with(&format!("ws-load: {expected}")), "{error}\nexpected {expected}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn mistakes_of_classes_have_their_place() {
    let head = "[[users]]\nname = \"u\"\n";
    let task = "\n[[users.tasks]]\nname = \"t\"\nping = true\n";
    for (class, expected) in [
        ("connect = { pth = \"/x\" }", "FILE:3: connect has no pth; did you mean path?"),
        (
            "connect = { path = \"/x y\" }",
            "FILE:3: \"/x y\"; expected a path like \"/realtime?token={{token}}\"",
        ),
        ("connect = { path = \"/{{who}}\" }", "FILE:3: \"/{{who}}\": column 2: unknown {{who}}"),
        ("connect = { subprotocols = [\"a b\"] }", "FILE:3: --subprotocol: \"a b\"; expected a name"),
        (
            "connect = { headers = { \"A b\" = \"c\" } }",
            "FILE:3: headers: \"A b\" with this value is no header",
        ),
        ("pushes = { max_age = \"5 parsecs\" }", "FILE:3: max_age: "),
        ("pushes = { capture = { x = \"$.x\" } }", "FILE:3: capture: nobody has asked for what is pushed"),
        ("pushes = { expct = {} }", "FILE:3: pushes has no expct"),
        ("pushes = { types = [\"a-b\"] }", "FILE:3: types: \"a-b\" is no type like vm_status"),
        ("pushes = { type_path = \"$.x\" }", "FILE:3: type_path: of which types?"),
        (
            "pushes = { expect = { time = \"1s\" } }",
            "FILE:3: time: of a message that nobody asked for it is max_age",
        ),
        ("start = [{ close = true }]", "FILE:3: close: among the first steps"),
        (
            "connect = { path = \"/{{id}}\" }\nstart = [{ receive = {}, capture = { id = \"$.id\" } }]",
            "FILE:3: connect: {{id}} is not known before there is a connection; let a step connect",
        ),
        (
            "connect = { path = \"/x\" }\nstart = [{ connect = \"/y\" }]",
            "FILE:3: path: the class has steps that connect",
        ),
    ] {
        let error = said(&format!("{head}{class}{task}"), "");
        assert!(error.starts_with(&format!("ws-load: {expected}")), "{error}\nexpected {expected}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    for (line, expected) in [
        ("--send ping", "--send: the steps of the suite say that"),
        ("--message x", "--message: the steps of the suite say that"),
        ("--only x", "--only x: unknown"),
    ] {
        let error = said(&format!("{head}{task}"), line);
        assert!(error.contains(expected), "{line}: {error}");
    }
}
