//! What does `{{...}}` insert? Texts with generators, compiled before the run and rendered without allocation.

/// What a generator may draw on: the identity of one iteration of one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Global index of the iteration: over all users, processes and segments, each occurs once.
    pub seq: u64,
    /// Global number of the virtual user.
    pub vu: u64,
    /// Iterations of this user before this one.
    pub iteration: u64,
}

/// A text with generators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Seq,
    Vu,
    Iteration,
}

/// A `{{...}}` that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Opened and not closed.
    #[error("column {column}: {{{{ is not closed; expected }}}}")]
    Open {
        /// Counted from 1.
        column: usize,
    },
    /// No such generator.
    #[error("column {column}: unknown generator {name:?}; known are seq, vu, iteration")]
    Unknown {
        /// Counted from 1.
        column: usize,
        /// As written.
        name: String,
    },
}

impl Template {
    /// Compiles `source`.
    ///
    /// # Errors
    /// An unclosed or unknown `{{...}}`, with its column.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut rest) = (Vec::new(), source);
        while let Some(at) = rest.find("{{") {
            let column = source.len() - rest.len() + at + 1;
            let end = rest[at..].find("}}").ok_or(TemplateError::Open { column })? + at;
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            parts.push(match rest[at + 2..end].trim() {
                "seq" => Part::Seq,
                "vu" => Part::Vu,
                "iteration" => Part::Iteration,
                name => return Err(TemplateError::Unknown { column, name: name.to_owned() }),
            });
            rest = &rest[end + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts, source: source.to_owned() })
    }

    /// The text, when no generator is in it.
    pub fn as_static(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// As written: series are named by it, never by what it renders to.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Appends the rendered text to `out`.
    pub fn render(&self, scope: &Scope, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Seq => push_decimal(scope.seq, out),
                Part::Vu => push_decimal(scope.vu, out),
                Part::Iteration => push_decimal(scope.iteration, out),
            }
        }
    }
}

/// Appends `value` in decimal.
pub fn push_decimal(value: u64, out: &mut Vec<u8>) {
    let (mut digits, mut at, mut value) = ([0_u8; 20], 20, value);
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_are_rendered_in_place() {
        let template = Template::parse("/x?k={{seq}}&u={{ vu }}").unwrap();
        let mut out = Vec::new();
        template.render(&Scope { seq: 12_345, vu: 0, iteration: 7 }, &mut out);
        assert_eq!(out, b"/x?k=12345&u=0");
        assert_eq!(template.as_static(), None);
        assert_eq!(Template::parse("/plain").unwrap().as_static(), Some("/plain"));
    }

    #[test]
    fn mistakes_are_pointed_at() {
        assert_eq!(Template::parse("ab{{seq"), Err(TemplateError::Open { column: 3 }));
        let error = Template::parse("{{uuuid}}").unwrap_err();
        assert_eq!(error.to_string(), "column 1: unknown generator \"uuuid\"; known are seq, vu, iteration");
    }

    #[test]
    fn decimals_equal_the_standard_ones() {
        for value in [0, 9, 10, 12_345, u64::MAX] {
            let mut out = Vec::new();
            push_decimal(value, &mut out);
            assert_eq!(out, value.to_string().as_bytes());
        }
    }
}
