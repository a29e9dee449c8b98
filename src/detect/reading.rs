//! A short stretch of text read as people read it: the hyphens, blanks and digits of Unicode become those of ASCII,
//! what has no width is left out. In: raw bytes behind a label; out: normalised bytes with the place of each.
//! Latin letters lose their accents. Every other character beyond ASCII becomes one [`OTHER`]. Bounds: [`LOOKAHEAD_BYTES`] of raw text.

use std::ops::Range;

use smallvec::SmallVec;

/// Raw bytes read behind a label.
pub(super) const LOOKAHEAD_BYTES: usize = 96;

/// Normalised bytes that may stand between a label and its value.
const MAX_FILLER_BYTES: usize = 32;

/// Longest filler word, in normalised bytes.
const MAX_FILLER_WORD_BYTES: usize = 12;

/// Stands for a character that has no ASCII counterpart.
pub(super) const OTHER: u8 = 0xFF;

/// The letters U+00C0 to U+00FF without their accents.
const LATIN_1: &[u8; 64] = b"AAAAAAACEEEEIIIIDNOOOOO\xFFOUUUUYTsaaaaaaaceeeeiiiidnooooo\xFFouuuuyty";

/// The letters U+0100 to U+017F without their accents.
const LATIN_EXTENDED_A: &[u8; 128] = b"AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLl\
NnNnNnnNnOoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";

/// The normalised text and the place of each of its bytes.
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack for one candidate; a box would cost an allocation each"
)]
pub(super) enum Reading<'a> {
    /// All of it was ASCII and stands for itself.
    Plain(&'a [u8]),
    /// For each normalised byte, the raw bytes it came from.
    Mapped { text: SmallVec<[u8; LOOKAHEAD_BYTES]>, raw: SmallVec<[(u8, u8); LOOKAHEAD_BYTES]> },
}

impl<'a> Reading<'a> {
    /// Reads at most [`LOOKAHEAD_BYTES`] of `raw`.
    pub(super) fn of(raw: &'a [u8]) -> Self {
        let mut rest = raw.get(..LOOKAHEAD_BYTES).unwrap_or(raw);
        if rest.is_ascii() {
            return Self::Plain(rest);
        }
        let (mut text, mut places) = (SmallVec::new(), SmallVec::new());
        let mut at = 0u8;
        while let Some((character, width)) = next_character(rest) {
            if let Some(character) = character {
                text.push(character);
                places.push((at, at + width));
            }
            at += width;
            rest = rest.get(usize::from(width)..).unwrap_or_default();
        }
        Self::Mapped { text, raw: places }
    }

    pub(super) fn text(&self) -> &[u8] {
        match self {
            Self::Plain(text) => text,
            Self::Mapped { text, .. } => text,
        }
    }

    /// The raw bytes of a range of normalised ones.
    pub(super) fn raw_range(&self, range: Range<usize>) -> Option<Range<usize>> {
        match self {
            Self::Plain(_) => Some(range),
            Self::Mapped { raw, .. } => {
                let first = raw.get(range.start)?;
                let last = raw.get(range.end.checked_sub(1)?)?;
                Some(usize::from(first.0)..usize::from(last.1))
            }
        }
    }
}

/// The next character, normalised (`None`: it has no width), and its raw width.
fn next_character(raw: &[u8]) -> Option<(Option<u8>, u8)> {
    Some(match raw {
        [] => return None,
        [ascii @ ..=0x7F, ..] => (Some(*ascii), 1),
        [0xC2, 0xA0, ..] => (Some(b' '), 2),
        // Soft hyphen.
        [0xC2, 0xAD, ..] => (None, 2),
        // U+200B to U+200D, U+2060, U+FEFF.
        [0xE2, 0x80, 0x8B..=0x8D, ..] | [0xE2, 0x81, 0xA0, ..] | [0xEF, 0xBB, 0xBF, ..] => (None, 3),
        // Blanks of all widths.
        [0xE2, 0x80, 0x80..=0x8A | 0xAF, ..] | [0xE3, 0x80, 0x80, ..] => (Some(b' '), 3),
        // Hyphens, dashes, the minus sign, small and full-width hyphens.
        [0xE2, 0x80, 0x90..=0x95, ..] | [0xE2, 0x88, 0x92, ..] | [0xEF, 0xB9, 0x98 | 0xA3, ..] => (Some(b'-'), 3),
        // The apostrophes of typographers.
        [0xE2, 0x80, 0x98 | 0x99, ..] => (Some(b'\''), 3),
        [0xC3, last @ 0x80..=0xBF, ..] => (Some(LATIN_1.get(usize::from(last - 0x80)).copied().unwrap_or(OTHER)), 2),
        [first @ 0xC4..=0xC5, last @ 0x80..=0xBF, ..] => {
            let index = usize::from(first - 0xC4) * 64 + usize::from(last - 0x80);
            (Some(LATIN_EXTENDED_A.get(index).copied().unwrap_or(OTHER)), 2)
        }
        // Full-width forms U+FF01 to U+FF5E stand for ASCII 0x21 to 0x7E.
        [0xEF, 0xBC, last @ 0x81..=0xBF, ..] => (Some(last - 0x81 + 0x21), 3),
        [0xEF, 0xBD, last @ 0x80..=0x9E, ..] => (Some(last - 0x80 + 0x60), 3),
        [_, rest @ ..] => {
            let continuation = rest.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
            (Some(OTHER), 1 + continuation as u8)
        }
    })
}

