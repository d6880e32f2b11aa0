//! What a contract answers, asked without a socket.

use serde_json::{Value, json};

use crate::contract::{Contract, Request, Service};

const SHOP: &str = r#"
about = "a shop"
[auth]
accepts = ["good"]
answer = { error = "who are you?" }
absent = { status = 403, answer = { error = "a token, please" } }
[collections.things]
key = "id"
id = "{n}"
number = true
seeded = 25
item = { id = "{id}", name = "thing {n}", colour = "red", tags = ["a", "b"] }
seed = { shelf = "top" }
[collections.jobs]
key = "job"
id = "job-{hex}"
item = { job = "{id}", status = "pending" }
[[routes]]
request = "GET /things"
query = { "limit?" = "integer 1..100", "offset?" = "integer 0..", "page?" = "integer", "colour?" = "string", "id?" = "integer", "tags?" = "string" }
list = "things"
page = 10
answer = { data = "{items}", total = "{count}", limit = "{query.limit or 10}" }
[[routes]]
request = "GET /things/{id}"
read = "things"
[[routes]]
request = "GET /things/best"
answer = { best = "{n}" }
[[routes]]
request = "POST /things"
headers = { "X-Shop?" = "a|b" }
body = { name = "string 1..8", "colour?" = "red|green", "size?" = "integer" }
create = "things"
set = { shelf = "{path.shelf or \"new\"}" }
status = 201
headers_out = { Location = "/things/{id}" }
[[routes]]
name = "change"
request = ["PATCH /things/{id}", "PUT /things/{id}"]
body = "object"
update = "things"
set = { changed = true }
within = { shelf = "new" }
[[routes]]
request = "DELETE /things/{id}"
delete = "things"
status = 204
missing = { status = 410, answer = { gone = "{path.id}" } }
[[routes]]
request = "POST /jobs"
auth = true
create = "jobs"
status = 202
[[routes]]
request = "GET /jobs/{job}"
auth = true
read = "jobs"
progress = [{ looks = 2, set = { status = "running" } }, { looks = 3, set = { status = "done", result = { ok = true } } }]
[[routes]]
request = "POST /login"
body = { name = "ann", password = "string" }
issue = "tokens.access"
answer = { tokens = { access = "t-{hex}{hex}" }, user = "{body.name}" }
[[routes]]
name = "login of strangers"
request = "POST /login"
body = { name = "string", password = "string" }
status = 401
answer = { error = "no {body.name} here" }
[[routes]]
request = "POST /logout"
auth = true
revoke = true
status = 204
[[routes]]
request = "GET /old"
query = { "q?" = "string" }
redirect = "/new/"
[[routes]]
request = "GET /old/{name}"
redirect = "/new/{path.name}/"
[[routes]]
request = "GET /metrics"
text = "up {n}\n"
[[routes]]
request = "GET /few"
limit = { calls = 3, per = "10s", answer = { error = "slow down", wait = "{rate.retry_after}" }, headers = { Retry-After = "{rate.retry_after}" }, told = { X-Left = "{rate.remaining}" } }
[[routes]]
request = "GET /odd"
also = [{ status = 503, answer = { busy = true }, every = 3 }]
"#;

fn shop(strict: bool) -> Service {
    Service::new(Contract::parse("shop.toml", SHOP).unwrap().strict(strict), 7)
}

fn request(line: &str) -> Request {
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        peer: "127.0.0.1".to_owned(),
        ..Request::default()
    }
}

fn with_body(line: &str, body: &Value) -> Request {
    let json = ("content-type".to_owned(), "application/json".to_owned());
    Request { body: body.to_string().into_bytes(), headers: vec![json], ..request(line) }
}

fn with_token(line: &str, token: &str) -> Request {
    let header = ("Authorization".to_owned(), format!("Bearer {token}"));
    Request { headers: vec![header], ..request(line) }
}

/// Status and body of an answer, null where there is no body.
fn ask(service: &mut Service, request: &Request) -> (u16, Value) {
    let reply = service.answer(request);
    let body = if reply.body.is_empty() { Value::Null } else { serde_json::from_slice(&reply.body).unwrap() };
    (reply.status, body)
}

