//! The text of one string or bare value on its way to the arena: runs that stand in the source as they are, characters
//! from escapes. Keys are remembered for the path (their first 41 bytes), watched values captured, base64 passed over,
//! the escapes of JSON within a JSON string undone a second time.

use memchr::memchr;

use super::super::{Arena, Captures, Reason, Report, path::MAX_KEY_BYTES};
use super::escape::{Escape, Range, Sink};
use super::prefix::{Kind, Prefix, is_base64};

/// What a string or bare value is in its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Key,
    Value,
    /// Outside all known containers: a key if a colon follows.
    Unknown,
}

/// A value being read.
pub(super) struct Value {
    pub(super) role: Role,
    /// Nothing to do but to hand on: the fast path.
    plain: bool,
    prefix: Option<Prefix>,
    kind: Kind,
    /// First bytes of the last key; one more than a name may have.
    key: Vec<u8>,
    capturing: bool,
    pub(super) captures: Captures,
    /// Escape of the JSON within the string.
    inner: Escape,
    pub(super) report: Report,
}

/// Hands decoded characters to the arena.
struct ToArena;

impl Sink for ToArena {
    fn decoded(&mut self, bytes: &[u8], range: Range, arena: &mut Arena) {
        arena.push_decoded(bytes, range.start, range.length());
    }
}

impl Value {
    pub(super) fn new() -> Self {
        Self {
            role: Role::Unknown,
            plain: false,
            prefix: None,
            kind: Kind::Plain,
            key: Vec::new(),
            capturing: false,
            captures: Captures::default(),
            inner: Escape::default(),
            report: Report::default(),
        }
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The value of the member now being read is watched for.
    pub(super) fn capture(&mut self, watched: &'static [&'static str]) {
        self.capturing = self.captures.start(watched, &self.key);
    }

    /// The watched member holds no text.
    pub(super) fn cancel_capture(&mut self) {
        if std::mem::take(&mut self.capturing) {
            self.captures.cancel();
        }
    }

    pub(super) fn begin(&mut self, role: Role, is_string: bool) {
        self.role = role;
        self.kind = Kind::Plain;
        self.prefix = (is_string && role == Role::Value).then(Prefix::default);
        if role != Role::Value {
            self.key.clear();
        }
        self.settle();
    }

    pub(super) fn end(&mut self, arena: &mut Arena) {
        if self.inner.is_active() {
            self.inner.finish(&mut ToArena, arena);
        }
        if self.role == Role::Value {
            self.capturing = false;
        }
    }

    /// A space within a bare value, which was held back until more of the value came.
    pub(super) fn space(&mut self, arena: &mut Arena) {
        arena.separator(b" ");
        if self.role != Role::Value {
            self.extend_key(b" ");
        }
    }

    /// Bytes that stand in the source as they are, or each for `stride` of its bytes.
    #[inline]
    pub(super) fn run(&mut self, bytes: &[u8], source: u64, stride: u8, arena: &mut Arena) {
        if self.plain {
            arena.push_strided(bytes, source, stride);
        } else if !bytes.is_empty() {
            self.run_with_care(bytes, source, stride, arena);
        }
    }

    /// A character from a one-letter escape.
    #[inline]
    pub(super) fn letter(&mut self, character: u8, range: Range, arena: &mut Arena) {
        if self.plain {
            arena.push_decoded(&[character], range.start, range.length());
        } else {
            self.decoded(&[character], range, arena);
        }
    }

    fn settle(&mut self) {
        self.plain = self.role == Role::Value && !self.capturing && self.prefix.is_none() && self.kind == Kind::Plain;
    }

