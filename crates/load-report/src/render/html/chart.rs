//! How did it go over time? A line chart as SVG, one line a series.

use super::super::units::number;
use super::safe;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 240.0;
/// Room for the labels: left, top, right, bottom.
const MARGIN: [f64; 4] = [64.0, 44.0, 16.0, 28.0];
/// Lines of the grid beside the axis.
const STEPS: u32 = 4;

/// One line of a chart.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) colour: &'static str,
    /// Instant in seconds and value; nothing where there is none.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// A chart called `title` with values in `unit`; nothing without two instants.
pub(super) fn chart(title: &str, unit: &str, lines: &[Line]) -> String {
    let instants = || lines.iter().flat_map(|line| &line.points).map(|(t, _)| *t);
    let (first, last) = (instants().fold(f64::MAX, f64::min), instants().fold(f64::MIN, f64::max));
    let values = lines.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value);
    let most = values.fold(0.0, f64::max);
    if first >= last || most <= 0.0 {
        return String::new();
    }
    let top = rounded(most);
    let [left, above, right, below] = MARGIN;
    let x = |t: f64| left + (t - first) / (last - first) * (WIDTH - left - right);
    let y = |value: f64| HEIGHT - below - value / top * (HEIGHT - above - below);
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{0}\">\n\
         <text class=\"title\" x=\"{left}\" y=\"16\">{0}, {1}</text>\n",
        safe(title),
        safe(unit)
    );
    for step in 0..=STEPS {
        let share = f64::from(step) / f64::from(STEPS);
        let (at, when) = (y(share * top), first + share * (last - first));
        put!(
            out,
            "<line class=\"grid\" x1=\"{left}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\"/>\n",
            WIDTH - right
        );
        put!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            left - 6.0,
            at + 4.0,
            number(share * top)
        );
        put!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{} s</text>\n",
            x(when),
            HEIGHT - 8.0,
            number(when)
        );
    }
    for (index, line) in lines.iter().enumerate() {
        let label = left + 130.0 * index as f64;
        put!(out, "<rect x=\"{label:.1}\" y=\"24\" width=\"12\" height=\"12\" fill=\"{}\"/>", line.colour);
        put!(out, "<text x=\"{:.1}\" y=\"34\">{}</text>\n", label + 17.0, safe(line.name));
        for part in line.points.split(|(_, value)| value.is_none()).filter(|part| !part.is_empty()) {
            put!(out, "<polyline stroke=\"{}\" points=\"", line.colour);
            for (index, (t, value)) in part.iter().enumerate() {
                let space = if index == 0 { "" } else { " " };
                put!(out, "{space}{:.1},{:.1}", x(*t), y(value.unwrap_or_default()));
            }
            out.push_str("\"/>\n");
        }
    }
    out.push_str("</svg>\n");
    out
}

/// The next of 1, 2, 5, 10, 20, ... that is not below `most`.
fn rounded(most: f64) -> f64 {
    let magnitude = 10_f64.powf(most.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * magnitude).find(|top| *top >= most).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: Vec<(f64, Option<f64>)>) -> Line {
        Line { name: "p95", colour: "red", points }
    }

    #[test]
    fn the_axis_ends_at_a_round_number() {
        let tops = [0.03, 1.0, 1.1, 51.0, 999.0].map(|most| format!("{:.2}", rounded(most)));
        assert_eq!(tops, ["0.05", "1.00", "2.00", "100.00", "1000.00"]);
    }

    #[test]
    fn a_gap_divides_a_line_and_an_empty_chart_is_none() {
        let svg = chart("t", "ms", &[line(vec![(0.0, Some(1.0)), (1.0, None), (2.0, Some(2.0))])]);
        assert_eq!(svg.matches("<polyline").count(), 2);
        // Two of the upmost 2, at the right margin.
        assert!(svg.contains("points=\"844.0,44.0\"") && svg.contains("points=\"64.0,128.0\""), "{svg}");
        for empty in [vec![], vec![(0.0, Some(1.0))], vec![(0.0, Some(0.0)), (1.0, None)]] {
            assert_eq!(chart("t", "ms", &[line(empty)]), "");
        }
    }
}