fn header(service: &mut Service, request: &Request, name: &str) -> Option<String> {
    let reply = service.answer(request);
    reply.headers.into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

#[test]
fn things_are_made_read_changed_and_deleted() {
    let mut shop = shop(true);
    let (status, made) = ask(&mut shop, &with_body("POST /things", &json!({ "name": "cup", "size": 3 })));
    assert_eq!(status, 201);
    assert_eq!(
        made,
        json!({ "id": 26, "name": "cup", "colour": "red", "tags": ["a", "b"], "size": 3, "shelf": "new" })
    );
    assert_eq!(ask(&mut shop, &request("GET /things/26")), (200, made));
    let (status, changed) = ask(&mut shop, &with_body("PATCH /things/26", &json!({ "size": 4, "id": 1 })));
    assert_eq!(
        (status, &changed["size"], &changed["id"], &changed["changed"]),
        (200, &json!(4), &json!(26), &json!(true))
    );
    // The seeded ones stand on another shelf.
    assert_eq!(ask(&mut shop, &with_body("PUT /things/1", &json!({}))).0, 404);
    assert_eq!(ask(&mut shop, &request("DELETE /things/26")), (204, Value::Null));
    assert_eq!(ask(&mut shop, &request("GET /things/26")), (404, json!({ "error": "not found" })));
    assert_eq!(ask(&mut shop, &request("DELETE /things/26")), (410, json!({ "gone": "26" })));
    let next = with_body("POST /things", &json!({ "name": "pot" }));
    assert_eq!(header(&mut shop, &next, "Location").unwrap(), "/things/27");
}

#[test]
fn lists_come_in_pages_and_are_chosen_from_by_the_query() {
    let mut shop = shop(true);
    let mut ids = |target: &str| {
        let (status, body) = ask(&mut shop, &request(target));
        assert_eq!(status, 200, "{body}");
        let ids: Vec<_> =
            body["data"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()).collect();
        (ids, body["total"].as_u64().unwrap(), body["limit"].clone())
    };
    assert_eq!(ids("GET /things"), ((1..=10).collect(), 25, json!(10)));
    assert_eq!(ids("GET /things?limit=3&offset=23"), (vec![24, 25], 25, json!(3)));
    assert_eq!(ids("GET /things?page=3"), ((21..=25).collect(), 25, json!(10)));
    assert_eq!(ids("GET /things?id=7&colour=r%65d"), (vec![7], 1, json!(10)));
    assert_eq!(ids("GET /things?tags=b&limit=1"), (vec![1], 25, json!(1)));
    assert_eq!(ids("GET /things?colour=green"), (vec![], 0, json!(10)));
}

#[test]
fn the_more_exact_path_wins() {
    let mut shop = shop(true);
    assert_eq!(ask(&mut shop, &request("GET /things/best")), (200, json!({ "best": 1 })));
    assert_eq!(ask(&mut shop, &request("GET /things/best")), (200, json!({ "best": 2 })));
    assert_eq!(ask(&mut shop, &request("GET /things/2")).1["name"], "thing 2");
    let reply = shop.answer(&request("GET /metrics"));
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"up 1\n"[..]));
    assert_eq!(reply.headers, [("Content-Type".to_owned(), "text/plain".to_owned())]);
}

#[test]
fn what_was_not_agreed_is_refused_and_told() {
    let post = |body: Value| with_body("POST /things", &body);
    let bare = |body: &str| Request { body: body.as_bytes().to_vec(), ..post(json!(null)) };
    let odd = |name: &str, value: &str| {
        let mut request = post(json!({ "name": "x" }));
        request.headers.push((name.to_owned(), value.to_owned()));
        request
    };
    let untyped = Request { headers: Vec::new(), ..post(json!({ "name": "x" })) };
    for (request, status, told) in [
        (request("GET /thingz"), 404, "GET /thingz: no path of this contract"),
        (request("PUT /things"), 405, "PUT /things: expected the method GET, POST"),
        (
            request("GET /things?limt=5"),
            422,
            "GET /things: query.limt: expected one of colour, id, limit, offset",
        ),
        (request("GET /things?limit=0"), 422, "query.limit: expected integer 1..100, got \"0\""),
        (request("GET /things?limit=five"), 422, "query.limit: expected integer 1..100, got \"five\""),
        (request("GET /things/best?x"), 422, "query.x: expected nothing, got this name"),
        (request("GET /things/%7B%7Bid}}"), 422, "path: expected no template that was not filled"),
        (with_body("GET /things", &json!({})), 422, "body: expected none, got one"),
        (request("POST /things"), 422, "body.name: expected string 1..8, got nothing"),
        (post(json!({ "name": "" })), 422, "body.name: expected string 1..8, got \"\""),
        (post(json!({ "name": "x", "color": 1 })), 422, "body.color: expected one of colour, name, size"),
        (
            post(json!({ "name": "x", "colour": "blue" })),
            422,
            "body.colour: expected red|green, got \"blue\"",
        ),
        (post(json!({ "name": "x", "size": 1.5 })), 422, "body.size: expected integer, got 1.5"),
        (post(json!([1])), 422, "body: expected object, got [1]"),
        (bare("{"), 422, "body: expected JSON, got EOF"),
        (post(json!({ "name": "{{name}}" })), 422, "body: expected no template that was not filled"),
        (odd("X-Shop", "c"), 422, "headers.X-Shop: expected a|b, got \"c\""),
        (odd("X-Shopp", "a"), 422, "headers.X-Shopp: expected one of X-Shop, got this name"),
        (untyped, 422, "headers.Content-Type: expected application/json, got none"),
    ] {
        let mut shop = shop(true);
        let (found, body) = ask(&mut shop, &request);
        let text = body["contract"].as_str().unwrap();
        assert_eq!(found, status, "{text}");
        assert!(text.contains(told), "expected {told:?}\n     got {text:?}");
        assert_eq!(shop.report.wrong, [text]);
        let refused: u64 = shop.report.routes.iter().map(|route| route.refused).sum();
        assert_eq!((shop.report.unknown, refused), if status == 422 { (0, 1) } else { (1, 0) });
    }
}

