//! How is a script written? TOML, taken strictly: what is not understood is refused with its place.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Deserializer, de};

use super::{
    DrawBy, DwcpScript, Fail, MAX_BODY_BYTES, Rule, Script, Stall, WsScript,
    grpc::RawGrpc,
    values::{Fails, Time, check_status},
};
use crate::{delay::Delay, fault::How, http::Encoding};

/// Why a script was refused.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file could not be read.
    #[error("{file}: cannot read the script: {source}")]
    Read {
        /// As the user named it.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The text is no script.
    #[error("{file}:{line}: {message}")]
    Parse {
        /// As the user named it.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong and what was expected.
        message: String,
    },
}

impl Script {
    /// Reads a script file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or [`parse`](Self::parse) refuses it.
    pub fn load(path: &Path) -> Result<Self, ScriptError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScriptError::Read { file: file.clone(), source })?;
        Self::parse(&file, &text)
    }

    /// Takes the text of a script; `file` is its name in errors.
    ///
    /// # Errors
    ///
    /// Names file and line of the first thing that is not understood.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScriptError> {
        toml::from_str::<File>(text).map(File::into_script).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = 1 + text.get(..start).unwrap_or(text).matches('\n').count();
            ScriptError::Parse { file: file.to_owned(), line, message: error.message().replace('\n', " ") }
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    seed: u64,
    #[serde(default = "by_order")]
    draw_by: DrawBy,
    #[serde(default)]
    rule: Rules,
    #[serde(default)]
    stall: Stalls,
    grpc: Option<RawGrpc>,
    ws: Option<WsScript>,
    dwcp: Option<DwcpScript>,
}

fn by_order() -> DrawBy {
    DrawBy::Order
}

impl File {
    fn into_script(self) -> Script {
        let mut rules = self.rule.0;
        rules.push(Rule::default());
        let grpc = self.grpc.map(Into::into).unwrap_or_default();
        let ws = self.ws.unwrap_or_default();
        let dwcp = self.dwcp.unwrap_or_default();
        Script { seed: self.seed, draw_by: self.draw_by, rules, stalls: self.stall.0, grpc, ws, dwcp }
    }
}

impl<'de> Deserialize<'de> for DrawBy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "order" => Ok(Self::Order),
            "k" => Ok(Self::K),
            other => Err(de::Error::custom(format!("draw_by = {other:?}: expected \"order\" or \"k\""))),
        }
    }
}

impl<'de> Deserialize<'de> for Encoding {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "length" => Ok(Self::Length),
            "chunked" => Ok(Self::Chunked),
            "close" => Ok(Self::Close),
            other => Err(de::Error::custom(format!(
                "encoding = {other:?}: expected \"length\", \"chunked\" or \"close\""
            ))),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(try_from = "Vec<RawStall>")]
