//! How do pages come without frames? Records of the original's TCP formats, on a port of their own.

use std::{cell::RefCell, io, net::IpAddr, rc::Rc, sync::Arc};

use load_wire::dwcp::{
    CHUNK, PAGE,
    message::Framing,
    raw::{Reader, Record},
};
use tokio::{io::AsyncReadExt, net::TcpListener, sync::Notify, task::spawn_local};

use super::{
    DataContext,
    session::{Raw, Session},
};
use crate::stream::GatedStream;

/// Listens for the raw streams of the session's migration. The port.
pub(super) async fn listen(
    data: &Rc<DataContext>,
    session: &Rc<RefCell<Session>>,
    framing: Framing,
    address: IpAddr,
) -> io::Result<(u16, Raw)> {
    let listener = TcpListener::bind((address, 0)).await?;
    let port = listener.local_addr()?.port();
    let more = Rc::new(Notify::new());
    let (data, session, told) = (Rc::clone(data), Rc::clone(session), Rc::clone(&more));
    let task = spawn_local(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let stream = GatedStream::new(tcp, Arc::clone(&data.context.record));
            let (data, session, told) = (Rc::clone(&data), Rc::clone(&session), Rc::clone(&told));
            spawn_local(async move {
                let read = serve(&data, &session, framing, stream).await;
                if read.is_none()
                    && let Some(raw) = raw(&mut session.borrow_mut())
                {
                    raw.failed = true;
                }
                told.notify_waiters();
            });
        }
    });
    Ok((port, Raw { framing, bytes: 0, failed: false, more, listener: task.abort_handle() }))
}

fn raw(session: &mut Session) -> Option<&mut Raw> {
    session.migration.as_mut()?.raw.as_mut()
}

/// Reads one stream to its end; none when it was wrong.
async fn serve(
    data: &Rc<DataContext>,
    session: &RefCell<Session>,
    framing: Framing,
    mut stream: GatedStream,
) -> Option<()> {
    let image = session.borrow().migration.as_ref()?.image.bytes();
    let mut reader = Reader::new(framing, image);
    let mut buffer = vec![0; CHUNK];
    // The record whose bytes are coming, and how many have come.
    let mut record: Option<(Record, usize)> = None;
    loop {
        let n = stream.read(&mut buffer).await.ok()?;
        if n == 0 {
            return (record.is_none() && reader.is_between()).then_some(());
        }
        data.carry(n).await;
        let mut rest = &buffer[..n];
        while !rest.is_empty() {
            let Some((at, come)) = record else {
                let (taken, whole) = reader.read(rest).ok()?;
                rest = &rest[taken..];
                record = whole.map(|whole| (whole, 0));
                continue;
            };
            let n = rest.len().min(at.length - come);
            let mut session = session.borrow_mut();
            let migration = session.migration.as_mut().filter(|migration| migration.takes_pages())?;
            migration.image.place(at.offset + come as u64, n).copy_from_slice(&rest[..n]);
            rest = &rest[n..];
            record = Some((at, come + n)).filter(|(at, come)| *come < at.length);
            let raw = migration.raw.as_mut()?;
            raw.bytes += n as u64;
            raw.more.notify_waiters();
            if record.is_none() {
                let mut count = data.record().count();
                count.frames += 1;
                count.bytes += at.length as u64;
                count.pages += at.length.div_ceil(PAGE) as u64;
            }
        }
    }
}
