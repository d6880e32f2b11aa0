//! Which server is it, and who asks it? Address, trust, metadata, and where its types are known from.

use http::Request;
use load_core::error::UsageError;
use load_core::protocol::{Control, LinkId, Probe};
use load_core::record::Unobserved;
use load_net::args::wrong;
use load_net::connection::Tls;
use load_net::http2::Link;
use load_net::http2::greet::greet;
use load_net::reach;
use load_net::url::{Schemes, Url};
use prost_reflect::DescriptorPool;

use crate::args::ServerArgs;
use crate::call;
use crate::descriptor;
use crate::metadata::Metadata;
use crate::reflection::{self, Origin};

/// A server, as the flags have it.
pub struct Server {
    /// Where it is.
    pub url: Url,
    /// What goes with every call.
    pub metadata: Metadata,
    /// The `:authority`.
    pub authority: String,
    /// How it is trusted.
    pub tls: Option<Tls>,
    /// Whether certificates are verified, for the record.
    pub verified: Option<&'static str>,
    /// Its types, where it is not asked for them.
    pub pool: Option<DescriptorPool>,
    /// Which flag said so.
    said_by: &'static str,
}

impl Server {
    /// The server that `args` name; nothing is sent.
    ///
    /// # Errors
    /// What is wrong in them, and what was expected.
    pub fn new(args: &ServerArgs) -> Result<Self, UsageError> {
        let text = args
            .url
            .as_deref()
            .ok_or_else(|| UsageError::new("no target: give --url http://HOST:PORT, or set GRPC_URL"))?;
        let url = Url::parse(text, Schemes::HTTP).map_err(|error| wrong("--url", error))?;
        if url.target != "/" || url.userinfo.is_some() {
            let why = "expected http://HOST:PORT alone: --method says what is called, --metadata and --token who calls";
            return Err(wrong("--url", why));
        }
        let (said_by, pool) = types(args)?.map_or(("reflection", None), |(by, pool)| (by, Some(pool)));
        let authority = args.authority.clone().unwrap_or_else(|| url.authority.clone());
        call::head(url.secure, &authority, "/", http::HeaderMap::new())
            .map_err(|error| wrong("--authority", error))?;
        Ok(Self {
            metadata: Metadata::new(&args.metadata, args.token.bearer()?.as_deref())?,
            tls: args.tls.tls(&url, &[b"h2"])?,
            verified: args.tls.describe(&url),
            url,
            authority,
            pool,
            said_by,
        })
    }

    /// For people.
    pub fn label(&self) -> String {
        format!("{}://{}", self.url.scheme, self.url.authority)
    }

    /// Where its types are known from.
    pub fn types_from(&self) -> &'static str {
        self.said_by
    }

    /// The head of a call to `path`.
    ///
    /// # Errors
    /// The path is none.
    pub fn head(&self, path: &str) -> Result<Request<()>, String> {
        call::head(self.url.secure, &self.authority, path, self.metadata.headers())
    }

    /// Finds it, and makes sure that it speaks HTTP/2.
    ///
    /// # Errors
    /// It is not there, or does not: one line.
    pub async fn greet(&self) -> Result<(reach::Target, Link), String> {
        let reach =
            reach::Target::find(&self.url, self.tls.clone()).await.map_err(|error| error.to_string())?;
        let (observer, mut note) = (Unobserved, String::new());
        let mut probe = Probe::unobserved(&observer, &mut note);
        let opened = reach.connect(LinkId::FIRST, self.tls.as_ref(), &mut probe).await;
        let connection = opened.map_err(|_| note)?;
        let link = greet(&self.url.authority, connection).await?;
        Ok((reach, link))
    }

    /// Its types, as far as `services` go.
    ///
    /// # Errors
    /// It does not tell, or has no such service.
    pub async fn pool(
        &self,
        link: &Link,
        services: &[String],
        control: &mut Control,
    ) -> Result<DescriptorPool, String> {
        match &self.pool {
            Some(pool) => Ok(pool.clone()),
            None => reflection::ask(link, &self.origin(), services, control).await,
        }
    }

    /// The names of its services.
    ///
    /// # Errors
    /// It does not tell.
    pub async fn services(&self, link: &Link) -> Result<Vec<String>, String> {
        reflection::list(link, &self.origin()).await
    }

    fn origin(&self) -> Origin<'_> {
        let headers = self.metadata.headers();
        Origin { secure: self.url.secure, authority: &self.authority, headers }
    }
}

/// The types that `args` bring along, for which no server is asked, and the flag that does.
///
/// # Errors
/// The file is not what the flag expects.
pub fn types(args: &ServerArgs) -> Result<Option<(&'static str, DescriptorPool)>, UsageError> {
    Ok(match (&args.proto, &args.descriptor_set) {
        (Some(file), _) => Some(("--proto", descriptor::compile(file, &args.import_paths)?)),
        (None, Some(file)) => Some(("--descriptor-set", descriptor::read_set(file)?)),
        (None, None) => None,
    })
}
