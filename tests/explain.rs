//! `shadowtap scan --explain`: the whole of what it says of a small document, without a value of it.

mod common;

use common::shadowtap;

const NOTE: &str = "Dear colleague,\nplease summarise.\n\nPatient: Vrixtine Quombel, DOB 03/09/1951, MRN: 99817263\n\
    Vrixtine was seen with her neighbour Oxbrandt on 4/17/26; type 2 diabetes (E11.9), metformin.\n\
    Call 0049 17 23.\nKind regards\nThe ward\n";

const EXPLAINED: &str = "\
note.txt: phi (score 0.95, severity 2)
    3 |
    4 | Patient: ******** *******, DOB **/**/****, MRN: ********
      |   name ******** ******* at 44..60, high: of a person's name's form; label 'patient:' 9 bytes before (phi/name.yaml)
      |   dob **/**/**** at 66..76, high: a day of the calendar; label 'DOB' 4 bytes before (phi/dob.yaml)
      |   mrn ******** at 83..91, high: of a record number's form; label 'MRN' 5 bytes before (phi/mrn.yaml)
    5 | ******** was seen with her neighbour ******** on */**/**; type 2 diabetes (***.*), metformin.
      |   date */**/** at 141..148, medium: a day of the calendar; label 'seen' 36 bytes before (phi/date.yaml)
      |   icd10 ***.* at 167..172, medium: in the ICD-10-CM code set; no label near (phi/icd10.yaml)
    6 | Call **** ** **.
  health 10.2: role 1.0 (1), diagnosis 3.0 (2), drug 1.5 (1), export 1.0 (1), case 0.7 (1), mrn 1.5 (1), icd10 1.5 (1)
  identifiers 9.2: dob 3.0 (1), name 2.2 (1), mrn 4.0 (1)
  quasi-identifiers 0.7: date (1)
  phi: two identifiers of a person, one a labelled number that adds 1.5 to health (record_health)
";

const VALUES: [&str; 8] = ["Vrixtine", "Quombel", "1951", "03/09", "99817263", "Oxbrandt", "4/17", "0049"];

fn explained(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("note.txt");
    std::fs::write(&file, NOTE).expect("written");
    let output = shadowtap().current_dir(&folder).args(["scan", "--explain"]).args(arguments).arg("note.txt").output();
    let output = output.expect("starts");
    assert!(output.status.success());
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn a_document_is_explained_without_a_value_of_it() {
    let told = explained(&[]);
    let shown: Vec<&str> = VALUES.into_iter().filter(|value| told.contains(value)).collect();
    assert!(shown.is_empty(), "{shown:?} in\n{told}");
    assert_eq!(told, EXPLAINED, "{told}");
}

#[test]
fn with_reveal_the_lines_are_as_they_are() {
    let told = explained(&["--reveal"]);
    for line in NOTE.lines().skip(2).take(4).filter(|line| !line.is_empty()) {
        assert!(told.contains(&format!(" | {line}\n")), "{line:?} is not in\n{told}");
    }
}

#[test]
fn what_a_terminal_would_obey_is_not_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("note.txt");
    std::fs::write(&file, "\u{1b}[2J patient MRN: 99817263 \u{7}\r\nward").expect("written");
    let output = shadowtap().args(["scan", "--explain", "--reveal"]).arg(&file).output().expect("starts");
    let told = String::from_utf8(output.stderr).expect("text");
    assert!(told.contains("MRN: 99817263"), "{told}");
    assert!(!told.contains(|letter: char| letter.is_control() && letter != '\n'), "{told:?}");
}
