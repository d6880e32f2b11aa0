//! How do several processes serve one address? A parent that serves nothing starts, watches and ends them.

use std::{
    io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use target_server::{Group, Others, Reservation};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{Failure, args::Args};

/// What a child prints when it serves.
pub(crate) const READY: &str = "ready";

/// The processes of one server. Dropping it kills them.
pub(crate) struct Family {
    http: Option<Reservation>,
    https: Option<Reservation>,
    ws: Option<Reservation>,
    children: Vec<Child>,
    /// After the children, which use it.
    dir: SharedDir,
}

/// A directory that goes with its owner.
struct SharedDir(PathBuf);

impl Family {
    /// Starts all processes and waits until each of them serves.
    pub(crate) async fn start(args: &Args) -> Result<Self, Failure> {
        let mut family = Self {
            http: args.http().map(Reservation::take).transpose()?,
            https: args.https.map(Reservation::take).transpose()?,
            ws: args.ws.map(Reservation::take).transpose()?,
            children: Vec::new(),
            dir: SharedDir::create()?,
        };
        for index in 0..args.processes {
            let child = family.command(args, index)?.spawn()?;
            family.children.push(child);
        }
        for child in &mut family.children {
            await_ready(child).await?;
        }
        Ok(family)
    }

    /// Where plain HTTP is served.
    pub(crate) fn http_addr(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Reservation::address)
    }

    /// Where HTTP over TLS is served.
    pub(crate) fn https_addr(&self) -> Option<SocketAddr> {
        self.https.as_ref().map(Reservation::address)
    }

    /// Where WebSockets are served.
    pub(crate) fn ws_addr(&self) -> Option<SocketAddr> {
        self.ws.as_ref().map(Reservation::address)
    }

    /// Waits until a process ends, which none should.
    pub(crate) async fn broken(&mut self) -> Failure {
        let mut pending: Vec<_> = self.children.iter_mut().map(|child| Box::pin(child.wait())).collect();
        std::future::poll_fn(|cx| {
            for (index, wait) in pending.iter_mut().enumerate() {
                if let std::task::Poll::Ready(status) = wait.as_mut().poll(cx) {
                    let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                    return std::task::Poll::Ready(Failure::Internal(format!(
                        "process {index} ended: {how}"
                    )));
                }
            }
            std::task::Poll::Pending
        })
        .await
    }

    /// Ends all processes.
    pub(crate) async fn end(mut self) {
        for child in &mut self.children {
            // One that has ended already needs no killing.
            let _ = child.kill().await;
        }
    }

    fn command(&self, args: &Args, index: u32) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        let addresses =
            [("--http", self.http_addr()), ("--https", self.https_addr()), ("--ws", self.ws_addr())];
        for (flag, address) in addresses {
            if let Some(address) = address {
                command.args([flag, &address.to_string()]);
            }
        }
        for (flag, file) in [("--cert", &args.cert), ("--key", &args.key), ("--script", &args.script)] {
            if let Some(file) = file {
                command.arg(flag).arg(file);
            }
        }
        command.args(["--processes", &args.processes.to_string()]);
        command.args(["--ring", &args.ring.to_string()]);
        command.args(["--record", if args.ring() > 0 { "on" } else { "off" }]);
        command.arg("--member").arg(index.to_string()).arg(&self.dir.0).arg(std::process::id().to_string());
        // Its own process group: a Ctrl-C is the parent's to handle.
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(command)
    }
}

async fn await_ready(child: &mut Child) -> Result<(), Failure> {
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).await?;
    }
    if line.trim_end() == READY {
        return Ok(());
    }
    // It has said why on stderr.
    let status = child.wait().await?;
    Err(Failure::Child(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

impl SharedDir {
    fn create() -> io::Result<Self> {
        let name = format!("target-server-{}-{}", std::process::id(), target_server::now_ns());
        let dir = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for SharedDir {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the directory of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// In a child: its place among the others, and the promise to end with its parent.
pub(crate) fn join(member: &[String], count: u32) -> Result<Group, Failure> {
    let [index, dir, parent] = member else {
        return Err(Failure::Usage("--member is set by the parent process only".to_owned()));
    };
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|_| Failure::Usage("--member is set by the parent process only".to_owned()))
    };
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    // The parent may have ended before the kernel was told.
    if getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs()) != Some(number(parent)?) {
        return Err(Failure::Internal("the parent process has ended".to_owned()));
    }
    let others = Others { count, dir: Path::new(dir).to_owned() };
    Ok(Group { index: number(index)?, others: Some(others) })
}
