//! Are several runs of one side apart from those of the other? All ways to divide them are gone through.
//!
//! Where nothing has changed, which run is on which side is chance. So how far the sides are apart (Welch's t of the
//! logarithms) is compared with how far they would be by every other division. Of each, the figure that is furthest apart
//! counts, which corrects for the number of figures however they hang together (Westfall and Young, Resampling-Based
//! Multiple Testing, 1993). Nothing is assumed of the distribution.

/// The least that [`adjusted`] can give for so many runs on the two sides.
pub(super) fn least(one: usize, other: usize) -> f64 {
    let divisions = (1..=one).fold(1.0, |all, k| all * (other + k) as f64 / k as f64);
    let mirrored = if one == other { 2.0 } else { 1.0 };
    mirrored / divisions
}

/// For each figure, how likely it is by chance that the figure that is furthest apart is as far apart as this one.
/// `figures` have a value a run, those of one side first, which are `one` many.
pub(super) fn adjusted(figures: &[Vec<f64>], one: usize) -> Vec<f64> {
    let runs = figures.first().map_or(0, Vec::len);
    let observed: Vec<f64> = figures.iter().map(|values| apart(values, (1 << one) - 1)).collect();
    let mut as_far = vec![0_u32; figures.len()];
    let mut divisions = 0_u32;
    for side in (0..1_u32 << runs).filter(|side| side.count_ones() as usize == one) {
        let furthest = figures.iter().map(|values| apart(values, side)).fold(0.0, f64::max);
        divisions += 1;
        for (count, observed) in as_far.iter_mut().zip(&observed) {
            *count += u32::from(furthest >= observed * (1.0 - 1e-9));
        }
    }
    as_far.into_iter().map(|count| f64::from(count) / f64::from(divisions.max(1))).collect()
}

/// Welch's t between the runs whose bit is set in `side` and the others, without its sign.
fn apart(values: &[f64], side: u32) -> f64 {
    let moments = |on: bool| {
        let chosen =
            || values.iter().enumerate().filter(move |(k, _)| (side >> k & 1 == 1) == on).map(|(_, v)| v);
        let n = chosen().count() as f64;
        let mean = chosen().sum::<f64>() / n;
        let squares: f64 = chosen().map(|value| (value - mean).powi(2)).sum();
        (mean, squares / (n - 1.0).max(1.0) / n)
    };
    let ((one, var_one), (other, var_other)) = (moments(true), moments(false));
    let difference = (one - other).abs();
    let error = (var_one + var_other).sqrt();
    match (difference > 0.0, error > 0.0) {
        (false, _) => 0.0,
        (true, false) => f64::MAX,
        (true, true) => difference / error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_apart_is_as_unlikely_as_there_are_divisions() {
        let apart = vec![1.0, 1.1, 0.9, 1.05, 0.95, 2.0, 2.1, 1.9, 2.05, 1.95];
        let mixed = vec![1.0, 2.0, 1.1, 1.9, 1.0, 2.1, 1.2, 1.8, 2.0, 1.0];
        let p = adjusted(&[apart, mixed], 5);
        assert!((p[0] - least(5, 5)).abs() < 1e-12 && p[1] > 0.3, "{p:?}");
        assert!((least(5, 5) - 2.0 / 252.0).abs() < 1e-12);
        assert!((least(4, 5) - 1.0 / 126.0).abs() < 1e-12);
        assert_eq!(adjusted(&[vec![3.0; 6]], 3), [1.0]);
    }
}
