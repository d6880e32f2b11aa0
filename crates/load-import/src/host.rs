//! Which host is meant? A run has one target: the one that is asked most.

use std::collections::BTreeMap;

/// `http(s)://host:port`, in lower case, without who is asking; and what follows, which begins with `/`. None for
/// anything else.
pub(crate) fn split(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
    let fits = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]%".contains(&b);
    if host.is_empty() || !host.bytes().all(fits) {
        return None;
    }
    let target = target.split('#').next().unwrap_or_default();
    let slash = if target.starts_with('/') { "" } else { "/" };
    Some((format!("{scheme}://{host}"), format!("{slash}{target}")))
}

/// The name and password of a URL.
pub(crate) fn userinfo(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

/// The one that is there most often, the earliest of several; and the others, with their numbers.
pub(crate) fn most_frequent<'a>(all: &[&'a str]) -> Option<(&'a str, Vec<(&'a str, usize)>)> {
    let mut counts = BTreeMap::new();
    for host in all {
        *counts.entry(*host).or_insert(0_usize) += 1;
    }
    let most = counts.values().copied().max()?;
    let first = all.iter().copied().find(|host| counts.get(host) == Some(&most))?;
    counts.remove(first);
    Some((first, counts.into_iter().collect()))
}

/// What a comment says of those that were left out.
pub(crate) fn left_out(others: &[(&str, usize)]) -> Option<String> {
    let list = others.iter().map(|(host, n)| format!("{host} ({n})")).collect::<Vec<_>>();
    (!list.is_empty()).then(|| format!("Left out, because a run has one target: {}.", list.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_split_behind_the_host() {
        let split = |url| split(url).map(|(host, target)| host + " " + &target);
        assert_eq!(split("HTTPS://me:pw@Shop.example:8443/a?b#c").unwrap(), "https://shop.example:8443 /a?b");
        assert_eq!(split("http://[::1]?x").unwrap(), "http://[::1] /?x");
        for url in ["ftp://x/", "http://", "/only/a/path", "data:image/png;base64,AA", "http://a b/"] {
            assert_eq!(split(url), None, "{url}");
        }
        assert_eq!(userinfo("http://me:pw@h/a@b"), Some("me:pw"));
    }

    #[test]
    fn the_host_that_is_asked_most_is_the_target() {
        let (most, others) = most_frequent(&["c", "b", "a", "b", "c"]).unwrap();
        assert_eq!((most, others), ("c", vec![("a", 1), ("b", 2)]));
        assert_eq!(most_frequent(&[]), None);
    }
}
