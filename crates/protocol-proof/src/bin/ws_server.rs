//! What do the held `WebSockets` talk to? Echoes every text, pushes to all, and tells at the end how much it was.

use std::cell::Cell;
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use load_core::clock::monotonic;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

#[derive(Default)]
struct Counts {
    opened: Cell<u64>,
    echoes: Cell<u64>,
    pushes: Cell<u64>,
}

fn add(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

async fn serve(stream: TcpStream, counts: Rc<Counts>, mut rounds: watch::Receiver<u64>) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(1 << 10).write_buffer_size(0);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    add(&counts.opened);
    rounds.mark_unchanged();
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(text @ Message::Text(_))) => {
                    add(&counts.echoes);
                    socket.send(text).await?;
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            Ok(()) = rounds.changed() => {
                socket.send(Message::text(format!("push {}", monotonic().0))).await?;
                add(&counts.pushes);
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server's rounds of pushes; each carries the instant of its own"
)]
/// Pushes a round every so many seconds, the first argument, counted from the first connection.
async fn run(every: Duration) -> std::io::Result<()> {
    let listener = tokio::net::TcpSocket::new_v4()?;
    listener.bind(([127, 0, 0, 1], 0).into())?;
    let listener: TcpListener = listener.listen(4_096)?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let (over, mut ended) = oneshot::channel();
    std::thread::spawn(move || {
        // Ends with the one who started it.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = over.send(());
    });
    let counts = Rc::new(Counts::default());
    let (round, rounds) = watch::channel(0);
    let mut ticks = tokio::time::interval(every);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if rounds.borrow().eq(&0) {
                    ticks.reset();
                    round.send_replace(1);
                }
                let serving = serve(accepted?.0, Rc::clone(&counts), rounds.clone());
                // A connection ends when its client wants it to.
                tokio::task::spawn_local(async move { serving.await.ok() });
            }
            _ = ticks.tick(), if *rounds.borrow() > 0 => round.send_modify(|round| *round += 1),
            _ = &mut ended => break,
        }
    }
    let (opened, echoes, pushes) = (counts.opened.get(), counts.echoes.get(), counts.pushes.get());
    writeln!(std::io::stdout(), "opened {opened}, echoes {echoes}, pushes {pushes}")
}

fn main() -> std::io::Result<()> {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(4);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(run(Duration::from_secs(seconds)))
}
