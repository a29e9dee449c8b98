//! AWS event streams (`application/vnd.amazon.eventstream`): Transcribe, Bedrock in both directions. In: messages of prelude,
//! headers, payload and checksums, cut anywhere; out: the text of each payload, whose path begins with its number
//! (`event[3].text`). A signed message carries another; `{"bytes":"…"}` carries a document in base64.
//! The prelude's own checksum proves where a message begins, so after a hole reading goes on at the next one.
//! Of headers, and of bytes between messages, printable runs are read.
//! Bounds: holds 12 bytes; [`MAX_NESTING`]. Does not: read headers one by one, check what it reads.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use super::encoded::Encoded;
use super::report::Captures;
use super::sniff::Sniffed;
use super::{Arena, ContentHint, Extractor, Format, Opening, Reason, Report, Settings, binary, json, path};

pub(super) const FORMAT: Format = Format {
    name: "aws_event_stream",
    matches: |opening| {
        let named = opening.hint.is_type("application/vnd.amazon.eventstream");
        // Of one that was cut before its prelude's end nothing else is known.
        let begins = match opening.first.first_chunk() {
            Some(prelude) => Prelude::read(prelude).is_some(),
            None => !json::begins_with_value(opening.first),
        };
        named && (begins || opening.after_gap)
    },
    open: |opening| Box::new(EventStream::new(opening, opening.path)),
};

const PRELUDE_BYTES: usize = 12;
/// What AWS allows of headers and of a message; no text announces as little.
const MAX_HEADERS_BYTES: u64 = 128 << 10;
const MAX_MESSAGE_BYTES: u64 = 24 << 20;
/// Of the message, behind its payload.
const CHECKSUM_BYTES: u64 = 4;
/// Messages within messages: those that sign.
const MAX_NESTING: u8 = 2;
/// What the payload of Bedrock's messages begins with.
const BASE64_MEMBER: &[u8] = b"{\"bytes\":\"";

/// What a message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prelude {
    headers: u64,
    payload: u64,
}

impl Prelude {
    fn read(bytes: &[u8; PRELUDE_BYTES]) -> Option<Self> {
        let [t0, t1, t2, t3, h0, h1, h2, h3, checksum @ ..] = *bytes;
        let total = u64::from(u32::from_be_bytes([t0, t1, t2, t3]));
        let headers = u64::from(u32::from_be_bytes([h0, h1, h2, h3]));
        let payload = total.checked_sub(headers)?.checked_sub(PRELUDE_BYTES as u64 + CHECKSUM_BYTES)?;
        if headers > MAX_HEADERS_BYTES || total > MAX_MESSAGE_BYTES {
            return None;
        }
        let mut crc = flate2::Crc::new();
        crc.update(&[t0, t1, t2, t3, h0, h1, h2, h3]);
        (crc.sum() == u32::from_be_bytes(checksum)).then_some(Self { headers, payload })
    }

    fn total(self) -> u64 {
        self.headers + self.payload + PRELUDE_BYTES as u64 + CHECKSUM_BYTES
    }
}

enum State {
    /// A prelude is due; where none is, it is sought.
    Prelude,
    Headers {
        left: u64,
        payload: u64,
    },
    /// The payload's first bytes are held until they tell what it is.
    Look {
        left: u64,
    },
    Payload {
        left: u64,
        reader: Box<dyn Extractor>,
    },
    Checksum {
        left: u64,
    },
}

struct EventStream {
    settings: Settings,
    path: String,
    watched: &'static [&'static str],
    nesting: u8,
    /// Within another message: its path is the other's.
    is_inner: bool,
    position: u64,
    held: Vec<u8>,
    /// Reads headers, or what is no message.
    runs: Option<Box<dyn Extractor>>,
    count: u64,
    state: State,
    captures: Captures,
    report: Report,
}

impl EventStream {
    fn new(opening: &Opening<'_>, path: &str) -> Self {
        Self {
            settings: *opening.settings,
            path: path.to_owned(),
            watched: opening.watched,
            nesting: opening.nesting,
            is_inner: false,
            position: opening.source,
            held: Vec::new(),
            runs: None,
            count: 0,
            state: State::Prelude,
            captures: Captures::default(),
            report: Report::default(),
        }
    }

