//! How does a POSIX shell read the lines? Words and commands, with `$'...'`, and without what only a shell can know.

use std::iter::Peekable;
use std::str::Chars;

use crate::ImportError;

/// A command, and the line on which it begins, from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) line: usize,
    pub(super) words: Vec<String>,
    /// It reads what the one before it prints.
    pub(super) is_piped: bool,
}

/// The commands in `text`.
pub(super) fn commands(text: &str) -> Result<Vec<Command>, ImportError> {
    let mut lexer = Lexer { rest: text.chars().peekable(), line: 1, commands: Vec::new(), is_piped: false };
    lexer.run()?;
    Ok(lexer.commands)
}

struct Lexer<'t> {
    rest: Peekable<Chars<'t>>,
    line: usize,
    commands: Vec<Command>,
    is_piped: bool,
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next();
        self.line += usize::from(c == Some('\n'));
        c
    }

    fn wrong(&self, message: &str) -> ImportError {
        ImportError::new(format!("line {}", self.line), message)
    }

    fn run(&mut self) -> Result<(), ImportError> {
        let (mut begin, mut words) = (self.line, Vec::new());
        while let Some(&c) = self.rest.peek() {
            match c {
                '\n' | ';' | '&' | '|' => {
                    self.end(begin, &mut words);
                    self.next();
                    self.is_piped = c == '|' && self.rest.peek() != Some(&'|') || c == '\n' && self.is_piped;
                }
                c if c.is_whitespace() => {
                    self.next();
                }
                '#' => while self.rest.next_if(|&c| c != '\n').is_some() {},
                '>' | '<' => {
                    self.redirection(&mut words)?;
                }
                _ => {
                    if words.is_empty() {
                        begin = self.line;
                    }
                    // A line that goes on, and nothing else, is no word.
                    words.extend(self.word()?);
                }
            }
        }
        self.end(begin, &mut words);
        Ok(())
    }

    fn end(&mut self, line: usize, words: &mut Vec<String>) {
        // A prompt may have been copied along.
        if words.first().is_some_and(|word| word == "$" || word == "%") {
            words.remove(0);
        }
        if !words.is_empty() {
            let is_piped = std::mem::take(&mut self.is_piped);
            self.commands.push(Command { line, words: std::mem::take(words), is_piped });
        }
    }

    /// `> file`, `2> file`, `2>&1`: where the shell puts things is not what is sent.
    fn redirection(&mut self, words: &mut Vec<String>) -> Result<(), ImportError> {
        if words.last().is_some_and(|word| word == "1" || word == "2") {
            words.pop();
        }
        while self.rest.next_if(|c| matches!(c, '>' | '<' | '&' | ' ')).is_some() {}
        self.word().map(|_| ())
    }

    /// The next word; none when there is nothing but the end of a line that goes on.
    fn word(&mut self) -> Result<Option<String>, ImportError> {
        let (mut word, mut is_word) = (Vec::new(), false);
        while let Some(&c) = self.rest.peek() {
            if c.is_whitespace() || matches!(c, ';' | '&' | '|' | '<' | '>') {
                break;
            }
            self.next();
            match c {
                '\\' => {
                    match self.next() {
                        // A line that goes on; some copies of it end as on Windows.
                        Some('\n') => continue,
                        Some('\r') if self.rest.peek() == Some(&'\n') => {
                            self.next();
                            continue;
                        }
                        Some(c) => push(&mut word, c),
                        None => {}
                    }
                }
                '\'' => self.until('\'', &mut word, |_, c, word| {
                    push(word, c);
                    Ok(())
                })?,
                '"' => self.until('"', &mut word, Self::in_double)?,
                '$' if self.rest.next_if_eq(&'\'').is_some() => self.until('\'', &mut word, Self::in_ansi)?,
                '$' | '`' => self.shell_only(c, &mut word)?,
                c => push(&mut word, c),
            }
            is_word = true;
        }
        Ok(is_word.then(|| String::from_utf8_lossy(&word).into_owned()))
    }

    /// Everything up to the closing `quote`, each character taken by `take`.
    fn until(
        &mut self,
        quote: char,
        word: &mut Vec<u8>,
        take: fn(&mut Self, char, &mut Vec<u8>) -> Result<(), ImportError>,
    ) -> Result<(), ImportError> {
        let begin = self.line;
        while let Some(c) = self.next() {
            if c == quote {
                return Ok(());
            }
            take(self, c, word)?;
        }
        Err(ImportError::new(
            format!("line {begin}"),
            format!("expected another {quote} to close the one here"),
        ))
    }

    fn in_double(&mut self, c: char, word: &mut Vec<u8>) -> Result<(), ImportError> {
        match c {
            '\\' => match self.next() {
                Some('\n') | None => {}
                Some(c @ ('"' | '\\' | '$' | '`')) => push(word, c),
                Some(c) => {
                    word.push(b'\\');
                    push(word, c);
                }
            },
            '$' | '`' => self.shell_only(c, word)?,
            c => push(word, c),
        }
        Ok(())
    }

    /// A `$` that is nothing but itself, or what only a shell can know.
    fn shell_only(&mut self, c: char, word: &mut Vec<u8>) -> Result<(), ImportError> {
        match self.rest.peek() {
            Some(next) if c == '`' || next.is_alphanumeric() || matches!(next, '_' | '{' | '(') => {
                Err(self.wrong("expected values, and this is a variable or a command of the shell; write what it stands for, or put it into '...'"))
            }
            _ => {
                push(word, c);
                Ok(())
            }
        }
    }

    /// The escapes of `$'...'`.
    fn in_ansi(&mut self, c: char, word: &mut Vec<u8>) -> Result<(), ImportError> {
        if c != '\\' {
            push(word, c);
            return Ok(());
        }
        match self.next() {
            Some('n') => word.push(b'\n'),
            Some('t') => word.push(b'\t'),
            Some('r') => word.push(b'\r'),
            Some('a') => word.push(7),
            Some('b') => word.push(8),
            Some('e' | 'E') => word.push(27),
            Some('f') => word.push(12),
            Some('v') => word.push(11),
            Some('x') => word.push(self.digits(16, 2, 0) as u8),
            Some('u') => self.code_point(4, word),
            Some('U') => self.code_point(8, word),
            Some(c @ '0'..='7') => word.push(self.digits(8, 2, c.to_digit(8).unwrap_or(0)) as u8),
            Some(c) => {
                if !matches!(c, '\\' | '\'' | '"' | '?') {
                    word.push(b'\\');
                }
                push(word, c);
            }
            None => return Err(self.wrong("expected another ' to close the one here")),
        }
        Ok(())
    }

    /// A character by up to `most` digits of its number.
    fn code_point(&mut self, most: usize, word: &mut Vec<u8>) {
        let number = self.digits(16, most, 0);
        push(word, char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER));
    }

    /// Up to `most` more digits behind the number `so_far`.
    fn digits(&mut self, radix: u32, most: usize, so_far: u32) -> u32 {
        let mut number = so_far;
        for _ in 0..most {
            let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(radix)) else { break };
            number = number.wrapping_mul(radix).wrapping_add(digit);
            self.next();
        }
        number
    }
}

