//! The rules with their engine, shared by all workers, and what each worker keeps for itself.
//!
//! What a hit means depends on text around it and on nothing else: at most [`Detector::context_before`] bytes before
//! its end and [`Detector::context_after`] behind. Both follow from the rules' widths and the constants here; an
//! arena keeps that much, so that where its windows cut cannot change a finding.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use super::detection::Detected;
use super::edm::PatientList;
use super::names;
use super::reading::LOOKAHEAD_BYTES;
use super::rules::Rules;
use super::settings::Settings;
use super::signatures::Signatures;
use super::structure::{MAX_LINE_BYTES, hl7::MAX_SEGMENT_BYTES};
use crate::redact::FingerprintKey;
use crate::scan::{self, Engine, EngineReport, RawHit, ScanError, Scratch};
use crate::yaml::{Fault, Source};

/// Bytes between a label's end and a value that it still speaks for, when its own value was read before.
pub(super) const LABEL_REACH_BYTES: usize = 64;

/// Bytes before an unlabelled value in which a veto word refuses it.
pub(super) const VETO_REACH_BYTES: usize = 40;

/// Bytes before a label in which one of its `behind` words stands.
pub(super) const BEHIND_REACH_BYTES: usize = 160;

/// Bytes beside a value that tell whether it stands alone.
const BOUNDARY_BYTES: usize = 4;

/// Compiled rules and their engine.
pub struct Detector {
    pub(super) rules: Rules,
    pub(super) engine: Arc<dyn Engine>,
    report: EngineReport,
    pub(super) fingerprints: Option<FingerprintKey>,
    /// The site's list of patients.
    pub(super) patients: Option<PatientList>,
    pub(super) window_bytes: usize,
    pub(super) max_findings: u64,
    pub(super) max_individuals: usize,
}

/// One worker's working memory. Holds no text; hits are positions.
pub struct Scanner {
    pub(super) scratch: Scratch,
    pub(super) hits: Vec<RawHit>,
    pub(super) names: Vec<names::Found>,
}

impl Detector {
    /// Compiles `signatures` under `settings`. `config` is the file the settings came from, for the places of faults;
    /// `fingerprints` is `redaction.key`.
    pub fn load(
        settings: &Settings,
        config: Option<&Source>,
        signatures: &Signatures,
        fingerprints: Option<FingerprintKey>,
    ) -> Result<Self, Vec<Fault>> {
        let rules = Rules::compile(signatures, settings, config)?;
        let samples: Vec<Vec<u8>> = rules.examples.iter().map(|example| example.text.clone().into_bytes()).collect();
        let of_settings = |error: ScanError| {
            let name = config.map_or("detect", |config| &*config.name);
            vec![Fault::of_file(name, format!("detect.engine: {error}"))]
        };
        let (engine, report) = scan::build(settings.engine, &rules.patterns, &samples).map_err(of_settings)?;
        let patients = settings.edm.as_ref().map(PatientList::load).transpose().map_err(|fault| vec![fault])?;
        Ok(Self {
            patients,
            rules,
            engine,
            report,
            fingerprints,
            window_bytes: settings.window_bytes(),
            max_findings: settings.max_findings_per_exchange,
            max_individuals: settings.max_individuals_per_exchange,
        })
    }

    /// Which engine scans, and what was noticed while building it.
    #[must_use]
    pub fn engine_report(&self) -> &EngineReport {
        &self.report
    }

    /// A worker's working memory.
    #[must_use]
    pub fn scanner(&self) -> Scanner {
        Scanner { scratch: self.engine.scratch(), hits: Vec::new(), names: Vec::new() }
    }

    /// Name of the file whose entry found it.
    #[must_use]
    pub fn file_of(&self, detected: &Detected) -> &str {
        self.rules.identifiers.get(usize::from(detected.entry)).map_or("", |identifier| &identifier.file)
    }

    /// The words that a text may show: those of ordinary text and of the rules.
    #[must_use]
    pub fn plain_words(&self) -> PlainWords<'_> {
        let labels =
            self.rules.identifiers.iter().flat_map(|identifier| &identifier.forms).flat_map(|form| &form.names);
        let labels = labels.flat_map(|label| label.split(|letter: char| !letter.is_alphanumeric()));
        PlainWords { names: &self.rules.names, labels: labels.map(str::to_lowercase).collect() }
    }

    /// Hits in `window`, unconfirmed: what the engine alone does, for benchmarks.
    #[must_use]
    pub fn count_hits(&self, scanner: &mut Scanner, window: &[u8]) -> usize {
        self.engine.scan(&mut scanner.scratch, window, &mut scanner.hits);
        scanner.hits.len()
    }

    /// Bytes before a hit's end on which its meaning can depend.
    #[must_use]
    pub fn context_before(&self) -> usize {
        let beside = LABEL_REACH_BYTES.max(VETO_REACH_BYTES).max(BEHIND_REACH_BYTES).max(names::ADDRESS_BEFORE_BYTES);
        self.rules.max_width + beside + BOUNDARY_BYTES
    }

    /// Bytes that the engine reads again, so that no match is lost between two windows.
    pub(super) fn search_overlap(&self) -> u64 {
        self.rules.max_width as u64
    }

    /// Bytes behind a hit's end on which its meaning can depend.
    #[must_use]
    pub fn context_after(&self) -> usize {
        LOOKAHEAD_BYTES.max(MAX_SEGMENT_BYTES)
    }

    /// Most text that waits for more: what a hit depends on, or a line that may be a table's.
    #[must_use]
    pub fn context_bytes(&self) -> usize {
        self.context_before() + self.context_after() + MAX_LINE_BYTES as usize
    }
}

/// Words that are nobody's name: those of ordinary text, unless they are written large and are names too, and those of labels.
pub struct PlainWords<'a> {
    names: &'a names::Lexicon,
    labels: HashSet<String>,
}

impl PlainWords<'_> {
    #[must_use]
    pub fn hold(&self, word: &str) -> bool {
        let known = self.names.known(word.as_bytes());
        let may_be_name = word.starts_with(char::is_uppercase) && known.is_name();
        (word.len() < 3 || known.is_word()) && !may_be_name || self.labels.contains(&word.to_lowercase())
    }
}

/// Keyed hash of a value: equal values in one process get equal numbers, and nobody else can compute them.
pub(super) fn identity(kind: &str, canonical: &[u8]) -> u64 {
    // Outlives detectors, so that counts of individuals go on over a reload.
    static KEY: OnceLock<ahash::RandomState> = OnceLock::new();
    KEY.get_or_init(ahash::RandomState::new).hash_one((kind, canonical))
}
