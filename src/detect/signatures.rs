//! The identifier files, `signatures/phi/*.yaml` and `icd10cm.txt`, as they stand: built into the binary, or read
//! from a directory in their place. In: files; out: one [`Entries`] or faults with their places. A file may hold any
//! of the sections; files are read in the order of their names and add up.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::event::{Confidence, IdentifierType};
use crate::yaml::{Fault, Located, Source};

/// The files in the binary.
const BUILT_IN: &[(&str, &str)] = &[
    ("phi/address.yaml", include_str!("../../signatures/phi/address.yaml")),
    ("phi/account.yaml", include_str!("../../signatures/phi/account.yaml")),
    ("phi/age.yaml", include_str!("../../signatures/phi/age.yaml")),
    ("phi/classification.yaml", include_str!("../../signatures/phi/classification.yaml")),
    ("phi/codes.yaml", include_str!("../../signatures/phi/codes.yaml")),
    ("phi/context.yaml", include_str!("../../signatures/phi/context.yaml")),
    ("phi/credit_card.yaml", include_str!("../../signatures/phi/credit_card.yaml")),
    ("phi/date.yaml", include_str!("../../signatures/phi/date.yaml")),
    ("phi/dea.yaml", include_str!("../../signatures/phi/dea.yaml")),
    ("phi/deidentified.yaml", include_str!("../../signatures/phi/deidentified.yaml")),
    ("phi/device_id.yaml", include_str!("../../signatures/phi/device_id.yaml")),
    ("phi/dob.yaml", include_str!("../../signatures/phi/dob.yaml")),
    ("phi/edm.yaml", include_str!("../../signatures/phi/edm.yaml")),
    ("phi/email.yaml", include_str!("../../signatures/phi/email.yaml")),
    ("phi/fields.yaml", include_str!("../../signatures/phi/fields.yaml")),
    ("phi/health.yaml", include_str!("../../signatures/phi/health.yaml")),
    ("phi/icd10.yaml", include_str!("../../signatures/phi/icd10.yaml")),
    ("phi/license.yaml", include_str!("../../signatures/phi/license.yaml")),
    ("phi/mbi.yaml", include_str!("../../signatures/phi/mbi.yaml")),
    ("phi/member_id.yaml", include_str!("../../signatures/phi/member_id.yaml")),
    ("phi/mrn.yaml", include_str!("../../signatures/phi/mrn.yaml")),
    ("phi/name.yaml", include_str!("../../signatures/phi/name.yaml")),
    ("phi/names.yaml", include_str!("../../signatures/phi/names.yaml")),
    ("phi/network.yaml", include_str!("../../signatures/phi/network.yaml")),
    ("phi/npi.yaml", include_str!("../../signatures/phi/npi.yaml")),
    ("phi/phone.yaml", include_str!("../../signatures/phi/phone.yaml")),
    ("phi/records.yaml", include_str!("../../signatures/phi/records.yaml")),
    ("phi/secret.yaml", include_str!("../../signatures/phi/secret.yaml")),
    ("phi/ssn.yaml", include_str!("../../signatures/phi/ssn.yaml")),
    ("phi/vehicle.yaml", include_str!("../../signatures/phi/vehicle.yaml")),
    ("phi/zip.yaml", include_str!("../../signatures/phi/zip.yaml")),
];

const ICD10CM: &str = include_str!("../../signatures/phi/icd10cm.txt");

/// Name of the code list in a signature directory.
const ICD10CM_FILE: &str = "icd10cm.txt";

/// Files of signatures, not yet parsed.
#[derive(Clone, Debug)]
pub struct Signatures {
    pub files: Vec<Source>,
    /// The ICD-10-CM code list (see `icd10cm.py` for its form).
    pub icd10cm: Source,
}

impl Signatures {
    #[must_use]
    pub fn built_in() -> Self {
        Self {
            files: BUILT_IN.iter().map(|(name, text)| Source::new(*name, *text)).collect(),
            icd10cm: Source::new("phi/icd10cm.txt", ICD10CM),
        }
    }

