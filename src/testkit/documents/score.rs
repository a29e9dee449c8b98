//! How well the detectors do on labelled documents. In: documents and what was said of them; out: a [`Report`].
//!
//! The rules are those by which the detectors are judged elsewhere, so that figures can be compared:
//!
//! - **Documents**: `phi` or not, without those that are marked ambiguous.
//! - **Recall of a type**: a labelled identifier counts as found when one finding of a fitting type covers at least
//!   half of it.
//! - **Precision of a type**: a finding is right when at least half of it lies on labelled identifiers that fit it.
//!   Counted only where all identifiers of a document are labelled, for types that `FITS` names.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use super::Document;
use crate::{
    content,
    detect::{self, Detector},
    event::{Classification, Finding, IdentifierType},
    sink::word,
};

/// A finding's type, and the labels that it may stand on.
const FITS: [(&str, &[&str]); 23] = [
    ("SSN", &["SSN", "SSN_INVALID"]),
    ("MRN", &["MRN", "ACCOUNT", "ACCESSION", "MEMBER_ID"]),
    ("DOB", &["DOB"]),
    ("DATE", &["DATE", "DOB"]),
    ("PHONE", &["PHONE", "FAX"]),
    ("EMAIL", &["EMAIL"]),
    ("NAME", &["NAME", "PROVIDER", "NAME_INITIALS"]),
    ("NPI", &["NPI", "NPI_INVALID"]),
    ("DEA", &["DEA"]),
    ("MBI", &["MBI"]),
    ("MEMBER_ID", &["MEMBER_ID", "ACCOUNT", "MBI", "MRN"]),
    ("ACCOUNT", &["ACCOUNT", "MEMBER_ID", "MRN", "ACCESSION"]),
    ("ICD10", &["ICD10"]),
    ("ADDRESS", &["ADDRESS", "CITY", "ZIP"]),
    ("IP", &["IP"]),
    ("VIN", &["VIN", "PLATE"]),
    ("CREDIT_CARD", &["CREDIT_CARD"]),
    ("LICENSE", &["LICENSE"]),
    ("AGE90", &["AGE90"]),
    ("URL", &["URL"]),
    ("DEVICE_ID", &["DEVICE_ID"]),
    ("NDC", &["NDC"]),
    ("CPT", &["CPT", "HCPCS"]),
];

/// Labels whose recall is counted; the others only make findings right.
const RECALLED: [&str; 22] = [
    "SSN",
    "MRN",
    "DOB",
    "DATE",
    "PHONE",
    "FAX",
    "EMAIL",
    "NAME",
    "NPI",
    "DEA",
    "MBI",
    "MEMBER_ID",
    "ACCOUNT",
    "ICD10",
    "ADDRESS",
    "IP",
    "VIN",
    "CREDIT_CARD",
    "LICENSE",
    "AGE90",
    "DEVICE_ID",
    "URL",
];

fn fits(found: &str, label: &str) -> bool {
    FITS.iter().any(|(name, labels)| *name == found && labels.contains(&label))
}

/// The label that a finding's type has in a corpus.
fn label_of(identifier: IdentifierType) -> String {
    match identifier {
        IdentifierType::AgeOver89 => "AGE90".to_owned(),
        IdentifierType::Fax => "PHONE".to_owned(),
        IdentifierType::Plate => "VIN".to_owned(),
        IdentifierType::Hcpcs => "CPT".to_owned(),
        other => word(&other).to_uppercase(),
    }
}

/// What was said of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    pub class: Classification,
    /// 1 critical to 4 low.
    pub severity: Option<u8>,
    /// Types as labels have them, with byte offsets.
    pub entities: Vec<(String, usize, usize)>,
}

/// Scans each document as `shadowtap scan` does.
#[must_use]
pub fn predict(documents: &[Document], detector: &Detector, settings: &content::Settings) -> Vec<Prediction> {
    let mut scanner = detector.scanner();
    let entity = |finding: &Finding| {
        let place = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
        (label_of(finding.identifier), place(finding.start), place(finding.end))
    };
    let mut of_document = |document: &Document| {
        let mut scanned = detect::Document::new(detector, settings);
        scanned.push(document.text.as_bytes(), detector, &mut scanner);
        let (verdict, found) = scanned.finish(detector, &mut scanner);
        Prediction {
            class: verdict.classification,
            severity: verdict.severity,
            entities: found.iter().map(|detected| entity(&detected.finding)).collect(),
        }
    };
    documents.iter().map(&mut of_document).collect()
}

/// Documents told rightly and wrongly as `phi`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    pub found: usize,
    pub missed: usize,
    pub false_alarms: usize,
    pub quiet: usize,
}

impl Documents {
    fn add(&mut self, is: bool, told: bool) {
        match (is, told) {
            (true, true) => self.found += 1,
            (true, false) => self.missed += 1,
            (false, true) => self.false_alarms += 1,
            (false, false) => self.quiet += 1,
        }
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.found + self.missed + self.false_alarms + self.quiet
    }

