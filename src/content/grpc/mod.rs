//! Messages of remote calls: gRPC, gRPC-Web, Connect's streams, each behind a flag and a length; and a protobuf message by
//! itself, as Connect's single calls send it. In: bytes cut anywhere; out: the strings of each message, whose path begins with
//! its number (`grpc[0].1.2`, `grpc[0].text` in JSON). A message may be compressed by itself; all its text then stands for
//! the place where it begins, and the bounds of the coding are over all of them. After a hole within a message reading goes on exactly, after others printable runs are read.
//! Bounds: a header of 5 bytes, and those of the formats and codings. Does not: gRPC-Web in base64 (`-text`).

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod protobuf;
#[cfg(test)]
mod tests;

use super::encoding::{self, Decoder};
use super::report::Captures;
use super::sniff::Sniffed;
use super::{Arena, ContentHint, Extractor, Format, Opening, Reason, Report, Settings, binary, json, path};
use protobuf::Protobuf;

pub(super) const FORMAT: Format =
    Format { name: "grpc", matches: is_enveloped, open: |opening| Box::new(Grpc::new(opening)) };

pub(super) const PROTOBUF: Format = Format {
    name: "protobuf",
    matches: |opening| {
        let named = PROTOBUF_TYPES.iter().any(|named| opening.hint.is_type(named));
        named && !opening.after_gap && !json::begins_with_value(opening.first)
    },
    open: |opening| Box::new(Protobuf::new(opening, None)),
};

/// Types of bodies in envelopes.
const TYPES: &[&str] = &["application/grpc", "application/connect+"];

const PROTOBUF_TYPES: &[&str] =
    &["application/proto", "application/x-protobuf", "application/protobuf", "application/x-google-protobuf"];

const COMPRESSED: u8 = 1;
/// Connect's last message, which is JSON; gRPC-Web's trailers, which are text.
const CONNECT_END: u8 = 2;
const WEB_TRAILERS: u8 = 0x80;

const HEADER_BYTES: usize = 5;

fn is_enveloped(opening: &Opening<'_>) -> bool {
    let named = TYPES.iter().any(|named| opening.hint.is_type(named));
    named && !opening.after_gap && opening.first.first().is_some_and(|flag| is_flag(*flag))
}

fn is_flag(flag: u8) -> bool {
    flag & !(COMPRESSED | CONNECT_END) == 0 || flag & !COMPRESSED == WEB_TRAILERS
}

struct Grpc {
    settings: Settings,
    root: String,
    is_json: bool,
    /// `grpc-encoding`, `connect-content-encoding`.
    encoding: Option<String>,
    /// Undid the last compressed message.
    decoder: Option<Box<dyn Decoder>>,
    /// Which of its bounds struck: no more messages are decoded.
    stopped: Option<Reason>,
    watched: &'static [&'static str],
    nesting: u8,
    position: u64,
    header: Vec<u8>,
    count: u64,
    state: State,
    captures: Captures,
    report: Report,
}

enum State {
    Header,
    Message {
        left: u64,
        message: Message,
    },
    /// The place is lost.
    Lost(Box<dyn Extractor>),
}

impl Grpc {
    fn new(opening: &Opening<'_>) -> Self {
        let media_type = opening.hint.content_type.unwrap_or_default().to_ascii_lowercase();
        Self {
            settings: *opening.settings,
            root: opening.path.to_owned(),
            is_json: media_type.split(';').next().is_some_and(|named| named.trim_end().ends_with("+json")),
            encoding: opening.hint.message_encoding.map(str::to_ascii_lowercase),
            decoder: None,
            stopped: None,
            watched: opening.watched,
            nesting: opening.nesting,
            position: opening.source,
            header: Vec::new(),
            count: 0,
            state: State::Header,
            captures: Captures::default(),
            report: Report::default(),
        }
    }

