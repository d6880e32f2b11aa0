//! What does a collection of Postman say? Its requests in their order, with its variables and simple tests.

mod auth;
mod body;
mod script;
mod url;
mod variables;

use serde_json::Value;

use crate::ImportError;
use crate::host;
use crate::model::{Body, Step, Suite, Task, is_token};
use crate::names::Given;
use crate::secret::{Secrets, is_secret};

use script::Script;
use url::Place;
use variables::Variables;

/// A request of the collection, and everything that folders around it say.
struct Item<'p> {
    value: &'p Value,
    /// Names of the folders, from the outside.
    folders: Vec<&'p str>,
    /// Where authentication may be said, from the inside.
    auth: Vec<&'p Value>,
    /// Tests of the collection and the folders.
    tests: Vec<&'p Script>,
}

/// Reads a collection.
pub(crate) fn read(text: &str) -> Result<Suite, ImportError> {
    let root = parse(text)?;
    let mut scripts = Vec::new();
    gather_scripts(&root, &mut scripts);
    let mut notes = Vec::new();
    let mut items = Vec::new();
    walk(
        &root,
        &Item { value: &root, folders: Vec::new(), auth: Vec::new(), tests: Vec::new() },
        &scripts,
        &mut items,
    );
    for (_, script) in &scripts {
        notes.extend(script.notes.iter().cloned());
    }
    let own: Vec<_> = items.iter().map(|item| Script::read(item.value)).collect();
    let mut variables = Variables::read(&root);
    let places: Vec<_> = items.iter().map(|item| Place::read(&item.value["request"], &variables)).collect();
    let hosts: Vec<_> = places.iter().flatten().map(|place| place.host.as_str()).collect();
    let Some((host, others)) = host::most_frequent(&hosts) else {
        return Err(ImportError::new(
            "item",
            "expected a collection with at least one request that has a URL",
        ));
    };
    let is_kept = |place: &Option<Place>| place.as_ref().is_some_and(|place| place.host == host);
    for ((item, own), _) in items.iter().zip(&own).zip(&places).filter(|(_, place)| is_kept(place)) {
        item.tests.iter().copied().chain([own]).for_each(|script| variables.capture(script));
    }
    notes.extend(host::left_out(&others));
    let url = url::known(host, &mut notes);
    let mut secrets = Secrets::default();
    let mut tasks = Vec::new();
    // The first time tells what is secret, and where else it stands.
    for _ in 0..2 {
        let mut given = Given::default();
        tasks.clear();
        for ((item, own), place) in items.iter().zip(&own).zip(&places) {
            let Some(place) = place.as_ref().filter(|place| place.host == host) else { continue };
            let mut task = task(item, own, place, &variables, &mut secrets);
            task.name = given.unique(&task.name, " ");
            tasks.push(task);
        }
    }
    let name = root.pointer("/info/name").and_then(Value::as_str).unwrap_or("a collection");
    Ok(Suite {
        origin: format!("Postman collection {name}"),
        notes,
        secrets: secrets.named(),
        vars: variables.used(),
        environments: vec![("default".to_owned(), url)],
        in_order: true,
        tasks,
        ..Suite::default()
    })
}

fn parse(text: &str) -> Result<Value, ImportError> {
    let root: Value = serde_json::from_str(text).map_err(|error| ImportError::json(&error))?;
    let schema = root.pointer("/info/schema").and_then(Value::as_str).unwrap_or_default();
    let is_known = schema.contains("v2.0") || schema.contains("v2.1");
    if !is_known || !root["item"].is_array() {
        return Err(ImportError::new(
            "info.schema",
            "expected a collection of Postman, version 2.0 or 2.1; export it from Postman as Collection v2.1",
        ));
    }
    Ok(root)
}

/// Scripts of the collection and of all folders, by where they are said.
fn gather_scripts<'p>(holder: &'p Value, scripts: &mut Vec<(&'p Value, Script)>) {
    if !holder["item"].is_array() {
        return;
    }
    scripts.push((holder, Script::read(holder)));
    for item in holder["item"].as_array().into_iter().flatten() {
        gather_scripts(item, scripts);
    }
}

fn walk<'p>(
    holder: &'p Value,
    around: &Item<'p>,
    scripts: &'p [(&'p Value, Script)],
    items: &mut Vec<Item<'p>>,
) {
    let mut auth = around.auth.clone();
    let mut tests = around.tests.clone();
    auth.extend(holder.get("auth"));
    tests.extend(scripts.iter().find(|(said, _)| std::ptr::eq(*said, holder)).map(|(_, script)| script));
    for value in holder["item"].as_array().into_iter().flatten() {
        let name = value["name"].as_str().unwrap_or_default();
        let mut item =
            Item { value, folders: around.folders.clone(), auth: auth.clone(), tests: tests.clone() };
        if value["item"].is_array() {
            item.folders.push(name);
            walk(value, &item, scripts, items);
        } else {
            items.push(item);
        }
    }
}

fn task(item: &Item<'_>, own: &Script, place: &Place, variables: &Variables, secrets: &mut Secrets) -> Task {
    let request = &item.value["request"];
    let method =
        request["method"].as_str().filter(|method| is_token(method)).unwrap_or("GET").to_ascii_uppercase();
    let mut step = Step::new(&method, &variables.target(&place.target, secrets));
    for (name, value) in headers(&request["header"]) {
        let value = if is_secret(&name) && !value.contains("{{") {
            secrets.header(&name, &value)
        } else {
            variables.template(&value, secrets)
        };
        step.header(&name, &value);
    }
    // The request's own, or that of the nearest folder around it.
    let said = request.get("auth").into_iter().chain(item.auth.iter().rev().copied());
    if let Some(said) = said.into_iter().find(|said| said["type"].is_string()) {
        auth::add(&mut step, said, variables, secrets);
    }
    body::add(&mut step, &request["body"], variables, secrets);
    if matches!(step.body, Body::Multipart(_)) {
        step.take_header("content-type");
    }
    for script in item.tests.iter().copied().chain([own]) {
        script.apply(&mut step);
    }
    step.notes.extend(own.notes.iter().cloned());
    let name = item.folders.iter().copied().chain(item.value["name"].as_str());
    let name: Vec<_> = name.map(clean).filter(|name| !name.is_empty()).collect();
    let name = if name.is_empty() { step.request.clone() } else { name.join(" / ") };
    let mut tags: Vec<_> = item.folders.iter().copied().map(clean).filter(|tag| !tag.is_empty()).collect();
    tags.dedup();
    Task { name, tags, steps: vec![step], ..Task::default() }
}

/// Headers as a list, or as lines of a text.
fn headers(said: &Value) -> Vec<(String, String)> {
    match said {
        Value::String(lines) => {
            let pairs = lines.lines().filter_map(|line| line.split_once(':'));
            pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
        }
        list => enabled(list).collect(),
    }
}

/// Keys and values of a list, without those that are switched off.
fn enabled(list: &Value) -> impl Iterator<Item = (String, String)> {
    let entries = list.as_array().into_iter().flatten().filter(|entry| entry["disabled"] != true);
    entries.filter_map(|entry| Some((entry["key"].as_str()?.to_owned(), plain(&entry["value"]))))
}

/// A value as a text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// One line without spaces at its ends.
fn clean(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
