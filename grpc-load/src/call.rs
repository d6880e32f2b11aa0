//! What is sent, call for call? One request, compiled: its head once, its message once unless it has `{{...}}`.

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method as HttpMethod, Request, Uri, Version};
use load_suite::scope::Scope;
use load_suite::template::Template;
use prost_reflect::MessageDescriptor;

use crate::descriptor::Method;
use crate::framing;
use crate::json;
use crate::shape::Shape;
use crate::status::Codes;

/// What a good answer is like.
#[derive(Clone)]
pub struct Expect {
    /// Its status is one of these.
    pub codes: Codes,
    /// Its message, as JSON, contains this.
    pub text: Option<String>,
    /// Its message has at most so many bytes.
    pub max_message: u64,
}

/// All calls of a run.
pub struct Call {
    /// Method, path and metadata.
    pub head: Request<()>,
    message: Message,
    /// The type of the answer.
    pub output: MessageDescriptor,
    /// The same, to check answers against.
    pub shape: Shape,
    /// What a good answer is like.
    pub expect: Expect,
}

enum Message {
    /// Framed.
    Fixed(Bytes),
    Made(Template, MessageDescriptor),
}

/// Room for messages that are made call for call.
#[derive(Default)]
pub struct Buffers {
    json: Vec<u8>,
    message: Vec<u8>,
}

impl Call {
    /// Compiles a call of `method` with the request that `json` describes.
    ///
    /// # Errors
    /// Where the JSON does not fit the type of the request.
    pub fn new(head: Request<()>, method: Method, json: &Template, expect: Expect) -> Result<Self, String> {
        let made = Message::Made(json.clone(), method.input);
        // The first iteration of the first user stands for all.
        let first = made.bytes(&Scope::default(), &mut Buffers::default())?;
        let message = if json.as_static().is_some() { Message::Fixed(first) } else { made };
        Ok(Self { head, message, shape: Shape::new(&method.output), output: method.output, expect })
    }

    /// The framed message of the iteration that `scope` says.
    ///
    /// # Errors
    /// What `{{...}}` became does not fit the type.
    #[inline]
    pub fn message(&self, scope: &Scope, buffers: &mut Buffers) -> Result<Bytes, String> {
        self.message.bytes(scope, buffers)
    }
}

impl Message {
    #[inline]
    fn bytes(&self, scope: &Scope, buffers: &mut Buffers) -> Result<Bytes, String> {
        match self {
            Self::Fixed(bytes) => Ok(bytes.clone()),
            Self::Made(template, input) => {
                let Buffers { json, message } = buffers;
                json.clear();
                message.clear();
                template.render(scope, json);
                json::encode(input, json, message)?;
                framing::frame(message)
            }
        }
    }
}

/// The head of a request to `path` with these headers.
///
/// # Errors
/// The authority is none.
pub fn head(secure: bool, authority: &str, path: &str, headers: HeaderMap) -> Result<Request<()>, String> {
    let authority: Authority = authority.parse().map_err(|error| format!("{authority:?}: {error}"))?;
    let path = PathAndQuery::try_from(path).map_err(|error| error.to_string())?;
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    uri.authority = Some(authority);
    uri.path_and_query = Some(path);
    let mut request = Request::new(());
    *request.method_mut() = HttpMethod::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = Uri::from_parts(uri).map_err(|error| error.to_string())?;
    *request.headers_mut() = headers;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;
    use crate::descriptor::MethodName;

    fn call(json: &str) -> Result<Call, String> {
        let pool = DescriptorPool::decode(load_wire::nova_torch::DESCRIPTORS).unwrap();
        let name = MethodName::parse("nova_torch.NovaOrchestrator/RegisterAgent").unwrap();
        let expect = Expect { codes: Codes::new(Vec::new()), text: None, max_message: 100 };
        let head = head(false, "h:1", &name.path(), HeaderMap::new())?;
        Call::new(head, name.find(&pool)?, &Template::parse(json).unwrap(), expect)
    }

    #[test]
    fn a_message_without_templates_is_made_once() {
        let (call, scope) = (call(r#"{"agent_id": "a"}"#).unwrap(), Scope::default());
        let first = call.message(&scope, &mut Buffers::default()).unwrap();
        let second = call.message(&Scope::numbered(7, 0, 0), &mut Buffers::default()).unwrap();
        assert_eq!(first.as_ref(), b"\0\0\0\0\x03\x0a\x01a");
        assert_eq!(first.as_ptr(), second.as_ptr());
        assert_eq!(call.head.uri(), "http://h:1/nova_torch.NovaOrchestrator/RegisterAgent");
    }

    #[test]
    fn templates_are_filled_in_before_the_json_is_read() {
        let call = call(r#"{"agent_id": "v{{vu}}", "port": {{seq}}}"#).unwrap();
        let scope = Scope::numbered(5, 2, 0);
        let message = call.message(&scope, &mut Buffers::default()).unwrap();
        assert_eq!(message.as_ref(), b"\0\0\0\0\x06\x0a\x02v2\x28\x05");
    }

    #[test]
    fn what_does_not_fit_is_told_at_once() {
        assert!(call(r#"{"port": "x{{seq}}"}"#).err().unwrap().contains("port"));
    }
}
