//! Which bytes does a statement become? Everything that does not vary is made before the run.

use std::fmt::Write as _;

use load_suite::scope::Scope;
use load_suite::template::{Escape, Names, Template};

use super::expr::slot;
use super::source::{first_word, name_length, quoted};

/// How statements are sent: pgbench's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Style {
    /// As one text, with the values in it.
    Simple,
    /// Parsed each time, with the values apart.
    Extended,
    /// Parsed once a connection.
    #[default]
    Prepared,
}

/// What a statement does to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only reads.
    Read,
    /// It ends a transaction well, if there is one.
    Commit,
    /// Anything else: outside of a transaction it is one of its own.
    Other,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Statement {
    /// With `$1` for the first value, and so on.
    pub sql: String,
    /// Its name on the server, where it is prepared.
    pub name: String,
    /// What it does to the transaction.
    pub kind: Kind,
    style: Style,
    values: Vec<Value>,
    /// Texts before each value and behind the last one; of the simple protocol.
    texts: Vec<String>,
    /// From the first byte to the values, and where in it the message begins whose length depends on them.
    head: Vec<u8>,
    bind: usize,
    /// Behind the values.
    tail: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Value {
    Slot(usize, String),
    Constant(String),
    Template(Template),
}

/// The server gets ready for more.
pub const SYNC: &[u8] = b"S\0\0\0\x04";

impl Statement {
    /// Compiles `sql`, in which `:name` and `{{...}}` stand for values.
    ///
    /// # Errors
    /// What stands for nothing.
    pub fn compile(sql: &str, names: &Names, style: Style, number: usize) -> Result<Self, String> {
        let (values, texts) = values(sql, names)?;
        let mut numbered = String::new();
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                let _ = write!(numbered, "${index}");
            }
            numbered += text;
        }
        if numbered.contains('\0') {
            return Err("a statement with a zero byte".into());
        }
        let kind = match first_word(sql).as_str() {
            "SELECT" | "SHOW" | "VALUES" | "TABLE" | "EXPLAIN" | "BEGIN" | "START" | "SET" | "FETCH"
            | "ROLLBACK" | "ABORT" | "SAVEPOINT" => Kind::Read,
            "COMMIT" | "END" => Kind::Commit,
            _ => Kind::Other,
        };
        let name = if style == Style::Prepared { format!("s{number}") } else { String::new() };
        let mut head = Vec::new();
        if style == Style::Extended {
            head.extend(parse("", &numbered));
        }
        let bind = head.len();
        match style {
            Style::Simple => head.extend(b"Q\0\0\0\0"),
            Style::Extended | Style::Prepared => {
                // The unnamed portal, and all values as texts.
                head.extend(b"B\0\0\0\0\0");
                head.extend(name.as_bytes());
                head.extend([0, 0, 0]);
                let count =
                    u16::try_from(values.len()).map_err(|_| "more values than a statement may have")?;
                head.extend(count.to_be_bytes());
            }
        }
        let tail = if style == Style::Simple { Vec::new() } else { EXECUTE.to_vec() };
        Ok(Self { sql: numbered, name, kind, style, values, texts, head, bind, tail })
    }

    /// From now on answers say what their columns are called.
    pub fn describe(&mut self) {
        if self.style != Style::Simple {
            self.tail = DESCRIBE.to_vec();
        }
    }

    /// The message that prepares it.
    pub fn parse(&self) -> Vec<u8> {
        parse(&self.name, &self.sql)
    }

    /// Whether it ends with [`SYNC`]; the simple protocol has no such thing.
    pub fn needs_sync(&self) -> bool {
        self.style != Style::Simple
    }

    /// Appends the request to `out`.
    ///
    /// # Errors
    /// The name of a variable that is not set.
    #[inline]
    pub fn encode(&self, scope: &Scope, out: &mut Vec<u8>) -> Result<(), &str> {
        let begin = out.len() + self.bind + 1;
        out.extend_from_slice(&self.head);
        if self.style == Style::Simple {
            self.encode_simple(scope, out)?;
            out.push(0);
        } else {
            for value in &self.values {
                let length = out.len();
                out.extend_from_slice(&[0; 4]);
                value.write(scope, out)?;
                patch(out, length, 4);
            }
            // All columns as texts.
            out.extend_from_slice(&[0, 0]);
        }
        patch(out, begin, 0);
        out.extend_from_slice(&self.tail);
        Ok(())
    }

    fn encode_simple(&self, scope: &Scope, out: &mut Vec<u8>) -> Result<(), &str> {
        out.extend_from_slice(self.texts[0].as_bytes());
        let mut text = Vec::new();
        for (value, behind) in self.values.iter().zip(&self.texts[1..]) {
            text.clear();
            value.write(scope, &mut text)?;
            literal(&text, out);
            out.extend_from_slice(behind.as_bytes());
        }
        Ok(())
    }
}

