//! Does it work with servers that others wrote? Node's `ws` and Python's `websockets`, each skipped where it is missing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::support::{args, calls, observed, tool, whole};

/// Node's `ws`; it prints its port, and what it counted when its input ends.
const NODE: &str = r"
const { WebSocketServer } = require('ws');
const seen = { opened: 0, open: 0, echoes: 0, pings: 0, pushes: 0, clean: 0 };
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: (all) => [...all][0] });
server.on('listening', () => console.log(server.address().port));
server.on('connection', (socket) => {
  seen.opened++; seen.open++;
  let seq = 0;
  const timer = setInterval(() => {
    if (socket.readyState !== 1) return;
    socket.send(JSON.stringify({ type: 'push', seq: seq++, timestamp: Date.now() })); seen.pushes++;
  }, 100);
  socket.on('message', (data, binary) => { seen.echoes++; socket.send(data, { binary }); });
  socket.on('ping', () => seen.pings++);
  socket.on('close', (code) => { clearInterval(timer); seen.open--; if (code === 1000) seen.clean++; });
});
process.stdin.on('end', () => { console.log(JSON.stringify(seen)); process.exit(0); }).resume();
";

/// The same with Python's `websockets`, which keeps pings to itself; over TLS with the files of a certificate and its
/// key as arguments.
const PYTHON: &str = r"
import asyncio, json, ssl, sys, time, websockets
seen = dict(opened=0, open=0, echoes=0, pushes=0, clean=0)
async def push(socket):
    seq = 0
    try:
        while True:
            await asyncio.sleep(0.1)
            stamp = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(t := time.time())) + f'.{int(t % 1 * 1e6):06}Z'
            await socket.send(json.dumps(dict(type='push', seq=seq, timestamp=stamp)))
            seq += 1
            seen['pushes'] += 1
    except websockets.ConnectionClosed:
        pass
async def serve(socket, path=None):
    seen['opened'] += 1
    seen['open'] += 1
    pushing = asyncio.ensure_future(push(socket))
    try:
        async for message in socket:
            seen['echoes'] += 1
            await socket.send(message)
    except websockets.ConnectionClosed:
        pass
    pushing.cancel()
    seen['open'] -= 1
    seen['clean'] += socket.close_code == 1000
async def main():
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1], sys.argv[2])
    server = await websockets.serve(serve, '127.0.0.1', 0, ping_interval=0.2, compression=None, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(seen), flush=True)
    sys.stdout.flush()
    import os; os._exit(0)
asyncio.run(main())
";

/// Runs the tool against a server and compares what both have counted.
fn agrees(program: &str, check: &[&str], run: &[&str], scheme: &str, line: &str) {
    let is_there = Command::new(program)
        .args(check)
        .env("NODE_PATH", node_path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !is_there.is_ok_and(|status| status.success()) {
        let why = "fails; on Debian, install node-ws or python3-websockets";
        let mut out = std::io::stdout();
        writeln!(out, "skipped: {program} {} {why}", check.join(" ")).unwrap();
        return;
    }
    let mut server = Command::new(program)
        .args(run)
        .env("NODE_PATH", node_path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    let mut port = String::new();
    output.read_line(&mut port).unwrap();
    let left = tool().run(args(&format!("{scheme}://localhost:{}/x?id={{{{vu}}}}", port.trim()), line));
    drop(server.stdin.take());
    let mut told = String::new();
    output.read_to_string(&mut told).unwrap();
    server.wait().unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let (run, of) = (left.run(), |name: &str| told[name].as_u64().unwrap());
    assert_eq!(left.code, 0, "{}", left.stdout);
    let opened = run.connections.opened + run.ledger.control_calls;
    assert_eq!((of("opened"), of("open"), of("clean")), (opened, 0, opened), "{told}");
    assert_eq!((calls(run, "echo"), whole(run, "messages_answers")), (of("echoes"), of("echoes")), "{told}");
    if told.get("pings").is_some() {
        assert_eq!(calls(run, "ping"), of("pings"), "{told}");
    } else {
        assert!(whole(run, "pings_received") > 0);
    }
    // A push that met a closing connection may have been counted by the server all the same.
    let pushed = whole(run, "messages_pushed");
    assert!(pushed <= of("pushes") && pushed + opened >= of("pushes") && pushed > 500, "{pushed}, {told}");
    assert_eq!(observed(run, "message_latency") + whole(run, "timestamps_ahead"), pushed);
    assert_eq!(whole(run, "messages_received"), pushed + of("echoes"));
}

/// Where Debian and others put modules for everyone.
fn node_path() -> String {
    let given = std::env::var("NODE_PATH").unwrap_or_default();
    format!("{given}:/usr/share/nodejs:/usr/lib/node_modules:/usr/local/lib/node_modules")
}

#[test]
fn nodes_ws_counts_the_same() {
    let line = "-u 100 --think 100ms -d 2s --send echo=3,ping=1 --subprotocol chat";
    agrees("node", &["-e", "require('ws')"], &["-e", NODE], "ws", line);
}

#[test]
fn pythons_websockets_counts_the_same() {
    // The one that Debian's packages are for, wherever another one is.
    let line = "-u 50 --think 200ms -d 2s --send echo=3,ping=1 --binary";
    agrees("/usr/bin/python3", &["-c", "import websockets"], &["-c", PYTHON], "ws", line);
}

#[test]
fn over_tls_too() {
    let dir = tempfile::tempdir().unwrap();
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let [cert_file, key_file] = ["cert.pem", "key.pem"].map(|name| dir.path().join(name));
    std::fs::write(&cert_file, cert.pem()).unwrap();
    std::fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let [cert_file, key_file] = [&cert_file, &key_file].map(|file| file.to_str().unwrap());
    for trust in [&format!("--cacert {cert_file}"), "--insecure"] {
        let line = format!("-u 50 --think 200ms -d 2s --send echo=3,ping=1 {trust}");
        let server = ["-c", PYTHON, cert_file, key_file];
        agrees("/usr/bin/python3", &["-c", "import websockets"], &server, "wss", &line);
    }
}
