//! Is it the API that answers? What a server says to `GET /version`, before anything is ordered.

use load_net::http::Sink;

use crate::job::Version;

/// What is heard of the answer.
#[derive(Default)]
pub(crate) struct Heard {
    content_type: Option<String>,
    body: Vec<u8>,
}

/// Who listens.
pub(crate) struct Ear<'a>(pub(crate) &'a mut Heard);

impl Sink for Ear<'_> {
    fn head(&mut self, head: &[u8]) {
        let head = String::from_utf8_lossy(head);
        let value = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
        };
        self.0.content_type = head.lines().find_map(value);
    }

    fn wants_head(&self) -> bool {
        true
    }

    fn body(&mut self, piece: &[u8]) {
        self.0.body.extend_from_slice(piece);
    }
}

impl Heard {
    /// Whether this, with its `status`, is what the API says.
    ///
    /// # Errors
    /// What came instead, in one line.
    pub(crate) fn judge(&self, status: u16) -> Result<(), String> {
        let why = match serde_json::from_slice::<Version>(&self.body) {
            _ if status != 200 => "expected status 200".to_owned(),
            Ok(_) => return Ok(()),
            Err(error) if error.is_data() => format!("expected a version: {error}"),
            Err(_) => "expected JSON".to_owned(),
        };
        let content_type = self.content_type.as_deref().unwrap_or("no content type");
        Err(format!(
            "the target does not speak DWCP's API: it answered with status {status}, {content_type}, {} bytes; {why}; is it the right --url?",
            self.body.len()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, head: &str, body: &str) -> Result<(), String> {
        let mut heard = Heard::default();
        let mut ear = Ear(&mut heard);
        ear.head(head.as_bytes());
        ear.body(body.as_bytes());
        heard.judge(status)
    }

    #[test]
    fn what_is_not_the_api_is_told_with_what_it_said() {
        let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\n\r\n";
        let said = judged(200, html, "<html>").unwrap_err();
        for part in
            ["does not speak DWCP's API", "status 200, text/html; charset=utf-8, 6 bytes", "expected JSON"]
        {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains("line 1"), "{said}");
        let said = judged(404, "HTTP/1.1 404 Not Found\r\n\r\n", "").unwrap_err();
        assert!(said.contains("status 404, no content type, 0 bytes; expected status 200"), "{said}");
        assert!(judged(200, html, "[7]").unwrap_err().contains("expected a version"));
    }
}
