//! Which bytes does a command become, and what is right in its reply? All that does not vary is made before the run.

use load_core::protocol::{Fault, Probe, Vu};
use load_report::fault::FaultKind;
use load_suite::template::{Escape, Names, Template, push_decimal};
use rand::RngExt as _;

use super::batch;
use super::cluster::{keys, slots};
use super::faults;
use super::series;
use super::wire::{Reply, head, word};
use super::words;
use crate::keys::Spread;
use crate::token::{self, token};

/// A command with places for what varies.
#[derive(Clone, Debug)]
pub struct Command {
    pieces: Vec<Piece>,
    expect: Expect,
    /// It writes values.
    has_values: bool,
    /// Within a word of its own there is a key, a value, a row's number.
    inserts: [bool; 3],
    /// Which words are keys.
    keys: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Piece {
    /// As it is.
    Bytes(Vec<u8>),
    /// A key of the run; what stands between its prefix and the row's number.
    Key(&'static str),
    /// The row's value.
    Value,
    /// A word with something else to insert.
    Word(Template),
}

/// A word of a command that is built in.
#[derive(Clone, Copy, Debug)]
pub enum Word<'a> {
    /// A text, which may have `{{...}}`.
    Text(&'a str),
    /// A key of the run: what stands between its prefix and the row's number.
    Key(&'static str),
    /// The row's value.
    Value,
}

/// What the reply must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Anything but a refusal.
    Anything,
    /// `OK`.
    Done,
    /// The row's value.
    Value,
    /// The row's value, or nothing.
    ValueOrNothing,
    /// A whole number.
    Number,
    /// A list of any length.
    List,
}

/// What keys and values of a run are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// How many rows there are.
    pub keys: u64,
    /// How rows are drawn.
    pub spread: Spread,
    /// Bytes of a value: from, to.
    pub size: (u32, u32),
}

impl Shape {
    /// The row that the next command meets.
    #[inline]
    pub fn draw(&self, vu: &mut Vu) -> u64 {
        match self.spread {
            Spread::Uniform => vu.rng.random_range(0..self.keys),
            spread => spread.draw(0, self.keys.cast_signed() - 1, &mut vu.rng).unsigned_abs(),
        }
    }

    /// How long the value of `row` is: always the same.
    #[inline]
    pub fn size(&self, row: u64) -> usize {
        let (least, most) = self.size;
        let more = token(row).unsigned_abs().rotate_right(17) % (u64::from(most - least) + 1);
        least as usize + more as usize
    }

