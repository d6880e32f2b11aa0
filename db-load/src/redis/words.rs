//! Where do the words of a command begin and end? As `redis-cli` has it: spaces, "quotes" with `\n` and `\x00`, 'quotes'.

/// The words of `line`. `{{...}}` is not looked into.
///
/// # Errors
/// A quote that is not closed, or has something behind it.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut rest) = (Vec::new(), line.trim_start());
    while !rest.is_empty() {
        let (word, behind) = match rest.chars().next() {
            Some('"') => double(&rest[1..])?,
            Some('\'') => single(&rest[1..])?,
            _ => plain(rest)?,
        };
        if behind.starts_with(|c: char| !c.is_whitespace()) {
            return Err(format!("{:?} behind a quote; expected a space", first(behind)));
        }
        words.push(word);
        rest = behind.trim_start();
    }
    Ok(words)
}

fn first(text: &str) -> char {
    text.chars().next().unwrap_or(' ')
}

/// What is open and has no end.
fn open(what: &str) -> String {
    format!("{what} is not closed")
}

fn plain(text: &str) -> Result<(String, &str), String> {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("{{") {
            at += rest.find("}}").ok_or_else(|| open("{{"))? + 2;
        } else if first(rest).is_whitespace() {
            break;
        } else {
            at += first(rest).len_utf8();
        }
    }
    Ok((text[..at].to_owned(), &text[at..]))
}

fn single(text: &str) -> Result<(String, &str), String> {
    let (mut word, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\'' => return Ok((word, chars.as_str())),
            '\\' if chars.as_str().starts_with('\'') => {
                chars.next();
                word.push('\'');
            }
            c => word.push(c),
        }
    }
    Err(open("a quote"))
}

fn double(text: &str) -> Result<(String, &str), String> {
    let (mut word, mut chars) = (String::new(), text.chars());
    loop {
        let rest = chars.as_str();
        if rest.starts_with("{{") {
            let end = rest.find("}}").ok_or_else(|| open("{{"))? + 2;
            word += &rest[..end];
            chars = rest[end..].chars();
            continue;
        }
        match chars.next() {
            None => return Err(open("a quote")),
            Some('"') => return Ok((word, chars.as_str())),
            Some('\\') => word.push(match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('x') => {
                    let digits = chars.as_str().get(..2).unwrap_or_default();
                    let byte = u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii);
                    let byte = byte.ok_or("\\x needs two digits, from 00 to 7f")?;
                    chars = chars.as_str()[2..].chars();
                    char::from(byte)
                }
                Some(c) => c,
                None => return Err(open("a quote")),
            }),
            Some(c) => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_spaces_outside_of_quotes_and_braces() {
        let line = r#"  SET k:{{int(1, 10)}}  "a \"b\"\n\x00 {{pick("x y", "z")}}" 'it\'s' "" "#;
        let expected = ["SET", "k:{{int(1, 10)}}", "a \"b\"\n\0 {{pick(\"x y\", \"z\")}}", "it's", ""];
        assert_eq!(split(line).unwrap(), expected);
        assert_eq!(split("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_does_not_end_is_told() {
        for wrong in ["'a", "\"a", "{{a", "\"{{a\"", "'a'b", "\"\\xff\"", "\"\\"] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
