//! Protocol Buffers without their schema (the wire format of protobuf.dev), as they stream. In: the bytes of one message;
//! out: each string a line, with the numbers of its fields as its path (`grpc[0].1.2`). A field with a length may be a string,
//! a message or bytes; its first [`LOOK_BYTES`] decide: what is no text and reads as fields is a message, text is a string,
//! also where it would read as fields (save for one that begins with the line feed that is tag and type of a first field:
//! no text begins so and has the right length next). Of bytes printable runs are read.
//! Bounds: holds [`LOOK_BYTES`] and a header between pushes; [`MAX_DEPTH`] messages within each other.
//! Does not: read numbers, or groups, which nobody sends any more.

use super::super::report::Captures;
use super::super::{Arena, ContentHint, Extractor, Opening, Reason, Report, Settings, binary, path::Path};

/// Bytes of a field that are looked at to tell what it is.
const LOOK_BYTES: usize = 512;

/// Messages within messages; what is deeper is read as bytes.
const MAX_DEPTH: usize = 32;

/// Longest tag with a length behind it: two varints.
const MAX_VARINT_BYTES: usize = 10;

/// A message that is under way: where it ends, and its path.
struct Level {
    end: u64,
    mark: usize,
}

enum State {
    /// A tag is due.
    Field,
    /// A field with this end is to be looked at.
    Look { end: u64 },
    /// In a string.
    Text { end: u64 },
    /// In a number of fixed size.
    Skip { end: u64 },
    /// In bytes, of which printable runs are read.
    Bytes { end: u64, runs: Box<dyn Extractor> },
}

pub(super) struct Protobuf {
    settings: Settings,
    position: u64,
    state: State,
    levels: Vec<Level>,
    path: Path,
    /// Length of the message's own path.
    base: usize,
    /// Bytes from `position` on that wait for more.
    held: Vec<u8>,
    watched: &'static [&'static str],
    captures: Captures,
    report: Report,
}

/// What a field with a length is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    Message,
    Text,
    Bytes,
}

impl Protobuf {
    /// `length` of the message, where it is known.
    pub(super) fn new(opening: &Opening<'_>, length: Option<u64>) -> Self {
        let end = length.map_or(u64::MAX, |length| opening.source.saturating_add(length));
        let path = Path::new(opening.path, opening.settings.max_path_bytes);
        Self {
            settings: *opening.settings,
            position: opening.source,
            state: State::Look { end },
            levels: Vec::new(),
            base: path.mark(),
            path,
            held: Vec::new(),
            watched: opening.watched,
            captures: Captures::default(),
            report: Report::default(),
        }
    }

    /// Takes bytes off the front; how many. `last`: no more come.
    fn step(&mut self, bytes: &[u8], last: bool, arena: &mut Arena) -> usize {
        let here = |end: u64, position: u64| {
            usize::try_from(end.saturating_sub(position)).unwrap_or(usize::MAX).min(bytes.len())
        };
        match &mut self.state {
            State::Field => self.field(bytes, last),
            State::Look { end } => {
                let end = *end;
                let wanted = usize::try_from(end - self.position).unwrap_or(usize::MAX).min(LOOK_BYTES);
                if bytes.len() >= wanted || last {
                    self.enter(end, bytes.get(..wanted).unwrap_or(bytes), arena);
                }
                0
            }
            State::Text { end } => {
                let count = here(*end, self.position);
                arena.push(bytes.get(..count).unwrap_or_default(), self.position);
                count
            }
            State::Skip { end } => here(*end, self.position),
            State::Bytes { end, runs } => {
                let count = here(*end, self.position);
                runs.push(bytes.get(..count).unwrap_or_default(), arena);
                count
            }
        }
    }

    /// Reads as far as the bytes go; how many were used.
    fn run(&mut self, bytes: &[u8], last: bool, arena: &mut Arena) -> usize {
        let mut used = 0;
        loop {
            self.leave(arena);
            let rest = bytes.get(used..).unwrap_or_default();
            if rest.is_empty() {
                return used;
            }
            let state = std::mem::discriminant(&self.state);
            let count = self.step(rest, last, arena);
            self.position += count as u64;
            used += count;
            // A change of mind takes no bytes.
            if count == 0 && std::mem::discriminant(&self.state) == state {
                return used;
            }
        }
    }

    /// Ends what ends here.
    fn leave(&mut self, arena: &mut Arena) {
        match &mut self.state {
            State::Text { end } if *end == self.position => arena.separator(b"\n"),
            State::Skip { end } if *end == self.position => {}
            State::Bytes { end, runs } if *end == self.position => {
                runs.finish(arena);
                self.report.add(runs.report());
            }
            State::Field => {}
            _ => return,
        }
        self.state = State::Field;
        while let Some(level) = self.levels.last().filter(|level| level.end == self.position) {
            self.path.back_to(level.mark);
            self.levels.pop();
        }
        if let Some(level) = self.levels.last() {
            self.path.back_to(level.mark);
        }
    }

