//! Why is there nothing to observe?

/// What a reader is told.
pub(super) const NO_SAMPLES: &str = "no samples";

/// Why there is nothing to observe, in words.
pub(super) enum Nothing {
    /// It could have been measured, and was not.
    Unmeasured(String),
    /// There is no such metric, phase, op or component.
    Unknown(String),
}

/// It could have been measured, and was not.
pub(super) fn no_samples() -> Nothing {
    Nothing::Unmeasured(NO_SAMPLES.to_owned())
}

/// The run has no `what` called `name`.
pub(super) fn absent(what: &str, name: &str) -> Nothing {
    Nothing::Unknown(format!("{NO_SAMPLES}: no {what} `{name}` in this run"))
}

/// The run has no `what` called `name`, but those that are `known`.
pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Nothing {
    let known: Vec<&str> = known.collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Nothing::Unknown(format!("{NO_SAMPLES}: no {what} `{name}` in this run, which has: {known}"))
}
