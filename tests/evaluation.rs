//! The detectors do no worse on the generated corpus than they did (docs/evaluation.md). A floor is what was reached,
//! less a little, or the goal where that is reached; it may only rise. Who makes the detectors better raises it in the same change; who changes the corpus
//! says in that change what the new floors follow from.

use shadowtap::{
    content,
    detect::{self, Detector, Signatures},
    testkit::documents::{
        Plan, corpus,
        score::{Report, predict},
    },
};

/// Figures of documents.
const FLOORS: [(&str, f64); 8] = [
    ("F1", 0.95),
    ("recall, direct identifiers", 0.93),
    ("harmless documents that raise no alarm", 0.995),
    ("of class none", 0.998),
    ("encoded minus plain recall, in points", -2.0),
    ("found as they are, and when changed", 0.99),
    ("recall, quasi-identifiers", 0.70),
    ("quasi-identifiers at severity 1 to 3", 0.70),
];

/// Recall and precision of identifiers.
const IDENTIFIERS: [(&str, f64, f64); 13] = [
    ("SSN", 0.84, 0.98),
    ("MRN", 0.90, 0.98),
    ("MBI", 0.98, 0.98),
    ("DOB", 0.97, 0.98),
    ("NAME", 0.84, 0.97),
    ("PHONE", 0.98, 0.98),
    ("EMAIL", 0.82, 0.98),
    ("NPI", 0.94, 0.98),
    ("DEA", 0.95, 0.98),
    ("ICD10", 0.89, 0.98),
    ("ADDRESS", 0.99, 0.98),
    ("ACCOUNT", 0.92, 0.97),
    ("AGE90", 0.94, 0.98),
];

fn report() -> Report {
    let detector = Detector::load(&detect::Settings::default(), None, &Signatures::built_in(), None)
        .unwrap_or_else(|faults| panic!("{faults:?}"));
    let documents = corpus(Plan::STANDARD);
    Report::of(&documents, &predict(&documents, &detector, &content::Settings::default()))
}

#[test]
fn the_detectors_hold_their_floors() {
    let report = report();
    let quiet = |label: &str| 1.0 - report.harmless.get(label).map_or(1.0, |counts| counts.alarm_rate());
    let figures = [
        report.all.f1(),
        report.strong.recall(),
        1.0 - report.all.alarm_rate(),
        quiet("none"),
        report.encoded_minus_plain(),
        1.0 - report.changed.lost_part(),
        report.quasi.recall(),
        report.quasi_severe_part(),
    ];
    let mut below = Vec::new();
    for ((name, floor), figure) in FLOORS.iter().zip(figures) {
        if figure < *floor {
            below.push(format!("{name}: {figure:.3} is below {floor:.3}"));
        }
    }
    for (name, recall, precision) in IDENTIFIERS {
        let counts = report.identifiers.get(name).copied().unwrap_or_default();
        if counts.recall() < recall || counts.precision() < precision {
            let reached = format!("recall {:.3}, precision {:.3}", counts.recall(), counts.precision());
            below.push(format!("{name}: {reached} is below {recall:.3}, {precision:.3}"));
        }
    }
    assert!(below.is_empty(), "{}\n\n{report}", below.join("\n"));
}