    fn field(&mut self, bytes: &[u8], last: bool) -> usize {
        let Some(level_end) = self.levels.last().map(|level| level.end) else {
            // Behind the outermost message nothing is due.
            self.bytes(u64::MAX);
            return 0;
        };
        let left = level_end - self.position;
        match field(bytes, left) {
            Field::More if !last && bytes.len() < 2 * MAX_VARINT_BYTES => 0,
            Field::More | Field::No => {
                // Its first bytes looked like fields: what they are is not known, so all of it is read.
                self.bytes(level_end);
                0
            }
            Field::Number { bytes: count } => count,
            Field::Fixed { header, value } => {
                self.state = State::Skip { end: self.position + header as u64 + value };
                header
            }
            Field::Length { header, number, value } => {
                let start = self.position + header as u64;
                self.path.field_number(number);
                self.state = match value {
                    0 => State::Skip { end: start },
                    _ => State::Look { end: start + value },
                };
                header
            }
        }
    }

    /// What begins here is told by `look`, its first bytes.
    fn enter(&mut self, end: u64, look: &[u8], arena: &mut Arena) {
        let is_outermost = self.levels.is_empty();
        match nature(look, end - self.position) {
            Nature::Message if self.levels.len() < MAX_DEPTH => {
                self.levels.push(Level { end, mark: self.path.mark() });
                self.state = State::Field;
            }
            // The bytes of a call are a message whatever they look like.
            Nature::Text if is_outermost && is_message(look, end - self.position) => {
                self.levels.push(Level { end, mark: self.path.mark() });
                self.state = State::Field;
            }
            Nature::Text => {
                self.capture(look, end - self.position);
                arena.begin_at(self.path.as_bytes());
                self.state = State::Text { end };
            }
            Nature::Message => {
                self.report.reasons.insert(Reason::TooDeep);
                self.bytes(end);
            }
            Nature::Bytes => self.bytes(end),
        }
    }

    /// From here to `end` nothing is known.
    fn bytes(&mut self, end: u64) {
        let runs = (binary::FORMAT.open)(&Opening {
            hint: &ContentHint::default(),
            first: &[],
            settings: &self.settings,
            path: self.path.as_str(),
            source: self.position,
            watched: &[],
            nesting: 0,
            after_gap: false,
        });
        self.state = State::Bytes { end, runs };
    }

    /// The model's name, where a string is the resource of one (`projects/p/…/models/gemini-2.5-flash`).
    fn capture(&mut self, text: &[u8], length: u64) {
        let is_whole = text.len() as u64 == length;
        let Some(at) = memchr::memmem::rfind(text, b"models/").filter(|_| is_whole) else { return };
        let (before, name) = (text.get(..at).unwrap_or_default(), text.get(at + 7..).unwrap_or_default());
        let is_resource = before.is_empty() || before.ends_with(b"/");
        let is_word = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'?');
        if is_resource && !name.is_empty() && text.iter().all(is_word) && self.captures.start(self.watched, b"model") {
            self.captures.extend(name);
        }
    }
}

impl Extractor for Protobuf {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        if self.held.is_empty() {
            let used = self.run(bytes, false, arena);
            self.held.extend_from_slice(bytes.get(used..).unwrap_or_default());
            return;
        }
        // Little by little, so that what is held stays small.
        for piece in bytes.chunks(LOOK_BYTES) {
            self.held.extend_from_slice(piece);
            let mut held = std::mem::take(&mut self.held);
            let used = self.run(&held, false, arena);
            held.drain(..used);
            self.held = held;
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        let held = std::mem::take(&mut self.held);
        let used = self.run(&held, true, arena);
        self.report.unread_bytes += (held.len() - used) as u64;
        self.position += (held.len() - used) as u64;
        let after = self.position.saturating_add(lost);
        self.report.reasons.insert(Reason::Gap);
        match &mut self.state {
            State::Text { end } if after <= *end => arena.separator(b"\n"),
            State::Skip { end } if after <= *end => {}
            State::Bytes { end, runs } if after <= *end => runs.gap(lost, arena),
            // Where fields begin is not known any more.
            _ => {
                if let State::Bytes { runs, .. } = &mut self.state {
                    runs.finish(arena);
                    self.report.add(runs.report());
                }
                arena.separator(b"\n");
                self.position = after;
                self.levels.clear();
                self.path.back_to(self.base);
                self.path.lost();
                return self.bytes(u64::MAX);
            }
        }
        self.position = after;
    }

    fn finish(&mut self, arena: &mut Arena) {
        let held = std::mem::take(&mut self.held);
        let used = self.run(&held, true, arena);
        self.report.unread_bytes += (held.len() - used) as u64;
        self.leave(arena);
        match &mut self.state {
            State::Bytes { runs, .. } => {
                runs.finish(arena);
                self.report.add(runs.report());
            }
            State::Text { .. } => arena.separator(b"\n"),
            State::Field | State::Look { .. } | State::Skip { .. } => {}
        }
        self.state = State::Field;
    }

