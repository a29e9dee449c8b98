//! Laws of detection, on both engines.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;
use crate::content::{Arena, Body, ContentHint};
use crate::event::{Classification, Confidence, Deidentified, IdentifierType};
use crate::redact::FingerprintKey;
use crate::scan::EngineChoice;
use crate::yaml::Source;

/// The engines this build has.
fn choices() -> &'static [EngineChoice] {
    if cfg!(feature = "hyperscan") { &[EngineChoice::Native, EngineChoice::Hyperscan] } else { &[EngineChoice::Native] }
}

fn load(settings: &Settings) -> Result<Detector, String> {
    Detector::load(settings, None, &Signatures::built_in(), None)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// The built-in rules on each engine, with small windows, once for all tests.
fn detectors() -> &'static [Detector] {
    static DETECTORS: OnceLock<Vec<Detector>> = OnceLock::new();
    DETECTORS.get_or_init(|| {
        let settings =
            |engine| Settings { engine, max_window_bytes: Settings::MIN_WINDOW_BYTES, ..Settings::default() };
        choices().iter().map(|engine| load(&settings(*engine)).unwrap()).collect()
    })
}

/// Findings and verdict of `text` that comes in parts cut at `cuts`.
fn detect_cut(detector: &Detector, text: &[u8], cuts: &[usize]) -> (Vec<Detected>, Verdict) {
    let (mut arena, mut scanner) = (Arena::new(), detector.scanner());
    let (mut detection, mut found) = (Detection::new(detector), Vec::new());
    let mut from = 0;
    for to in cuts.iter().copied().chain([text.len()]) {
        arena.push(&text[from..to], from as u64);
        detection.push(detector, &mut scanner, &mut arena, false, &mut found);
        assert!(arena.text().len() <= detector.context_bytes(), "text is given back");
        from = to;
    }
    detection.push(detector, &mut scanner, &mut arena, true, &mut found);
    assert_eq!(detection.scanned_bytes(), arena.end());
    (found, detection.verdict())
}

fn detect_with(detector: &Detector, text: &str) -> (Vec<Detected>, Verdict) {
    detect_cut(detector, text.as_bytes(), &[])
}

fn detect(text: &str) -> (Vec<Detected>, Verdict) {
    detect_with(&detectors()[0], text)
}

fn values<'a>(text: &'a str, found: &[Detected], kind: IdentifierType) -> Vec<&'a str> {
    let ours = found.iter().filter(|detected| detected.finding.identifier == kind);
    ours.map(|detected| &text[detected.finding.start as usize..detected.finding.end as usize]).collect()
}

#[test]
fn every_rule_finds_its_examples_on_every_engine() {
    for detector in detectors() {
        let faults: Vec<String> = detector.check_examples().iter().map(ToString::to_string).collect();
        assert!(faults.is_empty(), "{}: {}", detector.engine_report().engine, faults.join("\n"));
        assert!(detector.rules.examples.len() > 80);
    }
}

/// Pieces of documents: values with and without labels, near misses, words of health, prose.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let texts: Vec<Vec<u8>> =
        detectors()[0].rules.examples.iter().map(|example| example.text.clone().into_bytes()).collect();
    prop_oneof![
        4 => proptest::sample::select(texts),
        1 => "[ -~\n\t]{0,60}".prop_map(String::into_bytes),
        1 => "[a-z ]{100,900}".prop_map(String::into_bytes),
        1 => "[0-9.,/ -]{0,80}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => proptest::sample::select(vec![b"metformin".to_vec(), b"chest\npain".to_vec(), b"[NAME] ".to_vec(), b"\n".to_vec()]),
    ]
}

