//! What does one line of a test say? Statements by their form, one after the other.

use serde_json::Value;

use crate::har::member;
use crate::model::Status;

use super::Says;

/// What is left of a line.
#[derive(Clone, Copy)]
pub(super) struct Line<'l>(&'l str);

/// Words of equality in chai.
const EQUAL: [&str; 6] = ["to.be.equal(", "to.equal(", "to.eql(", "to.eq(", "to.deep.equal(", "to.be.eql("];
/// How variables are set.
const SET: [&str; 6] = [
    "pm.environment.set(",
    "pm.collectionVariables.set(",
    "pm.globals.set(",
    "pm.variables.set(",
    "postman.setEnvironmentVariable(",
    "postman.setGlobalVariable(",
];

impl<'l> Line<'l> {
    /// What a line says; none when a part of it is not understood. `aliases` are names of the answer's parts.
    pub(super) fn read(line: &'l str, aliases: &[(String, String)]) -> Option<Vec<Says>> {
        if let Some(nothing) = Self::nothing(line) {
            return Some(nothing);
        }
        let (mut rest, mut all) = (Self(line), Vec::new());
        rest.wrapper();
        loop {
            rest.0 = rest.0.trim_start_matches([' ', '\t', ';', '}', ')', ',']);
            if rest.0.is_empty() || rest.0.starts_with("//") {
                return Some(all);
            }
            let mut after = rest;
            all.push(after.statement(aliases)?);
            rest = after;
        }
    }

    /// Comments, brackets, and what only shows something.
    pub(super) fn nothing(line: &str) -> Option<Vec<Says>> {
        let is_comment = line.starts_with("//") || line.starts_with("/*") || line.starts_with('*');
        let is_bracket = line.chars().all(|c| "{}();, ".contains(c));
        let is_shown = line.starts_with("console.") || line.starts_with("\"use strict\"");
        (is_comment || is_bracket || is_shown).then(|| vec![Says::Nothing])
    }

