//! The messages that one direction of a session brings (WebSocket), each a document of its own: JSON here, text there,
//! audio between. In: pieces of messages, compressed ones as sent; out: text in an [`Arena`], a [`Status`] of all
//! together. Paths begin with the message's number (`message[3].item.content[0].text`); offsets count decoded bytes from the first
//! message on. Bounds: those of the coding and the formats. What is lost of compressed messages makes those after it unreadable,
//! unless each was compressed by itself.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use super::encoding::PerMessage;
use super::sniff::Sniffed;
use super::{Arena, Captures, ContentHint, Extractor, Opening, Reason, Settings, Status, path};

pub struct Messages {
    settings: Settings,
    watched: &'static [&'static str],
    inflate: PerMessage,
    /// Messages that began.
    count: u64,
    current: Option<Message>,
    captures: Captures,
    is_cut: bool,
    /// Of the messages that ended; `decoded_bytes` of all.
    status: Status,
}

/// A message being read.
struct Message {
    document: Sniffed,
    deflated: bool,
    /// The last that is known of it is a hole.
    ends_in_hole: bool,
    seen: u64,
    decoded: u64,
    /// Coded bytes that were decoded before it.
    used_before: u64,
}

impl Messages {
    /// `no_context_takeover`: each compressed message is compressed by itself.
    #[must_use]
    pub fn new(no_context_takeover: bool, settings: &Settings) -> Self {
        Self {
            settings: *settings,
            watched: &[],
            inflate: PerMessage::new(no_context_takeover, settings),
            count: 0,
            current: None,
            captures: Captures::default(),
            is_cut: false,
            status: Status::default(),
        }
    }

    /// Captures the first value of each of these top-level members, whichever message has it.
    #[must_use]
    pub fn watch(mut self, names: &'static [&'static str]) -> Self {
        self.watched = names;
        self
    }

    /// A message begins; `deflated`: compressed (RFC 7692).
    pub fn begin(&mut self, deflated: bool, arena: &mut Arena) {
        if self.current.is_some() {
            self.end(false, arena);
        }
        let document = Sniffed::new(&Opening {
            hint: &ContentHint::default(),
            first: &[],
            settings: &self.settings,
            path: &path::part("", "message", self.count, self.settings.max_path_bytes),
            source: self.status.decoded_bytes,
            watched: self.watched,
            nesting: 0,
            after_gap: false,
        });
        self.count += 1;
        arena.bound(&self.settings);
        let used_before = self.inflate.used();
        self.current = Some(Message { document, deflated, ends_in_hole: false, seen: 0, decoded: 0, used_before });
    }

    /// More bytes of the message, as sent.
    pub fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        let Some(message) = &mut self.current else { return };
        message.seen += bytes.len() as u64;
        message.ends_in_hole &= bytes.is_empty();
        if !message.deflated {
            message.decoded += bytes.len() as u64;
            return message.document.push(bytes, arena);
        }
        let (document, decoded) = (&mut message.document, &mut message.decoded);
        let stopped = self.inflate.push(bytes, &mut |bytes| {
            *decoded += bytes.len() as u64;
            document.push(bytes, arena);
        });
        self.status.reasons.extend(stopped.into_iter().collect());
    }

    /// So many bytes, as sent, are lost: of this message, or of others.
    pub fn gap(&mut self, lost: u64, arena: &mut Arena) {
        self.status.lost_bytes += lost;
        self.status.reasons.insert(Reason::Gap);
        match &mut self.current {
            Some(message) if message.deflated => self.inflate.lose(),
            Some(message) => {
                message.ends_in_hole = true;
                message.document.gap(lost, arena);
            }
            None => self.inflate.lose_between(),
        }
    }

    /// The message ended; `complete` when nothing of it is missing.
    pub fn end(&mut self, complete: bool, arena: &mut Arena) {
        let Some(mut message) = self.current.take() else { return };
        if message.deflated {
            let (document, decoded) = (&mut message.document, &mut message.decoded);
            let stopped = self.inflate.end(&mut |bytes| {
                *decoded += bytes.len() as u64;
                document.push(bytes, arena);
            });
            self.status.reasons.extend(stopped.into_iter().collect());
        } else if message.ends_in_hole {
            // It may go beyond this message.
            self.inflate.lose_between();
        }
        if !complete {
            self.is_cut = true;
            self.status.reasons.insert(Reason::Truncated);
        }
        message.document.finish(arena);
        arena.separator(b"\n");
        if let Some(captures) = message.document.captures() {
            self.captures.merge(captures);
        }
        self.status = message.added_to(self.status, &self.inflate);
    }

    /// Whether a message ended before it was whole.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    #[must_use]
    pub fn status(&self) -> Status {
        self.current.as_ref().map_or(self.status, |message| message.added_to(self.status, &self.inflate))
    }

    /// The value of a watched member, once it was there. It is as sent: nothing of it leaves without `redact`.
    #[must_use]
    pub fn captured(&self, name: &str) -> Option<&str> {
        let current = self.current.as_ref().and_then(|message| message.document.captures());
        self.captures.get(name).or_else(|| current?.get(name))
    }
}