    fn take_header(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        let count = HEADER_BYTES.saturating_sub(self.header.len()).min(bytes.len());
        self.header.extend_from_slice(bytes.get(..count).unwrap_or_default());
        self.position += count as u64;
        if let [flag, length @ ..] = self.header.as_slice()
            && let Ok(length) = <[u8; 4]>::try_from(length)
        {
            let flag = *flag;
            self.header.clear();
            if is_flag(flag) {
                self.begin(flag, u64::from(u32::from_be_bytes(length)));
                self.end_message(arena);
            } else {
                self.report.skip(HEADER_BYTES as u64, Reason::UnreadableFormat);
                self.lose();
            }
        }
        count
    }

    fn begin(&mut self, flag: u8, length: u64) {
        let path = path::part(&self.root, "grpc", self.count, self.settings.max_path_bytes);
        self.count += 1;
        // One of no bytes holds nothing that a coding could hide.
        let coding = if flag & COMPRESSED == 0 || length == 0 { Coding::None } else { self.coding() };
        let hint = ContentHint { content_type: Some("application/json"), ..ContentHint::default() };
        let opening = Opening {
            hint: &hint,
            first: &[],
            settings: &self.settings,
            path: &path,
            source: if matches!(coding, Coding::Known(_)) { 0 } else { self.position },
            watched: self.watched,
            nesting: self.nesting.saturating_add(1),
            after_gap: false,
        };
        let reader: Box<dyn Extractor> = match (&coding, flag & !COMPRESSED) {
            (Coding::Unknown, _) | (_, WEB_TRAILERS) => (binary::FORMAT.open)(&opening),
            (_, flag) if flag == CONNECT_END || self.is_json => Box::new(Sniffed::new(&opening)),
            _ => Box::new(Protobuf::new(&opening, matches!(coding, Coding::None).then_some(length))),
        };
        let message = match coding {
            Coding::Known(decoder) => {
                let (inner, start, stopped) = (Arena::new(), self.position, self.stopped);
                Message::Coded(Box::new(Coded { decoder, reader, inner, start, decoded: 0, stopped }))
            }
            Coding::None => Message::Plain(reader),
            Coding::Unknown => {
                self.report.reasons.insert(Reason::UnknownCoding);
                Message::Plain(reader)
            }
        };
        self.state = State::Message { left: length, message };
    }

    /// What a compressed message needs; without its name: gzip, which hands on what is none.
    fn coding(&mut self) -> Coding {
        let name = self.encoding.as_deref().unwrap_or("gzip");
        if name == "identity" {
            return Coding::None;
        }
        let decoder = self.decoder.take().or_else(|| encoding::decoder(name, &self.settings));
        decoder.map_or(Coding::Unknown, Coding::Known)
    }

    fn end_message(&mut self, arena: &mut Arena) {
        if let State::Message { left: 0, .. } = self.state {
            self.close(arena);
        }
    }

    /// Ends the message that is being read, if one is; a header is due.
    fn close(&mut self, arena: &mut Arena) {
        let State::Message { mut message, .. } = std::mem::replace(&mut self.state, State::Header) else { return };
        message.finish(arena, &mut self.report);
        if let Some(captures) = message.captures() {
            self.captures.merge(captures);
        }
        if let Message::Coded(coded) = message {
            let Coded { mut decoder, stopped, .. } = *coded;
            decoder.restart();
            self.decoder = Some(decoder);
            self.stopped = stopped.filter(|reason| matches!(reason, Reason::RatioTooHigh | Reason::DecodedTooLarge));
        }
    }

    /// Where messages begin is not known any more.
    fn lose(&mut self) {
        let hint = ContentHint::default();
        self.state = State::Lost((binary::FORMAT.open)(&Opening {
            hint: &hint,
            first: &[],
            settings: &self.settings,
            path: &self.root,
            source: self.position,
            watched: &[],
            nesting: self.nesting,
            after_gap: true,
        }));
    }
}

