//! How is a server started and stopped? One thread, one runtime, everything on it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::{fd::OwnedFd, unix::net::UnixListener},
    rc::Rc,
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, SyncSender, channel, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustix::event::{EventfdFlags, eventfd};
use tokio::{
    net,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::spawn_local,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    contract::{Contract, Service},
    control::serve_group,
    dwcp::{self, DataContext, DwcpContext, DwcpDataReport, DwcpReport},
    group::Group,
    grpc::{self, GrpcContext, GrpcReport},
    listen::{BindError, TlsFiles, listen, tls},
    record::{Listeners, Record},
    report::Report,
    script::Script,
    serve::{Context, serve},
    stall::Gate,
    timer::Timer,
    truth::{Arrival, Truth},
    ws::{self, WsContext, WsReport},
};

/// After an accept failed, for want of descriptors as a rule, the next is tried this much later.
const ACCEPT_AGAIN_NS: u64 = 10_000_000;

/// How soon a look at the record notices that the server stands still.
const STALL_CHECK: Duration = Duration::from_millis(1);

/// What a server shall be.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where plain HTTP is served; port 0 is any free one.
    pub http: Option<SocketAddr>,
    /// Where HTTP over TLS is served, and with what.
    pub https: Option<(SocketAddr, TlsFiles)>,
    /// Where gRPC is served, without TLS; only by a server of one process.
    pub grpc: Option<SocketAddr>,
    /// Where WebSockets are served, without TLS.
    pub ws: Option<SocketAddr>,
    /// Where migrations are ordered, without TLS; only by a server of one process.
    pub dwcp: Option<SocketAddr>,
    /// Where memory images are received over TCP; only by a server of one process.
    pub dwcp_data: Option<SocketAddr>,
    /// What is answered.
    pub script: Script,
    /// In whose name it is answered; only by a server of one process. A script adds its delays and faults.
    pub contract: Option<Contract>,
    /// Arrivals kept; 0 keeps counters only.
    pub ring: usize,
    /// This process's place among several.
    pub group: Group,
}

