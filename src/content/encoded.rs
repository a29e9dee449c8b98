//! A document in base64 within a JSON string, as Bedrock's messages carry it. In: bytes from the string's first character
//! on, cut anywhere; out: the text of the document by its own format, all of which stands for the place where the string
//! begins, and what stands behind the base64, as JSON. After a hole groups of characters are still known apart. Bounds:
//! those of the formats. Does not: the alphabet for URLs.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use super::json::Json;
use super::report::Captures;
use super::sniff::Sniffed;
use super::transfer::{Transfer, is_base64};
use super::{Arena, Extractor, Opening, Report};

/// So many characters stand for so many bytes.
const GROUP_CHARACTERS: u64 = 4;
const GROUP_BYTES: u64 = 3;

pub(super) struct Encoded {
    base64: Box<dyn Extractor>,
    /// Takes the decoded bytes.
    decoded: Arena,
    document: Sniffed,
    /// Takes the document's text, which stands nowhere in the source.
    text: Arena,
    /// Source offsets of the first character and of the next byte.
    start: u64,
    position: u64,
    /// Characters to pass over: a hole took the others of their group.
    broken: u64,
    ended: bool,
    /// What stands behind.
    rest: Json,
}

impl Encoded {
    pub(super) fn new(opening: &Opening<'_>) -> Self {
        Self {
            base64: Transfer::Base64.open("", 0),
            decoded: Arena::verbatim(),
            document: Sniffed::new(&Opening { source: 0, first: &[], ..*opening }),
            text: Arena::nested(),
            start: opening.source,
            position: opening.source,
            broken: 0,
            ended: false,
            rest: Json::new(opening),
        }
    }

    fn decode(&mut self, coded: &[u8], arena: &mut Arena) {
        self.position += coded.len() as u64;
        let broken = usize::try_from(self.broken).unwrap_or(usize::MAX).min(coded.len());
        self.broken -= broken as u64;
        self.base64.push(coded.get(broken..).unwrap_or_default(), &mut self.decoded);
        self.document.push(self.decoded.text(), &mut self.text);
        self.decoded.discard_before(self.decoded.end());
        self.text.pour(arena, self.start);
    }

    fn end(&mut self, arena: &mut Arena) {
        if !std::mem::replace(&mut self.ended, true) {
            self.document.finish(&mut self.text);
            self.text.settle();
            self.text.pour(arena, self.start);
            arena.separator(b"\n");
        }
    }
}

impl Extractor for Encoded {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        let mut rest = bytes;
        if !self.ended {
            let length = bytes.iter().position(|byte| !is_base64(*byte)).unwrap_or(bytes.len());
            let (coded, behind) = bytes.split_at(length);
            self.decode(coded, arena);
            let Some(first) = behind.first() else { return };
            self.end(arena);
            let quote = usize::from(*first == b'"');
            self.position += quote as u64;
            rest = behind.get(quote..).unwrap_or_default();
        }
        self.rest.push_strided(rest, self.position, 1, arena);
        self.position += rest.len() as u64;
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        self.position += lost;
        if self.ended {
            return self.rest.gap(lost, arena);
        }
        let in_group = (self.position - self.start) % GROUP_CHARACTERS;
        self.broken = (GROUP_CHARACTERS - in_group) % GROUP_CHARACTERS;
        self.base64 = Transfer::Base64.open("", 0);
        self.document.gap((lost * GROUP_BYTES / GROUP_CHARACTERS).max(1), &mut self.text);
        self.text.pour(arena, self.start);
    }

    fn finish(&mut self, arena: &mut Arena) {
        self.end(arena);
        self.rest.finish(arena);
    }

    fn report(&self) -> Report {
        let mut report = self.document.report();
        report.unread_bytes = report.unread_bytes.saturating_mul(GROUP_CHARACTERS) / GROUP_BYTES;
        report.add(self.rest.report());
        report
    }

    fn captures(&self) -> Option<&Captures> {
        self.document.captures()
    }
}
