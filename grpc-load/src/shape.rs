//! Is the answer a message of its type? Walks over the bytes once and builds nothing, so that every answer is checked.

use std::collections::HashMap;

use prost_reflect::{Kind, MessageDescriptor};

/// Messages in messages, at most; as deep as the libraries go.
const DEEPEST: usize = 100;

/// A type of messages, compiled: which fields there are, and how each is written.
#[derive(Debug)]
pub struct Shape {
    /// The first is the type itself; fields refer to the others by index.
    messages: Vec<Vec<(u32, Field)>>,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    value: Value,
    /// Several values may come in one piece.
    packable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Varint,
    Fixed64,
    Fixed32,
    Bytes,
    Text,
    Message(usize),
    Group(usize),
}

/// Why bytes are no message of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A number or a length goes beyond the end, or is longer than numbers are.
    #[error("it ends within a value")]
    Cut,
    /// No field has this number or this way to be written.
    #[error("byte {0} begins no field")]
    Tag(u8),
    /// The field is written as another type.
    #[error("field {0} is of another type")]
    Type(u32),
    /// The field's text is not UTF-8.
    #[error("the text of field {0} is not UTF-8")]
    Text(u32),
    /// Too many messages in messages.
    #[error("messages are nested too deeply")]
    Deep,
}

impl Shape {
    /// Compiles `descriptor`.
    pub fn new(descriptor: &MessageDescriptor) -> Self {
        let mut indices = HashMap::from([(descriptor.full_name().to_owned(), 0)]);
        let (mut found, mut messages) = (vec![descriptor.clone()], Vec::new());
        while let Some(message) = found.get(messages.len()).cloned() {
            let mut fields: Vec<_> = message
                .fields()
                .map(|field| {
                    let mut index = |message: &MessageDescriptor| {
                        *indices.entry(message.full_name().to_owned()).or_insert_with(|| {
                            found.push(message.clone());
                            found.len() - 1
                        })
                    };
                    let value = match field.kind() {
                        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Value::Fixed64,
                        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Value::Fixed32,
                        Kind::String => Value::Text,
                        Kind::Bytes => Value::Bytes,
                        Kind::Message(message) if field.is_group() => Value::Group(index(&message)),
                        Kind::Message(message) => Value::Message(index(&message)),
                        _ => Value::Varint,
                    };
                    let scalar = matches!(value, Value::Varint | Value::Fixed32 | Value::Fixed64);
                    (field.number(), Field { value, packable: field.is_list() && scalar })
                })
                .collect();
            fields.sort_unstable_by_key(|(number, _)| *number);
            messages.push(fields);
        }
        Self { messages }
    }

    /// Checks that `bytes` are a message of this type; fields that the type does not have are in order.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn check(&self, bytes: &[u8]) -> Result<(), Misfit> {
        self.message(bytes, 0, 0)
    }

    fn message(&self, mut bytes: &[u8], index: usize, depth: usize) -> Result<(), Misfit> {
        while !bytes.is_empty() {
            let (number, wire) = tag(&mut bytes)?;
            self.field(&mut bytes, index, number, wire, depth)?;
        }
        Ok(())
    }

    /// Passes over the fields of a group to its end.
    fn group(&self, bytes: &mut &[u8], index: Option<usize>, group: u32, depth: usize) -> Result<(), Misfit> {
        if depth >= DEEPEST {
            return Err(Misfit::Deep);
        }
        loop {
            let (number, wire) = tag(bytes)?;
            match (wire, index) {
                (4, _) if number == group => return Ok(()),
                (_, Some(index)) => self.field(bytes, index, number, wire, depth)?,
                (_, None) => self.skip(bytes, number, wire, depth)?,
            }
        }
    }

    fn field(
        &self,
        bytes: &mut &[u8],
        index: usize,
        number: u32,
        wire: u8,
        depth: usize,
    ) -> Result<(), Misfit> {
        let fields = &self.messages[index];
        let Ok(at) = fields.binary_search_by_key(&number, |(number, _)| *number) else {
            return self.skip(bytes, number, wire, depth);
        };
        let Field { value, packable } = fields[at].1;
        match (value, wire) {
            (Value::Varint, 0) => varint(bytes).map(drop),
            (Value::Fixed64, 1) => take(bytes, 8).map(drop),
            (Value::Fixed32, 5) => take(bytes, 4).map(drop),
            (_, 2) if packable => {
                let mut packed = delimited(bytes)?;
                while !packed.is_empty() {
                    match value {
                        Value::Fixed64 => drop(take(&mut packed, 8)?),
                        Value::Fixed32 => drop(take(&mut packed, 4)?),
                        _ => drop(varint(&mut packed)?),
                    }
                }
                Ok(())
            }
            (Value::Bytes, 2) => delimited(bytes).map(drop),
            (Value::Text, 2) => {
                std::str::from_utf8(delimited(bytes)?).map(drop).map_err(|_| Misfit::Text(number))
            }
            (Value::Message(_), 2) if depth >= DEEPEST => Err(Misfit::Deep),
            (Value::Message(inner), 2) => self.message(delimited(bytes)?, inner, depth + 1),
            (Value::Group(inner), 3) => self.group(bytes, Some(inner), number, depth + 1),
            _ => Err(Misfit::Type(number)),
        }
    }

    /// Passes over a field that the type does not have.
    fn skip(&self, bytes: &mut &[u8], number: u32, wire: u8, depth: usize) -> Result<(), Misfit> {
        match wire {
            0 => varint(bytes).map(drop),
            1 => take(bytes, 8).map(drop),
            2 => delimited(bytes).map(drop),
            3 => self.group(bytes, None, number, depth + 1),
            5 => take(bytes, 4).map(drop),
            _ => Err(Misfit::Type(number)),
        }
    }
}

