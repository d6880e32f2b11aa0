//! What a WebSocket client meets in the name of a contract, and what the record says of it.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use target_server::{Config, Contract, ContractReport, Script, Server};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::client::{Client, eventually};

type Socket = WebSocketStream<TcpStream>;

const CONTRACT: &str = r#"
about = "of a test"
[auth]
accepts = ["good"]
[collections.rooms]
key = "id"
id = "room-{n}"
seeded = 2
item = { id = "{id}" }
[[routes]]
request = "POST /rooms"
create = "rooms"
body = {}

[[sockets]]
path = ["/live", "/ws/live"]
query = { token = "string", "from?" = "integer 1..9" }
auth = "query token"
greeting = [{ type = "hello", client = "{client}", from = "{query.from or 0}" }]
[[sockets.messages]]
name = "subscribe"
when = { action = "subscribe" }
body = { action = "subscribe", channel = "a|b" }
reply = [{ type = "subscribed", channel = "{body.channel}", seq = "{seq}" }]
subscribes = "{body.channel}"
[[sockets.messages]]
name = "unsubscribe"
when = { action = "unsubscribe" }
unsubscribes = "{body.channel}"
[[sockets.messages]]
name = "watch"
when = { "job.kind" = "long" }
reply = [{ type = "started" }, { type = "half", _after = "20ms" }]
events = [
  { after = "20ms", name = "most", frame = { type = "progress", of = "{body.job.id}" } },
  { after = "20ms", frame = { type = "done", of = "{body.job.id}" } },
]
[[sockets.messages]]
name = "bye"
when = { action = "bye" }
reply = [{ type = "bye" }]
close = 4000
[[sockets.pushes]]
name = "news of a"
channel = "a"
every = "20ms"
frame = { type = "news", n = "{seq}" }

[[sockets]]
path = "/rooms/{id}"
known = { rooms = "{path.id}" }
[[sockets.messages]]
name = "join"
body = { room = "string" }
known = { rooms = "{body.room}" }
unknown = [{ type = "error", message = "no room {body.room}" }]
reply = [{ type = "joined" }]

[[sockets]]
path = "/closed"
auth = "header"
refuse = { close = 4001 }

[[sockets]]
path = "/login"
auth = "first message token"
refuse = { close = 4003 }
[[sockets.messages]]
name = "login"
when = { type = "login" }
reply = [{ type = "welcome" }]
"#;

fn start(strict: bool, script: &str) -> Server {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), CONTRACT).unwrap();
    let contract = Some(Contract::load(file.path()).unwrap().strict(strict));
    let ws = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let script = Script::parse("test", script).unwrap();
    Server::start(Config { ws, script, contract, ..Config::default() }).unwrap()
}

fn with<F: Future<Output = ()>>(strict: bool, script: &str, test: impl FnOnce(Server) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let server = start(strict, script);
    runtime.block_on(test(server));
}

async fn open(server: &Server, path: &str, token: Option<&str>) -> Result<Socket, Error> {
    let address = server.ws_addr().unwrap();
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    if let Some(token) = token {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let tcp = TcpStream::connect(address).await.unwrap();
    client_async(request, tcp).await.map(|(socket, _)| socket)
}

async fn live(server: &Server) -> Socket {
    let mut socket = open(server, "/live?token=good", None).await.unwrap();
    assert_eq!(hear(&mut socket).await["type"], "hello");
    socket
}

/// The status and the body of an upgrade that is refused.
async fn refusal(server: &Server, path: &str) -> (u16, String) {
    match open(server, path, None).await {
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8(body).unwrap())
        }
        other => panic!("{path}: {other:?}"),
    }
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

async fn hear(socket: &mut Socket) -> Value {
    match socket.next().await.unwrap().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap_or_else(|_| text.as_str().into()),
        other => panic!("{other:?}"),
    }
}

