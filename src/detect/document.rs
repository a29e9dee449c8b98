//! One document by itself, without an exchange around it. In: bytes of any format; out: findings and a verdict.

use super::{Detected, Detection, Detector, Scanner, Verdict};
use crate::content::{self, Arena, Body, ContentHint};

/// A document on its way through content and detection.
pub struct Document {
    body: Body,
    arena: Arena,
    detection: Detection,
    found: Vec<Detected>,
}

impl Document {
    #[must_use]
    pub fn new(detector: &Detector, settings: &content::Settings) -> Self {
        Self {
            body: Body::new(&ContentHint::default(), &[], settings),
            arena: Arena::new(),
            detection: Detection::new(detector),
            found: Vec::new(),
        }
    }

    /// The next bytes; cuts change nothing.
    pub fn push(&mut self, bytes: &[u8], detector: &Detector, scanner: &mut Scanner) {
        self.body.push(bytes, &mut self.arena);
        self.detection.push(detector, scanner, &mut self.arena, false, &mut self.found);
    }

    /// What was found in all that was pushed.
    pub fn finish(mut self, detector: &Detector, scanner: &mut Scanner) -> (Verdict, Vec<Detected>) {
        self.body.finish(true, &mut self.arena);
        self.detection.push(detector, scanner, &mut self.arena, true, &mut self.found);
        (self.detection.verdict(), self.found)
    }
}
