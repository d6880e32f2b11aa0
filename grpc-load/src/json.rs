//! How does JSON become a message, and back? By the protobuf JSON mapping, and errors name the field.

use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor};
use serde::de::DeserializeSeed as _;
use serde_path_to_error::{Path, Segment};

/// Appends the bytes of the message of type `descriptor` that `json` describes to `out`.
///
/// # Errors
/// Where it does not fit, and what was expected.
pub fn encode(descriptor: &MessageDescriptor, json: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let message = descriptor.clone().deserialize(tracked).map_err(|error| {
        let (path, error) = (track.path(), error.to_string());
        let place = if path.iter().len() == 0 { String::new() } else { format!("{path}: ") };
        format!("{place}{error}{}", expected(descriptor, &path, &error))
    })?;
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
    let items: Vec<serde_json::Value> = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let encoded = |(at, item): (usize, serde_json::Value)| {
        let mut message = Vec::new();
        let encoded = encode(descriptor, item.to_string().as_bytes(), &mut message);
        encoded.map(|()| message).map_err(|why| format!("[{at}]: {why}"))
    };
    items.into_iter().enumerate().map(encoded).collect()
}

/// The answer as JSON, for one who looks for text in it.
///
/// # Errors
/// The bytes are no message of the type.
pub fn show(descriptor: &MessageDescriptor, bytes: &[u8]) -> Result<String, String> {
    let message = DynamicMessage::decode(descriptor.clone(), bytes).map_err(|error| error.to_string())?;
    serde_json::to_string(&message).map_err(|error| error.to_string())
}

/// What could have stood there: the names of the fields, or the type of the one that does not fit.
fn expected(descriptor: &MessageDescriptor, path: &Path, error: &str) -> String {
    if error.contains("unrecognized field") {
        let names: Vec<_> = descriptor.fields().map(|field| field.name().to_owned()).collect();
        return format!("; {} has {}", descriptor.full_name(), names.join(", "));
    }
    match field_at(descriptor, path) {
        Some(field) => format!("; {} is of type {:?}", field.name(), field.kind()),
        None => String::new(),
    }
}

/// The field that `path` leads to, as far as names of fields lead.
fn field_at(descriptor: &MessageDescriptor, path: &Path) -> Option<FieldDescriptor> {
    let (mut message, mut found) = (Some(descriptor.clone()), None);
    for segment in path {
        let Segment::Map { key } = segment else { continue };
        let field = message?.fields().find(|field| field.name() == key || field.json_name() == key)?;
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
            ("[]", &["expected"]),
            (r#"{"agent_id": "a"} x"#, &["trailing characters"]),
            ("{", &["EOF"]),
        ] {
            let error = encoded(json).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{json}: {error}");
        }
    }
}
