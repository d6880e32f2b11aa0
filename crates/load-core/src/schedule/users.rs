//! Which users are active when in the closed model?

use load_report::model::Segment;
use load_suite::shape::Shape;

use crate::clock::Nanos;

/// The users of one segment: user u is active while the level of the shape is above u.
#[derive(Clone, Debug)]
pub struct Users {
    shape: Shape,
    segment: Segment,
}

impl Users {
    /// The users of `segment` when their number follows `shape`.
    pub fn new(shape: Shape, segment: Segment) -> Self {
        Self { shape, segment }
    }

    /// Users of this segment that are ever active.
    pub fn len(&self) -> u64 {
        self.segment.share_of(self.shape.peak().ceil() as u64)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Global number of this segment's `i`-th user.
    pub fn global(&self, i: u64) -> u64 {
        self.segment.global(i)
    }

    /// When this segment's `i`-th user is active: spans of (begin, end) since time zero.
    pub fn spans(&self, i: u64) -> Vec<(Nanos, Nanos)> {
        let spans = self.shape.spans_above(self.global(i) as f64);
        spans.into_iter().map(|(begin, end)| (at_least(begin), at_least(end))).collect()
    }
}

fn at_least(seconds: f64) -> Nanos {
    Nanos((seconds * 1e9).ceil() as i64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn users_of_all_segments_are_the_users_of_the_plan() {
        let corners = [(Duration::from_secs(10), 25.0), (Duration::from_secs(10), 0.0)];
        let shape = Shape::from_corners(0.0, &corners);
        for n in [1, 2, 3, 7, 16] {
            let parts = (0..n).map(|i| Users::new(shape.clone(), Segment { index: i, of: n }));
            let mut users: Vec<_> = parts
                .flat_map(|p| (0..p.len()).map(move |i| (p.global(i), p.spans(i))).collect::<Vec<_>>())
                .collect();
            users.sort_by_key(|user| user.0);
            assert_eq!(users.iter().map(|u| u.0).collect::<Vec<_>>(), (0..25).collect::<Vec<_>>());
            assert!(
                users.iter().all(|(u, spans)| spans.len() == 1 && spans[0].0.0 == *u as i64 * 400_000_000)
            );
        }
    }
}