/// The code with which the server closes.
async fn closed(socket: &mut Socket) -> u16 {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Close(frame) => return frame.unwrap().code.into(),
            Message::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn truth(server: &Server) -> ContractReport {
    server.truth().contract.unwrap()
}

fn received(report: &ContractReport, message: &str) -> u64 {
    report.messages.iter().find(|one| one.message == message).unwrap().received
}

fn sent(report: &ContractReport, event: &str) -> u64 {
    report.events.iter().find(|one| one.event == event).map_or(0, |one| one.sent)
}

#[test]
fn messages_are_answered_and_frames_come_by_themselves() {
    with(true, "", |server| async move {
        let mut socket = open(&server, "/ws/live?token=good&from=7", None).await.unwrap();
        let hello = hear(&mut socket).await;
        assert_eq!((&hello["from"], hello["client"].as_str().unwrap().len()), (&json!(7), 8));
        say(&mut socket, json!({ "job": { "kind": "long", "id": 9 } })).await;
        let mut kinds = Vec::new();
        for _ in 0..4 {
            let frame = hear(&mut socket).await;
            assert!(frame["type"] == "started" || frame["type"] == "half" || frame["of"] == 9, "{frame}");
            kinds.push(frame["type"].as_str().unwrap().to_owned());
        }
        assert_eq!(kinds, ["started", "half", "progress", "done"]);
        say(&mut socket, json!({ "action": "subscribe", "channel": "a" })).await;
        assert_eq!(hear(&mut socket).await, json!({ "type": "subscribed", "channel": "a", "seq": 6 }));
        for n in 7..10 {
            assert_eq!(hear(&mut socket).await, json!({ "type": "news", "n": n }));
        }
        say(&mut socket, json!({ "action": "unsubscribe", "channel": "a" })).await;
        say(&mut socket, json!({ "action": "bye" })).await;
        assert_eq!(closed(&mut socket).await, 4000);
        let report = truth(&server);
        assert_eq!(
            ["subscribe", "unsubscribe", "watch", "bye"].map(|name| received(&report, name)),
            [1, 1, 1, 1],
            "{report:?}"
        );
        let events = ["hello", "started", "half", "most", "done", "subscribed", "bye"];
        assert_eq!(events.map(|name| sent(&report, name)), [1; 7], "{report:?}");
        assert!(sent(&report, "news of a") >= 3, "{report:?}");
        let live = &report.sockets[0];
        assert_eq!((live.socket.as_str(), live.opened, live.refused), ("/live", 1, 0));
        assert_eq!((report.unknown, report.wrong.len()), (0, 0));
        // The same over HTTP, and nothing of it after a reset.
        let told = Client::connect(server.http_addr().unwrap()).get("/truth").body;
        assert!(told.contains("news of a"), "{told}");
        server.reset();
        let report = truth(&server);
        assert_eq!((received(&report, "bye"), report.sockets[0].opened, report.events.len()), (0, 0, 0));
    });
}

#[test]
fn what_the_contract_does_not_know_is_refused_and_told() {
    with(true, "", |server| async move {
        for (path, status, why) in [
            ("/nowhere", 404, "expected one of the contract's sockets"),
            ("/live", 422, "query.token: expected string, got nothing"),
            ("/live?token=good&from=12", 422, "query.from: expected integer 1..9"),
            ("/live?token=good&to=1", 422, "query.to"),
            ("/live?token=bad", 401, "token: expected a good one"),
        ] {
            let (found, body) = refusal(&server, path).await;
            assert!(found == status && body.contains(why), "{path}: {found} {body}");
        }
        for (message, why) in [
            ("no JSON", "expected JSON, got no JSON"),
            ("{\"action\":\"dance\"}", "expected one of the contract"),
            ("{\"action\":\"subscribe\",\"channel\":\"c\"}", "message subscribe.channel: expected a|b"),
            ("{\"action\":\"subscribe\",\"channel\":\"a\",\"x\":1}", "message subscribe.x"),
        ] {
            let mut socket = live(&server).await;
            socket.send(Message::text(message)).await.unwrap();
            assert_eq!(closed(&mut socket).await, 1008, "{message}");
            let report = truth(&server);
            assert!(report.wrong.iter().any(|wrong| wrong.contains(why)), "{message}: {report:?}");
        }
        let mut socket = live(&server).await;
        socket.send(Message::binary(vec![1])).await.unwrap();
        assert_eq!(closed(&mut socket).await, 1008);
        let report = truth(&server);
        // A path, five messages; the four other upgrades are of a socket that is known.
        assert_eq!((report.unknown, report.sockets[0].refused, report.wrong.len()), (6, 4, 10), "{report:?}");
        assert_eq!(server.ws_truth().refused, [(401, 1), (404, 1), (422, 3)].into());
    });
    // Whoever is not strict lets pass what he does not know.
    with(false, "", |server| async move {
        let mut socket = open(&server, "/live?token=good&to=1", None).await.unwrap();
        say(&mut socket, json!({ "action": "dance" })).await;
        say(&mut socket, json!({ "action": "subscribe", "channel": "b", "x": 1 })).await;
        assert_eq!(hear(&mut socket).await["type"], "hello");
        assert_eq!(hear(&mut socket).await["type"], "subscribed");
        assert_eq!(refusal(&server, "/nowhere").await.0, 404);
    });
}

#[test]
fn who_may_come_in_and_what_there_is_decides_the_contract() {
    with(true, "", |server| async move {
        let mut socket = open(&server, "/closed", Some("bad")).await.unwrap();
        assert_eq!(closed(&mut socket).await, 4001);
        assert!(open(&server, "/closed", Some("good")).await.is_ok());
        for (token, expected) in [("bad", None), ("good", Some("welcome"))] {
            let mut socket = open(&server, "/login", None).await.unwrap();
            say(&mut socket, json!({ "type": "login", "token": token })).await;
            match expected {
                Some(kind) => assert_eq!(hear(&mut socket).await["type"], kind),
                None => assert_eq!(closed(&mut socket).await, 4003),
            }
        }
        let mut socket = open(&server, "/rooms/room-9", None).await.unwrap();
        assert_eq!(closed(&mut socket).await, 4404);
        // What a request makes, a socket knows.
        let mut client = Client::connect(server.http_addr().unwrap());
        let made = "POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        client.write(made);
        assert_eq!(client.answer().unwrap().status, 200);
        let mut socket = open(&server, "/rooms/room-3", None).await.unwrap();
        say(&mut socket, json!({ "room": "room-4" })).await;
        assert_eq!(hear(&mut socket).await, json!({ "type": "error", "message": "no room room-4" }));
        say(&mut socket, json!({ "room": "room-3" })).await;
        assert_eq!(hear(&mut socket).await["type"], "joined");
    });
}

#[test]
fn a_script_breaks_what_the_contract_says() {
    // A stream that stalls: replies come, events and pushes do not.
    with(true, "[ws]\nfail = { how = \"lose_push\" }\n", |server| async move {
        let mut socket = live(&server).await;
        say(&mut socket, json!({ "job": { "kind": "long", "id": 1 } })).await;
        assert_eq!(hear(&mut socket).await["type"], "started");
        say(&mut socket, json!({ "action": "subscribe", "channel": "a" })).await;
        assert_eq!(hear(&mut socket).await["type"], "subscribed");
        eventually("what does not come", || Some(()).filter(|()| server.ws_truth().lost.push >= 6));
        say(&mut socket, json!({ "action": "bye" })).await;
        assert_eq!(hear(&mut socket).await["type"], "bye");
        assert_eq!(closed(&mut socket).await, 4000);
        let report = truth(&server);
        assert_eq!(["half", "done", "news of a"].map(|name| sent(&report, name)), [0, 0, 0], "{report:?}");
    });
    let faults = "[ws]\ndelay = \"50ms\"\nfail = [{ every = 2, how = \"duplicate\" }, { every = 3, how = \"wrong\" }]\n";
    with(true, faults, |server| async move {
        let mut socket = live(&server).await;
        let begun = target_server::now_ns();
        for _ in 0..4 {
            say(&mut socket, json!({ "action": "subscribe", "channel": "b" })).await;
        }
        let mut frames = Vec::new();
        for _ in 0..6 {
            frames.push(hear(&mut socket).await);
            assert!(target_server::now_ns() - begun > 50_000_000);
        }
        let wrong = frames.iter().filter(|frame| frame.is_string()).count();
        assert_eq!((wrong, frames[1] == frames[2]), (1, true), "{frames:?}");
    });
    with(true, "[ws]\nfail = { every = 2, how = \"refuse:503\" }\n", |server| async move {
        live(&server).await;
        assert_eq!(refusal(&server, "/live?token=good").await.0, 503);
        assert_eq!(truth(&server).sockets[0].opened, 1);
    });
}
