//! Decoded text of one exchange laid end to end, with a map from each byte to its path and source byte.
//! In: what extractors decode; out: windows for `scan` and places for findings. Text before the scanned position
//! is given back, so a long body never lies whole in memory.

/// Where a byte of the arena came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// E.g. `messages[1].content`; empty for plain text.
    pub path: &'a str,
    /// Byte offset in the source.
    pub source: u64,
}

/// The arena. Offsets are absolute: they count from the exchange's first decoded byte and never move.
#[derive(Default)]
pub struct Arena {
    base: u64,
    text: Vec<u8>,
}

impl Arena {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a unit: what follows lies at `path`.
    pub fn begin(&mut self, path: &str) {
        let _ = path;
    }

    /// Text that stands in the source byte for byte, from `source` on.
    pub fn push(&mut self, bytes: &[u8], source: u64) {
        let _ = source;
        self.text.extend_from_slice(bytes);
    }

    /// Decoded text that came from `source_len` source bytes from `source` on (an escape, an entity).
    pub fn push_decoded(&mut self, bytes: &[u8], source: u64, source_len: u32) {
        let _ = (source, source_len);
        self.text.extend_from_slice(bytes);
    }

    /// A separator of ours that stands nowhere in the source.
    pub fn separator(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    /// Absolute offset of the first byte still held.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Absolute offset after the last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base + self.text.len() as u64
    }

    /// The text still held, from `base()` to `end()`.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where the byte at `offset` came from.
    #[must_use]
    pub fn place(&self, offset: u64) -> Place<'_> {
        Place { path: "", source: offset }
    }

    /// Where the byte before `offset` ended in the source: the exclusive end of a finding.
    #[must_use]
    pub fn source_end(&self, offset: u64) -> u64 {
        offset
    }

    /// Gives back what lies before `offset`.
    pub fn discard_before(&mut self, offset: u64) {
        let _ = offset;
    }
}
