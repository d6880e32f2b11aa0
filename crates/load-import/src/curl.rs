//! What do command lines of curl say? Each one is a call, in their order.

mod options;
mod shell;

use crate::ImportError;
use crate::host;
use crate::model::{Body, Content, Part, Step, Suite, Task, is_token};
use crate::names::Given;
use crate::recorded::{Captured, Words};
use crate::secret::Secrets;
use crate::text;

use options::{Asked, Data};

/// A URL to call.
struct Call {
    line: usize,
    host: String,
    /// As written, without the host.
    target: String,
    /// Name and password in the URL.
    user: Option<String>,
    /// Index of what the command asks for.
    asked: usize,
}

/// Reads command lines.
pub(crate) fn read(text: &str) -> Result<Suite, ImportError> {
    let (mut commands, mut calls) = (Vec::new(), Vec::new());
    for command in shell::commands(text)? {
        let tool = command.words.first().map_or("", |word| word.rsplit('/').next().unwrap_or_default());
        if tool != "curl" {
            if command.is_piped {
                continue;
            }
            return Err(ImportError::new(
                format!("line {}", command.line),
                format!("expected a command that begins with curl, found {tool:?}"),
            ));
        }
        let asked = Asked::read(&command)?;
        for url in &asked.urls {
            let whole = if url.contains("://") { url.clone() } else { format!("http://{url}") };
            let (host, target) = host::split(&whole).ok_or_else(|| {
                ImportError::new(format!("line {}", command.line), "expected a URL as https://host/path")
            })?;
            let user = host::userinfo(&whole).map(text::decoded);
            calls.push(Call { line: command.line, host, target, user, asked: commands.len() });
        }
        commands.push(asked);
    }
    let hosts: Vec<_> = calls.iter().map(|call| call.host.as_str()).collect();
    let Some((host, others)) = host::most_frequent(&hosts) else {
        return Err(ImportError::new("line 1", "expected a command that begins with curl"));
    };
    let environments = vec![("default".to_owned(), host.to_owned())];
    let kept: Vec<_> = calls.iter().filter(|call| call.host == host).collect();
    let mut secrets = Secrets::default();
    // The first time tells what is secret, and where else it stands.
    tasks(&kept, &commands, &mut secrets)?;
    let tasks = tasks(&kept, &commands, &mut secrets)?;
    let commands: Vec<_> = kept.iter().map(|call| &commands[call.asked]).collect();
    let mut notes: Vec<_> = host::left_out(&others).into_iter().collect();
    for note in commands.iter().flat_map(|asked| &asked.notes) {
        if !notes.iter().any(|known| known == note) {
            notes.push((*note).to_owned());
        }
    }
    Ok(Suite {
        origin: format!("{} calls of curl", tasks.len()),
        notes,
        secrets: secrets.named(),
        environments,
        in_order: true,
        tasks,
        ..Suite::default()
    })
}

fn tasks(calls: &[&Call], commands: &[Asked], secrets: &mut Secrets) -> Result<Vec<Task>, ImportError> {
    let (mut given, mut tasks) = (Given::default(), Vec::new());
    for call in calls {
        let mut words = Words { secrets: &mut *secrets, captured: &Captured::new(), at: 0 };
        let step = step(call, &commands[call.asked], &mut words)
            .map_err(|message| ImportError::new(format!("line {}", call.line), message))?;
        let name = given.unique(text::split_query(&step.request).0, " ");
        tasks.push(Task { name, steps: vec![step], ..Task::default() });
    }
    Ok(tasks)
}

fn step(call: &Call, asked: &Asked, words: &mut Words<'_>) -> Result<Step, String> {
    let data = body(asked)?;
    let mut target = call.target.clone();
    if asked.is_get
        && let Some(Sent::Text(data)) = &data
    {
        target.push(if target.contains('?') { '&' } else { '?' });
        target += data;
    }
    let has_body = !asked.is_get && (data.is_some() || !asked.parts.is_empty());
    let method = match &asked.method {
        Some(method) if is_token(method) => method.to_ascii_uppercase(),
        Some(method) => return Err(format!("expected a method as POST, found {method:?}")),
        None if asked.is_head => "HEAD".to_owned(),
        None => if has_body { "POST" } else { "GET" }.to_owned(),
    };
    let mut step = Step::new(&method, &words.target(&target));
    headers(&mut step, call, asked, words);
    let mime = asked.headers.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-type").then(|| value.trim())
    });
    let implied = if asked.is_json { "application/json" } else { "application/x-www-form-urlencoded" };
    let mime = mime.unwrap_or(implied);
    match data {
        _ if !has_body => {}
        Some(Sent::Text(data)) => words.body(&mut step, mime, &data),
        Some(Sent::File(path)) => {
            step.header("Content-Type", &text::literal(mime));
            step.body = Body::File(path);
        }
        None => {
            let parts = asked.parts.iter().map(|part| read_part(part, words));
            step.body = Body::Multipart(parts.collect::<Result<_, _>>()?);
        }
    }
    if let Some(seconds) =
        asked.seconds.as_ref().and_then(|seconds| seconds.parse::<f64>().ok()).filter(|s| *s > 0.0)
    {
        step.timeout = Some(format!("{}ms", (seconds * 1e3).ceil().min(3_600_000.0)));
    }
    Ok(step)
}

