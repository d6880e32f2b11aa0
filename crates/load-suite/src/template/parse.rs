//! How is a placeholder written? `name`, `table.column`, `generator(arguments)`, `env.NAME or "default"`, `captured or "default"`,
//! each with `| raw`, `| json` or `| url`.

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
    let otherwise = || {
        let quoted = ['"', '\''].into_iter().find_map(|quote| rest.strip_prefix(quote)?.strip_suffix(quote));
        quoted.map_or_else(|| value(rest, column, names), |text| Ok(Value::Constant(text.to_owned())))
    };
    if let Some(Value::Var(slot)) = names.value(name) {
        return Some(otherwise().map(|rest| Value::Or(slot, Box::new(rest))));
    }
    if let Some(set) = names.constant(name).filter(|set| !set.is_empty()) {
        return Some(Ok(Value::Constant(set.to_owned())));
    }
    (name.starts_with("env.") || names.constant(name).is_some()).then(otherwise)
}

/// A generator with arguments, numbers or names of numbers; none when there is no such generator.
fn call(name: &str, arguments: &str, column: usize, names: &Names) -> Option<Result<Value, TemplateError>> {
    let wrong = |expected| Err(TemplateError::Arguments { column, expected });
    let mut words: Vec<String> = split(arguments);
    if name != "pick" {
        let numbers = if name == "sample" { 2 } else { words.len() };
        for word in words.iter_mut().take(numbers) {
            if let Some(constant) = names.constant(word) {
                constant.clone_into(word);
            }
        }
    }
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

/// Arguments between commas; a comma inside quotes belongs to its argument.
fn split(arguments: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    for c in arguments.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => (quote, any) = (Some(c), true),
            (None, ',') => {
                words.push(std::mem::take(&mut word).trim().to_owned());
                any = true;
            }
            (None, c) if c.is_whitespace() && word.is_empty() => {}
            (_, c) => word.push(c),
        }
    }
    if any || !word.trim().is_empty() {
        words.push(word.trim_end().to_owned());
    }
    words
}
