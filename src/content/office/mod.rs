//! Office files (ECMA-376): DOCX, XLSX, PPTX, which are ZIP files of XML. In: a file, cut anywhere; out: its paragraphs, rows
//! of tables and of sheets as lines, with TABs between cells. The directory stands at the end and cells refer to
//! strings of another part, so a file is held until it is whole. Its text has no place of its own in the body: all of it
//! stands for the place where the file begins, and the path tells the part (`sheet[2]`, `slide[1]`).
//! Bounds: `max_document_bytes`, for the file and for each part; the bounds of one content coding for all parts together.
//! Does not: pictures and files within (told as unread), macros, properties, OpenDocument.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod sheet;
#[cfg(test)]
mod tests;
mod xml;
mod zip;

use super::encoding::RawDeflate;
use super::{Arena, Extractor, Format, Opening, Reason, Report, Settings, path};
use sheet::{Strings, Styles};
use xml::{Part, parts};
use zip::Entry;

pub(super) const FORMAT: Format =
    Format { name: "office", matches: is_office, open: |opening| Box::new(Office::new(opening)) };

/// What the first entry of an office file is called.
const FIRST_NAMES: [&[u8]; 6] = [b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"xl/", b"ppt/"];

fn is_office(opening: &Opening<'_>) -> bool {
    let name = opening.first.get(30..).unwrap_or_default();
    let is_zip = opening.first.starts_with(b"PK\x03\x04") && !opening.after_gap;
    is_zip && FIRST_NAMES.iter().any(|first| name.starts_with(first))
}

/// Where the text of a part stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    source: u64,
}

impl Place<'_> {
    fn lay(self, text: &[u8], arena: &mut Arena) {
        arena.push_decoded(text, self.source, 0);
    }
}

struct Office {
    settings: Settings,
    path: String,
    source: u64,
    held: Vec<u8>,
    /// The file is not whole, or too large: nothing of it can be read.
    lost: Option<Reason>,
    report: Report,
}

impl Office {
    fn new(opening: &Opening<'_>) -> Self {
        Self {
            settings: *opening.settings,
            path: opening.path.to_owned(),
            source: opening.source,
            held: Vec::new(),
            lost: None,
            report: Report::default(),
        }
    }

    fn lose(&mut self, reason: Reason) {
        self.lost = Some(reason);
        self.report.skip(self.held.len() as u64, reason);
        self.held = Vec::new();
    }

    fn read(&mut self, file: &[u8], arena: &mut Arena) {
        let Some(mut entries) = zip::entries(file) else {
            return self.report.skip(file.len() as u64, Reason::Truncated);
        };
        // Sheets and slides in the order of their numbers.
        entries.sort_by_key(|entry| (entry.name.len(), entry.name));
        let mut inflate = Inflate { raw: RawDeflate::new(&self.settings), max: self.settings.max_document_bytes };
        let mut named = |name: &[u8], report: &mut Report| {
            let entry = entries.iter().find(|entry| entry.name == name);
            entry.map(|entry| inflate.read(entry, report)).unwrap_or_default()
        };
        let strings = Strings::read(&named(b"xl/sharedStrings.xml", &mut self.report));
        let styles = Styles::read(&named(b"xl/styles.xml", &mut self.report));
        let mut counts = [0_u64; KINDS.len()];
        for entry in &entries {
            let kinds = KINDS.iter().zip(&mut counts);
            let Some((kind, count)) = kinds.into_iter().find(|(kind, _)| kind.is(entry.name)) else {
                if is_unread(entry.name) {
                    self.report.skip(entry.bytes.len() as u64, Reason::UnreadableFormat);
                }
                continue;
            };
            *count += 1;
            let path = path::part(&self.path, kind.unit, *count, self.settings.max_path_bytes);
            let place = Place { path: &path, source: self.source };
            arena.begin(place.path);
            let document = inflate.read(entry, &mut self.report);
            match kind.unit {
                "sheet" => sheet::lay(&document, &strings, &styles, place, arena),
                _ => lay_paragraphs(&document, place, arena),
            }
            arena.separator(b"\n");
        }
        arena.begin(&self.path);
    }
}

/// Parts that hold text.
struct PartKind {
    /// What its name begins with; a number and `.xml` follow.
    prefix: &'static [u8],
    unit: &'static str,
}

