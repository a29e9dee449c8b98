//! Documents are what they say they are, and the scorer counts as its head says.

use serde_json::Value;

use super::*;

const SMALL: Plan = Plan { seed: 7, texts: 1 };

/// Types that name a person by themselves, or nearly.
const DIRECT: [&str; 14] = [
    "SSN",
    "SSN_LAST4",
    "MRN",
    "MBI",
    "MEMBER_ID",
    "ACCOUNT",
    "ACCESSION",
    "DOB",
    "PHONE",
    "FAX",
    "EMAIL",
    "ADDRESS",
    "VIN",
    "PLATE",
];

fn labels(document: &Document) -> Vec<&str> {
    document.spans.iter().map(|span| span.0.as_str()).collect()
}

#[test]
fn the_same_plan_makes_the_same_documents() {
    assert!(corpus(SMALL) == corpus(SMALL));
    assert!(corpus(SMALL) != corpus(Plan { seed: 8, ..SMALL }));
}

#[test]
fn every_document_has_an_id_of_its_own() {
    let documents = corpus(SMALL);
    let ids: std::collections::HashSet<_> = documents.iter().map(|document| &document.id).collect();
    assert_eq!(ids.len(), documents.len());
}

#[test]
fn places_are_those_of_the_identifiers() {
    for document in corpus(SMALL) {
        for (label, start, end, from, to) in &document.spans {
            let words = document.text.get(*from..*to);
            let words = words.unwrap_or_else(|| panic!("{}: {label} {from}..{to} cuts a character", document.id));
            assert!(!words.trim().is_empty(), "{}: {label} {from}..{to} is empty", document.id);
            let characters: String = document.text.chars().skip(*start).take(end - start).collect();
            assert_eq!(characters, words, "{}: {label}", document.id);
        }
    }
}

#[test]
fn a_text_keeps_its_identifiers_in_every_envelope() {
    for pair in corpus(SMALL).chunks(2) {
        let [plain, other] = pair else { panic!("each text comes twice") };
        assert_eq!((plain.wire.as_str(), plain.obf.len()), ("plain", 0));
        if other.wire == "base64" {
            assert!(other.spans.is_empty() && !other.spans_complete, "{}", other.id);
        } else {
            assert_eq!(labels(plain), labels(other), "{}", other.id);
        }
    }
}

#[test]
fn envelopes_of_json_are_json() {
    const JSON: [&str; 8] =
        ["openai", "openai_ascii", "responses", "anthropic", "gemini", "tool_call", "batch", "ndjson"];
    let documents = corpus(SMALL);
    for wire in JSON {
        let documents = documents.iter().filter(|document| document.wire == wire);
        let faults: Vec<_> = documents.clone().filter(|it| serde_json::from_str::<Value>(&it.text).is_err()).collect();
        assert!(documents.count() > 0 && faults.is_empty(), "{wire}: {faults:?}");
    }
}

#[test]
fn labels_tell_what_is_in_a_document() {
    let documents = corpus(SMALL);
    let patients = documents.iter().filter(|document| document.label == "phi").count();
    assert!(documents.len() - patients >= patients, "fewer harmless documents than others");
    for document in documents.iter().filter(|document| document.wire != "base64") {
        let labels = labels(document);
        let direct = labels.iter().any(|label| DIRECT.contains(label) || *label == "NAME");
        match (document.label.as_str(), document.tier.as_str()) {
            ("phi", "strong") => assert!(direct, "{}: no direct identifier", document.id),
            ("phi", "quasi") => {
                assert!(!labels.is_empty(), "{}: no identifier", document.id);
                assert!(!labels.iter().any(|label| DIRECT.contains(label)), "{}: {labels:?}", document.id);
            }
            ("pii_only", "neg") => assert!(!labels.is_empty(), "{}: nobody in it", document.id),
            ("health_only" | "none", "neg") => {
                let people = ["SSN", "MRN", "MBI", "DOB", "MEMBER_ID", "PHONE", "ADDRESS"];
                assert!(!labels.iter().any(|label| people.contains(label)), "{}: {labels:?}", document.id);
            }
            other => panic!("{}: {other:?}", document.id),
        }
    }
}

#[test]
fn check_digits_are_those_of_published_examples() {
    // CMS' own NPI 1234567893, and a vehicle number of which half the world's explanations tell.
    assert_eq!(numbers::luhn("80840123456789"), 3);
    assert_eq!(numbers::vin_check("1M8GDM9A_KP042788"), 'X');
    assert_eq!(numbers::spoken("A1-20"), "A one two zero");
}

mod scores {
    use super::super::score::{Changed, Prediction, Report};
    use super::*;
    use crate::event::Classification;

