//! multipart/form-data and its kin (RFC 7578, RFC 2046 §5.1) as they stream. In: bytes cut anywhere; out: each field
//! as a `name: value` line, each file as a `name: file name` line and its text, read by the format that suits it; the
//! path is the field's name. A preamble, an epilogue and a body whose boundary never comes are read as documents too.
//! Bounds: holds one delimiter and `max_part_headers_bytes`; `max_parts`; 3 levels of multipart. Does not: mail (RFC 5322).

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod headers;
#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::memmem::Finder;

use super::sniff::Sniffed;
use super::transfer::Transfer;
use super::{Arena, Captures, ContentHint, Extractor, Format, Opening, Reason, Report, Settings, path::Path};
use headers::{PartHeaders, parameter};

pub(super) const FORMAT: Format = Format {
    name: "multipart",
    matches: |opening| opening.nesting < MAX_NESTING && boundary(opening).is_some(),
    open: |opening| Box::new(Multipart::new(opening)),
};

/// Multipart in multipart; deeper ones are read as text.
const MAX_NESTING: u8 = 3;

/// RFC 2046 allows 70; a longer one is no boundary of any client.
const MAX_BOUNDARY_BYTES: usize = 200;

/// Spaces that may follow a delimiter on its line.
const MAX_PADDING_BYTES: usize = 64;

/// From the content type, else from the first line when a part's headers follow it.
fn boundary<'a>(opening: &'a Opening<'_>) -> Option<&'a [u8]> {
    let typed = opening.hint.content_type.filter(|_| opening.hint.is_type("multipart/")).and_then(|value| {
        let value = value.as_bytes();
        value.get(parameter(value, 0..value.len(), b"boundary")?)
    });
    typed.or_else(|| sniffed_boundary(opening.first)).filter(|boundary| {
        let printable = boundary.iter().all(|byte| matches!(byte, b' '..=b'~'));
        printable && !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY_BYTES
    })
}

fn sniffed_boundary(first: &[u8]) -> Option<&[u8]> {
    let line_end = memchr::memchr(b'\n', first)?;
    let (line, rest) = first.split_at_checked(line_end)?;
    let follows = rest.get(1..b"Content-".len() + 1)?.eq_ignore_ascii_case(b"content-");
    line.trim_ascii_end().strip_prefix(b"--").filter(|_| follows)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Within a part's content, the preamble or the epilogue.
    Content,
    /// After a delimiter, within the rest of its line.
    DelimiterLine,
    Headers,
}

struct Multipart {
    /// Line break, dashes and boundary.
    finder: Finder<'static>,
    settings: Settings,
    watched: &'static [&'static str],
    nesting: u8,
    path: Path,
    root: usize,
    /// Source offset of the next byte.
    position: u64,
    state: State,
    /// Content: its end, which may be the start of a delimiter. Headers, delimiter line: what there is of them.
    held: Vec<u8>,
    /// So many of the bytes held stand nowhere: the line break before a delimiter at the very start.
    virtual_bytes: usize,
    /// Where the current line of the headers starts in `held`.
    line_start: usize,
    part: Box<dyn Extractor>,
    /// End of the arena when the part began: a part that has text ends its line.
    part_start: u64,
    capturing: bool,
    parts: u64,
    ended: bool,
    /// Of the parts that ended.
    report: Report,
    captures: Captures,
}

impl Multipart {
    fn new(opening: &Opening<'_>) -> Self {
        let delimiter = [b"\r\n--", boundary(opening).unwrap_or_default()].concat();
        let path = Path::new(opening.path, opening.settings.max_path_bytes);
        let outside = Opening { hint: &ContentHint::default(), nesting: MAX_NESTING, watched: &[], ..*opening };
        Self {
            finder: Finder::new(&delimiter).into_owned(),
            settings: *opening.settings,
            watched: opening.watched,
            nesting: opening.nesting,
            root: path.mark(),
            path,
            position: opening.source,
            state: State::Content,
            held: b"\r\n".to_vec(),
            virtual_bytes: 2,
            line_start: 0,
            part: Box::new(Sniffed::new(&outside)),
            part_start: 0,
            capturing: false,
            parts: 0,
            ended: false,
            report: Report::default(),
            captures: Captures::default(),
        }
    }

