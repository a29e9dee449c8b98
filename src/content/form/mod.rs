//! URL-encoded forms (application/x-www-form-urlencoded, WHATWG URL §5) as they stream. In: bytes cut anywhere; out:
//! each field as a `name: value` line, `+` and `%XX` decoded, the path its name; a value that is JSON (`f.req=[…]`) is
//! read as JSON inside it. Bytes that are no escape stand for themselves. After a hole what comes belongs to the field
//! before it, up to the next `&`. Bounds: holds an escape, [`MAX_HELD_BYTES`] of a value, 120 bytes of a name. Does not:
//! pass over base64 outside JSON; other character sets than UTF-8 go as they are.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

#[cfg(test)]
mod tests;

use memchr::memchr3;
use smallvec::SmallVec;

use super::json::{Json, is_json_value};
use super::path::Path;
use super::{Arena, Captures, ContentHint, Extractor, Format, Opening, Reason, Report, Settings};

pub(super) const FORMAT: Format =
    Format { name: "form", matches: is_form, open: |opening| Box::new(Form::new(opening)) };

/// First bytes of a value that may be JSON, held until that is known.
const MAX_HELD_BYTES: usize = 24;

/// Bytes of a name that its path is made of; a longer one is no name.
const MAX_NAME_BYTES: usize = 120;

/// Source bytes of `%XX`.
const ESCAPE_BYTES: u8 = 3;

fn is_form(opening: &Opening<'_>) -> bool {
    let typed = opening.hint.is_type("application/x-www-form-urlencoded");
    let first = opening.first.trim_ascii_end();
    let name = first.iter().position(|byte| !is_name_byte(*byte)).unwrap_or(first.len());
    if typed {
        // Clients call anything a form: text that begins with a sentence is none.
        return opening.after_gap || matches!(first.get(name), None | Some(b'=' | b'&'));
    }
    let is_coded =
        |byte: &u8| is_name_byte(*byte) || matches!(byte, b'=' | b'&' | b'/' | b'!' | b'\'' | b'(' | b')' | b',');
    !opening.after_gap
        && name > 0
        && first.get(name) == Some(&b'=')
        && first.iter().all(is_coded)
        && first
            .windows(3)
            .any(|window| matches!(window, [b'%', high, low] if hex(*high).is_some() && hex(*low).is_some()))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'_' | b'-' | b'~' | b'*' | b'[' | b']' | b'%' | b'+' | b':' | b'$')
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// What the bytes belong to.
enum Part {
    Name,
    /// A value of which too little is there; each byte with its source and stride.
    Undecided(Box<SmallVec<[(u8, u64, u8); MAX_HELD_BYTES]>>),
    Text,
    Json(Box<Json>),
}

/// An escape being read, from its `%` at a source offset on.
#[derive(Clone, Copy)]
enum Escape {
    None,
    Percent(u64),
    High(u64, u8),
}

struct Form {
    /// Source offset of the next byte.
    position: u64,
    settings: Settings,
    watched: &'static [&'static str],
    nesting: u8,
    path: Path,
    root: usize,
    part: Part,
    escape: Escape,
    name: Vec<u8>,
    /// End of the arena when the field began: one that has text ends its line.
    field_start: u64,
    capturing: bool,
    captures: Captures,
    report: Report,
}

impl Form {
    fn new(opening: &Opening<'_>) -> Self {
        let path = Path::new(opening.path, opening.settings.max_path_bytes);
        Self {
            position: opening.source,
            settings: *opening.settings,
            watched: opening.watched,
            nesting: opening.nesting,
            root: path.mark(),
            path,
            part: Part::Name,
            escape: Escape::None,
            name: Vec::new(),
            field_start: 0,
            capturing: false,
            captures: Captures::default(),
            report: Report::default(),
        }
    }

    /// Decoded bytes, each from `stride` source bytes, from `source` on.
    fn decoded(&mut self, bytes: &[u8], source: u64, stride: u8, arena: &mut Arena) {
        if self.capturing {
            self.captures.extend(bytes);
        }
        self.emit(bytes, source, stride, arena);
    }

    fn emit(&mut self, bytes: &[u8], source: u64, stride: u8, arena: &mut Arena) {
        if bytes.is_empty() {
            return;
        }
        match &mut self.part {
            Part::Name => {
                if self.name.is_empty() {
                    self.field_start = arena.end();
                    arena.begin_at(self.path.as_bytes());
                }
                let room = (MAX_NAME_BYTES + 1).saturating_sub(self.name.len());
                self.name.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                arena.push_strided(bytes, source, stride);
            }
            Part::Text => arena.push_strided(bytes, source, stride),
            Part::Json(json) => json.push_strided(bytes, source, stride, arena),
            Part::Undecided(held) => {
                let room = MAX_HELD_BYTES.saturating_sub(held.len()).min(bytes.len());
                let (first, rest) = bytes.split_at(room);
                let places = (0..).map(|index: u64| source + index * u64::from(stride));
                held.extend(first.iter().zip(places).map(|(byte, at)| (*byte, at, stride)));
                let starts = held.iter().map(|(byte, ..)| *byte).find(|byte| !byte.is_ascii_whitespace());
                let may_be_json = matches!(starts, None | Some(b'{' | b'['));
                if !may_be_json || held.len() >= MAX_HELD_BYTES {
                    self.decide(arena);
                    self.emit(rest, source + room as u64 * u64::from(stride), stride, arena);
                }
            }
        }
    }

