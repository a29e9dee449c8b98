//! One document by itself, without an exchange around it. In: bytes of any format; out: findings and a verdict.

use super::{Detected, Detection, Detector, Explanation, Scanner, Verdict};
use crate::content::{self, Arena, Body, ContentHint};

/// A document on its way through content and detection.
pub struct Document {
    body: Body,
    arena: Arena,
    detection: Detection,
    found: Vec<Detected>,
    /// All text so far, where it is to be shown.
    kept: Option<Vec<u8>>,
}

/// A document's verdict with all that it rests on.
pub struct Explained {
    pub verdict: Verdict,
    pub explanation: Explanation,
    pub found: Vec<Detected>,
    /// The text as it was read, in which findings stand at their `arena_range`. Raw: it leaves only masked.
    pub text: Vec<u8>,
}

impl Document {
    #[must_use]
    pub fn new(detector: &Detector, settings: &content::Settings) -> Self {
        Self {
            body: Body::new(&ContentHint::default(), &[], settings),
            arena: Arena::new(),
            detection: Detection::new(detector),
            found: Vec::new(),
            kept: None,
        }
    }

    /// Keeps the text for [`Self::finish_explained`], which takes as much memory as it has bytes.
    #[must_use]
    pub fn keeping_text(mut self) -> Self {
        self.kept = Some(Vec::new());
        self
    }

    /// The next bytes; cuts change nothing.
    pub fn push(&mut self, bytes: &[u8], detector: &Detector, scanner: &mut Scanner) {
        self.body.push(bytes, &mut self.arena);
        self.keep();
        self.detection.push(detector, scanner, &mut self.arena, false, &mut self.found);
    }

    /// What was found in all that was pushed.
    pub fn finish(mut self, detector: &Detector, scanner: &mut Scanner) -> (Verdict, Vec<Detected>) {
        self.end(detector, scanner);
        (self.detection.verdict(), self.found)
    }

    /// [`Self::finish`], and why.
    pub fn finish_explained(mut self, detector: &Detector, scanner: &mut Scanner) -> Explained {
        self.end(detector, scanner);
        Explained {
            verdict: self.detection.verdict(),
            explanation: self.detection.explain(detector),
            found: self.found,
            text: self.kept.unwrap_or_default(),
        }
    }

    fn end(&mut self, detector: &Detector, scanner: &mut Scanner) {
        self.body.finish(true, &mut self.arena);
        self.arena.settle();
        self.keep();
        self.detection.push(detector, scanner, &mut self.arena, true, &mut self.found);
    }

    /// Keeps what the arena has got since, before it gives it back.
    fn keep(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        let new = (kept.len() as u64).saturating_sub(self.arena.base());
        kept.extend_from_slice(self.arena.text().get(new as usize..).unwrap_or_default());
    }
}
