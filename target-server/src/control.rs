//! What does a control path answer? The record of all processes, and the way to reset it.

use std::{io, rc::Rc, sync::Arc};

use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
    task::{spawn_blocking, spawn_local},
};

use crate::{
    group::{Group, Question},
    record::Record,
    report::Report,
    truth::CSV_HEADER,
    usage,
    ws::WsContext,
};

/// A request that is not load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    Truth,
    Arrivals,
    Metrics,
    Reset,
    Health,
    /// A control path with another method; holds the one it takes.
    WrongMethod(&'static str),
}

/// The answer to one.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Control {
    /// The control request that method and path name, if they name one.
    pub(crate) fn find(method: &str, path: &str) -> Option<Self> {
        let (takes, control) = match path {
            "/truth" => ("GET", Self::Truth),
            "/truth/arrivals" => ("GET", Self::Arrivals),
            "/truth/metrics" => ("GET", Self::Metrics),
            "/truth/reset" => ("POST", Self::Reset),
            "/health" => ("GET", Self::Health),
            _ => return None,
        };
        Some(if method == takes { control } else { Self::WrongMethod(takes) })
    }

    /// Does what is asked, in all processes.
    pub(crate) async fn reply(self, record: &Arc<Record>, group: &Group) -> Reply {
        let made = match self {
            Self::Truth => truth(record, group).await.map(|body| ("application/json", body)),
            Self::Arrivals => arrivals(record, group).await.map(|body| ("text/csv", body)),
            Self::Metrics => metrics(record, group).await.map(|body| ("text/plain; version=0.0.4", body)),
            Self::Reset => reset(record, group).await.map(|()| ("text/plain", "reset\n".to_owned())),
            Self::Health => Ok(("text/plain", "ok\n".to_owned())),
            Self::WrongMethod(takes) => {
                let body = format!("expected {takes}\n");
                return Reply { status: 405, content_type: "text/plain", body };
            }
        };
        match made {
            Ok((content_type, body)) => Reply { status: 200, content_type, body },
            Err(error) => {
                let body = format!("a process of this server did not answer: {error}\n");
                Reply { status: 502, content_type: "text/plain", body }
            }
        }
    }
}

async fn truth(record: &Record, group: &Group) -> io::Result<String> {
    let mut all = record.report();
    for other in group.ask(Question::Report).await? {
        all.add(&serde_json::from_str::<Report>(&other)?);
    }
    let mut body = serde_json::to_string_pretty(&all)?;
    body.push('\n');
    Ok(body)
}

async fn arrivals(record: &Arc<Record>, group: &Group) -> io::Result<String> {
    let record = Arc::clone(record);
    let others = group.ask(Question::Arrivals).await?;
    let made = spawn_blocking(move || merge_csv(&record.csv(), &others));
    made.await.map_err(io::Error::other)
}

/// What the processes and their machine use.
async fn metrics(record: &Record, group: &Group) -> io::Result<String> {
    let others = group.ask(Question::Usage).await?;
    Ok(usage::process(record, group.index) + &others.concat() + &usage::machine())
}

async fn reset(record: &Record, group: &Group) -> io::Result<()> {
    // First, lest a process that is already reset takes the old start for the new one.
    record.gate.forget_shared();
    record.reset();
    group.ask(Question::Reset).await.map(drop)
}

/// The lines of all, under one header, by their first column.
fn merge_csv(own: &str, others: &[String]) -> String {
    let stamp = |line: &&str| line.split(',').next().and_then(|t| t.parse::<u64>().ok());
    let mut lines: Vec<_> = others.iter().flat_map(|text| text.lines()).chain(own.lines()).collect();
    lines.sort_by_key(stamp);
    let mut merged = String::with_capacity(CSV_HEADER.len() + lines.len() * 64);
    merged.push_str(CSV_HEADER);
    for line in lines {
        merged.push_str(line);
        merged.push('\n');
    }
    merged
}

/// Answers the other processes of this server, for ever.
pub(crate) async fn serve_group(
    listener: UnixListener,
    record: Arc<Record>,
    ws: Option<Rc<WsContext>>,
    index: u32,
) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        // Whoever hangs up before the end of the answer sees that it is cut.
        spawn_local(tell(stream, Arc::clone(&record), ws.clone(), index));
    }
}

async fn tell(
    mut stream: UnixStream,
    record: Arc<Record>,
    ws: Option<Rc<WsContext>>,
    index: u32,
) -> io::Result<()> {
    let answer = match Question::read(&mut stream).await? {
        Question::Report => serde_json::to_string(&record.report())?,
        Question::Arrivals => {
            let record = Arc::clone(&record);
            spawn_blocking(move || record.csv()).await.map_err(io::Error::other)?
        }
        Question::Usage => usage::process(&record, index),
        Question::Reset => {
            record.reset();
            String::new()
        }
        Question::Broadcast(text) => {
            if let Some(ws) = ws {
                ws.heard(text);
            }
            String::new()
        }
    };
    stream.write_all(answer.as_bytes()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_paths_are_exact() {
        assert_eq!(Control::find("GET", "/truth"), Some(Control::Truth));
        assert_eq!(Control::find("POST", "/truth/reset"), Some(Control::Reset));
        assert_eq!(Control::find("GET", "/truth/reset"), Some(Control::WrongMethod("POST")));
        assert_eq!(Control::find("GET", "/truths"), None);
        assert_eq!(Control::find("GET", "/"), None);
    }

    #[test]
    fn merged_arrivals_are_in_order_of_time() {
        let merged = merge_csv("9,a\n100,a\n", &["20,b\n101,b\n".to_owned(), String::new()]);
        assert_eq!(merged, format!("{CSV_HEADER}9,a\n20,b\n100,a\n101,b\n"));
    }
}
