//! A value of the right form at a place, on its way to a finding. In: a hit or a field with the text around it; out: a
//! [`Candidate`], if its form, its validator and what stands beside it agree.

use std::ops::Range;

use super::detection::Detected;
use super::detector::{BEHIND_REACH_BYTES, Detector};
use super::reading::{LOOKAHEAD_BYTES, Reading};
use super::rules::{Form, Identifier, Named};
use super::validate::{Accepted, Context};
use super::window::Window;
use crate::event::{Confidence, Finding};
use crate::redact::{FingerprintKey, Redacted};

/// Most values that are read in one field: "E11.9, I10".
const MAX_VALUES_PER_FIELD: usize = 12;

/// What says which identifier a value is. Offsets in the arena.
#[derive(Clone, Copy)]
pub(super) enum Sign {
    /// A label that stands before it.
    Label(Label),
    /// The head of its column.
    Column(Named),
    /// Its place in a record of a known format.
    Record(Named),
}

/// A label in the text.
#[derive(Clone, Copy)]
pub(super) struct Label {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) named: Named,
}

/// A value of the right form at a place.
pub(super) struct Candidate<'a> {
    /// Index of its entry.
    pub(super) entry: u16,
    pub(super) identifier: &'a Identifier,
    /// In the window.
    pub(super) range: Range<usize>,
    pub(super) sign: Option<Sign>,
    pub(super) confidence: Confidence,
    pub(super) needs_health: bool,
    pub(super) accepted: Accepted,
}

impl Candidate<'_> {
    /// Its place in the arena.
    pub(super) fn arena_range(&self, window: &Window<'_>) -> Range<u64> {
        window.base + self.range.start as u64..window.base + self.range.end as u64
    }

    /// How sure it is, of its form and of its place.
    pub(super) fn told_confidence(&self) -> Confidence {
        self.confidence.min(self.accepted.at_most)
    }

    /// As it is told.
    pub(super) fn detected(&self, detector: &Detector, window: &Window<'_>, identity: u64) -> Detected {
        let arena_range = self.arena_range(window);
        let place = window.arena.place(arena_range.start);
        let print = |key: &FingerprintKey| key.fingerprint(&self.identifier.name, &self.accepted.canonical);
        let finding = Finding {
            identifier: self.identifier.identifier,
            start: place.source,
            end: window.arena.source_end(arena_range.end),
            path: place.path.to_owned(),
            confidence: self.told_confidence(),
            masked: Redacted::mask(window.text.get(self.range.clone()).unwrap_or_default()),
            fingerprint: detector.fingerprints.as_ref().map(print),
            reasons: self.reasons(detector, arena_range.start),
        };
        Detected { finding, arena_range, identity, entry: self.entry }
    }

    /// Why it was believed. Labels, heads and fields are named as the rules spell them, never as the text does.
    fn reasons(&self, detector: &Detector, value: u64) -> Vec<String> {
        let name = |named: &Named| detector.rules.name(*named).trim();
        let sign = match &self.sign {
            Some(Sign::Label(label)) => {
                format!("label '{}' {} bytes before", name(&label.named), value.saturating_sub(label.start))
            }
            Some(Sign::Column(named)) => format!("column '{}'", name(named)),
            Some(Sign::Record(named)) => format!("field {}", name(named)),
            None => "no label near".to_owned(),
        };
        vec![self.accepted.reason.to_owned(), sign]
    }
}

