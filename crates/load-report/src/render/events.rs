//! How is it told what was done besides the load? One line an event.

use crate::model::EventReport;

use super::units::number;

/// When it began and how it ended, for people; texts of the suite are as they are.
pub(super) fn line(event: &EventReport) -> String {
    let EventReport { name, at_s, began_s, ended_s, exit_code, note, .. } = event;
    let when = format!("{name} at {} s", number(began_s.unwrap_or(*at_s)));
    let took = began_s.zip(*ended_s).map(|(began, ended)| format!(" after {} s", number(ended - began)));
    let how = match (exit_code, note) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(note)) => note.clone(),
        (None, None) => "not known how it ended".to_owned(),
    };
    format!("{when}: {how}{}", took.unwrap_or_default())
}
