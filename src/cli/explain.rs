//! Why `shadowtap scan` judged a document as it did, in words and lines of its text. In: an [`Explained`] document; out: lines for stderr.
//! All values in it are masked, and all words and numbers that could be values (`redact::text`), unless they are to be revealed.
//!
//! Bounds: [`MAX_LINES`] of text, [`MAX_LINE_BYTES`] each.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use crate::{
    detect::{Detected, Detector, Explained, PlainWords, Share},
    event::IdentifierType,
    redact,
    sink::word,
};

/// Lines of text shown of one document.
const MAX_LINES: usize = 40;

/// A longer line is shown as several.
const MAX_LINE_BYTES: usize = 160;

/// The lines that explain `document`.
pub(super) fn lines(id: &str, document: &Explained, detector: &Detector, reveal: bool) -> Vec<String> {
    let verdict = &document.verdict;
    let severity = verdict.severity.map_or_else(String::new, |severity| format!(", severity {severity}"));
    let mut told = vec![format!("{id}: {} (score {:.2}{severity})", word(&verdict.classification), verdict.score)];
    told.extend(Text::of(document, detector, reveal).lines());
    let explanation = &document.explanation;
    for (name, sum, shares) in [
        ("health", verdict.sums.health, &explanation.health),
        ("identifiers", verdict.sums.identifiers, &explanation.identifiers),
        ("quasi-identifiers", verdict.sums.quasi_identifiers, &explanation.quasi_identifiers),
    ] {
        told.push(format!("  {name} {sum:.1}{}", parts(shares)));
    }
    told.push(format!("  {}: {}", word(&verdict.classification), explanation.ground));
    told
}

fn parts(shares: &[Share]) -> String {
    let part = |share: &Share| match share.adds {
        Some(adds) => format!("{} {adds:.1} ({})", share.name, share.count),
        None => format!("{} ({})", share.name, share.count),
    };
    if shares.is_empty() {
        String::new()
    } else {
        format!(": {}", shares.iter().map(part).collect::<Vec<_>>().join(", "))
    }
}

/// A document's text with what was found in it.
struct Text<'a> {
    text: &'a [u8],
    rows: Vec<Range<usize>>,
    /// In the order of their places.
    found: Vec<&'a Detected>,
    detector: &'a Detector,
    plain: PlainWords<'a>,
    /// Words of names that were found, which may stand elsewhere too.
    of_names: HashSet<String>,
    reveal: bool,
}

impl<'a> Text<'a> {
    fn of(document: &'a Explained, detector: &'a Detector, reveal: bool) -> Self {
        let mut found: Vec<&Detected> = document.found.iter().collect();
        found.sort_by_key(|detected| (detected.arena_range.start, detected.arena_range.end));
        let text = document.text.as_slice();
        let personal =
            |detected: &&&Detected| matches!(detected.finding.identifier, IdentifierType::Name | IdentifierType::Email);
        let values = found.iter().filter(personal).filter_map(|detected| text.get(range(detected)));
        let of_names = values.flat_map(|value| {
            let value = String::from_utf8_lossy(value).to_lowercase();
            value.split(|letter: char| !letter.is_alphanumeric()).map(str::to_owned).collect::<Vec<_>>()
        });
        let of_names = of_names.collect();
        Self { text, rows: rows(text), found, detector, plain: detector.plain_words(), of_names, reveal }
    }

    fn lines(&self) -> Vec<String> {
        let mut by_row: BTreeMap<usize, Vec<&Detected>> = BTreeMap::new();
        for detected in &self.found {
            let start = range(detected).start;
            by_row.entry(self.rows.partition_point(|row| row.end <= start)).or_default().push(detected);
        }
        let around = by_row.keys().flat_map(|row| row.saturating_sub(1)..=row.saturating_add(1));
        let shown: BTreeSet<usize> = around.filter(|row| *row < self.rows.len()).collect();
        let (mut told, mut last) = (Vec::new(), None);
        for row in shown.iter().take(MAX_LINES) {
            if last.is_some_and(|last| last + 1 < *row) {
                told.push("      …".to_owned());
            }
            last = Some(*row);
            told.push(format!("{:5} | {}", row + 1, self.row(*row)).trim_end().to_owned());
            let found = by_row.remove(row).unwrap_or_default();
            told.extend(found.into_iter().map(|detected| self.finding(detected)));
        }
        let hidden: usize = by_row.values().map(Vec::len).sum();
        if hidden > 0 {
            told.push(format!("      … and {hidden} findings on further lines"));
        }
        told
    }

    fn row(&self, row: usize) -> String {
        let Some(place) = self.rows.get(row).cloned() else { return String::new() };
        let line = self.text.get(place.clone()).unwrap_or_default();
        let shown = if self.reveal {
            String::from_utf8_lossy(line).into_owned()
        } else {
            let clipped = self.found.iter().map(|detected| {
                let range = range(detected);
                range.start.max(place.start).min(place.end) - place.start
                    ..range.end.clamp(place.start, place.end) - place.start
            });
            let values: Vec<Range<usize>> = clipped.filter(|value| !value.is_empty()).collect();
            redact::text::masked(line, &values, |word| {
                !self.of_names.contains(&word.to_lowercase()) && self.plain.hold(word)
            })
        };
        // What a terminal would obey is no text.
        shown.replace(char::is_control, " ")
    }

    fn finding(&self, detected: &Detected) -> String {
        let finding = &detected.finding;
        let place = if finding.path.is_empty() { String::new() } else { format!(" in {}", finding.path) };
        format!(
            "      |   {} {} at {}..{}{place}, {}: {} ({})",
            word(&finding.identifier),
            finding.masked.as_str(),
            finding.start,
            finding.end,
            word(&finding.confidence),
            finding.reasons.join("; "),
            self.detector.file_of(detected)
        )
    }
}

/// Where it stands in the text as it was read.
fn range(detected: &Detected) -> Range<usize> {
    let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    place(detected.arena_range.start)..place(detected.arena_range.end)
}

/// Lines, of which long ones are cut at a blank.
fn rows(text: &[u8]) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
        let end = start + line.len();
        // The rest of CR LF belongs to the line before it.
        if line == b"\n" && start > 0 && text.get(start - 1) == Some(&b'\r') {
            if let Some(last) = rows.last_mut() {
                let last: &mut Range<usize> = last;
                last.end = end;
            }
            start = end;
            continue;
        }
        while end - start > MAX_LINE_BYTES {
            let cut = cut(text.get(start..start + MAX_LINE_BYTES).unwrap_or_default());
            rows.push(start..start + cut);
            start += cut;
        }
        rows.push(start..end);
        start = end;
    }
    rows
}

/// After the last blank, or else at the last whole character.
fn cut(line: &[u8]) -> usize {
    let blank = line.iter().rposition(|byte| *byte == b' ').map(|at| at + 1);
    let begins = |byte: &u8| byte & 0xC0 != 0x80;
    blank.or_else(|| line.iter().rposition(begins).filter(|at| *at > 0)).unwrap_or(line.len())
}
