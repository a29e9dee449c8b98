//! Decoded text of one exchange laid end to end, with a map from each byte to its path and source byte.
//! In: what extractors decode; out: windows for `scan` and places for findings. All text is normalised on its way
//! (`normalise`), and laid out (`layout`). Text before the scanned position is given back, so a long body never lies
//! whole in memory. Bounds: those of the layout, and what the normaliser holds back.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use super::layout::Layout;
pub use super::layout::Place;
use super::normalise::{Normaliser, Origin};

/// The arena. Offsets are absolute: they count from the exchange's first decoded byte and never move.
#[derive(Default)]
pub struct Arena {
    layout: Layout,
    normaliser: Normaliser,
    /// Takes bytes of documents that are yet to be read: nothing is normalised.
    is_verbatim: bool,
}

impl Arena {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that keeps bytes as they are, for a reader behind it.
    pub(super) fn verbatim() -> Self {
        Self { is_verbatim: true, ..Self::default() }
    }

    /// Makes it as new for another exchange, save that it keeps its memory.
    pub fn clear(&mut self) {
        self.layout.clear();
        self.normaliser.clear();
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
        if self.is_verbatim {
            self.layout.push_strided(bytes, source, stride);
        } else {
            self.normaliser.push(bytes, Origin::run(source, stride), &mut self.layout);
        }
    }

    /// Decoded text that came from `source_len` source bytes from `source` on (an escape, an entity).
    #[inline]
    pub fn push_decoded(&mut self, bytes: &[u8], source: u64, source_len: u32) {
        if self.is_verbatim {
            self.layout.push_decoded(bytes, source, source_len);
        } else {
            self.normaliser.push(bytes, Origin::decoded(source, source_len), &mut self.layout);
        }
    }

    /// Nothing goes on with the text so far: what was held back of it comes out.
    pub fn settle(&mut self) {
        self.normaliser.settle(&mut self.layout);
    }

    /// Hands all its text on, paths and all, as decoded from what begins at `source` of the other arena's.
    pub(super) fn pour(&mut self, into: &mut Self, source: u64) {
        if !self.text().is_empty() {
            into.settle();
            self.layout.pour(&mut into.layout, source);
        }
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
