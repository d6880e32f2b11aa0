//! What does a client send in a stream? Messages in a round, again and again, cut into pieces for the wire.

use bytes::Bytes;

/// Most bytes of a piece that has more than one message: what HTTP/2 puts into one frame unless told otherwise.
const PIECE: usize = 16 * 1024;

/// Framed messages, one behind the other.
#[derive(Clone, Debug)]
pub struct Round {
    bytes: Bytes,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// How many are sent in all, round after round.
    pub messages: u64,
}

/// How far it has been sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Index of the next message in the round.
    at: usize,
    /// Messages that have been given out.
    pub sent: u64,
}

impl Round {
    /// Of these framed messages, each once, or so many of them in all.
    pub fn new(framed: &[Vec<u8>], messages: Option<u64>) -> Self {
        let messages = messages.unwrap_or(framed.len() as u64);
        let messages = if framed.is_empty() { 0 } else { messages };
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let length: usize = framed.iter().map(Vec::len).sum();
        // Several rounds in one, so that short ones fill their pieces, too.
        while (ends.len() as u64) < messages && (ends.is_empty() || bytes.len() + length <= PIECE) {
            for message in framed {
                bytes.extend_from_slice(message);
                ends.push(bytes.len());
            }
        }
        Self { bytes: bytes.into(), ends, messages }
    }

    /// The next messages, at least one and at most `most`, unless all have been given out.
    #[inline]
    pub fn next(&self, place: &mut Place, most: u64) -> Option<Bytes> {
        let most = most.min(self.messages - place.sent);
        if most == 0 {
            return None;
        }
        let begin = if place.at == 0 { 0 } else { self.ends[place.at - 1] };
        let mut at = place.at + 1;
        while at < self.ends.len() && ((at - place.at) as u64) < most && self.ends[at] - begin <= PIECE {
            at += 1;
        }
        place.sent += (at - place.at) as u64;
        place.at = if at == self.ends.len() { 0 } else { at };
        Some(self.bytes.slice(begin..self.ends[at - 1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(round: &Round, most: u64) -> Vec<Bytes> {
        let mut place = Place::default();
        let all = std::iter::from_fn(|| round.next(&mut place, most)).collect();
        assert_eq!(place.sent, round.messages);
        all
    }

    #[test]
    fn messages_come_in_turn_as_often_as_they_should() {
        let framed = [b"aa".to_vec(), b"b".to_vec(), b"ccc".to_vec()];
        assert_eq!(pieces(&Round::new(&framed, None), u64::MAX), [&b"aabccc"[..]]);
        assert_eq!(pieces(&Round::new(&framed, None), 1), [&b"aa"[..], b"b", b"ccc"]);
        assert_eq!(pieces(&Round::new(&framed, Some(5)), 2), [&b"aab"[..], b"cccaa", b"b"]);
        assert_eq!(pieces(&Round::new(&framed, Some(2)), 9), [&b"aab"[..]]);
        assert!(pieces(&Round::new(&[], Some(5)), 9).is_empty());
    }

    #[test]
    fn pieces_are_as_long_as_a_frame_unless_one_message_is_longer() {
        let framed = [vec![1; 7], vec![2; 20]];
        let all = pieces(&Round::new(&framed, Some(100_001)), u64::MAX);
        assert_eq!(all.concat().len(), 50_000 * 27 + 7);
        assert!(all.iter().all(|piece| piece.len() <= PIECE));
        assert!(all.len() < 100, "{}", all.len());
        let long = [vec![0; PIECE + 1], vec![1]];
        assert_eq!(
            pieces(&Round::new(&long, None), 9).iter().map(Bytes::len).collect::<Vec<_>>(),
            [PIECE + 1, 1]
        );
    }
}