    /// Chooses how the value is read by what is held of it.
    fn decide(&mut self, arena: &mut Arena) {
        let Part::Undecided(held) = &mut self.part else { return };
        let held = std::mem::take(held);
        self.part = Part::Text;
        let first: SmallVec<[u8; MAX_HELD_BYTES]> = held.iter().map(|(byte, ..)| *byte).collect();
        if is_json_value(first.trim_ascii_start()) {
            self.part = Part::Json(Box::new(Json::new(&Opening {
                hint: &ContentHint::default(),
                first: &first,
                settings: &self.settings,
                path: self.path.as_str(),
                source: held.first().map_or(self.position, |(_, source, _)| *source),
                watched: &[],
                nesting: self.nesting + 1,
                after_gap: false,
            })));
            if std::mem::take(&mut self.capturing) {
                self.captures.cancel();
            }
            arena.settle();
            if arena.end() > self.field_start {
                arena.separator(b"\n");
            }
        }
        for (byte, source, stride) in *held {
            self.emit(&[byte], source, stride, arena);
        }
    }

    /// `=` after a name.
    fn begin_value(&mut self, arena: &mut Arena) {
        if self.name.is_empty() {
            self.field_start = arena.end();
        } else {
            arena.separator(b": ");
        }
        self.path.back_to(self.root);
        self.path.field(if self.name.len() > MAX_NAME_BYTES { b"" } else { &self.name });
        arena.begin_at(self.path.as_bytes());
        self.capturing = self.captures.start(self.watched, &self.name);
        self.part = Part::Undecided(Box::default());
    }

    /// `&`, or the end.
    fn end_field(&mut self, arena: &mut Arena) {
        self.decide(arena);
        arena.settle();
        if let Part::Json(json) = &mut self.part {
            json.finish(arena);
            self.report.add(json.report());
        } else if arena.end() > self.field_start {
            arena.separator(b"\n");
        }
        self.field_start = arena.end();
        self.part = Part::Name;
        self.capturing = false;
        self.name.clear();
        self.path.back_to(self.root);
    }

    /// What began as an escape and is none.
    fn flush_escape(&mut self, arena: &mut Arena) {
        match std::mem::replace(&mut self.escape, Escape::None) {
            Escape::None => {}
            Escape::Percent(start) => self.decoded(b"%", start, 1, arena),
            Escape::High(start, high) => self.decoded(&[b'%', high], start, 1, arena),
        }
    }

    /// A byte after `%`; false when it is to be read anew.
    fn escaped(&mut self, byte: u8, arena: &mut Arena) -> bool {
        match (self.escape, hex(byte)) {
            (Escape::Percent(start), Some(_)) => self.escape = Escape::High(start, byte),
            (Escape::High(start, high), Some(low)) => {
                self.escape = Escape::None;
                let decoded = hex(high).unwrap_or(0) << 4 | low;
                self.decoded(&[decoded], start, ESCAPE_BYTES, arena);
            }
            _ => {
                self.flush_escape(arena);
                return false;
            }
        }
        true
    }

    /// A run that stands for itself, or one byte that does not; how many bytes that took.
    fn run(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        let in_name = matches!(self.part, Part::Name);
        let length = memchr3(b'%', b'+', b'&', bytes).unwrap_or(bytes.len());
        let run = bytes.get(..length).unwrap_or_default();
        let equals = if in_name { memchr::memchr(b'=', run) } else { None };
        if let Some(length) = equals {
            self.decoded(run.get(..length).unwrap_or_default(), self.position, 1, arena);
            self.begin_value(arena);
            return length + 1;
        }
        if length > 0 {
            self.decoded(run, self.position, 1, arena);
            return length;
        }
        match bytes.first() {
            Some(b'%') => self.escape = Escape::Percent(self.position),
            Some(b'+') => self.decoded(b" ", self.position, 1, arena),
            _ => self.end_field(arena),
        }
        1
    }
}

impl Extractor for Form {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        let mut rest = bytes;
        while let Some(byte) = rest.first() {
            let used = match self.escape {
                Escape::None => self.run(rest, arena),
                _ => usize::from(self.escaped(*byte, arena)),
            };
            self.position += used as u64;
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        self.flush_escape(arena);
        self.decide(arena);
        self.position += lost;
        self.report.reasons.insert(Reason::Gap);
        self.capturing = false;
        if let Part::Json(json) = &mut self.part {
            json.gap(lost, arena);
            return;
        }
        if matches!(self.part, Part::Name) {
            self.path.back_to(self.root);
            self.path.lost();
            self.part = Part::Text;
        }
        // What stands before and after a hole must not be read as one value.
        arena.separator(b"\n");
        arena.begin_at(self.path.as_bytes());
    }

    fn finish(&mut self, arena: &mut Arena) {
        self.flush_escape(arena);
        self.end_field(arena);
    }

    fn report(&self) -> Report {
        let mut report = self.report;
        if let Part::Json(json) = &self.part {
            report.add(json.report());
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