    fn document(label: &str, tier: &str, wire: &str, spans: &[(&str, usize, usize)]) -> Document {
        Document {
            id: String::new(),
            source: "own".to_owned(),
            family: "f".to_owned(),
            kind: "note".to_owned(),
            wire: wire.to_owned(),
            obf: Vec::new(),
            label: label.to_owned(),
            tier: tier.to_owned(),
            text: String::new(),
            spans: spans.iter().map(|(name, from, to)| ((*name).to_owned(), 0, 0, *from, *to)).collect(),
            ambiguous: false,
            spans_complete: true,
        }
    }

    fn said(class: Classification, severity: Option<u8>, entities: &[(&str, usize, usize)]) -> Prediction {
        let entities = entities.iter().map(|(name, from, to)| ((*name).to_owned(), *from, *to)).collect();
        Prediction { class, severity, entities }
    }

    #[test]
    fn documents_count_by_label_tier_and_wire() {
        let documents = [
            document("phi", "strong", "plain", &[]),
            document("phi", "strong", "openai", &[]),
            document("phi", "quasi", "plain", &[]),
            document("none", "neg", "plain", &[]),
            document("pii_only", "neg", "plain", &[]),
            Document { ambiguous: true, ..document("none", "neg", "plain", &[]) },
        ];
        let phi = said(Classification::Phi, Some(2), &[]);
        let quiet = said(Classification::HealthOnly, Some(3), &[]);
        let report = Report::of(&documents, &[phi.clone(), quiet.clone(), quiet.clone(), phi.clone(), quiet, phi]);
        assert_eq!((report.all.found, report.all.missed, report.all.false_alarms, report.all.quiet), (1, 2, 1, 1));
        assert_eq!((report.strong.recall(), report.all.alarm_rate(), report.all.precision()), (0.5, 0.5, 0.5));
        assert!((report.all.f1() - 0.4).abs() < 1e-9);
        assert!((report.encoded_minus_plain() + 50.0).abs() < 1e-9);
        assert_eq!((report.quasi.recall(), report.quasi_severe_part()), (0.0, 1.0));
        assert_eq!(report.harmless["none"].alarm_rate(), 1.0);
    }

    #[test]
    fn an_identifier_is_found_when_half_of_it_is_covered_by_a_fitting_type() {
        let labelled = [("SSN", 10, 20), ("DOB", 30, 40), ("FAX", 50, 60), ("NAME", 70, 74), ("NAME", 75, 80)];
        let documents = [document("phi", "strong", "plain", &labelled)];
        let found =
            [("SSN", 15, 20), ("DATE", 30, 34), ("DOB", 30, 40), ("PHONE", 44, 56), ("NAME", 70, 80), ("MRN", 10, 20)];
        let report = Report::of(&documents, &[said(Classification::Phi, None, &found)]);
        let of = |name: &str| {
            let counts = report.identifiers[name];
            (counts.labelled, counts.found, counts.told, counts.right)
        };
        assert_eq!(of("SSN"), (1, 1, 1, 1));
        assert_eq!(of("DOB"), (1, 1, 1, 1));
        assert_eq!(of("DATE"), (0, 0, 1, 1));
        assert_eq!(of("PHONE"), (1, 1, 1, 1), "a fax number is a telephone number");
        assert_eq!(of("NAME"), (2, 2, 1, 1), "one finding may hold two labelled names");
        assert_eq!(of("MRN"), (0, 0, 1, 0), "an MRN is no SSN");
    }

    #[test]
    fn a_text_is_lost_to_its_envelope_only_if_it_was_found_without() {
        let named = |id: &str, wire: &str, obf: &[&str]| Document {
            id: id.to_owned(),
            obf: obf.iter().map(|name| (*name).to_owned()).collect(),
            ..document("phi", "strong", wire, &[])
        };
        let documents = [
            named("a-0", "plain", &[]),
            named("a-0-form", "form", &[]),
            named("b-0", "plain", &[]),
            named("b-0-zwsp-form", "form", &["zwsp"]),
            named("c-0", "plain", &[]),
            named("c-0-form", "form", &[]),
        ];
        let (phi, none) = (said(Classification::Phi, None, &[]), said(Classification::None, None, &[]));
        let told = [&phi, &phi, &phi, &none, &none, &none].map(Clone::clone);
        let report = Report::of(&documents, &told);
        assert_eq!(report.wires["form"], Changed { texts: 2, lost: 1 });
        assert_eq!(report.disguises["zwsp"], Changed { texts: 1, lost: 1 });
    }

    #[test]
    fn findings_in_documents_that_are_labelled_in_part_are_neither_right_nor_wrong() {
        let documents = [Document { spans_complete: false, ..document("phi", "strong", "base64", &[]) }];
        let report = Report::of(&documents, &[said(Classification::Phi, None, &[("SSN", 0, 9)])]);
        assert!(report.identifiers.is_empty());
    }
}
