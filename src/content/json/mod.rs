//! JSON (RFC 8259), JSON lines, values one after another, the data lines of event streams, as they stream. In: bytes
//! cut anywhere; out: members as `key: value` lines and elements as lines, strings unescaped, numbers and literals as
//! text. What is wrong is read as well as it can be: a missing comma, a bare word, a cut end. After a hole, what comes
//! counts as text until a quote that is followed by `,` `:` `}` `]` (the end of a string) or by something else (its
//! start); paths then begin with `…`. Bounds: 16 bytes per level up to `max_json_depth`, one path, 41 bytes of a key.
//! Does not: check, hold a document, undo base64.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod escape;
mod prefix;
mod sniff;
#[cfg(test)]
mod tests;
mod value;

use memchr::memchr2;

use super::class::Classes;
use super::{Arena, Captures, Extractor, Format, Opening, Reason, Report, path::Path};
use escape::{Escape, Range, letter};
use value::{Role, Value};

pub(super) use sniff::{begins_with_value, is_json_value};

pub(super) const FORMAT: Format =
    Format { name: "json", matches: sniff::is_json, open: |opening| Box::new(Json::new(opening)) };

/// Server-sent events: lines of `data: {…}`, which the tolerant reader takes as members.
pub(super) const EVENT_STREAM: Format = Format {
    name: "event_stream",
    matches: |opening| opening.hint.is_type("text/event-stream"),
    open: |opening| Box::new(Json::new(opening)),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between values.
    Structure,
    String,
    /// Within a number, literal or bare word.
    Bare,
    /// After a space in a bare word: its end, or not.
    BareSpace,
    /// After a hole: text until a quote.
    Lost,
    /// After a quote that ends or starts a string.
    LostQuote,
}

/// What stands on the current line of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    /// A string that is a key if a colon follows.
    Key,
    /// `key: `
    Labelled,
}

/// An open object or array.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Length of the container's path.
    mark: u32,
    is_object: bool,
    /// The next string is a key.
    expects_key: bool,
    /// Of the current element.
    index: u64,
}

pub(super) struct Json {
    /// Source offset of the next byte.
    position: u64,
    /// Source bytes that each byte stands for: 3 in a form, where it was `%7B`.
    stride: u8,
    start: u64,
    state: State,
    stack: Vec<Frame>,
    max_depth: usize,
    /// Containers open below the deepest that has a frame.
    deeper: u64,
    path: Path,
    /// Length of the path of what stands outside all containers, and what it was at first.
    root: usize,
    base: usize,
    line: Line,
    value: Value,
    escape: Escape,
    watched: &'static [&'static str],
}

impl Json {
    pub(super) fn new(opening: &Opening<'_>) -> Self {
        let path = Path::new(opening.path, opening.settings.max_path_bytes);
        Self {
            position: opening.source,
            stride: 1,
            start: opening.source,
            state: State::Structure,
            stack: Vec::new(),
            max_depth: opening.settings.max_json_depth,
            deeper: 0,
            root: path.mark(),
            base: path.mark(),
            path,
            line: Line::Empty,
            value: Value::new(),
            escape: Escape::default(),
            watched: opening.watched,
        }
    }

    /// The next bytes, which stand in the source from `source` on, each for `stride` of its bytes.
    pub(super) fn push_strided(&mut self, bytes: &[u8], source: u64, stride: u8, arena: &mut Arena) {
        self.position = source;
        self.stride = stride;
        self.push(bytes, arena);
    }

    /// Source bytes of so many bytes of this push.
    #[inline]
    fn source_len(&self, bytes: usize) -> u64 {
        bytes as u64 * u64::from(self.stride)
    }

    fn top(&mut self) -> Option<&mut Frame> {
        if self.deeper == 0 { self.stack.last_mut() } else { None }
    }

    fn newline(&mut self, arena: &mut Arena) {
        arena.separator(b"\n");
        self.line = Line::Empty;
    }

    /// Ends a line on which something stands: no value is to come for it.
    fn end_line(&mut self, arena: &mut Arena) {
        if self.line != Line::Empty {
            self.newline(arena);
        }
    }

