//! What clients see of a contract, byte by byte, and what the record says of it.

use std::net::SocketAddr;

use serde_json::{Value, json};
use target_server::{Config, Contract, ContractReport, Script, Server, now_ns};

use crate::client::{Answer, Client, MS};

const SHOP: &str = r#"
about = "a shop"
[auth]
accepts = ["good"]
[collections.things]
key = "id"
id = "thing-{n}"
seeded = 3
item = { id = "{id}", name = "thing {n}" }
[[routes]]
request = "GET /things"
query = { "limit?" = "integer 1..10" }
list = "things"
[[routes]]
request = "GET /things/{id}"
read = "things"
[[routes]]
request = "POST /things"
auth = true
body = { name = "string" }
create = "things"
status = 201
[[routes]]
request = "DELETE /things/{id}"
auth = true
delete = "things"
status = 204
[[routes]]
request = "POST /login"
body = { user = "string" }
issue = "token"
answer = { token = "t-{hex}" }
[[routes]]
request = "GET /old"
redirect = "/things"
[[routes]]
request = "GET /few"
limit = { calls = 2, per = "1h", answer = { error = "rate" }, headers = { Retry-After = "{rate.retry_after}" }, told = { X-RateLimit-Remaining = "{rate.remaining}" } }
"#;

fn serve(script: &str, contract: Contract) -> Server {
    let any = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let script = Script::parse("test", script).unwrap();
    let contract = Some(contract.strict(true));
    Server::start(Config { script, contract, grpc: any, ..Config::default() }).unwrap()
}

fn shop(script: &str) -> Server {
    serve(script, Contract::parse("shop.toml", SHOP).unwrap())
}

/// Sends a request with these lines of headers and this body.
fn send(client: &mut Client, line: &str, headers: &str, body: &str) -> Answer {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    client.write(&format!("{line} HTTP/1.1\r\nHost: test\r\n{headers}{length}\r\n{body}"));
    client.answer().unwrap()
}

const JSON: &str = "Content-Type: application/json\r\n";
const GOOD: &str = "Authorization: Bearer good\r\nContent-Type: application/json; charset=utf-8\r\n";

fn record(server: &Server) -> ContractReport {
    server.truth().contract.unwrap()
}

/// The calls of a route, those refused, and how many answers had this status.
fn counted(record: &ContractReport, route: &str, status: u16) -> (u64, u64, u64) {
    let route = record.routes.iter().find(|one| one.route == route).unwrap();
    (route.calls, route.refused, route.statuses.get(&status).copied().unwrap_or(0))
}

