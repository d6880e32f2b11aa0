//! What does `\set` compute? Whole numbers, as pgbench does: `+ - * / %`, variables, and draws of a random key.

use load_core::protocol::Vu;
use load_suite::template::Names;

use crate::keys::Spread;

/// An expression, compiled before the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A number.
    Number(i64),
    /// What a variable holds.
    Slot(usize),
    /// Two operands.
    Pair(Box<(Expr, Operator, Expr)>),
    /// A random number between two bounds, both included.
    Random(Box<(Expr, Expr)>, Spread),
}

/// What is done with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Their sum.
    Add,
    /// Their difference.
    Subtract,
    /// Their product.
    Multiply,
    /// Their quotient, towards zero.
    Divide,
    /// What the division leaves.
    Remainder,
}

impl Expr {
    /// The value for the iteration of `vu`.
    ///
    /// # Errors
    /// What cannot be computed.
    #[inline]
    pub fn value(&self, vu: &mut Vu) -> Result<i64, &'static str> {
        Ok(match self {
            Self::Number(n) => *n,
            Self::Slot(slot) => {
                number(vu.scope.vars.get(*slot)).ok_or("a variable that holds no whole number")?
            }
            Self::Pair(pair) => {
                let (left, operator, right) = &**pair;
                let (left, right) = (left.value(vu)?, right.value(vu)?);
                operator.apply(left, right).ok_or("a number too large, or divided by zero")?
            }
            Self::Random(bounds, spread) => {
                let (low, high) = (bounds.0.value(vu)?, bounds.1.value(vu)?);
                if low > high {
                    return Err("a random number between bounds of which the lower is greater");
                }
                spread.draw(low, high, &mut vu.rng)
            }
        })
    }

    /// Compiles `source`; `names` has variables and constants.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(source: &str, names: &Names) -> Result<Self, String> {
        let mut parser = Parser { rest: source, names };
        let expr = parser.sum()?;
        if parser.rest.trim().is_empty() { Ok(expr.folded()) } else { Err(parser.unexpected()) }
    }

    /// With what does not depend on anything computed.
    fn folded(self) -> Self {
        match self {
            Self::Pair(pair) => {
                let (left, operator, right) = *pair;
                let (left, right) = (left.folded(), right.folded());
                if let (Self::Number(a), Self::Number(b)) = (&left, &right)
                    && let Some(n) = operator.apply(*a, *b)
                {
                    return Self::Number(n);
                }
                Self::Pair(Box::new((left, operator, right)))
            }
            Self::Random(bounds, spread) => {
                let (low, high) = *bounds;
                Self::Random(Box::new((low.folded(), high.folded())), spread)
            }
            other => other,
        }
    }
}

impl Operator {
    fn apply(self, left: i64, right: i64) -> Option<i64> {
        match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            Self::Divide => left.checked_div(right),
            Self::Remainder => left.checked_rem(right),
        }
    }
}

/// The slot of the variable `name`, if there is one.
pub fn slot(names: &Names, name: &str) -> Option<usize> {
    names.variables().find(|(known, _)| *known == name).map(|(_, slot)| slot)
}

/// The whole number that `text` is.
pub fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

struct Parser<'a> {
    rest: &'a str,
    names: &'a Names,
}

impl<'a> Parser<'a> {
    fn unexpected(&self) -> String {
        format!(
            "{:?} is not understood; expected numbers, :variables, + - * / % ( ), random(LOW, HIGH), \
             random_zipfian(LOW, HIGH, EXPONENT), random_gaussian(LOW, HIGH, CUT)",
            self.rest.trim()
        )
    }

    fn take(&mut self, token: char) -> bool {
        let rest = self.rest.trim_start();
        let Some(rest) = rest.strip_prefix(token) else { return false };
        self.rest = rest;
        true
    }