    /// Content up to the next delimiter; how many bytes that took.
    fn content(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        if self.parts > self.settings.max_parts {
            self.emit(bytes, arena);
            return bytes.len();
        }
        let delimiter_len = self.finder.needle().len();
        if self.held.is_empty() {
            let found = self.finder.find(bytes);
            let end = found.unwrap_or_else(|| bytes.len() - self.open_end(bytes));
            self.emit(bytes.get(..end).unwrap_or_default(), arena);
            if found.is_some() {
                self.state = State::DelimiterLine;
                return end + delimiter_len;
            }
            self.held.extend_from_slice(bytes.get(end..).unwrap_or_default());
            return bytes.len();
        }
        // Bytes held and the next ones, as many as a delimiter that starts in the bytes held can reach.
        let taken = bytes.len().min(delimiter_len);
        let held = self.held.len();
        let mut window = std::mem::take(&mut self.held);
        window.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if let Some(found) = self.finder.find(&window) {
            self.emit(window.get(..found).unwrap_or_default(), arena);
            self.state = State::DelimiterLine;
            return (found + delimiter_len).saturating_sub(held);
        }
        if taken == delimiter_len {
            window.truncate(held);
            self.emit(&window, arena);
            return 0;
        }
        let end = window.len() - self.open_end(&window);
        self.emit(window.get(..end).unwrap_or_default(), arena);
        window.drain(..end);
        self.held = window;
        taken
    }

    /// Length of the end of `bytes` that may be the start of a delimiter. A delimiter has one CR, its first byte.
    fn open_end(&self, bytes: &[u8]) -> usize {
        let delimiter = self.finder.needle();
        let tail = bytes.get(bytes.len().saturating_sub(delimiter.len() - 1)..).unwrap_or_default();
        memchr::memrchr(b'\r', tail)
            .and_then(|start| tail.get(start..))
            .filter(|end| delimiter.starts_with(end))
            .map_or(0, <[u8]>::len)
    }

    /// Hands content to the part, which counts its own offsets: content comes to it without a hole.
    fn emit(&mut self, bytes: &[u8], arena: &mut Arena) {
        let skip = self.virtual_bytes.min(bytes.len());
        self.virtual_bytes -= skip;
        let bytes = bytes.get(skip..).unwrap_or_default();
        if bytes.is_empty() {
            return;
        }
        if self.capturing {
            self.captures.extend(bytes);
        }
        self.part.push(bytes, arena);
    }

    /// The line of a delimiter: `--` ends all, spaces are padding, anything else makes it content.
    fn delimiter_line(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        for (index, byte) in bytes.iter().enumerate() {
            self.held.push(*byte);
            let used = index + 1;
            match self.held.as_slice() {
                [b'-', b'-'] => {
                    self.held.clear();
                    self.virtual_bytes = 0;
                    self.end_part(arena);
                    self.ended = true;
                    self.state = State::Content;
                    self.open_outside(self.position + used as u64, arena);
                    return used;
                }
                [b'-'] => {}
                line if line.ends_with(b"\n") && line.trim_ascii().is_empty() => {
                    self.held.clear();
                    self.virtual_bytes = 0;
                    self.end_part(arena);
                    self.line_start = 0;
                    self.state = State::Headers;
                    if self.parts == self.settings.max_parts {
                        self.no_more_parts(used, arena);
                    }
                    return used;
                }
                line if line.trim_ascii().is_empty() && line.len() < MAX_PADDING_BYTES => {}
                _ => {
                    self.not_a_delimiter(arena);
                    return used;
                }
            }
        }
        bytes.len()
    }