    /// A byte of a prelude.
    fn prelude(&mut self, byte: u8, arena: &mut Arena) {
        self.held.push(byte);
        self.position += 1;
        let Some(prelude) = self.held.first_chunk::<PRELUDE_BYTES>() else { return };
        if let Some(Prelude { headers, payload }) = Prelude::read(prelude) {
            self.held.clear();
            self.end_search(arena);
            self.state = State::Headers { left: headers, payload };
        } else {
            let byte = self.held.remove(0);
            self.report.reasons.insert(Reason::UnreadableFormat);
            self.search(&[byte], self.position - PRELUDE_BYTES as u64, arena);
        }
    }

    /// Reads runs of text in bytes that stand outside payloads.
    fn search(&mut self, bytes: &[u8], source: u64, arena: &mut Arena) {
        let opening = Opening {
            hint: &ContentHint::default(),
            first: &[],
            settings: &self.settings,
            path: &self.path,
            source,
            watched: &[],
            nesting: self.nesting,
            after_gap: false,
        };
        self.runs.get_or_insert_with(|| (binary::FORMAT.open)(&opening)).push(bytes, arena);
    }

    fn end_search(&mut self, arena: &mut Arena) {
        if let Some(mut runs) = self.runs.take() {
            runs.finish(arena);
            // Headers have lengths and short words among their text: no reason to tell.
            self.report.unread_bytes += runs.report().unread_bytes;
        }
    }

    fn path_of_next(&mut self) -> String {
        let number = self.count;
        self.count += 1;
        match self.is_inner {
            true => self.path.clone(),
            false => path::part(&self.path, "event", number, self.settings.max_path_bytes),
        }
    }

    /// Opens the payload, of which `held` is the beginning.
    fn open(&mut self, left: u64, arena: &mut Arena) {
        let held = std::mem::take(&mut self.held);
        let path = self.path_of_next();
        let hint = ContentHint::default();
        let opening = Opening {
            hint: &hint,
            first: &held,
            settings: &self.settings,
            path: &path,
            source: self.position - held.len() as u64,
            watched: self.watched,
            nesting: self.nesting.saturating_add(1),
            after_gap: false,
        };
        let whole = left + held.len() as u64;
        let nested = held.first_chunk().and_then(Prelude::read).filter(|prelude| prelude.total() == whole);
        let mut first = held.as_slice();
        let mut reader: Box<dyn Extractor> = if nested.is_some() && self.nesting < MAX_NESTING {
            Box::new(Self { is_inner: true, ..Self::new(&opening, &path) })
        } else if let Some(coded) = held.strip_prefix(BASE64_MEMBER) {
            first = coded;
            Box::new(Encoded::new(&Opening { source: self.position - coded.len() as u64, ..opening }))
        } else {
            Box::new(Sniffed::new(&opening))
        };
        reader.push(first, arena);
        self.state = State::Payload { left, reader };
    }

    /// Goes on to what comes next, where something has ended.
    fn advance(&mut self, arena: &mut Arena) {
        loop {
            match &mut self.state {
                State::Headers { left: 0, payload } => {
                    let payload = *payload;
                    self.end_search(arena);
                    self.state = match payload {
                        0 => State::Checksum { left: CHECKSUM_BYTES },
                        left => State::Look { left },
                    };
                }
                State::Look { left } if *left == 0 || self.held.len() == PRELUDE_BYTES => {
                    let left = *left;
                    self.open(left, arena);
                }
                State::Payload { left: 0, .. } => {
                    self.close(arena);
                    self.state = State::Checksum { left: CHECKSUM_BYTES };
                }
                State::Checksum { left: 0 } => self.state = State::Prelude,
                _ => return,
            }
        }
    }

