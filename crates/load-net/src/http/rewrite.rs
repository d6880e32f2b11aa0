//! What becomes of a request on its way? The bytes of a rendered request, with another target, host, method or cookies.

use crate::http::fields::fields;

/// What differs from the request as it was compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Another target.
    pub target: Option<String>,
    /// Another `Host`. What is meant for the first host alone, `Authorization` and `Cookie`, is left out then.
    pub host: Option<String>,
    /// It becomes a GET without a body.
    pub becomes_get: bool,
    /// Cookies behind those that the request has of its own.
    pub cookies: Option<String>,
}

/// Fields that describe a body.
const OF_BODIES: [&[u8]; 4] = [b"content-length", b"content-type", b"content-encoding", b"transfer-encoding"];
/// Fields for the host that the user named. `Proxy-Authorization` is the proxy's, which stays the same.
const OF_HOSTS: [&[u8]; 2] = [b"authorization", b"cookie"];

/// Writes `request` with this `edit` into `out`, which is emptied before.
pub fn rewrite(request: &[u8], edit: &Edit, out: &mut Vec<u8>) {
    out.clear();
    let end = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(request.len());
    let (head, body) = (&request[..end], request.get(end + 4..).unwrap_or_default());
    let line = &head[..head.windows(2).position(|window| window == b"\r\n").unwrap_or(head.len())];
    let (method, target) = method_and_target(line);
    out.extend_from_slice(if edit.becomes_get { b"GET" } else { method });
    out.push(b' ');
    out.extend_from_slice(edit.target.as_ref().map_or(target, |target| target.as_bytes()));
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let mut cookies = edit.cookies.as_deref();
    for (name, value) in fields(head) {
        let is_one_of = |names: &[&[u8]]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
        let mut value = value;
        if edit.becomes_get && is_one_of(&OF_BODIES) || edit.host.is_some() && is_one_of(&OF_HOSTS) {
            continue;
        }
        if let Some(host) = edit.host.as_ref().filter(|_| is_one_of(&[b"host"])) {
            value = host.as_bytes();
        }
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        if is_one_of(&[b"cookie"])
            && let Some(more) = cookies.take()
        {
            out.extend_from_slice(b"; ");
            out.extend_from_slice(more.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
    if let Some(cookies) = cookies {
        out.extend_from_slice(b"Cookie: ");
        out.extend_from_slice(cookies.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    if !edit.becomes_get {
        out.extend_from_slice(body);
    }
}

/// Method and target of a request line, or of a request that begins with it.
pub fn method_and_target(request: &[u8]) -> (&[u8], &[u8]) {
    let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let line = line.strip_suffix(b" HTTP/1.1").unwrap_or(line);
    let space = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    (&line[..space], line.get(space + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &[u8] =
        b"POST /a b HTTP/1.1\r\nHost: h\r\nAuthorization: x\r\nCookie: own=1\r\nContent-Type: t\r\n\
        X: y\r\nContent-Length: 3\r\n\r\na\r\n";

    fn rewritten(edit: &Edit) -> String {
        let mut out = b"old".to_vec();
        rewrite(POST, edit, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_changes_without_an_edit() {
        assert_eq!(rewritten(&Edit::default()).as_bytes(), POST);
    }

    #[test]
    fn a_get_has_no_body_and_another_host_no_credentials() {
        let edit = Edit {
            target: Some("/new".into()),
            host: Some("other".into()),
            becomes_get: true,
            cookies: Some("a=b".into()),
        };
        assert_eq!(rewritten(&edit), "GET /new HTTP/1.1\r\nHost: other\r\nX: y\r\nCookie: a=b\r\n\r\n");
    }

    #[test]
    fn cookies_come_behind_the_users_own() {
        let edit = Edit { cookies: Some("a=b".into()), ..Edit::default() };
        assert!(rewritten(&edit).contains("\r\nCookie: own=1; a=b\r\n"));
        assert!(rewritten(&edit).ends_with("\r\n\r\na\r\n"));
    }
}