    /// Reads `directory/phi/`. A directory without a code list uses the built-in one.
    pub fn read(directory: &Path) -> Result<Self, Vec<Fault>> {
        let folder = directory.join("phi");
        let unreadable = |error: std::io::Error| vec![Fault::of_file(folder.display().to_string(), error.to_string())];
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
        if paths.is_empty() {
            return Err(vec![Fault::of_file(folder.display().to_string(), "holds no .yaml file")]);
        }
        let (mut files, mut faults) = (Vec::new(), Vec::new());
        for path in paths {
            match Source::read(&path) {
                Ok(source) => files.push(source),
                Err(fault) => faults.push(fault),
            }
        }
        let list = folder.join(ICD10CM_FILE);
        let icd10cm = if list.exists() { Source::read(&list) } else { Ok(Self::built_in().icd10cm) };
        match icd10cm {
            Ok(icd10cm) if faults.is_empty() => Ok(Self { files, icd10cm }),
            Ok(_) => Err(faults),
            Err(fault) => {
                faults.push(fault);
                Err(faults)
            }
        }
    }

    /// The words beside names alone.
    #[cfg(test)]
    pub(super) fn lexicon(&self) -> super::names::Lexicon {
        let mut lexicon = super::names::Lexicon::default();
        let entries = self.parse().unwrap_or_default();
        entries.names.iter().for_each(|(_, entry)| lexicon.add(entry));
        entries.addresses.iter().for_each(|(_, entry)| lexicon.add_addresses(entry));
        for (_, entry) in &entries.health {
            entry.terms.iter().for_each(|term| lexicon.add_word(term));
        }
        lexicon
    }

    pub(super) fn parse(&self) -> Result<Entries, Vec<Fault>> {
        let (mut entries, mut faults) = (Entries::default(), Vec::new());
        for source in &self.files {
            match source.parse::<SignatureFile>() {
                Ok(file) => entries.add(source, file),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(entries) } else { Err(faults) }
    }
}

/// All files together; what faults may point into keeps its source.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) identifiers: Vec<(Source, IdentifierEntry)>,
    pub(super) health: Vec<(Source, HealthEntry)>,
    pub(super) deidentified: Vec<(Source, DeidentifiedEntry)>,
    pub(super) names: Vec<(Source, NamesEntry)>,
    pub(super) addresses: Vec<(Source, AddressesEntry)>,
    pub(super) classification: Option<(Source, ClassificationEntry)>,
    pub(super) filler_words: Vec<String>,
    pub(super) columns: ColumnsEntry,
    pub(super) vetoes: BTreeMap<String, Vec<String>>,
}

