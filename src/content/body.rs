//! One body from first to last byte: undoes its content codings, chooses its format, feeds it. In: bytes after
//! transfer coding, and holes; out: text in an [`Arena`], a [`Status`]. Bounds: those of its codings and format, 512
//! bytes until the format is chosen. Offsets in the arena count decoded bytes.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use super::encoding::Codings;
use super::sniff::Sniffed;
use super::{Arena, ContentHint, Extractor, Opening, Reason, Reasons, Settings, binary};

/// What became of a body so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Bytes pushed, as sent.
    pub seen_bytes: u64,
    /// Bytes lost in holes, as sent.
    pub lost_bytes: u64,
    /// Bytes, as sent, whose text reached the arena, punctuation of the format included. Where only part of what a
    /// coding decoded to was text, the same part of the coded bytes.
    pub scanned_bytes: u64,
    /// Bytes after content decoding.
    pub decoded_bytes: u64,
    /// Name of the format, once chosen.
    pub format: Option<&'static str>,
    /// Why not everything was read.
    pub reasons: Reasons,
}

/// A body being read.
pub struct Body {
    codings: Codings,
    document: Sniffed,
    settings: Settings,
    seen: u64,
    lost: u64,
    decoded: u64,
    reasons: Reasons,
    /// Nothing more can be decoded.
    stopped: bool,
}

impl Body {
    /// `codings` as in `Content-Encoding`, in the order applied.
    #[must_use]
    pub fn new(hint: &ContentHint<'_>, codings: &[String], settings: &Settings) -> Self {
        let mut document = Sniffed::new(&Opening {
            hint,
            first: &[],
            settings,
            path: "",
            source: 0,
            watched: &[],
            nesting: 0,
            after_gap: false,
        });
        let mut reasons = Reasons::default();
        let codings = Codings::new(codings, settings).unwrap_or_else(|| {
            // The coded bytes are searched for printable runs: the header may lie.
            reasons.insert(Reason::UnknownCoding);
            document.force(&binary::FORMAT);
            Codings::none()
        });
        Self { codings, document, settings: *settings, seen: 0, lost: 0, decoded: 0, reasons, stopped: false }
    }

    /// Captures the first value of each of these top-level members (JSON) or fields (forms), up to 128 bytes.
    #[must_use]
    pub fn watch(mut self, names: &'static [&'static str]) -> Self {
        self.document.watch(names);
        self
    }

    /// The next bytes.
    pub fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        if self.seen == 0 {
            arena.bound(&self.settings);
        }
        self.seen += bytes.len() as u64;
        if self.stopped {
            return;
        }
        if self.codings.is_empty() {
            self.decoded += bytes.len() as u64;
            return self.document.push(bytes, arena);
        }
        let (document, decoded) = (&mut self.document, &mut self.decoded);
        let stopped = self.codings.push(bytes, &mut |bytes| {
            *decoded += bytes.len() as u64;
            document.push(bytes, arena);
        });
        if let Some(reason) = stopped {
            self.stopped = true;
            self.reasons.insert(reason);
        }
    }

    /// So many bytes, as sent, are lost. A coding cannot go on after them.
    pub fn gap(&mut self, lost: u64, arena: &mut Arena) {
        if lost == 0 {
            return;
        }
        self.lost += lost;
        self.reasons.insert(Reason::Gap);
        if !self.codings.is_empty() {
            self.stopped = true;
        } else {
            self.document.gap(lost, arena);
        }
    }

    /// The body ended; `complete` when all of it was there, as far as its sender said how long it is.
    pub fn finish(&mut self, complete: bool, arena: &mut Arena) {
        let (document, decoded) = (&mut self.document, &mut self.decoded);
        if !self.stopped {
            let reasons = self.codings.finish(&mut |bytes| {
                *decoded += bytes.len() as u64;
                document.push(bytes, arena);
            });
            self.reasons.extend(reasons);
        }
        if !complete {
            self.reasons.insert(Reason::Truncated);
        }
        self.document.finish(arena);
        arena.settle();
    }

    #[must_use]
    pub fn status(&self) -> Status {
        let report = self.document.report();
        let mut reasons = self.reasons;
        reasons.extend(report.reasons);
        let read = self.decoded.saturating_sub(report.unread_bytes);
        let used = if self.codings.is_empty() { self.decoded } else { self.codings.used() };
        let scanned = u128::from(used) * u128::from(read) / u128::from(self.decoded.max(1));
        Status {
            seen_bytes: self.seen,
            lost_bytes: self.lost,
            scanned_bytes: u64::try_from(scanned).unwrap_or(used),
            decoded_bytes: self.decoded,
            format: self.document.format(),
            reasons,
        }
    }

    /// The value of a watched member, once it was there. It is as sent: nothing of it leaves without `redact`.
    #[must_use]
    pub fn captured(&self, name: &str) -> Option<&str> {
        self.document.captures()?.get(name)
    }
}
