//! How is a gauge declared? In a line of a table.

use load_report::gauge::{GaugeKind, GaugePlan, GaugeUnit};

/// Name, unit, kind and meaning of a gauge.
pub type Line = (&'static str, GaugeUnit, GaugeKind, &'static str);

/// The gauge of this line.
pub fn plan((name, unit, kind, help): Line) -> GaugePlan {
    GaugePlan { name: name.to_owned(), help: help.to_owned(), unit, kind }
}
