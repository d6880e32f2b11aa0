//! How does foreign text stay text? Names and error messages come from servers and users; each medium has signs
//! that would make them commands, markup or formulas.

use std::fmt::Write as _;

/// For a terminal: one line without control characters and without signs that reorder or hide text.
pub fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_unsafe(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Control characters, line separators, and what changes the direction of text (Unicode UAX #9).
fn is_unsafe(c: char) -> bool {
    let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || reorders || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// For a cell of a Markdown table, or any other inline place: no markup, HTML, link or mention comes of it.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' => out.push_str("&#124;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    // A bare address would become a link.
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// For text and attribute values of an HTML page: no markup comes of it.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// For a cell of a CSV file: a spreadsheet takes none for a formula
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
pub fn csv(text: &str) -> String {
    let text = terminal(text);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

/// For a tag of an .hlog file: no comma, no space.
pub fn tag(text: &str) -> String {
    text.chars().map(|c| if c == ',' || c.is_whitespace() || is_unsafe(c) { '_' } else { c }).collect()
}

/// For the message of a workflow command of GitHub Actions.
pub fn command(text: &str) -> String {
    let text = text.replace('%', "%25");
    terminal(&text.replace('\r', "%0D").replace('\n', "%0A"))
}

/// For a property of a workflow command of GitHub Actions.
pub fn property(text: &str) -> String {
    command(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_commands() {
        assert_eq!(terminal("a\u{1b}[31mb\nc\u{9b}d\u{202e}e"), "a\\u{1b}[31mb c\\u{9b}d\\u{202e}e");
    }

    #[test]
    fn markdown_gets_no_cells_markup_or_html() {
        assert_eq!(markdown("a|b\n# `c` <img src=x>"), "a&#124;b \\# \\`c\\` &lt;img src=x&gt;");
        assert_eq!(markdown("@team http://evil [x](y)"), "&#64;team http&#58;//evil \\[x\\](y)");
    }

    #[test]
    fn a_page_gets_no_markup() {
        assert_eq!(html("<b a='1'>&\"\n"), "&lt;b a=&#39;1&#39;&gt;&amp;&quot; ");
    }

    #[test]
    fn a_spreadsheet_gets_no_formulas() {
        for evil in ["=1+1", "+1", "-1", "@SUM(A1)"] {
            assert_eq!(csv(evil), format!("'{evil}"));
        }
        assert_eq!(csv("\t=1+1"), " =1+1");
        assert_eq!(csv("GET /a=b"), "GET /a=b");
    }

    #[test]
    fn a_workflow_command_stays_one_line() {
        assert_eq!(command("50 %\n::error::x"), "50 %25%0A::error::x");
        assert_eq!(property("a:b,c\nd"), "a%3Ab%2Cc%0Ad");
    }

    #[test]
    fn a_tag_stays_one_field() {
        assert_eq!(tag("GET /a, b\n"), "GET_/a__b_");
    }
}