#[test]
fn without_strictness_unknown_names_pass_and_ill_shaped_values_do_not() {
    let mut shop = shop(false);
    assert_eq!(ask(&mut shop, &request("GET /things?limt=5")).0, 200);
    let extra = with_body("POST /things", &json!({ "name": "x", "colour": "red", "more": 1 }));
    assert_eq!(ask(&mut shop, &extra).0, 201);
    let (status, body) = ask(&mut shop, &with_body("POST /things", &json!({ "colour": "red" })));
    assert_eq!((status, body), (422, json!({ "error": "body.name: expected string 1..8, got nothing" })));
    assert_eq!(ask(&mut shop, &request("GET /nothing")), (404, json!({ "error": "not found" })));
    assert_eq!(shop.report.unknown, 1);
}

#[test]
fn a_token_is_good_from_the_start_or_from_a_login_until_the_logout() {
    let mut shop = shop(true);
    assert_eq!(ask(&mut shop, &request("POST /jobs")), (403, json!({ "error": "a token, please" })));
    assert_eq!(ask(&mut shop, &with_token("POST /jobs", "bad")), (401, json!({ "error": "who are you?" })));
    assert_eq!(ask(&mut shop, &with_token("POST /jobs", "good")).0, 202);
    let login = |name: &str| with_body("POST /login", &json!({ "name": name, "password": "x" }));
    assert_eq!(ask(&mut shop, &login("bob")), (401, json!({ "error": "no bob here" })));
    let (status, body) = ask(&mut shop, &login("ann"));
    assert_eq!((status, &body["user"]), (200, &json!("ann")));
    let token = body["tokens"]["access"].as_str().unwrap().to_owned();
    assert_eq!(ask(&mut shop, &with_token("POST /jobs", &token)).0, 202);
    assert_eq!(ask(&mut shop, &with_token("POST /logout", &token)), (204, Value::Null));
    assert_eq!(ask(&mut shop, &with_token("POST /jobs", &token)).0, 401);
    let again = ask(&mut shop, &login("ann")).1;
    assert_ne!(again["tokens"]["access"], token);
    shop.reset();
    let handed_out = again["tokens"]["access"].as_str().unwrap();
    assert_eq!(ask(&mut shop, &with_token("POST /jobs", handed_out)).0, 401);
}

#[test]
fn a_job_goes_on_with_each_look() {
    let mut shop = shop(true);
    let job = ask(&mut shop, &with_token("POST /jobs", "good")).1["job"].as_str().unwrap().to_owned();
    let other = ask(&mut shop, &with_token("POST /jobs", "good")).1["job"].as_str().unwrap().to_owned();
    let mut look = |job: &str| ask(&mut shop, &with_token(&format!("GET /jobs/{job}"), "good")).1;
    assert_eq!(look(&job)["status"], "pending");
    assert_eq!(look(&job)["status"], "running");
    assert_eq!(look(&other)["status"], "pending");
    assert_eq!(look(&job), json!({ "job": job, "status": "done", "result": { "ok": true } }));
    assert_eq!(look(&job)["status"], "done");
}

#[test]
fn a_redirect_keeps_the_query() {
    let mut shop = shop(true);
    assert_eq!(header(&mut shop, &request("GET /old?q=1"), "Location").unwrap(), "/new/?q=1");
    // What a path brings does not end the header's line.
    let odd = request("GET /old/a%20b%0D%0ASet-Cookie:%25x");
    assert_eq!(header(&mut shop, &odd, "Location").unwrap(), "/new/a%20b%0D%0ASet-Cookie:%25x/");
    let reply = shop.answer(&request("GET /old"));
    assert_eq!((reply.status, reply.body.len()), (307, 0));
    assert_eq!(
        shop.report.routes.iter().find(|route| route.route == "GET /old").unwrap().statuses,
        [(307, 2)].into()
    );
}

