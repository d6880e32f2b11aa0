//! How does JSON become a message, and back? By the protobuf JSON mapping, and errors name the field.

use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor};
use serde::de::{DeserializeSeed as _, IgnoredAny};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// Appends the bytes of the message of type `descriptor` that `json` describes to `out`.
///
/// # Errors
/// Where it does not fit, and what was expected.
pub fn encode(descriptor: &MessageDescriptor, json: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let message = descriptor.clone().deserialize(tracked);
    let message = message.map_err(|error| trouble(descriptor, json, &track.path(), &error))?;
    deserializer.end().map_err(|error| error.to_string())?;
    message.encode(out).map_err(|error| error.to_string())
}

/// The bytes of the messages that `json` describes, a list of them or one alone.
///
/// # Errors
/// Where it does not fit, and what was expected.
pub fn encode_all(descriptor: &MessageDescriptor, json: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    if json.trim_ascii_start().first() != Some(&b'[') {
        let mut message = Vec::new();
        encode(descriptor, json, &mut message)?;
        return Ok(vec![message]);
    }
    let items: Vec<Value> = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let encoded = |(at, item): (usize, Value)| {
        let mut message = Vec::new();
        let encoded = encode(descriptor, item.to_string().as_bytes(), &mut message);
        encoded.map(|()| message).map_err(|why| format!("[{at}]: {why}"))
    };
    items.into_iter().enumerate().map(encoded).collect()
}

/// Whether `json` is JSON at all, whatever it describes.
///
/// # Errors
/// Where it is not, and why.
pub fn well_formed(json: &[u8]) -> Result<(), String> {
    serde_json::from_slice::<IgnoredAny>(json).map(drop).map_err(|error| error.to_string())
}

/// Finds fields that the type does not have in `json`, whose values need not fit: some may not be known yet.
///
/// # Errors
/// The first such field, and what there is.
pub fn names_known(descriptor: &MessageDescriptor, json: &[u8]) -> Result<(), String> {
    // What is no JSON may become some with other values.
    let Ok(value) = serde_json::from_slice::<Value>(json) else { return Ok(()) };
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| known(descriptor, item)),
        value => known(descriptor, &value),
    }
}

fn known(descriptor: &MessageDescriptor, value: &Value) -> Result<(), String> {
    // Timestamps and the like have forms of their own.
    let own_form = descriptor.full_name().starts_with("google.protobuf.");
    let Value::Object(members) = value else { return Ok(()) };
    for (key, value) in members.iter().filter(|(key, _)| !own_form && !key.starts_with('[')) {
        let Some(field) = named(descriptor, key) else {
            return Err(format!("unrecognized field name '{key}'{}", names(descriptor)));
        };
        let Some(inner) = field.kind().as_message().cloned() else { continue };
        match value {
            Value::Object(entries) if field.is_map() => {
                let of_values = inner.map_entry_value_field().kind();
                let Some(inner) = of_values.as_message() else { continue };
                entries.values().try_for_each(|value| known(inner, value))
            }
            Value::Array(items) => items.iter().try_for_each(|item| known(&inner, item)),
            value => known(&inner, value),
        }
        .map_err(|why| format!("{key}: {why}"))?;
    }
    Ok(())
}

/// The answer as JSON, for one who looks for text in it.
///
/// # Errors
/// The bytes are no message of the type.
pub fn show(descriptor: &MessageDescriptor, bytes: &[u8]) -> Result<String, String> {
    let message = DynamicMessage::decode(descriptor.clone(), bytes).map_err(|error| error.to_string())?;
    serde_json::to_string(&message).map_err(|error| error.to_string())
}

/// What is wrong with `json`, where, and what was expected.
#[cold]
fn trouble(descriptor: &MessageDescriptor, json: &[u8], path: &Path, error: &serde_json::Error) -> String {
    // Where it is no JSON, the place among the fields is not known.
    if let Err(why) = well_formed(json) {
        return why;
    }
    let error = error.to_string();
    if path.iter().len() > 0 {
        return format!("{path}: {error}{}", expected(descriptor, path, &error));
    }
    let of = descriptor.full_name();
    if json.trim_ascii_start().first() == Some(&b'[') {
        return format!(
            "expected one request, an object of {of}; a list is for methods whose client streams"
        );
    }
    let more = expected(descriptor, path, &error);
    if more.is_empty() { format!("{error}; expected an object of {of}") } else { error + &more }
}

/// What could have stood there: the names of the fields, or the type of the one that does not fit.
fn expected(descriptor: &MessageDescriptor, path: &Path, error: &str) -> String {
    if error.contains("unrecognized field") {
        return names(descriptor);
    }
    match field_at(descriptor, path) {
        Some(field) => format!("; {} is of type {:?}", field.name(), field.kind()),
        None => String::new(),
    }
}