impl Extractor for Grpc {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = match &mut self.state {
                State::Header => self.take_header(rest, arena),
                State::Message { left, message } => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    message.push(rest.get(..count).unwrap_or_default(), arena, &mut self.report);
                    *left -= count as u64;
                    self.position += count as u64;
                    self.end_message(arena);
                    count
                }
                State::Lost(runs) => {
                    runs.push(rest, arena);
                    rest.len()
                }
            };
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        self.report.reasons.insert(Reason::Gap);
        match &mut self.state {
            State::Message { left, message } if lost <= *left => {
                message.gap(lost, arena);
                *left -= lost;
                self.position += lost;
                self.end_message(arena);
            }
            State::Lost(runs) => runs.gap(lost, arena),
            State::Header | State::Message { .. } => {
                self.close(arena);
                self.report.unread_bytes += self.header.len() as u64;
                self.header.clear();
                self.position += lost;
                arena.separator(b"\n");
                self.lose();
            }
        }
    }

    fn finish(&mut self, arena: &mut Arena) {
        match &mut self.state {
            State::Header if self.header.is_empty() => {}
            State::Lost(runs) => runs.finish(arena),
            State::Header | State::Message { .. } => {
                self.close(arena);
                self.report.reasons.insert(Reason::Truncated);
            }
        }
    }

    fn report(&self) -> Report {
        let mut report = self.report;
        match &self.state {
            State::Header => {}
            State::Message { message, .. } => report.add(message.report()),
            State::Lost(runs) => report.add(runs.report()),
        }
        report
    }

    fn captures(&self) -> Option<&Captures> {
        match &self.state {
            State::Message { message, .. } if self.captures == Captures::default() => message.captures(),
            _ => Some(&self.captures),
        }
    }
}

/// How a message is compressed.
enum Coding {
    None,
    Known(Box<dyn Decoder>),
    Unknown,
}

/// One message being read.
enum Message {
    Plain(Box<dyn Extractor>),
    Coded(Box<Coded>),
}

/// A compressed message.
struct Coded {
    decoder: Box<dyn Decoder>,
    reader: Box<dyn Extractor>,
    /// Takes its text, which stands nowhere in the source.
    inner: Arena,
    /// Source offset of its first byte.
    start: u64,
    decoded: u64,
    /// Why nothing more is decoded.
    stopped: Option<Reason>,
}

impl Coded {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena, report: &mut Report) {
        if self.stopped.is_some() {
            return report.unread_bytes += bytes.len() as u64;
        }
        let Self { decoder, reader, inner, start, decoded, stopped } = self;
        *stopped = decoder.push(bytes, &mut |bytes| {
            *decoded += bytes.len() as u64;
            reader.push(bytes, inner);
            inner.pour(arena, *start);
        });
        report.reasons.extend((*stopped).into_iter().collect());
    }

    fn finish(&mut self, arena: &mut Arena, report: &mut Report) {
        let Self { decoder, reader, inner, start, decoded, stopped } = self;
        if stopped.is_none() {
            *stopped = decoder.finish(&mut |bytes| {
                *decoded += bytes.len() as u64;
                reader.push(bytes, inner);
            });
            report.reasons.extend((*stopped).into_iter().collect());
        }
        reader.finish(inner);
        inner.settle();
        inner.pour(arena, *start);
    }

    /// What of the decoded bytes was not read, as the same part of the coded ones.
    fn report(&self) -> Report {
        let report = self.reader.report();
        let unread =
            u128::from(self.decoder.used()) * u128::from(report.unread_bytes) / u128::from(self.decoded.max(1));
        Report { unread_bytes: u64::try_from(unread).unwrap_or(0), ..report }
    }
}

impl Message {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena, report: &mut Report) {
        match self {
            Self::Plain(reader) => reader.push(bytes, arena),
            Self::Coded(coded) => coded.push(bytes, arena, report),
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        match self {
            Self::Plain(reader) => reader.gap(lost, arena),
            Self::Coded(coded) => coded.stopped = coded.stopped.or(Some(Reason::Gap)),
        }
    }

    fn finish(&mut self, arena: &mut Arena, report: &mut Report) {
        match self {
            Self::Plain(reader) => reader.finish(arena),
            Self::Coded(coded) => coded.finish(arena, report),
        }
        report.add(self.report());
    }

    fn report(&self) -> Report {
        match self {
            Self::Plain(reader) => reader.report(),
            Self::Coded(coded) => coded.report(),
        }
    }

    fn captures(&self) -> Option<&Captures> {
        match self {
            Self::Plain(reader) => reader.captures(),
            Self::Coded(coded) => coded.reader.captures(),
        }
    }
}