    /// The value of `row`.
    #[inline]
    pub fn value(&self, row: u64, buffer: &mut Vec<u8>) {
        token::value(row, self.size(row), buffer);
    }
}

/// The variables that templates may use, with slots 0, 1 and 2.
const VARIABLES: [&str; 3] = ["key", "value", "row"];

/// One lane's memory for what it writes and looks at.
#[derive(Default)]
pub struct Scratch {
    value: Vec<u8>,
    word: Vec<u8>,
}

impl Command {
    /// One that is built in.
    ///
    /// # Errors
    /// A `{{...}}` that is not right.
    pub fn of(all: &[Word<'_>], expect: Expect) -> Result<Self, String> {
        let mut names = Names::none();
        VARIABLES.iter().for_each(|name| {
            names.slot(name);
        });
        let mut command = Self::compile(all, expect, &names, 0)?;
        for piece in &command.pieces {
            if let Piece::Word(template) = piece {
                template.slots().for_each(|slot| command.inserts[slot] = true);
            }
        }
        command.has_values |= command.inserts[1];
        Ok(command)
    }

    fn compile(all: &[Word<'_>], expect: Expect, names: &Names, more: usize) -> Result<Self, String> {
        let fixed = |word: &Word<'_>| matches!(word, Word::Text(text) if !text.contains("{{"));
        let known = all.iter().map(|word| match word {
            Word::Text(text) if fixed(word) => Some(*text),
            _ => None,
        });
        let keys = keys::keys(&known.collect::<Vec<_>>());
        let mut command = Self { pieces: Vec::new(), expect, has_values: false, inserts: [false; 3], keys };
        let mut bytes = b"*".to_vec();
        push_decimal((all.len() + more) as u64, &mut bytes);
        bytes.extend(b"\r\n");
        for one in all {
            let piece = match one {
                Word::Key(kind) => Piece::Key(kind),
                Word::Value => Piece::Value,
                Word::Text(text) => {
                    let template =
                        Template::compile(text, names, Escape::Raw).map_err(|error| error.to_string())?;
                    if let Some(fixed) = template.as_fixed() {
                        word(fixed, &mut bytes);
                        continue;
                    }
                    Piece::Word(template)
                }
            };
            command.pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
            command.has_values |= matches!(piece, Piece::Value);
            command.pieces.push(piece);
        }
        command.pieces.push(Piece::Bytes(bytes));
        Ok(command)
    }

    /// That of a suite: words as `redis-cli` takes them, with what the suite knows in `{{...}}`.
    ///
    /// # Errors
    /// A quote that is not closed, a `{{...}}` that is not right, or no word at all.
    pub fn in_suite(line: &str, names: &Names) -> Result<Self, String> {
        let all = words::split(line)?;
        let all: Vec<_> = all.iter().map(|word| Word::Text(word)).collect();
        if all.is_empty() {
            return Err("no command; expected one as SET name value".into());
        }
        Self::compile(&all, Expect::Anything, names, 0)
    }

    /// The same of an XADD whose message gets `more` words behind its own.
    ///
    /// # Errors
    /// Another command, or what is no command at all.
    pub fn with_more(line: &str, names: &Names, more: usize) -> Result<Self, String> {
        let all = words::split(line)?;
        if !all.first().is_some_and(|name| name.eq_ignore_ascii_case("XADD")) {
            return Err(
                "numbered: expected a command that adds a message, as XADD stream * field value".into()
            );
        }
        let all: Vec<_> = all.iter().map(|word| Word::Text(word)).collect();
        Self::compile(&all, Expect::Anything, names, more)
    }

    /// The first word that is a key.
    pub fn key(&self) -> Option<usize> {
        self.keys.first().copied()
    }

    /// Whether all keys lie in one slot of a cluster, as far as that can be known before the run: for `rows` of it.
    ///
    /// # Errors
    /// Two keys that do not.
    pub fn same_slot(&self, shape: &Shape) -> Result<(), String> {
        if self.keys.len() < 2 {
            return Ok(());
        }
        let (mut vu, mut scratch) = (Vu::new(1), Scratch::default());
        for row in 0..shape.keys.min(8) {
            let mut out = Vec::new();
            self.write(("quintet:", row), shape, &mut vu, &mut scratch, &mut out);
            let keys = self.keys.iter().filter_map(|&at| batch::word(&out, at));
            let keys: Vec<_> = keys.map(|key| (slots::slot(key), String::from_utf8_lossy(key))).collect();
            for (slot, key) in &keys[1..] {
                let (first, other) = &keys[0];
                if first != slot {
                    return Err(format!(
                        "{other:?} and {key:?} lie in different slots of the cluster ({first}, {slot}); \
                         keys of one command need the same {{tag}}, as a:{{x}} and b:{{x}}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether what it sends is known before the run, but for generators.
    pub fn is_free(&self) -> bool {
        self.pieces.iter().all(|piece| match piece {
            Piece::Word(template) => template.slots().next().is_none(),
            _ => true,
        })
    }

    /// That of a user: words as `redis-cli` takes them.
    ///
    /// # Errors
    /// A quote that is not closed, a `{{...}}` that is not right, or no word at all.
    pub fn parse(line: &str) -> Result<Self, String> {
        let all = words::split(line)?;
        let all: Vec<_> = all
            .iter()
            .map(|word| match word.as_str() {
                "{{key}}" => Word::Key(""),
                "{{value}}" => Word::Value,
                text => Word::Text(text),
            })
            .collect();
        if all.is_empty() {
            return Err("no command; expected one as SET {{key}} {{value}}".into());
        }
        Self::of(&all, Expect::Anything)
    }

    /// The kinds of keys that it uses, by what stands between prefix and number.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        let own = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Key(kind) => Some(*kind),
            _ => None,
        });
        own.chain(self.inserts[0].then_some(""))
    }

    /// Appends the command for `row` to `out`.
    #[inline]
    pub fn write(
        &self,
        (prefix, row): (&str, u64),
        shape: &Shape,
        vu: &mut Vu,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) {
        if self.has_values {
            shape.value(row, &mut scratch.value);
        }
        if self.inserts != [false; 3] {
            self.set(prefix, row, vu, scratch);
        }
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                Piece::Key(kind) => key(prefix, kind, row, out),
                Piece::Value => word(&scratch.value, out),
                Piece::Word(template) => {
                    scratch.word.clear();
                    template.render(&vu.scope, &mut scratch.word);
                    word(&scratch.word, out);
                }
            }
        }
    }

    fn set(&self, prefix: &str, row: u64, vu: &mut Vu, scratch: &mut Scratch) {
        let [has_key, has_value, has_row] = self.inserts;
        if has_key {
            scratch.word.clear();
            scratch.word.extend_from_slice(prefix.as_bytes());
            push_decimal(row, &mut scratch.word);
            vu.scope.vars.set(0, &scratch.word);
        }
        if has_value {
            vu.scope.vars.set(1, &scratch.value);
        }
        if has_row {
            scratch.word.clear();
            push_decimal(row, &mut scratch.word);
            vu.scope.vars.set(2, &scratch.word);
        }
    }

    /// Looks at the `reply` to the command for `row`.
    ///
    /// # Errors
    /// It is a refusal, or not what it must be.
    #[inline]
    pub fn look(
        &self,
        reply: Reply<'_>,
        row: u64,
        shape: &Shape,
        scratch: &mut Scratch,
        probe: &mut Probe<'_>,
    ) -> Result<(), Fault> {
        let wrong = match (self.expect, reply) {
            (_, Reply::Error(error)) => return Err(faults::refused(error, probe)),
            (Expect::Value | Expect::ValueOrNothing, Reply::Text(text)) => {
                shape.value(row, &mut scratch.value);
                if text == scratch.value {
                    return Ok(());
                }
                "the key holds another value than the run has put there"
            }
            (Expect::Value, Reply::Nil) => "the key is not there",
            (Expect::Anything | Expect::ValueOrNothing, Reply::Nil) => {
                probe.count(series::MISSES, 1);
                return Ok(());
            }
            (Expect::Anything, _)
            | (Expect::Done, Reply::Simple(b"OK"))
            | (Expect::Number, Reply::Number(_))
            | (Expect::List, Reply::List(_)) => return Ok(()),
            (Expect::Value | Expect::ValueOrNothing, _) => "the reply is no text",
            (Expect::Done, _) => "the reply is not OK",
            (Expect::Number, _) => "the reply is no number",
            (Expect::List, _) => "the reply is no list",
        };
        probe.note(wrong);
        Err(Fault::answered(FaultKind::Wrong, 0))
    }
}

/// Appends a key as a word.
#[inline]
pub fn key(prefix: &str, kind: &str, row: u64, out: &mut Vec<u8>) {
    let digits = row.checked_ilog10().unwrap_or(0) as usize + 1;
    head(prefix.len() + kind.len() + digits, out);
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(kind.as_bytes());
    push_decimal(row, out);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { keys: 100, spread: Spread::Uniform, size: (20, 20) };

    fn written(command: &Command, row: u64) -> String {
        let mut out = Vec::new();
        command.write(("p:", row), &SHAPE, &mut Vu::new(3), &mut Scratch::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_command_is_written_as_the_protocol_wants_it() {
        let command = Command::parse("SET {{key}} {{value}} EX 10").unwrap();
        let value = format!("{:016x}....", token(42));
        let expected = format!("*5\r\n$3\r\nSET\r\n$4\r\np:42\r\n$20\r\n{value}\r\n$2\r\nEX\r\n$2\r\n10\r\n");
        assert_eq!(written(&command, 42), expected);
        let command = Command::parse("HSET a:{{key}}:{{row}} 'two words' v{{vu}}").unwrap();
        let expected = "*4\r\n$4\r\nHSET\r\n$7\r\na:p:0:0\r\n$9\r\ntwo words\r\n$2\r\nv3\r\n";
        assert_eq!(written(&command, 0), expected);
        let command = Command::of(&[Word::Text("GET"), Word::Key("h:")], Expect::Value).unwrap();
        assert_eq!(written(&command, 100), "*2\r\n$3\r\nGET\r\n$7\r\np:h:100\r\n");
        assert_eq!(command.kinds().collect::<Vec<_>>(), ["h:"]);
    }

    #[test]
    fn sizes_lie_between_their_bounds_and_stay() {
        let shape = Shape { size: (10, 30), ..SHAPE };
        let sizes: Vec<_> = (0..1_000).map(|row| shape.size(row)).collect();
        assert_eq!((sizes.iter().min(), sizes.iter().max()), (Some(&10), Some(&30)));
        assert_eq!(sizes, (0..1_000).map(|row| shape.size(row)).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_command_is_told() {
        for (line, expected) in
            [("", "no command"), ("SET 'a", "quote"), ("SET {{nobody}} 1", "nobody"), ("SET {{key 1", "{{")]
        {
            let error = Command::parse(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
