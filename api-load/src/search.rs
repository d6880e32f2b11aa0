//! Is the text in the body? A search over a body that comes in pieces and is never kept.

use memchr::memmem::Finder;

/// A text to be found; not empty.
#[derive(Clone)]
pub struct Needle(Finder<'static>);

impl Needle {
    /// Prepares the search for `text`; none when it is empty, since every body contains that.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(Finder::new(text.as_bytes()).into_owned()))
    }

    /// The text, as it is shown when it is missing.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.0.needle()).into_owned()
    }
}

/// One search: the end of what came is carried over to the next piece, because the text may lie across the border.
#[derive(Default)]
pub struct Search {
    carry: Vec<u8>,
    found: bool,
}

impl Search {
    /// Begins anew.
    pub fn begin(&mut self) {
        self.carry.clear();
        self.found = false;
    }

    /// Whether the text has been seen.
    pub fn found(&self) -> bool {
        self.found
    }

    /// Looks at the next piece of the body.
    pub fn feed(&mut self, piece: &[u8], needle: &Needle) {
        if self.found {
            return;
        }
        let finder = &needle.0;
        let keep = finder.needle().len() - 1;
        if !self.carry.is_empty() {
            self.carry.extend_from_slice(&piece[..keep.min(piece.len())]);
            self.found = finder.find(&self.carry).is_some();
        }
        self.found = self.found || finder.find(piece).is_some();
        if piece.len() >= keep {
            self.carry.clear();
            self.carry.extend_from_slice(&piece[piece.len() - keep..]);
        } else if self.carry.is_empty() {
            self.carry.extend_from_slice(piece);
        } else {
            self.carry.drain(..self.carry.len().saturating_sub(keep));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_find_what_the_whole_does(
            body in "[ab]{0,40}",
            needle in "[ab]{1,6}",
            cuts in prop::collection::vec(0_usize..41, 0..8),
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(body.len())).chain([0, body.len()]).collect();
            cuts.sort_unstable();
            let (mut search, compiled) = (Search::default(), Needle::new(&needle).unwrap());
            search.begin();
            for pair in cuts.windows(2) {
                search.feed(&body.as_bytes()[pair[0]..pair[1]], &compiled);
                prop_assert!(search.carry.len() < 2 * needle.len());
            }
            prop_assert_eq!(search.found(), body.contains(&needle));
        }
    }

    #[test]
    fn nothing_is_everywhere() {
        assert!(Needle::new("").is_none());
    }
}