    fn extend_key(&mut self, bytes: &[u8]) {
        let room = (MAX_KEY_BYTES + 1).saturating_sub(self.key.len());
        self.key.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn run_with_care(&mut self, bytes: &[u8], source: u64, stride: u8, arena: &mut Arena) {
        if self.role != Role::Value {
            self.extend_key(bytes);
            return arena.push_strided(bytes, source, stride);
        }
        if self.capturing {
            self.captures.extend(bytes);
        }
        let (mut bytes, mut source) = (bytes, source);
        if let Some(prefix) = &mut self.prefix {
            let Some((length, kind)) = prefix.run(bytes) else {
                return arena.push_strided(bytes, source, stride);
            };
            let (head, rest) = bytes.split_at(length);
            arena.push_strided(head, source, stride);
            (bytes, source) = (rest, source + length as u64 * u64::from(stride));
            self.prefix = None;
            self.kind = settled(kind, arena);
        }
        match self.kind {
            Kind::Plain => arena.push_strided(bytes, source, stride),
            Kind::Nested => self.nested_run(bytes, source, stride, arena),
            Kind::Blob => self.blob_run(bytes, source, stride, arena),
        }
        self.settle();
    }

    /// A run holds no backslash, so an inner escape that it ends started before it.
    fn nested_run(&mut self, bytes: &[u8], source: u64, stride: u8, arena: &mut Arena) {
        let mut used = 0;
        while self.inner.is_active()
            && let Some(byte) = bytes.get(used)
        {
            let start = source + used as u64 * u64::from(stride);
            if self.inner.feed(*byte, Range { start, end: start + u64::from(stride) }, &mut ToArena, arena) {
                used += 1;
            }
        }
        let source = source + used as u64 * u64::from(stride);
        arena.push_strided(bytes.get(used..).unwrap_or_default(), source, stride);
    }

    fn blob_run(&mut self, bytes: &[u8], source: u64, stride: u8, arena: &mut Arena) {
        let length = bytes.iter().position(|byte| !is_base64(*byte)).unwrap_or(bytes.len());
        let (blob, text) = bytes.split_at(length);
        self.report.skip(blob.len() as u64 * u64::from(stride), Reason::Blob);
        if !text.is_empty() {
            self.kind = Kind::Plain;
            arena.separator(b"\n");
            arena.push_strided(text, source + length as u64 * u64::from(stride), stride);
        }
    }

    fn nested_character(&mut self, bytes: &[u8], range: Range, arena: &mut Arena) {
        if self.inner.is_active() {
            match bytes {
                [byte] if self.inner.feed(*byte, range, &mut ToArena, arena) => return,
                [_] => {}
                _ => self.inner.finish(&mut ToArena, arena),
            }
        }
        if memchr(b'\\', bytes).is_some() {
            self.inner.start(range);
        } else {
            arena.push_decoded(bytes, range.start, range.length());
        }
    }
}

/// Base64 in which the arena reads a document is handed on to it.
fn settled(kind: Kind, arena: &Arena) -> Kind {
    if kind == Kind::Blob && arena.is_in_document() { Kind::Plain } else { kind }
}

impl Sink for Value {
    fn decoded(&mut self, bytes: &[u8], range: Range, arena: &mut Arena) {
        if self.role != Role::Value {
            self.extend_key(bytes);
            return arena.push_decoded(bytes, range.start, range.length());
        }
        if self.capturing {
            self.captures.extend(bytes);
        }
        if let Some(prefix) = &mut self.prefix {
            let kind = prefix.run(bytes).map(|(_, kind)| kind);
            arena.push_decoded(bytes, range.start, range.length());
            if let Some(kind) = kind {
                self.prefix = None;
                self.kind = settled(kind, arena);
                self.settle();
            }
            return;
        }
        match self.kind {
            Kind::Nested => self.nested_character(bytes, range, arena),
            Kind::Blob if bytes.iter().all(|byte| is_base64(*byte) || byte.is_ascii_whitespace()) => {
                self.report.skip(u64::from(range.length()), Reason::Blob);
            }
            Kind::Blob => {
                self.kind = Kind::Plain;
                self.settle();
                arena.separator(b"\n");
                arena.push_decoded(bytes, range.start, range.length());
            }
            Kind::Plain => arena.push_decoded(bytes, range.start, range.length()),
        }
    }
}
