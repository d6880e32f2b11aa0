//! Does it hold? Conditions on what a user knows: `id and status == "open"`.
//!
//! ```text
//! any     = all ("or" all)*
//! all     = one ("and" one)*
//! one     = "not" one | "(" any ")" | operand [("==" | "!=" | "<" | "<=" | ">" | ">=") operand]
//! operand = a name as in {{...}} | "text" | 'text' | number
//! ```

use crate::scope::Scope;
use crate::template::{Names, Value, value};

/// A compiled condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The value is there and not empty.
    Set(Operand),
    /// Two values compared; as numbers where both are.
    Compare(Operand, Relation, Operand),
    /// It does not hold.
    Not(Box<Condition>),
    /// All hold.
    All(Vec<Condition>),
    /// One holds at least.
    Any(Vec<Condition>),
}

/// A side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand(Value);

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Condition {
    /// Compiles `source`.
    ///
    /// # Errors
    /// What is wrong, and what was expected.
    pub fn compile(source: &str, names: &Names) -> Result<Self, String> {
        let mut parser = Parser { words: words(source)?, at: 0, names };
        let condition = parser.any()?;
        match parser.next() {
            None => Ok(condition),
            Some(word) => Err(format!("{word:?} is not expected here; join conditions by and, or")),
        }
    }

    /// Whether it holds in `scope`.
    pub fn holds(&self, scope: &Scope) -> bool {
        match self {
            Self::Set(operand) => !operand.bytes(scope).is_empty(),
            Self::Compare(left, relation, right) => relation.holds(&left.bytes(scope), &right.bytes(scope)),
            Self::Not(condition) => !condition.holds(scope),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(scope)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(scope)),
        }
    }
}

impl Operand {
    fn bytes(&self, scope: &Scope) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.write(scope, &mut bytes);
        bytes
    }
}

impl Relation {
    fn holds(self, left: &[u8], right: &[u8]) -> bool {
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.trim().parse::<f64>().ok();
        let order = match (number(left), number(right)) {
            (Some(left), Some(right)) => left.total_cmp(&right),
            _ => left.cmp(right),
        };
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Name(String),
    Text(String),
    Sign(&'static str),
}

/// Longer signs before those that they begin with.
const SIGNS: [&str; 8] = ["==", "!=", "<=", ">=", "<", ">", "(", ")"];

fn words(source: &str) -> Result<Vec<Word>, String> {
    let (mut words, mut rest) = (Vec::new(), source.trim_start());
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            words.push(Word::Sign(sign));
            rest = &rest[sign.len()..];
        } else if matches!(first, '"' | '\'') {
            let end =
                rest[1..].find(first).ok_or_else(|| format!("{rest} is not closed; expected {first}"))?;
            words.push(Word::Text(rest[1..=end].to_owned()));
            rest = &rest[end + 2..];
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "=!<>()\"'".contains(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("{first:?} is not expected; compare by ==, !=, <, <=, >, >="));
            }
            words.push(Word::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(words)
}

struct Parser<'a> {
    words: Vec<Word>,
    at: usize,
    names: &'a Names,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Word> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    /// Takes the next word when it is `word`.
    fn take(&mut self, word: &str) -> bool {
        let is = match self.words.get(self.at) {
            Some(Word::Name(name)) => name == word,
            Some(Word::Sign(sign)) => *sign == word,
            _ => false,
        };
        self.at += usize::from(is);
        is
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut conditions = vec![self.all()?];
        while self.take("or") {
            conditions.push(self.all()?);
        }
        Ok(only(conditions, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut conditions = vec![self.one()?];
        while self.take("and") {
            conditions.push(self.one()?);
        }
        Ok(only(conditions, Condition::All))
    }

    fn one(&mut self) -> Result<Condition, String> {
        if self.take("not") {
            return Ok(Condition::Not(Box::new(self.one()?)));
        }
        if self.take("(") {
            let inner = self.any()?;
            return if self.take(")") {
                Ok(inner)
            } else {
                Err("a bracket is not closed; expected )".to_owned())
            };
        }
        let left = self.operand()?;
        let relations = [
            ("==", Relation::Equal),
            ("!=", Relation::NotEqual),
            ("<=", Relation::LessOrEqual),
            (">=", Relation::GreaterOrEqual),
            ("<", Relation::Less),
            (">", Relation::Greater),
        ];
        match relations.into_iter().find(|(sign, _)| self.take(sign)) {
            Some((_, relation)) => Ok(Condition::Compare(left, relation, self.operand()?)),
            None => Ok(Condition::Set(left)),
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        match self.next() {
            Some(Word::Text(text)) => Ok(Operand(Value::Constant(text))),
            Some(Word::Name(name)) if name.parse::<f64>().is_ok() => Ok(Operand(Value::Constant(name))),
            Some(Word::Name(name)) => {
                value(&name, 1, self.names).map(Operand).map_err(|error| error.to_string())
            }
            Some(Word::Sign(sign)) => {
                Err(format!("{sign:?} stands where a name, a \"text\" or a number was expected"))
            }
            None => Err("it ends where a name, a \"text\" or a number was expected".to_owned()),
        }
    }
}

fn only(mut conditions: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match conditions.pop() {
        Some(last) if conditions.is_empty() => last,
        last => {
            conditions.extend(last);
            join(conditions)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Names {
        let mut names = Names::none();
        ["id", "status", "n"].into_iter().for_each(|name| {
            names.slot(name);
        });
        names
    }

    fn holds(source: &str) -> bool {
        let mut scope = Scope::default();
        scope.vars.set(1, b"open");
        scope.vars.set(2, b"10");
        Condition::compile(source, &names()).unwrap().holds(&scope)
    }

    #[test]
    fn conditions_hold_or_not() {
        for (source, expected) in [
            ("status", true),
            ("id", false),
            ("not id", true),
            ("status == \"open\"", true),
            ("status != 'open'", false),
            ("n > 9", true),
            ("n >= 10 and n<11", true),
            ("n == 10.0", true),
            ("id or status and n < 5", false),
            ("(id or status) and not (n < 5)", true),
            ("seq == 0", true),
        ] {
            assert_eq!(holds(source), expected, "{source}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (source, expected) in [
            ("", "ends where"),
            ("n >", "ends where"),
            ("n = 3", "compare by"),
            ("statsu", "did you mean"),
            ("(n", "expected )"),
            ("n n", "not expected here"),
            ("\"x", "not closed"),
            ("== 3", "stands where"),
        ] {
            let error = Condition::compile(source, &names()).unwrap_err();
            assert!(error.contains(expected), "{source}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_compiles_or_is_refused(source in "[a-z0-9 =!<>()\"']*") {
            let _ = Condition::compile(&source, &names());
        }
    }
}