fn documents() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    proptest::collection::vec(pieces(), 0..40).prop_map(|pieces| pieces.concat()).prop_flat_map(|text| {
        let end = text.len();
        (Just(text), proptest::collection::btree_set(0..=end, 0..12).prop_map(|cuts| cuts.into_iter().collect()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_cutting_gives_the_same_findings_and_verdict_on_every_engine((text, cuts) in documents()) {
        let (expected, verdict) = detect_cut(&detectors()[0], &text, &[]);
        for detector in detectors() {
            for cuts in [&cuts[..], &[]] {
                let (found, seen) = detect_cut(detector, &text, cuts);
                prop_assert!(found == expected, "{} cut at {cuts:?}", detector.engine_report().engine);
                prop_assert_eq!(seen, verdict);
            }
        }
    }

    #[test]
    fn engines_give_the_same_hits_in_every_window((text, cuts) in documents()) {
        let cuts: Vec<usize> = [0].into_iter().chain(cuts).chain([text.len()]).collect();
        for pair in cuts.windows(2) {
            let window = &text[pair[0]..pair[1]];
            let mut expected = Vec::new();
            for (index, detector) in detectors().iter().enumerate() {
                let mut hits = Vec::new();
                detector.engine.scan(&mut detector.engine.scratch(), window, &mut hits);
                if index == 0 {
                    expected = hits;
                } else {
                    prop_assert_eq!(&hits, &expected);
                }
            }
        }
    }
}

#[test]
fn text_that_comes_byte_by_byte_gives_the_same_findings() {
    let text = "Patient, DOB 04/17/1962, MRN:\n00412345, SSN (from card) 536-22-8741; metformin, chest pain E11.9";
    let every: Vec<usize> = (0..text.len()).collect();
    let (whole, verdict) = detect(text);
    assert_eq!(whole.len(), 4);
    for detector in detectors() {
        let (found, seen) = detect_cut(detector, text.as_bytes(), &every);
        assert!(found == whole);
        assert_eq!(seen, verdict);
    }
}

/// A prompt of the lab, through the body format that it is.
fn prompt(name: &str, content_type: &str) -> (Vec<Detected>, Verdict) {
    let path = format!("{}/lab/prompts/{name}", env!("CARGO_MANIFEST_DIR"));
    body(&detectors()[0], &std::fs::read(path).unwrap(), content_type)
}

/// Findings and verdict of a request's body.
fn body(detector: &Detector, text: &[u8], content_type: &str) -> (Vec<Detected>, Verdict) {
    let hint = ContentHint { content_type: Some(content_type), ..ContentHint::default() };
    let (mut body, mut arena) = (Body::new(&hint, &[], &Default::default()), Arena::new());
    body.push(text, &mut arena);
    body.finish(true, &mut arena);
    let (mut detection, mut found) = (Detection::new(detector), Vec::new());
    detection.push(detector, &mut detector.scanner(), &mut arena, true, &mut found);
    (found, detection.verdict())
}

#[test]
fn clinical_notes_with_patients_are_phi() {
    for (name, individuals, severity) in [
        ("radiology-report.txt", [1, 4], 1),
        ("follow-up.txt", [2, 6], 2),
        ("emergency-note.txt", [1, 4], 2),
        ("psychiatry-note.txt", [1, 4], 1),
    ] {
        let (_, verdict) = prompt(name, "text/plain");
        assert_eq!(verdict.classification, Classification::Phi, "{name}: {verdict:?}");
        assert_eq!((verdict.individuals, verdict.severity), (individuals, Some(severity)), "{name}");
        assert!(verdict.score >= 0.5, "{name}");
    }
}

#[test]
fn a_key_speaks_for_all_that_lies_beneath_it() {
    for (text, wanted) in [
        (r#"{"mrn":{"0":"686288","1":"27788682"},"dob":{"0":"1997-03-09"}}"#, vec!["686288", "27788682", "1997-03-09"]),
        (
            r#"{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Green^Leroy"}]},"00100020":{"vr":"LO","Value":["00412345"]},"00100030":{"vr":"DA","Value":["19620813"]}}"#,
            vec!["Green^Leroy", "00412345", "19620813"],
        ),
        (r#"{"teléfono":{"a":"207-941-5758"},"dirección":["593 Copper Ave"]}"#, vec!["207-941-5758", "593 Copper Ave"]),
    ] {
        for detector in detectors() {
            let (found, _) = body(detector, text.as_bytes(), "application/json");
            let value = |found: &Detected| &text[found.finding.start as usize..found.finding.end as usize];
            let values = found.iter().filter(|found| found.finding.identifier != IdentifierType::Dicom).map(value);
            assert_eq!(values.collect::<Vec<_>>(), wanted);
        }
    }
}

#[test]
fn json_keys_are_labels() {
    let (found, verdict) = prompt("patients.json", "application/json");
    let count = |kind| found.iter().filter(|detected| detected.finding.identifier == kind).count();
    let (ssn, dob, mrn) = (count(IdentifierType::Ssn), count(IdentifierType::Dob), count(IdentifierType::Mrn));
    assert_eq!((ssn, dob), (mrn, mrn));
    assert!(mrn >= 6 && count(IdentifierType::Icd10) >= 6);
    let is_name = |detected: &&Detected| detected.finding.identifier == IdentifierType::Name;
    let names = found.iter().filter(is_name).count();
    let sure = |detected: &Detected| is_name(&detected) || detected.finding.confidence == Confidence::High;
    assert!(found.iter().all(sure));
    assert_eq!(found[0].finding.path, "[0].mrn");
    assert_eq!(verdict.classification, Classification::Phi);
    assert_eq!((verdict.individuals, names), ([mrn as u64, 4 * mrn as u64], mrn));

    let (found, verdict) = prompt("patient-record.json", "application/json");
    assert_eq!(verdict.classification, Classification::Phi);
    assert_eq!(found.len(), 5);
}

#[test]
fn a_provider_number_counts_behind_the_system_that_names_it() {
    let of = |system: &str| {
        format!(r#"{{"resourceType":"Practitioner","identifier":[{{"system":"{system}","value":"1043218118"}}]}}"#)
    };
    for detector in detectors() {
        let (found, verdict) = body(detector, of("http://hl7.org/fhir/sid/us-npi").as_bytes(), "application/fhir+json");
        let told: Vec<_> = found.iter().map(|found| (found.finding.identifier, found.finding.path.as_str())).collect();
        assert_eq!(told, [(IdentifierType::Npi, "identifier[0].value")]);
        // It names who treats, not who is treated.
        assert_eq!(verdict.individuals, [0, 0]);
        let (found, _) = body(detector, of("urn:site:visits").as_bytes(), "application/fhir+json");
        assert_eq!(found.len(), 0);
    }
}

#[test]
fn notes_without_identifiers_are_health_only_and_say_how_far_they_were_stripped() {
    for name in ["deidentified-letter.txt", "deidentified-note.txt"] {
        let (_, verdict) = prompt(name, "text/plain");
        assert_eq!(verdict.classification, Classification::HealthOnly, "{name}: {verdict:?}");
        assert_eq!((verdict.deidentified, verdict.severity), (Deidentified::Apparent, None), "{name}");
        assert!(verdict.score < 0.5);
    }
    let (_, half) = detect("[NAME] was admitted with chest pain, MRN 00412345, on metformin and aspirin, see [DATE]");
    assert_eq!((half.classification, half.deidentified), (Classification::Phi, Deidentified::Partial));
}

#[test]
fn ordinary_questions_are_nothing() {
    for name in ["code.txt", "holiday.txt", "recipe.txt", "lookalikes.txt"] {
        let (found, verdict) = prompt(name, "text/plain");
        assert_eq!(verdict.classification, Classification::None, "{name}: {verdict:?}");
        assert_eq!(found.len(), 0, "{name}");
    }
}

#[test]
fn identifiers_without_health_are_pii_only() {
    let (_, verdict) = detect("Rental application: SSN 634-95-5107, employer Acme");
    assert_eq!((verdict.classification, verdict.severity), (Classification::PiiOnly, Some(4)));
    let (_, verdict) = detect("she was born 09/02/1948 in Leeds");
    assert_eq!(verdict.classification, Classification::PiiOnly);
}

#[test]
fn words_of_one_category_are_no_health_context() {
    let (_, verdict) = detect("metformin, lisinopril, atorvastatin, amlodipine, metoprolol");
    assert_eq!(verdict.classification, Classification::None);
    let (_, verdict) = detect("metformin, lisinopril for hypertension in a patient");
    assert_eq!(verdict.classification, Classification::HealthOnly);
    // A word counts once, and only as a word.
    let (_, verdict) = detect(&"patient impatient asthmatic xmetforminx ".repeat(20));
    assert_eq!(verdict.classification, Classification::None);
}

#[test]
fn ten_patients_are_critical() {
    let list = |count: u32| {
        (0..count).fold("clinic list, diabetes, metformin\n".to_owned(), |list, row| {
            format!("{list}MRN 77{row:05}3 clinic\n")
        })
    };
    assert_eq!(detect(&list(9)).1.severity, Some(2));
    let (_, verdict) = detect(&list(10));
    assert_eq!((verdict.severity, verdict.individuals), (Some(1), [10, 10]));
}

#[test]
fn spellings_of_one_value_are_one_individual() {
    let text = "SSN 536-22-8741, ssn: 536228741, Social Security 536 22 8741, SSN 217-64-3308";
    let (found, verdict) = detect(text);
    assert_eq!(verdict.individuals, [2, 2]);
    assert_eq!(found[0].identity, found[1].identity);
    assert_eq!(found[0].identity, found[2].identity);
    assert_ne!(found[0].identity, found[3].identity);
}

#[test]
fn a_finding_says_why_and_shows_no_character_of_the_value() {
    let settings = Settings { engine: EngineChoice::Native, ..Settings::default() };
    let key = FingerprintKey::new(b"an invented key of the test");
    let detector = Detector::load(&settings, None, &Signatures::built_in(), key).ok().unwrap();
    let (found, _) = detect_with(&detector, "Pt. with SSN: 536-22-8741.");
    let finding = &found[0].finding;
    assert_eq!((finding.start, finding.end), (14, 25));
    assert_eq!(finding.masked.as_str(), "***-**-****");
    assert_eq!(finding.reasons, ["area, group and serial valid", "label 'SSN' 5 bytes before"]);
    assert_eq!(finding.fingerprint.as_ref().map(String::len), Some(32));
    let told = format!("{finding:?} {}", serde_json::to_string(finding).unwrap());
    assert!(!told.contains("536") && !told.contains("8741"), "{told}");
    assert!(detect("SSN: 536-22-8741").0[0].finding.fingerprint.is_none(), "no key, no fingerprint");
}

#[test]
fn an_unlabelled_number_is_believed_less_and_refused_behind_a_veto_word() {
    let ssns = |text: &str| {
        let (found, _) = detect(text);
        found
            .into_iter()
            .map(|found| found.finding)
            .filter(|told| told.identifier == IdentifierType::Ssn)
            .collect::<Vec<_>>()
    };
    let found = ssns("patient 536-22-8741 and 536 22 8741");
    let confidences: Vec<Confidence> = found.iter().map(|finding| finding.confidence).collect();
    assert_eq!(confidences, [Confidence::Medium, Confidence::Low]);
    assert_eq!(found[0].reasons[1], "no label near");
    assert!(ssns("note 536-22-8741").is_empty(), "without a word of health it may be anything");
    assert!(ssns("clinic invoice: 536-22-8741").is_empty());
    assert_eq!(ssns("clinic invoice 12\n536-22-8741").len(), 1, "a veto holds for its line");
    assert_eq!(ssns("clinic reordered 536-22-8741").len(), 1, "a veto word is a word");
    assert_eq!(ssns("order for SSN 536-22-8741")[0].confidence, Confidence::High, "a label outweighs it");
    assert!(ssns("clinic SSN rule: order 536-22-8741").is_empty(), "unless it stands between");
    assert!(ssns("clinic part 613-47-2250, part 613-47-2251\n\n536-22-8741").is_empty(), "parts among themselves");
    assert!(ssns("clinic\n12,536-22-8741,4\n").is_empty(), "a cell is what the head of its column says");
}

#[test]
fn the_sites_own_record_numbers_are_found() {
    let yaml =
        "engine: native\nmrn:\n  - { label: HN, pattern: '[0-9]{7}' }\n  - { label: MRN, pattern: 'Z[0-9]{3}' }\n";
    let source = Source::new("shadowtap.yaml", yaml);
    let settings: Settings = source.parse().unwrap();
    let detector = Detector::load(&settings, Some(&source), &Signatures::built_in(), None).ok().unwrap();
    let text = "HN: 1234568 admitted; MRN Z417, MRN 00412345, HN 12345";
    let (found, verdict) = detect_with(&detector, text);
    assert_eq!(values(text, &found, IdentifierType::Mrn), ["1234568", "Z417", "00412345"]);
    assert_eq!(verdict.individuals, [3, 3]);

    let yaml = "engine: native\nmember_id: [{ label: plan key, pattern: 'Q-[0-9]{4}' }]\naccount: [{ label: bed ticket, pattern: 'T[0-9]{3}' }]\n";
    let source = Source::new("shadowtap.yaml", yaml);
    let detector = Detector::load(&source.parse().unwrap(), Some(&source), &Signatures::built_in(), None).ok().unwrap();
    let text = "Plan key: Q-4417, bed_ticket T205";
    let (found, _) = detect_with(&detector, text);
    assert_eq!(values(text, &found, IdentifierType::MemberId), ["Q-4417"]);
    assert_eq!(values(text, &found, IdentifierType::Account), ["T205"]);

    let bad = Source::new("shadowtap.yaml", "mrn:\n  - label: HN\n    pattern: '[0-9]+'\n");
    let faults = Detector::load(&bad.parse().unwrap(), Some(&bad), &Signatures::built_in(), None).err().unwrap();
    assert_eq!((faults[0].line, faults[0].column), (3, 14));
    assert!(faults[0].message.contains("no greatest width"), "{}", faults[0]);
}

#[test]
fn caps_stop_telling_and_remembering_but_not_counting() {
    let settings = Settings {
        engine: EngineChoice::Native,
        max_findings_per_exchange: 3,
        max_individuals_per_exchange: 2,
        ..Settings::default()
    };
    let detector = load(&settings).unwrap();
    let text: String = (0..6).map(|row| format!("MRN 77{row}21\n")).collect();
    let (mut arena, mut detection, mut found) = (Arena::new(), Detection::new(&detector), Vec::new());
    arena.push(text.as_bytes(), 0);
    detection.push(&detector, &mut detector.scanner(), &mut arena, true, &mut found);
    assert_eq!((found.len(), detection.capped()), (3, true));
    assert_eq!(detection.counts(&detector).into_iter().collect::<Vec<_>>(), [(IdentifierType::Mrn, 6)]);
    assert_eq!(detection.verdict().individuals, [2, 2]);
}

#[test]
fn an_arena_of_units_gives_findings_their_paths_and_source_bytes() {
    let mut arena = Arena::new();
    arena.begin("patient.ssn");
    arena.separator(b"ssn: ");
    arena.push(b"536-22-8741", 100);
    arena.separator(b"\n");
    let detector = &detectors()[0];
    let (mut detection, mut found) = (Detection::new(detector), Vec::new());
    detection.push(detector, &mut detector.scanner(), &mut arena, true, &mut found);
    let finding = &found[0].finding;
    assert_eq!((finding.path.as_str(), finding.start, finding.end), ("patient.ssn", 100, 111));
}

fn faults(file: &str) -> Vec<String> {
    let mut signatures = Signatures::built_in();
    signatures.files.push(Source::new("phi/own.yaml", file));
    let settings = Settings { engine: EngineChoice::Native, ..Settings::default() };
    match Detector::load(&settings, None, &signatures, None) {
        Ok(detector) => detector.check_examples().iter().map(ToString::to_string).collect(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_rule_that_fails_its_own_example_is_named_with_its_line() {
    let entry =
        "identifiers:\n  - type: plate\n    labels: [{ names: [PLT], value: '[12][0-9]{9}', confidence: high }]\n";
    assert_eq!(
        faults(&format!("{entry}    examples:\n      - {{ text: 'PLT 1234567893', find: ['1234567893'] }}\n")),
        [""; 0]
    );
    let faults = faults(&format!("{entry}    negative_examples:\n      - 'PLT 1234567893'\n"));
    assert!(faults[0].starts_with("phi/own.yaml:5:9: example fails"), "{}", faults[0]);
    assert!(faults[0].contains("found Plate at 4..14"), "{}", faults[0]);
}

#[test]
fn faulty_entries_are_named_with_their_place() {
    for (file, expected) in [
        ("identifierz: []", "phi/own.yaml:1:1: unknown key \"identifierz\", did you mean \"identifiers\"?"),
        ("identifiers:\n  - { type: npi, validator: npj }", "phi/own.yaml:2:29: unknown validator \"npj\""),
        ("identifiers:\n  - { type: npy }", "phi/own.yaml:2:13: unknown value \"npy\", did you mean \"npi\"?"),
        ("identifiers:\n  - { type: npi, severity: 5 }", "phi/own.yaml:2:28: severity"),
        (
            "identifiers:\n  - { type: npi, shapes: [{ pattern: 'a(', confidence: low }] }",
            "phi/own.yaml:2:38: bad pattern: unclosed group",
        ),
        ("identifiers:\n  - { type: npi, shapes: [{ pattern: 'ab' }] }", "phi/own.yaml:2:38: give either"),
        (
            "identifiers:\n  - { type: npi, shapes: [{ pattern: 'ab', confidence: low, veto: [comerce] }] }",
            "phi/own.yaml:2:68: no list \"comerce\" under vetoes, did you mean \"commerce\"?",
        ),
        ("health:\n  - { category: x, weight: 1, terms: [q] }", "phi/own.yaml:2:39: words have"),
    ] {
        let faults = faults(file);
        assert!(faults.first().is_some_and(|fault| fault.starts_with(expected)), "{file}: {faults:?}");
    }
}

#[test]
fn a_directory_of_signatures_takes_the_place_of_the_built_in_ones() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Signatures::read(directory.path()).unwrap_err()[0].to_string().contains("phi"));
    let folder = directory.path().join("phi");
    std::fs::create_dir(&folder).unwrap();
    assert!(Signatures::read(directory.path()).unwrap_err()[0].to_string().contains("holds no .yaml"));
    let entry =
        "identifiers: [{ type: ssn, person: true, labels: [{ names: [SSN], value: '[0-9]{3}', confidence: high }] }]";
    std::fs::write(folder.join("own.yaml"), entry).unwrap();
    let signatures = Signatures::read(directory.path()).unwrap();
    let settings = Settings { engine: EngineChoice::Native, ..Settings::default() };
    let detector = Detector::load(&settings, None, &signatures, None).ok().unwrap();
    let (found, _) = detect_with(&detector, "SSN 123, MRN 00412345");
    assert_eq!(values("SSN 123, MRN 00412345", &found, IdentifierType::Ssn), ["123"]);
    assert_eq!(found.len(), 1);
}

#[test]
fn settings_have_defaults_and_refuse_unknown_keys() {
    assert_eq!(Source::new("c", "{}").parse::<Settings>().unwrap(), Settings::default());
    assert!(Source::new("c", "engin: auto").parse::<Settings>().is_err());
    assert_eq!(Settings { max_window_bytes: 1, ..Settings::default() }.window_bytes(), Settings::MIN_WINDOW_BYTES);
}
