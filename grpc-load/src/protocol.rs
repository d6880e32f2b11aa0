//! What does the engine get? The protocol of the trait: flags in, one compiled call, faults told apart.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use load_core::error::{PrepareError, UsageError};
use load_core::protocol::{Control, Fault, LinkId, Outcome, Probe, Protocol, Script, Sharing, Vu};
use load_core::record::Unobserved;
use load_net::args::{read, wrong};
use load_net::connection::Tls;
use load_net::http2::Link;
use load_net::http2::greet::{greet, in_time};
use load_net::reach;
use load_net::redact::Collector;
use load_net::url::{Schemes, Url};
use load_report::fault::FaultKind;
use load_suite::template::Template;
use prost_reflect::DescriptorPool;
use serde::{Deserialize, Serialize};

use crate::args::GrpcArgs;
use crate::call::{self, Call, Expect};
use crate::descriptor::{self, MethodName};
use crate::metadata::Metadata;
use crate::reflection::{self, Origin};
use crate::session::Session;
use crate::status::Codes;

/// Largest message of an answer unless `--max-message` says otherwise.
const MAX_MESSAGE: u64 = 64 << 20;

/// Unary gRPC.
pub struct Grpc {
    url: Url,
    method: MethodName,
    /// The request as JSON.
    json: Template,
    metadata: Metadata,
    authority: String,
    expect: Expect,
    tls: Option<Tls>,
    /// Whether certificates are verified, for the record.
    verified: Option<&'static str>,
    /// From `--proto`.
    pool: Option<DescriptorPool>,
    /// One for all workers of a process.
    call: OnceLock<Result<Arc<Call>, String>>,
    script: Script<()>,
}

/// Where the target is, and what it serves.
#[derive(Clone, Serialize, Deserialize)]
pub struct Target {
    reach: reach::Target,
    /// A `FileDescriptorSet` in base64.
    descriptors: String,
}

impl Grpc {
    /// Compiles the call that `pool` describes.
    fn compile(&self, pool: &DescriptorPool) -> Result<Call, String> {
        let method = self.method.find(pool)?;
        let headers = self.metadata.headers();
        let head = call::head(self.url.secure, &self.authority, &self.method.path(), headers)?;
        Call::new(head, method, &self.json, self.expect.clone()).map_err(|error| format!("--json: {error}"))
    }

    /// The call, compiled once a process.
    fn call(&self, target: &Target) -> Result<Arc<Call>, String> {
        let compile = || {
            let bytes = BASE64_STANDARD.decode(&target.descriptors).map_err(|error| error.to_string())?;
            let pool = DescriptorPool::decode(bytes.as_slice()).map_err(|error| error.to_string())?;
            self.compile(&pool).map(Arc::new)
        };
        self.call.get_or_init(compile).clone()
    }

    /// Finds the target, makes sure that it speaks HTTP/2, and learns what the method's types are.
    async fn discover(&self, control: &mut Control) -> Result<Target, String> {
        let reach =
            reach::Target::find(&self.url, self.tls.clone()).await.map_err(|error| error.to_string())?;
        let (observer, mut note) = (Unobserved, String::new());
        let mut probe = Probe::unobserved(&observer, &mut note);
        let opened = reach.connect(LinkId::FIRST, self.tls.as_ref(), &mut probe).await;
        let connection = opened.map_err(|_| note)?;
        let link = greet(&self.url.authority, connection).await?;
        let pool = if let Some(pool) = &self.pool {
            pool.clone()
        } else {
            let headers = self.metadata.headers();
            let origin = Origin { secure: self.url.secure, authority: &self.authority, headers };
            reflection::ask(&link, &origin, &self.method, control).await?
        };
        let call = Arc::new(self.compile(&pool)?);
        // The first to say so: nothing has been sent yet.
        let _ = self.call.set(Ok(call));
        Ok(Target { reach, descriptors: BASE64_STANDARD.encode(pool.encode_to_vec()) })
    }
}

impl Protocol for Grpc {
    const NAME: &'static str = "grpc";
    type Args = GrpcArgs;
    type Target = Target;
    type Step = ();
    type Link = Link;
    type Session = Session;

