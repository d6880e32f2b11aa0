//! What a WebSocket client sees, and what the record says of it.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use target_server::{Config, Script, Server, WsMessages, WsReport, now_ns};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::CloseFrame},
};

use crate::client::{Client, MS, eventually};

type Socket = WebSocketStream<TcpStream>;

fn start(script: &str) -> Server {
    let ws = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let script = Script::parse("test", script).unwrap();
    Server::start(Config { ws, script, ..Config::default() }).unwrap()
}

/// Runs a test against a server.
fn with<F: Future<Output = ()>>(script: &str, test: impl FnOnce(Server) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        test(start(script)).await;
    });
}

async fn try_connect(server: &Server, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let address = server.ws_addr().unwrap();
    let mut request = format!("ws://{address}/x").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let tcp = TcpStream::connect(address).await.unwrap();
    client_async(request, tcp).await.map(|(socket, _)| socket)
}

async fn connect(server: &Server) -> Socket {
    try_connect(server, &[]).await.unwrap()
}

async fn say(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

async fn hear(socket: &mut Socket) -> Message {
    socket.next().await.unwrap().unwrap()
}

/// The record, once all connections are closed.
fn settled(server: &Server) -> WsReport {
    eventually("the end of the connections", || Some(server.ws_truth()).filter(|truth| truth.open == 0))
}

#[test]
fn messages_come_back_and_are_counted() {
    with("", |server| async move {
        let mut socket = connect(&server).await;
        say(&mut socket, "a").await;
        assert_eq!(hear(&mut socket).await, Message::text("a"));
        socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
        assert_eq!(hear(&mut socket).await, Message::binary(vec![1, 2, 3]));
        socket.send(Message::Ping("hi".into())).await.unwrap();
        assert_eq!(hear(&mut socket).await, Message::Pong("hi".into()));
        let frame = CloseFrame { code: 1000.into(), reason: "".into() };
        socket.close(Some(frame)).await.unwrap();
        assert!(
            matches!(hear(&mut socket).await, Message::Close(Some(frame)) if u16::from(frame.code) == 1000)
        );
        let truth = settled(&server);
        let expected = WsReport {
            opened: 1,
            peak: 1,
            closed: [(1000, 1)].into(),
            received: WsMessages { echo: 2, ping: 1, ..WsMessages::default() },
            sent: WsMessages { echo: 2, pong: 1, ..WsMessages::default() },
            bytes_in: 6,
            bytes_out: 6,
            ..WsReport::default()
        };
        assert_eq!(truth, expected);
        // The same over HTTP; a server without the listener says nothing of it.
        let told = Client::connect(server.http_addr().unwrap()).get("/truth").body;
        let told: target_server::Report = serde_json::from_str(&told).unwrap();
        assert_eq!((told.ws, told.requests), (Some(expected), 0));
        assert_eq!(Server::start(Config::default()).unwrap().truth().ws, None);
        server.reset();
        assert_eq!(server.ws_truth(), WsReport::default());
    });
}

#[test]
fn a_broadcast_goes_to_all_others() {
    with("", |server| async move {
        let mut sockets = Vec::new();
        for _ in 0..5 {
            sockets.push(connect(&server).await);
        }
        let text = "{\"n\":1, \"type\": \"broadcast\"}";
        say(&mut sockets[0], text).await;
        for socket in &mut sockets[1..] {
            assert_eq!(hear(socket).await, Message::text(text));
        }
        // Nothing came back to the sender: the next it hears is its echo.
        say(&mut sockets[0], "not a broadcast").await;
        assert_eq!(hear(&mut sockets[0]).await, Message::text("not a broadcast"));
        let truth = server.ws_truth();
        assert_eq!((truth.received.broadcast, truth.sent.broadcast, truth.open), (1, 4, 5));
    });
}

#[test]
fn pushes_have_numbers_and_the_time() {
    let script = "[ws]\npush_rate = 200\nfail = [{ every = 4, how = \"lose_push\" }, { every = 6, how = \"duplicate_push\" }]\n";
    with(script, |server| async move {
        let wall = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() * 1e3;
        let (begun, begun_ms) = (now_ns(), wall());
        let mut socket = connect(&server).await;
        let mut numbers = Vec::new();
        for _ in 0..8 {
            let text = hear(&mut socket).await.into_text().unwrap();
            let push: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(push["type"], "push");
            let stamp = push["timestamp"].as_f64().unwrap();
            // Stamped in microseconds.
            assert!(stamp >= begun_ms - 0.002 && stamp <= wall(), "{stamp}");
            numbers.push(push["seq"].as_u64().unwrap());
        }
        assert_eq!(numbers, [0, 1, 2, 4, 5, 5, 6, 8]);
        // Number 8 is the ninth.
        assert!(now_ns() - begun >= 45 * MS);
        let truth = server.ws_truth();
        assert!(truth.sent.push >= 8 && truth.lost.push >= 2 && truth.duplicated.push >= 1, "{truth:?}");
    });
}

#[test]
fn an_echo_waits_and_pings_are_sent_meanwhile() {
    with("[ws]\ndelay = \"60ms\"\nping_every = \"20ms\"\n", |server| async move {
        let mut socket = connect(&server).await;
        let begun = now_ns();
        say(&mut socket, "a").await;
        say(&mut socket, "b").await;
        let (mut echoes, mut pings) = (Vec::new(), 0);
        while echoes.len() < 2 {
            match hear(&mut socket).await {
                Message::Ping(_) => pings += 1,
                message => echoes.push(message),
            }
        }
        assert_eq!(echoes, [Message::text("a"), Message::text("b")]);
        assert!(now_ns() - begun >= 60 * MS && pings >= 1);
        eventually("a pong", || (server.ws_truth().received.pong > 0).then_some(()));
    });
}

#[test]
fn upgrades_are_refused_as_scripted() {
    with("[ws]\ntoken = \"t\"\nfail = { every = 2, how = \"refuse:503\" }\n", |server| async move {
        let good = ("authorization", "Bearer t");
        let status = |result: Result<Socket, Error>| match result {
            Ok(_) => 101,
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(status(try_connect(&server, &[good]).await), 101);
        assert_eq!(status(try_connect(&server, &[good]).await), 503);
        assert_eq!(status(try_connect(&server, &[("authorization", "Bearer x")]).await), 401);
        let mut client = Client::connect(server.ws_addr().unwrap());
        client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(client.rest().is_ok());
        let truth = settled(&server);
        assert_eq!((truth.opened, truth.refused, truth.bad_upgrades), (1, [(401, 1), (503, 1)].into(), 1));
    });
}

#[test]
fn the_first_subprotocol_is_taken() {
    with("", |server| async move {
        assert!(try_connect(&server, &[("sec-websocket-protocol", "a, b")]).await.is_ok());
    });
}

#[test]
fn connections_go_wrong_as_scripted() {
    for (how, code) in [("close:1011", 1011), ("reset", 1006), ("hangup", 1006), ("malformed", 1006)] {
        let script = format!("[ws]\nfail = {{ every = 2, how = \"{how}\" }}\n");
        with(&script, |server| async move {
            let mut socket = connect(&server).await;
            say(&mut socket, "a").await;
            assert_eq!(hear(&mut socket).await, Message::text("a"));
            say(&mut socket, "b").await;
            let seen = match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => format!("close:{}", u16::from(frame.code)),
                Some(Err(Error::Io(error))) => format!("{:?}", error.kind()),
                Some(Err(Error::Protocol(error))) => format!("{error:?}"),
                other => panic!("{other:?}"),
            };
            let expected = match how {
                "reset" => "ConnectionReset",
                "hangup" => "ResetWithoutClosingHandshake",
                "malformed" => "InvalidOpcode(11)",
                close => close,
            };
            assert_eq!(seen, expected);
            drop(socket);
            assert_eq!(settled(&server).closed, [(code, 1)].into());
        });
    }
}

#[test]
fn answers_go_wrong_as_scripted() {
    let script = "[ws]\nfail = [{ every = 4, how = \"never\" }, { every = 3, how = \"wrong\" }, { every = 2, how = \"duplicate\" }]\n";
    with(script, |server| async move {
        let mut socket = connect(&server).await;
        for text in ["a", "b", "c", "d", "e"] {
            say(&mut socket, text).await;
        }
        for expected in ["a", "b", "b", "not what was sent", "e"] {
            assert_eq!(hear(&mut socket).await, Message::text(expected));
        }
        let truth = server.ws_truth();
        assert_eq!((truth.received.echo, truth.sent.echo, truth.lost.echo), (5, 5, 1));
        assert_eq!((truth.duplicated.echo, truth.wrong), (1, 1));
    });
}
