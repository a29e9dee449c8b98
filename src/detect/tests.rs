//! Laws of detection, on both engines.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;
use crate::content::Arena;
use crate::event::{Classification, Confidence, Deidentified, IdentifierType};
use crate::redact::FingerprintKey;
use crate::scan::EngineChoice;
use crate::yaml::{Located, Source};

/// The engines this build has.
fn choices() -> &'static [EngineChoice] {
    if cfg!(feature = "hyperscan") { &[EngineChoice::Native, EngineChoice::Hyperscan] } else { &[EngineChoice::Native] }
}

fn load(engine: EngineChoice) -> Detector {
    let settings = Settings { engine, max_window_bytes: Settings::MIN_WINDOW_BYTES, ..Settings::default() };
    Detector::load(&settings, None, &Signatures::built_in(), None).map_err(|faults| faults[0].to_string()).unwrap()
}

/// The built-in rules, once for all tests, on each engine.
fn detectors() -> &'static [Detector] {
    static DETECTORS: OnceLock<Vec<Detector>> = OnceLock::new();
    DETECTORS.get_or_init(|| choices().iter().map(|choice| load(*choice)).collect())
}

/// Findings and verdict of `text` that comes in parts cut at `cuts`.
fn detect_cut(detector: &Detector, text: &[u8], cuts: &[usize]) -> (Vec<Detected>, Verdict) {
    let (mut arena, mut scanner) = (Arena::new(), detector.scanner());
    let (mut detection, mut found) = (Detection::new(detector), Vec::new());
    arena.begin("");
    let mut from = 0;
    for to in cuts.iter().copied().chain([text.len()]) {
        arena.push(&text[from..to], from as u64);
        detection.push(detector, &mut scanner, &mut arena, to == text.len(), &mut found);
        from = to;
    }
    detection.push(detector, &mut scanner, &mut arena, true, &mut found);
    (found, detection.verdict())
}

fn detect(text: &str) -> (Vec<Detected>, Verdict) {
    detect_cut(&detectors()[0], text.as_bytes(), &[])
}

fn values<'a>(text: &'a str, found: &[Detected], kind: IdentifierType) -> Vec<&'a str> {
    let ours = found.iter().filter(|detected| detected.finding.identifier == kind);
    ours.map(|detected| &text[detected.arena_range.start as usize..detected.arena_range.end as usize]).collect()
}

#[test]
fn every_rule_finds_its_examples_on_every_engine() {
    for detector in detectors() {
        let faults: Vec<String> = detector.check_examples().iter().map(ToString::to_string).collect();
        assert!(faults.is_empty(), "{}: {}", detector.engine_report().engine, faults.join("\n"));
    }
}
