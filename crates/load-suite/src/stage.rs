//! What is a stage? `[NAME=]DURATION:TARGET`, as on k6's command line, with a name if wanted.

use std::fmt;
use std::time::Duration;

use crate::units::{self, UnitError};

const EXPECTED: &str = "a stage like 30s:100 or peak=1m:500, a duration and the target at its end";

/// A ramp from wherever the load is to `target` over `duration`.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The user's name, which is then the name of the phase.
    pub name: Option<String>,
    /// How long the ramp takes; zero is a jump.
    pub duration: Duration,
    /// Users, or arrivals/s, at its end.
    pub target: f64,
}

impl std::str::FromStr for Stage {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (name, rest) = match text.split_once('=') {
            Some((name, rest)) if is_name(name.trim()) => (Some(name.trim().to_owned()), rest),
            Some(_) => return Err(UnitError::new(text, EXPECTED)),
            None => (None, text),
        };
        let (duration, target) = rest.split_once(':').ok_or_else(|| UnitError::new(text, EXPECTED))?;
        Ok(Self { name, duration: units::duration(duration)?, target: units::rate(target)? })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}=")?;
        }
        write!(f, "{}:{}", units::written(self.duration), self.target)
    }
}

/// Names appear in threshold selectors and file names.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_read_as_k6_writes_them() {
        let stage: Stage = "30s:100".parse().unwrap();
        assert_eq!(stage, Stage { name: None, duration: Duration::from_secs(30), target: 100.0 });
        let stage: Stage = "peak=1m:500/s".parse().unwrap();
        assert_eq!(stage.name.as_deref(), Some("peak"));
        assert_eq!(stage.to_string(), "peak=1m:500");
        for wrong in ["30s", "30s:", ":5", "a b=1s:2", "=1s:2", "x:1"] {
            assert!(wrong.parse::<Stage>().is_err(), "{wrong}");
        }
    }
}
