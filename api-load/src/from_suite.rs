//! What does a suite make of the protocol?

use load_core::compile::FromSuite;
use load_core::error::UsageError;
use load_suite::suite::Suite;

use crate::args::ApiArgs;
use crate::compile::{self, Base};
use crate::expect::Statuses;
use crate::protocol::Api;

/// The protocol that `suite` asks for; what `args` say wins over its environment.
///
/// # Errors
/// The first mistake in the suite, with its place, or flags that mean nothing with one.
pub(crate) fn api(mut args: ApiArgs, suite: &Suite) -> Result<Api, UsageError> {
    let said = [
        ("--method", args.method.is_some()),
        ("--expect-text", args.expect_text.is_some()),
        ("a body", args.content.is_some()),
    ];
    if let Some((flag, _)) = said.into_iter().find(|(_, given)| *given) {
        return Err(UsageError::new(format!(
            "{flag}: the steps of the suite say that; leave it out with --suite"
        )));
    }
    if args.url.is_none() {
        args.url = suite.environment.url.as_ref().map(|url| url.value.clone());
    }
    if args.url.is_none() {
        return Err(UsageError::new(
            "no target: give --url http://HOST[:PORT], or the suite an environment with a url",
        ));
    }
    let has_token = args.headers.token.bearer()?.is_some();
    let token = args.headers.token.told(suite.environment.has_token());
    let statuses = Statuses::new(args.expect_status.clone());
    let tls = args.tls.clone();
    let mut api = Api::unsettled(args)?;
    let (path, query) = api.url.target.split_once('?').unwrap_or((&api.url.target, ""));
    if !query.is_empty() {
        return Err(UsageError::new("--url: a path before those of the steps has no query"));
    }
    let prefix = format!("{}{}", api.manner.ahead(), path.trim_end_matches('/'));
    let base = Base {
        version: api.version,
        secure: api.url.secure,
        prefix: &prefix,
        has_token,
        headers: &api.headers,
        statuses: &statuses,
        ways: api.manner.ways,
    };
    let (script, from_suite) = compile::compiled(suite, &base)?;
    api.suite = Some(FromSuite { token, ..from_suite });
    api.script = script;
    api.settled(&tls)
}
