//! Who are the users, and what do they do? Classes, tasks and steps, without what the command line leaves out.

use std::collections::BTreeSet;

use crate::condition::Condition;
use crate::fields::{At, Fields};
use crate::nearest::nearest;
use crate::node::SuiteError;
use crate::template::Names;
use crate::think::Think;

use super::Choice;
use super::measure::Measure;
use super::profile::think;
use super::step::{self, Step, condition, on_failure};

/// A kind of user.
#[derive(Clone, Debug)]
pub struct UserClass {
    /// What `--only` calls it.
    pub name: At<String>,
    /// Share of the users, against the other classes; at least 1.
    pub weight: u32,
    /// Pause after each iteration, when the class says so.
    pub think: Option<Think>,
    /// An iteration is all tasks in their order, instead of one of them.
    pub in_order: bool,
    /// Before the first iteration of each user.
    pub start: Vec<Step>,
    /// When a user leaves.
    pub stop: Vec<Step>,
    /// How its users' connections are made, where the protocol has something to say of that.
    pub connect: Option<Fields>,
    /// What it expects of messages that come by themselves, where there are any: a step that makes no call.
    pub pushes: Option<Step>,
    /// What it does; at least one.
    pub tasks: Vec<Task>,
    /// Constants, data, and the variables of the class.
    pub names: Names,
}

/// A thing that a user does.
#[derive(Clone, Debug)]
pub struct Task {
    /// What `--only` calls it.
    pub name: At<String>,
    /// How often it is drawn, against the other tasks of the class; at least 1.
    pub weight: u32,
    /// For `--tags`.
    pub tags: Vec<String>,
    /// It is not drawn unless this holds.
    pub condition: Option<Condition>,
    /// At least one.
    pub steps: Vec<Step>,
}

/// Reads `[[users]]`. Each class has variables of its own.
pub(super) fn read(
    suite: &mut Fields,
    names: &Names,
    measures: &[Measure],
    choice: &Choice,
) -> Result<Vec<UserClass>, SuiteError> {
    let mut classes = Vec::<UserClass>::new();
    let mut first_slot = 0;
    for fields in suite.tables("users")? {
        let class = class(fields, names.scope(first_slot), measures)?;
        if classes.iter().any(|other| other.name.value == class.name.value) {
            return Err(class.name.wrong(format!("there are two user classes {:?}", class.name.value)));
        }
        first_slot = class.names.end();
        classes.push(class);
    }
    if classes.is_empty() {
        return Err(suite.wrong("no users; expected [[users]] with a name and tasks"));
    }
    chosen(classes, choice)
}

/// What the command line leaves of `classes`.
fn chosen(classes: Vec<UserClass>, choice: &Choice) -> Result<Vec<UserClass>, SuiteError> {
    let mut known = BTreeSet::new();
    let mut tags = BTreeSet::new();
    for class in &classes {
        known.insert(class.name.value.clone());
        known.extend(class.tasks.iter().map(|task| task.name.value.clone()));
        tags.extend(class.tasks.iter().flat_map(|task| task.tags.iter().cloned()));
    }
    for (flag, words, known) in [
        ("--only", &choice.only, &known),
        ("--tags", &choice.tags, &tags),
        ("--exclude-tags", &choice.exclude_tags, &tags),
    ] {
        if let Some(word) = words.iter().find(|word| !known.contains(*word)) {
            let hint = match nearest(word, known.iter().map(String::as_str)) {
                _ if known.is_empty() => "no task has tags".to_owned(),
                Some(near) => format!("did you mean {near}?"),
                None => format!("known are {}", known.iter().cloned().collect::<Vec<_>>().join(", ")),
            };
            return Err(SuiteError::new(format!("{flag} {word}: unknown; {hint}")));
        }
    }
    let keep = |class: &UserClass, task: &Task| {
        let named = choice.only.contains(&class.name.value) || choice.only.contains(&task.name.value);
        (choice.only.is_empty() || named)
            && (choice.tags.is_empty() || task.tags.iter().any(|tag| choice.tags.contains(tag)))
            && !task.tags.iter().any(|tag| choice.exclude_tags.contains(tag))
    };
    let kept = classes.into_iter().filter_map(|mut class| {
        let tasks = std::mem::take(&mut class.tasks);
        class.tasks = tasks.into_iter().filter(|task| keep(&class, task)).collect();
        (!class.tasks.is_empty()).then_some(class)
    });
    let kept: Vec<_> = kept.collect();
    if kept.is_empty() {
        return Err(SuiteError::new("--only, --tags and --exclude-tags together leave no task"));
    }
    Ok(kept)
}

