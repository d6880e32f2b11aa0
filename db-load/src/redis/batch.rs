//! What do the commands of one call look like on the wire, and what came back?

use load_suite::template::push_decimal;

use super::cluster::slots;
use super::wire::Reply;
use super::wire::reply;

/// Commands, written one behind the other, and then their replies in the same order. Its memory is used again.
#[derive(Default)]
pub struct Batch {
    /// The commands.
    pub bytes: Vec<u8>,
    /// The replies.
    pub replies: Vec<u8>,
    /// Where each command ends, and the slot of its key.
    pub(super) commands: Vec<(usize, u16)>,
}

impl Batch {
    /// Begins anew.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.replies.clear();
        self.commands.clear();
    }

    /// Adds the command that `write` writes, whose first key is word number `key`.
    pub fn push(&mut self, key: Option<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.bytes.len();
        write(&mut self.bytes);
        let slot = key.and_then(|key| word(&self.bytes[begin..], key)).map_or(0, slots::slot);
        self.commands.push((self.bytes.len(), slot));
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Command number `index`.
    pub fn command(&self, index: usize) -> &[u8] {
        let begin = index.checked_sub(1).map_or(0, |before| self.commands[before].0);
        &self.bytes[begin..self.commands[index].0]
    }
}

/// Word number `index` of a command as it is written.
pub fn word(command: &[u8], index: usize) -> Option<&[u8]> {
    match reply::read(command) {
        Ok(Some((Reply::List(mut words), _))) => words.nth(index)?.text(),
        _ => None,
    }
}

/// Appends what a command of so many words begins with, and its name.
pub fn begin(words: usize, name: &[u8], out: &mut Vec<u8>) {
    out.push(b'*');
    push_decimal(words as u64, out);
    out.extend_from_slice(b"\r\n");
    super::wire::word(name, out);
}