    fn must(&mut self, token: char) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn while_is(&mut self, is: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c| !is(c)).unwrap_or(rest.len());
        self.rest = &rest[end..];
        &rest[..end]
    }

    fn sum(&mut self) -> Result<Expr, String> {
        let mut left = self.product()?;
        loop {
            let operator = if self.take('+') {
                Operator::Add
            } else if self.take('-') {
                Operator::Subtract
            } else {
                return Ok(left);
            };
            left = Expr::Pair(Box::new((left, operator, self.product()?)));
        }
    }

    fn product(&mut self) -> Result<Expr, String> {
        let mut left = self.atom()?;
        loop {
            let operator = if self.take('*') {
                Operator::Multiply
            } else if self.take('/') {
                Operator::Divide
            } else if self.take('%') {
                Operator::Remainder
            } else {
                return Ok(left);
            };
            left = Expr::Pair(Box::new((left, operator, self.atom()?)));
        }
    }

    fn atom(&mut self) -> Result<Expr, String> {
        if self.take('(') {
            let inner = self.sum()?;
            self.must(')')?;
            return Ok(inner);
        }
        if self.take('-') {
            return Ok(Expr::Pair(Box::new((Expr::Number(0), Operator::Subtract, self.atom()?))));
        }
        if self.take(':') {
            let name = self.while_is(|c| c.is_ascii_alphanumeric() || c == '_');
            if let Some(slot) = slot(self.names, name) {
                return Ok(Expr::Slot(slot));
            }
            let constant = self.names.constant(name).ok_or_else(|| {
                format!("unknown :{name}; set it before with \\set, or give --define {name}=VALUE")
            })?;
            let n = number(constant.as_bytes());
            return n
                .map(Expr::Number)
                .ok_or_else(|| format!(":{name} is {constant:?}, which is no whole number"));
        }
        let before = self.rest;
        let word = self.while_is(|c| c.is_ascii_alphanumeric() || c == '_');
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.parse().map(Expr::Number).map_err(|_| format!("{word:?} is no whole number"));
        }
        let takes_third = match word {
            "random" => false,
            "random_zipfian" | "random_gaussian" => true,
            _ => {
                self.rest = before;
                return Err(self.unexpected());
            }
        };
        self.must('(')?;
        let low = self.sum()?;
        self.must(',')?;
        let high = self.sum()?;
        let mut spread = Spread::Uniform;
        if takes_third {
            self.must(',')?;
            let kind = if word == "random_zipfian" { "zipf" } else { "normal" };
            let number = self.while_is(|c| c.is_ascii_digit() || c == '.');
            spread =
                format!("{kind}:{number}").parse().map_err(|why| format!("{word}: {number:?}; {why}"))?;
        }
        self.must(')')?;
        Ok(Expr::Random(Box::new((low, high)), spread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(source: &str) -> Result<i64, String> {
        let mut names = Names::none();
        names.set("scale", "3");
        names.set("word", "x");
        let mut vu = Vu::new(0);
        vu.scope.vars.set(0, b"40");
        names.slot("aid");
        Expr::parse(source, &names)?.value(&mut vu).map_err(str::to_owned)
    }

    #[test]
    fn numbers_are_computed_as_pgbench_does() {
        for (source, expected) in [
            ("1 + 2 * 3", 7),
            ("(1 + 2) * 3", 9),
            ("-7 / 2", -3),
            ("-7 % 2", -1),
            ("100000 * :scale", 300_000),
            (":aid - :scale - 1", 36),
            ("random(5, 2 + 3)", 5),
            ("random_zipfian(9, 9, 1.5) * 2", 18),
        ] {
            assert_eq!(value(source), Ok(expected), "{source}");
        }
        let drawn = value("random(-5, 5)").unwrap();
        assert!((-5..=5).contains(&drawn));
    }

    #[test]
    fn nonsense_is_refused_with_what_was_expected() {
        for (source, expected) in [
            ("", "is not understood"),
            ("1 +", "is not understood"),
            ("1 2", "is not understood"),
            ("sqrt(2)", "random_zipfian"),
            (":nothing", "unknown :nothing"),
            (":word", "no whole number"),
            ("random(1)", "is not understood"),
            ("random_zipfian(1, 2, 0)", "expected uniform"),
            ("1 / 0", "divided by zero"),
            ("random(2, 1)", "the lower is greater"),
            ("99999999999999999999", "no whole number"),
        ] {
            let error = value(source).unwrap_err();
            assert!(error.contains(expected), "{source}: {error}");
        }
    }
}
