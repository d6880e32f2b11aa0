//! What does a script of SQL do? Its commands, compiled before the run: the language of pgbench, with `{{...}}`.
//!
//! | question | module |
//! |---|---|
//! | Where do statements and commands begin and end? | [`source`] |
//! | Which bytes does a statement become? | [`statement`] |
//! | What does `\set` compute? | [`expr`] |

pub mod expr;
pub mod source;
pub mod statement;

use load_suite::template::Names;

use expr::{Expr, slot};
use source::{Piece, split};
use statement::{Statement, Style};

/// A script, which runs from its first command to its last over one connection.
#[derive(Clone, Debug)]
pub struct Script {
    /// Under which name its runs count.
    pub name: String,
    /// In order.
    pub commands: Vec<Command>,
    /// Variables change behind the first statement, so that another try has to begin with the old ones.
    pub restores: bool,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Computes a variable.
    Set(usize, Expr),
    /// Sends statements in one piece and waits for all the answers.
    Send(Batch),
}

/// Statements that are sent in one piece.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// At least one.
    pub statements: Vec<Statement>,
    /// What the answer must be.
    pub check: Option<Check>,
    /// Variables that take the first row's columns of these names.
    pub keep: Option<Vec<(String, usize)>>,
}

/// What the answer to the last statement of a batch must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// So many rows, given or changed.
    Rows(u64),
    /// One row with the token of the row whose number this variable holds.
    Token(usize),
}

/// How scripts are compiled.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// How statements are sent.
    pub style: Style,
    /// All statements up to the next variable are sent in one piece.
    pub pipelined: bool,
}

impl Manner {
    /// The same for scripts that run once and make what later statements of theirs need: each is parsed when its turn comes.
    #[must_use]
    pub fn for_once(self) -> Self {
        let style = if self.style == Style::Prepared { Style::Extended } else { self.style };
        Self { style, pipelined: false }
    }
}

impl Script {
    /// Compiles `text`, which errors call `place`. `names` has the constants; variables are added to it. Statements are
    /// numbered from `*number` on.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn compile(
        (name, place): (&str, &str),
        text: &str,
        names: &mut Names,
        manner: Manner,
        number: &mut usize,
    ) -> Result<Self, String> {
        let mut compiler = Compiler {
            names,
            manner,
            number,
            commands: Vec::new(),
            prefixes: Vec::new(),
            open: manner.pipelined,
        };
        for (line, piece) in split(text).map_err(|(line, why)| format!("{place}:{line}: {why}"))? {
            compiler.piece(piece).map_err(|why| format!("{place}:{line}: {why}"))?;
        }
        let mut commands = compiler.finish();
        commands.retain(|command| !matches!(command, Command::Send(batch) if batch.statements.is_empty()));
        let first = commands.iter().position(|command| matches!(command, Command::Send(_)));
        let Some(first) = first else { return Err(format!("{place}: no statement; expected at least one")) };
        let changes = |command: &Command| match command {
            Command::Set(..) => true,
            Command::Send(batch) => batch.keep.is_some(),
        };
        Ok(Self { name: name.to_owned(), restores: commands[first..].iter().any(changes), commands })
    }

    /// All statements.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.commands.iter().flat_map(|command| match command {
            Command::Send(batch) => &batch.statements[..],
            Command::Set(..) => &[],
        })
    }
}

struct Compiler<'a> {
    names: &'a mut Names,
    manner: Manner,
    number: &'a mut usize,
    commands: Vec<Command>,
    /// What the `\gset`s so far put before names, with the index of their commands.
    prefixes: Vec<(String, usize)>,
    /// The next statement joins those before it.
    open: bool,
}

impl Compiler<'_> {
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), String> {
        let (word, rest) = match piece {
            Piece::Sql(sql) => return self.statement(sql),
            Piece::Command(line) => line.split_once(char::is_whitespace).unwrap_or((line, "")),
        };
        let rest = rest.trim();
        match word {
            "set" => {
                let (name, source) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                if !is_name(name) {
                    return Err(format!("\\set {name:?}; expected a name like aid and an expression"));
                }
                let expr = if source.trim_start().starts_with("{{") {
                    return Err("\\set computes whole numbers; put {{...}} into the statement itself".into());
                } else {
                    self.meet_all(source);
                    Expr::parse(source, self.names)?
                };
                self.commands.push(Command::Set(self.names.slot(name), expr));
            }
            "gset" => {
                let at = self.commands.len();
                let batch = self.last("\\gset")?;
                batch.keep = Some(Vec::new());
                if let Some(statement) = batch.statements.last_mut() {
                    statement.describe();
                }
                self.prefixes.push((rest.to_owned(), at - 1));
            }
            "rows" => {
                let rows = rest.parse().map_err(|_| format!("\\rows {rest:?}; expected a number of rows"))?;
                self.last("\\rows")?.check = Some(Check::Rows(rows));
            }
            "token" => {
                let slot = slot(self.names, rest).ok_or_else(|| format!("\\token: unknown :{rest}"))?;
                let batch = self.last("\\token")?;
                batch.check = Some(Check::Token(slot));
            }
            "startpipeline" if self.manner.style != Style::Simple => {
                self.open = true;
                self.commands.push(Command::Send(Batch::default()));
            }
            "endpipeline" => self.open = self.manner.pipelined,
            "startpipeline" => return Err(
                "\\startpipeline: the simple protocol has no pipelines; --protocol extended or prepared has"
                    .into(),
            ),
            "sleep" => {
                return Err("\\sleep would hold a connection; --think pauses between transactions".into());
            }
            _ => {
                return Err(format!(
                    "\\{word} is not known; expected \\set, \\gset, \\rows, \\startpipeline or \\endpipeline"
                ));
            }
        }
        Ok(())
    }

    /// The batch that was just begun or continued.
    fn last(&mut self, command: &str) -> Result<&mut Batch, String> {
        match self.commands.last_mut() {
            Some(Command::Send(batch)) if !batch.statements.is_empty() => Ok(batch),
            _ => Err(format!("{command} belongs behind a statement")),
        }
    }

    fn statement(&mut self, sql: &str) -> Result<(), String> {
        self.meet_all(sql);
        let statement = Statement::compile(sql, self.names, self.manner.style, *self.number)?;
        *self.number += 1;
        match self.commands.last_mut() {
            Some(Command::Send(batch)) if self.open && batch.check.is_none() && batch.keep.is_none() => {
                batch.statements.push(statement);
            }
            _ => self.commands.push(Command::Send(Batch { statements: vec![statement], ..Batch::default() })),
        }
        Ok(())
    }

    /// Names that nobody has set yet, a row may.
    fn meet_all(&mut self, text: &str) {
        if self.prefixes.is_empty() {
            return;
        }
        for name in source::names(text) {
            let is_known = slot(self.names, name).is_some() || self.names.constant(name).is_some();
            if !is_known && self.prefixes.iter().any(|(prefix, _)| name.starts_with(prefix.as_str())) {
                self.names.slot(name);
            }
        }
    }

    fn finish(self) -> Vec<Command> {
        let Self { mut commands, prefixes, names, .. } = self;
        let known: Vec<_> = names.variables().map(|(name, slot)| (name.to_owned(), slot)).collect();
        for (prefix, at) in prefixes {
            if let Some(Command::Send(Batch { keep: Some(keep), .. })) = commands.get_mut(at) {
                let column =
                    |(name, slot): &(String, usize)| Some((name.strip_prefix(&prefix)?.to_owned(), *slot));
                keep.extend(known.iter().filter_map(column));
            }
        }
        commands
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests;
