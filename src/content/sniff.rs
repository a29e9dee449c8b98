//! What a document is, by its first bytes. Content types are often missing or wrong (SDKs upload raw files as
//! `application/json`), so the bytes decide wherever they can. In: the first [`SNIFF_BYTES`] at most; out: verdicts
//! that do not depend on how the bytes came. [`Sniffed`] holds them back until there are enough to choose a format.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use super::{Arena, Captures, ContentHint, Extractor, FORMATS, Format, Opening, Reason, Report, Settings, binary};

/// Bytes looked at to choose a format. The magic of DICOM stands at 128, that of tar at 257.
pub(super) const SNIFF_BYTES: usize = 512;

/// First bytes of compressed formats, by place.
const MAGIC: &[(usize, &[u8])] = &[
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"\xFF\xD8\xFF"),
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (8, b"WEBP"),
    (8, b"WAVE"),
    (4, b"ftyp"),
    (0, b"PK\x03\x04"),
    (0, b"PK\x05\x06"),
    (0, b"\x1F\x8B"),
    (0, b"BZh"),
    (0, b"\xFD7zXZ\x00"),
    (0, b"\x28\xB5\x2F\xFD"),
    (0, b"7z\xBC\xAF\x27\x1C"),
    (0, b"Rar!\x1A\x07"),
    (0, b"ID3"),
    (0, b"OggS"),
    (0, b"fLaC"),
    (0, b"\x1A\x45\xDF\xA3"),
    (0, b"wOF2"),
];

/// Types whose bytes are compressed even where their magic is not in the list. SVG is text.
const MEDIA_TYPES: &[&str] = &["image/", "audio/", "video/", "font/", "application/zip", "application/gzip"];

pub(super) fn is_media(opening: &Opening<'_>) -> bool {
    let magic =
        MAGIC.iter().any(|(place, magic)| opening.first.get(*place..).is_some_and(|rest| rest.starts_with(magic)));
    let media = magic || MEDIA_TYPES.iter().any(|media| opening.hint.is_type(media));
    // The head of a PDF may well be text; text that begins like media, or is called so, stays text.
    !opening.after_gap && (opening.first.starts_with(b"%PDF-") || (media && !looks_like_text(opening.first)))
}

/// Text has no NUL and hardly a control character, save separators (MLLP, NCPDP); random bytes have 9 in a hundred.
pub(super) fn looks_like_text(first: &[u8]) -> bool {
    if utf16_order(first).is_some() {
        return true;
    }
    let control =
        first.iter().filter(|byte| **byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0B..=0x0C | 0x1C..=0x1E));
    let (mut count, mut zeros) = (0, 0);
    for byte in control {
        count += 1;
        zeros += usize::from(*byte == 0);
    }
    zeros == 0 && count * 32 <= first.len() + 31
}

/// The order of the bytes of UTF-16, by its mark or because nearly every other byte is NUL, as in text of Latin letters.
pub(super) fn utf16_order(first: &[u8]) -> Option<fn([u8; 2]) -> u16> {
    match first {
        [0xFF, 0xFE, ..] => return Some(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => return Some(u16::from_be_bytes),
        _ => {}
    }
    let pairs = first.as_chunks::<2>().0;
    let is_text = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0xA0..);
    let count = |low: usize| {
        pairs.iter().filter(|pair| pair.get(low).copied().is_some_and(is_text) && pair.get(1 - low) == Some(&0)).count()
    };
    let enough = |count: usize| pairs.len() >= MIN_UTF16_UNITS && count * 16 >= pairs.len() * 15;
    if enough(count(0)) {
        Some(u16::from_le_bytes)
    } else if enough(count(1)) {
        Some(u16::from_be_bytes)
    } else {
        None
    }
}

/// Shorter text without a byte order mark may be numbers.
const MIN_UTF16_UNITS: usize = 12;

