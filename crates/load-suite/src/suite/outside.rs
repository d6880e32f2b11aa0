//! Which steps are made once, before and behind the run? They are no part of the load, and nothing of them is measured.

use crate::fields::{At, Fields};
use crate::node::SuiteError;
use crate::template::Names;

use super::measure::Measure;
use super::scene::known;
use super::step::Step;

/// A step of `[[setup]]` or `[[cleanup]]`.
#[derive(Clone, Debug)]
pub struct Outside {
    /// What is done.
    pub step: Step,
    /// How often, one after the other.
    pub repeat: u64,
}

/// A step is made so often at most: it is one call at a time.
const MOST: u64 = 10_000_000;

impl Outside {
    /// Takes the steps of `key`. What they capture gets slots in `names`.
    pub(super) fn read_all(
        key: &'static str,
        suite: &mut Fields,
        names: &mut Names,
        measures: &[Measure],
    ) -> Result<Vec<Self>, SuiteError> {
        let steps = suite.tables(key)?.into_iter().map(|fields| Self::read(key, fields, names, measures));
        let mut steps = steps.collect::<Result<Vec<_>, _>>()?;
        steps.iter_mut().try_for_each(|one| one.step.condition(names))?;
        Ok(steps)
    }

    fn read(
        key: &str,
        mut fields: Fields,
        names: &mut Names,
        measures: &[Measure],
    ) -> Result<Self, SuiteError> {
        let repeat = fields.text("repeat")?.map(|text| times(&text, names)).transpose()?.unwrap_or(1);
        let step = Step::read(fields, names, measures)?;
        let wrong = |why: &str| Err(SuiteError::at(&step.place, format!("{key}: {why}")));
        if step.parallel.is_some() {
            return wrong("its calls are made one after the other; give each a step of its own");
        }
        if step.hold.is_some() {
            return wrong("it holds nothing; leave hold out");
        }
        if step.pause {
            return wrong("a step without a call; give think to the step before it");
        }
        if step.goes_on.is_some() {
            return wrong(
                "steps before a run end with the first that fails, those behind it go on; leave on_failure out",
            );
        }
        Ok(Self { step, repeat })
    }
}

/// How often: a number, or the name of one.
fn times(text: &At<String>, names: &Names) -> Result<u64, SuiteError> {
    let value = known(text, names)?;
    let times = crate::units::count(&value).ok().filter(|&times| times <= MOST);
    times.ok_or_else(|| {
        text.wrong(format!(
            "repeat: expected a whole number up to {MOST}, like 100 or \"{{{{vms}}}}\", not {value:?}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use crate::node::Node;
    use crate::suite::{Choice, Suite};

    fn suite(text: &str) -> Result<Suite, String> {
        let text = format!(
            "vars = {{ n = \"30\" }}\nmetrics = {{}}\nusers = [{{ name = \"u\", tasks = [{{ name = \"t\", request = \"GET /\" }}] }}]\n{text}"
        );
        let node = Node::parse("s.toml", &text).map_err(|error| error.to_string())?;
        let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        Suite::read("s", node, &Choice::default(), &read).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_made_once_stands_beside_the_users() {
        let text = "[[setup]]\nrequest = \"POST /vms\"\nrepeat = \"{{n}}\"\ncapture = { vm = \"$.id\" }\n\
            [[setup]]\nrequest = \"GET /vms/{{vm}}\"\nif = \"vm\"\n[[cleanup]]\nrequest = \"DELETE /vms/{{vm}}\"\nrepeat = 2\n";
        let suite = suite(text).unwrap();
        let repeats: Vec<_> = suite.setup.iter().chain(&suite.cleanup).map(|one| one.repeat).collect();
        assert_eq!(repeats, [30, 1, 2]);
        assert_eq!(suite.setup.iter().map(|one| one.step.conditions.len()).sum::<usize>(), 1);
        // What the first steps capture, the last ones know, and the users do not.
        assert_eq!((suite.names.end(), suite.users[0].names.end()), (1, 0));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, expected) in [
            (
                "[[setup]]\nrequest = \"GET /\"\nrepeat = -1",
                "s.toml:6: repeat: expected a whole number up to",
            ),
            ("[[setup]]\nrequest = \"GET /\"\nrepeat = \"{{seq}}\"", "varies; expected what is known before"),
            ("[[setup]]\nparallel = [\"GET /\"]", "s.toml:4: setup: its calls are made one after the other"),
            ("[[setup]]\nhold = \"1s\"", "s.toml:4: setup: it holds nothing"),
            ("[[cleanup]]\nhold = \"1s\"", "s.toml:4: cleanup: it holds nothing"),
            ("[[setup]]\nrequest = \"GET /\"\nif = \"nobody\"", "if: "),
        ] {
            let error = suite(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
