//! What does a suite make of the protocol?

use load_core::error::UsageError;
use load_suite::suite::Suite;

use crate::args::WsArgs;
use crate::protocol::Ws;
use crate::suite::compile;
use crate::suite::connect::Base;

/// The protocol that `suite` asks for; what `args` say wins over its environment.
///
/// # Errors
/// The first mistake in the suite, with its place, or flags that mean nothing with one.
pub(crate) fn ws(mut args: WsArgs, suite: &Suite) -> Result<Ws, UsageError> {
    let said = [
        ("--send", !args.send.is_empty()),
        ("--message", args.message.is_some()),
        ("--publish-message", args.publish_message.is_some()),
        ("--binary", args.binary),
        ("--expect-text", args.expect_text.is_some()),
    ];
    if let Some((flag, _)) = said.into_iter().find(|(_, given)| *given) {
        let why = format!("{flag}: the steps of the suite say that; leave it out with --suite");
        return Err(UsageError::new(why));
    }
    if args.url.is_none() {
        args.url = suite.environment.url.as_ref().map(|url| url.value.clone());
    }
    if args.url.is_none() {
        let why = "no target: give --url ws://HOST[:PORT], or the suite an environment with a url";
        return Err(UsageError::new(why));
    }
    let environment = &suite.environment;
    let has_token = args.headers.token.bearer()?.is_some();
    let token = args.headers.token.told(environment.has_token());
    let suite_headers = if has_token { environment.headers_but_token() } else { environment.headers.clone() };
    let mut ws = Ws::plain(args)?;
    let base = Base {
        url: &ws.url,
        headers: &ws.headers,
        suite_headers,
        subprotocols: &ws.args.subprotocol,
        max_message: ws.max_message(),
    };
    let (script, mut compiled) = compile::compiled(suite, base, &ws.rules.fields)?;
    if let Some(url) = compiled.servers.iter().find(|url| url.secure) {
        compiled.tls = ws.args.tls.tls(url, &[b"http/1.1"])?;
    }
    compiled.from.token = token;
    ws.script = script;
    ws.suite = Some(Box::new(compiled));
    Ok(ws)
}
