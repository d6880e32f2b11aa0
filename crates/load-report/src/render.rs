//! How are people told? One pure renderer a medium: a finished result in, text out.

/// Appends formatted text to a `String`, which cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {{
        use std::fmt::Write as _;
        let _ = $out.write_fmt(format_args!($($text)*));
    }};
}

pub mod compare;
pub mod csv;
pub mod escape;
mod events;
pub mod github;
pub mod hlog;
pub mod html;
pub mod json;
pub mod junit;
pub mod k6;
pub mod locust;
pub mod markdown;
pub mod plan;
pub mod prometheus;
pub mod slo;
mod table;
pub mod text;
pub mod units;
