//! Which slot does a key lie in, and which node has it? CRC16 (XMODEM) of the key or of its hash tag, as the specification
//! of Redis Cluster has it.

use std::rc::Rc;

use crate::redis::wire::Reply;

/// How many there are.
pub const SLOTS: u16 = 16_384;

const TABLE: [u16; 256] = {
    let (mut table, mut byte) = ([0; 256], 0);
    while byte < 256 {
        let (mut crc, mut bit) = ((byte as u16) << 8, 0);
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The slot of `key`.
#[inline]
pub fn slot(key: &[u8]) -> u16 {
    let crc =
        tag(key).iter().fold(0_u16, |crc, &byte| crc << 8 ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)]);
    crc % SLOTS
}

/// What is hashed: what stands between the first `{` and the next `}`, if anything does; else the whole key.
#[inline]
fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&byte| byte == b'{') else { return key };
    let behind = &key[open + 1..];
    match behind.iter().position(|&byte| byte == b'}') {
        Some(close) if close > 0 => &behind[..close],
        _ => key,
    }
}

/// Who has which slot.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// `HOST:PORT` of the masters.
    nodes: Vec<Rc<str>>,
    of_slot: Vec<u16>,
}

impl Map {
    /// The reply to CLUSTER SLOTS of the node at `host`.
    pub fn read(reply: Reply<'_>, host: &str) -> Option<Self> {
        let mut map = Self { nodes: Vec::new(), of_slot: vec![0; SLOTS.into()] };
        for range in reply.items()? {
            let mut range = range.items()?;
            let mut bound = || usize::try_from(range.next()?.number()?).ok().filter(|n| *n < SLOTS.into());
            let (first, last) = (bound()?, bound()?);
            let mut master = range.next()?.items()?;
            // A node that does not know how it is called is where it was asked.
            let name = master.next()?.text().filter(|name| !name.is_empty());
            let name = name.map_or(Some(host), |name| std::str::from_utf8(name).ok())?;
            let node = map.add(&format!("{name}:{}", master.next()?.number()?));
            map.of_slot.get_mut(first..=last)?.fill(node);
        }
        (!map.nodes.is_empty()).then_some(map)
    }

    /// Where the node of `slot` is. That of a slot which nobody has is any: it will say so.
    #[inline]
    pub fn node(&self, slot: u16) -> &Rc<str> {
        &self.nodes[usize::from(self.of_slot[usize::from(slot)])]
    }

    /// All masters.
    pub fn nodes(&self) -> &[Rc<str>] {
        &self.nodes
    }

    /// A slot is somewhere else.
    pub fn moved(&mut self, slot: u16, address: &str) {
        let node = self.add(address);
        self.of_slot[usize::from(slot)] = node;
    }

    fn add(&mut self, address: &str) -> u16 {
        let known = self.nodes.iter().position(|known| **known == *address);
        known.unwrap_or_else(|| {
            self.nodes.push(address.into());
            self.nodes.len() - 1
        }) as u16
    }
}

/// Where a refusal sends us.
#[derive(Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The slot.
    pub slot: u16,
    /// `HOST:PORT`.
    pub address: String,
    /// For this once, and by ASKING for it.
    pub asks: bool,
}

/// What `error` of the node at `host` says, where it sends us elsewhere.
#[inline]
pub fn redirect(error: &[u8], host: &str) -> Option<Redirect> {
    let asks = error.starts_with(b"ASK ");
    if !asks && !error.starts_with(b"MOVED ") {
        return None;
    }
    let mut words = std::str::from_utf8(error).ok()?.split(' ').skip(1);
    let slot = words.next()?.parse().ok().filter(|slot| *slot < SLOTS)?;
    let (name, port) = words.next()?.rsplit_once(':')?;
    let name = if name.is_empty() { host } else { name };
    Some(Redirect { slot, address: format!("{name}:{port}"), asks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::wire::reply::read;

    #[test]
    fn slots_are_those_of_the_specification() {
        // The first from the specification, the others from CLUSTER KEYSLOT of Redis 7.0.
        assert_eq!(slot(b"123456789"), 0x31C3);
        for (key, expected) in [("", 0), ("foo", 12_182), ("{foo}bar", 12_182), ("x{foo}{bar}", 12_182)] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
        assert_eq!(slot(b"foo{}{bar}"), 8_363);
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
        assert_ne!(slot(b"foo{bar"), slot(b"bar"));
    }

    #[test]
    fn a_map_is_read_and_follows_what_moves() {
        let bytes = b"*2\r\n*3\r\n:0\r\n:8191\r\n*3\r\n$9\r\n127.0.0.1\r\n:7001\r\n$1\r\na\r\n\
                      *3\r\n:8192\r\n:16383\r\n*3\r\n$0\r\n\r\n:7002\r\n$1\r\nb\r\n";
        let mut map = Map::read(read(bytes).unwrap().unwrap().0, "here").unwrap();
        assert_eq!((&**map.node(0), &**map.node(8_191)), ("127.0.0.1:7001", "127.0.0.1:7001"));
        assert_eq!(&**map.node(16_383), "here:7002");
        map.moved(8_191, "127.0.0.1:7003");
        assert_eq!((&**map.node(8_190), &**map.node(8_191)), ("127.0.0.1:7001", "127.0.0.1:7003"));
        for wrong in [&b"*0\r\n"[..], b"+OK\r\n", b"*1\r\n*3\r\n:0\r\n:99999\r\n*2\r\n$1\r\na\r\n:1\r\n"] {
            assert_eq!(Map::read(read(wrong).unwrap().unwrap().0, "here"), None);
        }
    }

    #[test]
    fn redirections_are_told_from_other_refusals() {
        let at = |error: &str| redirect(error.as_bytes(), "here");
        let expected = |asks, address: &str| Some(Redirect { slot: 3_999, address: address.into(), asks });
        assert_eq!(at("MOVED 3999 127.0.0.1:6381"), expected(false, "127.0.0.1:6381"));
        assert_eq!(at("ASK 3999 ::1:6381"), expected(true, "::1:6381"));
        assert_eq!(at("MOVED 3999 :6381"), expected(false, "here:6381"));
        for other in ["ERR no", "MOVED", "MOVED x 1:2", "ASK 99999 a:1", "CROSSSLOT Keys in request"] {
            assert_eq!(at(other), None, "{other}");
        }
    }
}
