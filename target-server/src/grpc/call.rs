//! How does one gRPC call go? Counted when it comes, delayed and spoilt as scripted, counted when it ends.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    service::Service,
};
use load_wire::nova_torch::REGISTER_AGENT;
use tokio::sync::mpsc;
use tonic::{Code, Status, body::Body, codegen::Service as _};

use super::{
    GrpcContext,
    record::{Call, End},
};
use crate::{clock::now_ns, script::GrpcHow};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a call has its connection do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    /// No new calls; those in flight are finished.
    GoAway,
    /// Close at once.
    Close,
}

/// The calls of one connection.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) grpc: Rc<GrpcContext>,
    /// Calls of the load so far.
    pub(super) scripted: Rc<Cell<u64>>,
    pub(super) orders: mpsc::UnboundedSender<Order>,
}

impl Service<Request<Incoming>> for Calls {
    type Response = Response<Counted>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Counted>, Error>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let calls = self.clone();
        let call = Call::begin(Arc::clone(&self.grpc.context.record), request.uri().path());
        Box::pin(async move {
            if request.uri().path() == REGISTER_AGENT {
                calls.load(request, call).await
            } else {
                calls.count_unknown(request.uri().path());
                calls.plain(request.map(Body::new), call).await
            }
        })
    }
}

impl Calls {
    /// A call of the load, to which the script applies.
    async fn load(self, request: Request<Incoming>, mut call: Call) -> Result<Response<Counted>, Error> {
        let arrived_ns = now_ns();
        let context = &self.grpc.context;
        context.record.gate.begin(arrived_ns);
        self.scripted.set(self.scripted.get() + 1);
        let script = &context.script.grpc;
        if self.scripted.get() == script.calls_per_connection {
            // Gone already with a connection that is closing.
            let _ = self.orders.send(Order::GoAway);
        }
        let (delay_ns, how) = script.decide(context.script.seed, context.record.grpc.next_scripted());
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        if delay_ns > 0 {
            context.timer.until(arrived_ns + delay_ns).await;
        }
        let Some(how) = how else {
            let request = Request::from_parts(head, Body::new(Full::new(body)));
            return self.plain(request, call).await;
        };
        let end = match how {
            GrpcHow::Code(..) => None,
            GrpcHow::Reset => Some(End::Reset),
            GrpcHow::Close => Some(End::Close),
            GrpcHow::Never => Some(End::Never),
            GrpcHow::Garbage | GrpcHow::Short | GrpcHow::Empty => Some(End::Malformed),
        };
        if let Some(end) = end {
            call.end(end);
        }
        match how {
            GrpcHow::Code(code, message) => {
                Ok(Counted::new(Status::new(*code, message.as_str()).into_http(), call))
            }
            GrpcHow::Reset => Err("reset as scripted".into()),
            GrpcHow::Close => {
                let _ = self.orders.send(Order::Close);
                std::future::pending().await
            }
            GrpcHow::Never => std::future::pending().await,
            // A field of number 15 that says it has 127 bytes and has one.
            GrpcHow::Garbage => Ok(Counted::new(spoilt(b"\0\0\0\0\x03\x7a\x7f\xff"), call)),
            GrpcHow::Short => Ok(Counted::new(spoilt(b"\0\0\0\0\x10\x08\x01"), call)),
            GrpcHow::Empty => Ok(Counted::new(spoilt(b""), call)),
        }
    }

    /// Has the contract know of a method that there is not; health and reflection are any server's.
    fn count_unknown(&self, path: &str) {
        if !path.starts_with("/grpc.")
            && let Some(mut service) = self.grpc.context.record.contract()
        {
            service.call_unknown(path);
        }
    }

    /// A call as tonic's services answer it.
    async fn plain(&self, request: Request<Body>, call: Call) -> Result<Response<Counted>, Error> {
        let mut routes = self.grpc.routes.clone();
        std::future::poll_fn(|cx| {
            <tonic::service::Routes as tonic::codegen::Service<Request<Body>>>::poll_ready(&mut routes, cx)
        })
        .await?;
        Ok(Counted::new(routes.call(request).await?, call))
    }
}

/// An answer with status OK and these bytes.
fn spoilt(bytes: &'static [u8]) -> Response<Body> {
    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from(0))]);
    let body = Full::new(Bytes::from_static(bytes)).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
    response
}

/// The body of an answer, which counts the call's end when its trailers pass.
pub(super) struct Counted {
    body: Body,
    call: Call,
}

impl Counted {
    fn new(response: Response<Body>, mut call: Call) -> Response<Self> {
        // Without messages the head holds the status.
        if let Some(code) = status(response.headers()) {
            call.end(End::Status(code));
        }
        response.map(|body| Self { body, call })
    }
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(code) = frame.trailers_ref().and_then(status)
        {
            self.call.end(End::Status(code));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn status(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}
