//! Bodies that are no text. Two formats: media (images, audio, video, archives, PDF), known by their first bytes or
//! their type, of which nothing is read, since compressed bytes hold no text; and all else that is binary (protobuf,
//! gRPC, DICOM, codings that we do not undo), of which runs of printable bytes are read, each a line: identifiers
//! stand there as they are. Bounds: holds `min_text_run_bytes`. Does not: decompress, parse.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use super::{Arena, Extractor, Format, Opening, Report, report::Reason, sniff};

/// Compressed media. After a hole its bytes are searched all the same: what comes may no longer be media.
pub(super) const MEDIA: Format = Format {
    name: "media",
    matches: sniff::is_media,
    open: |opening| Box::new(Binary { media: true, ..Binary::new(opening) }),
};

/// Anything else.
pub(super) const FORMAT: Format =
    Format { name: "binary", matches: |_| true, open: |opening| Box::new(Binary::new(opening)) };

struct Binary {
    path: String,
    position: u64,
    /// Nothing is read.
    media: bool,
    min_run: usize,
    /// The start of a run that is too short yet to count as text; the next byte follows it.
    pending: Vec<u8>,
    /// A run is long enough and goes to the arena.
    in_run: bool,
    report: Report,
}

impl Binary {
    fn new(opening: &Opening<'_>) -> Self {
        Self {
            path: opening.path.to_owned(),
            position: opening.source,
            media: false,
            min_run: opening.settings.min_text_run_bytes.max(1),
            pending: Vec::new(),
            in_run: false,
            report: Report::default(),
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.report.skip(bytes as u64, Reason::UnreadableFormat);
    }

    /// Within a run: hands on what belongs to it; how many bytes that took.
    fn run(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        let length = bytes.iter().position(|byte| !goes_on(*byte)).unwrap_or(bytes.len());
        arena.push(bytes.get(..length).unwrap_or_default(), self.position);
        if length == bytes.len() {
            return length;
        }
        arena.separator(b"\n");
        self.in_run = false;
        self.skip(1);
        length + 1
    }

    /// Between runs: looks for the start of one. Bytes wait only at the end of a push, `min_run` at most.
    fn between(&mut self, bytes: &[u8], arena: &mut Arena) -> usize {
        let missing = self.min_run.saturating_sub(self.pending.len()).max(1);
        let window = bytes.get(..missing).unwrap_or(bytes);
        let length = window.iter().position(|byte| !starts(*byte)).unwrap_or(window.len());
        let run = window.get(..length).unwrap_or_default();
        if length < window.len() {
            self.skip(self.pending.len() + length + 1);
            self.pending.clear();
            return length + 1;
        }
        if window.len() < missing {
            self.pending.extend_from_slice(run);
            return length;
        }
        arena.begin(&self.path);
        arena.push(&self.pending, self.position - self.pending.len() as u64);
        arena.push(run, self.position);
        self.pending.clear();
        self.in_run = true;
        length
    }

    fn end_run(&mut self, arena: &mut Arena) {
        if std::mem::take(&mut self.in_run) {
            arena.separator(b"\n");
        }
        if !self.pending.is_empty() {
            self.skip(self.pending.len());
            self.pending.clear();
        }
    }
}

/// What a run is made of at first.
#[inline]
fn starts(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

/// Bytes of UTF-8 go on with a run but start none: half of all random bytes look so.
#[inline]
fn goes_on(byte: u8) -> bool {
    starts(byte) || byte >= 0x80
}

impl Extractor for Binary {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        if self.media {
            self.report.skip(bytes.len() as u64, Reason::UnreadableFormat);
            self.position += bytes.len() as u64;
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = if self.in_run { self.run(rest, arena) } else { self.between(rest, arena) };
            self.position += used as u64;
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        self.end_run(arena);
        self.media = false;
        self.position += lost;
        self.report.reasons.insert(Reason::Gap);
    }

    fn finish(&mut self, arena: &mut Arena) {
        self.end_run(arena);
    }

    fn report(&self) -> Report {
        // Bytes that wait for their run to grow were not read yet.
        Report { unread_bytes: self.report.unread_bytes + self.pending.len() as u64, ..self.report }
    }
}