    /// Reads punctuation up to the next value; how many bytes that took.
    fn structure(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        for (index, byte) in bytes.iter().enumerate() {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => {}
                b'"' => {
                    self.begin_value(true, arena);
                    self.state = State::String;
                    return index + 1;
                }
                b'{' => self.open(true, arena),
                b'[' => self.open(false, arena),
                b'}' | b']' => self.close(arena),
                b',' => self.comma(arena),
                b':' => self.colon(arena),
                // SignalR and JSON text sequences (RFC 7464) put it between documents.
                0x1E => self.new_document(arena),
                0xEF | 0xBB | 0xBF if self.position + index as u64 - self.start < 3 => {}
                _ => {
                    self.begin_value(false, arena);
                    self.state = State::Bare;
                    return index;
                }
            }
        }
        bytes.len()
    }

    /// Sets role, line and path for a string or bare value that starts here.
    fn begin_value(&mut self, is_string: bool, arena: &mut Arena) {
        if self.line == Line::Key {
            self.newline(arena);
        }
        let labelled = self.line == Line::Labelled;
        let role = if self.deeper > 0 {
            Role::Value
        } else {
            match self.stack.last() {
                Some(frame) if frame.is_object && frame.expects_key => {
                    self.path.back_to(frame.mark as usize);
                    Role::Key
                }
                Some(frame) => {
                    if !frame.is_object {
                        self.path.back_to(frame.mark as usize);
                        self.path.index(frame.index);
                    }
                    Role::Value
                }
                None if labelled => Role::Value,
                None => {
                    self.path.back_to(self.root);
                    Role::Unknown
                }
            }
        };
        arena.begin_at(self.path.as_bytes());
        self.value.begin(role, is_string);
    }

    fn end_value(&mut self, arena: &mut Arena) {
        self.value.end(arena);
        self.state = State::Structure;
        if self.value.role == Role::Value {
            self.newline(arena);
            // The comma that should follow may be missing.
            self.expect_key();
        } else {
            self.line = Line::Key;
        }
    }

    fn expect_key(&mut self) {
        if let Some(frame) = self.top() {
            frame.expects_key = frame.is_object;
        }
    }

    fn open(&mut self, is_object: bool, arena: &mut Arena) {
        if self.line == Line::Key {
            self.newline(arena);
        }
        self.value.cancel_capture();
        if self.deeper > 0 || self.stack.len() >= self.max_depth {
            self.deeper += 1;
            self.value.report.reasons.insert(Reason::TooDeep);
            return;
        }
        match self.stack.last() {
            Some(frame) if !frame.is_object => {
                self.path.back_to(frame.mark as usize);
                self.path.index(frame.index);
            }
            Some(frame) if frame.expects_key => self.path.back_to(frame.mark as usize),
            None if self.line == Line::Empty => self.path.back_to(self.root),
            _ => {}
        }
        let mark = self.path.mark() as u32;
        self.stack.push(Frame { mark, is_object, expects_key: is_object, index: 0 });
    }

    fn close(&mut self, arena: &mut Arena) {
        self.end_line(arena);
        self.value.cancel_capture();
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.stack.pop();
            self.expect_key();
        }
    }

    fn comma(&mut self, arena: &mut Arena) {
        self.end_line(arena);
        self.value.cancel_capture();
        if let Some(frame) = self.top() {
            frame.expects_key = frame.is_object;
            frame.index += u64::from(!frame.is_object);
        }
    }

    fn colon(&mut self, arena: &mut Arena) {
        if self.line != Line::Key {
            return;
        }
        arena.separator(b": ");
        self.line = Line::Labelled;
        let root = self.root;
        let mark = self.top().map_or(root, |frame| {
            frame.expects_key = false;
            frame.mark as usize
        });
        self.path.back_to(mark);
        self.path.member(self.value.key());
        if self.stack.len() == 1 && !self.watched.is_empty() {
            self.value.capture(self.watched);
        }
    }

    fn new_document(&mut self, arena: &mut Arena) {
        self.end_line(arena);
        self.stack.clear();
        self.deeper = 0;
    }

    /// Reads a string up to its closing quote; how many bytes that took, quote and all. After a hole the quote stays.
    fn string(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        let mut used = 0;
        loop {
            while self.escape.is_active() {
                let Some(byte) = bytes.get(used) else {
                    return used;
                };
                let start = self.position + self.source_len(used);
                let range = Range { start, end: start + self.source_len(1) };
                used += usize::from(self.escape.feed(*byte, range, &mut self.value, arena));
            }
            let rest = bytes.get(used..).unwrap_or_default();
            let source = self.position + self.source_len(used);
            let Some(length) = memchr2(b'"', b'\\', rest) else {
                self.value.run(rest, source, self.stride, arena);
                return bytes.len();
            };
            let (run, rest) = rest.split_at(length);
            self.value.run(run, source, self.stride, arena);
            used += length;
            let source = source + self.source_len(length);
            match rest {
                [b'"', ..] => {
                    self.end_quote(arena);
                    return used + 1;
                }
                [_, byte, ..] if let Some(character) = letter(*byte) => {
                    self.value.letter(character, Range { start: source, end: source + self.source_len(2) }, arena);
                    used += 2;
                }
                _ => {
                    self.escape.start(Range { start: source, end: source + self.source_len(1) });
                    used += 1;
                }
            }
        }
    }

    fn end_quote(&mut self, arena: &mut Arena) {
        if self.state == State::Lost {
            self.state = State::LostQuote;
        } else {
            self.end_value(arena);
        }
    }

    /// Reads a bare value; it ends before a byte that is punctuation, a quote, or the end of the line.
    fn bare(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        let is_key = self.value.role != Role::Value;
        let length = bytes.iter().position(|byte| ends_bare(*byte, is_key)).unwrap_or(bytes.len());
        self.value.run(bytes.get(..length).unwrap_or_default(), self.position, self.stride, arena);
        match bytes.get(length) {
            None => {}
            Some(b' ' | b'\t') => self.state = State::BareSpace,
            Some(_) => self.end_value(arena),
        }
        length
    }

    fn bare_space(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        let length = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(bytes.len());
        match bytes.get(length) {
            None => {}
            Some(byte) if ends_bare(*byte, self.value.role != Role::Value) => self.end_value(arena),
            Some(_) => {
                self.value.space(arena);
                self.state = State::Bare;
            }
        }
        length
    }

    /// After a hole and a quote: what follows tells on which side of the quote the string is.
    fn lost_quote(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        let length = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
        let Some(byte) = bytes.get(length) else {
            return length;
        };
        let ends = matches!(byte, b',' | b':' | b'}' | b']');
        self.value.end(arena);
        self.path.back_to(self.base);
        self.path.lost();
        self.root = self.path.mark();
        self.line = Line::Key;
        self.state = State::Structure;
        if !ends {
            self.begin_value(true, arena);
            self.state = State::String;
        }
        length
    }
}

