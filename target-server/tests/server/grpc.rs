//! What a gRPC client sees, and what the record says of it. The client is h2 with bytes written by hand.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use target_server::{Config, Contract, GrpcReport, Script, Server, now_ns};

use crate::client::{Client, MS};

const REGISTER: &str = "/nova_torch.NovaOrchestrator/RegisterAgent";
const CHECK: &str = "/grpc.health.v1.Health/Check";
/// `RegisterAgentRequest { agent_id: "a1" }` with its prefix.
const AGENT: &[u8] = b"\0\0\0\0\x04\x0a\x02a1";

/// What a call brought.
struct Answer {
    message: Vec<u8>,
    status: Option<String>,
}

fn start(script: &str) -> Server {
    let script = Script::parse("test", script).unwrap();
    Server::start(Config { script, ..config() }).unwrap()
}

fn config() -> Config {
    Config { grpc: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..Config::default() }
}

/// Runs a test against a server.
fn with<F: Future<Output = ()>>(script: &str, test: impl FnOnce(Server) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        test(start(script)).await;
    });
}

async fn connect(server: &Server) -> SendRequest<Bytes> {
    let tcp = tokio::net::TcpStream::connect(server.grpc_addr().unwrap()).await.unwrap();
    // Else a reset of a stream could wait for an acknowledgement.
    tcp.set_nodelay(true).unwrap();
    let (sender, connection) = h2::client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn call(sender: &SendRequest<Bytes>, path: &str, message: &[u8]) -> Result<Answer, h2::Error> {
    let request = Request::post(format!("http://test{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (response, mut body) = sender.clone().ready().await?.send_request(request, false)?;
    body.send_data(Bytes::copy_from_slice(message), true)?;
    let (head, mut body) = response.await?.into_parts();
    let mut received = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        received.extend_from_slice(&data);
    }
    let status = |headers: &HeaderMap| Some(headers.get("grpc-status")?.to_str().unwrap().to_owned());
    let trailers = body.trailers().await?;
    let status = status(&head.headers).or_else(|| trailers.as_ref().and_then(status));
    Ok(Answer { message: received, status })
}

/// Waits, while the client's connections go on.
async fn until(seen: impl Fn() -> bool) {
    let begun = now_ns();
    while !seen() {
        assert!(now_ns() - begun < 5000 * MS, "not seen in 5 s");
        tokio::task::yield_now().await;
    }
}

fn count(of: &std::collections::BTreeMap<String, u64>, name: &str) -> u64 {
    of.get(name).copied().unwrap_or(0)
}

fn assert_whole(truth: &GrpcReport) {
    let ended = truth.by_status.values().sum::<u64>() + truth.aborted.total();
    assert_eq!(truth.calls, ended + truth.in_flight, "{truth:?}");
    assert_eq!(truth.calls, truth.by_method.values().sum::<u64>(), "{truth:?}");
}

#[test]
fn agents_register_and_health_is_told() {
    with("", |server| async move {
        let sender = connect(&server).await;
        let answer = call(&sender, REGISTER, AGENT).await.unwrap();
        assert_eq!(answer.status.as_deref(), Some("0"));
        assert_eq!(answer.message, b"\0\0\0\0\x12\x08\x01\x12\x0aregistered\x1a\x02a1");
        let nameless = call(&sender, REGISTER, b"\0\0\0\0\0").await.unwrap();
        assert_eq!(nameless.status.as_deref(), Some("3"));
        let health = call(&sender, CHECK, b"\0\0\0\0\0").await.unwrap();
        assert_eq!(
            (health.status.as_deref(), health.message.as_slice()),
            (Some("0"), &b"\0\0\0\0\x02\x08\x01"[..])
        );
        let unknown = call(&sender, "/no.Service/Method", b"\0\0\0\0\0").await.unwrap();
        assert_eq!(unknown.status.as_deref(), Some("12"));
        let truth = server.grpc_truth();
        assert_whole(&truth);
        assert_eq!((truth.calls, truth.in_flight), (4, 0));
        assert_eq!((count(&truth.by_method, REGISTER), count(&truth.by_method, "other")), (2, 1));
        assert_eq!((count(&truth.by_status, "OK"), count(&truth.by_status, "INVALID_ARGUMENT")), (2, 1));
        assert_eq!((truth.connections.accepted, truth.connections.open), (1, 1));
        drop(sender);
        until(|| server.grpc_truth().connections.open == 0).await;
    });
}

#[test]
fn http_tells_the_truth_about_grpc_and_resets_it() {
    with("", |server| async move {
        let sender = connect(&server).await;
        call(&sender, REGISTER, AGENT).await.unwrap();
        let mut http = Client::to(&server);
        let truth: target_server::Report = serde_json::from_str(&http.get("/truth").body).unwrap();
        assert_eq!(truth.grpc.as_ref().map(|grpc| count(&grpc.by_method, REGISTER)), Some(1));
        assert_eq!(truth.requests, 0);
        http.post("/truth/reset");
        let truth = server.grpc_truth();
        assert_eq!((truth.calls, truth.connections.open), (0, 1));
    });
}

#[test]
fn faults_fall_due_as_scripted() {
    let script = r#"
        [grpc]
        fail = [
            { every = 5, code = "unavailable", message = "ä 1%" },
            { every = 4, how = "reset" },
            { every = 3, how = "garbage" },
            { every = 2, how = "empty" },
        ]
    "#;
    with(script, |server| async move {
        let sender = connect(&server).await;
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(match call(&sender, REGISTER, AGENT).await {
                Ok(answer) => format!("{} {}", answer.status.unwrap(), answer.message.len()),
                Err(error) => format!("reset {}", error.is_reset()),
            });
        }
        assert_eq!(seen, ["0 23", "0 0", "0 8", "reset true", "14 0", "0 8"]);
        let truth = server.grpc_truth();
        assert_whole(&truth);
        assert_eq!((count(&truth.by_status, "OK"), count(&truth.by_status, "UNAVAILABLE")), (1, 1));
        assert_eq!((truth.aborted.reset, truth.aborted.malformed), (1, 3));
    });
}

#[test]
fn a_connection_goes_away_after_its_calls_and_finishes_them() {
    with("[grpc]\ncalls_per_connection = 3\n", |server| async move {
        let sender = connect(&server).await;
        for _ in 0..3 {
            call(&sender, REGISTER, AGENT).await.unwrap();
        }
        until(|| server.grpc_truth().connections.open == 0).await;
        assert!(call(&sender, REGISTER, AGENT).await.is_err(), "the connection is gone");
        assert_eq!(server.grpc_truth().calls, 3);
    });
}

#[test]
fn a_closed_connection_ends_all_its_calls() {
    with("[grpc]\nfail = [{ every = 2, how = \"close\" }, { how = \"never\" }]\n", |server| async move {
        let sender = connect(&server).await;
        let (first, second) = tokio::join!(call(&sender, REGISTER, AGENT), call(&sender, REGISTER, AGENT));
        assert!(first.is_err() && second.is_err());
        let truth = server.grpc_truth();
        assert_whole(&truth);
        assert_eq!((truth.aborted.never, truth.aborted.close, truth.in_flight_peak), (1, 1, 2));
    });
}

#[test]
fn answers_wait_and_calls_given_up_are_gone() {
    with("[grpc]\ndelay = \"30ms\"\n", |server| async move {
        let sender = connect(&server).await;
        let before = now_ns();
        call(&sender, REGISTER, AGENT).await.unwrap();
        assert!(now_ns() - before >= 30 * MS);
        tokio::select! {
            _ = call(&sender, REGISTER, AGENT) => panic!("answered too early"),
            () = until(|| server.grpc_truth().in_flight == 1) => {}
        }
        // Its stream is reset and the connection goes on.
        call(&sender, REGISTER, AGENT).await.unwrap();
        let truth = server.grpc_truth();
        assert_whole(&truth);
        assert_eq!(
            (truth.aborted.gone, count(&truth.by_status, "OK"), truth.connections.accepted),
            (1, 2, 1)
        );
    });
}

#[test]
fn a_client_without_http_2_is_hung_up_on() {
    with("", |server| async move {
        let mut client = Client::connect(server.grpc_addr().unwrap());
        client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        until(|| {
            let truth = server.grpc_truth();
            (truth.connections.accepted, truth.connections.open, truth.calls) == (1, 0, 0)
        })
        .await;
    });
}

#[test]
fn a_contract_looks_at_the_fields_of_a_registration() {
    // agent_id "a1", agent_type "qa", capabilities ["x"], host "h", and a port.
    let message = |kind: &str, port: &[u8]| {
        let mut fields = b"\x0a\x02a1\x12".to_vec();
        fields.push(kind.len() as u8);
        fields.extend_from_slice(kind.as_bytes());
        fields.extend_from_slice(b"\x1a\x01x\x22\x01h\x28");
        fields.extend_from_slice(port);
        [&[0, 0, 0, 0, fields.len() as u8], fields.as_slice()].concat()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let contract = Contract::named("nova-torch", false).unwrap().strict(true);
        let server = Server::start(Config { contract: Some(contract), ..config() }).unwrap();
        let client = connect(&server).await;
        let mut statuses = Vec::new();
        for (path, message) in [
            (REGISTER, message("qa", &[0xc0, 0x3e])),
            (REGISTER, message("wizard", &[0xc0, 0x3e])),
            (REGISTER, message("qa", &[0])),
            (REGISTER, AGENT.to_vec()),
            ("/nova_torch.NovaOrchestrator/Heartbeat", AGENT.to_vec()),
            ("/other.Service/Call", AGENT.to_vec()),
            (CHECK, b"\0\0\0\0\0".to_vec()),
        ] {
            statuses.push(call(&client, path, &message).await.unwrap().status.unwrap());
        }
        assert_eq!(statuses, ["0", "3", "3", "3", "12", "12", "0"]);
        let record = server.truth().contract.unwrap();
        assert_eq!((record.grpc[0].calls, record.grpc[0].refused, record.unknown), (4, 3, 2));
        assert!(record.wrong[0].contains("message.agent_type: expected developer|"), "{:?}", record.wrong);
        assert!(
            record.wrong[1].contains("message.port: expected integer 1..65535, got 0"),
            "{:?}",
            record.wrong
        );
        server.reset();
        assert_eq!(server.truth().contract.unwrap().grpc[0].calls, 0);
    });
}
