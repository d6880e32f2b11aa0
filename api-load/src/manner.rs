//! How are calls made, besides their requests? What the flags say about connections, redirects, cookies and codings.

use std::sync::Arc;

use load_core::error::UsageError;
use load_net::args::wrong;
use load_net::connection::Tls;
use load_net::http::Manner;
use load_net::http::content::Content;
use load_net::http::decode::OFFERED;
use load_net::http::redirect::{Origin, RedirectArgs};
use load_net::proxy::Proxy;
use load_net::tls::client_config;
use load_net::url::Url;

use crate::args::ApiArgs;

/// Largest body of an answer unless `--max-body` says otherwise.
const MAX_BODY: u64 = 1 << 30;

/// The manner of all calls to `url`.
///
/// # Errors
/// Flags that do not go together, a proxy that is none.
pub fn manner(args: &ApiArgs, url: &Url, tls: Option<&Tls>) -> Result<Manner, UsageError> {
    let RedirectArgs { max_redirects, redirect_hosts } = args.redirects.clone();
    if max_redirects == 0 && !redirect_hosts.is_empty() {
        return Err(wrong("--redirect-hosts", "redirects are not followed; give --max-redirects, too"));
    }
    let config = match tls {
        Some(tls) => Some(Arc::clone(&tls.config)),
        // A redirect may lead to TLS.
        None if max_redirects > 0 => Some(client_config(&args.tls.settings(), &[b"http/1.1"])?),
        None => None,
    };
    Ok(Manner {
        base: format!("{}://{}", url.scheme, url.authority),
        first: Origin::of_target(url),
        max_redirects,
        redirect_hosts,
        cookies: args.cookies,
        compressed: args.compressed,
        max_body: args.max_body.unwrap_or(MAX_BODY),
        route: args.route.clone().route()?,
        tls: config,
    })
}

/// Adds the headers that follow from it, and those about the body.
///
/// # Errors
/// A header of the user's that contradicts.
pub fn announce(
    args: &ApiArgs,
    manner: &Manner,
    content: Option<&Content>,
    headers: &mut Vec<(String, String)>,
) -> Result<(), UsageError> {
    let has =
        |headers: &[(String, String)], name| headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    if args.disable_keepalive && has(headers, "connection") {
        return Err(wrong(
            "--disable-keepalive",
            "it sends Connection: close; leave out --header Connection",
        ));
    }
    if args.disable_keepalive {
        headers.push(("Connection".into(), "close".into()));
    }
    if let Some(content) = content {
        content.announce(headers);
    }
    if args.compressed && !has(headers, "accept-encoding") {
        headers.push(("Accept-Encoding".into(), OFFERED.into()));
    }
    // A tunnel is asked for before the call.
    let asked = manner.route.proxy().filter(|_| !manner.ahead().is_empty());
    if let Some(value) = asked.and_then(Proxy::authorization) {
        headers.push(("Proxy-Authorization".into(), value));
    }
    Ok(())
}