/// Words and marks that may stand between a label and its value.
pub(super) struct Filler {
    /// In lower case, normalised.
    words: Vec<Vec<u8>>,
}

impl Filler {
    pub(super) fn new(words: &[String]) -> Self {
        Self { words: words.iter().map(|word| Reading::of(word.to_lowercase().as_bytes()).text().to_vec()).collect() }
    }

    /// Where the value starts, behind marks and, with `words`, filler words; `None` when something else, or a blank to fill in, stands there.
    pub(super) fn skip(&self, text: &[u8], words: bool) -> Option<usize> {
        let (mut at, mut line_ends, mut underscores, mut blanks) = (0, 0, 0, 0);
        while at - blanks <= MAX_FILLER_BYTES {
            let rest = text.get(at..)?;
            let byte = *rest.first()?;
            match byte {
                b'\n' if line_ends == 1 => return None,
                b'\n' => line_ends += 1,
                // `____` is a form to fill in, and what follows it belongs to the next field.
                b'_' if underscores == 2 => return None,
                b'_' => underscores += 1,
                // Aligned columns: a run of blanks is as good as one.
                b' ' if rest.get(1) == Some(&b' ') => blanks += 1,
                // What stands in parentheses on the next line is something of its own.
                b'(' if line_ends == 1 => return None,
                b' ' | b'\t' | b'\r' | b':' | b'#' | b'=' | b'.' | b',' | b';' | b'|' | b'"' | b'\'' | b'(' | b')'
                | b'[' | b']' | b'<' | b'>' | b'*' | b'/' | b'\\' | b'-' => {}
                _ => {
                    let word = if words { self.word(rest) } else { 0 };
                    if word == 0 {
                        return Some(at);
                    }
                    at += word;
                    continue;
                }
            }
            at += 1;
        }
        None
    }

    /// Length of the filler word that `text` begins with; 0 when none.
    fn word(&self, text: &[u8]) -> usize {
        let letters = |byte: &&u8| byte.is_ascii_alphabetic() || **byte == OTHER;
        let length = text.iter().take(MAX_FILLER_WORD_BYTES + 1).take_while(letters).count();
        let Some(word) = text.get(..length) else { return 0 };
        let ends = text.get(length).is_none_or(|byte| !byte.is_ascii_digit());
        if ends && self.words.iter().any(|known| known.eq_ignore_ascii_case(word)) { length } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<u8> {
        Reading::of(text.as_bytes()).text().to_vec()
    }

    #[test]
    fn unicode_hyphens_blanks_and_digits_read_as_ascii() {
        assert_eq!(read("536–22—8741"), b"536-22-8741");
        assert_eq!(read("536−22‑8741"), b"536-22-8741");
        assert_eq!(read("a\u{a0}b\u{3000}c\u{2009}d"), b"a b c d");
        assert_eq!(read("12\u{200b}34\u{ad}5"), b"12345");
        assert_eq!(read("６３３－１４ａ"), b"633-14a");
        assert_eq!(read("éŁ😀x"), [b'e', b'L', OTHER, b'x']);
    }

    #[test]
    fn each_normalised_byte_knows_its_raw_bytes() {
        let text = ": 12\u{200b}3–4 ";
        let reading = Reading::of(text.as_bytes());
        let range = reading.raw_range(2..7).unwrap();
        assert_eq!(&text[range], "12\u{200b}3–4");
    }

    #[test]
    fn any_bytes_can_be_read() {
        for first in 0..=u8::MAX {
            let raw = [first, 0x80, 0xBF, 0xC2, 0xE2];
            let reading = Reading::of(&raw);
            let end = reading.text().len();
            assert_eq!(reading.raw_range(0..end), Some(0..5));
        }
        let raw = [0x80; 500];
        let reading = Reading::of(&raw);
        assert_eq!(reading.raw_range(0..reading.text().len()), Some(0..LOOKAHEAD_BYTES));
    }

    #[test]
    fn filler_ends_at_the_value_or_at_something_else() {
        let filler = Filler::new(&["number".into(), "número".into(), "is".into()]);
        assert_eq!(filler.skip(b" number is: 5", true), Some(12));
        assert_eq!(filler.skip(&read(" número 5"), true), Some(8));
        assert_eq!(filler.skip(b" isn 5", true), Some(1), "a longer word is no filler");
        assert_eq!(filler.skip(b": ____ 5", true), None, "a form to fill in");
        assert_eq!(filler.skip(b":\n\n5", true), None, "two lines on");
        assert_eq!(filler.skip(b"", true), None);
        assert_eq!(filler.skip(&[b' '; 80], true), None);
        assert_eq!(filler.skip(&[[b' '; 80].as_slice(), b"5"].concat(), true), Some(80));
    }
}
