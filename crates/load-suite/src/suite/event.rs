//! What happens to the system while it is loaded? Commands at instants of the run.

use std::time::Duration;

use crate::fields::Fields;
use crate::node::{Place, SuiteError};
use crate::template::Names;

use super::scene::known;

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
    pub(super) fn read_all(
        fields: &mut Fields,
        names: &Names,
        profile: &str,
    ) -> Result<Vec<Self>, SuiteError> {
        let events = fields.tables("events")?.into_iter().map(|event| Self::read(event, names, profile));
        Ok(events.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// None, when it belongs to other profiles.
    fn read(mut fields: Fields, names: &Names, profile: &str) -> Result<Option<Self>, SuiteError> {
        let place = fields.place.clone();
        let at = fields.duration("at")?.map(|at| at.value);
        let at = at.ok_or_else(|| fields.wrong("no at; expected when it begins, like \"30s\""))?;
        let listed = fields.list("run");
        let run = fields.texts("run")?;
        let run: Vec<_> = run.iter().map(|word| known(word, names)).collect::<Result<_, _>>()?;
        if !listed || run.first().is_none_or(String::is_empty) {
            return Err(fields.wrong(
                "run: expected a list of a program and its arguments, like [\"systemctl\", \"stop\", \"shop\"]; \
                 for a shell say [\"sh\", \"-c\", \"...\"]",
            ));
        }
        let name = fields.text("name")?.map_or_else(|| run.join(" "), |name| name.value);
        let timeout = fields.duration("timeout")?.map(|at| at.value);
        let profiles = fields.texts("profiles")?;
        fields.finish("an event")?;
        let here = profiles.is_empty() || profiles.iter().any(|name| name.value == profile);
        Ok(here.then_some(Self { place, name, at, run, timeout }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Node;

    fn read(toml: &str) -> Result<Vec<Event>, String> {
        let mut fields = Fields::of(Node::parse("s.toml", toml).unwrap(), "a suite").unwrap();
        let mut names = Names::none();
        names.set("unit", "shop@2");
        Event::read_all(&mut fields, &names, "failover").map_err(|error| error.to_string())
    }

    #[test]
    fn events_are_commands_at_instants() {
        let events = read(
            "[[events]]\nat = \"1m\"\nrun = [\"a\", \"b c\"]\n[[events]]\nname = \"n\"\nat = 2\nrun = [\"d\", \"{{unit}}\"]\ntimeout = \"5s\"",
        );
        let events = events.unwrap();
        assert_eq!((events[0].name.as_str(), events[0].at), ("a b c", Duration::from_mins(1)));
        assert_eq!((events[0].run.len(), events[0].timeout), (2, None));
        assert_eq!(events[1].run, ["d", "shop@2"]);
        assert_eq!((events[1].name.as_str(), events[1].timeout), ("n", Some(Duration::from_secs(5))));
    }

    #[test]
    fn an_event_may_belong_to_profiles() {
        let events = read(
            "[[events]]\nat = 1\nrun = [\"a\"]\nprofiles = \"failover\"\n[[events]]\nat = 2\nrun = [\"b\"]\nprofiles = [\"smoke\"]",
        );
        assert_eq!(events.unwrap().iter().map(|event| event.run[0].as_str()).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn mistakes_are_told() {
        for (event, expected) in [
            ("run = [\"a\"]", "s.toml:1: no at; expected when it begins"),
            ("at = 1", "run: expected a list"),
            ("at = 1\nrun = \"systemctl stop shop\"", "run: expected a list"),
            ("at = 1\nrun = []", "run: expected a list"),
            ("at = 1\nrun = [\"a\", \"{{vu}}\"]", "varies"),
            ("at = 1\nrun = [\"a\"]\nnmae = \"b\"", "did you mean name?"),
        ] {
            let error = read(&format!("[[events]]\n{event}")).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
