//! How is a placeholder written? `name`, `table.column`, `generator(arguments)`, `env.NAME or "default"`, `captured or "default"`,
//! `captured or "default_" + table.column`, each with `| raw`, `| json` or `| url`.

use crate::nearest::nearest;

use super::{Escape, Names, Part, Value};

/// A `{{...}}` that is not right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Opened and not closed.
    #[error("column {column}: {{{{ is not closed; expected }}}}")]
    Open {
        /// Counted from 1.
        column: usize,
    },
    /// No such name.
    #[error("column {column}: unknown {{{{{name}}}}}{}", hint.as_deref().map_or_else(String::new, |hint| format!("; {hint}")))]
    Unknown {
        /// Counted from 1.
        column: usize,
        /// As written.
        name: String,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// A generator with other arguments than it takes.
    #[error("column {column}: expected {expected}")]
    Arguments {
        /// Counted from 1.
        column: usize,
        /// The generator as it should be.
        expected: &'static str,
    },
}

/// Generators, as they are written.
const GENERATORS: [&str; 13] = [
    "seq",
    "vu",
    "iteration",
    "uuid",
    "now",
    "now_ms",
    "now_s",
    "int(1, 6)",
    "float(0.1, 0.9)",
    "pick(\"a\", \"b\")",
    "sample(1, 2, \"a\", \"b\")",
    "hex(8)",
    "text(100)",
];

/// Texts and hexadecimal numbers are at most so long.
const LONGEST: i64 = 1 << 20;

/// The parts of `source`.
pub(super) fn parts(source: &str, names: &Names, escape: Escape) -> Result<Vec<Part>, TemplateError> {
    let (mut parts, mut rest) = (Vec::new(), source);
    let mut text = String::new();
    while let Some(at) = rest.find("{{") {
        let column = source.len() - rest.len() + at + 1;
        let end = rest[at..].find("}}").ok_or(TemplateError::Open { column })? + at;
        text += &rest[..at];
        let (value, own) = placeholder(rest[at + 2..end].trim(), column, names)?;
        match value {
            Value::Constant(constant) => {
                let mut out = Vec::new();
                super::render::escaped(constant.as_bytes(), own.unwrap_or(escape), &mut out);
                text += &String::from_utf8_lossy(&out);
            }
            value => {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text).into_bytes()));
                }
                parts.push(Part::Insert(value, own.unwrap_or(escape)));
            }
        }
        rest = &rest[end + 2..];
    }
    text += rest;
    if !text.is_empty() {
        parts.push(Part::Text(text.into_bytes()));
    }
    Ok(parts)
}

/// What stands between the braces.
fn placeholder(inner: &str, column: usize, names: &Names) -> Result<(Value, Option<Escape>), TemplateError> {
    let (expression, filter) = match inner.rsplit_once('|') {
        Some((expression, filter)) if !filter.contains(['"', '\'', ')']) => {
            (expression.trim_end(), Some(filter.trim()))
        }
        _ => (inner, None),
    };
    let escape = match filter {
        None => None,
        Some("raw") => Some(Escape::Raw),
        Some("json") => Some(Escape::Json),
        Some("url") => Some(Escape::Url),
        Some(_) => {
            return Err(TemplateError::Arguments {
                column,
                expected: "| raw, | json or | url behind a name",
            });
        }
    };
    Ok((value(expression, column, names)?, escape))
}

/// What `expression` stands for.
pub(crate) fn value(expression: &str, column: usize, names: &Names) -> Result<Value, TemplateError> {
    if let Some(either) = either(expression, column, names) {
        return either;
    }
    if let Some(known) = names.value(expression) {
        return Ok(known);
    }
    let generator = match expression {
        "seq" => Some(Value::Seq),
        "vu" => Some(Value::Vu),
        "iteration" => Some(Value::Iteration),
        "uuid" => Some(Value::Uuid),
        "now" => Some(Value::Now),
        "now_ms" => Some(Value::NowMs),
        "now_s" => Some(Value::NowS),
        _ => None,
    };
    if let Some(generator) = generator {
        return Ok(generator);
    }
    if let Some((name, arguments)) = expression.strip_suffix(')').and_then(|call| call.split_once('('))
        && let Some(generated) = call(name.trim(), arguments, column, names)
    {
        return generated;
    }
    let name = expression.to_owned();
    let known: Vec<String> = names.all().chain(GENERATORS.map(str::to_owned)).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let hint = nearest(&name, known.iter().copied()).map_or_else(
        || {
            // The environment's variables are too many to name, and some are secret by their name alone.
            let shown: Vec<&str> = known.iter().copied().filter(|name| !name.starts_with("env.")).collect();
            format!("known are {}, and env.NAME for a variable of the environment", shown.join(", "))
        },
        |near| format!("did you mean {{{{{near}}}}}?"),
    );
    Err(TemplateError::Unknown { column, name, hint: Some(hint) })
}