    fn report(&self) -> Report {
        let mut report = self.report;
        report.unread_bytes += self.held.len() as u64;
        if let State::Bytes { runs, .. } = &self.state {
            report.add(runs.report());
        }
        if self.path.was_cut() {
            report.reasons.insert(Reason::PathTooLong);
        }
        report
    }

    fn captures(&self) -> Option<&Captures> {
        Some(&self.captures)
    }
}

/// What stands at the start of some bytes.
enum Field {
    /// A varint: so many bytes with its tag.
    Number {
        bytes: usize,
    },
    Fixed {
        header: usize,
        value: u64,
    },
    Length {
        header: usize,
        number: u64,
        value: u64,
    },
    /// Cut off.
    More,
    No,
}

/// The field at the start of `bytes`, which has to end within `left` bytes.
fn field(bytes: &[u8], left: u64) -> Field {
    let Some((tag, tag_bytes)) = varint(bytes) else { return Field::More };
    let number = tag >> 3;
    if number == 0 || number >= 1 << 29 || tag_bytes > 5 {
        return Field::No;
    }
    let value = bytes.get(tag_bytes..).unwrap_or_default();
    let found = match tag & 7 {
        0 => match varint(value) {
            Some((_, bytes)) => Field::Number { bytes: tag_bytes + bytes },
            None => return Field::More,
        },
        1 => Field::Fixed { header: tag_bytes, value: 8 },
        2 => match varint(value) {
            Some((length, bytes)) => Field::Length { header: tag_bytes + bytes, number, value: length },
            None => return Field::More,
        },
        5 => Field::Fixed { header: tag_bytes, value: 4 },
        _ => return Field::No,
    };
    let (header, value) = match found {
        Field::Number { bytes } => (bytes, 0),
        Field::Fixed { header, value } | Field::Length { header, value, .. } => (header, value),
        Field::More | Field::No => return found,
    };
    if value.saturating_add(header as u64) > left { Field::No } else { found }
}

/// A varint and its length; `None` where it does not end here, or ever.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let end = bytes.iter().take(MAX_VARINT_BYTES).position(|byte| byte & 0x80 == 0)?;
    let value = bytes.iter().take(end + 1).rev().fold(0_u64, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, end + 1))
}

/// What a field of `length` bytes is that begins with `look`.
fn nature(look: &[u8], length: u64) -> Nature {
    match (is_text(look, length), is_message(look, length)) {
        (true, true) if look.first() == Some(&b'\n') => Nature::Message,
        (true, _) => Nature::Text,
        (false, true) => Nature::Message,
        (false, false) => Nature::Bytes,
    }
}

fn is_text(look: &[u8], length: u64) -> bool {
    let is_whole = look.len() as u64 == length;
    let is_utf8 = std::str::from_utf8(look).map_or_else(|error| !is_whole && error.error_len().is_none(), |_| true);
    is_utf8 && !look.iter().any(|byte| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r') || *byte == 0x7f)
}

/// Whether the bytes are fields one after another, as far as they are there.
fn is_message(look: &[u8], length: u64) -> bool {
    let (mut at, mut left) = (0, length);
    while let Some(rest) = look.get(at..).filter(|rest| !rest.is_empty()) {
        let size = match field(rest, left) {
            Field::Number { bytes } => bytes as u64,
            Field::Fixed { header, value } | Field::Length { header, value, .. } => header as u64 + value,
            Field::More => return (look.len() as u64) < length && rest.len() < 2 * MAX_VARINT_BYTES,
            Field::No => return false,
        };
        left -= size;
        at = usize::try_from(size).map_or(usize::MAX, |size| at.saturating_add(size));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_field_is_shows_in_its_bytes() {
        let nested = |text: &str| [&[0x0a, text.len() as u8][..], text.as_bytes()].concat();
        for (bytes, expected) in [
            (&b"Patient MRN 00412345"[..], Nature::Text),
            // They read as fields too: a number each.
            (b"P1", Nature::Text),
            (b"h1p2", Nature::Text),
            (b"\x08\x01\x12\x02hi", Nature::Message),
            (b"\x12\x02hi", Nature::Message),
            (&nested("of a length that is a letter: MRN 00412345"), Nature::Message),
            (b"\nMRN 00412345", Nature::Text),
            (b"\xff\xd8\xff\xe0", Nature::Bytes),
            (b"\x08", Nature::Bytes),
        ] {
            assert_eq!(nature(bytes, bytes.len() as u64), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_field_reaches_no_further_than_its_message() {
        assert!(is_message(b"\x0a\x05hello", 7));
        assert!(!is_message(b"\x0a\x06hello", 7));
        assert!(is_message(b"\x0a\x06hel", 8), "the rest is still to come");
        assert!(!is_message(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 1 << 20));
        assert!(!is_message(b"\x00\x01", 2), "no field has the number 0");
    }
}
