//! How does a call over HTTP/2 go that may take more than one exchange? Redirects, cookies and compressed bodies.
//!
//! Redirects stay on the connection, so with its target.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue};
use http::{Method, Request as Head, Uri};
use load_core::protocol::{Fault, Vu};
use load_report::fault::FaultKind;
use url::Url;

use crate::http::Ways;
use crate::http::codec::{Answer, Sink};
use crate::http::jar::Jar;
use crate::http::look::Look;
use crate::http::redirect::{self, Origin};
use crate::http::session::{Exchanged, Failure};
use crate::http2::{Request, Session};

/// Headers that describe a body.
const OF_BODIES: [HeaderName; 3] = [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING];

/// Where a call is.
struct Course {
    head: Head<()>,
    body: Option<Bytes>,
    url: Url,
    first: Origin,
    hops: u32,
    sent: u32,
    received: u64,
}

/// Makes one call on `session` in these `ways`. Of several answers the last one goes to `sink`.
pub async fn exchange(
    session: &mut Session,
    (call, ways): (&Request, Ways),
    vu: &mut Vu,
    mut sink: impl Sink,
) -> Exchanged {
    let Vu { scope, keep, .. } = vu;
    let jar: Rc<RefCell<Jar>> = keep.get();
    let mut course = match session.made(call, scope).and_then(Course::begin) {
        Ok(course) => course,
        Err(failure) => return Exchanged { result: Err(failure), sent: 0, received: 0 },
    };
    let result = loop {
        match course.hop(session, ways, &jar, &mut sink).await {
            Ok(None) => {}
            Ok(Some(answer)) => break Ok(answer),
            Err(failure) => break Err(failure),
        }
    };
    Exchanged { result, sent: course.sent, received: course.received }
}

impl Course {
    fn begin((head, body): (Head<()>, Option<Bytes>)) -> Result<Self, Failure> {
        let url = Url::parse(&head.uri().to_string()).ok();
        let Some((url, first)) = url.and_then(|url| Origin::of(&url).map(|origin| (url, origin))) else {
            let why = "the URL cannot be taken apart, which redirects and cookies need".to_owned();
            return Err(Failure::Told(Fault::answered(FaultKind::Local, 0), why));
        };
        Ok(Self { head, body, url, first, hops: 0, sent: 0, received: 0 })
    }

    /// One exchange; an answer unless another one has to follow.
    async fn hop(
        &mut self,
        session: &mut Session,
        ways: Ways,
        jar: &RefCell<Jar>,
        sink: &mut impl Sink,
    ) -> Result<Option<Answer>, Failure> {
        let mut head = self.head.clone();
        let cookies = if ways.cookies { jar.borrow().cookies(&self.url) } else { None };
        if let Some(cookies) = cookies.and_then(|cookies| HeaderValue::try_from(cookies).ok()) {
            head.headers_mut().append(COOKIE, cookies);
        }
        let mut look = Look::new(ways, session.max_body(), sink);
        let Exchanged { result, sent, received } = session.send(head, self.body.clone(), &mut look).await;
        self.sent = self.sent.saturating_add(sent);
        self.received += received;
        for cookie in &look.set_cookies {
            jar.borrow_mut().take(cookie, &self.url);
        }
        let answer = result?;
        if let Some(location) = &look.location {
            let failed = |why| {
                let fault = Fault::answered(FaultKind::Rejected, answer.status.into());
                Failure::Told(Fault { ends_session: !answer.keep_alive, ..fault }, why)
            };
            return self.follow(ways.max_redirects, look.status, location).map(|()| None).map_err(failed);
        }
        look.finish().map_err(Failure::Answered)?;
        Ok(Some(answer))
    }

    /// Goes to where a redirect leads, unless it is one more than `most`.
    fn follow(&mut self, most: u32, status: u16, location: &str) -> Result<(), String> {
        if self.hops == most {
            return Err(format!("more than {most} redirects (--max-redirects)"));
        }
        let next = redirect::next(&self.url, location, &self.first, &[]).map_err(|why| {
            let why = why.split("; --redirect-hosts").next().unwrap_or_default();
            format!("{why}; over HTTP/2 redirects stay with the target")
        })?;
        if redirect::becomes_get(status, self.head.method().as_str().as_bytes()) {
            *self.head.method_mut() = Method::GET;
            self.body = None;
            for name in OF_BODIES {
                self.head.headers_mut().remove(name);
            }
        }
        let uri = next.as_str().parse::<Uri>().map_err(|error| format!("a redirect to no URL: {error}"))?;
        *self.head.uri_mut() = uri;
        self.url = next;
        self.hops += 1;
        Ok(())
    }
}
