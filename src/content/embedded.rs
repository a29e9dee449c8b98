//! Documents in base64 (RFC 4648 §4, §5) that stand in text: a data URL, a file in a member or a field, a part of mail that was
//! pasted. In: text on its way to an arena, cut anywhere; out: where such a document begins ([`Runs`]), and its text by its
//! own format ([`Embedded`]), all of which stands for the place where the base64 begins. A run of [`MIN_CHARACTERS`] counts
//! when its first bytes are text, or a document's; keys, pictures and signatures are not. Its first characters are
//! text of the arena too: they went there before it was known.
//! Bounds: those of the formats; one level. Does not: shorter ones, tokens (JWT), text in UTF-16 without byte order mark.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use smallvec::SmallVec;

use super::class::{Classes, DIGITS, LOWER, UPPER};
use super::layout::Layout;
use super::sniff::Sniffed;
use super::{Arena, ContentHint, Extractor, Opening, Settings};

/// Shortest run that is looked at; it stands for 48 bytes, which are text by chance never.
pub(super) const MIN_CHARACTERS: usize = 64;

const HEAD_BYTES: usize = MIN_CHARACTERS / 4 * 3;

/// A run of the shortest length holds one such block whole, wherever it begins.
const BLOCK_BYTES: usize = 32;

static CHARACTERS: Classes = Classes::new(&[(1, UPPER), (2, LOWER), (3, DIGITS), (4, b"+-"), (5, b"/_"), (6, b"=")]);

fn is_character(byte: u8) -> bool {
    CHARACTERS.of(byte) != 0
}

fn sextet(byte: u8) -> Option<u32> {
    Some(u32::from(match CHARACTERS.of(byte) {
        1 => byte - b'A',
        2 => byte - b'a' + 26,
        3 => byte - b'0' + 52,
        4 => 62,
        5 => 63,
        _ => return None,
    }))
}

/// Characters to bytes; a character that is none ends a group.
#[derive(Default)]
struct Decoder {
    bits: u32,
    count: u8,
}

impl Decoder {
    fn push(&mut self, byte: u8) -> Option<u8> {
        let Some(value) = sextet(byte) else {
            self.count = 0;
            return None;
        };
        self.bits = self.bits << 6 | value;
        self.count += 6;
        self.count.checked_sub(8).map(|left| {
            self.count = left;
            (self.bits >> left) as u8
        })
    }
}

/// Looks for runs in text as it passes.
#[derive(Default)]
pub(super) struct Runs {
    /// The run that the text so far ends with, as far as it is shorter than one that is looked at.
    head: SmallVec<[u8; MIN_CHARACTERS]>,
    /// It was looked at and is none.
    is_judged: bool,
    /// The byte before it.
    before: u8,
    /// The last byte of the text.
    last: u8,
    /// Source of its first character.
    source: u64,
}

impl Runs {
    #[inline]
    pub(super) fn clear(&mut self) {
        self.head.clear();
        self.is_judged = false;
        self.last = 0;
    }

