//! What does another description of an API say as a suite? The subcommand `import`: reads a file, writes one.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args as _, Command, FromArgMatches as _};
use load_core::About;
use load_import::Kind;
use load_report::exit::Exit;

/// What to read, and where to write.
#[derive(clap::Args)]
struct Args {
    /// What the file is.
    #[arg(value_name = "KIND", value_enum)]
    kind: Format,
    /// The file; - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the suite goes [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a file that is there.
    #[arg(long, requires = "out")]
    force: bool,
    /// Of a recording: images, scripts, style sheets and fonts too.
    #[arg(long)]
    with_assets: bool,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Format {
    /// OpenAPI 3.0 or 3.1, JSON or YAML.
    #[value(name = "openapi")]
    OpenApi,
    /// A recording of a browser or proxy.
    Har,
    /// A collection of version 2.0 or 2.1.
    Postman,
    /// Command lines, as a browser copies them for bash.
    Curl,
}

/// Why nothing was written, in one line.
struct Refused(Exit, String);

/// The subcommand `import`.
pub fn main(about: About, argv: &[String]) -> Exit {
    let command = Args::augment_args(Command::new(about.name)).version(about.version);
    let after = format!("Examples:\n{}\n\n{}", about.examples, Exit::help());
    let command = command.about(about.about).long_about(None).after_help(after);
    let args = command.try_get_matches_from(argv).and_then(|matches| Args::from_arg_matches(&matches));
    let args = match args {
        Ok(args) => args,
        Err(error) => {
            // Nobody is left to be told when this cannot be written.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Pass };
        }
    };
    match run(&args) {
        Ok(()) => Exit::Pass,
        Err(Refused(exit, message)) => {
            let _ = writeln!(io::stderr(), "{}: {message}", about.name);
            exit
        }
    }
}

fn run(args: &Args) -> Result<(), Refused> {
    let kind = match args.kind {
        Format::Har => Kind::Har { with_assets: args.with_assets },
        _ if args.with_assets => {
            return Err(Refused(
                Exit::Usage,
                "--with-assets: expected with har, the others have none".to_owned(),
            ));
        }
        Format::OpenApi => Kind::OpenApi,
        Format::Postman => Kind::Postman,
        Format::Curl => Kind::Curl,
    };
    let unreadable =
        |message: String| Refused(Exit::Unreadable, format!("{}: {message}", args.file.display()));
    let text = read(&args.file).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|_| unreadable("expected a text in UTF-8".to_owned()))?;
    let name = args.file.file_name().map_or_else(|| "standard input".into(), |name| name.to_string_lossy());
    let name = if name == "-" { "standard input".into() } else { name };
    let suite = load_import::import(kind, &name, &text).map_err(|error| unreadable(error.to_string()))?;
    write(args, &suite)
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return fs::read(file);
    }
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text)?;
    Ok(text)
}

fn write(args: &Args, suite: &str) -> Result<(), Refused> {
    let refused = |message: String| Refused(Exit::NotWritten, message);
    let Some(out) = &args.out else {
        let written = io::stdout().write_all(suite.as_bytes()).and_then(|()| io::stdout().flush());
        return written.map_err(|error| refused(format!("standard output: {error}")));
    };
    let shown = out.display();
    let opened = if args.force { File::create(out) } else { File::create_new(out) };
    let written = opened.and_then(|mut file| file.write_all(suite.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            refused(format!("--out {shown}: the file is there; --force replaces it"))
        }
        _ => refused(format!("--out {shown}: {error}")),
    })?;
    // Nobody is left to be told when this cannot be written.
    let _ = writeln!(io::stderr(), "wrote {shown}; see whether it is right: api-load check --suite {shown}");
    Ok(())
}
