//! Which cookies does a user send? RFC 6265, as `cookie_store` has it, for one user.

use cookie_store::{Cookie, CookieStore};
use url::Url;

/// A server that sets ever new ones must not fill the memory; browsers have a limit of this order for a domain.
const MOST: usize = 300;

/// The cookies of one user.
#[derive(Default)]
pub struct Jar(CookieStore);

impl Jar {
    /// Takes what a `Set-Cookie` field of an answer from `url` says; what is no cookie, or not for this host, is left.
    pub fn take(&mut self, field: &str, url: &Url) {
        let Ok(cookie) = Cookie::parse(field.to_owned(), url) else { return };
        let is_same = |other: &Cookie<'_>| {
            other.name() == cookie.name() && other.path == cookie.path && other.domain == cookie.domain
        };
        if self.0.iter_any().count() < MOST || self.0.iter_any().any(is_same) {
            let _ = self.0.insert(cookie.into_owned(), url);
        }
    }

    /// The value of `Cookie` for a request to `url`: those with longer paths first.
    pub fn cookies(&self, url: &Url) -> Option<String> {
        let mut all = self.0.matches(url);
        all.sort_by_key(|cookie| (std::cmp::Reverse(cookie.path.as_ref().len()), cookie.name().to_owned()));
        let pairs: Vec<_> =
            all.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn cookies_go_where_they_came_from() {
        let mut jar = Jar::default();
        let here = url("http://shop.test/a/b");
        for field in [
            "a=1",
            "deep=2; Path=/a",
            "root=3; Path=/",
            "safe=4; Path=/; Secure",
            "all=5; Domain=shop.test; Path=/",
            "other=6; Domain=evil.test; Path=/",
            "gone=7; Max-Age=0; Path=/",
            "http=8; HttpOnly; Path=/",
            "=",
            "",
        ] {
            jar.take(field, &here);
        }
        let sent = |to: &str| jar.cookies(&url(to)).unwrap_or_default();
        assert_eq!(sent("http://shop.test/a/c"), "a=1; deep=2; all=5; http=8; root=3");
        assert_eq!(sent("http://shop.test/"), "all=5; http=8; root=3");
        assert_eq!(sent("http://sub.shop.test/"), "all=5");
        assert_eq!(sent("http://evil.test/"), "");
    }

    #[test]
    fn a_cookie_is_replaced_and_removed() {
        let (mut jar, here) = (Jar::default(), url("http://127.0.0.1:81/"));
        jar.take("id=1", &here);
        jar.take("id=2", &here);
        assert_eq!(jar.cookies(&here).as_deref(), Some("id=2"));
        jar.take("id=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", &here);
        assert_eq!(jar.cookies(&here), None);
    }

    #[test]
    fn an_endless_number_of_cookies_is_bounded() {
        let (mut jar, here) = (Jar::default(), url("http://h/"));
        (0..1_000).for_each(|n| jar.take(&format!("c{n}=x"), &here));
        jar.take("c5=new", &here);
        let sent = jar.cookies(&here).unwrap();
        assert_eq!(sent.matches("; ").count(), MOST - 1);
        assert!(sent.contains("c5=new"));
    }
}
