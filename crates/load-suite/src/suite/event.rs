//! What happens to the system while it is loaded? Commands at instants of the run.

use std::time::Duration;

use crate::fields::Fields;
use crate::node::{Place, SuiteError};

/// A command that is run once, by the process that conducts the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it is written.
    pub place: Place,
    /// For people.
    pub name: String,
    /// When it begins, since time zero.
    pub at: Duration,
    /// The program and its arguments: no shell reads them.
    pub run: Vec<String>,
    /// How long it may take; to the end of the run when nothing says so.
    pub timeout: Option<Duration>,
}

impl Event {
    /// Takes `events`.
    pub(super) fn read_all(fields: &mut Fields) -> Result<Vec<Self>, SuiteError> {
        fields.tables("events")?.into_iter().map(Self::read).collect()
    }

    fn read(mut fields: Fields) -> Result<Self, SuiteError> {
        let place = fields.place.clone();
        let at = fields.duration("at")?.map(|at| at.value);
        let at = at.ok_or_else(|| fields.wrong("no at; expected when it begins, like \"30s\""))?;
        let listed = fields.list("run");
        let run: Vec<_> = fields.texts("run")?.into_iter().map(|word| word.value).collect();
        if !listed || run.first().is_none_or(String::is_empty) {
            return Err(fields.wrong(
                "run: expected a list of a program and its arguments, like [\"systemctl\", \"stop\", \"shop\"]; \
                 for a shell say [\"sh\", \"-c\", \"...\"]",
            ));
        }
        let name = fields.text("name")?.map_or_else(|| run.join(" "), |name| name.value);
        let timeout = fields.duration("timeout")?.map(|at| at.value);
        fields.finish("an event")?;
        Ok(Self { place, name, at, run, timeout })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Node;

    fn read(toml: &str) -> Result<Vec<Event>, String> {
        let mut fields = Fields::of(Node::parse("s.toml", toml).unwrap(), "a suite").unwrap();
        Event::read_all(&mut fields).map_err(|error| error.to_string())
    }

    #[test]
    fn events_are_commands_at_instants() {
        let events = read(
            "[[events]]\nat = \"1m\"\nrun = [\"a\", \"b c\"]\n[[events]]\nname = \"n\"\nat = 2\nrun = [\"d\"]\ntimeout = \"5s\"",
        );
        let events = events.unwrap();
        assert_eq!((events[0].name.as_str(), events[0].at), ("a b c", Duration::from_mins(1)));
        assert_eq!((events[0].run.len(), events[0].timeout), (2, None));
        assert_eq!((events[1].name.as_str(), events[1].timeout), ("n", Some(Duration::from_secs(5))));
    }

    #[test]
    fn mistakes_are_told() {
        for (event, expected) in [
            ("run = [\"a\"]", "s.toml:1: no at; expected when it begins"),
            ("at = 1", "run: expected a list"),
            ("at = 1\nrun = \"systemctl stop shop\"", "run: expected a list"),
            ("at = 1\nrun = []", "run: expected a list"),
            ("at = 1\nrun = [\"a\"]\nnmae = \"b\"", "did you mean name?"),
        ] {
            let error = read(&format!("[[events]]\n{event}")).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