const KINDS: [PartKind; 9] = [
    PartKind { prefix: b"word/document", unit: "document" },
    PartKind { prefix: b"word/header", unit: "header" },
    PartKind { prefix: b"word/footer", unit: "footer" },
    PartKind { prefix: b"word/footnotes", unit: "notes" },
    PartKind { prefix: b"word/comments", unit: "comments" },
    PartKind { prefix: b"xl/worksheets/sheet", unit: "sheet" },
    PartKind { prefix: b"xl/comments", unit: "comments" },
    PartKind { prefix: b"ppt/slides/slide", unit: "slide" },
    PartKind { prefix: b"ppt/notesSlides/notesSlide", unit: "notes" },
];

impl PartKind {
    fn is(&self, name: &[u8]) -> bool {
        let number = name.strip_prefix(self.prefix).and_then(|rest| rest.strip_suffix(b".xml"));
        number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
    }
}

/// Pictures, files within.
fn is_unread(name: &[u8]) -> bool {
    ["/media/", "/embeddings/"].iter().any(|folder| memchr::memmem::find(name, folder.as_bytes()).is_some())
}

struct Inflate {
    raw: RawDeflate,
    max: u64,
}

impl Inflate {
    /// A part as it was before it was stored; what is beyond the bounds is missing.
    fn read(&mut self, entry: &Entry<'_>, report: &mut Report) -> Vec<u8> {
        let max = usize::try_from(self.max).unwrap_or(usize::MAX);
        if !entry.is_deflated {
            return entry.bytes.get(..max).unwrap_or(entry.bytes).to_vec();
        }
        let mut whole = Vec::new();
        let mut is_cut = false;
        let stopped = self.raw.inflate(entry.bytes, &mut |bytes| {
            let room = max.saturating_sub(whole.len()).min(bytes.len());
            whole.extend_from_slice(bytes.get(..room).unwrap_or_default());
            is_cut |= room < bytes.len();
        });
        report.reasons.extend(stopped.or(is_cut.then_some(Reason::DecodedTooLarge)).into_iter().collect());
        whole
    }
}

/// Paragraphs and tables of a text or a slide, whose elements have the same names.
fn lay_paragraphs(document: &[u8], place: Place<'_>, arena: &mut Arena) {
    let (mut in_text, mut cells, mut row_has_cell) = (false, 0_u32, false);
    for part in parts(document) {
        match part {
            Part::Open { name: b"t" | b"delText" | b"text", .. } => in_text = true,
            Part::Close { name: b"t" | b"delText" | b"text" } => in_text = false,
            Part::Text(text) if in_text => place.lay(text, arena),
            Part::Empty { name: b"tab", .. } => place.lay(b"\t", arena),
            Part::Empty { name: b"br" | b"cr", .. } => place.lay(b"\n", arena),
            Part::Empty { name: b"noBreakHyphen", .. } => place.lay(b"-", arena),
            Part::Open { name: b"tc", .. } => {
                if std::mem::replace(&mut row_has_cell, true) {
                    arena.separator(b"\t");
                }
                cells += 1;
            }
            Part::Close { name: b"tc" } => cells = cells.saturating_sub(1),
            // A paragraph of a cell must not end the row.
            Part::Close { name: b"p" } if cells > 0 => place.lay(b" ", arena),
            Part::Close { name: b"p" } => arena.separator(b"\n"),
            Part::Close { name: b"tr" } => {
                row_has_cell = false;
                arena.separator(b"\n");
            }
            _ => {}
        }
    }
}

impl Extractor for Office {
    fn push(&mut self, bytes: &[u8], _arena: &mut Arena) {
        if let Some(reason) = self.lost {
            return self.report.skip(bytes.len() as u64, reason);
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() as u64 > self.settings.max_document_bytes {
            self.lose(Reason::DecodedTooLarge);
        }
    }

    fn gap(&mut self, _lost: u64, _arena: &mut Arena) {
        self.lose(Reason::Gap);
    }

    fn finish(&mut self, arena: &mut Arena) {
        let file = std::mem::take(&mut self.held);
        if self.lost.is_none() {
            self.read(&file, arena);
        }
    }

    fn report(&self) -> Report {
        Report { unread_bytes: self.report.unread_bytes + self.held.len() as u64, ..self.report }
    }
}
