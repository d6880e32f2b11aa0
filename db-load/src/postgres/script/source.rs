//! Where do statements and commands begin and end? SQL up to its `;`, and lines that begin with `\`.

/// A piece of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A statement without its `;`.
    Sql(&'a str),
    /// A command without its `\`.
    Command(&'a str),
}

/// The pieces of `text`, each with its line, counted from 1.
///
/// # Errors
/// A quote that is not closed, with the line on which it was opened.
pub fn split(text: &str) -> Result<Vec<(usize, Piece<'_>)>, (usize, String)> {
    let mut pieces = Vec::new();
    let (mut begin, mut at) = (0, 0);
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let sql = |pieces: &mut Vec<_>, begin: usize, end: usize| {
        let piece = text[begin..end].trim();
        if !without_comments(piece).trim().is_empty() {
            let ahead = text[begin..end].len() - text[begin..end].trim_start().len();
            pieces.push((line(begin + ahead), Piece::Sql(piece)));
        }
    };
    while at < text.len() {
        let rest = &text[at..];
        if let Some(quoted) = quoted(rest) {
            if !quoted.is_closed {
                return Err((line(at), "a quote or comment is not closed".to_owned()));
            }
            at += quoted.length;
        } else if rest.starts_with(';') {
            sql(&mut pieces, begin, at);
            at += 1;
            begin = at;
        } else if rest.starts_with('\\') {
            sql(&mut pieces, begin, at);
            let end = rest.find('\n').unwrap_or(rest.len());
            pieces.push((line(at), Piece::Command(rest[1..end].trim())));
            at += end;
            begin = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    sql(&mut pieces, begin, text.len());
    Ok(pieces)
}

/// A literal, quoted name or comment.
pub(super) struct Quoted {
    /// How long it is, with its quotes.
    pub(super) length: usize,
    /// It has an end.
    is_closed: bool,
}

/// The literal, quoted name or comment that `text` begins with.
pub(super) fn quoted(text: &str) -> Option<Quoted> {
    let until =
        |end: Option<usize>| Some(Quoted { length: end.unwrap_or(text.len()), is_closed: end.is_some() });
    let closed =
        |open: usize, close: &str| until(text[open..].find(close).map(|end| open + end + close.len()));
    if text.starts_with("--") {
        return until(Some(text.find('\n').unwrap_or(text.len())));
    }
    if text.starts_with("/*") {
        return closed(2, "*/");
    }
    // Doubled quotes are two literals side by side, which makes no difference here.
    if text.starts_with('\'') || text.starts_with('"') {
        return closed(1, &text[..1]);
    }
    if text.starts_with("E'") || text.starts_with("e'") {
        let mut escaped = false;
        let end = text[2..].find(|c| {
            let ends = c == '\'' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        return until(end.map(|end| end + 3));
    }
    let tag = text.strip_prefix('$')?;
    let end = tag.find('$')?;
    let is_tag = !tag[..end].starts_with(|c: char| c.is_ascii_digit())
        && tag[..end].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_tag { closed(end + 2, &text[..end + 2]) } else { None }
}

/// `sql` with a space for each comment.
fn without_comments(sql: &str) -> String {
    let (mut out, mut at) = (String::new(), 0);
    while at < sql.len() {
        let rest = &sql[at..];
        let length = match quoted(rest) {
            Some(quoted) => quoted.length,
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
        let is_comment = rest.starts_with("--") || rest.starts_with("/*");
        out.push_str(if is_comment { " " } else { &rest[..length] });
        at += length;
    }
    out
}

/// The first word of a statement, in capitals.
pub fn first_word(sql: &str) -> String {
    let sql = without_comments(sql);
    let sql = sql.trim_start().trim_start_matches('(');
    let end = sql.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(sql.len());
    sql[..end].to_ascii_uppercase()
}

/// How many bytes the name has behind the `:` at the beginning of `text`; none where it is no variable: `::int`, `:=`.
pub(super) fn name_length(text: &str) -> Option<usize> {
    let name = text.strip_prefix(':')?;
    let length = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len());
    (length > 0 && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(length)
}

/// The names of all `:name` in `text`, outside of quotes.
pub(super) fn names(text: &str) -> Vec<&str> {
    let (mut names, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let rest = &text[at..];
        at += if let Some(quoted) = quoted(rest) {
            quoted.length
        } else if rest.starts_with("::") {
            2
        } else if let Some(length) = name_length(rest) {
            names.push(&rest[1..=length]);
            length + 1
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_outside_of_quotes() {
        let text = "\\set aid random(1, 10)\n-- a comment; with one\nBEGIN;\nSELECT ';', \";\", $$;$$, $x$;$x$, E'\\';'\n  FROM t; /* ; */\nSELECT 1 AS one \\gset p_\nEND";
        let pieces = split(text).unwrap();
        let expected = [
            (1, Piece::Command("set aid random(1, 10)")),
            (2, Piece::Sql("-- a comment; with one\nBEGIN")),
            (4, Piece::Sql("SELECT ';', \";\", $$;$$, $x$;$x$, E'\\';'\n  FROM t")),
            (5, Piece::Sql("/* ; */\nSELECT 1 AS one")),
            (6, Piece::Command("gset p_")),
            (7, Piece::Sql("END")),
        ];
        assert_eq!(pieces, expected);
        assert_eq!(split("-- nothing\n;;\n").unwrap(), []);
    }

    #[test]
    fn what_is_not_closed_is_told_with_its_line() {
        assert_eq!(split("SELECT 1;\nSELECT 'x").unwrap_err().0, 2);
        assert_eq!(split("/* x").unwrap_err().0, 1);
    }

    #[test]
    fn names_are_found_outside_of_quotes_and_casts() {
        assert_eq!(names("a = :aid AND b = ':no' AND c::int = :b_1 AND d[1:2] -- :no\n"), ["aid", "b_1"]);
    }

    #[test]
    fn the_first_word_is_behind_comments_and_brackets() {
        assert_eq!(first_word("/* x */ -- y\n (select 1)"), "SELECT");
        assert_eq!(first_word("end"), "END");
    }
}