impl Default for Config {
    /// The default script on any port of 127.0.0.1, with a ring of 1,048,576 arrivals.
    fn default() -> Self {
        Self {
            http: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            https: None,
            grpc: None,
            ws: None,
            dwcp: None,
            dwcp_data: None,
            script: Script::default(),
            contract: None,
            ring: 1 << 20,
            group: Group::default(),
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Certificate or key could not be used.
    #[error("{0}")]
    Tls(String),
    /// The system refused something else.
    #[error("cannot start the server: {0}")]
    System(#[from] io::Error),
}

/// A running server; dropping it stops it and closes all its connections.
pub struct Server {
    http: Option<SocketAddr>,
    https: Option<SocketAddr>,
    grpc: Option<SocketAddr>,
    ws: Option<SocketAddr>,
    dwcp: Option<SocketAddr>,
    dwcp_data: Option<SocketAddr>,
    record: Arc<Record>,
    /// Ends a stall.
    wake: Arc<OwnedFd>,
    /// Asks the runtime for a sign of life; its end ends the runtime.
    turns: Option<UnboundedSender<SyncSender<()>>>,
    thread: Option<JoinHandle<()>>,
}

/// What the server's thread takes over.
struct Parts {
    http: Option<TcpListener>,
    https: Option<(TcpListener, TlsAcceptor)>,
    grpc: Option<TcpListener>,
    ws: Option<TcpListener>,
    dwcp: Option<TcpListener>,
    dwcp_data: Option<TcpListener>,
    peers: Option<UnixListener>,
    script: Arc<Script>,
    group: Group,
    record: Arc<Record>,
}

impl Server {
    /// Starts a server in a thread of its own; it listens when this returns.
    ///
    /// # Errors
    ///
    /// An address is taken, a TLS file is unusable, or the system is out of something.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let wake =
            Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(io::Error::from)?);
        let shared = config.group.others.is_some();
        let http = config.http.map(|address| listen(address, shared)).transpose()?;
        let https = match &config.https {
            Some((address, files)) => {
                let acceptor = tls(files).map_err(StartError::Tls)?;
                Some((listen(*address, shared)?, acceptor))
            }
            None => None,
        };
        let grpc = config.grpc.map(|address| listen(address, false)).transpose()?;
        let ws = config.ws.map(|address| listen(address, shared)).transpose()?;
        let dwcp = config.dwcp.map(|address| listen(address, false)).transpose()?;
        let dwcp_data = config.dwcp_data.map(|address| listen(address, false)).transpose()?;
        let script = Arc::new(config.script);
        let names = script.rules.iter().map(|rule| rule.name.clone()).collect();
        let gate = Gate::new(Arc::clone(&script), config.group.start_file(), Arc::clone(&wake));
        let listeners =
            Listeners { grpc: grpc.is_some(), ws: ws.is_some(), dwcp: dwcp.is_some() || dwcp_data.is_some() };
        let contract = config.contract.map(|contract| Service::new(contract, script.seed));
        let record = Arc::new(Record::new(Truth::new(names, config.ring), gate, listeners, contract));
        let (turns, mut asked) = unbounded_channel::<SyncSender<()>>();
        let mut server = Self {
            http: http.as_ref().map(TcpListener::local_addr).transpose()?,
            https: https.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?,
            grpc: grpc.as_ref().map(TcpListener::local_addr).transpose()?,
            ws: ws.as_ref().map(TcpListener::local_addr).transpose()?,
            dwcp: dwcp.as_ref().map(TcpListener::local_addr).transpose()?,
            dwcp_data: dwcp_data.as_ref().map(TcpListener::local_addr).transpose()?,
            record: Arc::clone(&record),
            wake,
            turns: Some(turns),
            thread: None,
        };
        let peers = config.group.socket().map(bind_peers).transpose()?;
        let parts =
            Parts { http, https, grpc, ws, dwcp, dwcp_data, peers, script, group: config.group, record };
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build_local(tokio::runtime::LocalOptions::default())
        };
        // The runtime cannot leave its thread, so its failure is told from there.
        let (ready, started) = channel();
        let thread = std::thread::Builder::new().name("target-server".to_owned()).spawn(move || {
            let result = runtime().and_then(|runtime| {
                runtime.block_on(async {
                    parts.open()?;
                    let _ = ready.send(Ok(()));
                    while let Some(answer) = asked.recv().await {
                        // Whoever asked may have stopped waiting.
                        let _ = answer.send(());
                    }
                    Ok(())
                })
            });
            // Nobody listens any more if the server had started; its end is then seen by its clients.
            if let Err(error) = result {
                let _ = ready.send(Err(error));
            }
        })?;
        server.thread = Some(thread);
        started.recv().map_err(io::Error::other)??;
        Ok(server)
    }

    /// Where plain HTTP is served.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Where HTTP over TLS is served.
    pub fn https_addr(&self) -> Option<SocketAddr> {
        self.https
    }

