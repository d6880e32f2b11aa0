//! How are calls made, besides their requests? What the flags say about connections, redirects, cookies and codings.

use std::sync::Arc;

use load_core::error::UsageError;
use load_net::args::{TlsArgs, wrong};
use load_net::connection::Tls;
use load_net::http::content::Content;
use load_net::http::decode::OFFERED;
use load_net::http::redirect::{Origin, RedirectArgs};
use load_net::http::{Manner, Ways};
use load_net::proxy::Proxy;
use load_net::tls::client_config;
use load_net::url::Url;
use load_suite::fields::Fields;
use load_suite::node::SuiteError;

use crate::args::ApiArgs;

/// Largest body of an answer unless `--max-body` says otherwise.
const MAX_BODY: u64 = 1 << 30;

/// The manner of all calls to `url`.
///
/// # Errors
/// Flags that do not go together, a proxy that is none.
pub fn manner(args: &ApiArgs, url: &Url, tls: Option<&Tls>) -> Result<Manner, UsageError> {
    let RedirectArgs { max_redirects, redirect_hosts } = args.redirects.clone();
    let ways = Ways { max_redirects, cookies: args.cookies, compressed: args.compressed };
    Ok(Manner {
        base: format!("{}://{}", url.scheme, url.authority),
        first: Origin::of_target(url),
        ways,
        detours: false,
        redirect_hosts,
        max_body: args.max_body.unwrap_or(MAX_BODY),
        route: args.route.clone().route()?,
        tls: tls.map(|tls| Arc::clone(&tls.config)),
    })
}

/// Makes `manner` that of all calls with the `ways` of each.
///
/// # Errors
/// Flags that mean nothing for such calls.
pub fn settle(manner: &mut Manner, ways: &[Ways], tls: &TlsArgs) -> Result<(), UsageError> {
    let mut follows = false;
    manner.detours = false;
    for ways in ways {
        follows |= ways.max_redirects > 0;
        manner.detours |= !ways.is_plain();
    }
    if !follows && !manner.redirect_hosts.is_empty() {
        return Err(wrong("--redirect-hosts", "redirects are not followed; give --max-redirects, too"));
    }
    if follows && manner.tls.is_none() {
        // A redirect may lead to TLS.
        manner.tls = Some(client_config(&tls.settings(), &[b"http/1.1"])?);
    }
    Ok(())
}

/// Takes `redirects`, `cookies` and `compressed` of a step or of the defaults; what is not said is as `otherwise`.
///
/// # Errors
/// One of them is no number, or neither true nor false.
pub fn ways(fields: &mut Fields, otherwise: Ways) -> Result<Ways, SuiteError> {
    let place = fields.place.clone();
    let max_redirects = match fields.count("redirects", 0)? {
        Some(n) => {
            u32::try_from(n).map_err(|_| SuiteError::at(&place, "redirects: so many nobody follows"))?
        }
        None => otherwise.max_redirects,
    };
    let mut said =
        |key, otherwise| if fields.has(key) { fields.flag(key) } else { fields.flag(key).map(|_| otherwise) };
    Ok(Ways {
        max_redirects,
        cookies: said("cookies", otherwise.cookies)?,
        compressed: said("compressed", otherwise.compressed)?,
    })
}

/// Makes `headers` ask for compressed bodies where `ways` say so, and not where they do not.
pub fn accept_encoding(ways: Ways, headers: &mut Vec<(String, String)>) {
    let at = headers.iter().position(|(name, _)| name.eq_ignore_ascii_case("accept-encoding"));
    match at {
        None if ways.compressed => headers.push(("Accept-Encoding".into(), OFFERED.into())),
        // It was said for all calls.
        Some(at) if !ways.compressed && headers[at].1 == OFFERED => drop(headers.remove(at)),
        _ => {}
    }
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
    if args.compressed {
        accept_encoding(manner.ways, headers);
    }
    // A tunnel is asked for before the call.
    let asked = manner.route.proxy().filter(|_| !manner.ahead().is_empty());
    if let Some(value) = asked.and_then(Proxy::authorization) {
        headers.push(("Proxy-Authorization".into(), value));
    }
    Ok(())
}
