//! Names in texts: whose they are, and what is none.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::surroundings::BEFORE_BYTES;
use super::*;
use crate::detect::Signatures;

pub(super) fn lexicon() -> &'static Lexicon {
    static LEXICON: OnceLock<Lexicon> = OnceLock::new();
    LEXICON.get_or_init(|| Signatures::built_in().lexicon())
}

/// What is found in running text, without what overlaps.
fn names(text: &str) -> Vec<(&str, Confidence)> {
    let (mut found, mut names, mut end) = (Vec::new(), Vec::new(), 0);
    find(text.as_bytes(), 0, text.len(), lexicon(), &mut found);
    for name in found {
        if name.range.start >= end {
            end = name.range.end;
            names.push((&text[name.range], name.confidence));
        }
    }
    names
}

#[test]
fn patients_are_told_by_their_cues() {
    use Confidence::{High, Medium};
    for (text, expected) in [
        ("Patient: Leroy Green, seen today", ("Leroy Green", High)),
        ("Pt Siobhán O'Connor-Lee was seen", ("Siobhán O'Connor-Lee", High)),
        ("Re: SMITH, JOHN Q\nDear", ("SMITH, JOHN Q", High)),
        ("The patient's name is María de la Cruz.", ("María de la Cruz", High)),
        ("Patient: Zorblax Quimbyto", ("Zorblax Quimbyto", High)),
        ("saw Zorblax Quimbyto (DOB 1/2/1960)", ("Zorblax Quimbyto", High)),
        ("Oyelaran, Chidinma 62F with", ("Oyelaran, Chidinma", High)),
        ("his wife Maria Lopez says", ("Maria Lopez", Medium)),
        ("Maria Lopez (mother) says", ("Maria Lopez", Medium)),
        ("I told Mrs. Okonkwo that", ("Okonkwo", Medium)),
        ("Mr. Young came", ("Young", Medium)),
        ("and Jennifer Halvorsen took it", ("Jennifer Halvorsen", Medium)),
        ("spoke with Jennifer Young today", ("Jennifer Young", High)),
        ("emergency contact: James Wu", ("James Wu", High)),
        ("Name: Zorblax Quimbyto\n", ("Zorblax Quimbyto", Medium)),
    ] {
        assert_eq!(names(text), [expected], "{text}");
    }
}

#[test]
fn those_who_treat_and_write_are_told_low() {
    for text in [
        "seen by Dr. Jennifer Halvorsen today",
        "Jennifer Halvorsen, MD",
        "Jennifer Halvorsen PA-C",
        "Attending: Jennifer Halvorsen",
        "electronically signed by: Jennifer Halvorsen, M.D.",
        "From: Jennifer Halvorsen <",
        "Author: Jennifer Halvorsen",
        "Referring physician Jennifer Halvorsen",
    ] {
        assert_eq!(names(text), [("Jennifer Halvorsen", Confidence::Low)], "{text}");
    }
    assert_eq!(names("called Dr. Okonkwo again"), [("Okonkwo", Confidence::Low)]);
}

#[test]
fn places_firms_diseases_and_words_are_nobody() {
    for text in [
        "at Henry Ford Hospital",
        "Johns Hopkins and Mary Washington Hospital",
        "Parkinson Disease, Foley Catheter, Crohn Disease",
        "in San Diego and Grant Street",
        "Apache Tomcat and John Deere",
        "Mark Price Will Stone",
        "Discharge Summary Patient Care Plan",
        "Monday Morning, April Rain",
        "Patient: John Doe",
        "Patient: Unknown Male",
        "new Jennifer_Smith(x), Jennifer Smith.txt, /Jennifer Smith/",
        "Charlotte, North Carolina; Austin, Texas",
        "Vitamin D Deficiency",
        "Virginia Beach",
        "Mary Chest, John Today",
        "CHEST PAIN, SHORTNESS OF BREATH. MEDICATIONS LISTED",
    ] {
        assert_eq!(names(text), [], "{text}");
    }
}

#[test]
fn small_letters_count_behind_a_cue() {
    let cue = |text: &str, cue: &str, relative| {
        let found = behind_cue(text.as_bytes(), cue.len(), relative, lexicon())?;
        Some(text[found.range].to_owned())
    };
    assert_eq!(cue("pt john halvorsen has", "pt", false).as_deref(), Some("john halvorsen"));
    assert_eq!(cue("patient: halvorsen john", "patient", false).as_deref(), Some("halvorsen john"));
    assert_eq!(cue("son Tyler has", "son", true).as_deref(), Some("Tyler"));
    assert_eq!(cue("son tyler has", "son", true).as_deref(), Some("tyler"));
    assert_eq!(cue("patient will need a", "patient", false), None);
    assert_eq!(cue("patient may grant", "patient", false), None);
    assert_eq!(cue("son will be", "son", true), None);
}

proptest! {
    #[test]
    fn cuts_change_nothing(pieces in proptest::collection::vec(prop_oneof![
        2 => proptest::sample::select(vec!["Jennifer", "Halvorsen", "SMITH", "Patient: ", "Mr. ", ", ", "MD", "Dr. ", "é", "\n", "O'Connor", "DOB"]).prop_map(String::from),
        1 => "[ A-Za-z.,:'-]{0,12}",
        2 => Just(" ".to_owned()),
    ], 0..40), cut in 0usize..400) {
        let text = pieces.concat();
        let text = text.as_bytes();
        let cut = cut.min(text.len());
        let of = |text: &[u8], from, to, base: usize| {
            let mut found = Vec::new();
            find(text, from, to, lexicon(), &mut found);
            found.iter().map(|name| (name.range.start + base, name.range.end + base, name.confidence)).collect::<Vec<_>>()
        };
        let whole = of(text, 0, text.len(), 0);
        // As Detection reads: what stands before and behind is there, and no more.
        let (start, end) = (cut.saturating_sub(BEFORE_BYTES + 8), text.len().min(cut + LOOKAHEAD_BYTES));
        let mut parts = of(&text[..end], 0, cut, 0);
        parts.extend(of(&text[start..], cut - start, text.len() - start, start));
        prop_assert_eq!(parts, whole);
    }
}