struct Stalls(Vec<Stall>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStall {
    at: Time,
    r#for: Time,
}

impl TryFrom<Vec<RawStall>> for Stalls {
    type Error = String;

    fn try_from(raw: Vec<RawStall>) -> Result<Self, String> {
        let mut stalls: Vec<_> =
            raw.into_iter().map(|stall| Stall { at_ns: stall.at.0, for_ns: stall.r#for.0 }).collect();
        stalls.sort_by_key(|stall| stall.at_ns);
        if stalls.iter().any(|stall| stall.for_ns == 0) {
            return Err("a stall for \"0s\" is none: expected a longer time".to_owned());
        }
        if stalls.windows(2).any(|pair| pair[0].at_ns + pair[0].for_ns > pair[1].at_ns) {
            return Err(
                "two stalls overlap: expected each to begin after the end of the one before".to_owned()
            );
        }
        Ok(Self(stalls))
    }
}

#[derive(Default, Deserialize)]
#[serde(try_from = "Vec<Rule>")]
struct Rules(Vec<Rule>);

impl TryFrom<Vec<Rule>> for Rules {
    type Error = String;

    fn try_from(rules: Vec<Rule>) -> Result<Self, String> {
        for (i, rule) in rules.iter().enumerate() {
            if rule.name == "default" || rules[..i].iter().any(|earlier| earlier.name == rule.name) {
                return Err(format!(
                    "two rules are called {:?}: expected a `name = \"...\"` that tells them apart",
                    rule.name
                ));
            }
        }
        Ok(Self(rules))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    path: String,
    name: Option<String>,
    method: Option<String>,
    from: Option<Time>,
    until: Option<Time>,
    status: Option<u16>,
    body: Option<String>,
    body_bytes: Option<usize>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    encoding: Option<Encoding>,
    #[serde(default)]
    requests_per_connection: u64,
    delay: Option<Delay>,
    #[serde(default)]
    fail: Fails<Fail>,
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        RawRule::deserialize(from)?.check().map_err(de::Error::custom)
    }
}

impl RawRule {
    fn check(self) -> Result<Rule, String> {
        let answers = self.status.is_some() || self.body.is_some() || self.body_bytes.is_some();
        let status = self.status.unwrap_or(200);
        check_status(status)?;
        if !self.path.starts_with('/') {
            return Err(format!("path = {:?}: expected one that begins with \"/\"", self.path));
        }
        let (from_ns, until_ns) = (self.from.map_or(0, |t| t.0), self.until.map_or(u64::MAX, |t| t.0));
        if from_ns >= until_ns {
            return Err("the rule never applies: expected `from` before `until`".to_owned());
        }
        let bodyless = matches!(status, 204 | 304);
        let body = match (self.body, self.body_bytes) {
            (Some(_), Some(_)) => return Err("expected `body` or `body_bytes`, not both".to_owned()),
            (Some(text), None) => text.into_bytes(),
            (None, Some(bytes)) if bytes > MAX_BODY_BYTES => {
                return Err(format!("body_bytes = {bytes}: expected at most {MAX_BODY_BYTES}"));
            }
            (None, Some(bytes)) => vec![b'x'; bytes],
            (None, None) if bodyless => Vec::new(),
            (None, None) => b"ok".to_vec(),
        };
        let encoding = self.encoding.unwrap_or(Encoding::Length);
        if bodyless && (!body.is_empty() || encoding != Encoding::Length) {
            return Err(format!("status {status} has no body: expected no body and no encoding"));
        }
        check_headers(&self.headers)?;
        let cut = self.fail.0.iter().any(|fail| fail.how == How::Short);
        if cut && (body.is_empty() || encoding == Encoding::Close) {
            return Err("how = \"short\": expected a body whose length the client can know".to_owned());
        }
        Ok(Rule {
            name: self
                .name
                .map_or_else(|| Ok(default_name(self.method.as_deref(), &self.path)), check_name)?,
            path: self.path,
            method: self.method.map(check_method).transpose()?,
            from_ns,
            until_ns,
            status,
            headers: self.headers.into_iter().collect(),
            body,
            answers,
            encoding,
            requests_per_connection: self.requests_per_connection,
            delay: self.delay.unwrap_or(Delay::Constant(0)),
            fails: self.fail.0,
        })
    }
}

fn default_name(method: Option<&str>, path: &str) -> String {
    // Names are cells of a CSV without quotes.
    let path: String = path.chars().map(|c| if is_name_char(c) { c } else { '_' }).collect();
    method.map_or_else(|| path.clone(), |method| format!("{method} {path}"))
}

fn is_name_char(c: char) -> bool {
    !c.is_control() && !matches!(c, ',' | '"')
}

fn check_name(name: String) -> Result<String, String> {
    if name.is_empty() || !name.chars().all(is_name_char) {
        return Err(format!("name = {name:?}: expected one without commas, quotes and control characters"));
    }
    Ok(name)
}

fn check_method(method: String) -> Result<String, String> {
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("method = {method:?}: expected capitals, like \"POST\""));
    }
    Ok(method)
}

fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), String> {
    const OWN: [&str; 3] = ["content-length", "transfer-encoding", "connection"];
    for (name, value) in headers {
        if OWN.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return Err(format!(
                "header {name:?} is the server's own: expected `encoding` or `requests_per_connection` instead"
            ));
        }
        let token =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !token || value.chars().any(char::is_control) {
            return Err(format!("header {name:?}: expected a name of letters, digits and -, and one line"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of a script.
    fn refused(text: &str) -> String {
        Script::parse("s.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_whole_script_is_understood() {
        let script = Script::parse(
            "s.toml",
            r#"
            seed = 7
            draw_by = "k"
            [[rule]]
            path = "/slow"
            method = "GET"
            status = 201
            body_bytes = 3
            headers = { "x" = "y" }
            delay = { pareto = { scale = "1ms", shape = 1.5, max = "2s" } }
            fail = { share = 0.01, how = "reset" }
            [[rule]]
            path = "/b"
            delay = { bimodal = ["1ms", "50ms"], share = 0.1 }
            fail = [{ every = 100, how = "drip", byte_every = "1ms" }, { how = "status:503" }]
            [[stall]]
            at = "4s"
            for = "1s"
            "#,
        )
        .unwrap();
        assert_eq!((script.seed, script.draw_by, script.rules.len()), (7, DrawBy::K, 3));
        let rule = &script.rules[0];
        assert_eq!((rule.name.as_str(), rule.status, rule.body.as_slice()), ("GET /slow", 201, &b"xxx"[..]));
        assert_eq!(rule.delay, Delay::Pareto { scale: 1_000_000, shape: 1.5, max: 2_000_000_000 });
        assert_eq!(script.rules[1].fails[0].how, How::Drip { every_ns: 1_000_000 });
        assert_eq!(script.rules[1].fails[1].how, How::Status(503));
        assert_eq!(script.stalls, [Stall { at_ns: 4_000_000_000, for_ns: 1_000_000_000 }]);
    }

    #[test]
    fn the_example_of_the_readme_is_a_script() {
        let readme = include_str!("../../README.md");
        let example = readme.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert_eq!(Script::parse("README.md", example).unwrap().rules.len(), 2);
    }

    #[test]
    fn mistakes_are_told_with_file_line_and_what_was_expected() {
        let rule = |line: &str| refused(&format!("seed = 1\n[[rule]]\npath = \"/\"\n{line}\n"));
        for (line, message) in [
            ("pth = 1", "s.toml:4: unknown field `pth`, expected one of"),
            ("delay = \"5\"", "s.toml:4: \"5\" is no duration: expected one like"),
            (
                "delay = { uniform = [\"9ms\", \"1ms\"] }",
                "s.toml:4: uniform: expected the shorter time first",
            ),
            ("delay = { share = 0.5 }", "s.toml:4: expected `bimodal` and `share` together"),
            ("delay = 5", "expected a duration like \"5ms\" or a table"),
            ("fail = { how = \"explode\" }", "s.toml:4: how = \"explode\": expected status:N, reset"),
            ("fail = { how = \"reset\", share = 2.0 }", "s.toml:4: share = 2: expected 0 to 1"),
            ("fail = { how = \"short\", after_bytes = 1 }", "expected `after_bytes` with how ="),
            ("status = 100", "status 100: expected a final one"),
            ("body = \"a\"\nbody_bytes = 1", "expected `body` or `body_bytes`, not both"),
            ("encoding = \"gzip\"", "s.toml:4: encoding = \"gzip\": expected \"length\""),
            ("headers = { \"Content-Length\" = \"1\" }", "is the server's own"),
            ("from = \"2s\"\nuntil = \"1s\"", "expected `from` before `until`"),
            ("[[rule]]\npath = \"/\"", "two rules are called \"/\""),
        ] {
            let error = rule(line);
            assert!(error.starts_with("s.toml:") && error.contains(message), "{line}\n{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        let overlap = "[[stall]]\nat = \"1s\"\nfor = \"2s\"\n[[stall]]\nat = \"2s\"\nfor = \"1s\"\n";
        assert!(refused(overlap).contains("two stalls overlap"));
        assert!(refused("seed = x").starts_with("s.toml:1: "));
    }
}