fn push(word: &mut Vec<u8>, c: char) {
    word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        commands(text).unwrap().into_iter().map(|command| command.words).collect()
    }

    #[test]
    fn words_are_those_of_a_shell() {
        assert_eq!(words("curl 'a b'\"c\\\"d\"e\\ f ''"), [["curl", "a bc\"de f", ""]]);
        assert_eq!(words("curl $'a\\'b\\u00e9\\x41\\n\\101\\q'"), [["curl", "a'b\u{e9}A\nA\\q"]]);
        assert_eq!(words("curl $'\\xc3\\xa9' cost$ \"5$\""), [["curl", "é", "cost$", "5$"]]);
        assert_eq!(
            words("$ curl a \\\n  -H b # why\ncurl c; curl d"),
            [vec!["curl", "a", "-H", "b"], vec!["curl", "c"], vec!["curl", "d"]]
        );
        assert_eq!(words("curl a > out.json 2>&1\n"), [["curl", "a"]]);
    }

    #[test]
    fn a_pipe_is_known() {
        let piped: Vec<_> =
            commands("curl a | jq . && curl b").unwrap().iter().map(|command| command.is_piped).collect();
        assert_eq!(piped, [false, true, false]);
    }

    #[test]
    fn what_only_a_shell_knows_is_refused_with_its_line() {
        let error = |text| commands(text).unwrap_err().to_string();
        assert!(error("curl a\ncurl \"$TOKEN\"").starts_with("line 2: expected values"));
        assert!(error("curl `date`").starts_with("line 1: expected values"));
        assert_eq!(error("\ncurl 'a\n\n"), "line 2: expected another ' to close the one here");
    }
}