fn parsed(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[test]
fn things_are_made_and_gone_over_one_connection() {
    let server = shop("");
    let client = &mut Client::to(&server);
    let made = send(client, "POST /things", GOOD, r#"{"name":"cup"}"#);
    assert_eq!((made.status, parsed(&made)), (201, json!({ "id": "thing-4", "name": "cup" })));
    assert!(made.head.contains("Content-Type: application/json\r\n"), "{}", made.head);
    assert_eq!(parsed(&client.get("/things?limit=2")).as_array().unwrap().len(), 2);
    assert_eq!(parsed(&client.get("/things/thing%2D4"))["name"], "cup");
    let gone = send(client, "DELETE /things/thing-4", GOOD, "");
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    assert!(!gone.head.contains("Content-Length"), "{}", gone.head);
    assert_eq!(client.get("/things/thing-4").status, 404);
    let record = record(&server);
    assert_eq!(counted(&record, "POST /things", 201), (1, 0, 1));
    assert_eq!(counted(&record, "GET /things/{id}", 404), (2, 0, 1));
    assert_eq!(
        (record.name.as_str(), record.strict, record.unknown, record.wrong.len()),
        ("shop", true, 0, 0)
    );
    let truth = server.truth();
    assert_eq!((truth.requests, truth.answered[&201], truth.answered[&204]), (5, 1, 1));
}

#[test]
fn a_body_in_chunks_and_one_that_waits_for_a_word_arrive_whole() {
    let server = shop("");
    let client = &mut Client::to(&server);
    client.write(&format!(
        "POST /things HTTP/1.1\r\nHost: test\r\n{GOOD}Transfer-Encoding: chunked\r\n\r\n8\r\n{{\"name\":\r\n6;x=y\r\n\"jug\"}}\r\n0\r\n\r\n"
    ));
    assert_eq!(parsed(&client.answer().unwrap())["name"], "jug");
    let body = r#"{"name":"pan"}"#;
    client.write(&format!(
        "POST /things HTTP/1.1\r\nHost: test\r\n{GOOD}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    assert!(client.head().unwrap().starts_with("HTTP/1.1 100 "));
    client.write(body);
    assert_eq!(parsed(&client.answer().unwrap())["name"], "pan");
    // The next request begins where the bodies ended.
    assert_eq!(client.get("/things").status, 200);
}

#[test]
fn each_kind_of_mistake_is_refused_and_said() {
    let server = shop("");
    let client = &mut Client::to(&server);
    for (line, headers, body, status, told) in [
        ("GET /thing", "", "", 404, "no path of this contract"),
        ("PATCH /things", "", "", 405, "expected the method GET, POST"),
        ("GET /things?page=1", "", "", 422, "query.page: expected one of limit, got this name"),
        ("GET /things?limit=11", "", "", 422, "query.limit: expected integer 1..10"),
        ("GET /things", "X-Odd: 1\r\n", "", 422, "headers.X-Odd: expected nothing"),
        ("GET /things", JSON, "{}", 422, "body: expected none"),
        ("POST /things", GOOD, "", 422, "body.name: expected string, got nothing"),
        ("POST /things", GOOD, "{\"name\":1}", 422, "body.name: expected string, got 1"),
        ("POST /things", GOOD, "{\"name\":\"a\",\"nome\":1}", 422, "body.nome: expected one of name"),
        ("POST /things", GOOD, "name=a", 422, "body: expected JSON"),
        ("POST /things", "Authorization: Bearer good\r\n", "{\"name\":\"a\"}", 422, "headers.Content-Type"),
        ("POST /things", GOOD, "{\"name\":\"{{name}}\"}", 422, "no template that was not filled"),
        ("GET /things/{{id}}", "", "", 422, "path: expected no template that was not filled"),
    ] {
        let answer = send(client, line, headers, body);
        let text = parsed(&answer)["contract"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, status, "{line}: {text}");
        assert!(text.starts_with(line.split('?').next().unwrap()) && text.contains(told), "{text}");
        if status == 405 {
            assert!(answer.head.contains("Allow: GET, POST\r\n"), "{}", answer.head);
        }
    }
    let record = record(&server);
    assert_eq!((record.unknown, record.wrong.len()), (2, 10));
    assert_eq!(counted(&record, "POST /things", 422), (6, 6, 6));
    assert_eq!(counted(&record, "GET /things", 422), (4, 4, 4));
}

#[test]
fn tokens_are_asked_for_and_handed_out() {
    let server = shop("");
    let client = &mut Client::to(&server);
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n{JSON}");
    let body = r#"{"name":"x"}"#;
    assert_eq!(send(client, "POST /things", JSON, body).status, 401);
    assert_eq!(send(client, "POST /things", &bearer("t-00000000"), body).status, 401);
    let login = send(client, "POST /login", JSON, r#"{"user":"ann"}"#);
    let token = parsed(&login)["token"].as_str().unwrap().to_owned();
    assert_eq!(send(client, "POST /things", &bearer(&token), body).status, 201);
    assert_eq!(counted(&record(&server), "POST /things", 401), (3, 0, 2));
    // After a reset nobody has been given a token, and nothing has been made.
    assert_eq!(client.post("/truth/reset").status, 200);
    assert_eq!(send(client, "POST /things", &bearer(&token), body).status, 401);
    assert_eq!(client.get("/things/thing-4").status, 404);
    assert_eq!(counted(&record(&server), "POST /things", 401), (1, 0, 1));
}

#[test]
fn redirects_and_limits_are_told_in_headers() {
    let server = shop("");
    let client = &mut Client::to(&server);
    let moved = client.get("/old");
    assert_eq!(moved.status, 307);
    assert!(moved.head.contains("Location: /things\r\n"), "{}", moved.head);
    for left in [1, 0] {
        let answer = client.get("/few");
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains(&format!("X-RateLimit-Remaining: {left}\r\n")), "{}", answer.head);
    }
    let over = client.get("/few");
    assert_eq!((over.status, parsed(&over)), (429, json!({ "error": "rate" })));
    assert!(over.head.contains("Retry-After: 3") && over.head.contains("X-RateLimit-Remaining: 0\r\n"));
    // Who shows a token is counted by it, not by the address.
    assert_eq!(send(client, "GET /few", "Authorization: Bearer me\r\n", "").status, 200);
}

#[test]
fn a_script_delays_and_breaks_what_the_contract_answers() {
    let server = shop(
        r#"
        [[rule]]
        path = "/things/thing-1"
        delay = "20ms"
        headers = { "x-slow" = "yes" }
        [[rule]]
        path = "/things/thing-2"
        fail = [{ every = 2, how = "status:503" }, { every = 3, how = "short" }]
        [[rule]]
        path = "/few"
        status = 418
        body = "a teapot"
        "#,
    );
    let client = &mut Client::to(&server);
    let begun = now_ns();
    let late = client.get("/things/thing-1");
    assert!(now_ns() - begun >= 20 * MS);
    assert_eq!((late.status, parsed(&late)["name"].clone()), (200, json!("thing 1")));
    assert!(late.head.contains("x-slow: yes\r\n"), "{}", late.head);
    let usual = client.get("/things/thing-2");
    assert_eq!(parsed(&usual)["name"], "thing 2");
    let broken = client.get("/things/thing-2");
    assert_eq!((broken.status, broken.body.as_str()), (503, "scripted failure"));
    let teapot = client.get("/few");
    assert_eq!((teapot.status, teapot.body.as_str()), (418, "a teapot"));
    client.write("GET /things/thing-2 HTTP/1.1\r\nHost: test\r\n\r\n");
    let cut = String::from_utf8(client.rest().unwrap()).unwrap();
    assert!(cut.contains(&format!("Content-Length: {}\r\n", usual.body.len())), "{cut}");
    assert!(cut.ends_with(&usual.body[..usual.body.len() / 2]), "{cut}");
    // What the script answered itself the contract has not seen.
    let record = record(&server);
    assert_eq!(counted(&record, "GET /things/{id}", 200), (3, 0, 3));
    assert_eq!(counted(&record, "GET /few", 418), (0, 0, 0));
}

#[test]
fn health_is_the_contracts_where_it_has_one() {
    let server = shop("");
    assert_eq!(Client::to(&server).get("/health").body, "ok\n");
    let server = serve("", Contract::named("nova-torch", false).unwrap());
    assert_eq!(parsed(&Client::to(&server).get("/health"))["version"], "0.2.0");
    assert_eq!(counted(&record(&server), "health", 200), (1, 0, 1));
}
