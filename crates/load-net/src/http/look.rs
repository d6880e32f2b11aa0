//! What does an answer say about redirects, cookies and its coding? Between the connection and who wants the body.

use crate::http::agent::Ways;
use crate::http::codec::{Broken, Sink};
use crate::http::decode::Decoder;
use crate::http::fields::{fields, status};
use crate::http::redirect;

/// Looks at an answer before the sink gets it, if it gets it.
pub(crate) struct Look<'a, S> {
    ways: Ways,
    max_body: u64,
    sink: &'a mut S,
    /// The status.
    pub(crate) status: u16,
    /// Where the answer leads that is to be followed; its body is of no interest.
    pub(crate) location: Option<String>,
    /// What the answer says of cookies, if they are kept.
    pub(crate) set_cookies: Vec<String>,
    decoder: Option<Decoder>,
    broken: Option<Broken>,
}

impl<'a, S: Sink> Look<'a, S> {
    /// For the answer to a call that is made in these `ways`; its body has at most `max_body` bytes.
    pub(crate) fn new(ways: Ways, max_body: u64, sink: &'a mut S) -> Self {
        let set_cookies = Vec::new();
        Self { ways, max_body, sink, status: 0, location: None, set_cookies, decoder: None, broken: None }
    }

    /// The answer is whole: the sink gets what is left.
    ///
    /// # Errors
    /// The body was not compressed as the answer says.
    pub(crate) fn finish(self) -> Result<(), Broken> {
        match (self.broken, self.decoder) {
            (Some(broken), _) => Err(broken),
            (None, Some(mut decoder)) => decoder.finish(&mut |piece| self.sink.body(piece)),
            (None, None) => Ok(()),
        }
    }
}

impl<S: Sink> Sink for Look<'_, S> {
    fn wants_head(&self) -> bool {
        true
    }

    fn head(&mut self, head: &[u8]) {
        self.status = status(head);
        let follows = self.ways.max_redirects > 0 && redirect::is_redirect(self.status);
        let (mut coding, text) = (&b""[..], |value| String::from_utf8_lossy(value).into_owned());
        for (name, value) in fields(head) {
            if follows && name.eq_ignore_ascii_case(b"location") {
                self.location.get_or_insert_with(|| text(value));
            } else if self.ways.cookies && name.eq_ignore_ascii_case(b"set-cookie") {
                self.set_cookies.push(text(value));
            } else if name.eq_ignore_ascii_case(b"content-encoding") {
                coding = value;
            }
        }
        if self.location.is_some() {
            return;
        }
        if self.ways.compressed && self.sink.wants_body() {
            match Decoder::new(coding, self.max_body) {
                Ok(decoder) => self.decoder = decoder,
                Err(broken) => self.broken = Some(broken),
            }
        }
        self.sink.head(head);
    }

    fn body(&mut self, piece: &[u8]) {
        if self.location.is_some() || self.broken.is_some() {
            return;
        }
        match &mut self.decoder {
            None => self.sink.body(piece),
            Some(decoder) => self.broken = decoder.feed(piece, &mut |piece| self.sink.body(piece)).err(),
        }
    }
}
