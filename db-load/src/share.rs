//! What share of the iterations does something get? `WHAT@WEIGHT` on the command line.

/// Something, and its share of the iterations against the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share<T> {
    /// Which one.
    pub what: T,
    /// At least 1.
    pub weight: u32,
}

/// `NAME` or `NAME@WEIGHT`.
///
/// # Errors
/// A weight that is none.
pub fn share(text: &str) -> Result<Share<&str>, String> {
    let Some((what, weight)) = text.rsplit_once('@') else { return Ok(Share { what: text, weight: 1 }) };
    match weight.parse() {
        Ok(weight @ 1..=1_000_000) => Ok(Share { what, weight }),
        _ => Err(format!("{weight:?} is no weight; expected 1 to 1000000 behind the @")),
    }
}