    fn new(args: GrpcArgs) -> Result<Self, UsageError> {
        let text = args
            .url
            .as_deref()
            .ok_or_else(|| UsageError::new("no target: give --url http://HOST:PORT, or set GRPC_URL"))?;
        let url = Url::parse(text, Schemes::HTTP).map_err(|error| wrong("--url", error))?;
        if url.target != "/" || url.userinfo.is_some() {
            let why = "expected http://HOST:PORT alone: --method says what is called, --metadata and --token who calls";
            return Err(wrong("--url", why));
        }
        let method = args
            .method
            .as_deref()
            .ok_or_else(|| UsageError::new("no method: give --method pkg.Service/Method"))?;
        let method = MethodName::parse(method).map_err(|error| wrong("--method", error))?;
        let (flag, json) = json(&args)?;
        let json = Template::parse(&json).map_err(|error| wrong(flag, error))?;
        let pool = match &args.proto {
            Some(file) => Some(descriptor::compile(file, &args.import_paths)?),
            None => None,
        };
        let expect = Expect {
            codes: Codes::new(args.expect_code.clone()),
            text: args.expect_text.clone().filter(|text| !text.is_empty()),
            max_message: args.max_message.unwrap_or(MAX_MESSAGE),
        };
        let authority = args.authority.clone().unwrap_or_else(|| url.authority.clone());
        call::head(url.secure, &authority, "/", http::HeaderMap::new())
            .map_err(|error| wrong("--authority", error))?;
        let grpc = Self {
            metadata: Metadata::new(&args.metadata, args.token.bearer()?.as_deref())?,
            tls: args.tls.tls(&url, &[b"h2"])?,
            verified: args.tls.describe(&url),
            script: Script::call(()),
            call: OnceLock::new(),
            url,
            method,
            json,
            authority,
            expect,
            pool,
        };
        if let Some(pool) = &grpc.pool {
            // What is wrong with it needs no server to be known.
            grpc.compile(pool).map_err(UsageError::new)?;
        }
        Ok(grpc)
    }

    fn label(&self) -> String {
        format!("{}://{}/{}", self.url.scheme, self.url.authority, self.method)
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({
            "url": format!("{}://{}", self.url.scheme, self.url.authority),
            "method": self.method.to_string(),
            "json_bytes": self.json.source().len(),
            "metadata": self.metadata.describe(),
            "authority": self.authority,
            "types_from": if self.pool.is_some() { "--proto" } else { "reflection" },
            "expect_code": self.expect.codes.to_string(),
            "expect_text": self.expect.text,
            "max_message": self.expect.max_message,
            "tls": self.verified,
        })
    }

    fn secrets(&self) -> Vec<String> {
        let mut all = Collector::default();
        self.metadata.collect(&mut all);
        all.add_body(self.json.source().as_bytes());
        all.into_values()
    }

    fn ops(&self) -> Vec<String> {
        vec![self.method.to_string()]
    }

    fn script(&self) -> &Script<()> {
        &self.script
    }

    fn sharing(&self) -> Sharing {
        Sharing::Shared { lanes: None }
    }

    fn cancels(&self) -> bool {
        true
    }

    async fn prepare(&self, control: &mut Control) -> Result<Target, PrepareError> {
        in_time(&self.url.authority, self.discover(control)).await.map_err(PrepareError::new)
    }

    async fn connect(&self, target: &Target, link: LinkId, probe: &mut Probe<'_>) -> Result<Link, Fault> {
        if let Err(why) = self.call(target) {
            probe.note(why);
            return Err(Fault::fatal(FaultKind::Local));
        }
        let connection = target.reach.connect(link, self.tls.as_ref(), probe).await?;
        Link::begin(connection, probe).await
    }

    fn share(&self, link: &Link) -> Option<Link> {
        link.is_open().then(|| link.clone())
    }

    async fn open(&self, link: Link, _vu: &Vu) -> Result<Session, Fault> {
        let call = self.call.get().and_then(|call| call.as_ref().ok());
        call.map(|call| Session::new(link, Arc::clone(call))).ok_or_else(|| Fault::fatal(FaultKind::Local))
    }

    #[inline]
    async fn call(
        &self,
        session: &mut Session,
        _step: &(),
        vu: &mut Vu,
        probe: &mut Probe<'_>,
    ) -> Result<Outcome, Fault> {
        session.exchange(&vu.scope, probe).await
    }

    async fn idle(&self, session: &mut Session, probe: &mut Probe<'_>) -> Fault {
        session.ended(probe).await
    }
}

/// The request as JSON, and the flag that it came by.
fn json(args: &GrpcArgs) -> Result<(&'static str, String), UsageError> {
    match (&args.json, &args.json_file) {
        (Some(text), _) => Ok(("--json", text.clone())),
        (None, Some(file)) => {
            let text = String::from_utf8(read("--json-file", file)?);
            text.map(|text| ("--json-file", text)).map_err(|_| wrong("--json-file", "expected JSON in UTF-8"))
        }
        (None, None) => Ok(("--json", "{}".into())),
    }
}