    /// Where in `bytes` the first characters of a document end, and the source of the first of them. `source` tells
    /// that of each byte.
    #[inline]
    pub(super) fn find(&mut self, bytes: &[u8], source: impl Fn(usize) -> u64) -> Option<(usize, u64)> {
        let mut at = 0;
        if !self.head.is_empty() {
            at = bytes.iter().take_while(|byte| is_character(**byte)).count();
            if !self.is_judged {
                let taken = (MIN_CHARACTERS - self.head.len()).min(at);
                self.head.extend_from_slice(bytes.get(..taken).unwrap_or_default());
                if self.head.len() == MIN_CHARACTERS {
                    if begins_document(&self.head, self.before) {
                        return Some((taken, self.source));
                    }
                    self.is_judged = true;
                }
            }
            if at == bytes.len() {
                return None;
            }
        }
        self.is_judged = false;
        self.head.clear();
        while let Some(run) = long_run(bytes.get(at..).unwrap_or_default()) {
            let (start, end) = (at + run.start, at + run.end);
            self.before = start.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(self.last);
            let head = bytes.get(start..start + MIN_CHARACTERS).unwrap_or_default();
            if begins_document(head, self.before) {
                self.head.extend_from_slice(head);
                return Some((start + MIN_CHARACTERS, source(start)));
            }
            if end == bytes.len() {
                self.head.extend_from_slice(head);
                self.is_judged = true;
                return None;
            }
            at = end;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let tail = rest.iter().rev().take_while(|byte| is_character(**byte)).count();
        let start = bytes.len() - tail;
        if tail > 0 {
            self.before = start.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(self.last);
            self.head.extend_from_slice(bytes.get(start..).unwrap_or_default());
            self.source = source(start);
        }
        self.last = bytes.last().copied().unwrap_or(self.last);
        None
    }
}

/// The first run of at least [`MIN_CHARACTERS`] in `bytes`.
fn long_run(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut seen = 0;
    for (index, block) in bytes.as_chunks::<BLOCK_BYTES>().0.iter().enumerate() {
        // Prose and tables have a blank in nearly every block; without a branch, so that the compiler makes vectors of it.
        let has_blank = block.iter().fold(0, |any, byte| any | u8::from(*byte <= b' ')) != 0;
        let at = index * BLOCK_BYTES;
        if has_blank || at < seen || !block.iter().all(|byte| is_character(*byte)) {
            continue;
        }
        let before = bytes.get(seen..at).unwrap_or_default();
        let start = at - before.iter().rev().take_while(|byte| is_character(**byte)).count();
        let behind = bytes.get(at..).unwrap_or_default();
        seen = at + behind.iter().take_while(|byte| is_character(**byte)).count();
        if seen - start >= MIN_CHARACTERS {
            return Some(start..seen);
        }
    }
    None
}

/// Whether the first characters of a run, behind the byte `before`, stand for a document that can be read.
fn begins_document(head: &[u8], before: u8) -> bool {
    let mut decoder = Decoder::default();
    let bytes: SmallVec<[u8; HEAD_BYTES]> = head.iter().filter_map(|byte| decoder.push(*byte)).collect();
    // The parts of a token stand behind dots, and the first names its algorithm.
    let is_token = before == b'.' || TOKENS.iter().any(|token| bytes.starts_with(token));
    bytes.len() == HEAD_BYTES && !is_token && (is_text(&bytes) || bytes.starts_with(b"PK\x03\x04"))
}

const TOKENS: [&[u8]; 6] = [b"{\"alg\"", b"{\"typ\"", b"{\"kid\"", b"{\"enc\"", b"{\"x5t\"", b"{\"cty\""];

/// Text in UTF-8 without control characters, the end of which may be cut; or in UTF-16.
fn is_text(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return true;
    }
    let is_whole = std::str::from_utf8(bytes).err().is_none_or(|error| error.error_len().is_none());
    is_whole && !bytes.iter().any(|byte| matches!(byte, 0..=8 | 0x0B | 0x0E..=0x1F | 0x7F))
}

/// A document being read.
pub(super) struct Embedded {
    decoder: Decoder,
    document: Sniffed,
    /// Takes its text, which stands nowhere in the source.
    text: Arena,
    /// Of the text around it.
    path: String,
    source: u64,
    /// Characters of the current line, and of a whole one once there was one.
    line: usize,
    whole_line: Option<usize>,
    is_padded: bool,
}

impl Embedded {
    /// One whose first characters `runs` found, and which begins at `source`.
    pub(super) fn new(runs: &mut Runs, source: u64, path: String, settings: &Settings) -> Self {
        let mut document = Sniffed::new(&Opening {
            hint: &ContentHint::default(),
            first: &[],
            settings,
            path: &path,
            source: 0,
            watched: &[],
            nesting: 1,
            after_gap: false,
        });
        document.only_documents();
        let mut embedded = Self {
            decoder: Decoder::default(),
            document,
            text: Arena::nested(),
            path,
            source,
            line: 0,
            whole_line: None,
            is_padded: false,
        };
        embedded.take(&runs.head);
        runs.clear();
        embedded
    }

    fn take(&mut self, characters: &[u8]) {
        self.line += characters.len();
        let decoded: SmallVec<[u8; 1024]> = characters.iter().filter_map(|byte| self.decoder.push(*byte)).collect();
        self.document.push(&decoded, &mut self.text);
    }