    #[must_use]
    pub fn precision(&self) -> f64 {
        part(self.found, self.found + self.false_alarms)
    }

    #[must_use]
    pub fn recall(&self) -> f64 {
        part(self.found, self.found + self.missed)
    }

    #[must_use]
    pub fn f1(&self) -> f64 {
        part(2 * self.found, 2 * self.found + self.missed + self.false_alarms)
    }

    /// Part of the harmless documents that raised an alarm.
    #[must_use]
    pub fn alarm_rate(&self) -> f64 {
        part(self.false_alarms, self.false_alarms + self.quiet)
    }
}

/// Identifiers of a type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identifiers {
    pub labelled: usize,
    pub found: usize,
    pub told: usize,
    pub right: usize,
}

impl Identifiers {
    #[must_use]
    pub fn recall(&self) -> f64 {
        part(self.found, self.labelled)
    }

    #[must_use]
    pub fn precision(&self) -> f64 {
        part(self.right, self.told)
    }
}

impl Changed {
    fn add(&mut self, found: bool) {
        self.texts += 1;
        self.lost += usize::from(!found);
    }

    #[must_use]
    pub fn lost_part(&self) -> f64 {
        part(self.lost, self.texts)
    }
}

/// A part of a whole; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts of documents are far below 2^52")]
fn part(count: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { count as f64 / whole as f64 }
}

/// All figures of a corpus.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub all: Documents,
    /// Direct identifiers, and all harmless documents.
    pub strong: Documents,
    pub quasi: Documents,
    /// Quasi-identifier documents with a severity of 1 to 3, whatever their class.
    pub quasi_severe: usize,
    pub plain: Documents,
    pub encoded: Documents,
    pub disguised: Documents,
    pub third_party: Documents,
    /// Harmless documents by label.
    pub harmless: BTreeMap<String, Documents>,
    /// By label of the identifier.
    pub identifiers: BTreeMap<String, Identifiers>,
    pub families: BTreeMap<String, Documents>,
    pub kinds: BTreeMap<String, Documents>,
    /// What envelopes and disguises make the detectors overlook: all, by envelope, by disguise.
    pub changed: Changed,
    pub wires: BTreeMap<String, Changed>,
    pub disguises: BTreeMap<String, Changed>,
}

/// Texts with patient data that are told rightly as they are, and how many of them no longer when changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    pub texts: usize,
    pub lost: usize,
}

impl Report {
    /// Compares what was said of each document with the truth.
    #[must_use]
    pub fn of(documents: &[Document], predictions: &[Prediction]) -> Self {
        let mut report = Self::default();
        let mut found_plain = HashSet::new();
        for (document, prediction) in documents.iter().zip(predictions) {
            report.add_identifiers(document, prediction);
            if document.ambiguous {
                continue;
            }
            report.add_document(document, prediction);
            let found = prediction.class == Classification::Phi;
            if original(document).is_some_and(|id| found_plain.contains(id)) {
                report.add_changed(document, found);
            } else if found && document.label == "phi" {
                found_plain.insert(document.id.as_str());
            }
        }
        report
    }

    /// Recall in envelopes less recall without, in points of a hundred.
    #[must_use]
    pub fn encoded_minus_plain(&self) -> f64 {
        100.0 * (self.encoded.recall() - self.plain.recall())
    }

    /// Part of the quasi-identifier documents with a severity of 1 to 3.
    #[must_use]
    pub fn quasi_severe_part(&self) -> f64 {
        part(self.quasi_severe, self.quasi.count())
    }

    fn add_document(&mut self, document: &Document, prediction: &Prediction) {
        let (is, told) = (document.label == "phi", prediction.class == Classification::Phi);
        self.all.add(is, told);
        self.families.entry(document.family.clone()).or_default().add(is, told);
        self.kinds.entry(document.kind.clone()).or_default().add(is, told);
        if document.tier == "quasi" {
            self.quasi.add(is, told);
            self.quasi_severe += usize::from(matches!(prediction.severity, Some(1..=3)));
        } else {
            self.strong.add(is, told);
        }
        if !is {
            self.harmless.entry(document.label.clone()).or_default().add(is, told);
        }
        if document.source != "own" {
            return self.third_party.add(is, told);
        }
        let wire = if document.wire == "plain" { &mut self.plain } else { &mut self.encoded };
        wire.add(is, told);
        if !document.obf.is_empty() {
            self.disguised.add(is, told);
        }
    }

    fn add_changed(&mut self, document: &Document, found: bool) {
        let wire = (document.wire != "plain").then_some((&mut self.wires, &document.wire));
        let disguise = document.obf.first().map(|name| (&mut self.disguises, name));
        self.changed.add(found);
        for (groups, name) in wire.into_iter().chain(disguise) {
            groups.entry(name.clone()).or_default().add(found);
        }
    }