const END: u8 = 1;
const KEY_END: u8 = 2;

/// Bytes at which a bare value ends or may end.
static BARE_ENDS: Classes = Classes::new(&[(END, b",]}[{\" \t\n\r\x1E"), (KEY_END, b":")]);

/// A colon ends a key, and is part of a value such as a time.
#[inline]
fn ends_bare(byte: u8, is_key: bool) -> bool {
    let end = BARE_ENDS.of(byte);
    end == END || (end == KEY_END && is_key)
}

impl Extractor for Json {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = match self.state {
                State::Structure => self.structure(rest, arena),
                State::String | State::Lost => self.string(rest, arena),
                State::Bare => self.bare(rest, arena),
                State::BareSpace => self.bare_space(rest, arena),
                State::LostQuote => self.lost_quote(rest, arena),
            };
            self.position += self.source_len(used);
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        if self.escape.is_active() {
            self.escape.finish(&mut self.value, arena);
        }
        self.value.end(arena);
        self.value.cancel_capture();
        self.position += lost;
        self.stack.clear();
        self.deeper = 0;
        // Most holes lie within one long string: its path holds until the next quote.
        if !matches!(self.state, State::String | State::Lost) {
            self.path.back_to(self.base);
            self.path.lost();
        }
        self.newline(arena);
        arena.begin_at(self.path.as_bytes());
        self.value.begin(Role::Unknown, false);
        self.value.report.reasons.insert(Reason::Gap);
        self.state = State::Lost;
    }

    fn finish(&mut self, arena: &mut Arena) {
        let cut = matches!(self.state, State::String) || !self.stack.is_empty();
        if cut {
            self.value.report.reasons.insert(Reason::Truncated);
        }
        if self.escape.is_active() {
            self.escape.finish(&mut self.value, arena);
        }
        let open = self.state != State::Structure;
        self.value.end(arena);
        self.state = State::Structure;
        if open || self.line != Line::Empty {
            self.newline(arena);
        }
    }

    fn report(&self) -> Report {
        let mut report = self.value.report;
        if self.path.was_cut() {
            report.reasons.insert(Reason::PathTooLong);
        }
        report
    }

    fn captures(&self) -> Option<&Captures> {
        Some(&self.value.captures)
    }
}