    /// Each part costs its setting up, so a body of nothing else would be slow to read.
    fn no_more_parts(&mut self, used: usize, arena: &Arena) {
        self.report.reasons.insert(Reason::TooManyParts);
        self.parts += 1;
        self.open_outside(self.position + used as u64, arena);
        self.state = State::Content;
    }

    /// A longer line that begins like the delimiter is content. Its last byte may start the true delimiter.
    fn not_a_delimiter(&mut self, arena: &mut Arena) {
        let mut line = std::mem::take(&mut self.held);
        let reread = line.pop_if(|last| *last == b'\r');
        let delimiter = self.finder.needle().to_vec();
        self.state = State::Content;
        self.emit(&delimiter, arena);
        self.emit(&line, arena);
        self.held.extend(reread);
    }

    /// The headers of a part up to the blank line.
    fn headers(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let room = self.settings.max_part_headers_bytes.saturating_sub(self.held.len());
            let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            let taken = line.min(room);
            self.held.extend_from_slice(rest.get(..taken).unwrap_or_default());
            used += taken;
            if self.held.get(self.line_start..).is_some_and(|line| matches!(line, b"\r\n" | b"\n")) {
                self.open_part(used, arena);
                return used;
            }
            if self.held.ends_with(b"\n") {
                self.line_start = self.held.len();
            }
            if taken < line {
                self.report.reasons.insert(Reason::PartHeadersTooLong);
                self.headers_as_text(used, arena);
                return used;
            }
        }
        used
    }

    /// Opens the part whose headers are held; its content starts `used` bytes after the position.
    fn open_part(&mut self, used: usize, arena: &mut Arena) {
        let block = std::mem::take(&mut self.held);
        let content = self.position + used as u64;
        let start = content - block.len() as u64;
        let headers = PartHeaders::parse(&block);
        let text = |range: &Option<Range<usize>>| range.clone().and_then(|range| block.get(range));
        self.path.back_to(self.root);
        let name = text(&headers.name);
        match name {
            Some(name) => self.path.member(name),
            None => self.path.index(self.parts),
        }
        self.parts += 1;
        self.part_start = arena.end();
        label(&headers, &block, start, self.path.as_str(), arena);
        let is_file = headers.file_name.is_some() || headers.encoded_file_name.is_some();
        self.capturing = !is_file && name.is_some_and(|name| self.captures.start(self.watched, name));
        let hint = ContentHint {
            content_type: text(&headers.content_type).and_then(|value| std::str::from_utf8(value).ok()),
            file_name: text(&headers.file_name).and_then(|value| std::str::from_utf8(value).ok()),
            message_encoding: None,
        };
        let transfer = text(&headers.transfer_encoding).and_then(Transfer::of).filter(|_| is_textual(&hint));
        self.part = match transfer {
            Some(transfer) => transfer.open(self.path.as_str(), content),
            None => Box::new(Sniffed::new(&Opening {
                hint: &hint,
                first: &[],
                settings: &self.settings,
                path: self.path.as_str(),
                source: content,
                watched: if is_file { &[] } else { self.watched },
                nesting: self.nesting + 1,
                after_gap: false,
            })),
        };
        // An empty part's delimiter may follow at once: the line break of the headers serves it too.
        self.held.extend_from_slice(b"\r\n");
        self.virtual_bytes = 2;
        self.state = State::Content;
    }

    /// What lies outside all parts should be empty; what is there all the same is read.
    fn open_outside(&mut self, source: u64, arena: &Arena) {
        self.path.back_to(self.root);
        self.part_start = arena.end();
        self.part = Box::new(Sniffed::new(&Opening {
            hint: &ContentHint::default(),
            first: &[],
            settings: &self.settings,
            path: self.path.as_str(),
            source,
            watched: &[],
            nesting: MAX_NESTING,
            after_gap: false,
        }));
    }

    /// Headers that do not end are the text of a part without a name.
    fn headers_as_text(&mut self, used: usize, arena: &mut Arena) {
        let block = std::mem::take(&mut self.held);
        let end = self.position + used as u64;
        self.open_outside(end.saturating_sub(block.len() as u64), arena);
        self.part.push(&block, arena);
        self.state = State::Content;
    }

    fn end_part(&mut self, arena: &mut Arena) {
        self.part.finish(arena);
        self.report.add(self.part.report());
        if let Some(captures) = self.part.captures() {
            self.captures.merge(captures);
        }
        self.part = Box::new(Nothing);
        self.capturing = false;
        arena.settle();
        if arena.end() > self.part_start {
            arena.separator(b"\n");
        }
        self.part_start = arena.end();
    }
}

