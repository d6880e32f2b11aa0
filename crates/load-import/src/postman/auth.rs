//! Who is asking? The helpers of Postman that are no more than a header or a parameter.

use serde_json::Value;

use crate::model::Step;
use crate::secret::Secrets;
use crate::text;

use super::plain;
use super::variables::Variables;

/// Adds to `step` what `auth` says.
pub(super) fn add(step: &mut Step, auth: &Value, variables: &Variables, secrets: &mut Secrets) {
    let kind = auth["type"].as_str().unwrap_or_default();
    let setting = |key: &str| match &auth[kind] {
        // 2.1 has a list of keys and values, 2.0 a table.
        Value::Array(list) => {
            list.iter().find(|entry| entry["key"] == key).map(|entry| plain(&entry["value"]))
        }
        table => table.get(key).map(plain),
    };
    let setting = |key: &str| setting(key).unwrap_or_default();
    match kind {
        "noauth" => {}
        "bearer" => {
            let token = setting("token");
            let value = if token.contains("{{") {
                format!("Bearer {}", variables.template(&token, secrets))
            } else {
                secrets.header("Authorization", &format!("Bearer {token}"))
            };
            step.default_header("Authorization", &value);
        }
        "basic" => {
            let (user, password) = (setting("username"), setting("password"));
            let value = if user.contains("{{") || password.contains("{{") {
                let what = format!("base64 of {user}:{password}").replace("{{", "").replace("}}", "");
                format!("Basic {{{{env.{}}}}}", secrets.wanted("API_BASIC", &what))
            } else {
                secrets.basic(&format!("{user}:{password}"))
            };
            step.default_header("Authorization", &value);
        }
        "apikey" => {
            let (name, value) = (setting("key"), setting("value"));
            let value = if value.contains("{{") {
                variables.template(&value, secrets)
            } else {
                format!("{{{{env.{}}}}}", secrets.hide(&value, "API_KEY", "key of the API"))
            };
            if setting("in") == "query" {
                let between = if step.request.contains('?') { '&' } else { '?' };
                let parameter = format!("{between}{}={value}", text::component(&name));
                step.request.push_str(&parameter);
            } else {
                step.default_header(&name, &value);
            }
        }
        other => step.notes.push(format!("The authentication {other} of Postman cannot be imported.")),
    }
}
