//! What does a reading come to? Levels as they are, running totals by what they were before.

use load_report::gauge::{GaugeKind, GaugePlan, Sample};

use super::Reading;
use crate::clock::Nanos;

/// Makes values of readings.
pub(super) struct Values {
    gauges: Vec<Gauge>,
    /// Over a shorter time, what a total has grown by says more of when the target adds it up than of the load.
    shortest_ns: i64,
    before_ns: Option<i64>,
}

struct Gauge {
    kind: GaugeKind,
    /// The reading before, and when it was made.
    before: Option<(i64, Reading)>,
    /// What a running total has grown by.
    grown: f64,
}

impl Values {
    /// For looks that are as a rule `every` apart.
    pub(super) fn of(gauges: &[GaugePlan], every: Nanos) -> Self {
        let gauge = |plan: &GaugePlan| Gauge { kind: plan.kind, before: None, grown: 0.0 };
        Self { gauges: gauges.iter().map(gauge).collect(), shortest_ns: every.0 / 2, before_ns: None }
    }

    /// What `readings`, made at `at_ns`, come to. When the load `is_over`, levels are no longer its doing.
    pub(super) fn take(&mut self, at_ns: i64, readings: &[Reading], is_over: bool) -> Sample {
        let reading = |index: usize| readings.get(index).copied().unwrap_or_default();
        let shortest_ns = self.shortest_ns;
        let value = |(index, gauge): (usize, &mut Gauge)| {
            if is_over && gauge.kind == GaugeKind::Level {
                return None;
            }
            gauge.take(at_ns, reading(index), shortest_ns)
        };
        let values = self.gauges.iter_mut().enumerate().map(value);
        let values = values.map(|value| value.filter(|value| value.is_finite())).collect();
        let from_ns = self.before_ns.replace(at_ns).unwrap_or(at_ns);
        Sample { from_ns, at_ns, values }
    }
}

impl Gauge {
    fn take(&mut self, at_ns: i64, reading: Reading, shortest_ns: i64) -> Option<f64> {
        let is_of_time = matches!(self.kind, GaugeKind::Rate | GaugeKind::Share);
        let is_soon = self.before.is_some_and(|(then_ns, _)| at_ns - then_ns < shortest_ns);
        if reading == Reading::Unknown || is_of_time && is_soon {
            return None;
        }
        let before = self.before.replace((at_ns, reading));
        match (self.kind, reading, before) {
            (GaugeKind::Level, Reading::Value(value), _) => Some(value),
            (GaugeKind::Growth, Reading::Value(total), before) => {
                if let Some((_, Reading::Value(before))) = before {
                    self.grown += since(before, total);
                }
                Some(self.grown)
            }
            (GaugeKind::Rate, Reading::Value(total), Some((then_ns, Reading::Value(before)))) => {
                let seconds = (at_ns - then_ns) as f64 / 1e9;
                (seconds > 0.0).then(|| since(before, total) / seconds)
            }
            (
                GaugeKind::Share,
                Reading::Share { cases, of },
                Some((_, Reading::Share { cases: then, of: all })),
            ) => {
                // Both begin anew together.
                let restarted = of < all || cases < then;
                let (cases, of) = if restarted { (cases, of) } else { (cases - then, of - all) };
                // Sums of the same numbers in another order differ in the last digits: no share is more than all for that.
                (of > 0.0).then(|| (cases / of * 1e9).round() / 1e9)
            }
            _ => None,
        }
    }
}

/// What a running total has grown by. One that is smaller than before began anew at 0: the target was restarted.
fn since(before: f64, now: f64) -> f64 {
    if now < before { now } else { now - before }
}

#[cfg(test)]
mod tests {
    use super::*;
    use load_report::gauge::GaugeUnit;

    const SECOND_NS: i64 = 1_000_000_000;

    fn values(kind: GaugeKind, readings: &[(i64, Reading)]) -> Vec<Option<f64>> {
        let plan = GaugePlan { name: "x".into(), help: String::new(), unit: GaugeUnit::Count, kind };
        let mut values = Values::of(&[plan], Nanos(SECOND_NS));
        readings.iter().map(|(s, reading)| values.take(s * SECOND_NS, &[*reading], false).values[0]).collect()
    }

    fn totals(of: [f64; 5]) -> Vec<(i64, Reading)> {
        // A look at second 3 has not been answered, one at second 5 has nothing to say.
        let mut readings: Vec<_> = [0, 1, 2, 4, 6].into_iter().zip(of.map(Reading::Value)).collect();
        readings.insert(4, (5, Reading::Unknown));
        readings
    }

    #[test]
    fn totals_are_told_by_what_they_were_before_also_when_they_begin_anew() {
        let readings = totals([100.0, 110.0, 110.0, 150.0, 8.0]);
        let rates = values(GaugeKind::Rate, &readings);
        assert_eq!(rates, [None, Some(10.0), Some(0.0), Some(20.0), None, Some(4.0)]);
        let grown = values(GaugeKind::Growth, &readings);
        assert_eq!(grown, [Some(0.0), Some(10.0), Some(10.0), Some(50.0), None, Some(58.0)]);
        let levels = values(GaugeKind::Level, &readings);
        assert_eq!(levels, [Some(100.0), Some(110.0), Some(110.0), Some(150.0), None, Some(8.0)]);
    }

    #[test]
    fn a_share_is_that_of_the_time_since_the_look_before() {
        let share = |s, cases, of| (s, Reading::Share { cases, of });
        let readings = [
            share(0, 900.0, 1_000.0),
            share(1, 990.0, 1_100.0),
            share(2, 990.0, 1_100.0),
            share(3, 3.0, 4.0),
        ];
        assert_eq!(values(GaugeKind::Share, &readings), [None, Some(0.9), None, Some(0.75)]);
    }

    #[test]
    fn what_is_no_number_or_missing_is_a_gap() {
        let readings = [(0, Reading::Value(f64::NAN)), (1, Reading::Share { cases: 1.0, of: 1.0 })];
        assert_eq!(values(GaugeKind::Level, &readings), [None, None]);
        let plans = [GaugeKind::Level; 2].map(|kind| GaugePlan {
            name: "x".into(),
            help: String::new(),
            unit: GaugeUnit::Count,
            kind,
        });
        let sample = Values::of(&plans, Nanos(SECOND_NS)).take(7, &[Reading::Value(1.0)], false);
        assert_eq!(sample, Sample { from_ns: 7, at_ns: 7, values: vec![Some(1.0), None] });
    }

    #[test]
    fn what_happened_just_before_the_end_is_grown_by_but_makes_no_rate() {
        let plan = |kind| GaugePlan { name: "x".into(), help: String::new(), unit: GaugeUnit::Count, kind };
        let plans = [GaugeKind::Level, GaugeKind::Growth, GaugeKind::Rate].map(plan);
        let mut values = Values::of(&plans, Nanos(SECOND_NS));
        let mut look = |ms: i64, total: f64, is_over| {
            values.take(ms * 1_000_000, &[Reading::Value(total); 3], is_over).values
        };
        assert_eq!(look(0, 100.0, false), [Some(100.0), Some(0.0), None]);
        // The rate waits for the look after, and is that of the whole time.
        assert_eq!(look(100, 150.0, false), [Some(150.0), Some(50.0), None]);
        assert_eq!(look(1_000, 200.0, false), [Some(200.0), Some(100.0), Some(100.0)]);
        assert_eq!(look(1_010, 230.0, true), [None, Some(130.0), None]);
    }
}
