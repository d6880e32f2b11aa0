//! What does a page of Prometheus say? Its text format, version 0.0.4, as far as numbers go.

use load_suite::suite::quoted;

/// One line of such a page: a series and its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series {
    /// Its name.
    pub(super) name: String,
    /// Its labels.
    pub(super) labels: Vec<(String, String)>,
    /// Its value, which may be no number.
    pub(super) value: f64,
}

impl Series {
    /// A series without labels.
    pub(super) fn plain(name: &str, value: f64) -> Self {
        Self { name: name.to_owned(), labels: Vec::new(), value }
    }

    /// The value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

/// The series of `page` whose names are `wanted`.
///
/// # Errors
/// The first line that is none, by its number: as Prometheus does, all of the page is refused then.
pub(super) fn parse(page: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<Series>, String> {
    let mut all = Vec::new();
    for (index, line) in page.lines().enumerate() {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let series = read(text).ok_or_else(|| {
            let shown: String = text.chars().take(60).collect();
            format!("line {}: {shown:?} is no series and its value, as in Prometheus' text format", index + 1)
        })?;
        if wanted(&series.name) {
            all.push(series);
        }
    }
    Ok(all)
}

/// `name{label="value"} 1.5 1700000000000`; the time behind the value, and what is behind that, are not used.
fn read(line: &str) -> Option<Series> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = line.find(|c| !is_of_name(c))?;
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut labels = Vec::new();
    if let Some(inner) = rest.trim_start().strip_prefix('{') {
        rest = inner.trim_start();
        loop {
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = rest.split_once('=')?;
            let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
            labels.push((label.trim().to_owned(), value));
            rest = after.trim_start();
            match rest.strip_prefix(',') {
                Some(after) => rest = after.trim_start(),
                None if rest.starts_with('}') => {}
                None => return None,
            }
        }
    } else if !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Series { name: name.to_owned(), labels, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(page: &str) -> Result<Vec<Series>, String> {
        parse(page, |_| true)
    }

    #[test]
    fn a_page_is_read_as_prometheus_reads_it() {
        let page = "# HELP a What it is.\n# TYPE a counter\na 1\n\n  a{b=\"c\"}  2.5e3 1395066363000\n\
                    msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"no\\n\\\"x\\\" {}\"} 1.458255915e9\n\
                    a:b{ } NaN\nc{d=\"e\",} +Inf # {trace=\"1\"} 0.5\n# EOF\n";
        let all = all(page).unwrap();
        assert_eq!(all.len(), 5);
        assert_eq!(all[0], Series::plain("a", 1.0));
        assert_eq!((all[1].label("b"), all[1].value.to_bits()), (Some("c"), 2_500_f64.to_bits()));
        assert_eq!(all[2].label("path"), Some("C:\\DIR\\FILE.TXT"));
        assert_eq!(all[2].label("error"), Some("no\n\"x\" {}"));
        assert!(all[3].value.is_nan() && all[4].value.is_infinite());
    }

    #[test]
    fn what_is_no_page_is_refused_by_its_line() {
        for (page, expected) in [
            ("a 1\n<html>\n", "line 2: \"<html>\" is no series"),
            ("a", "line 1"),
            ("a one", "line 1"),
            ("9a 1", "line 1"),
            ("a{b=\"c} 1", "line 1"),
            ("a{b=\"c\" d=\"e\"} 1", "line 1"),
            ("a{b} 1", "line 1"),
            ("a-b 1", "line 1"),
        ] {
            let error = all(page).unwrap_err();
            assert!(error.contains(expected), "{page}: {error}");
        }
    }

    fn name() -> impl Strategy<Value = String> {
        "[a-zA-Z_:][a-zA-Z0-9_:]{0,12}"
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(
            series in prop::collection::vec((name(), prop::collection::vec((name(), ".{0,12}"), 0..4), any::<f64>()), 0..20),
        ) {
            let mut page = String::new();
            for (name, labels, value) in &series {
                let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                // A line ends where the reader of lines says so.
                let labels: Vec<_> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
                page.extend([name, "{", &labels.join(","), "} ", &value.to_string(), "\n"]);
            }
            let read = all(&page).unwrap();
            prop_assert_eq!(read.len(), series.len());
            for (read, (name, labels, value)) in read.iter().zip(&series) {
                prop_assert_eq!(&read.name, name);
                prop_assert_eq!(&read.labels, labels);
                prop_assert!(read.value.to_bits() == value.to_bits() || read.value.is_nan() && value.is_nan());
            }
        }

        #[test]
        fn nothing_makes_it_panic(page in "(?s)([a-z{}=\"\\\\,# \n0-9.]|.){0,200}") {
            // Whatever it says.
            let _ = all(&page);
        }
    }
}
