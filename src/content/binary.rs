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
    /// The start of a run that is too short yet to count as text, and where it stands.
    pending: Vec<u8>,
    pending_source: u64,
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
            pending_source: 0,
            in_run: false,
            report: Report::default(),
        }
    }

    fn end_run(&mut self, arena: &mut Arena) {
        if self.in_run {
            arena.separator(b"\n");
            self.in_run = false;
        }
        if !self.pending.is_empty() {
            self.report.skip(self.pending.len() as u64, Reason::UnreadableFormat);
            self.pending.clear();
        }
    }

    /// A stretch of printable bytes.
    fn printable(&mut self, bytes: &[u8], source: u64, arena: &mut Arena) {
        if !self.in_run {
            if self.pending.is_empty() {
                self.pending_source = source;
            }
            // At most `min_run` bytes wait, whatever the chunk's size.
            if self.pending.len() + bytes.len() < self.min_run {
                self.pending.extend_from_slice(bytes);
                return;
            }
            self.in_run = true;
            arena.begin(&self.path);
            arena.push(&self.pending, self.pending_source);
            self.pending.clear();
        }
        arena.push(bytes, source);
    }
}

/// What can stand in a run. Bytes of UTF-8 go on with a run but start none: half of all random bytes look so.
fn is_printable(byte: u8, in_run: bool) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r') || (in_run && byte >= 0x80)
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
            // Byte by byte up to a run's minimum, then as a whole, so that chunks make no difference.
            let missing = self.min_run.saturating_sub(self.pending.len()).max(1);
            let limit = if self.in_run { rest.len() } else { missing.min(rest.len()) };
            let window = rest.get(..limit).unwrap_or(rest);
            let length = window.iter().position(|byte| !is_printable(*byte, self.in_run)).unwrap_or(window.len());
            let (run, after) = rest.split_at(length);
            if !run.is_empty() {
                self.printable(run, self.position, arena);
            }
            self.position += run.len() as u64;
            rest = after;
            if length < window.len()
                && let Some((_, after)) = rest.split_first()
            {
                self.end_run(arena);
                self.report.skip(1, Reason::UnreadableFormat);
                self.position += 1;
                rest = after;
            }
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
