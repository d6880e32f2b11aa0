//! What a client of the migration API sees, and what the record says of it.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use target_server::{Config, Script, Server};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use crate::client::{Answer, Client, eventually};

const MIGRATIONS: &str = "/api/v1/dwcp/migrations";

fn start(script: &str) -> Server {
    let dwcp = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let script = Script::parse("test", script).unwrap();
    Server::start(Config { dwcp, script, ..Config::default() }).unwrap()
}

fn client(server: &Server) -> Client {
    Client::connect(server.dwcp_addr().unwrap())
}

fn order(client: &mut Client, vm_id: &str) -> Answer {
    let body = json!({ "vm_id": vm_id, "protocol": "dwcp-v3" }).to_string();
    client.write(&format!(
        "POST {MIGRATIONS} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    client.answer().unwrap()
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

fn id_of(answer: &Answer) -> String {
    json_of(answer)["job_id"].as_str().unwrap().to_owned()
}

fn look(client: &mut Client, id: &str) -> (u16, Value) {
    let answer = client.get(&format!("{MIGRATIONS}/{id}"));
    (answer.status, json_of(&answer))
}

#[test]
fn a_migration_goes_its_way_and_is_counted() {
    let server = start("[dwcp]\npending = \"1ms\"\nwork = \"30ms\"\n");
    let mut client = client(&server);
    assert_eq!(json_of(&client.get("/api/v1/dwcp/version"))["version"], "3.0.0");
    let accepted = order(&mut client, "vm-1");
    assert_eq!(accepted.status, 202);
    let id = id_of(&accepted);
    let mut looks = 0;
    let done = eventually("the end of the job", || {
        looks += 1;
        let (status, job) = look(&mut client, &id);
        assert_eq!(status, 200);
        (job["status"] == "completed").then_some(job)
    });
    assert_eq!((done["vm_id"].as_str(), done["data_loss"].as_bool()), (Some("vm-1"), Some(false)));
    assert!(looks > 1, "it took its time");
    let list = json_of(&client.get(&format!("{MIGRATIONS}?status=completed&limit=10")));
    assert_eq!((list["count"].as_u64(), &list["migrations"][0]["job_id"]), (Some(1), &Value::from(id)));
    assert_eq!(json_of(&client.get("/api/v1/dwcp/stats"))["active_migrations"], 0);
    assert_eq!(client.get("/elsewhere").status, 404);
    let truth = server.dwcp_truth();
    assert_eq!((truth.posts, truth.accepted, truth.completed, truth.looks), (1, 1, 1, looks));
    assert_eq!((truth.lists, truth.stats, truth.versions, truth.others), (1, 1, 1, 1));
}

#[test]
fn what_goes_wrong_is_as_scripted_and_counted() {
    let fails = [("reject:503", 5), ("fail", 4), ("lose", 3), ("duplicate", 2)];
    let fails: Vec<_> =
        fails.iter().map(|(how, every)| format!("{{ every = {every}, how = \"{how}\" }}")).collect();
    let server = start(&format!("[dwcp]\npending = \"0s\"\nwork = \"0s\"\nfail = [{}]\n", fails.join(", ")));
    let mut client = client(&server);
    // 1 is good, 2 is made twice, 3 is lost, 4 fails, 5 is rejected.
    let answers: Vec<_> = (1..=5).map(|n| order(&mut client, &format!("vm-{n}"))).collect();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [202, 202, 202, 202, 503]);
    assert_eq!(look(&mut client, &id_of(&answers[0])).1["status"], "completed");
    assert_eq!(json_of(&client.get(&format!("{MIGRATIONS}?vm_id=vm-2")))["count"], 2);
    assert_eq!(look(&mut client, &id_of(&answers[2])).0, 404);
    assert_eq!(look(&mut client, &id_of(&answers[3])).1["status"], "failed");
    let truth = server.dwcp_truth();
    assert_eq!((truth.posts, truth.accepted, truth.rejected[&503]), (5, 4, 1));
    assert_eq!((truth.completed, truth.failed, truth.lost, truth.duplicated), (3, 1, 1, 1));
    assert_eq!((truth.looks, truth.unknown), (3, 1));
}

async fn stream(server: &Server, query: &str, order: &str) -> WebSocketStream<TcpStream> {
    let address = server.dwcp_addr().unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = client_async(format!("ws://{address}/dwcp/v3/stream{query}"), tcp).await.unwrap();
    socket.send(Message::text(order)).await.unwrap();
    socket
}

async fn events(socket: &mut WebSocketStream<TcpStream>, count: usize) -> Vec<(String, String, u64)> {
    let mut all = Vec::new();
    while all.len() < count {
        let message = socket.next().await.unwrap().unwrap();
        let event: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        assert!(event["type"] == "migration_status" && event["timestamp"].is_f64(), "{event}");
        let text = |field: &str| event[field].as_str().unwrap().to_owned();
        all.push((text("job_id"), text("status"), event["seq"].as_u64().unwrap()));
    }
    all
}

#[test]
fn streams_tell_every_change_of_what_they_are_subscribed_to() {
    let server =
        start("[dwcp]\npending = \"1ms\"\nwork = \"5ms\"\nfail = { every = 2, how = \"repeat_event\" }\n");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let subscribe = r#"{"action":"subscribe","channel":"migrations"}"#;
        let mut all = stream(&server, "?job_id=test", subscribe).await;
        // The subscription is known before the first order.
        eventually("the stream", || (server.dwcp_truth().streams == 1).then_some(()));
        tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
        all.send(Message::Ping(Vec::new().into())).await.unwrap();
        assert!(matches!(all.next().await, Some(Ok(Message::Pong(_)))));
        let mut client = client(&server);
        let ids = [id_of(&order(&mut client, "a")), id_of(&order(&mut client, "b"))];
        let mut heard = events(&mut all, 7).await;
        heard.sort();
        let of = |id: &String, status: &str, seq| (id.clone(), status.to_owned(), seq);
        let mut expected = vec![of(&ids[1], "completed", 2)];
        for id in &ids {
            expected.extend([of(id, "pending", 0), of(id, "in_progress", 1), of(id, "completed", 2)]);
        }
        expected.sort();
        assert_eq!(heard, expected);
        // Whoever comes late hears what was.
        let named = format!(r#"{{"action":"subscribe","channel":"migrations","job_id":"{}"}}"#, ids[0]);
        let mut late = stream(&server, "", &named).await;
        let late = events(&mut late, 3).await;
        assert_eq!(
            late.iter().map(|event| event.1.as_str()).collect::<Vec<_>>(),
            ["pending", "in_progress", "completed"]
        );
    });
    eventually("the end of the streams", || (server.dwcp_truth().streams_open == 0).then_some(()));
    assert_eq!((server.dwcp_truth().streams, server.dwcp_truth().events), (2, 10));
}
