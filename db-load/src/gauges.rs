//! How is a gauge declared? In a line of a table.

use load_report::gauge::{GaugeKind, GaugePlan, GaugeUnit};

/// The gauge of this name, unit, kind and meaning.
pub fn plan((name, unit, kind, help): (&str, GaugeUnit, GaugeKind, &str)) -> GaugePlan {
    GaugePlan { name: name.to_owned(), help: help.to_owned(), unit, kind }
}
