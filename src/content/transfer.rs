//! Text parts in base64 or quoted-printable (RFC 2045 §6.7, §6.8), as mail and a few clients send them in multipart.
//! In: coded bytes; out: decoded text, each byte mapped to the source bytes that it came from. What is no base64 is
//! passed over, what is no quoted-printable stands for itself. Bounds: holds 2 characters, after a hole a line of 1 KiB at most.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use super::{Arena, Extractor, Reason, Report};

/// A part's `Content-Transfer-Encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    Base64,
    QuotedPrintable,
}

impl Transfer {
    /// `None` for codings that change nothing.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"base64") {
            Some(Self::Base64)
        } else if name.eq_ignore_ascii_case(b"quoted-printable") {
            Some(Self::QuotedPrintable)
        } else {
            None
        }
    }

    pub(super) fn open(self, path: &str, source: u64) -> Box<dyn Extractor> {
        let inner = Common { path: path.to_owned(), position: source, report: Report::default() };
        match self {
            Self::Base64 => Box::new(Base64 { inner, bits: 0, bit_count: 0, start: source, line: None }),
            Self::QuotedPrintable => Box::new(QuotedPrintable { inner, pending: None, start: source }),
        }
    }
}

struct Common {
    path: String,
    position: u64,
    report: Report,
}

impl Common {
    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        self.position += lost;
        self.report.reasons.insert(Reason::Gap);
        arena.separator(b"\n");
    }
}

struct Base64 {
    inner: Common,
    bits: u32,
    bit_count: u8,
    /// Source of the character that the bits held began with.
    start: u64,
    /// After a hole: the line so far. A part's end may be lost, so each line is looked at before it is decoded.
    line: Option<Line>,
}

#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    /// Its start is lost, and with it the phase of its groups.
    partial: bool,
}

/// Longest line held after a hole; RFC 2045 allows 76 characters.
const MAX_LINE_BYTES: usize = 1024;

/// Whether base64 may have the character, its padding included.
pub(super) fn is_base64(byte: u8) -> bool {
    sextet(byte).is_some() || byte == b'='
}

fn sextet(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

impl Base64 {
    /// One character at `at`.
    fn character(&mut self, byte: u8, at: u64, arena: &mut Arena) {
        let Some(value) = sextet(byte) else {
            if byte == b'=' {
                self.bit_count = 0;
            }
            return;
        };
        if self.bit_count == 0 {
            self.start = at;
        }
        self.bits = self.bits << 6 | value;
        self.bit_count += 6;
        if self.bit_count >= 8 {
            self.bit_count -= 8;
            let decoded = (self.bits >> self.bit_count) as u8;
            let length = u32::try_from(at + 1 - self.start).unwrap_or(u32::MAX);
            arena.push_decoded(&[decoded], self.start, length);
            self.start = at;
        }
    }

    /// Decodes the line held if it is base64, else hands it on as the text that it may be.
    fn end_line(&mut self, arena: &mut Arena) {
        let Some(line) = self.line.take() else {
            return;
        };
        let start = self.inner.position - line.bytes.len() as u64;
        let is_coded = |byte: &u8| sextet(*byte).is_some() || matches!(byte, b'=' | b'\r' | b'\n');
        if !line.partial && line.bytes.iter().all(is_coded) {
            self.bit_count = 0;
            for (byte, at) in line.bytes.iter().zip(start..) {
                self.character(*byte, at, arena);
            }
        } else {
            arena.push(&line.bytes, start);
        }
        self.line = Some(Line::default());
    }
}

impl Extractor for Base64 {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        arena.begin(&self.inner.path);
        for byte in bytes {
            let at = self.inner.position;
            self.inner.position += 1;
            if let Some(line) = &mut self.line {
                line.bytes.push(*byte);
                if *byte == b'\n' || line.bytes.len() == MAX_LINE_BYTES {
                    self.end_line(arena);
                }
            } else {
                self.character(*byte, at, arena);
            }
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        self.end_line(arena);
        self.line = Some(Line { partial: true, ..Line::default() });
        self.inner.gap(lost, arena);
    }

    fn finish(&mut self, arena: &mut Arena) {
        self.end_line(arena);
    }

    fn report(&self) -> Report {
        self.inner.report
    }
}

struct QuotedPrintable {
    inner: Common,
    /// After `=`, and the digit after it.
    pending: Option<Option<u8>>,
    start: u64,
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

impl QuotedPrintable {
    /// What began as an escape and is none.
    fn flush(&mut self, arena: &mut Arena) {
        if let Some(digit) = self.pending.take() {
            arena.push(b"=", self.start);
            if let Some(digit) = digit {
                arena.push(&[digit], self.start + 1);
            }
        }
    }

    /// A byte after `=`; false when it is to be read anew.
    fn escaped(&mut self, byte: u8, arena: &mut Arena) -> bool {
        match self.pending {
            // A soft line break joins two lines.
            Some(None) if byte == b'\n' => self.pending = None,
            Some(None) if byte == b'\r' => self.pending = Some(Some(byte)),
            Some(Some(b'\r')) if byte == b'\n' => self.pending = None,
            Some(None) if hex(byte).is_some() => self.pending = Some(Some(byte)),
            Some(Some(high)) if hex(high).is_some() && hex(byte).is_some() => {
                self.pending = None;
                let decoded = hex(high).unwrap_or(0) << 4 | hex(byte).unwrap_or(0);
                arena.push_decoded(&[decoded], self.start, 3);
            }
            _ => {
                self.flush(arena);
                return false;
            }
        }
        true
    }
}

impl Extractor for QuotedPrintable {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        arena.begin(&self.inner.path);
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            if self.pending.is_some() {
                if self.escaped(*byte, arena) {
                    self.inner.position += 1;
                    rest = after;
                }
            } else if *byte == b'=' {
                self.pending = Some(None);
                self.start = self.inner.position;
                self.inner.position += 1;
                rest = after;
            } else {
                let length = memchr::memchr(b'=', rest).unwrap_or(rest.len());
                let (run, after) = rest.split_at(length);
                arena.push(run, self.inner.position);
                self.inner.position += length as u64;
                rest = after;
            }
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        self.flush(arena);
        self.inner.gap(lost, arena);
    }

    fn finish(&mut self, arena: &mut Arena) {
        self.flush(arena);
    }

    fn report(&self) -> Report {
        self.inner.report
    }
}
