//! Captures whose every event is known. A case is a folder of `tests/cases`: README.md (purpose), case.yaml (what is
//! run, what must and must not appear), expected.jsonl (all events). `make bless` writes expected.jsonl anew and shows
//! what changed; read that diff as you would read code.

mod common;

use std::path::Path;

use common::{Replay, project};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Arguments of `replay` before the captures.
    #[serde(default)]
    arguments: Vec<String>,
    captures: Vec<String>,
    /// Text that some event holds.
    #[serde(default)]
    must: Vec<String>,
    /// Text that no event holds.
    #[serde(default)]
    must_not: Vec<String>,
}

#[test]
fn every_case_gives_the_events_it_expects() {
    let mut cases: Vec<_> = std::fs::read_dir(project().join("tests/cases"))
        .expect("tests/cases is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no case in tests/cases");
    let failures: Vec<String> = cases.iter().filter_map(|folder| check(folder).err()).collect();
    assert!(failures.is_empty(), "{} of {} cases failed:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

fn check(folder: &Path) -> Result<(), String> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text =
        std::fs::read_to_string(folder.join("case.yaml")).map_err(|error| format!("{name}/case.yaml: {error}"))?;
    let case: Case = serde_saphyr::from_str(&text).map_err(|error| format!("{name}/case.yaml: {error}"))?;
    if !folder.join("README.md").exists() {
        return Err(format!("{name}: a case says in README.md what it is for"));
    }
    let options: Vec<&str> = case.arguments.iter().map(String::as_str).collect();
    let got = Replay::of(&case.captures, &options).text();
    for text in &case.must {
        if !got.contains(text) {
            return Err(format!("{name}: no event holds {text}"));
        }
    }
    for text in &case.must_not {
        if let Some(line) = got.lines().find(|line| line.contains(text)) {
            return Err(format!("{name}: must not appear: {text}\n  in {line}"));
        }
    }
    let path = folder.join("expected.jsonl");
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(&path, &got).map_err(|error| format!("{}: {error}", path.display()));
    }
    let expected =
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}; run make bless", path.display()))?;
    same(&name, &expected, &got)
}

/// Compares whole events; names the first that differs.
fn same(name: &str, expected: &str, got: &str) -> Result<(), String> {
    let (expected, got): (Vec<_>, Vec<_>) = (expected.lines().collect(), got.lines().collect());
    for (number, (expected, got)) in expected.iter().zip(&got).enumerate() {
        if expected != got {
            return Err(format!("{name}: event {} differs\n  expected {expected}\n  got      {got}", number + 1));
        }
    }
    if expected.len() != got.len() {
        return Err(format!("{name}: {} events expected, got {}", expected.len(), got.len()));
    }
    Ok(())
}
