//! How is it going? One line that moves on a terminal, one line every ten seconds elsewhere.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use load_report::model::Point;

use super::Console;

/// Seconds between two lines where there is no terminal.
const PLAIN_EVERY: u64 = 10;

/// Shows how the run goes.
pub(crate) enum Progress {
    /// On a terminal.
    Bar(ProgressBar),
    /// Elsewhere.
    Plain { console: Console, duration_s: f64, next_s: u64 },
    /// Nobody wants to know.
    None,
}

impl Progress {
    pub(crate) fn start(console: &Console, duration_s: f64, wanted: bool) -> Self {
        if !wanted {
            return Self::None;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Plain { console: console.clone(), duration_s, next_s: PLAIN_EVERY };
        }
        let bar = ProgressBar::with_draw_target(
            Some(duration_s.ceil() as u64),
            ProgressDrawTarget::stderr_with_hz(4),
        );
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} s  {msg}") {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    /// The last second was like `point`.
    pub(crate) fn show(&mut self, elapsed_s: f64, point: &Point) {
        let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.2} ms"));
        let text = format!(
            "{} ok/s, {} failed/s, {} users, mean {:.2} ms, p99 {}",
            point.ok,
            point.failed,
            point.vus,
            point.mean_ms,
            ms(point.p99_ms)
        );
        match self {
            Self::Bar(bar) => {
                bar.set_position(elapsed_s as u64);
                bar.set_message(text);
            }
            Self::Plain { console, duration_s, next_s } if elapsed_s as u64 >= *next_s => {
                *next_s += PLAIN_EVERY;
                console.say(&format!("{elapsed_s:.0} of {duration_s:.0} s: {text}"));
            }
            Self::Plain { .. } | Self::None => {}
        }
    }

    /// The run is over.
    pub(crate) fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