fn headers(step: &mut Step, call: &Call, asked: &Asked, words: &mut Words<'_>) {
    for line in &asked.headers {
        // `Name:` takes a header away, `Name;` sends it empty.
        if let Some((name, value)) = line.split_once(':') {
            // A cookie that was typed belongs to the call; what a browser adds does not.
            let is_ours = name.eq_ignore_ascii_case("cookie") || !crate::recorded::is_volatile(name);
            if is_ours && !value.trim().is_empty() {
                let value = words.header(name.trim(), value.trim());
                step.header(name, &value);
            }
        }
    }
    let cookies: Vec<_> =
        asked.cookies.iter().filter(|cookie| cookie.contains('=')).map(String::as_str).collect();
    if !cookies.is_empty() {
        let value = words.header("Cookie", &cookies.join("; "));
        step.header("Cookie", &value);
    }
    for (name, value) in [("User-Agent", &asked.agent), ("Referer", &asked.referer)] {
        if let Some(value) = value {
            let value = words.secrets.literal(value);
            step.header(name, &value);
        }
    }
    if let Some(token) = &asked.bearer {
        let value = words.header("Authorization", &format!("Bearer {token}"));
        step.default_header("Authorization", &value);
    } else if let Some(user) = asked.user.as_ref().or(call.user.as_ref()) {
        let value = words.secrets.basic(user);
        step.default_header("Authorization", &value);
    }
    if asked.is_json {
        step.default_header("Accept", "application/json");
    }
}

/// The body as curl puts it together.
enum Sent {
    Text(String),
    File(String),
}

fn body(asked: &Asked) -> Result<Option<Sent>, String> {
    let mut texts = Vec::new();
    for data in &asked.data {
        texts.push(match data {
            Data::Plain(text) if text.starts_with('@') => {
                if asked.data.len() > 1 || asked.is_get {
                    return Err(format!(
                        "expected a file as the only data of a body, found {text} beside others"
                    ));
                }
                return Ok(Some(Sent::File(text[1..].to_owned())));
            }
            Data::Plain(text) | Data::Raw(text) => text.clone(),
            Data::Encoded(text) => encoded(text)?,
        });
    }
    // --json puts its pieces together without anything between them.
    let between = if asked.is_json { "" } else { "&" };
    Ok((!texts.is_empty()).then(|| Sent::Text(texts.join(between))))
}

/// The forms of `--data-urlencode`: `content`, `=content`, `name=content`, `@file`, `name@file`.
fn encoded(text: &str) -> Result<String, String> {
    match text.find(['=', '@']) {
        Some(at) if text[at..].starts_with('@') => {
            Err("expected --data-urlencode with a text; a file cannot be imported".to_owned())
        }
        Some(0) => Ok(text::component(&text[1..])),
        Some(at) => Ok(format!("{}={}", &text[..at], text::component(&text[at + 1..]))),
        None => Ok(text::component(text)),
    }
}

/// `name=text`, `name=@file`, each with `;type=...` behind it.
fn read_part((text, has_files): &(String, bool), words: &mut Words<'_>) -> Result<Part, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("expected a part of a form as name=value, found {text:?}"))?;
    let name = text::literal(name);
    if !has_files {
        return Ok(Part { content: Content::Text(words.value(&name, value)), name, mime: None });
    }
    let mut settings = value.split(';');
    let value = settings.next().unwrap_or_default();
    let mime = settings.find_map(|setting| setting.trim().strip_prefix("type=")).map(str::to_owned);
    let content = match value.strip_prefix(['@', '<']) {
        Some(file) => Content::File(file.trim_matches('"').to_owned()),
        None => Content::Text(words.value(&name, value)),
    };
    Ok(Part { name, content, mime })
}