/// Number of a field and how it is written.
fn tag(bytes: &mut &[u8]) -> Result<(u32, u8), Misfit> {
    let first = bytes.first().copied().unwrap_or_default();
    let tag = u32::try_from(varint(bytes)?).map_err(|_| Misfit::Tag(first))?;
    let (number, wire) = (tag >> 3, (tag & 7) as u8);
    if number == 0 || wire > 5 { Err(Misfit::Tag(first)) } else { Ok((number, wire)) }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Misfit> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().enumerate().take(10) {
        if at == 9 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Ok(value);
        }
    }
    Err(Misfit::Cut)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Misfit> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(Misfit::Cut)?;
    *bytes = rest;
    Ok(taken)
}

fn delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Misfit> {
    let length = usize::try_from(varint(bytes)?).map_err(|_| Misfit::Cut)?;
    take(bytes, length)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use prost::Message as _;
    use prost_reflect::{DescriptorPool, DynamicMessage};

    use super::*;

    const PROTO: &str = r#"
        syntax = "proto3";
        package t;
        message All {
          int32 a = 1; sint64 b = 2; bool c = 3; double d = 4; float e = 5; string f = 6; bytes g = 7;
          All h = 8; repeated int32 i = 9; repeated fixed32 j = 10; repeated string k = 11;
          map<string, All> l = 12; oneof m { uint64 n = 13; Other o = 14; } Color p = 15; repeated fixed64 q = 16;
        }
        message Other { repeated Other inner = 1; string text = 2; }
        enum Color { RED = 0; BLUE = 1; }
    "#;

    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("t.proto"), PROTO).unwrap();
        crate::descriptor::compile(&dir.path().join("t.proto"), &[]).unwrap()
    });

    fn all() -> MessageDescriptor {
        POOL.get_message_by_name("t.All").unwrap()
    }

    /// Bytes that look like fields often enough.
    fn fields() -> impl Strategy<Value = Vec<u8>> {
        let field = (0_u8..18, 0_u8..8, prop::collection::vec(any::<u8>(), 0..6), 0_u8..8, any::<bool>())
            .prop_map(|(number, wire, bytes, length, honest)| {
                let tag = u32::from(number) << 3 | u32::from(wire);
                let mut field = Vec::new();
                prost::encoding::encode_varint(tag.into(), &mut field);
                if wire == 2 {
                    field.push(if honest { bytes.len() as u8 } else { length });
                }
                field.extend(bytes);
                field
            });
        prop::collection::vec(field, 0..4).prop_map(|fields| fields.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn it_takes_what_the_library_takes(bytes in fields()) {
            let descriptor = all();
            let shape = Shape::new(&descriptor);
            let ours = shape.check(&bytes);
            // The library takes a map written as anything; printing what it made of that would never end.
            prop_assume!(ours != Err(Misfit::Type(12)));
            let library = DynamicMessage::decode(descriptor, bytes.as_slice());
            prop_assert_eq!(ours.is_ok(), library.is_ok(), "{:?}", ours);
        }
    }

    #[test]
    fn mistakes_are_told_apart() {
        let shape = Shape::new(&all());
        for (bytes, expected) in [
            (&b"\x08\x01\x32\x02hi"[..], Ok(())),
            (b"\x08", Err(Misfit::Cut)),
            (b"\x32\x05hi", Err(Misfit::Cut)),
            (b"\x32\x02\xff\xff", Err(Misfit::Text(6))),
            (b"\x30\x01", Err(Misfit::Type(6))),
            (b"\x00", Err(Misfit::Tag(0))),
            (b"\x42\x02\x32\x05", Err(Misfit::Cut)),
        ] {
            assert_eq!(shape.check(bytes), expected, "{bytes:?}");
        }
        let deep = (0..200).fold(Vec::new(), |inner: Vec<u8>, _| {
            let mut outer = vec![0x42];
            prost::encoding::encode_varint(inner.len() as u64, &mut outer);
            outer.extend(inner);
            outer
        });
        assert_eq!(shape.check(&deep), Err(Misfit::Deep));
        assert!(DynamicMessage::decode(all(), deep.as_slice()).is_err());
    }

    #[test]
    fn a_real_message_fits() {
        let mut message = DynamicMessage::new(all());
        message.set_field_by_name("f", prost_reflect::Value::String("ä".into()));
        assert_eq!(Shape::new(&all()).check(&message.encode_to_vec()), Ok(()));
    }
}
