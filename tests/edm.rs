//! Exact data match through the program: a list is made of a CSV of patients, and what stands in it is told.

mod common;

use std::{fs, path::Path, process::Output};

use serde_json::Value;

const PATIENTS: &str = "MRN,Last Name,DOB,SSN\n\
    7741903,Quombelson,1962-08-13,536-22-8741\n\
    7741904,Vrixtley,1948-02-29,217-64-3308\n";

/// Writes the CSV and a key, and makes the list.
fn build(folder: &Path) -> Output {
    fs::write(folder.join("patients.csv"), PATIENTS).expect("written");
    fs::write(folder.join("edm.key"), "c3a8f1d09b7e4652c3a8f1d09b7e4652\n").expect("written");
    common::shadowtap()
        .current_dir(folder)
        .args(["edm", "build", "--key", "edm.key", "--out", "patients.edm", "patients.csv"])
        .output()
        .expect("runs")
}

fn scan(folder: &Path, text: &str) -> (Option<i32>, String, String) {
    fs::write(folder.join("note.txt"), text).expect("written");
    let config = "detect: { engine: native, edm: { file: patients.edm, key: edm.key } }\n";
    fs::write(folder.join("shadowtap.yaml"), config).expect("written");
    let output = common::shadowtap()
        .args(["scan", "--config"])
        .arg(folder.join("shadowtap.yaml"))
        .arg(folder.join("note.txt"))
        .output()
        .expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn patients_of_the_list_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let built = build(folder.path());
    assert_eq!(built.status.code(), Some(0));
    let said = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(said.contains("6 entries of 2 rows") && said.contains("record numbers: 2 (column 1)"), "{said}");

    let (code, line, _) = scan(folder.path(), "Summarise the visit. MRN 7741903, then MRN 7741999.");
    assert_eq!(code, Some(0));
    let result: Value = serde_json::from_str(&line).expect("a result line");
    let found = result["findings"].as_array().expect("findings");
    let matches: Vec<_> = found.iter().filter(|finding| finding["type"] == "edm_match").collect();
    assert_eq!(matches.len(), 1, "{line}");
    assert_eq!((&matches[0]["start"], &matches[0]["confidence"]), (&25.into(), &"high".into()));
    assert_eq!((&result["classification"], &result["severity"]), (&"phi".into(), &1.into()));
    assert!(!line.contains("7741903"), "a raw value in {line}");
}

#[test]
fn the_list_holds_no_value() {
    let folder = tempfile::tempdir().expect("a folder");
    build(folder.path());
    let list = fs::read(folder.path().join("patients.edm")).expect("a list");
    assert_eq!(list.len(), 56 + 6 * 8);
    let lower = list.to_ascii_lowercase();
    for value in ["7741903", "7741904", "quombelson", "vrixtley", "1962", "536", "8741", "64-33"] {
        assert!(!lower.windows(value.len()).any(|window| window == value.as_bytes()), "{value}");
    }
    assert!(!folder.path().join("patients.edm.part").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.path().join("patients.edm")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_list_that_cannot_be_used_is_told_with_its_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    build(folder.path());
    fs::write(folder.path().join("edm.key"), "another key of thirty-two bytes!").expect("written");
    let (code, _, said) = scan(folder.path(), "MRN 7741903");
    assert_eq!(code, Some(1));
    assert!(said.contains("patients.edm: was made with another key"), "{said}");
    fs::remove_file(folder.path().join("patients.edm")).expect("removed");
    let (code, _, said) = scan(folder.path(), "MRN 7741903");
    assert_eq!(code, Some(1));
    assert!(said.contains("`shadowtap edm build` makes it"), "{said}");
    fs::remove_file(folder.path().join("edm.key")).expect("removed");
    let (_, _, said) = scan(folder.path(), "MRN 7741903");
    assert!(said.contains("`openssl rand -hex 32` makes one"), "{said}");
}