    /// Takes `word`, whatever spaces are before it.
    fn eat(&mut self, word: &str) -> bool {
        match self.0.trim_start().strip_prefix(word) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(word))
    }

    /// Takes `pm.test("name", function () {`.
    fn wrapper(&mut self) {
        let mut inner = *self;
        let is_test = inner.eat("pm.test(") && inner.text().is_some() && inner.eat(",");
        if !is_test {
            return;
        }
        inner.eat("async");
        let is_function = inner.eat("function") && inner.eat("(") || inner.eat("(");
        if is_function && inner.eat(")") {
            inner.eat("=>");
            inner.eat("{");
            *self = inner;
        }
    }

    fn statement(&mut self, aliases: &[(String, String)]) -> Option<Says> {
        if self.eat_any(&["const ", "let ", "var "]) {
            let name = self.name()?;
            let path = self.eat("=").then(|| self.answer(aliases))??;
            return Some(Says::Alias(name, path));
        }
        if self.eat_any(&SET) {
            let name = self.text()?;
            let path = self.eat(",").then(|| self.answer(aliases))??;
            return self.eat(")").then_some(Says::Capture(name, path));
        }
        if self.eat("pm.response.to.have.status(") {
            return self.statuses(false);
        }
        if self.eat("pm.response.to.be.ok") || self.eat("pm.response.to.be.success") {
            return Some(Says::Status(vec![Status::Class(2)]));
        }
        if self.eat("pm.response.to.have.header(") {
            let name = self.text()?;
            let value = if self.eat(",") { self.text()? } else { String::new() };
            return self.eat(")").then_some(Says::Header(name, value));
        }
        if self.eat("tests[") {
            self.text()?;
            let is_code = self.eat("]")
                && self.eat("=")
                && self.eat("responseCode.code")
                && self.eat_any(&["===", "=="]);
            return is_code.then(|| self.status())?.map(|status| Says::Status(vec![status]));
        }
        self.eat("pm.expect(").then(|| self.expectation(aliases))?
    }

    /// What follows `pm.expect(`.
    fn expectation(&mut self, aliases: &[(String, String)]) -> Option<Says> {
        if self.eat("pm.response.code)") {
            return match () {
                () if self.eat(".to.be.oneOf([") => self.statuses(true),
                () if self.eat(".") && self.eat_any(&EQUAL) => self.statuses(false),
                () => None,
            };
        }
        if self.eat("pm.response.responseTime)") {
            let ms = self.eat_any(&[".to.be.below(", ".to.be.lessThan("]).then(|| self.number())??;
            return self.eat(")").then_some(Says::Time(ms));
        }
        if self.eat("pm.response.text())") {
            let text = self.eat_any(&[".to.include(", ".to.contain("]).then(|| self.text())??;
            return self.eat(")").then_some(Says::Text(text));
        }
        let path = self.answer(aliases)?;
        let value = (self.eat(")") && self.eat(".") && self.eat_any(&EQUAL)).then(|| self.literal())??;
        self.eat(")").then_some(Says::Json(path, value))
    }

    /// Statuses up to the closing bracket.
    fn statuses(&mut self, is_list: bool) -> Option<Says> {
        let mut all = vec![self.status()?];
        while is_list && self.eat(",") {
            all.push(self.status()?);
        }
        let is_closed = (!is_list || self.eat("]")) && self.eat(")");
        is_closed.then_some(Says::Status(all))
    }

    fn status(&mut self) -> Option<Status> {
        let code = u16::try_from(self.number()?).ok()?;
        (100..600).contains(&code).then_some(Status::One(code))
    }

    fn number(&mut self) -> Option<u64> {
        let rest = self.0.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        self.0 = &rest[end..];
        rest[..end].parse().ok()
    }

    fn name(&mut self) -> Option<String> {
        let rest = self.0.trim_start();
        let end =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
        self.0 = &rest[end..];
        (end > 0).then(|| rest[..end].to_owned())
    }

    /// A text in quotes without escapes.
    fn text(&mut self) -> Option<String> {
        let rest = self.0.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
        let end = rest[1..].find(quote)?;
        let text = &rest[1..=end];
        self.0 = &rest[end + 2..];
        (!text.contains(['\\', '$'])).then(|| text.to_owned())
    }

    fn literal(&mut self) -> Option<Value> {
        for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false))] {
            if self.eat(word) {
                return Some(value);
            }
        }
        if self.0.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            let rest = self.0.trim_start();
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-' && c != '.').unwrap_or(rest.len());
            self.0 = &rest[end..];
            return serde_json::from_str(&rest[..end]).ok();
        }
        self.text().map(Value::from)
    }

    /// The answer or a part of it, as a JSONPath.
    fn answer(&mut self, aliases: &[(String, String)]) -> Option<String> {
        let mut path = if self.eat_any(&["pm.response.json()", "JSON.parse(responseBody)"]) {
            "$".to_owned()
        } else {
            let name = self.name()?;
            aliases.iter().rev().find(|(alias, _)| *alias == name)?.1.clone()
        };
        loop {
            if self.0.starts_with("?.") {
                self.0 = &self.0[1..];
            }
            if let Some(rest) = self.0.strip_prefix('.') {
                self.0 = rest;
                path += &member(&self.name()?);
            } else if let Some(rest) = self.0.strip_prefix('[') {
                self.0 = rest;
                let piece = match self.text() {
                    Some(key) => member(&key),
                    None => format!("[{}]", self.number()?),
                };
                path += &piece;
                if !self.eat("]") {
                    return None;
                }
            } else {
                break;
            }
        }
        // A call of a method: length, find and the like have no path.
        (!self.0.starts_with('(') && !path.ends_with(".length")).then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn says(line: &str) -> Option<Vec<Says>> {
        Line::read(line, &[("body".to_owned(), "$.data".to_owned())])
    }

    #[test]
    fn simple_tests_are_understood() {
        let status = |code| vec![Says::Status(vec![Status::One(code)])];
        assert_eq!(says("pm.response.to.have.status(200);"), Some(status(200)));
        assert_eq!(says("pm.test('ok', () => pm.response.to.have.status(201));"), Some(status(201)));
        assert_eq!(
            says("pm.test(\"ok\", function () { pm.response.to.have.status(202); });"),
            Some(status(202))
        );
        assert_eq!(says("pm.test(\"ok\", function () {"), Some(vec![]));
        assert_eq!(says("tests[\"ok\"] = responseCode.code === 204;"), Some(status(204)));
        let both = vec![Says::Status(vec![Status::One(200), Status::One(201)])];
        assert_eq!(says("pm.expect(pm.response.code).to.be.oneOf([200, 201]);"), Some(both));
        assert_eq!(
            says("pm.expect(pm.response.responseTime).to.be.below(300);"),
            Some(vec![Says::Time(300)])
        );
        assert_eq!(
            says("pm.expect(body.items[0].n).to.eql(-1.5);"),
            Some(vec![Says::Json("$.data.items[0].n".into(), json!(-1.5))])
        );
    }

    #[test]
    fn variables_that_are_set_from_the_answer_are_captured() {
        let capture = |path: &str| Some(vec![Says::Capture("id".into(), path.into())]);
        assert_eq!(says("pm.environment.set('id', pm.response.json().order.id);"), capture("$.order.id"));
        assert_eq!(says("pm.globals.set(\"id\", body[\"a-b\"]);"), capture("$.data[\"a-b\"]"));
        assert_eq!(says("const x = pm.response.json();"), Some(vec![Says::Alias("x".into(), "$".into())]));
    }

    #[test]
    fn everything_else_is_not_guessed() {
        for line in [
            "if (body.x) {",
            "pm.environment.set('id', body.items.length);",
            "pm.sendRequest(url);",
            "pm.expect(body.items).to.be.an('array');",
            "pm.environment.set('id', other.id);",
            "pm.environment.set('id', body.find(x => x));",
            "pm.response.to.have.status('OK');",
        ] {
            assert_eq!(says(line), None, "{line}");
        }
    }
}