    /// Ends what stands outside payloads: what began like a prelude is none.
    fn end(&mut self, arena: &mut Arena) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            self.search(&held, self.position - held.len() as u64, arena);
        }
        self.end_search(arena);
    }

    /// Ends the payload that is being read.
    fn close(&mut self, arena: &mut Arena) {
        if let State::Payload { reader, .. } = &mut self.state {
            reader.finish(arena);
            arena.separator(b"\n");
            self.report.add(reader.report());
            if let Some(captures) = reader.captures() {
                self.captures.merge(captures);
            }
        }
    }
}

impl Extractor for EventStream {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        let mut rest = bytes;
        while let Some(byte) = rest.first() {
            let take = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            let count = match &mut self.state {
                State::Prelude => {
                    self.prelude(*byte, arena);
                    1
                }
                State::Headers { left, .. } => {
                    let count = take(*left);
                    *left -= count as u64;
                    self.search(rest.get(..count).unwrap_or_default(), self.position, arena);
                    self.position += count as u64;
                    count
                }
                State::Checksum { left } => {
                    let count = take(*left);
                    *left -= count as u64;
                    self.position += count as u64;
                    count
                }
                State::Look { left } => {
                    *left -= 1;
                    self.held.push(*byte);
                    self.position += 1;
                    1
                }
                State::Payload { left, reader } => {
                    let count = take(*left);
                    reader.push(rest.get(..count).unwrap_or_default(), arena);
                    *left -= count as u64;
                    self.position += count as u64;
                    count
                }
            };
            self.advance(arena);
            rest = rest.get(count..).unwrap_or_default();
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        self.report.reasons.insert(Reason::Gap);
        if let State::Look { left } = self.state {
            self.open(left, arena);
        }
        match &mut self.state {
            State::Payload { left, reader } if lost <= *left => {
                reader.gap(lost, arena);
                *left -= lost;
                self.position += lost;
            }
            State::Headers { left, .. } | State::Checksum { left } if lost <= *left => {
                *left -= lost;
                self.position += lost;
                if let Some(runs) = &mut self.runs {
                    runs.gap(lost, arena);
                }
            }
            _ => {
                self.close(arena);
                self.end(arena);
                self.position += lost;
                self.state = State::Prelude;
            }
        }
        self.advance(arena);
    }

    fn finish(&mut self, arena: &mut Arena) {
        if let State::Look { left } = self.state {
            self.open(left, arena);
        }
        self.close(arena);
        if !matches!(self.state, State::Prelude) {
            self.report.reasons.insert(Reason::Truncated);
        }
        self.end(arena);
        self.state = State::Prelude;
    }

    fn report(&self) -> Report {
        let mut report = self.report;
        report.unread_bytes += self.held.len() as u64;
        report.unread_bytes += self.runs.as_ref().map_or(0, |runs| runs.report().unread_bytes);
        if let State::Payload { reader, .. } = &self.state {
            report.add(reader.report());
        }
        report
    }