/// Whether transfer-coded bytes are text once decoded.
fn is_textual(hint: &ContentHint<'_>) -> bool {
    match hint.content_type {
        None => hint.file_name.is_none(),
        Some(_) => ["text/", "application/json", "application/xml"].iter().any(|media| hint.is_type(media)),
    }
}

/// The part's first line: `name: ` and for a file its name.
fn label(headers: &PartHeaders, block: &[u8], start: u64, path: &str, arena: &mut Arena) {
    arena.begin(path);
    if let Some(name) = &headers.name {
        arena.push(block.get(name.clone()).unwrap_or_default(), start + name.start as u64);
        arena.separator(b": ");
    }
    if let Some(file_name) = &headers.file_name {
        arena.push(block.get(file_name.clone()).unwrap_or_default(), start + file_name.start as u64);
        arena.separator(b"\n");
    }
    if let Some(encoded) = &headers.encoded_file_name {
        push_percent_decoded(block.get(encoded.clone()).unwrap_or_default(), start + encoded.start as u64, arena);
        arena.separator(b"\n");
    }
}

fn push_percent_decoded(text: &[u8], source: u64, arena: &mut Arena) {
    let mut rest = text;
    let mut at = source;
    while let Some((byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = hex.filter(|_| *byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let length = if let Some(decoded) = decoded {
            arena.push_decoded(&[decoded], at, 3);
            3
        } else {
            arena.push(&[*byte], at);
            1
        };
        at += length as u64;
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// Between two parts.
struct Nothing;

impl Extractor for Nothing {
    fn push(&mut self, _bytes: &[u8], _arena: &mut Arena) {}
    fn gap(&mut self, _lost: u64, _arena: &mut Arena) {}
    fn finish(&mut self, _arena: &mut Arena) {}
    fn report(&self) -> Report {
        Report::default()
    }
}

impl Extractor for Multipart {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = match self.state {
                State::Content => self.content(rest, arena),
                State::DelimiterLine => self.delimiter_line(rest, arena),
                State::Headers => self.headers(rest, arena),
            };
            self.position += used as u64;
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        match self.state {
            State::Content => {
                let held = std::mem::take(&mut self.held);
                self.emit(&held, arena);
            }
            State::DelimiterLine => {
                self.held.clear();
                self.end_part(arena);
                self.open_outside(self.position, arena);
            }
            State::Headers => self.headers_as_text(0, arena),
        }
        self.state = State::Content;
        self.virtual_bytes = 0;
        self.part.gap(lost, arena);
        self.position += lost;
        self.report.reasons.insert(Reason::Gap);
    }

    fn finish(&mut self, arena: &mut Arena) {
        match self.state {
            State::Content => {
                let held = std::mem::take(&mut self.held);
                self.emit(&held, arena);
            }
            State::DelimiterLine => self.held.clear(),
            State::Headers => self.headers_as_text(0, arena),
        }
        if !self.ended {
            self.report.reasons.insert(Reason::Truncated);
        }
        self.end_part(arena);
    }

    fn report(&self) -> Report {
        let mut report = self.report;
        report.add(self.part.report());
        if self.path.was_cut() {
            report.reasons.insert(Reason::PathTooLong);
        }
        report
    }

    fn captures(&self) -> Option<&Captures> {
        Some(&self.captures)
    }
}
