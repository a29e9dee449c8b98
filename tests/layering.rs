//! The house keeps its order: a module uses only modules above it in the list in `src/lib.rs`, `unsafe` stands only in
//! files that `src/lib.rs` names, every file says in its head what it is, and no file grows past one idea.
//!
//! Modules that stand together in the list, without a blank line between them, may use each other in one direction.
//! Test code may use everything, and so may the last module, `testkit`.

mod layering {
    pub(crate) mod house;
    pub(crate) mod source;
}

use layering::house::House;

/// Lines of code, tests not counted, at which a file has more than one idea in it.
const MAX_FILE_LINES: usize = 600;

fn house() -> House {
    House::read(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

#[track_caller]
fn assert_none(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}\n\n  {}\n", faults.join("\n  "));
}

#[test]
fn a_module_uses_only_modules_above_it() {
    assert_none(
        &house().uses_of_modules_below(),
        "A module may use those above it in the list in src/lib.rs, never one below. Move what both need up, or turn \
         the call round: the module below calls the one above.",
    );
}

#[test]
fn every_file_of_src_belongs_to_a_module_of_the_list() {
    assert_none(&house().files_outside_the_list(), "Declare each module in src/lib.rs, at its place in the order.");
}

#[test]
fn unsafe_stands_only_in_files_that_the_head_of_lib_names() {
    assert_none(
        &house().unlisted_unsafe(),
        "Files that need `unsafe` are named in the head of src/lib.rs as `src/….rs`, each with its measured reason.",
    );
}

#[test]
fn every_file_begins_with_what_it_is() {
    assert_none(&house().files_without_head(), "A file begins with `//!` lines: what it is, in, out, bounds.");
}

#[test]
fn no_file_holds_more_than_one_idea() {
    assert_none(
        &house().files_longer_than(MAX_FILE_LINES),
        &format!("A file is one idea: at most {MAX_FILE_LINES} lines, tests not counted. Split it by what it says."),
    );
}

#[test]
fn the_architecture_page_names_every_module() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/architecture.md");
    let text = std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{page}: {error}"));
    let unnamed: Vec<String> =
        house().modules().filter(|module| !names_module(&text, module)).map(|module| format!("`{module}`")).collect();
    assert_none(&unnamed, "docs/architecture.md tells newcomers what each module is for; these are not in it.");
}

fn names_module(text: &str, module: &str) -> bool {
    [format!("`{module}`"), format!("`{module}/`"), format!("`{module}.rs`")].iter().any(|name| text.contains(name))
}

/// A house with these files, besides a lib.rs that lists `redact`, `event`, then `packet` and `flow` together, `cli`.
fn invented(files: &[(&str, &str)]) -> House {
    let library = "//! The house.\n\npub mod redact;\n\npub mod event;\n\npub mod flow;\npub mod packet;\n\npub mod cli;\n\
                   #[cfg(feature = \"testkit\")]\npub mod testkit;\n";
    House::new([("lib.rs", library)].iter().chain(files).map(|(path, text)| ((*path).into(), (*text).into())).collect())
}

#[test]
fn a_use_of_a_module_below_is_found_with_file_line_and_names() {
    let faults = invented(&[("event/alert.rs", "//! An alert.\n\nuse std::fmt;\nuse crate::cli::Options;\n")])
        .uses_of_modules_below();
    assert_eq!(faults, ["src/event/alert.rs:4: `event` uses `cli`, which stands below it"]);
}

#[test]
fn every_spelling_of_a_use_is_found() {
    for spelling in [
        "use crate::cli;",
        "use crate::{redact::Redacted, cli::Options};",
        "use crate::{\n    redact::{Redacted, mask},\n    cli,\n};",
        "fn run() { crate::cli::run() }",
        "pub(in crate::cli) fn run() {}",
        "use super::super::cli::Options;",
        "use super::super::{redact, cli};",
        "fn letter() -> char { '\"' }\nuse crate::cli;",
        "fn quote<'a>(text: &'a str) -> &'a str { text }\nuse crate::cli::run; // \"",
        "const RAW: &str = r#\"a \" quote\"#;\nuse crate::cli;",
        "/* outer /* inner */ still a comment */ use crate::cli;",
        "#[cfg(not(test))]\nuse crate::cli;",
    ] {
        let faults = invented(&[("event/alert.rs", spelling)]).uses_of_modules_below();
        assert_eq!(faults.len(), 1, "{spelling}: {faults:?}");
    }
}

