//! The result as a page for a browser: `report.html`. One file without anything from elsewhere: charts are SVG, no script runs.
//!
//! Figures that a program may want to read again carry `data-figure` and `data-value`.

mod chart;
mod parts;

use crate::model::RunFile;
use crate::summary::Summary;
use crate::verdict::Verdict;

use super::escape::html as safe;
use parts::{Page, targets};

const STYLE: &str = include_str!("html/style.css");

/// The page of one component.
pub fn run(run: &RunFile) -> String {
    let title = format!("{}: {}", run.verdict.label(), run.header.component);
    let mut page = Page::default();
    page.component(run);
    whole(&title, run.verdict, &page.out)
}

/// The page of all components with their targets: `report.html`.
pub fn summary(summary: &Summary) -> String {
    let title = format!("{}: run {}", summary.verdict.label(), summary.run_id);
    let mut page = Page::default();
    page.notes(summary.notes.iter().map(String::as_str));
    targets(&mut page, summary);
    for run in summary.runs() {
        put!(page.out, "<h2>{}: {}</h2>\n", safe(&run.header.component), run.verdict.label());
        page.component(run);
    }
    for skipped in &summary.skipped {
        put!(page.out, "<h2>{}: SKIPPED</h2>\n<p>{}</p>\n", safe(&skipped.component), safe(&skipped.reason));
    }
    whole(&title, summary.verdict, &page.out)
}

fn whole(title: &str, verdict: Verdict, body: &str) -> String {
    let title = safe(title);
    let class = match verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        Verdict::Fail | Verdict::Invalid | Verdict::NoData => "fail",
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1 class=\"{class}\">{title}</h1>\n{body}</body>\n</html>\n"
    )
}