impl Message {
    fn added_to(&self, before: Status, inflate: &PerMessage) -> Status {
        let report = self.document.report();
        let read = self.decoded.saturating_sub(report.unread_bytes);
        let used = if self.deflated { inflate.used() - self.used_before } else { self.decoded };
        let scanned = u128::from(used) * u128::from(read) / u128::from(self.decoded.max(1));
        let mut reasons = before.reasons;
        reasons.extend(report.reasons);
        Status {
            seen_bytes: before.seen_bytes + self.seen,
            lost_bytes: before.lost_bytes,
            scanned_bytes: before.scanned_bytes + u64::try_from(scanned).unwrap_or(used),
            decoded_bytes: before.decoded_bytes + self.decoded,
            format: self.document.format().or(before.format),
            reasons,
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    /// Messages as a sender with one window over all of them compresses them.
    struct Sender(Compress);

    impl Sender {
        fn message(&mut self, text: &[u8]) -> Vec<u8> {
            let mut coded = Vec::with_capacity(text.len() + 64);
            self.0.compress_vec(text, &mut coded, FlushCompress::Sync).unwrap();
            coded.truncate(coded.len() - 4);
            coded
        }
    }

    fn sender() -> Sender {
        Sender(Compress::new(Compression::best(), false))
    }

    fn take(messages: &mut Messages, deflated: bool, bytes: &[u8], arena: &mut Arena) {
        messages.begin(deflated, arena);
        bytes.chunks(7).for_each(|bytes| messages.push(bytes, arena));
        messages.end(true, arena);
    }

    const FIRST: &[u8] = br#"{"model": "gpt-realtime", "text": "MRN 00412345 was admitted"}"#;
    const SECOND: &[u8] = br#"{"model": "gpt-realtime", "text": "MRN 00412345 was discharged"}"#;

    #[test]
    fn each_message_is_a_document_of_its_own() {
        let (mut arena, mut messages) = (Arena::new(), Messages::new(false, &Settings::default()).watch(&["model"]));
        take(&mut messages, false, FIRST, &mut arena);
        take(&mut messages, false, b"plain words", &mut arena);
        take(&mut messages, false, b"", &mut arena);
        take(&mut messages, false, SECOND, &mut arena);
        let text = String::from_utf8_lossy(arena.text()).into_owned();
        assert!(text.contains("text: MRN 00412345 was admitted\n"), "{text}");
        assert!(text.contains("\nplain words\n"), "{text}");
        let at = text.find("was discharged").unwrap() as u64;
        assert_eq!(arena.place(at).path, "message[3].text");
        assert_eq!(messages.captured("model"), Some("gpt-realtime"));
        let status = messages.status();
        assert_eq!(status.scanned_bytes, (FIRST.len() + SECOND.len() + 11) as u64);
        assert!(status.reasons.is_empty(), "{:?}", status.reasons);
    }

    #[test]
    fn a_window_over_all_messages_is_kept() {
        let (mut arena, mut messages) = (Arena::new(), Messages::new(false, &Settings::default()));
        let mut sender = sender();
        let coded = [sender.message(FIRST), sender.message(SECOND)];
        assert!(coded[1].len() < coded[0].len() / 2, "the second refers to the first");
        take(&mut messages, true, &coded[0], &mut arena);
        take(&mut messages, false, b"between", &mut arena);
        take(&mut messages, true, &coded[1], &mut arena);
        let text = String::from_utf8_lossy(arena.text()).into_owned();
        assert!(text.contains("was admitted") && text.contains("MRN 00412345 was discharged"), "{text}");
        let status = messages.status();
        assert_eq!(status.scanned_bytes, status.seen_bytes);
        assert!(status.reasons.is_empty(), "{:?}", status.reasons);
    }

    #[test]
    fn after_a_loss_compressed_messages_are_read_only_where_each_stands_alone() {
        for alone in [false, true] {
            let (mut arena, mut messages) = (Arena::new(), Messages::new(alone, &Settings::default()));
            let mut one = sender();
            let coded = [one.message(FIRST), if alone { sender().message(SECOND) } else { one.message(SECOND) }];
            messages.begin(true, &mut arena);
            messages.push(&coded[0][..10], &mut arena);
            messages.gap(20, &mut arena);
            messages.push(&coded[0][30..], &mut arena);
            messages.end(false, &mut arena);
            take(&mut messages, true, &coded[1], &mut arena);
            take(&mut messages, false, b"in the clear", &mut arena);
            let text = String::from_utf8_lossy(arena.text()).into_owned();
            assert_eq!(text.contains("was discharged"), alone, "{text}");
            assert!(text.contains("in the clear"));
            let status = messages.status();
            assert!(status.reasons.contains(Reason::Gap) && status.scanned_bytes < status.seen_bytes);
        }
    }

    #[test]
    fn a_hole_that_begins_in_a_plain_message_may_hold_compressed_ones() {
        for (at_its_end, alone) in [(true, false), (true, true), (false, false)] {
            let (mut arena, mut messages) = (Arena::new(), Messages::new(alone, &Settings::default()));
            let mut one = sender();
            take(&mut messages, true, &one.message(FIRST), &mut arena);
            messages.begin(false, &mut arena);
            messages.push(b"in the cl", &mut arena);
            messages.gap(30, &mut arena);
            if !at_its_end {
                messages.push(b"ear", &mut arena);
            }
            messages.end(false, &mut arena);
            let next = if alone { sender().message(SECOND) } else { one.message(SECOND) };
            take(&mut messages, true, &next, &mut arena);
            let text = String::from_utf8_lossy(arena.text()).into_owned();
            assert_eq!(text.contains("was discharged"), alone || !at_its_end, "{text}");
            let status = messages.status();
            assert_eq!(status.scanned_bytes < status.seen_bytes, at_its_end && !alone, "{status:?}");
        }
    }

    #[test]
    fn a_stream_that_ends_within_the_session_begins_anew() {
        let (mut arena, mut messages) = (Arena::new(), Messages::new(false, &Settings::default()));
        for text in [FIRST, SECOND] {
            let mut coded = Vec::with_capacity(200);
            Compress::new(Compression::best(), false).compress_vec(text, &mut coded, FlushCompress::Finish).unwrap();
            coded.push(0);
            take(&mut messages, true, &coded, &mut arena);
        }
        let text = String::from_utf8_lossy(arena.text()).into_owned();
        assert!(text.contains("was admitted") && text.contains("was discharged"), "{text}");
    }

    #[test]
    fn a_bomb_in_messages_stops_for_good() {
        let (mut arena, mut messages) = (Arena::new(), Messages::new(true, &Settings::default()));
        let bomb = sender().message(&vec![b' '; 4 << 20]);
        take(&mut messages, true, &bomb, &mut arena);
        take(&mut messages, true, &sender().message(FIRST), &mut arena);
        assert!(messages.status().reasons.contains(Reason::RatioTooHigh));
        assert!(messages.status().decoded_bytes < 2 << 20);
    }
}
