//! Plain text, CSV, logs, source code: any text in UTF-8 or another superset of ASCII goes as it is, UTF-16 with a
//! byte order mark (RFC 2781), or of Latin letters, is decoded to UTF-8. Mail that is quoted-printable is said to be. In: bytes; out: the same text, tabs and newlines kept. Bounds:
//! holds 3 bytes at most. Does not: guess other character sets.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use super::{Arena, Extractor, Format, Opening, Report, report::Reason, sniff};

pub(super) const FORMAT: Format =
    Format { name: "text", matches: |opening| sniff::looks_like_text(opening.first), open: |opening| open(opening) };

fn open(opening: &Opening<'_>) -> Box<dyn Extractor> {
    let text = Text {
        path: opening.path.to_owned(),
        position: opening.source,
        is_quoted_printable: is_quoted_printable(opening.first),
        report: Report::default(),
    };
    match sniff::utf16_order(opening.first).filter(|_| !opening.after_gap) {
        Some(unit) => Box::new(Utf16::new(text, unit)),
        None => Box::new(text),
    }
}

/// Whether mail says so in its first bytes.
fn is_quoted_printable(first: &[u8]) -> bool {
    const CODING: &[u8] = b"quoted-printable";
    first.windows(CODING.len()).any(|name| name.eq_ignore_ascii_case(CODING))
}

struct Text {
    path: String,
    /// Source offset of the next byte.
    position: u64,
    is_quoted_printable: bool,
    report: Report,
}

impl Extractor for Text {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        arena.begin(&self.path);
        if self.is_quoted_printable {
            arena.expect_quoted_printable();
        }
        arena.push(bytes, self.position);
        self.position += bytes.len() as u64;
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        // What stands before and after a hole must not be read as one value.
        arena.begin(&self.path);
        arena.separator(b"\n");
        self.position += lost;
        self.report.reasons.insert(Reason::Gap);
    }

    fn finish(&mut self, _arena: &mut Arena) {}

    fn report(&self) -> Report {
        self.report
    }
}

/// UTF-16 in either byte order.
struct Utf16 {
    text: Text,
    unit: fn([u8; 2]) -> u16,
    /// First byte of a code unit whose second did not come yet.
    half: Option<u8>,
    /// A high surrogate and its source offset.
    high: Option<(u16, u64)>,
    /// Parity of the source offsets at which code units start.
    parity: u64,
}

impl Utf16 {
    fn new(text: Text, unit: fn([u8; 2]) -> u16) -> Self {
        Self { parity: text.position % 2, text, unit, half: None, high: None }
    }

    fn code_unit(&mut self, unit: u16, arena: &mut Arena) {
        let source = self.text.position;
        self.text.position += 2;
        if let Some((high, high_source)) = self.high.take() {
            if (0xDC00..0xE000).contains(&unit) {
                let code = 0x10000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(unit) - 0xDC00);
                return emit(char::from_u32(code), high_source, 4, arena);
            }
            emit(None, high_source, 2, arena);
        }
        match unit {
            // ASCII is the bulk, and a run of it one piece of the map.
            0..0x80 => arena.push_strided(&[unit as u8], source, 2),
            0xD800..0xDC00 => self.high = Some((unit, source)),
            0xFEFF => {}
            _ => emit(char::from_u32(u32::from(unit)), source, 2, arena),
        }
    }

    fn flush(&mut self, arena: &mut Arena) {
        if let Some((_, source)) = self.high.take() {
            emit(None, source, 2, arena);
        }
        self.half = None;
    }
}

fn emit(character: Option<char>, source: u64, source_len: u32, arena: &mut Arena) {
    let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
    arena.push_decoded(character.encode_utf8(&mut [0; 4]).as_bytes(), source, source_len);
}

impl Extractor for Utf16 {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        arena.begin(&self.text.path);
        let mut bytes = bytes;
        if self.half.is_none() && self.text.position % 2 != self.parity {
            // A hole ended within a code unit.
            if let Some((_, rest)) = bytes.split_first() {
                self.text.position += 1;
                bytes = rest;
            }
        }
        if let Some(first) = self.half
            && let Some((second, rest)) = bytes.split_first()
        {
            self.half = None;
            self.code_unit((self.unit)([first, *second]), arena);
            bytes = rest;
        }
        let (units, half) = bytes.as_chunks::<2>();
        for unit in units {
            self.code_unit((self.unit)(*unit), arena);
        }
        if let [half] = half {
            self.half = Some(*half);
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        let half = u64::from(self.half.is_some());
        self.flush(arena);
        self.text.gap(lost + half, arena);
    }

    fn finish(&mut self, arena: &mut Arena) {
        if self.half.is_some() || self.high.is_some() {
            self.text.report.reasons.insert(Reason::Truncated);
        }
        self.flush(arena);
    }

    fn report(&self) -> Report {
        self.text.report
    }
}
