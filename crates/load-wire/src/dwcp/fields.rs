//! What is in a payload? One field after another, in big-endian order, and nothing behind the last one.

use super::Broken;

/// Takes fields off a payload.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Broken::Malformed("a short payload"))?;
        self.0 = rest;
        Ok(*field)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Broken> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Broken> {
        self.take().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Broken> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Broken> {
        self.take().map(u64::from_be_bytes)
    }

    pub(super) fn zero<const N: usize>(&mut self) -> Result<(), Broken> {
        if self.take::<N>()? == [0; N] {
            Ok(())
        } else {
            Err(Broken::Malformed("a reserved field that is not 0"))
        }
    }

    pub(super) fn text(&mut self, most: usize) -> Result<&'a str, Broken> {
        let text = std::mem::take(&mut self.0);
        let text = std::str::from_utf8(text).map_err(|_| Broken::Malformed("text that is not UTF-8"))?;
        if text.len() <= most { Ok(text) } else { Err(Broken::Malformed("a long text")) }
    }

    pub(super) fn end(&self) -> Result<(), Broken> {
        if self.0.is_empty() { Ok(()) } else { Err(Broken::Malformed("a long payload")) }
    }
}