    fn add_identifiers(&mut self, document: &Document, prediction: &Prediction) {
        let spans = || document.spans.iter().map(|(label, _, _, start, end)| (label.as_str(), *start, *end));
        for (label, start, end) in spans().filter(|(label, ..)| RECALLED.contains(label)) {
            let entities = prediction.entities.iter().filter(|(found, ..)| fits(found, label));
            let covered = entities.map(|(_, from, to)| overlap((start, end), (*from, *to))).max();
            let counts = self.identifiers.entry(if label == "FAX" { "PHONE" } else { label }.to_owned()).or_default();
            counts.labelled += 1;
            counts.found += usize::from(2 * covered.unwrap_or(0) >= end - start);
        }
        if !document.spans_complete {
            return;
        }
        for (found, start, end) in &prediction.entities {
            if !FITS.iter().any(|(name, _)| name == found) {
                continue;
            }
            let fitting = spans().filter(|(label, ..)| fits(found, label));
            let covered: usize = fitting.map(|(_, from, to)| overlap((*start, *end), (from, to))).sum();
            let counts = self.identifiers.entry(found.clone()).or_default();
            counts.told += 1;
            counts.right += usize::from(2 * covered >= end - start);
        }
    }
}

/// The id of the text as it was before it was changed, which comes before it.
fn original(document: &Document) -> Option<&str> {
    let id = document.id.strip_suffix(&document.wire)?.strip_suffix('-')?;
    match document.obf.first() {
        Some(disguise) => id.strip_suffix(disguise)?.strip_suffix('-'),
        None => Some(id),
    }
}

/// Bytes that two places share.
fn overlap(one: (usize, usize), other: (usize, usize)) -> usize {
    one.1.min(other.1).saturating_sub(one.0.max(other.0))
}

/// The table of `make eval`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slices = [
            ("all", &self.all),
            ("third party", &self.third_party),
            ("direct identifiers, harmless", &self.strong),
            ("plain", &self.plain),
            ("encoded", &self.encoded),
            ("disguised", &self.disguised),
        ];
        writeln!(f, "| documents | n | precision | recall | F1 | harmless flagged |\n|---|---|---|---|---|---|")?;
        for (name, slice) in slices.iter().filter(|(_, slice)| slice.count() > 0) {
            let (precision, recall, f1) = (slice.precision(), slice.recall(), slice.f1());
            let alarms = 100.0 * slice.alarm_rate();
            writeln!(f, "| {name} | {} | {precision:.3} | {recall:.3} | {f1:.3} | {alarms:.1} % |", slice.count())?;
        }
        for (label, slice) in &self.harmless {
            writeln!(f, "| of class {label} | {} | | | | {:.1} % |", slice.count(), 100.0 * slice.alarm_rate())?;
        }
        writeln!(f, "\n| figure | value |\n|---|---|")?;
        writeln!(f, "| document F1 | {:.3} |", self.all.f1())?;
        writeln!(f, "| recall, direct identifiers | {:.3} |", self.strong.recall())?;
        writeln!(f, "| harmless documents flagged | {:.2} % |", 100.0 * self.all.alarm_rate())?;
        writeln!(f, "| encoded minus plain recall | {:+.1} points |", self.encoded_minus_plain())?;
        writeln!(f, "| found as they are, lost when changed | {:.1} % |", 100.0 * self.changed.lost_part())?;
        writeln!(f, "| quasi-identifier documents, recall | {:.3} |", self.quasi.recall())?;
        writeln!(f, "| quasi-identifier documents at severity 1–3 | {:.3} |", self.quasi_severe_part())?;
        writeln!(f, "\n| identifier | labelled | recall | told | precision |\n|---|---|---|---|---|")?;
        let mut identifiers: Vec<_> = self.identifiers.iter().collect();
        identifiers.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.labelled));
        for (name, counts) in identifiers {
            let precision = if counts.told > 0 { format!("{:.3}", counts.precision()) } else { "–".to_owned() };
            writeln!(f, "| {name} | {} | {:.3} | {} | {precision} |", counts.labelled, counts.recall(), counts.told)?;
        }
        writeln!(f, "\n| kind | `phi` | recall | harmless | flagged |\n|---|---|---|---|---|")?;
        for (name, counts) in &self.kinds {
            let (patients, harmless) = (counts.found + counts.missed, counts.false_alarms + counts.quiet);
            let recall = if patients > 0 { format!("{:.2}", counts.recall()) } else { "–".to_owned() };
            writeln!(f, "| {name} | {patients} | {recall} | {harmless} | {} |", counts.false_alarms)?;
        }
        writeln!(f, "\n| changed by | texts told rightly as they are | lost |\n|---|---|---|")?;
        for (name, Changed { texts, lost }) in self.wires.iter().chain(&self.disguises) {
            writeln!(f, "| {name} | {texts} | {lost} |")?;
        }
        Ok(())
    }
}
