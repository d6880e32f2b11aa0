//! Who else belongs to this server? Several processes answer one address and tell one truth.

use std::{io, path::PathBuf};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// One process's place among those of its server.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// This process, from 0.
    pub index: u32,
    /// The others, if there are any.
    pub others: Option<Others>,
}

/// What the processes of a server share.
#[derive(Debug, Clone)]
pub struct Others {
    /// Processes in all.
    pub count: u32,
    /// The directory of their sockets and of the script's start.
    pub dir: PathBuf,
}

/// Bytes of a question: a text is one message, and those have at most 64 MiB.
const MAX_QUESTION: u64 = (64 << 20) + 32;

/// What one process asks another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// Its report, as JSON.
    Report,
    /// Its arrivals, as CSV without header.
    Arrivals,
    /// What it uses, as Prometheus' text.
    Usage,
    /// To zero its record.
    Reset,
    /// To tell its WebSockets this text.
    Broadcast(String),
}

impl Group {
    /// The connection number `n` of this process, numbered among those of all processes.
    pub(crate) fn connection(&self, n: u64) -> u64 {
        n * u64::from(self.count()) + u64::from(self.index)
    }

    /// Processes in all.
    pub(crate) fn count(&self) -> u32 {
        self.others.as_ref().map_or(1, |others| others.count)
    }

    /// The file of the script's start.
    pub(crate) fn start_file(&self) -> Option<PathBuf> {
        self.others.as_ref().map(|others| others.dir.join("start"))
    }

    /// The socket on which this process answers the others.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        self.others.as_ref().map(|others| others.socket(self.index))
    }

    /// The answers of all other processes.
    pub(crate) async fn ask(&self, question: Question) -> io::Result<Vec<String>> {
        let mut answers = Vec::new();
        if let Some(others) = &self.others {
            for index in (0..others.count).filter(|index| *index != self.index) {
                let mut stream = UnixStream::connect(others.socket(index)).await?;
                question.write(&mut stream).await?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await?;
                answers.push(answer);
            }
        }
        Ok(answers)
    }
}

impl Others {
    fn socket(&self, index: u32) -> PathBuf {
        self.dir.join(format!("{index}.sock"))
    }
}

impl Question {
    const REPORT: &str = "report\n";
    const ARRIVALS: &str = "arrivals\n";
    const USAGE: &str = "usage\n";
    const RESET: &str = "reset\n";
    const BROADCAST: &str = "broadcast\n";

    /// Sends the one question of a connection: a line, behind which nothing comes but a text.
    async fn write(&self, stream: &mut UnixStream) -> io::Result<()> {
        let (line, text) = match self {
            Self::Report => (Self::REPORT, ""),
            Self::Arrivals => (Self::ARRIVALS, ""),
            Self::Usage => (Self::USAGE, ""),
            Self::Reset => (Self::RESET, ""),
            Self::Broadcast(text) => (Self::BROADCAST, text.as_str()),
        };
        stream.write_all(line.as_bytes()).await?;
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    }

    /// Reads the one question of a connection.
    pub(crate) async fn read(stream: &mut UnixStream) -> io::Result<Self> {
        let mut question = String::new();
        stream.take(MAX_QUESTION).read_to_string(&mut question).await?;
        match question.as_str() {
            Self::REPORT => Ok(Self::Report),
            Self::ARRIVALS => Ok(Self::Arrivals),
            Self::USAGE => Ok(Self::Usage),
            Self::RESET => Ok(Self::Reset),
            _ => match question.strip_prefix(Self::BROADCAST) {
                Some(text) => Ok(Self::Broadcast(text.to_owned())),
                None => Err(io::ErrorKind::InvalidData.into()),
            },
        }
    }
}
