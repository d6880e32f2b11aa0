//! Which bytes belong to a decision? Every answer of a script, rendered before the first request.

use crate::{
    fault::How,
    http::{Answer, Persistence},
    script::{Rule, Script},
};

/// The answers of a script.
pub(crate) struct Answers(Vec<OfRule>);

struct OfRule {
    usual: Variants,
    /// By index of the fault; `None` where the fault is made from the usual answer.
    failed: Vec<Option<Variants>>,
}

/// One answer, in each of the three things it may say about the connection.
struct Variants {
    implied: Answer,
    kept: Answer,
    closing: Answer,
}

impl Answers {
    pub(crate) fn new(script: &Script) -> Self {
        Self(script.rules.iter().map(OfRule::new).collect())
    }

    /// The answer of a rule, or of the rule's fault where that has one of its own.
    pub(crate) fn pick(&self, rule: usize, fail: Option<usize>, persistence: Persistence) -> &Answer {
        let rule = &self.0[rule];
        let variants = fail.and_then(|fail| rule.failed[fail].as_ref()).unwrap_or(&rule.usual);
        match persistence {
            Persistence::Implied => &variants.implied,
            Persistence::Kept => &variants.kept,
            Persistence::Closing => &variants.closing,
        }
    }
}

impl OfRule {
    fn new(rule: &Rule) -> Self {
        let failed = |how| match how {
            How::Status(status) => Some(Variants::new(rule, status, b"scripted failure")),
            _ => None,
        };
        Self {
            usual: Variants::new(rule, rule.status, &rule.body),
            failed: rule.fails.iter().map(|fail| failed(fail.how)).collect(),
        }
    }
}

impl Variants {
    fn new(rule: &Rule, status: u16, body: &[u8]) -> Self {
        let body = if matches!(status, 204 | 304) { b"" } else { body };
        let render = |persistence| Answer::render(status, &rule.headers, body, rule.encoding, persistence);
        Self {
            implied: render(Persistence::Implied),
            kept: render(Persistence::Kept),
            closing: render(Persistence::Closing),
        }
    }
}
