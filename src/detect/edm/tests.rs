//! Tests of the site's own list of patients: what is built is what is found.

use std::sync::OnceLock;

use super::canonical::{births, last_name, last_names, record_number, ssn};
use super::*;
use crate::content;
use crate::detect::{Detected, Detector, Document, EdmSettings, Settings, Signatures, Verdict};
use crate::event::{Classification, IdentifierType};
use crate::scan::EngineChoice;

const PATIENTS: &str = "PAT_MRN_ID,Last Name,First Name,DOB,SSN,Attending Provider\n\
    00412345,GREEN,Leroy,1962-08-13 00:00:00,536-22-8741,Kim\n\
    UH540048,\"De la Peña, Jr.\",Una,03/14/2012,7443308,Kim\n\
    ,Osric,Mei,unknown,***-**-1234,Kim\n";

fn key() -> Key {
    Key::new(b"0123456789abcdef0123456789abcdef").unwrap()
}

fn list_of(csv: &str) -> (Report, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let built = build(csv.as_bytes(), "patients.csv", &key(), &Columns::default()).unwrap();
    let path = folder.path().join("patients.edm");
    built.write(&key(), &path).unwrap();
    (built.report, std::fs::read(path).unwrap())
}

fn text(value: Option<impl AsRef<[u8]>>) -> String {
    value.map_or_else(|| "none".into(), |value| String::from_utf8(value.as_ref().to_vec()).unwrap())
}

#[test]
fn all_spellings_of_a_value_are_one() {
    for spelling in ["00412345", "412345", "MRN-0041-2345", "mrn00412345"] {
        assert_eq!(text(record_number(spelling.as_bytes())), "412345", "{spelling}");
    }
    for spelling in ["536-22-8741", "536 22 8741", "536228741"] {
        assert_eq!(text(ssn(spelling.as_bytes())), "536228741", "{spelling}");
    }
    assert_eq!(text(ssn(b"7443308")), "007443308", "zeros that a spreadsheet dropped");
    for spelling in ["Peña", "PEÑA", "pena", "Peña Jr."] {
        assert_eq!(text(last_name(spelling.as_bytes())), "pena", "{spelling}");
    }
    assert_eq!(text(last_name(b"Pe\xF1a")), "pena", "Latin-1");
    assert_eq!(text(last_name("O'Neil-Smith".as_bytes())), "oneilsmith");
    for spelling in ["1962-08-13", "8/13/1962", "08/13/62", "August 13, 1962", "19620813", "1962-08-13T00:00:00"] {
        assert!(births(spelling.as_bytes()).iter().any(|day| day.as_slice() == b"19620813"), "{spelling}");
    }
    let either = births(b"3/14/12");
    assert_eq!(either.iter().map(|day| text(Some(day))).collect::<Vec<_>>(), ["19120314", "20120314"]);
}

#[test]
fn the_last_name_stands_where_names_have_it() {
    let first = |name: &str| text(last_names(name.as_bytes()).first());
    for spelling in ["GREEN, LEROY Q.", "GREEN^LEROY^Q", "Leroy Green", "Leroy Q. Green Jr."] {
        assert_eq!(first(spelling), "green", "{spelling}");
    }
    let names: Vec<_> = last_names(b"Una de la Cruz").iter().map(|name| text(Some(name))).collect();
    assert_eq!(names, ["cruz", "lacruz", "delacruz"]);
}

#[test]
fn what_is_no_value_is_refused() {
    for other in ["", "12", "none", "MRN000000"] {
        assert_eq!(text(record_number(other.as_bytes())), "none", "{other}");
    }
    for other in ["", "***-**-1234", "8741", "5362287410", "A536228741"] {
        assert_eq!(text(ssn(other.as_bytes())), "none", "{other}");
    }
    for other in ["", "1962", "unknown", "13/13/1962"] {
        assert!(births(other.as_bytes()).is_empty(), "{other}");
    }
    for other in ["", "-", "Q.", "123"] {
        assert_eq!(text(last_name(other.as_bytes())), "none", "{other}");
    }
}

#[test]
fn columns_are_found_by_their_heads() {
    let (report, bytes) = list_of(PATIENTS);
    let counted = |column, taken, refused| Some(Counted { column, taken, refused });
    assert_eq!(report.record_numbers, counted(1, 2, 0));
    assert_eq!(report.names, counted(2, 2, 1));
    assert_eq!(report.social_security_numbers, counted(5, 2, 1));
    assert_eq!((report.rows, report.entries), (3, 6));
    assert_eq!(bytes.len(), 56 + 6 * 8);

    let (report, _) =
        list_of("\u{FEFF}patient name;date of birth;medical record number\r\n\"Green, Leroy\";13.08.1962;412345\r\n");
    assert_eq!((report.names, report.record_numbers), (counted(1, 1, 0), counted(3, 1, 0)));
}

#[test]
fn columns_that_nobody_knows_are_named() {
    let csv = "a\tb\n412345\tx\n";
    let fault = |columns: &Columns| build(csv.as_bytes(), "p.csv", &key(), columns).err().unwrap().to_string();
    assert!(fault(&Columns::default()).contains("--mrn"));
    let wrong = Columns { mrn: Some("c".into()), ..Columns::default() };
    assert!(fault(&wrong).contains("no column has the head \"c\""));
    let right = Columns { mrn: Some("A".into()), ..Columns::default() };
    assert_eq!(build(csv.as_bytes(), "p.csv", &key(), &right).unwrap().report.entries, 1);
}

