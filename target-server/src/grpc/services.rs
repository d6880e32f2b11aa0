//! Which services are there? Nova-Torch's, health and reflection.

use std::{
    convert::Infallible,
    io,
    sync::Arc,
    task::{Context, Poll},
};

use load_wire::nova_torch::{DESCRIPTORS, REGISTER_AGENT};
use serde_json::{Value, json};
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Service, http},
    server::{Grpc, NamedService, UnaryService},
    service::Routes,
};
use tonic_prost::ProstCodec;

use crate::record::Record;

/// `nova_torch.RegisterAgentRequest`, written once more by hand: were the definition compiled here too, a mistake in
/// the compiler would agree with itself.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RegisterAgentRequest {
    #[prost(string, tag = "1")]
    pub(crate) agent_id: String,
    #[prost(string, tag = "2")]
    pub(crate) agent_type: String,
    #[prost(string, repeated, tag = "3")]
    pub(crate) capabilities: Vec<String>,
    #[prost(string, tag = "4")]
    pub(crate) host: String,
    #[prost(int32, tag = "5")]
    pub(crate) port: i32,
}

impl RegisterAgentRequest {
    /// The message as a contract's shapes see it.
    fn to_json(&self) -> Value {
        json!({
            "agent_id": self.agent_id,
            "agent_type": self.agent_type,
            "capabilities": self.capabilities,
            "host": self.host,
            "port": self.port,
        })
    }
}

/// `nova_torch.RegisterAgentResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RegisterAgentResponse {
    #[prost(bool, tag = "1")]
    pub(crate) success: bool,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(string, tag = "3")]
    pub(crate) agent_id: String,
}

/// All services.
///
/// # Errors
/// The descriptors are none, which only a broken build makes.
pub(crate) fn routes(record: Arc<Record>) -> io::Result<Routes> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (_, health) = tonic_health::server::health_reporter();
    Ok(Routes::new(Nova(record))
        .add_service(health)
        .add_service(reflection().build_v1().map_err(io::Error::other)?)
        .add_service(reflection().build_v1alpha().map_err(io::Error::other)?)
        .prepare())
}

/// `nova_torch.NovaOrchestrator`.
#[derive(Clone)]
struct Nova(Arc<Record>);

impl NamedService for Nova {
    const NAME: &'static str = "nova_torch.NovaOrchestrator";
}

impl Service<http::Request<Body>> for Nova {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let record = Arc::clone(&self.0);
        Box::pin(async move {
            if request.uri().path() != REGISTER_AGENT {
                return Ok(Status::unimplemented("NovaOrchestrator has RegisterAgent only").into_http());
            }
            let codec = ProstCodec::<RegisterAgentResponse, RegisterAgentRequest>::default();
            Ok(Grpc::new(codec).unary(RegisterAgent(record), request).await)
        })
    }
}

/// The method: the answer tells whose registration it is.
struct RegisterAgent(Arc<Record>);

impl UnaryService<RegisterAgentRequest> for RegisterAgent {
    type Response = RegisterAgentResponse;
    type Future = std::future::Ready<Result<Response<RegisterAgentResponse>, Status>>;

    fn call(&mut self, request: Request<RegisterAgentRequest>) -> Self::Future {
        let request = request.into_inner();
        let refusal =
            self.0.contract().and_then(|mut service| service.call(REGISTER_AGENT, &request.to_json()).err());
        let agent_id = request.agent_id;
        let answer = if let Some(refusal) = refusal {
            Err(Status::invalid_argument(refusal))
        } else if agent_id.is_empty() {
            Err(Status::invalid_argument("agent_id is empty"))
        } else {
            Ok(Response::new(RegisterAgentResponse {
                success: true,
                message: "registered".to_owned(),
                agent_id,
            }))
        };
        std::future::ready(answer)
    }
}