    fn captures(&self) -> Option<&Captures> {
        match &self.state {
            State::Payload { reader, .. } if self.captures == Captures::default() => reader.captures(),
            _ => Some(&self.captures),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::content::{Body, Reasons, Status};
    use crate::testkit::event_stream::message;

    fn hint() -> ContentHint<'static> {
        ContentHint { content_type: Some("application/vnd.amazon.eventstream"), ..ContentHint::default() }
    }

    fn read(steps: &[Result<&[u8], u64>]) -> (String, Arena, Status) {
        let mut arena = Arena::new();
        let mut body = Body::new(&hint(), &[], &Settings::default());
        for step in steps {
            match step {
                Ok(bytes) => body.push(bytes, &mut arena),
                Err(lost) => body.gap(*lost, &mut arena),
            }
        }
        body.finish(true, &mut arena);
        (String::from_utf8_lossy(arena.text()).into_owned(), arena, body.status())
    }

    const NOTE: &[u8] = br#"{"text": "Patient MRN: 00412345"}"#;

    #[test]
    fn payloads_are_documents_of_their_own_also_in_messages_that_sign_them() {
        let inner = message(&[(":event-type", "chunk"), (":content-type", "application/json")], NOTE);
        let body = [message(&[], b"plain words"), message(&[(":date", "x")], &inner), message(&[("end", "")], b"")];
        let (text, arena, status) = read(&[Ok(&body.concat())]);
        assert!(text.contains("plain words\n") && text.contains("text: Patient MRN: 00412345\n"), "{text}");
        assert_eq!(arena.place(text.find("00412345").unwrap() as u64).path, "event[1].text");
        assert_eq!(status.format, Some("aws_event_stream"));
    }

    #[test]
    fn text_in_base64_is_read() {
        // {"event":{"textInput":{"content":"MRN 00412345"}}}
        let payload = br#"{"bytes":"eyJldmVudCI6eyJ0ZXh0SW5wdXQiOnsiY29udGVudCI6Ik1STiAwMDQxMjM0NSJ9fX0="}"#;
        let (text, ..) = read(&[Ok(&message(&[], payload))]);
        assert!(text.contains("MRN 00412345"), "{text}");
    }

    #[test]
    fn documents_in_base64_are_read_as_what_they_are() {
        let inner = r#"{"model": "m-1", "event": {"textInput": {"content": "MRN \u003000412345\n\u0022"}}}"#;
        let payload = format!(r#"{{"bytes":"{}","p":"abcd, MRN 77712345"}}"#, STANDARD.encode(inner));
        let body = [message(&[], b"{}"), message(&[], payload.as_bytes())].concat();
        for cut in [0, 30, 60, 90] {
            let (text, arena, status) = read(&[Ok(&body[..cut]), Ok(&body[cut..])]);
            assert!(text.contains("MRN 000412345\n\"") && text.contains("MRN 77712345"), "{text}");
            assert_eq!(arena.place(text.find("000412345").unwrap() as u64).path, "event[1].event.textInput.content");
            assert_eq!((status.scanned_bytes, status.reasons), (status.seen_bytes, Reasons::default()));
        }
        let mut stream = Body::new(&hint(), &[], &Settings::default()).watch(&["model"]);
        stream.push(&body, &mut Arena::new());
        stream.finish(true, &mut Arena::new());
        assert_eq!(stream.captured("model"), Some("m-1"));
    }

    #[test]
    fn what_stands_behind_the_base64_is_searched() {
        let (text, ..) = read(&[Ok(&message(&[], br#"{"bytes":"","other":"MRN 00412345"}"#))]);
        assert!(text.contains("MRN 00412345"), "{text}");
    }

    #[test]
    fn headers_and_what_is_no_message_are_searched_too() {
        let signed = message(&[(":note", "MRN 00412345")], b"{}");
        let (text, arena, _) = read(&[Ok(&signed), Ok(b"no message, MRN 77712345"), Ok(&message(&[], NOTE))]);
        assert!(text.contains("MRN 00412345") && text.contains("MRN 77712345"), "{text}");
        assert_eq!(arena.place(text.rfind("00412345").unwrap() as u64).path, "event[1].text");
    }

    #[test]
    fn no_prelude_announces_more_than_senders_may() {
        let prelude = |total: u32, headers: u32| {
            let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
            let mut crc = flate2::Crc::new();
            crc.update(&bytes);
            bytes.extend(crc.sum().to_be_bytes());
            Prelude::read(bytes.first_chunk().unwrap()).is_some()
        };
        assert!(prelude(24 << 20, 128 << 10));
        assert!(!prelude((24 << 20) + 1, 0) && !prelude(1 << 20, (128 << 10) + 1));
    }

    #[test]
    fn after_a_hole_the_next_message_is_found() {
        let body = [message(&[], b"one that is lost"), message(&[], NOTE)].concat();
        for lost in [1, 5, 20, 40] {
            let (text, arena, status) = read(&[Ok(&body[..3]), Err(lost), Ok(&body[3 + lost as usize..])]);
            // What begins within the second message is lost with it.
            if 3 + lost as usize <= body.len() - message(&[], NOTE).len() {
                let at = text.find("00412345").unwrap_or_else(|| panic!("lost {lost}: {text}")) as u64;
                assert!(arena.place(at).path.ends_with(".text"), "lost {lost}");
            }
            assert!(status.reasons.contains(Reason::Gap));
        }
    }
}
