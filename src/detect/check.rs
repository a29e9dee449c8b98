//! Rules prove themselves on their own examples. In: a detector; out: a fault, with its place, for each example in
//! which it finds other than its file says. Each is read whole and cut in two at every byte.

use super::detection::{Detected, Detection};
use super::detector::{Detector, Scanner};
use super::rules::Example;
use crate::content::Arena;
use crate::yaml::Fault;

impl Detector {
    /// Every example whose findings are not what its file says.
    #[must_use]
    pub fn check_examples(&self) -> Vec<Fault> {
        let mut scanner = self.scanner();
        self.rules.examples.iter().filter_map(|example| self.check_example(&mut scanner, example)).collect()
    }

    fn check_example(&self, scanner: &mut Scanner, example: &Example) -> Option<Fault> {
        let text = example.text.as_bytes();
        for cut in 0..text.len() {
            let (left, right) = text.split_at(cut);
            let found = self.detect_parts(scanner, &[left, right]);
            let ours = || found.iter().filter(|detected| detected.finding.identifier == example.identifier);
            let values: Vec<_> = ours().filter_map(|detected| slice(text, detected)).collect();
            let wanted: Vec<_> = example.find.iter().map(String::as_bytes).collect();
            let sure = example.confidence.is_none_or(|sure| ours().all(|detected| detected.finding.confidence == sure));
            if values != wanted || !sure {
                let message = describe(example, &found, cut);
                return Some(example.source.fault(example.at, message));
            }
        }
        None
    }

    /// Findings in a document that comes in parts.
    fn detect_parts(&self, scanner: &mut Scanner, parts: &[&[u8]]) -> Vec<Detected> {
        let (mut arena, mut detection, mut found) = (Arena::new(), Detection::new(self), Vec::new());
        let mut source = 0;
        arena.begin("");
        for (index, part) in parts.iter().enumerate() {
            arena.push(part, source);
            source += part.len() as u64;
            detection.push(self, scanner, &mut arena, index + 1 == parts.len(), &mut found);
        }
        found
    }
}

fn slice<'a>(text: &'a [u8], detected: &Detected) -> Option<&'a [u8]> {
    text.get(usize::try_from(detected.finding.start).ok()?..usize::try_from(detected.finding.end).ok()?)
}

/// What was found in the example's place: types, places and confidence; the text stands in the file itself.
fn describe(example: &Example, found: &[Detected], cut: usize) -> String {
    use std::fmt::Write as _;
    let mut message = format!("example fails, cut at byte {cut}: wanted {} value(s)", example.find.len());
    if let Some(confidence) = example.confidence {
        let _ = write!(message, " of {confidence:?} confidence");
    }
    message.push_str(", found ");
    if found.is_empty() {
        message.push_str("none");
    }
    for (index, detected) in found.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let finding = &detected.finding;
        let _ = write!(
            message,
            "{comma}{:?} at {}..{} ({:?})",
            finding.identifier, finding.start, finding.end, finding.confidence
        );
    }
    message
}