    /// Where gRPC is served.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc
    }

    /// What came over gRPC so far.
    pub fn grpc_truth(&self) -> GrpcReport {
        self.settle();
        self.record.grpc.report()
    }

    /// Where WebSockets are served.
    pub fn ws_addr(&self) -> Option<SocketAddr> {
        self.ws
    }

    /// What came over WebSockets so far.
    pub fn ws_truth(&self) -> WsReport {
        self.settle();
        self.record.ws.report()
    }

    /// Where migrations are ordered.
    pub fn dwcp_addr(&self) -> Option<SocketAddr> {
        self.dwcp
    }

    /// Where memory images are received over TCP.
    pub fn dwcp_data_addr(&self) -> Option<SocketAddr> {
        self.dwcp_data
    }

    /// What became of memory images so far.
    pub fn dwcp_data_truth(&self) -> DwcpDataReport {
        self.settle();
        self.record.dwcp_data.report()
    }

    /// What became of migrations so far.
    pub fn dwcp_truth(&self) -> DwcpReport {
        self.settle();
        self.record.dwcp.report()
    }

    /// What the server did so far.
    pub fn truth(&self) -> Report {
        self.settle();
        self.record.report()
    }

    /// The arrivals still in the ring, in the order they came.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.settle();
        self.record.arrivals()
    }

    /// Zeroes the record; the script's time begins anew with the next request.
    pub fn reset(&self) {
        self.settle();
        self.record.reset();
    }

    /// Waits until the server's thread is between two steps: what a client has seen is in the record then.
    fn settle(&self) {
        let (answer, answered) = sync_channel(1);
        if self.turns.as_ref().is_some_and(|turns| turns.send(answer).is_ok()) {
            // A stall is between two steps too.
            while answered.recv_timeout(STALL_CHECK) == Err(RecvTimeoutError::Timeout)
                && !self.record.gate.is_stalled()
            {}
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Adding 1 to a counter that nobody reads cannot block.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
        self.turns = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}

fn bind_peers(path: std::path::PathBuf) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Parts {
    /// Spawns everything on the current runtime.
    fn open(self) -> io::Result<()> {
        let timer = Timer::new()?;
        spawn_local(timer.clone().run());
        let index = self.group.index;
        let context = Rc::new(Context::new(self.script, Arc::clone(&self.record), timer, self.group));
        let ws = self.ws.as_ref().map(|_| Rc::new(WsContext::new(Rc::clone(&context))));
        if let Some(peers) = self.peers {
            spawn_local(serve_group(net::UnixListener::from_std(peers)?, self.record, ws.clone(), index));
        }
        if let Some(listener) = self.http {
            spawn_local(accept(Rc::clone(&context), net::TcpListener::from_std(listener)?, None));
        }
        if let Some((listener, tls)) = self.https {
            spawn_local(accept(Rc::clone(&context), net::TcpListener::from_std(listener)?, Some(tls)));
        }
        if let Some(listener) = self.grpc {
            let grpc =
                Rc::new(GrpcContext::new(Rc::clone(&context), grpc::routes(Arc::clone(&context.record))?));
            let listener = net::TcpListener::from_std(listener)?;
            let context = Rc::clone(&context);
            spawn_local(accept_all(context, listener, move |tcp| grpc::serve(Rc::clone(&grpc), tcp)));
        }
        if let Some((listener, ws)) = self.ws.zip(ws) {
            let listener = net::TcpListener::from_std(listener)?;
            let context = Rc::clone(&context);
            spawn_local(accept_all(context, listener, move |tcp| ws::serve(Rc::clone(&ws), tcp)));
        }
        let data = Rc::new(DataContext::new(Rc::clone(&context)));
        if let Some(listener) = self.dwcp_data {
            let (data, context) = (Rc::clone(&data), Rc::clone(&context));
            let listener = net::TcpListener::from_std(listener)?;
            spawn_local(accept_all(context, listener, move |tcp| dwcp::serve_data(Rc::clone(&data), tcp)));
        }
        if let Some(listener) = self.dwcp {
            let dwcp = Rc::new(DwcpContext::new(Rc::clone(&context), Rc::clone(&data)));
            let listener = net::TcpListener::from_std(listener)?;
            spawn_local(accept_all(context, listener, move |tcp| dwcp::serve(Rc::clone(&dwcp), tcp)));
        }
        Ok(())
    }
}

/// Accepts HTTP connections for ever.
async fn accept(context: Rc<Context>, listener: net::TcpListener, tls: Option<TlsAcceptor>) {
    let shared = Rc::clone(&context);
    accept_all(context, listener, move |tcp| serve(Rc::clone(&shared), tcp, tls.clone())).await;
}

/// Accepts connections for ever and gives each to a task of its own.
async fn accept_all<F: Future<Output = ()> + 'static>(
    context: Rc<Context>,
    listener: net::TcpListener,
    serve: impl Fn(net::TcpStream) -> F,
) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            context.record.truth().connections.accept_failed += 1;
            context.timer.pause(ACCEPT_AGAIN_NS).await;
            continue;
        };
        // Without it, the second part of an answer could wait for an acknowledgement.
        let _ = tcp.set_nodelay(true);
        spawn_local(serve(tcp));
    }
}
