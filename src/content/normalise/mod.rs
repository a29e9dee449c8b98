//! Text as people read it: what an encoder or an editor put in place of plain characters becomes those characters.
//! In: text with the source bytes it came from, cut anywhere; out: the same text in a `Layout`, in which
//! - dashes, blanks, quotes, full-width forms and digits of other scripts are those of ASCII (`characters`),
//! - what has no width is gone, soft hyphens and the NULs of UTF-16 among it,
//! - HTML entities, percent triplets and the backslash escapes of JSON are the characters they stand for, even where
//!   several were put on one another (`notation`),
//! - the escapes and soft line breaks of quoted-printable mail are undone (`notation`), RTF is its text (`rtf`),
//! - known HTML tags are gone: a block ends its line, a cell of a table its column with a TAB (`tags`).
//!
//! All else stays, tabs and line breaks too. A character that was decoded has the place of its whole notation.
//! Bounds: holds back [`MAX_HELD_BYTES`]; looks [`MAX_TAG_BYTES`] for the end of a tag and [`MAX_CELL_BYTES`] for that of
//! a cell. Text with nothing to do costs one look at each byte, many at a time.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod characters;
mod notation;
mod rtf;
mod search;
mod tags;
#[cfg(test)]
mod tests;

use smallvec::SmallVec;

use super::layout::Layout;
use characters::{Folded, fold};
use rtf::{Control, Rtf};
use search::{is_special, next_special};
use tags::{Kind, Tag};

/// What is held back until it is known what it stands for.
pub(super) const MAX_HELD_BYTES: usize = 32;

/// Attributes of one tag; what lies beyond is text again.
const MAX_TAG_BYTES: usize = 2048;

/// A cell in which line breaks are blanks. One that is longer, or is never closed, has lines like other text.
const MAX_CELL_BYTES: usize = 2048;

/// Source bytes that some text came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    source: u64,
    /// Source bytes that each byte of the text stands for.
    length: u32,
    /// How much further the next byte of the text stands: as far, or all stand for the same.
    step: u32,
}

impl Origin {
    /// Each byte stands for `stride` source bytes.
    #[inline]
    pub(super) fn run(source: u64, stride: u8) -> Self {
        Self { source, length: u32::from(stride), step: u32::from(stride) }
    }

    /// All stand for the same source bytes.
    #[inline]
    pub(super) fn decoded(source: u64, length: u32) -> Self {
        Self { source, length, step: 0 }
    }

    /// Source of the first byte.
    pub(super) fn source(self) -> u64 {
        self.source
    }

    /// Of the text from `index` on.
    #[inline]
    pub(super) fn from(self, index: usize) -> Self {
        Self { source: self.source.saturating_add(index as u64 * u64::from(self.step)), ..self }
    }

    /// Of `count` bytes together.
    fn span(self, count: usize) -> Self {
        self.to(self.from(count.saturating_sub(1)))
    }

    /// From this to the end of another.
    fn to(self, last: Self) -> Self {
        let end = last.source.saturating_add(u64::from(last.length));
        let length = u32::try_from(end.saturating_sub(self.source)).unwrap_or(u32::MAX);
        Self { source: self.source, length, step: 0 }
    }

    #[inline]
    pub(super) fn lay(self, bytes: &[u8], out: &mut Layout) {
        match u8::try_from(self.length) {
            // A byte that stands for itself may go on with the run before it.
            Ok(stride @ 1..) if self.step == self.length || (stride == 1 && bytes.len() == 1) => {
                out.push_strided(bytes, self.source, stride);
            }
            _ => out.push_decoded(bytes, self.source, self.length),
        }
    }
}

/// What stands at the start of some text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// More has to come to tell; never of [`MAX_HELD_BYTES`].
    Open,
    /// So many bytes that stand for themselves.
    Plain(usize),
    /// So many bytes that stand for a character.
    Character(usize, char),
    /// So many bytes, the start of a tag or all of it.
    Tag(usize, Tag),
    /// So many bytes of quoted-printable, which this proves the text to be: a character, or a line that goes on.
    QuotedPrintable(usize, Option<char>),
    /// So many bytes that begin RTF.
    BeginsRtf(usize),
    /// So many bytes of RTF that are no text.
    Rtf(usize, Control),
}

impl Found {
    fn length(self) -> usize {
        match self {
            Self::Open => 0,
            Self::Plain(length)
            | Self::Character(length, _)
            | Self::QuotedPrintable(length, _)
            | Self::Tag(length, _)
            | Self::BeginsRtf(length)
            | Self::Rtf(length, _) => length,
        }
    }
}

