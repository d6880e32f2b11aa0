//! Is a change more than noise? It is larger than noise may be, and chance is unlikely.

use crate::exit::Exit;
use crate::verdict::Verdict;

use super::{Change, Compared, Figure, Row, Rules, Side, relabel};

/// Corrects the p-values of all rows for their number, and judges them. The figures of components are one family and
/// those of ops another, each with half of the level, so that many ops do not hide what all of them show.
pub(super) fn settle(components: &mut [Compared], rules: &Rules, sides: (usize, usize)) {
    for of_ops in [false, true] {
        let mut family: Vec<&mut Row> = components
            .iter_mut()
            .flat_map(|compared| &mut compared.rows)
            .filter(|row| row.op.is_some() == of_ops)
            .collect();
        if sides == (1, 1) {
            holm(&mut family);
        } else {
            relabelled(&mut family, rules, sides);
        }
        for row in family {
            row.judgement = judgement(row, rules);
        }
    }
}

/// Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979, 65–70): the smallest of n p-values times n, the
/// next one times n − 1, and none below the one before.
fn holm(family: &mut [&mut Row]) {
    let mut told: Vec<&mut f64> = family.iter_mut().filter_map(|row| row.p_value.as_mut()).collect();
    told.sort_by(|one, other| one.total_cmp(other));
    let n = told.len();
    let mut before = 0.0_f64;
    for (k, p) in told.into_iter().enumerate() {
        before = before.max((*p * (n - k) as f64).min(1.0));
        *p = before;
    }
}

/// Several runs a side: see [`relabel`].
fn relabelled(family: &mut [&mut Row], rules: &Rules, (one, other): (usize, usize)) {
    let all = family.iter_mut().map(|row| &mut **row);
    let mut complete: Vec<&mut Row> =
        all.filter(|row| row.change.is_some() && row.values.len() == one + other).collect();
    let least = relabel::least(one, other);
    if least > rules.level / 2.0 {
        let note = format!(
            "of {one} and {other} runs nothing is less likely than {least:.3}, and {} is needed: give more runs, or one a side",
            rules.level / 2.0
        );
        complete.into_iter().for_each(|row| row.note = Some(note.clone()));
        return;
    }
    let figures: Vec<Vec<f64>> = complete.iter().map(|row| logarithms(&row.values)).collect();
    for (row, p) in complete.iter_mut().zip(relabel::adjusted(&figures, one)) {
        row.p_value = Some(p);
    }
}

fn logarithms(values: &[f64]) -> Vec<f64> {
    if values.iter().all(|&value| value > 0.0) {
        values.iter().map(|value| value.ln()).collect()
    } else {
        values.to_vec()
    }
}

fn judgement(row: &Row, rules: &Rules) -> Change {
    let (Some(change), Some(p)) = (row.change, row.p_value) else { return Change::NotJudged };
    let noise = if row.figure == Figure::ErrorRate { rules.error_noise } else { rules.noise };
    if change.abs() <= noise || p > rules.level / 2.0 {
        Change::Same
    } else if (change < 0.0) == row.figure.less_is_worse() {
        Change::Worse
    } else {
        Change::Better
    }
}

/// What all rows come to.
pub(super) fn verdict(components: &[Compared]) -> Change {
    let any = |change| components.iter().any(|c| c.rows.iter().any(|row| row.judgement == change));
    let told = |compared: &Compared| compared.rows.iter().any(|row| row.judgement != Change::NotJudged);
    if any(Change::Worse) {
        Change::Worse
    } else if !components.iter().all(told) {
        Change::NotJudged
    } else if any(Change::Better) {
        Change::Better
    } else {
        Change::Same
    }
}

/// The exit code: what proves nothing is never a pass.
pub(super) fn exit(components: &[Compared], current: &[Side<'_>]) -> Exit {
    let of_runs = current.iter().flat_map(|side| side.runs.values()).map(|run| match run.verdict {
        Verdict::Invalid => Exit::Invalid,
        Verdict::NoData => Exit::NoData,
        _ => Exit::Pass,
    });
    let judged = match verdict(components) {
        Change::Worse => Exit::Regression,
        Change::NotJudged => Exit::NoData,
        Change::Better | Change::Same => Exit::Pass,
    };
    Exit::first_of(of_runs.chain([judged]))
}
