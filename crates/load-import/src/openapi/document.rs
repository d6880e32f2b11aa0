//! What is the text, and what does a `$ref` in it mean?

use serde_json::{Map, Value};

use crate::ImportError;

/// References that lead to references, at most.
const CHAIN: usize = 16;

/// A description of version 3.
pub(super) struct Document {
    pub(super) root: Value,
    pub(super) version: String,
}

impl Document {
    /// Reads JSON or YAML.
    pub(super) fn parse(text: &str) -> Result<Self, ImportError> {
        let root = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| ImportError::json(&error))?
        } else {
            yaml(text)?
        };
        if root.get("swagger").is_some() {
            return Err(ImportError::new(
                "swagger",
                "expected OpenAPI 3.0 or 3.1, and this is Swagger 2.0; convert it first: npx swagger2openapi FILE",
            ));
        }
        let version = match root.get("openapi") {
            Some(Value::String(version)) => version.clone(),
            Some(Value::Number(version)) => version.to_string(),
            _ => {
                return Err(ImportError::new(
                    "openapi",
                    "expected a description with its version, such as openapi: 3.1.0",
                ));
            }
        };
        if version.split('.').next() != Some("3") {
            return Err(ImportError::new(
                "openapi",
                format!("expected version 3.0 or 3.1, and this is {version}"),
            ));
        }
        Ok(Self { root, version })
    }

    /// The table of paths.
    pub(super) fn paths(&self) -> Result<&Map<String, Value>, ImportError> {
        let paths = self.root.get("paths").and_then(Value::as_object);
        paths.ok_or_else(|| ImportError::new("paths", "expected a table of paths with their operations"))
    }

    /// What `value` is, or what it refers to.
    pub(super) fn resolve<'d>(&'d self, value: &'d Value, place: &str) -> Result<&'d Value, ImportError> {
        let mut value = value;
        for _ in 0..CHAIN {
            let Some(reference) = value.get("$ref") else { return Ok(value) };
            value = self.referred(reference, place)?;
        }
        Err(ImportError::new(
            place,
            format!("expected a $ref that ends, and this goes on for more than {CHAIN}"),
        ))
    }

    /// The place of this text that a `$ref` names.
    pub(super) fn referred(&self, reference: &Value, place: &str) -> Result<&Value, ImportError> {
        let wrong = |message: String| Err(ImportError::new(place, message));
        let Some(reference) = reference.as_str() else {
            return wrong("expected $ref to be a text".to_owned());
        };
        let Some(pointer) = reference.strip_prefix('#') else {
            return wrong(format!(
                "$ref {reference:?} is in another file; bundle them first: npx @redocly/cli bundle FILE"
            ));
        };
        let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
        match self.root.pointer(&pointer) {
            Some(value) => Ok(value),
            None => wrong(format!("$ref {reference:?} leads to nothing")),
        }
    }
}

fn yaml(text: &str) -> Result<Value, ImportError> {
    let value: Value = serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location().map_or_else(
            || "the text".to_owned(),
            |at| format!("line {}, column {}", at.line(), at.column()),
        );
        let message = error.without_snippet().to_string();
        ImportError::new(place, format!("expected YAML: {}", crate::without_place(&message)))
    })?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(ImportError::new("line 1", "expected a description in JSON or YAML"))
    }
}