/// The fields that there are.
fn names(descriptor: &MessageDescriptor) -> String {
    let names: Vec<_> = descriptor.fields().map(|field| field.name().to_owned()).collect();
    if names.is_empty() {
        return format!("; {} has no fields", descriptor.full_name());
    }
    format!("; {} has {}", descriptor.full_name(), names.join(", "))
}

/// The field of this name.
fn named(descriptor: &MessageDescriptor, key: &str) -> Option<FieldDescriptor> {
    descriptor.fields().find(|field| field.name() == key || field.json_name() == key)
}

/// The field that `path` leads to, as far as names of fields lead.
fn field_at(descriptor: &MessageDescriptor, path: &Path) -> Option<FieldDescriptor> {
    let (mut message, mut found) = (Some(descriptor.clone()), None);
    for segment in path {
        let Segment::Map { key } = segment else { continue };
        let field = named(&message?, key)?;
        message = field.kind().as_message().cloned();
        found = Some(field);
    }
    found
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;

    fn request() -> MessageDescriptor {
        let pool = DescriptorPool::decode(load_wire::nova_torch::DESCRIPTORS).unwrap();
        pool.get_message_by_name("nova_torch.RegisterAgentRequest").unwrap()
    }

    fn encoded(json: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        encode(&request(), json.as_bytes(), &mut out).map(|()| out)
    }

    #[test]
    fn json_becomes_the_bytes_of_the_message() {
        let json = r#"{"agent_id": "a1", "agentType": "dev", "capabilities": ["x", "y"], "port": 300}"#;
        assert_eq!(encoded(json).unwrap(), b"\x0a\x02a1\x12\x03dev\x1a\x01x\x1a\x01y\x28\xac\x02");
        assert_eq!(encoded("{}").unwrap(), b"");
        assert_eq!(show(&request(), b"\x0a\x02a1\x28\xac\x02").unwrap(), r#"{"agentId":"a1","port":300}"#);
        assert!(show(&request(), b"\x0a\x05").is_err());
    }

    #[test]
    fn a_list_becomes_several_messages() {
        let all = |json: &str| encode_all(&request(), json.as_bytes());
        assert_eq!(all(r#" [{"agent_id": "a"}, {}]"#).unwrap(), [&b"\x0a\x01a"[..], b""]);
        assert_eq!(all(r#"{"agent_id": "a"}"#).unwrap(), [b"\x0a\x01a"]);
        assert!(all("[]").unwrap().is_empty());
        assert!(all(r#"[{}, {"port": "x"}]"#).unwrap_err().starts_with("[1]: port: "));
    }

    #[test]
    fn mistakes_name_the_field_and_what_was_expected() {
        for (json, parts) in [
            (r#"{"agent": 1}"#, &["agent", "nova_torch.RegisterAgentRequest has agent_id, agent_type"][..]),
            (r#"{"capabilities": ["a", 7]}"#, &["capabilities[1]", "expected", "string"]),
            (r#"{"port": "many"}"#, &["port: ", "port is of type int32"]),
            ("[]", &["expected one request, an object of nova_torch.RegisterAgentRequest; a list is for"]),
            ("7", &["expected an object of nova_torch.RegisterAgentRequest"]),
            (r#"{"agent_id": "a"} x"#, &["trailing characters at line 1 column 19"]),
            ("{bad", &["key must be a string at line 1 column 2"]),
            (r#"{"port": {"#, &["EOF", "line 1 column 10"]),
            ("{", &["EOF"]),
        ] {
            let error = encoded(json).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{json}: {error}");
            assert!(!error.contains('?') && !error.contains("column 0"), "{json}: {error}");
        }
    }

    #[test]
    fn unknown_fields_are_found_whatever_the_values() {
        let all = |json: &str| names_known(&request(), json.as_bytes());
        assert_eq!(all(r#"{"agent_id": 7, "agentType": true, "port": "1"}"#), Ok(()));
        // A value that is not known yet may make JSON of it.
        assert_eq!(all(r#"{"agent_id": x, "nope": 1}"#), Ok(()));
        for json in [r#"{"port": "1", "nope": 1}"#, r#"[{}, {"nope": {}}]"#] {
            let error = all(json).unwrap_err();
            assert!(
                error.contains("field name 'nope'; nova_torch.RegisterAgentRequest has agent_id"),
                "{error}"
            );
        }
        let instant = DescriptorPool::global().get_message_by_name("google.protobuf.Timestamp").unwrap();
        assert_eq!(names_known(&instant, br#"{"any": 1}"#), Ok(()));
    }
}
