//! What do the words of a command say? The options of curl that change what is sent, and those that do not.

use crate::ImportError;

use super::shell::Command;

/// What a command asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) urls: Vec<String>,
    pub(super) method: Option<String>,
    pub(super) headers: Vec<String>,
    pub(super) data: Vec<Data>,
    pub(super) is_json: bool,
    pub(super) parts: Vec<(String, bool)>,
    pub(super) user: Option<String>,
    pub(super) bearer: Option<String>,
    pub(super) cookies: Vec<String>,
    pub(super) agent: Option<String>,
    pub(super) referer: Option<String>,
    pub(super) seconds: Option<String>,
    pub(super) is_get: bool,
    pub(super) is_head: bool,
    /// What a reader should know.
    pub(super) notes: Vec<&'static str>,
}

/// A piece of a body.
#[derive(Debug)]
pub(super) enum Data {
    /// Sent as it is, or a file after `@`.
    Plain(String),
    /// Sent as it is.
    Raw(String),
    /// Encoded first.
    Encoded(String),
}

const INSECURE: &str = "The server's certificate was not verified (-k): say --insecure for the same.";
const FOLLOWS: &str = "Redirects were followed (-L): say --max-redirects 50 for the same.";

/// What an option means.
#[derive(Clone, Copy)]
enum Does {
    /// Takes a value.
    With(fn(&mut Asked, String)),
    /// Is a switch.
    Switch(fn(&mut Asked)),
}

use Does::{Switch, With};

/// Short and long names. What only changes how curl shows things is read and left.
const OPTIONS: [(char, &str, Does); 49] = [
    ('X', "request", With(|asked, value| asked.method = Some(value))),
    ('H', "header", With(|asked, value| asked.headers.push(value))),
    ('d', "data", With(|asked, value| asked.data.push(Data::Plain(value)))),
    (' ', "data-ascii", With(|asked, value| asked.data.push(Data::Plain(value)))),
    (' ', "data-binary", With(|asked, value| asked.data.push(Data::Plain(value)))),
    (' ', "data-raw", With(|asked, value| asked.data.push(Data::Raw(value)))),
    (' ', "data-urlencode", With(|asked, value| asked.data.push(Data::Encoded(value)))),
    (
        ' ',
        "json",
        With(|asked, value| {
            asked.is_json = true;
            asked.data.push(Data::Plain(value));
        }),
    ),
    ('F', "form", With(|asked, value| asked.parts.push((value, true)))),
    (' ', "form-string", With(|asked, value| asked.parts.push((value, false)))),
    ('u', "user", With(|asked, value| asked.user = Some(value))),
    (' ', "oauth2-bearer", With(|asked, value| asked.bearer = Some(value))),
    ('b', "cookie", With(|asked, value| asked.cookies.push(value))),
    ('A', "user-agent", With(|asked, value| asked.agent = Some(value))),
    ('e', "referer", With(|asked, value| asked.referer = Some(value))),
    ('m', "max-time", With(|asked, value| asked.seconds = Some(value))),
    (' ', "url", With(|asked, value| asked.urls.push(value))),
    ('G', "get", Switch(|asked| asked.is_get = true)),
    ('I', "head", Switch(|asked| asked.is_head = true)),
    ('k', "insecure", Switch(|asked| asked.notes.push(INSECURE))),
    ('L', "location", Switch(|asked| asked.notes.push(FOLLOWS))),
    ('o', "output", With(|_, _| {})),
    ('D', "dump-header", With(|_, _| {})),
    ('c', "cookie-jar", With(|_, _| {})),
    ('w', "write-out", With(|_, _| {})),
    (' ', "stderr", With(|_, _| {})),
    (' ', "connect-timeout", With(|_, _| {})),
    (' ', "retry", With(|_, _| {})),
    (' ', "retry-delay", With(|_, _| {})),
    (' ', "max-redirs", With(|_, _| {})),
    ('s', "silent", Switch(|_| {})),
    ('S', "show-error", Switch(|_| {})),
    ('v', "verbose", Switch(|_| {})),
    ('i', "include", Switch(|_| {})),
    ('f', "fail", Switch(|_| {})),
    (' ', "fail-with-body", Switch(|_| {})),
    ('g', "globoff", Switch(|_| {})),
    ('N', "no-buffer", Switch(|_| {})),
    ('O', "remote-name", Switch(|_| {})),
    ('#', "progress-bar", Switch(|_| {})),
    (' ', "no-progress-meter", Switch(|_| {})),
    (' ', "compressed", Switch(|_| {})),
    (' ', "path-as-is", Switch(|_| {})),
    ('0', "http1.0", Switch(|_| {})),
    (' ', "http1.1", Switch(|_| {})),
    (' ', "http2", Switch(|_| {})),
    (' ', "http2-prior-knowledge", Switch(|_| {})),
    (' ', "http3", Switch(|_| {})),
    ('4', "ipv4", Switch(|_| {})),
];

impl Asked {
    /// Reads the words behind `curl`.
    pub(super) fn read(command: &Command) -> Result<Self, ImportError> {
        let wrong = |message: String| ImportError::new(format!("line {}", command.line), message);
        let (mut asked, mut unknown) = (Self::default(), Vec::new());
        let mut words = command.words.iter().skip(1);
        while let Some(word) = words.next() {
            if let Some(name) = word.strip_prefix("--").filter(|name| !name.is_empty()) {
                match OPTIONS.iter().find(|(_, long, _)| *long == name) {
                    Some((_, _, Switch(switch))) => switch(&mut asked),
                    Some((_, _, With(with))) => {
                        let value =
                            words.next().ok_or_else(|| wrong(format!("expected a value behind {word}")))?;
                        with(&mut asked, value.clone());
                    }
                    None => unknown.push(word.clone()),
                }
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                asked.short(letters, &mut words, &mut unknown).map_err(wrong)?;
            } else {
                asked.urls.push(word.clone());
            }
        }
        if !unknown.is_empty() {
            let list = unknown.join(", ");
            return Err(wrong(format!(
                "unknown options of curl: {list}; leave them out of the command, or say what they do in the suite"
            )));
        }
        if asked.urls.is_empty() {
            return Err(wrong("expected a URL in the command".to_owned()));
        }
        Ok(asked)
    }

    /// Letters behind one dash: switches, of which the last may be an option with a value.
    fn short<'w>(
        &mut self,
        letters: &str,
        words: &mut impl Iterator<Item = &'w String>,
        unknown: &mut Vec<String>,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            match OPTIONS.iter().find(|(short, _, _)| *short == letter && letter != ' ') {
                Some((_, _, Switch(switch))) => switch(self),
                Some((_, _, With(with))) => {
                    let attached = &letters[at + letter.len_utf8()..];
                    let value =
                        if attached.is_empty() { words.next().cloned() } else { Some(attached.to_owned()) };
                    with(self, value.ok_or_else(|| format!("expected a value behind -{letter}"))?);
                    return Ok(());
                }
                None => {
                    unknown.push(format!("-{letter}"));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