#[test]
fn a_limit_holds_for_each_caller_and_slides() {
    let mut shop = shop(true);
    let second = 1_000_000_000;
    let from = |peer: &str, at_ns| Request { peer: peer.to_owned(), at_ns, ..request("GET /few") };
    for (at, left) in [(0, "2"), (4 * second, "1"), (8 * second, "0")] {
        assert_eq!(header(&mut shop, &from("a", at), "X-Left").unwrap(), left);
    }
    let over = from("a", 9 * second);
    assert_eq!(ask(&mut shop, &over), (429, json!({ "error": "slow down", "wait": 1 })));
    assert_eq!(header(&mut shop, &over, "Retry-After").unwrap(), "1");
    assert_eq!(ask(&mut shop, &from("b", 9 * second)).0, 200);
    let token = Request { at_ns: 9 * second, ..with_token("GET /few", "good") };
    assert_eq!(ask(&mut shop, &token).0, 200);
    let free = Contract::parse("shop.toml", SHOP).unwrap().limited(false);
    let mut free = Service::new(free, 7);
    assert!((0..9).all(|_| ask(&mut free, &from("a", 0)).0 == 200));
    // The first call has left the window, the second one has not.
    assert_eq!(ask(&mut shop, &from("a", 10 * second)).0, 200);
    assert_eq!(ask(&mut shop, &from("a", 11 * second)).0, 429);
}

#[test]
fn rare_answers_come_as_often_as_agreed() {
    let mut shop = shop(true);
    let statuses: Vec<_> = (0..7).map(|_| ask(&mut shop, &request("GET /odd")).0).collect();
    assert_eq!(statuses, [200, 200, 503, 200, 200, 503, 200]);
}

#[test]
fn the_record_counts_calls_by_route_and_a_reset_starts_over() {
    let mut shop = shop(true);
    ask(&mut shop, &with_body("POST /things", &json!({ "name": "x" })));
    ask(&mut shop, &with_body("POST /things", &json!({})));
    ask(&mut shop, &request("GET /nowhere"));
    let posts = shop.report.routes.iter().find(|route| route.route == "POST /things").unwrap();
    assert_eq!((posts.calls, posts.refused, &posts.statuses), (2, 1, &[(201, 1), (422, 1)].into()));
    assert_eq!((shop.report.unknown, shop.report.wrong.len(), shop.report.strict), (1, 2, true));
    shop.reset();
    assert!(shop.report.routes.iter().all(|route| route.calls == 0 && route.statuses.is_empty()));
    assert_eq!((shop.report.routes.len(), shop.report.unknown, shop.report.wrong.len()), (16, 0, 0));
    assert_eq!(ask(&mut shop, &request("GET /things/26")).0, 404);
}

#[test]
fn a_collection_forgets_the_oldest_that_was_made() {
    let text = SHOP.replace("seeded = 25", "seeded = 2\nmost = 4");
    let mut shop = Service::new(Contract::parse("shop.toml", &text).unwrap(), 1);
    for _ in 0..3 {
        ask(&mut shop, &with_body("POST /things", &json!({ "name": "x" })));
    }
    let there: Vec<_> = (1..=5).map(|id| ask(&mut shop, &request(&format!("GET /things/{id}"))).0).collect();
    assert_eq!(there, [200, 200, 404, 200, 200]);
}

#[test]
fn mistakes_of_a_contract_are_told_with_their_line() {
    for (text, told) in [
        ("about = 1", "c.toml:1: "),
        ("about = \"\"\n[[routes]]\nrequest = \"/x\"\n", "c.toml:3: \"/x\": expected a method and a path"),
        ("about = \"\"\n[[routes]]\nrequest = \"GET /x\"\nanswr = 1\n", "unknown field `answr`"),
        ("about = \"\"\n[[routes]]\nrequest = \"GET /x\"\nanswer = \"{nme}\"\n", "{nme} is no placeholder"),
        ("about = \"\"\n[[routes]]\nrequest = \"GET /x\"\nauth = true\n", "expected [auth]"),
        ("about = \"\"\n[[routes]]\nrequest = \"GET /x\"\nlist = \"xs\"\n", "there is no collection \"xs\""),
        ("about = \"\"\n[[routes]]\nrequest = \"GET /x\"\nread = \"xs\"\n", "expected a segment like {id}"),
        ("about = \"\"\n[[routes]]\nrequest = \"GET /x\"\nbody = \"string 9..1\"\n", "\"9..1\" is no range"),
        (
            "about = \"\"\n[[routes]]\nrequest = \"GET /x\"\n[[routes]]\nrequest = \"GET /x\"\n",
            "two routes are called \"GET /x\"",
        ),
    ] {
        let error = Contract::parse("c.toml", text).unwrap_err().to_string();
        assert!(error.starts_with("c.toml:") && error.contains(told), "{text}\n{error}");
    }
    let unknown = Contract::named("shop", false).unwrap_err().to_string();
    assert!(
        unknown.contains("expected one of novacron, nova-torch, aragora, platform, megaagent"),
        "{unknown}"
    );
}