/// `NAME or REST`: the variable of the environment, or what was captured, where it is set and not empty, and REST otherwise.
fn either(expression: &str, column: usize, names: &Names) -> Option<Result<Value, TemplateError>> {
    let (name, rest) = expression.split_once(" or ")?;
    let (name, rest) = (name.trim_end(), rest.trim());
    let otherwise = || joined(rest, column, names);
    if let Some(Value::Var(slot)) = names.value(name) {
        return Some(otherwise().map(|rest| Value::Or(slot, Box::new(rest))));
    }
    if let Some(set) = names.constant(name).filter(|set| !set.is_empty()) {
        return Some(Ok(Value::Constant(set.to_owned())));
    }
    (name.starts_with("env.") || names.constant(name).is_some()).then(otherwise)
}

/// What is put together by `+`, which stands outside of quotes and brackets: texts in quotes and whatever has a value.
fn joined(sum: &str, column: usize, names: &Names) -> Result<Value, TemplateError> {
    if let Some(either) = either(sum, column, names) {
        return either;
    }
    let (mut quote, mut depth) = (None, 0);
    let terms = sum.split(|c| {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, '+') if depth == 0 => return true,
            _ => {}
        }
        false
    });
    let term = |term: &str| {
        let term = term.trim();
        let quoted = ['"', '\''].into_iter().find_map(|quote| term.strip_prefix(quote)?.strip_suffix(quote));
        quoted.map_or_else(|| value(term, column, names), |text| Ok(Value::Constant(text.to_owned())))
    };
    let mut values = Vec::<Value>::new();
    for value in terms.map(term) {
        match (values.last_mut(), value?) {
            // What is known before the run is so all together.
            (Some(Value::Constant(before)), Value::Constant(text)) => *before += &text,
            (_, value) => values.push(value),
        }
    }
    Ok(if values.len() == 1 { values.swap_remove(0) } else { Value::Joined(values) })
}

/// A generator with arguments; none when there is no such generator. One without quotes that is a constant's name stands for the
/// arguments that this holds.
fn call(name: &str, arguments: &str, column: usize, names: &Names) -> Option<Result<Value, TemplateError>> {
    let wrong = |expected| Err(TemplateError::Arguments { column, expected });
    let words = split(arguments).into_iter().flat_map(|(word, quoted)| {
        match names.constant(&word).filter(|_| !quoted) {
            Some(known) => split(known).into_iter().map(|(word, _)| word).collect(),
            None => vec![word],
        }
    });
    let words: Vec<String> = words.collect();
    let length = || match words.as_slice() {
        [n] => n.parse::<i64>().ok().filter(|n| (1..=LONGEST).contains(n)).map(|n| n as usize),
        _ => None,
    };
    Some(match name {
        "int" => match words.iter().map(|word| word.parse()).collect::<Result<Vec<i64>, _>>().as_deref() {
            Ok(&[low, high]) if low <= high => Ok(Value::Int(low, high)),
            _ => wrong("int(LOW, HIGH), two whole numbers of which the second is not smaller"),
        },
        "float" => match words.iter().map(|word| word.parse()).collect::<Result<Vec<f64>, _>>().as_deref() {
            Ok(&[low, high]) if low <= high && low.is_finite() && high.is_finite() => {
                Ok(Value::Float(low, high))
            }
            _ => wrong("float(LOW, HIGH), two numbers of which the second is not smaller"),
        },
        "pick" if !words.is_empty() => Ok(Value::Pick(words)),
        "pick" => wrong("pick(\"a\", \"b\", ...), at least one text"),
        "sample" => match words.as_slice() {
            [low, high, texts @ ..] => match (low.parse(), high.parse()) {
                (Ok(low), Ok(high)) if low <= high && high <= texts.len() => {
                    Ok(Value::Sample(low, high, texts.iter().map(|text| json(text)).collect()))
                }
                _ => wrong(SAMPLE),
            },
            _ => wrong(SAMPLE),
        },
        "hex" => length().map_or_else(|| wrong("hex(DIGITS), from 1 to 1048576"), |n| Ok(Value::Hex(n))),
        "text" => length().map_or_else(|| wrong("text(LENGTH), from 1 to 1048576"), |n| Ok(Value::Text(n))),
        _ => return None,
    })
}

const SAMPLE: &str = "sample(LEAST, MOST, \"a\", \"b\", ...), two whole numbers, the smaller one first, and at least MOST texts";

/// A text as JSON.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Arguments between commas, and whether quotes are about them; a comma inside quotes belongs to its argument.
fn split(arguments: &str) -> Vec<(String, bool)> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    let mut quoted = false;
    for c in arguments.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => (quote, quoted, any) = (Some(c), true, true),
            (None, ',') => {
                words.push((std::mem::take(&mut word).trim().to_owned(), std::mem::take(&mut quoted)));
                any = true;
            }
            (None, c) if c.is_whitespace() && word.is_empty() => {}
            (_, c) => word.push(c),
        }
    }
    if any || !word.trim().is_empty() {
        words.push((word.trim_end().to_owned(), quoted));
    }
    words
}