#[test]
fn what_is_no_use_is_not_taken_for_one() {
    for harmless in [
        "use crate::redact::Redacted;",
        "use crate::event::flow::Direction;",
        "//! In: [`crate::cli::Options`].",
        "/* use crate::cli; */",
        "const TEXT: &str = \"use crate::cli;\";",
        "const TEXT: &str = r#\"use crate::cli;\"#;",
        "const TEXT: &[u8] = b\"\\\"use crate::cli;\";",
        "use super::cli;",
        "use other_crate::cli;",
        "use crate::client::Client;",
        "#[cfg(test)]\nmod tests {\n    use crate::cli;\n    fn brace() { let _ = '{'; }\n}",
        "#[cfg(test)]\nuse crate::cli;",
        "#[cfg(test)]\nuse crate::{cli, redact};",
        "#[cfg(test)]\n#[allow(dead_code)]\nfn name() -> [u8; 4] { crate::cli::name() }",
        "#[cfg(any(test, feature = \"testkit\"))]\nfn builder() -> crate::cli::Options { todo() }",
    ] {
        let faults = invented(&[("event/alert.rs", harmless)]).uses_of_modules_below();
        assert!(faults.is_empty(), "{harmless}: {faults:?}");
    }
}

#[test]
fn a_test_module_in_a_file_of_its_own_may_use_everything() {
    let tests = "//! Tests of alerts.\nuse crate::cli;\n";
    for (parent, file) in [
        ("event/mod.rs", "event/tests.rs"),
        ("event/mod.rs", "event/tests/alert.rs"),
        ("event/alert.rs", "event/alert/tests.rs"),
    ] {
        let house = invented(&[(parent, "//! Data.\n#[cfg(test)]\nmod tests;\n"), (file, tests)]);
        assert!(house.uses_of_modules_below().is_empty(), "{file}: {:?}", house.uses_of_modules_below());
    }
    let undeclared = invented(&[("event/mod.rs", "//! Data.\nmod tests;\n"), ("event/tests.rs", tests)]);
    assert_eq!(undeclared.uses_of_modules_below().len(), 1, "a module that is no test must not hide behind its name");
}

#[test]
fn neighbours_may_use_each_other_in_one_direction_only() {
    let one_way = [("packet/mod.rs", "//! Packets."), ("flow/mod.rs", "//! Flows.\nuse crate::packet::Decoded;")];
    assert!(invented(&one_way).uses_of_modules_below().is_empty());
    let circle = [
        ("packet/mod.rs", "//! Packets.\n\nuse crate::flow;"),
        ("flow/mod.rs", "//! Flows.\nuse crate::packet::Decoded;"),
    ];
    assert_eq!(
        invented(&circle).uses_of_modules_below(),
        [
            "src/flow/mod.rs:2: `flow` uses `packet`, which uses `flow`",
            "src/packet/mod.rs:3: `packet` uses `flow`, which uses `packet`"
        ]
    );
}

#[test]
fn unsafe_code_and_leave_for_it_are_found_and_words_about_it_are_not() {
    let house = invented(&[
        ("event/mod.rs", "//! No unsafe here.\n// unsafe\nconst WORD: &str = \"unsafe\";"),
        ("packet/mod.rs", "//! Packets.\nfn read() { unsafe { work() } }"),
        ("flow/mod.rs", "//! Flows.\n#![allow(unsafe_code)]"),
    ]);
    assert_eq!(
        house.unlisted_unsafe(),
        [
            "src/flow/mod.rs:2: unsafe, and not named in the head of src/lib.rs",
            "src/packet/mod.rs:2: unsafe, and not named in the head of src/lib.rs"
        ]
    );
    let listed = House::new(vec![
        (
            "lib.rs".into(),
            "//! `unsafe` only in `src/ring.rs` (2.1 times as fast) and `src/gone.rs`.\n\npub mod ring;".into(),
        ),
        ("ring.rs".into(), "//! Ring.\nfn read() { unsafe { work() } }".into()),
    ]);
    assert_eq!(listed.unlisted_unsafe(), ["src/gone.rs: named in the head of src/lib.rs, and needs no unsafe"]);
}

#[test]
fn files_without_head_outside_the_list_or_too_long_are_found() {
    let long =
        format!("//! Long.\n{}#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(9), "fn t() {}\n".repeat(50));
    let house = invented(&[
        ("event/mod.rs", "use std::fmt;"),
        ("flow/mod.rs", "//! (being written)"),
        ("sink/mod.rs", "//! Sinks."),
        ("cli/mod.rs", &long),
    ]);
    assert_eq!(house.files_without_head(), ["src/event/mod.rs: no head", "src/flow/mod.rs: its head says nothing yet"]);
    assert_eq!(house.files_outside_the_list(), ["src/sink/mod.rs: no module `sink` in src/lib.rs"]);
    assert_eq!(house.files_longer_than(9), ["src/cli/mod.rs: 10 lines"]);
    assert!(house.files_longer_than(10).is_empty());
}