impl Entries {
    fn add(&mut self, source: &Source, file: SignatureFile) {
        self.identifiers.extend(file.identifiers.into_iter().map(|entry| (source.clone(), entry)));
        self.health.extend(file.health.into_iter().map(|entry| (source.clone(), entry)));
        self.deidentified.extend(file.deidentified.map(|entry| (source.clone(), entry)));
        self.names.extend(file.names.map(|entry| (source.clone(), entry)));
        self.addresses.extend(file.addresses.map(|entry| (source.clone(), entry)));
        if let Some(entry) = file.classification {
            self.classification = Some((source.clone(), entry));
        }
        self.filler_words.extend(file.filler_words);
        self.columns.staff.extend(file.columns.staff);
        self.columns.patient.extend(file.columns.patient);
        for (name, words) in file.vetoes {
            self.vetoes.entry(name).or_default().extend(words);
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureFile {
    #[serde(default)]
    identifiers: Vec<IdentifierEntry>,
    #[serde(default)]
    health: Vec<HealthEntry>,
    deidentified: Option<DeidentifiedEntry>,
    names: Option<NamesEntry>,
    addresses: Option<AddressesEntry>,
    classification: Option<ClassificationEntry>,
    /// Words that may stand between any label and its value.
    #[serde(default)]
    filler_words: Vec<String>,
    /// Words in the heads of columns.
    #[serde(default)]
    columns: ColumnsEntry,
    /// Named word lists: behind such a word, an unlabelled value is something else.
    #[serde(default)]
    vetoes: BTreeMap<String, Vec<String>>,
}

/// Words in the heads of columns that say whose the values are.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnsEntry {
    /// Of somebody else than a patient: `provider`.
    #[serde(default)]
    pub(super) staff: Vec<String>,
    #[serde(default)]
    pub(super) patient: Vec<String>,
}

/// One identifier.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentifierEntry {
    #[serde(rename = "type")]
    pub(super) identifier: Located<IdentifierType>,
    /// Function in `detect/validate`; without one, the form alone decides.
    pub(super) validator: Option<Located<String>>,
    /// Whether it names a person.
    #[serde(default)]
    pub(super) person: bool,
    /// Whether, with a label, little health context makes it PHI.
    #[serde(default)]
    pub(super) strong: bool,
    /// What it adds to the identifier score.
    #[serde(default)]
    pub(super) weight: f64,
    /// What it adds to the health score.
    #[serde(default)]
    pub(super) health: f64,
    /// What it adds to the score of quasi-identifiers.
    #[serde(default)]
    pub(super) quasi: f64,
    /// Severity (1 to 4) of a PHI document that holds it.
    pub(super) severity: Option<Located<u8>>,
    /// Values of manuals and forms, that are nobody's; one that ends in `*` stands for all that begin so. Only
    /// letters and digits count.
    #[serde(default)]
    pub(super) samples: Vec<Located<String>>,
    #[serde(default)]
    pub(super) labels: Vec<LabelEntry>,
    #[serde(default)]
    pub(super) shapes: Vec<ShapeEntry>,
    #[serde(default)]
    pub(super) fields: Vec<FieldEntry>,
    #[serde(default)]
    pub(super) examples: Vec<ExampleEntry>,
    /// Texts in which nothing of this type is found.
    #[serde(default)]
    pub(super) negative_examples: Vec<Located<String>>,
}

/// Labels, and what the value behind them looks like.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelEntry {
    pub(super) names: Vec<Located<String>>,
    pub(super) value: Located<String>,
    pub(super) confidence: Confidence,
    /// The value may be without a digit: a name. All others are passed over without reading where none is near.
    #[serde(default)]
    pub(super) without_digits: bool,
    /// Counts only in a text that speaks of health, as with shapes.
    #[serde(default)]
    pub(super) needs_health: bool,
    /// The value may follow at once, letter on letter: the field ids of NCPDP.
    #[serde(default)]
    pub(super) glued: bool,
    /// Counts only in a text that was found to be one of these (`fhir`).
    #[serde(default)]
    pub(super) within: Vec<Located<IdentifierType>>,
    /// One of these words stands shortly before the label, or in the value's path, and no label of this kind between.
    #[serde(default)]
    pub(super) behind: Vec<Located<String>>,
    /// Marks may stand between label and value, but no filler words.
    #[serde(default)]
    pub(super) no_filler: bool,
    /// No object of JSON ends between such a word and the label.
    #[serde(default)]
    pub(super) same_object: bool,
    /// The words are the beginning of the value itself: `AKIA`, `(01)`, `January`.
    #[serde(default)]
    pub(super) begins: bool,
    /// What is read may be the beginning of something longer, of which it tells enough.
    #[serde(default)]
    pub(super) open_ended: bool,
    /// The value is only the end of what is read, of this form.
    pub(super) tail: Option<Located<String>>,
    /// Words that make it another label where they stand right before it: `birth` before `date`.
    #[serde(default)]
    pub(super) not_after: Vec<String>,
}

/// Values that are known by where they stand: columns with a head, fields of records.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldEntry {
    /// Heads of columns; with `=` before it, only as the whole head.
    #[serde(default)]
    pub(super) columns: Vec<String>,
    /// Fields of HL7 segments: `PID-5`; `PID-3.SS` where the fifth component says so.
    #[serde(default)]
    pub(super) records: Vec<Located<String>>,
    pub(super) value: Located<String>,
    pub(super) confidence: Confidence,
    #[serde(default)]
    pub(super) needs_health: bool,
    /// The value is all components of an HL7 field, not the first.
    #[serde(default)]
    pub(super) components: bool,
}

/// A value that is looked for without a label.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShapeEntry {
    pub(super) pattern: Located<String>,
    /// Endings of every match: words to look for in the pattern's stead, for one that has no other cheap way.
    #[serde(default)]
    pub(super) endings: Vec<Located<String>>,
    /// Confidence without a label; left out with `labelled_only`.
    pub(super) confidence: Option<Confidence>,
    /// Counts only within reach of a label.
    #[serde(default)]
    pub(super) labelled_only: bool,
    /// Counts only in a text that speaks of health: it waits for the first words that do.
    #[serde(default)]
    pub(super) needs_health: bool,
    /// Two characters that must stand around it: `()`.
    pub(super) enclosed: Option<Located<String>>,
    /// The value is only the beginning of a match, of this form: the `93` of `93-year-old`.
    pub(super) head: Option<Located<String>>,
    /// Counts without a label only in running text: of a table's cell, the head of its column says what it is.
    #[serde(default)]
    pub(super) outside_tables: bool,
    /// Word lists that refuse it (see `vetoes`).
    #[serde(default)]
    pub(super) veto: Vec<Located<String>>,
}

