//! Decoded text of one exchange laid end to end, with a map from each byte to its path and source byte.
//! In: what extractors decode; out: windows for `scan` and places for findings. All text is normalised on its way
//! (`normalise`), and laid out (`layout`). Text before the scanned position is given back, so a long body never lies
//! whole in memory. Bounds: those of the layout, and what the normaliser holds back.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use super::Settings;
use super::embedded::{Embedded, Runs};
use super::layout::Layout;
pub use super::layout::Place;
use super::normalise::{Normaliser, Origin};

/// What the arena does with the text that it takes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Reading {
    /// Reads documents in base64, normalises the rest.
    #[default]
    Whole,
    /// Normalises: the text is that of a document in base64.
    Nested,
    /// Keeps bytes as they are, for a reader behind it.
    Verbatim,
}

/// The arena. Offsets are absolute: they count from the exchange's first decoded byte and never move.
#[derive(Default)]
pub struct Arena {
    layout: Layout,
    normaliser: Normaliser,
    reading: Reading,
    runs: Runs,
    embedded: Option<Box<Embedded>>,
    /// Bounds of documents in base64.
    settings: Settings,
}

impl Arena {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For bytes of a document that is yet to be read.
    pub(super) fn verbatim() -> Self {
        Self { reading: Reading::Verbatim, ..Self::default() }
    }

    /// For the text of a document in base64.
    pub(super) fn nested() -> Self {
        Self { reading: Reading::Nested, ..Self::default() }
    }

    /// Bounds documents in base64.
    pub(super) fn bound(&mut self, settings: &Settings) {
        self.settings = *settings;
    }

    /// Whether the text pushed last belongs to a document in base64.
    pub(super) fn is_in_document(&self) -> bool {
        self.embedded.is_some()
    }

    /// Makes it as new for another exchange, save that it keeps its memory.
    pub fn clear(&mut self) {
        self.layout.clear();
        self.normaliser.clear();
        self.runs.clear();
        self.embedded = None;
    }

    /// Starts a unit: what follows lies at `path`.
    pub fn begin(&mut self, path: &str) {
        self.begin_at(path.as_bytes());
    }

    /// [`Self::begin`] with a path that is known to be UTF-8.
    pub(super) fn begin_at(&mut self, path: &[u8]) {
        if !self.layout.is_at(path) {
            self.settle();
            self.layout.begin_at(path);
        }
    }

    /// Text that stands in the source byte for byte, from `source` on.
    #[inline]
    pub fn push(&mut self, bytes: &[u8], source: u64) {
        self.push_strided(bytes, source, 1);
    }

    /// Text each byte of which stands for `stride` source bytes, from `source` on (ASCII in UTF-16: 2).
    #[inline]
    pub fn push_strided(&mut self, bytes: &[u8], source: u64, stride: u8) {
        self.take(bytes, Origin::run(source, stride));
    }

    /// Decoded text that came from `source_len` source bytes from `source` on (an escape, an entity).
    #[inline]
    pub fn push_decoded(&mut self, bytes: &[u8], source: u64, source_len: u32) {
        self.take(bytes, Origin::decoded(source, source_len));
    }

    #[inline]
    fn take(&mut self, bytes: &[u8], origin: Origin) {
        match self.reading {
            Reading::Verbatim => origin.lay(bytes, &mut self.layout),
            Reading::Nested => self.normaliser.push(bytes, origin, &mut self.layout),
            Reading::Whole => self.take_whole(bytes, origin),
        }
    }

    #[inline]
    fn take_whole(&mut self, bytes: &[u8], origin: Origin) {
        let mut at = self.take_document(bytes);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let origin = origin.from(at);
            let Some((head, source)) = self.runs.find(rest, |index| origin.from(index).source()) else {
                return self.normaliser.push(rest, origin, &mut self.layout);
            };
            let (head, rest) = rest.split_at(head);
            self.normaliser.push(head, origin, &mut self.layout);
            self.normaliser.settle(&mut self.layout);
            self.layout.separator(b"\n");
            let path = String::from_utf8_lossy(self.layout.path()).into_owned();
            self.embedded = Some(Box::new(Embedded::new(&mut self.runs, source, path, &self.settings)));
            at += head.len() + self.take_document(rest);
        }
    }

    /// Reads what belongs to the document in base64, if one is being read; how many bytes that took.
    #[inline]
    fn take_document(&mut self, bytes: &[u8]) -> usize {
        let Some(embedded) = &mut self.embedded else { return 0 };
        let used = embedded.push(bytes, &mut self.layout);
        if used < bytes.len() {
            self.end_document();
        }
        used
    }

    fn end_document(&mut self) {
        if let Some(embedded) = self.embedded.take() {
            embedded.finish(&mut self.layout);
            if self.layout.last() != Some(b'\n') {
                self.layout.separator(b"\n");
            }
        }
    }

    /// What comes up to the next separator is known to be quoted-printable.
    pub(super) fn expect_quoted_printable(&mut self) {
        self.normaliser.expect_quoted_printable();
    }

    /// Nothing goes on with the text so far: what was held back of it comes out.
    #[inline]
    pub fn settle(&mut self) {
        self.end_document();
        self.runs.clear();
        self.normaliser.settle(&mut self.layout);
    }

    /// Hands all its text on, paths and all, as decoded from what begins at `source` of the other arena's.
    pub(super) fn pour(&mut self, into: &mut Self, source: u64) {
        if !self.text().is_empty() {
            into.settle();
            self.pour_into(&mut into.layout, source);
        }
    }

    /// [`Self::pour`] into what lies below another arena.
    pub(super) fn pour_into(&mut self, into: &mut Layout, source: u64) {
        self.layout.pour(into, source);
    }

    /// A separator of ours that stands nowhere in the source.
    #[inline]
    pub fn separator(&mut self, bytes: &[u8]) {
        self.settle();
        self.layout.separator(bytes);
    }

    /// Absolute offset of the first byte still held.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.layout.base()
    }

    /// Absolute offset after the last byte.
    #[must_use]
    #[inline]
    pub fn end(&self) -> u64 {
        self.layout.end()
    }

    /// The text still held, from `base()` to `end()`.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.layout.text()
    }

    /// Where the byte at `offset` came from. Offsets before `base()` give the nearest place still known.
    #[must_use]
    pub fn place(&self, offset: u64) -> Place<'_> {
        self.layout.place(offset)
    }

    /// Whether a value begins at `offset`: a path of its own does.
    #[must_use]
    pub fn begins_value(&self, offset: u64) -> bool {
        self.layout.begins_value(offset)
    }

    /// Where the byte before `offset` ended in the source: the exclusive end of a finding.
    #[must_use]
    pub fn source_end(&self, offset: u64) -> u64 {
        self.layout.source_end(offset)
    }

    /// Gives back what lies before `offset`.
    pub fn discard_before(&mut self, offset: u64) {
        self.layout.discard_before(offset);
    }

    /// Bytes of memory in use, for caps and tests.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.layout.memory_bytes()
    }
}
