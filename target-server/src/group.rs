//! Who else belongs to this server? Several processes answer one address and tell one truth.

use std::{io, path::PathBuf};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
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

/// What one process asks another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Its report, as JSON.
    Report,
    /// Its arrivals, as CSV without header.
    Arrivals,
    /// To zero its record.
    Reset,
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
                stream.write_all(question.line().as_bytes()).await?;
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
    const ALL: [Self; 3] = [Self::Report, Self::Arrivals, Self::Reset];

    fn line(self) -> &'static str {
        match self {
            Self::Report => "report\n",
            Self::Arrivals => "arrivals\n",
            Self::Reset => "reset\n",
        }
    }

    /// Reads the one question of a connection.
    pub(crate) async fn read(stream: &mut UnixStream) -> io::Result<Self> {
        let mut line = String::new();
        BufReader::new(stream.take(32)).read_line(&mut line).await?;
        Self::ALL
            .into_iter()
            .find(|question| question.line() == line)
            .ok_or(io::ErrorKind::InvalidData.into())
    }
}