/// What stands before some text.
#[derive(Clone, Copy, Debug)]
struct Before {
    byte: Option<u8>,
    /// The text is known to be quoted-printable.
    is_quoted_printable: bool,
    /// So long a line that an encoder may have broken it.
    is_long_line: bool,
}

/// Encoders of quoted-printable break lines of more than 76 characters, of which some may be escapes.
const LONG_LINE_BYTES: usize = 40;

/// What is at the start of `text`. Of a text that goes on longer, the same or [`Found::Open`].
fn find(text: &[u8], before: Before) -> Found {
    match text {
        [] => Found::Plain(0),
        [0, ..] => Found::Character(1, '\0'),
        [b'<', ..] => tags::find(text),
        [0x80..=0xFF, ..] => characters::find(text),
        _ => notation::find(text, before),
    }
}

/// Within a tag, behind the `=` of its first attribute.
#[derive(Clone, Copy, Debug)]
struct OpenTag {
    /// Of the value that is being read.
    quote: Option<u8>,
    /// Its `<` was an escape, so its end may be one: so many bytes of it have come.
    escaped_end: Option<usize>,
    left: usize,
    ends_line: bool,
}

/// The end of a tag that is itself escaped.
const ESCAPED_END: &[u8] = b"&gt;";

#[derive(Default)]
pub(super) struct Normaliser {
    held: Vec<(u8, Origin)>,
    tag: Option<OpenTag>,
    /// Blanks and line breaks that only lay out a document's source.
    skips_blanks: bool,
    /// What may still come of the cell that is being read.
    cell_left: usize,
    row_has_cell: bool,
    /// Where the last NUL stood, or the text began.
    nul_at: u64,
    rtf: Option<Rtf>,
    is_quoted_printable: bool,
}

impl Normaliser {
    pub(super) fn clear(&mut self) {
        self.held.clear();
        *self = Self { held: std::mem::take(&mut self.held), ..Self::default() };
    }

    /// Nothing follows: what is held comes out.
    #[inline]
    pub(super) fn settle(&mut self, out: &mut Layout) {
        if !self.held.is_empty() {
            self.resolve(true, out);
        }
        self.tag = None;
        self.skips_blanks = false;
        self.cell_left = 0;
        self.row_has_cell = false;
        self.nul_at = out.end();
        self.rtf = None;
        self.is_quoted_printable = false;
    }