fn weight(fields: &mut Fields) -> Result<u32, SuiteError> {
    let weight = fields.count("weight", 1)?.unwrap_or(1);
    u32::try_from(weight)
        .ok()
        .filter(|&weight| weight <= 1_000_000)
        .ok_or_else(|| fields.wrong("weight: expected at most 1000000"))
}

fn class(mut fields: Fields, mut names: Names, measures: &[Measure]) -> Result<UserClass, SuiteError> {
    let name = fields.required("name", "what the user class is called")?;
    let weight = weight(&mut fields)?;
    let think = think(&mut fields)?;
    let in_order = fields.word("order", &[("weighted", false), ("sequence", true)])?.unwrap_or(false);
    let goes_on = on_failure(&mut fields)?;
    let connect = fields.table("connect")?;
    let pushes =
        fields.table("pushes")?.map(|pushes| Step::read(pushes, &mut names, measures)).transpose()?;
    let mut start = step::read_all(fields.tables("start")?, &mut names, measures)?;
    let mut tasks = Vec::<Task>::new();
    let mut conditions = Vec::new();
    for fields in fields.tables("tasks")? {
        let (task, rest) = task(fields, &mut names, measures)?;
        if tasks.iter().any(|other| other.name.value == task.name.value) {
            return Err(task.name.wrong(format!("{} has two tasks {:?}", name.value, task.name.value)));
        }
        tasks.push(task);
        conditions.push(rest);
    }
    let mut stop = step::read_all(fields.tables("stop")?, &mut names, measures)?;
    if tasks.is_empty() {
        return Err(
            fields.wrong(format!("the user class {} has no tasks; expected [[users.tasks]]", name.value))
        );
    }
    fields.finish("a user class")?;
    let all = start.iter_mut().chain(tasks.iter_mut().flat_map(|task| &mut task.steps)).chain(&mut stop);
    all.for_each(|step| step.goes_on = step.goes_on.or(goes_on));
    // Now that every name is known.
    for step in start.iter_mut().chain(&mut stop) {
        step.condition(&names)?;
    }
    for (task, rest) in tasks.iter_mut().zip(conditions) {
        for step in &mut task.steps {
            step.condition(&names)?;
        }
        match rest {
            Some(mut rest) => {
                task.condition = condition(&mut rest, &names)?;
                rest.finish("a task")?;
            }
            // A task that is its only step is not drawn rather than drawn and left out.
            None => task.condition = task.steps.first_mut().and_then(|step| step.conditions.pop()),
        }
    }
    Ok(UserClass { name, weight, think, in_order, start, stop, connect, pushes, tasks, names })
}

/// A task, and what is left of its table when its steps stand in a list of their own.
fn task(
    mut fields: Fields,
    names: &mut Names,
    measures: &[Measure],
) -> Result<(Task, Option<Fields>), SuiteError> {
    let name = fields.required("name", "what the task is called")?;
    let weight = weight(&mut fields)?;
    let tags = fields.texts("tags")?.into_iter().map(|tag| tag.value).collect();
    let task = |steps| Task { name: name.clone(), weight, tags, condition: None, steps };
    if !fields.has("steps") {
        let step = Step::read(fields, names, measures)?;
        return Ok((task(vec![step]), None));
    }
    let goes_on = on_failure(&mut fields)?;
    let mut steps = step::read_all(fields.tables("steps")?, names, measures)?;
    steps.iter_mut().for_each(|step| step.goes_on = step.goes_on.or(goes_on));
    if steps.is_empty() {
        return Err(name.wrong(format!("the task {} has no steps", name.value)));
    }
    Ok((task(steps), Some(fields)))
}
