//! What does a recording say? The calls to one host in their order, with the pauses between them, and what one answer
//! gave to a later call.

mod entry;
mod links;

use serde_json::Value;

use crate::ImportError;
use crate::host;
use crate::model::{Step, Suite, Task, is_token};
use crate::names::Given;
use crate::recorded::Words;
use crate::secret::Secrets;
use crate::text;

use entry::Entry;
use links::Link;
pub(crate) use links::member;

/// A shorter pause is the browser's, not the user's: ms.
const SHORTEST_PAUSE: i64 = 100;
/// A longer pause is not waited for: ms.
const LONGEST_PAUSE: i64 = 10_000;

/// Reads a recording.
pub(crate) fn read(text: &str, with_assets: bool) -> Result<Suite, ImportError> {
    let root: Value = serde_json::from_str(text).map_err(|error| ImportError::json(&error))?;
    let entries = root.pointer("/log/entries").and_then(Value::as_array);
    let entries = entries
        .ok_or_else(|| ImportError::new("log.entries", "expected a recording (HAR) with a list of calls"))?;
    let (mut all, mut assets, mut others) = (Vec::new(), 0_usize, 0_usize);
    for entry in entries {
        match Entry::read(entry) {
            Some(entry) if entry.is_asset && !with_assets => assets += 1,
            Some(entry) if is_token(&entry.method) => all.push(entry),
            _ => others += 1,
        }
    }
    // A recording may be in the order in which the answers came.
    all.sort_by_key(|entry| entry.began);
    let hosts: Vec<_> = all.iter().map(|entry| entry.host.as_str()).collect();
    let Some((host, left_out)) = host::most_frequent(&hosts) else {
        return Err(ImportError::new(
            "log.entries",
            "expected at least one call over http or https that was answered; --with-assets takes images and scripts too",
        ));
    };
    let mut notes: Vec<_> = host::left_out(&left_out).into_iter().collect();
    if assets > 0 {
        notes
            .push(format!("Left out: images, scripts and the like ({assets}); --with-assets takes them in."));
    }
    if others > 0 {
        notes.push(format!("Left out: preflights, and what was not answered or is not HTTP ({others})."));
    }
    notes.push("Headers of the browser were left out.".to_owned());
    if all.iter().any(|entry| entry.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie"))) {
        notes.push("Cookies were left out: with --cookies each user keeps those that it gets.".to_owned());
    }
    let environments = vec![("default".to_owned(), host.to_owned())];
    let kept: Vec<_> = all.iter().filter(|entry| entry.host == host).collect();
    // In the order of their answers.
    let links = links::find(&kept);
    let mut secrets = Secrets::default();
    // The first time tells what is secret, and where else it stands.
    steps(&kept, &links, &mut secrets);
    let steps = steps(&kept, &links, &mut secrets);
    let origin = format!("{} recorded calls", steps.len());
    let tasks = by_page(&kept, steps);
    let secrets = secrets.named();
    Ok(Suite { origin, notes, secrets, environments, in_order: true, tasks, ..Suite::default() })
}

fn steps(entries: &[&Entry<'_>], links: &[Link], secrets: &mut Secrets) -> Vec<Step> {
    let captured = links.iter().map(|link| (link.value.clone(), (link.from, link.name.clone()))).collect();
    let mut links = links.iter().peekable();
    let mut steps = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let mut words = Words { secrets: &mut *secrets, captured: &captured, at };
        let mut step = entry.step(&mut words);
        while let Some(link) = links.next_if(|link| link.from == at) {
            step.captures.push((link.name.clone(), link.path.clone()));
        }
        step.think = entries.get(at + 1).and_then(|next| pause(entry, next));
        steps.push(step);
    }
    steps
}

/// The pause of the user between two calls.
fn pause(entry: &Entry<'_>, next: &Entry<'_>) -> Option<String> {
    let pause = next.began?.saturating_sub(entry.began?.saturating_add(entry.took));
    if pause < SHORTEST_PAUSE {
        return None;
    }
    let tenths = (pause.min(LONGEST_PAUSE) + 50) / 100;
    Some(if tenths % 10 == 0 { format!("{}s", tenths / 10) } else { format!("{}ms", tenths * 100) })
}

/// Calls in a row of one page are a task.
fn by_page(entries: &[&Entry<'_>], steps: Vec<Step>) -> Vec<Task> {
    let (mut given, mut tasks, mut page) = (Given::default(), Vec::<Task>::new(), None);
    for (entry, step) in entries.iter().zip(steps) {
        match tasks.last_mut() {
            Some(task) if page == Some(entry.page) => task.steps.push(step),
            _ => {
                let name = given.unique(text::split_query(&step.request).0, " ");
                tasks.push(Task { name, steps: vec![step], ..Task::default() });
                page = Some(entry.page);
            }
        }
    }
    tasks
}