    /// Reads what of `bytes` belongs to it; how many. Fewer than all: it ended.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Layout) -> usize {
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            match byte {
                b'=' => self.is_padded = true,
                b'\r' | b'\n' if self.goes_on_behind_line() => {}
                _ if self.is_padded || !is_character(byte) => break,
                _ => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let length = rest.iter().take_while(|byte| is_character(**byte) && **byte != b'=').count();
                    self.take(rest.get(..length).unwrap_or_default());
                    at += length;
                    continue;
                }
            }
            at += 1;
        }
        self.text.pour_into(out, self.source);
        at
    }

    /// All lines but the last are as long as the first.
    fn goes_on_behind_line(&mut self) -> bool {
        // The other byte of a line break.
        if self.line == 0 {
            return !self.is_padded;
        }
        let line = std::mem::take(&mut self.line);
        *self.whole_line.get_or_insert(line) == line && !self.is_padded
    }

    pub(super) fn finish(mut self, out: &mut Layout) {
        self.document.finish(&mut self.text);
        self.text.settle();
        self.text.pour_into(out, self.source);
        out.begin_at(self.path.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    const NOTE: &str = "Progress note for Jane Testcase, MRN: 00412345\nDOB 04/17/1962, seen today for chest pain.\n";

    fn read(text: &[u8], cuts: &[usize]) -> String {
        let mut arena = Arena::new();
        let mut at = 0;
        for cut in cuts.iter().copied().chain([text.len()]) {
            arena.push(&text[at..cut], at as u64);
            at = cut;
        }
        arena.settle();
        assert!((0..=arena.end()).all(|offset| arena.place(offset).source <= text.len() as u64));
        String::from_utf8_lossy(arena.text()).into_owned()
    }

    fn lines(text: &str, length: usize, line_break: &str) -> String {
        let lines: Vec<&str> = text.as_bytes().chunks(length).map(|line| std::str::from_utf8(line).unwrap()).collect();
        lines.join(line_break)
    }

    #[test]
    fn a_document_is_read_wherever_it_stands() {
        let coded = STANDARD.encode(NOTE);
        for text in [
            coded.clone(),
            format!("see data:text/plain;base64,{coded} and more"),
            format!("<a href='data:text/plain;base64,{coded}'>"),
            format!("f,\"{coded}\",5"),
            format!("{}\r\n\r\nRegards, Jane", lines(&coded, 76, "\r\n")),
            lines(&coded, 64, "\n"),
            URL_SAFE_NO_PAD.encode(NOTE.replace("chest", "ch\u{e9}st??>>")),
            STANDARD.encode(
                "\u{feff}MRN: 00412345 ".repeat(6).encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
            ),
        ] {
            let read = read(text.as_bytes(), &[]);
            assert!(read.contains("MRN: 00412345"), "{text}: {read}");
        }
        let text = format!("{}\nRegards, Jane", lines(&coded, 76, "\n"));
        assert!(read(text.as_bytes(), &[]).ends_with("chest pain.\n\nRegards, Jane"));
        let json = STANDARD.encode(r#"{"resourceType": "Patient", "identifier": [{"value": "00412345"}]}"#);
        assert!(read(json.as_bytes(), &[]).contains("identifier: value: 00412345\n"));
    }

    #[test]
    fn its_text_stands_for_the_place_where_it_begins() {
        let text = format!("file: {} end", STANDARD.encode(NOTE));
        let mut arena = Arena::new();
        arena.push(text.as_bytes(), 100);
        arena.settle();
        let at = memchr::memmem::find(arena.text(), b"00412345").unwrap() as u64;
        assert_eq!((arena.place(at).source, arena.source_end(at + 8)), (106, 106));
        assert_eq!(arena.source_end(arena.end()), 100 + text.len() as u64);
    }

    #[test]
    fn what_is_no_text_stays_and_gives_no_junk() {
        let noise: Vec<u8> = (0..600_u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 23) as u8).collect();
        let token = |claims: &str| {
            let head = URL_SAFE_NO_PAD
                .encode(r#"{"alg":"RS256","typ":"JWT","kid":"1b94c0f1a2b34c55a6d7e8f90123456789abcdef"}"#);
            format!("Bearer {head}.{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(&noise[..64]))
        };
        for text in [
            STANDARD.encode(&noise),
            token(r#"{"sub":"1234567890","name":"John Doe","iat":1516239022,"scope":"read write"}"#),
            "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90".to_owned(),
            format!("{}/{}", "path/to/some/very/long/Name".repeat(5), "-_".repeat(60)),
            "=".repeat(200),
        ] {
            assert_eq!(read(text.as_bytes(), &[]), text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_read_does_not_depend_on_cuts(
            parts in prop::collection::vec((0..6_usize, 40..400_usize), 0..6),
            mut cuts in prop::collection::vec(any::<usize>(), 0..8),
        ) {
            let text: String = parts.iter().map(|(kind, length)| {
                let coded = STANDARD.encode(NOTE.repeat(4));
                match kind {
                    0 => coded[..*length].to_owned(),
                    1 => lines(&coded[..*length], 76, "\r\n"),
                    2 => "x".repeat(*length),
                    3 => format!("{}\n", &NOTE[..*length % NOTE.len()]),
                    4 => format!(".{}=", &coded[..*length]),
                    _ => " ".to_owned(),
                }
            }).collect();
            let text = text.as_bytes();
            cuts.iter_mut().for_each(|cut| *cut %= text.len() + 1);
            cuts.sort_unstable();
            let whole = read(text, &[]);
            prop_assert_eq!(&read(text, &cuts), &whole);
            prop_assert_eq!(&read(text, &(0..text.len()).collect::<Vec<_>>()), &whole);
        }
    }
}
