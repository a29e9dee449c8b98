//! HL7 v2 segments (HL7 v2.x, chapters 2 and 3). In: the place of a segment's name; out: its fields that identify,
//! named `PID-5` and so on by the rules. Separators are those of the last MSH segment, else the usual ones.
//! Bounds: [`MAX_SEGMENT_BYTES`], [`MAX_REPETITIONS`]. Does not: read sub-components or escapes.

use super::super::candidate::Sign;
use super::super::detector::Detector;
use super::super::window::Window;
use super::Field;

/// Bytes of a segment that are read.
pub(in crate::detect) const MAX_SEGMENT_BYTES: usize = 1024;
/// Repetitions of one field that are read.
const MAX_REPETITIONS: usize = 16;

/// MSH-1 and MSH-2 as far as fields need them.
#[derive(Clone, Copy)]
pub(in crate::detect) struct Separators {
    field: u8,
    component: u8,
    repetition: u8,
}

impl Default for Separators {
    fn default() -> Self {
        Self { field: b'|', component: b'^', repetition: b'~' }
    }
}

/// Reads the segment whose name of `length` bytes ends at `end`, if it is one.
pub(in crate::detect) fn segment(
    separators: &mut Separators,
    detector: &Detector,
    window: &Window<'_>,
    end: usize,
    length: u8,
    fields: &mut Vec<Field>,
) {
    let Some(start) = end.checked_sub(usize::from(length)) else { return };
    let Some(name) = window.text.get(start..end) else { return };
    if !name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) || !begins(window, start) {
        return;
    }
    let Some(rest) = window.text.get(end..) else { return };
    let rest = rest.get(..MAX_SEGMENT_BYTES).unwrap_or(rest);
    if name == b"MSH" {
        if let [field, component, repetition, _, _, again, ..] = rest
            && field == again
            && [field, component, repetition].iter().all(|byte| byte.is_ascii_punctuation())
        {
            *separators = Separators { field: *field, component: *component, repetition: *repetition };
        }
        return;
    }
    if rest.first() != Some(&separators.field) {
        return;
    }
    let length = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n' | 0x1C)).unwrap_or(rest.len());
    let Some(segment) = rest.get(..length) else { return };
    let mut at = end;
    for (number, field) in segment.split(|byte| *byte == separators.field).enumerate() {
        let name = std::str::from_utf8(name).unwrap_or_default();
        read_field(*separators, detector, name, number, at, field, fields);
        at += field.len() + 1;
    }
}

/// Reads a field that stands `at` a place of the window: each repetition, as the rules name it.
fn read_field(
    separators: Separators,
    detector: &Detector,
    segment: &str,
    number: usize,
    at: usize,
    field: &[u8],
    fields: &mut Vec<Field>,
) {
    if field.is_empty() || number == 0 {
        return;
    }
    let Some(plain) = detector.rules.record(&format!("{segment}-{number}")) else { return };
    let mut at = at;
    for value in field.split(|byte| *byte == separators.repetition).take(MAX_REPETITIONS) {
        let components: Vec<&[u8]> = value.split(|byte| *byte == separators.component).collect();
        // CX: the fifth component says what kind of number it is (table 0203).
        let kind = components.get(4).and_then(|kind| std::str::from_utf8(kind).ok()).filter(|kind| !kind.is_empty());
        let typed = kind.and_then(|kind| detector.rules.record(&format!("{segment}-{number}.{kind}")));
        let named = typed.unwrap_or(plain);
        let whole = detector.rules.form(named).is_some_and(|(_, form)| form.components);
        let length = if whole { value.len() } else { components.first().map_or(0, |first| first.len()) };
        fields.push(Field { sign: Sign::Record(named), range: at..at + length });
        at += value.len() + 1;
    }
}

/// Whether a segment may begin here: at the start of a line, or of a message within one.
fn begins(window: &Window<'_>, start: usize) -> bool {
    window.before(start).is_none_or(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_' | b'.'))
}
