//! What does an OpenAPI description say? Each operation is a task; only those that read run unless asked for.

mod document;
mod operation;
mod parameter;
mod schema;
mod security;
mod server;

use serde_json::Value;

use crate::ImportError;
use crate::model::Suite;
use crate::names::Given;
use crate::secret::Secrets;

use document::Document;
use operation::Operation;

/// Methods of operations, and whether they only read.
const METHODS: [(&str, bool); 7] = [
    ("get", true),
    ("head", true),
    ("options", true),
    ("post", false),
    ("put", false),
    ("patch", false),
    ("delete", false),
];

/// The variable that switches writing operations on.
const WRITE: &str = "write";

/// Reads a description.
pub(crate) fn read(text: &str) -> Result<Suite, ImportError> {
    let document = Document::parse(text)?;
    let mut suite = Suite { origin: origin(&document), think: Some("1s"), ..Suite::default() };
    suite.environments = server::read(&document, &mut suite.notes);
    let (mut names, mut secrets) = (Given::default(), Secrets::default());
    let mut writes = Vec::new();
    for (path, item) in document.paths()? {
        let place = format!("paths.{path}");
        let item = document.resolve(item, &place)?;
        for (method, is_read) in METHODS {
            let Some(said) = item.get(method).filter(|said| said.is_object()) else { continue };
            let place = format!("{place}.{method}");
            let operation = Operation { document: &document, path, item, method, said, place };
            let mut task = operation.task(&mut secrets)?;
            task.name = names.unique(&task.name, " ");
            if !is_read {
                writes.push(suite.tasks.len());
            }
            suite.tasks.push(task);
        }
    }
    if suite.tasks.is_empty() {
        return Err(ImportError::new("paths", "expected at least one operation, such as get of a path"));
    }
    if !writes.is_empty() {
        hold_back(&mut suite, &writes);
    }
    suite.secrets = secrets.named();
    Ok(suite)
}

/// Tags the tasks that write, and keeps them from running unless somebody says so.
fn hold_back(suite: &mut Suite, writes: &[usize]) {
    let only_writes = writes.len() == suite.tasks.len();
    for &at in writes {
        let task = &mut suite.tasks[at];
        task.tags.push(WRITE.to_owned());
        // With nothing left to do there would be no run.
        task.condition = (!only_writes).then_some(WRITE);
    }
    if only_writes {
        suite.notes.push("Every operation writes; all of them have the tag `write`.".to_owned());
        return;
    }
    suite.vars.push((WRITE.to_owned(), String::new()));
    suite.notes.push(format!(
        "{} of {} operations write. They have the tag `write` and do not run unless you say `-e write=yes`.",
        writes.len(),
        suite.tasks.len()
    ));
}

fn origin(document: &Document) -> String {
    let info = |key: &str| {
        document.root.pointer(&format!("/info/{key}")).and_then(Value::as_str).unwrap_or_default()
    };
    let title = format!("{} {}", info("title"), info("version"));
    format!("OpenAPI {}, {}", document.version, title.trim())
}