    /// What comes is known to be quoted-printable.
    pub(super) fn expect_quoted_printable(&mut self) {
        self.is_quoted_printable = true;
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8], origin: Origin, out: &mut Layout) {
        let mut at = 0;
        if self.is_plain() {
            at = next_special(bytes);
            origin.lay(bytes.get(..at).unwrap_or_default(), out);
        }
        if at < bytes.len() {
            self.push_with_care(bytes, at, origin, out);
        }
    }

    /// Whether bytes that are not special go on as they are.
    #[inline]
    fn is_plain(&self) -> bool {
        self.held.is_empty() && self.tag.is_none() && !self.skips_blanks && self.cell_left == 0 && self.rtf.is_none()
    }

    fn push_with_care(&mut self, bytes: &[u8], at: usize, origin: Origin, out: &mut Layout) {
        let mut at = at;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let origin = origin.from(at);
            at += if self.held.is_empty() {
                self.step(rest, origin, out)
            } else {
                self.held.extend(rest.first().map(|byte| (*byte, Origin { step: 0, ..origin })));
                self.resolve(false, out);
                1
            };
        }
    }

    /// Takes some of `bytes` while nothing is held; how many.
    fn step(&mut self, bytes: &[u8], origin: Origin, out: &mut Layout) -> usize {
        if let Some(tag) = self.tag {
            return self.within_tag(tag, bytes);
        }
        if self.skips_blanks {
            let blanks = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.skips_blanks = blanks == bytes.len();
            if blanks > 0 {
                return blanks;
            }
        }
        let length = self.next_special(bytes);
        if length > 0 {
            self.lay(bytes.get(..length).unwrap_or_default(), origin, out);
            return length;
        }
        let found = self.find(bytes, false, out);
        match found {
            Found::Open => {
                let origins = (0..).map(|index| Origin { step: 0, ..origin.from(index) });
                self.held.extend(bytes.iter().copied().zip(origins));
                bytes.len()
            }
            Found::Plain(length) => {
                self.lay(bytes.get(..length).unwrap_or_default(), origin, out);
                length
            }
            found => self.apply(found, origin.length > 1, |length| origin.span(length), out),
        }
    }

    /// Takes what is held, as far as it can be told.
    fn resolve(&mut self, is_end: bool, out: &mut Layout) {
        while let Some((first, origin)) = self.held.first().copied() {
            self.skips_blanks &= first.is_ascii_whitespace();
            if self.tag.is_some() || self.next_special(&[first]) > 0 {
                // It need not wait: as if it came now.
                let held = std::mem::take(&mut self.held);
                self.step(&[first], origin, out);
                self.held = held;
                self.held.remove(0);
                continue;
            }
            let text: SmallVec<[u8; MAX_HELD_BYTES]> =
                self.held.iter().take(MAX_HELD_BYTES).map(|(byte, _)| *byte).collect();
            let held: SmallVec<[Origin; MAX_HELD_BYTES]> =
                self.held.iter().take(MAX_HELD_BYTES).map(|(_, origin)| *origin).collect();
            let origin_of = |index: usize| held.get(index).copied().unwrap_or(origin);
            match self.find(&text, is_end, out) {
                Found::Open => return,
                Found::Plain(length) => {
                    self.held.drain(..length.clamp(1, text.len()));
                    for (index, byte) in text.iter().take(length.max(1)).enumerate() {
                        self.lay(&[*byte], origin_of(index), out);
                    }
                }
                found => {
                    let length = found.length();
                    self.held.drain(..length.min(text.len()));
                    self.apply(found, origin.length > 1, |length| origin.to(origin_of(length.saturating_sub(1))), out);
                }
            }
        }
    }

    fn next_special(&self, bytes: &[u8]) -> usize {
        match self.rtf {
            None => next_special(bytes),
            Some(_) => bytes.iter().position(|byte| rtf::is_special(*byte)).unwrap_or(bytes.len()),
        }
    }

    fn find(&self, text: &[u8], is_end: bool, out: &Layout) -> Found {
        let found = if self.rtf.is_some() {
            rtf::find(text)
        } else {
            let is_long_line = text.first() == Some(&b'=') && is_long_line(out);
            let is_quoted_printable = self.is_quoted_printable;
            find(text, Before { byte: out.last(), is_quoted_printable, is_long_line })
        };
        match found {
            Found::Open if is_end || text.len() >= MAX_HELD_BYTES => Found::Plain(1),
            found => found,
        }
    }

    /// Does what was found at the start of text says; how many bytes that took. `span` tells the source of so many.
    fn apply(&mut self, found: Found, is_escaped: bool, span: impl Fn(usize) -> Origin, out: &mut Layout) -> usize {
        match found {
            Found::Open | Found::Plain(_) => {}
            Found::Character(length, character) => self.character(character, span(length), out),
            Found::QuotedPrintable(length, character) => {
                self.is_quoted_printable = true;
                if let Some(character) = character {
                    self.character(character, span(length), out);
                }
            }
            Found::Tag(_, tag) => self.open_tag(tag, is_escaped, out),
            Found::BeginsRtf(_) => self.rtf = Some(Rtf::new()),
            Found::Rtf(length, control) => self.control(control, span(length), out),
        }
        found.length()
    }

    fn control(&mut self, control: Control, origin: Origin, out: &mut Layout) {
        if let Control::Unicode(character) = control {
            self.character(character, origin, out);
        }
        self.rtf = self.rtf.and_then(|mut rtf| rtf.take(control).then_some(rtf));
    }

    /// Lays text that stands for itself. In a cell the source's line breaks are blanks.
    fn lay(&mut self, bytes: &[u8], origin: Origin, out: &mut Layout) {
        let (mut bytes, mut origin) = (bytes, origin);
        if let Some(rtf) = self.rtf.as_mut().filter(|_| !bytes.is_empty()) {
            let passed = usize::from(rtf.pass_over());
            if rtf.is_hidden() {
                return;
            }
            (bytes, origin) = (bytes.get(passed..).unwrap_or_default(), origin.from(passed));
        }
        let (cell, rest) = bytes.split_at(self.cell_left.min(bytes.len()));
        self.cell_left -= cell.len();
        let mut at = 0;
        for length in memchr::memchr3_iter(b'\n', b'\r', b'\t', cell) {
            origin.from(at).lay(cell.get(at..length).unwrap_or_default(), out);
            origin.from(length).lay(b" ", out);
            at = length + 1;
        }
        origin.from(at).lay(cell.get(at..).unwrap_or_default(), out);
        origin.from(cell.len()).lay(rest, out);
    }

    /// A character that came from `origin`. One that begins a notation may be part of another.
    fn character(&mut self, character: char, origin: Origin, out: &mut Layout) {
        if self.rtf.as_mut().is_some_and(|rtf| rtf.pass_over() || rtf.is_hidden()) {
            return;
        }
        match fold(character) {
            Folded::Gone => {}
            Folded::Ascii(b'\0') => self.nul(origin, out),
            Folded::Ascii(byte) if is_special(byte) && byte != b'=' && self.rtf.is_none() => {
                self.held.insert(0, (byte, origin));
            }
            Folded::Ascii(byte) => out.push_decoded(&[byte], origin.source, origin.length),
            Folded::Same => {
                out.push_decoded(character.encode_utf8(&mut [0; 4]).as_bytes(), origin.source, origin.length);
            }
        }
    }

    /// Every other byte of Latin text in UTF-16 is NUL; elsewhere NUL parts one text from the next.
    fn nul(&mut self, origin: Origin, out: &mut Layout) {
        let width = if out.last().is_some_and(|last| last >= 0x80) { 2 } else { 1 };
        if out.end().saturating_sub(self.nul_at) > width {
            out.push_decoded(b" ", origin.source, origin.length);
        }
        self.nul_at = out.end();
    }

    fn open_tag(&mut self, tag: Tag, is_escaped: bool, out: &mut Layout) {
        let ends_line = match tag.kind {
            Kind::Inline => false,
            Kind::Cell => {
                if !tag.is_closing && std::mem::replace(&mut self.row_has_cell, true) {
                    out.separator(b"\t");
                }
                self.row_has_cell = true;
                self.cell_left = 0;
                true
            }
            Kind::Block | Kind::Row => {
                if out.last().is_some_and(|last| last != b'\n') {
                    out.separator(b"\n");
                }
                if tag.kind == Kind::Row {
                    self.row_has_cell = false;
                    self.cell_left = 0;
                }
                true
            }
        };
        if tag.has_attributes {
            let escaped_end = is_escaped.then_some(0);
            self.tag = Some(OpenTag { quote: None, escaped_end, left: MAX_TAG_BYTES, ends_line });
        } else {
            self.skips_blanks = ends_line;
        }
        if tag.kind == Kind::Cell && !tag.is_closing {
            self.cell_left = MAX_CELL_BYTES;
        }
    }

    /// Passes over attributes up to the end of the tag; how many bytes that took.
    fn within_tag(&mut self, mut tag: OpenTag, bytes: &[u8]) -> usize {
        let window = bytes.get(..tag.left).unwrap_or(bytes);
        let found = match (tag.escaped_end, tag.quote) {
            // One by one: only for tags that are text of another document.
            (Some(_), _) => Some(0),
            (None, Some(quote)) => memchr::memchr(quote, window),
            (None, None) => memchr::memchr3(b'>', b'"', b'\'', window),
        };
        let used = found.map_or(window.len(), |found| found + 1);
        tag.left -= used;
        let mark = found.and_then(|found| window.get(found)).copied();
        let ends = mark.is_some_and(|mark| tag.ends_with(mark));
        self.skips_blanks = ends && tag.ends_line;
        self.tag = Some(tag).filter(|tag| !ends && tag.left > 0);
        used
    }
}

/// Whether the last line laid is one that an encoder may have broken. So much of it is always held: detection needs more.
fn is_long_line(out: &Layout) -> bool {
    let text = out.text();
    let end = text.get(text.len().saturating_sub(LONG_LINE_BYTES)..).unwrap_or_default();
    end.len() == LONG_LINE_BYTES && !end.contains(&b'\n')
}

impl OpenTag {
    /// Whether a quote, a `>`, or any byte of an escaped tag is its last.
    fn ends_with(&mut self, mark: u8) -> bool {
        if let Some(matched) = &mut self.escaped_end {
            *matched = if ESCAPED_END.get(*matched) == Some(&mark) { *matched + 1 } else { usize::from(mark == b'&') };
            return *matched == ESCAPED_END.len() || mark == b'>';
        }
        match self.quote {
            None if mark == b'>' => return true,
            None => self.quote = Some(mark),
            Some(_) => self.quote = None,
        }
        false
    }
}
