//! The subcommand `import`, run as users run it.
#![expect(clippy::unwrap_used, reason = "what a test needs is there, or it fails")]

mod run;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Inputs of every kind.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/load-import/tests/data/");

fn api_load(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_api-load")).args(args).output().unwrap()
}

fn data(name: &str) -> String {
    format!("{DATA}{name}")
}

/// It left with `code` and said one line that contains `expected`.
#[track_caller]
fn refused(args: &[&str], code: i32, expected: &str) {
    let output = api_load(args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(code) && said.contains(expected), "{:?} {said}", output.status);
    assert_eq!((said.lines().count(), output.stdout.len()), (1, 0), "{said}");
}

/// A file that does not exist yet.
fn fresh(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

#[test]
fn a_suite_goes_to_standard_output_or_to_a_file() {
    let shown = api_load(&["import", "curl", &data("shop.curl")]);
    assert_eq!(shown.status.code(), Some(0));
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.starts_with("# Imported from shop.curl: 7 calls of curl.\n"), "{shown}");

    let folder = tempfile::tempdir().unwrap();
    let out = fresh(folder.path(), "shop.toml");
    let written = api_load(&["import", "curl", &data("shop.curl"), "--out", out.to_str().unwrap()]);
    assert_eq!((written.status.code(), fs::read_to_string(&out).unwrap()), (Some(0), shown));
    assert!(written.stdout.is_empty());
}

#[test]
fn nothing_is_overwritten_unless_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let out = fresh(folder.path(), "mine.toml");
    fs::write(&out, "mine").unwrap();
    let (input, path) = (data("shop.har"), out.to_str().unwrap());
    refused(&["import", "har", &input, "--out", path], 115, "the file is there; --force replaces it");
    assert_eq!(fs::read_to_string(&out).unwrap(), "mine");
    let forced = api_load(&["import", "har", &input, "--out", path, "--force"]);
    assert!(
        forced.status.success() && fs::read_to_string(&out).unwrap().starts_with("# Imported from shop.har")
    );
}

#[test]
fn mistakes_have_a_place_and_a_code() {
    refused(&["import", "openapi", "/nowhere.yaml"], 116, "/nowhere.yaml: No such file");
    refused(&["import", "postman", &data("shop.har")], 116, "shop.har: info.schema: expected a collection");
    refused(
        &["import", "curl", &data("shop.curl"), "--with-assets"],
        104,
        "--with-assets: expected with har",
    );
    refused(
        &["import", "curl", &data("shop.curl"), "--out", "/nowhere/x.toml"],
        115,
        "--out /nowhere/x.toml: No such",
    );
    assert_eq!(api_load(&["import", "swagger", "x"]).status.code(), Some(104));
    assert_eq!(api_load(&["import"]).status.code(), Some(104));
    assert_eq!(api_load(&["import", "--help"]).status.code(), Some(0));
}

#[test]
fn without_the_word_it_is_the_tool_that_it_was() {
    let help = String::from_utf8(api_load(&["--help"]).stdout).unwrap();
    assert!(help.contains("--url") && help.contains("api-load import"), "{help}");
    let refused = api_load(&["imports"]);
    assert_eq!(refused.status.code(), Some(104), "{}", String::from_utf8_lossy(&refused.stderr));
}