/// Runs the unnamed portal.
const EXECUTE: &[u8] = b"E\0\0\0\x09\0\0\0\0\0";
/// The same, behind the names of its columns.
const DESCRIBE: &[u8] = b"D\0\0\0\x06P\0E\0\0\0\x09\0\0\0\0\0";

/// Writes the length of what begins at `at`, `less` so many bytes, to its beginning.
#[inline]
fn patch(out: &mut [u8], at: usize, less: usize) {
    let length = (out.len() - at - less) as u32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

fn parse(name: &str, sql: &str) -> Vec<u8> {
    let mut out = b"P\0\0\0\0".to_vec();
    out.extend(name.bytes().chain([0]).chain(sql.bytes()).chain([0, 0, 0]));
    patch(&mut out, 1, 0);
    out
}

/// A value within a text: a number as it is, anything else in quotes.
fn literal(text: &[u8], out: &mut Vec<u8>) {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        // Behind a minus, another one would begin a comment.
        let (open, close): (&[u8], &[u8]) = if digits.len() < text.len() { (b"(", b")") } else { (b"", b"") };
        out.extend_from_slice(open);
        out.extend_from_slice(text);
        out.extend_from_slice(close);
        return;
    }
    out.push(b'\'');
    for &byte in text {
        if byte == b'\'' {
            out.push(b'\'');
        }
        out.push(byte);
    }
    out.push(b'\'');
}

impl Value {
    #[inline]
    fn write(&self, scope: &Scope, out: &mut Vec<u8>) -> Result<(), &str> {
        match self {
            Self::Slot(slot, name) => {
                let text = scope.vars.get(*slot);
                if text.is_empty() {
                    return Err(name);
                }
                out.extend_from_slice(text);
            }
            Self::Constant(text) => out.extend_from_slice(text.as_bytes()),
            Self::Template(template) => template.render(scope, out),
        }
        Ok(())
    }
}

/// What stands for values in `sql`, and the texts around them.
fn values(sql: &str, names: &Names) -> Result<(Vec<Value>, Vec<String>), String> {
    let (mut values, mut texts) = (Vec::new(), vec![String::new()]);
    let mut at = 0;
    while at < sql.len() {
        let rest = &sql[at..];
        let mut value = None;
        let length = if let Some(quoted) = quoted(rest) {
            let length = quoted.length;
            if !rest.starts_with('-') && !rest.starts_with('/') && rest[..length].contains("{{") {
                return Err(format!(
                    "{}: {{{{...}}}} is a value by itself; leave the quotes out",
                    &rest[..length]
                ));
            }
            length
        } else if rest.starts_with("::") {
            2
        } else if let Some(length) = name_length(rest) {
            let name = &rest[1..=length];
            value = Some(match (slot(names, name), names.constant(name)) {
                (Some(slot), _) => Value::Slot(slot, name.to_owned()),
                (None, Some(constant)) => Value::Constant(constant.to_owned()),
                (None, None) => {
                    return Err(format!(
                        "unknown :{name}; set it before with \\set, or give --define {name}=VALUE"
                    ));
                }
            });
            length + 1
        } else if rest.starts_with("{{") {
            let length = rest.find("}}").ok_or("{{ is not closed; expected }}")? + 2;
            let inner = rest[2..length - 2].trim();
            let template =
                Template::compile(&rest[..length], names, Escape::Raw).map_err(|error| error.to_string())?;
            // One that nothing was captured for would be an empty text.
            value = Some(match slot(names, inner) {
                Some(slot) => Value::Slot(slot, inner.to_owned()),
                None => Value::Template(template),
            });
            length
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        match value {
            Some(value) => {
                values.push(value);
                texts.push(String::new());
            }
            None => {
                if let Some(text) = texts.last_mut() {
                    text.push_str(&rest[..length]);
                }
            }
        }
        at += length;
    }
    Ok((values, texts))
}