fn format_of(opening: &Opening<'_>) -> Option<&'static Format> {
    FORMATS.iter().find(|format| (format.matches)(opening))
}

/// A document whose format is not chosen until enough of it is there.
pub(super) struct Sniffed {
    settings: Settings,
    content_type: Option<String>,
    file_name: Option<String>,
    message_encoding: Option<String>,
    path: String,
    source: u64,
    watched: &'static [&'static str],
    nesting: u8,
    /// Passes over the choice.
    forced: Option<&'static Format>,
    only_documents: bool,
    first: Vec<u8>,
    /// Bytes lost before the first.
    lost: u64,
    open: Option<(&'static str, Box<dyn Extractor>)>,
}

impl Sniffed {
    pub(super) fn new(opening: &Opening<'_>) -> Self {
        Self {
            settings: *opening.settings,
            content_type: opening.hint.content_type.map(str::to_owned),
            file_name: opening.hint.file_name.map(str::to_owned),
            message_encoding: opening.hint.message_encoding.map(str::to_owned),
            path: opening.path.to_owned(),
            source: opening.source,
            watched: opening.watched,
            nesting: opening.nesting,
            forced: None,
            only_documents: false,
            first: Vec::new(),
            lost: 0,
            open: None,
        }
    }

    pub(super) fn force(&mut self, format: &'static Format) {
        self.forced = Some(format);
    }

    /// Nothing is read unless it is a document: no runs of text in what is binary.
    pub(super) fn only_documents(&mut self) {
        self.only_documents = true;
    }

    pub(super) fn watch(&mut self, watched: &'static [&'static str]) {
        self.watched = watched;
    }

    /// Name of the format, once chosen.
    pub(super) fn format(&self) -> Option<&'static str> {
        self.open.as_ref().map(|(name, _)| *name)
    }

    /// Opens the format and hands it what was held back.
    fn choose(&mut self, arena: &mut Arena) -> Option<&mut dyn Extractor> {
        if self.open.is_none() {
            let hint = ContentHint {
                content_type: self.content_type.as_deref(),
                file_name: self.file_name.as_deref(),
                message_encoding: self.message_encoding.as_deref(),
            };
            let opening = Opening {
                hint: &hint,
                first: &self.first,
                settings: &self.settings,
                path: &self.path,
                source: self.source,
                watched: self.watched,
                nesting: self.nesting,
                after_gap: self.lost > 0,
            };
            let chosen = self.forced.or_else(|| format_of(&opening));
            let is_runs = |format: &Format| std::ptr::eq(format.name, binary::FORMAT.name);
            if let Some(format) =
                chosen.map(|format| if self.only_documents && is_runs(format) { &binary::MEDIA } else { format })
            {
                let mut extractor = (format.open)(&opening);
                if self.lost > 0 {
                    extractor.gap(self.lost, arena);
                }
                extractor.push(&self.first, arena);
                self.first = Vec::new();
                self.open = Some((format.name, extractor));
            }
        }
        match &mut self.open {
            Some((_, extractor)) => Some(extractor.as_mut()),
            None => None,
        }
    }
}

impl Extractor for Sniffed {
    fn push(&mut self, bytes: &[u8], arena: &mut Arena) {
        if let Some((_, extractor)) = &mut self.open {
            return extractor.push(bytes, arena);
        }
        let room = SNIFF_BYTES.saturating_sub(self.first.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.first.extend_from_slice(first);
        if self.first.len() >= SNIFF_BYTES
            && let Some(extractor) = self.choose(arena)
        {
            extractor.push(rest, arena);
        }
    }

    fn gap(&mut self, lost: u64, arena: &mut Arena) {
        if self.open.is_none() && self.first.is_empty() {
            self.lost += lost;
            return;
        }
        if let Some(extractor) = self.choose(arena) {
            extractor.gap(lost, arena);
        }
    }

    fn finish(&mut self, arena: &mut Arena) {
        if self.open.is_none() && self.first.trim_ascii().is_empty() {
            // Nothing to read, so nothing is left unread.
            self.first.clear();
            return;
        }
        if let Some(extractor) = self.choose(arena) {
            extractor.finish(arena);
        }
    }

    fn report(&self) -> Report {
        match &self.open {
            Some((_, extractor)) => extractor.report(),
            None => {
                let mut report = Report { unread_bytes: self.first.len() as u64, ..Report::default() };
                if self.lost > 0 {
                    report.reasons.insert(Reason::Gap);
                }
                report
            }
        }
    }

    fn captures(&self) -> Option<&Captures> {
        self.open.as_ref().and_then(|(_, extractor)| extractor.captures())
    }
}
