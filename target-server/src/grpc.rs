//! What happens on a gRPC connection? Calls are counted, decided, answered by tonic's services, or go wrong as
//! scripted.

mod call;
mod record;
mod services;

use std::{cell::Cell, future::Future, rc::Rc, sync::Arc};

use hyper::{rt::Executor, server::conn::http2};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::mpsc, task::spawn_local};
use tonic::service::Routes;

use crate::{serve::Context, stream::GatedStream};

use call::{Calls, Order};
pub(crate) use record::GrpcRecord;
use record::Presence;
pub use record::{GrpcAborted, GrpcConnections, GrpcReport};
pub(crate) use services::routes;

/// What all gRPC connections share.
pub(crate) struct GrpcContext {
    context: Rc<Context>,
    routes: Routes,
}

impl GrpcContext {
    pub(crate) fn new(context: Rc<Context>, routes: Routes) -> Self {
        Self { context, routes }
    }
}

/// Runs hyper's tasks on the server's one thread.
#[derive(Clone, Copy)]
struct OnThisThread;

impl<F: Future<Output: 'static> + 'static> Executor<F> for OnThisThread {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

/// Serves a connection that was just accepted to its end, which is in the record.
pub(crate) async fn serve(grpc: Rc<GrpcContext>, tcp: TcpStream) {
    let record = &grpc.context.record;
    let _presence = Presence::new(Arc::clone(record));
    let stream = GatedStream::new(tcp, Arc::clone(record));
    let (orders, mut ordered) = mpsc::unbounded_channel();
    let calls = Calls { grpc: Rc::clone(&grpc), scripted: Rc::new(Cell::new(0)), orders };
    let mut builder = http2::Builder::new(OnThisThread);
    builder.max_concurrent_streams(grpc.context.script.grpc.streams);
    let connection = builder.serve_connection(TokioIo::new(stream), calls);
    let mut connection = std::pin::pin!(connection);
    loop {
        tokio::select! {
            // An error says that the client left, or did not speak HTTP/2.
            _ = connection.as_mut() => return,
            Some(order) = ordered.recv() => match order {
                Order::GoAway => connection.as_mut().graceful_shutdown(),
                Order::Close => return,
            },
        }
    }
}
