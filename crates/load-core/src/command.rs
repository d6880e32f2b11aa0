//! What can be typed, and what does `--help` say? A tool's command line: its protocol's flags, those of all tools, its words.

use clap::{Arg, ArgMatches, Args as _, Command};
use load_report::exit::Exit;

use crate::cli::About;
use crate::plan::args::LoadArgs;
use crate::protocol::Protocol;

/// The flags of `P`, on top of those that all tools have.
pub(crate) fn command<P: Protocol>(about: About) -> Command {
    // The flags' own structs would say what they are about.
    let command = LoadArgs::augment_args(P::Args::augment_args(Command::new(about.name)));
    described(command, about).mut_args(fitted::<P>)
}

/// The same, with the words that stand instead of flags: each by its name and what it does.
pub(crate) fn with_words(
    command: Command,
    words: impl Iterator<Item = (&'static str, &'static str)>,
) -> Command {
    command
        .subcommands(words.map(|(name, about)| Command::new(name).about(about)))
        .disable_help_subcommand(true)
        // A word comes first; behind a flag it is a mistake.
        .args_conflicts_with_subcommands(true)
}

/// What a tool says about itself.
pub(crate) fn described(command: Command, about: About) -> Command {
    let after = format!("Examples:\n{}\n\n{}", about.examples, Exit::help());
    command.version(about.version).about(about.about).long_about(None).after_help(after)
}

/// Reads the command line, or tells what is wrong with it, or helps.
pub(crate) fn read(command: Command, argv: &[String]) -> Result<ArgMatches, Exit> {
    command.try_get_matches_from(argv).map_err(|error| {
        // Nobody is left to be told when this cannot be written.
        let _ = error.print();
        if error.use_stderr() { Exit::Usage } else { Exit::Pass }
    })
}

/// A flag, as `P` needs it.
fn fitted<P: Protocol>(arg: Arg) -> Arg {
    match arg.get_help_heading() {
        Some("Suite") if !P::SUITES => arg.hide(true),
        // `-d -3s` is a wrong time rather than an unknown flag.
        Some("Load") if arg.get_action().takes_values() => arg.allow_hyphen_values(true),
        _ => arg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::null::Null;

    const ABOUT: About = About { name: "x-load", version: "1", about: "loads x", examples: "x-load -u 1" };

    fn words() -> Command {
        let words = [("check", "Check it"), ("once", "Try it")];
        with_words(command::<Null>(ABOUT), words.into_iter())
    }

    fn said(command: Command, line: &str) -> String {
        let argv = std::iter::once("x-load").chain(line.split(' '));
        command.try_get_matches_from(argv).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn the_words_are_in_the_help_and_come_first() {
        let help = words().render_help().to_string();
        assert!(help.contains("check  Check it") && help.contains("once   Try it"), "{help}");
        let behind = said(words(), "-u 3 check");
        assert!(behind.contains("'check' cannot be used with"), "{behind}");
        assert!(said(words(), "chek").contains("a similar subcommand exists: 'check'"));
        assert_eq!(said(words(), "-u 3"), "");
    }

    #[test]
    fn flags_of_suites_are_shown_by_those_that_take_suites() {
        let help = command::<Null>(ABOUT).render_help().to_string();
        assert!(!help.contains("--suite") && !help.contains("--scale-users"), "{help}");
        assert!(help.contains("--vus"), "{help}");
        // They are refused by name all the same.
        assert_eq!(said(command::<Null>(ABOUT), "--suite a"), "");
    }

    #[test]
    fn a_value_below_zero_is_told_as_what_it_is() {
        for (line, expected) in [
            ("-d -3s", "\"-3s\" is not a duration like 30s"),
            ("-r -5", "\"-5\" is not a rate like 500"),
            ("-u -1", "\"-1\" is not a whole number"),
            ("--scale-users x", "expected a factor above 0, like 0.1"),
            ("--scale-time -1", "expected a factor above 0, like 0.1"),
            ("--start-at yesterday", "expected an instant like 2026-11-21T08:00:00Z"),
        ] {
            let said = said(command::<Null>(ABOUT), line);
            assert!(said.contains(expected), "{line}: {said}");
        }
    }
}