/// Reads the value behind a label that ends at `end`.
pub(super) fn behind_label<'a>(
    detector: &'a Detector,
    window: &Window<'_>,
    end: usize,
    label: Label,
) -> Option<Candidate<'a>> {
    let (identifier, form) = detector.rules.form(label.named)?;
    let label_start = label.start.checked_sub(window.base)? as usize;
    let from = if form.begins { label_start } else { end };
    let raw = window.text.get(from..)?;
    // Most labels in prose have no number behind them: do not read so far for them.
    if !form.without_digits {
        raw.iter().take(LOOKAHEAD_BYTES).find(|byte| byte.is_ascii_digit() || !byte.is_ascii())?;
    }
    let reading = Reading::of(raw);
    let text = reading.text();
    let start = if form.begins { 0 } else { detector.rules.filler.skip(text, !form.no_filler)? };
    // The last head of a table's columns says nothing of what the next line begins with.
    let ends_line = matches!(text, [b'\n', ..] | [b'\r' | b'"' | b' ', b'\n', ..]);
    if !form.begins && ends_line && window.follows_column(label_start) {
        return None;
    }
    let rest = text.get(start..)?;
    let length = longest(form, rest, raw.len() < LOOKAHEAD_BYTES)?;
    // Asked for last of what is cheap: most labels of this kind have another value.
    if let Some(behind) = &form.behind
        && !window.stands_behind(label, behind, form.same_object, BEHIND_REACH_BYTES)
    {
        return None;
    }
    let value = rest.get(..length)?;
    let accepted = validate(detector, identifier, value)?;
    let head = form.tail.as_ref().map_or(Some(0), |tail| tail.start(value, length))?;
    let range = reading.raw_range(start + head..start + length)?;
    Some(Candidate {
        entry: label.named.identifier,
        identifier,
        range: from + range.start..from + range.end,
        sign: (!form.begins).then_some(Sign::Label(label)),
        confidence: form.confidence,
        needs_health: form.needs_health,
        accepted,
    })
}

/// Reads the values of a field whose kind is known, one after another.
pub(super) fn in_field<'a>(
    detector: &'a Detector,
    window: &Window<'_>,
    field: Range<usize>,
    sign: Sign,
    mut take: impl FnMut(Candidate<'a>),
) {
    let named = match sign {
        Sign::Column(named) | Sign::Record(named) => named,
        Sign::Label(label) => label.named,
    };
    let Some((identifier, form)) = detector.rules.form(named) else { return };
    let Some(text) = window.text.get(field.clone()) else { return };
    // Only the start of a field is moved, so that what follows a value is seen.
    let end = field.start + text.trim_ascii_end().len();
    let mut at = field.start;
    for _ in 0..MAX_VALUES_PER_FIELD {
        let Some(raw) = window.text.get(at..end) else { return };
        let skipped = raw.iter().take_while(|byte| is_between(**byte)).count();
        let raw = raw.get(skipped..).unwrap_or_default();
        if raw.is_empty() {
            return;
        }
        at += skipped;
        let reading = Reading::of(raw);
        let text = reading.text();
        let Some(length) = longest(form, text, raw.len() < LOOKAHEAD_BYTES) else { return };
        let Some(range) = reading.raw_range(0..length) else { return };
        if let Some(accepted) = text.get(..length).and_then(|value| validate(detector, identifier, value)) {
            take(Candidate {
                entry: named.identifier,
                identifier,
                range: at + range.start..at + range.end,
                sign: Some(sign),
                confidence: form.confidence,
                needs_health: form.needs_health,
                accepted,
            });
        }
        at += range.end;
    }
}

/// What stands between the values of a field, and around them.
fn is_between(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'"' | b'\'' | b',' | b';' | b'/' | b'&' | b'|' | b'[' | b']' | b'(' | b'*' | b'`' | b'#' | b'='
    )
}

/// Length of the longest value of a form at the beginning of `text` that ends where a word ends; nothing follows what
/// was read where `text_ends`.
fn longest(form: &Form, text: &[u8], text_ends: bool) -> Option<usize> {
    form.value.longest(text, |end| {
        form.open_ended
            || match text.get(end..) {
                Some([]) | None => text_ends,
                // The time of day that follows a date.
                Some([b'T', hour, _, b':', ..]) if hour.is_ascii_digit() => true,
                Some([next, ..]) if next.is_ascii_alphanumeric() => false,
                Some([b'-' | b'.', next, ..]) => !next.is_ascii_digit(),
                Some(_) => true,
            }
    })
}

/// What the validator makes of `value`, unless it is a sample of its type.
pub(super) fn validate(detector: &Detector, identifier: &Identifier, value: &[u8]) -> Option<Accepted> {
    let context = Context { codes: &detector.rules.codes, names: &detector.rules.names };
    let accepted = (identifier.validator)(value, &context)?;
    let samples = &detector.rules.identifiers.get(usize::from(identifier.slot))?.samples;
    (!samples.iter().any(|sample| sample.is(&accepted.canonical))).then_some(accepted)
}