#[test]
fn another_key_and_a_damaged_file_are_told() {
    let (_, bytes) = list_of(PATIENTS);
    let fault = |key: Key, bytes: &[u8]| list::PatientList::parse(key, bytes).err().unwrap_or("none");
    assert_eq!(fault(key(), &bytes), "none");
    assert!(fault(Key::new(b"another key of the site").unwrap(), &bytes).contains("another key"));
    for length in 0..bytes.len() {
        assert_ne!(fault(key(), &bytes[..length]), "none", "cut at {length}");
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert_ne!(fault(key(), &damaged), "none", "damaged at {at}");
    }
    assert!(fault(key(), &[bytes.as_slice(), &[0; 8]].concat()).contains("cut short or damaged"));
    assert!(Key::new(b"short").is_none());
}

#[test]
fn of_100_000_others_none_is_held() {
    let numbers = |from: u32| (from..from + 100_000).map(|number| format!("{number}\n"));
    let csv: String = std::iter::once("mrn\n".to_owned()).chain(numbers(1_000_000)).collect();
    let (report, bytes) = list_of(&csv);
    assert_eq!(report.entries, 100_000);
    let list = list::PatientList::parse(key(), &bytes).unwrap();
    let holds = |number: &String| list.holds(Kind::RecordNumber, number.trim_end().as_bytes());
    assert!(numbers(1_000_000).all(|number| holds(&number)));
    assert!(!numbers(2_000_000).any(|number| holds(&number)));
    assert!(!list.holds(Kind::SocialSecurityNumber, b"1000000"), "of another kind");
}

fn detector() -> &'static Detector {
    static DETECTOR: OnceLock<Detector> = OnceLock::new();
    DETECTOR.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let edm = EdmSettings { file: folder.path().join("patients.edm"), key: folder.path().join("key") };
        std::fs::write(&edm.key, "0123456789abcdef0123456789abcdef\n").unwrap();
        build(PATIENTS.as_bytes(), "p.csv", &key(), &Columns::default()).unwrap().write(&key(), &edm.file).unwrap();
        let settings = Settings { engine: EngineChoice::Native, edm: Some(edm), ..Settings::default() };
        Detector::load(&settings, None, &Signatures::built_in(), None).map_err(|faults| faults[0].to_string()).unwrap()
    })
}

fn detect(parts: &[&str]) -> (Verdict, Vec<Detected>) {
    let mut scanner = detector().scanner();
    let mut document = Document::new(detector(), &content::Settings::default());
    parts.iter().for_each(|part| document.push(part.as_bytes(), detector(), &mut scanner));
    document.finish(detector(), &mut scanner)
}

/// What of a text stands in the list.
fn matches(text: &str) -> Vec<&str> {
    let found = |parts: &[&str]| {
        let (_, found) = detect(parts);
        let ours = found.into_iter().filter(|detected| detected.finding.identifier == IdentifierType::EdmMatch);
        ours.map(|detected| detected.finding.start as usize..detected.finding.end as usize).collect::<Vec<_>>()
    };
    let whole = found(&[text]);
    for cut in [1, text.len() / 3, text.len() / 2, text.len() - 1] {
        assert_eq!(found(&[&text[..cut], &text[cut..]]), whole, "{text:?} cut at {cut}");
    }
    whole.into_iter().map(|range| &text[range]).collect()
}

#[test]
fn values_of_the_list_are_told() {
    assert_eq!(matches("Please check MRN: 412345 again"), ["412345"]);
    assert_eq!(matches("MRN,Note\n0041-2345,ok\n99912345,ok\n"), ["0041-2345"]);
    assert_eq!(matches("SSN: 536 22 8741, SSN: 217-64-3308"), ["536 22 8741"]);
    assert_eq!(matches("Patient: Leroy Green\nDOB: 8/13/62\n"), ["8/13/62"]);
    assert_eq!(matches("DOB: 14 March 2012, Patient name: Una de la Pena\n"), ["Una de la Pena"]);
    assert_eq!(matches("PID|1||99912345^^^A^MR||GREEN^LEROY^Q||19620813|M\r"), ["19620813"]);
}

#[test]
fn what_is_not_in_the_list_is_not_told() {
    assert!(matches("MRN: 412346, SSN: 217-64-3308\n").is_empty());
    assert!(matches("Patient: Leroy Green\nDOB: 8/14/1962\n").is_empty(), "another day");
    assert!(matches("Patient: Green Leroy\nDOB: 8/13/1962\n").is_empty(), "the last name of another");
    let between = "It was a long day. ".repeat(20);
    assert!(matches(&format!("Patient: Leroy Green\n{between}\nDOB: 8/13/1962\n")).is_empty(), "far from each other");
}

#[test]
fn a_match_is_phi_by_itself_and_one_person() {
    let (verdict, found) = detect(&["Please check SSN: 536 22 8741 again"]);
    assert_eq!((verdict.classification, verdict.severity), (Classification::Phi, Some(1)));
    assert_eq!(verdict.individuals, [1, 1]);
    let told = found.iter().find(|detected| detected.finding.identifier == IdentifierType::EdmMatch).unwrap();
    assert_eq!(told.finding.reasons[0], "in the site's list of patients: social security number");
    assert_eq!(detect(&["Please check SSN: 217-64-3308 again"]).0.classification, Classification::PiiOnly);
}