/// A text and the values that are found in it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExampleEntry {
    pub(super) text: Located<String>,
    pub(super) find: Vec<String>,
    /// Confidence of all of them.
    pub(super) confidence: Option<Confidence>,
}

/// Words of health care, one category.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthEntry {
    pub(super) category: Located<String>,
    pub(super) weight: f64,
    pub(super) terms: Vec<Located<String>>,
}

/// Traces of de-identification.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeidentifiedEntry {
    pub(super) placeholders: Vec<Located<String>>,
    /// Values made vague; each counts as a placeholder.
    #[serde(default)]
    pub(super) generalised: Vec<Located<String>>,
    pub(super) statements: Vec<Located<String>>,
}

/// Words beside names (see `names.yaml`), none of them in need of the others.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NamesEntry {
    /// Stand before a patient's name.
    pub(super) patient: Vec<Located<String>>,
    /// Stand before or behind a relative's.
    pub(super) relatives: Vec<Located<String>>,
    /// Stand before anybody's.
    pub(super) titles: Vec<Located<String>>,
    /// Stand before the name of one who treats, writes or serves.
    pub(super) providers: Vec<Located<String>>,
    /// As those, before a colon only.
    pub(super) headers: Vec<Located<String>>,
    /// Stand behind such a name, in capitals.
    pub(super) credentials: Vec<Located<String>>,
    /// Stand behind a patient's name.
    pub(super) behind: Vec<Located<String>>,
    /// Stand on the line of a name in a list of staff.
    pub(super) staff: Vec<Located<String>>,
    /// May stand between such a word and the name.
    pub(super) links: Vec<Located<String>>,
    /// Make a name a thing's, in it or behind it.
    pub(super) things: Vec<Located<String>>,
    /// Make a name a place's, before it.
    pub(super) places: Vec<Located<String>>,
    /// Whole names of nobody.
    pub(super) nobody: Vec<Located<String>>,
    /// Names that are words of ordinary text too.
    pub(super) words: Vec<Located<String>>,
    /// Words that no name has.
    pub(super) no_names: Vec<Located<String>>,
}

/// Words of postal addresses (see `address.yaml`).
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AddressesEntry {
    /// Stand before the address of a home.
    pub(super) homes: Vec<Located<String>>,
    /// Stand before any address.
    pub(super) labels: Vec<Located<String>>,
    /// End a street's name.
    pub(super) endings: Vec<Located<String>>,
    /// Are a street's name.
    pub(super) whole: Vec<Located<String>>,
    /// Begin a street's name.
    pub(super) leading: Vec<Located<String>>,
    /// Post office boxes.
    pub(super) boxes: Vec<Located<String>>,
    /// Stand before the number of a flat.
    pub(super) units: Vec<Located<String>>,
}

/// How findings and words become a class (see `classification.yaml`).
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassificationEntry {
    pub(super) clear_health: f64,
    pub(super) some_health: f64,
    pub(super) described: f64,
    pub(super) record_health: f64,
    pub(super) one_category: f64,
    pub(super) more_codes: u32,
    pub(super) quasi_health: f64,
    pub(super) quasi_in_case: f64,
    pub(super) quasi_alone: f64,
    pub(super) many_individuals: u64,
    pub(super) long_bytes: u64,
    pub(super) long_health: f64,
    pub(super) worth: Worth,
    pub(super) case: Located<String>,
    pub(super) career: Located<String>,
}

impl ClassificationEntry {
    /// Health that a text of so many bytes has here and there.
    pub(super) fn scattered(&self, bytes: u64) -> f64 {
        let doublings = (bytes as f64 / self.long_bytes.max(1) as f64).log2();
        doublings.max(0.0) * self.long_health
    }
}

/// What a finding is worth beside a certain one.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Worth {
    pub(super) high: f64,
    pub(super) medium: f64,
    pub(super) low: f64,
}
