//! Which server is meant, and how does nobody else learn its password?

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use load_core::error::{PrepareError, UsageError};
use load_net::args::{read, wrong};
use load_net::redact::Collector;

/// A server that has not answered by then is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// The URL that was given. What is wrong with another one is said without it, for it may hold a password.
///
/// # Errors
/// None was given, or it is of another kind.
pub fn url(
    given: Option<String>,
    schemes: &[&str],
    example: &str,
    variable: &str,
) -> Result<String, UsageError> {
    let Some(url) = given.filter(|url| !url.is_empty()) else {
        return Err(UsageError::new(format!("no target: give --url {example}, or set {variable}")));
    };
    match url.split_once("://") {
        Some((scheme, _)) if schemes.contains(&scheme) => Ok(url),
        _ => Err(wrong("--url", format!("expected {example}"))),
    }
}

/// The password in the file of `--password-file`.
///
/// # Errors
/// A file that cannot be read or holds none.
pub fn password(file: Option<&Path>) -> Result<Option<String>, UsageError> {
    let Some(file) = file else { return Ok(None) };
    let text = String::from_utf8(read("--password-file", file)?).unwrap_or_default();
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(wrong(&format!("--password-file {}", file.display()), "expected a password as text")),
        password => Ok(Some(password.to_owned())),
    }
}

/// Every form of the password that was given, in `url` or apart.
pub fn secrets(url: &str, password: Option<&str>) -> Vec<String> {
    let mut all = Collector::default();
    if let Some(password) = password {
        all.add(password);
    }
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if let Some((userinfo, _)) = authority.rsplit_once('@')
        && let Some((user, password)) = userinfo.split_once(':')
    {
        all.add(password);
        all.add_credentials(user, password);
    }
    if let Some((_, query)) = rest.split_once('?') {
        all.add_pairs(query);
    }
    all.into_values()
}

/// What `answer` is, unless it takes longer than a server that is there.
///
/// # Errors
/// Those of `answer`, and that there is none.
pub async fn soon<T, E>(
    answer: impl Future<Output = Result<T, E>>,
    label: &str,
    kind: &str,
    explain: impl Fn(&E) -> String,
) -> Result<T, PrepareError> {
    #[expect(clippy::disallowed_methods, reason = "before and after the run, where no figure depends on it")]
    let answered = tokio::time::timeout(PATIENCE, answer).await;
    match answered {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failed(label, explain(&error))),
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            Err(failed(label, format!("no answer within {seconds} s; is it a {kind} server?")))
        }
    }
}

/// Why the server at `label` cannot be used, in one line.
pub fn failed(label: &str, why: impl Display) -> PrepareError {
    PrepareError::new(format!("{label}: {why}").replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_password_is_a_secret() {
        let all = secrets("postgres://me:p%40ss@h/db?sslpassword=second", Some("p@ss"));
        for secret in ["p@ss", "p%40ss", "second"] {
            assert!(all.iter().any(|known| known == secret), "{secret} in {all:?}");
        }
        assert_eq!(secrets("redis://h:6379/0", None), Vec::<String>::new());
    }

    #[test]
    fn a_url_of_another_kind_is_not_repeated() {
        let error = url(Some("mysql://me:secret@h/db".into()), &["redis"], "redis://HOST", "REDIS_URL");
        assert_eq!(error.unwrap_err().to_string(), "--url: expected redis://HOST");
        let error = url(None, &["redis"], "redis://HOST", "REDIS_URL").unwrap_err().to_string();
        assert_eq!(error, "no target: give --url redis://HOST, or set REDIS_URL");
    }
}
