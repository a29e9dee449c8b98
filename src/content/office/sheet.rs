//! Sheets of a workbook (ECMA-376 part 1 §18). In: the strings that cells share, the styles, a sheet; out: a line for each row,
//! a TAB between columns, as a table that was pasted has them. Numbers in cells of a date's style are dates. Bounds: those
//! of the parts they come in. Does not: formulas, other number formats, the calendar that begins in 1904.

use super::super::Arena;
use super::Place;
use super::xml::{Part, attribute, parts};

/// Empty columns that stand between two cells; more are cut.
const MAX_EMPTY_COLUMNS: usize = 64;

/// Strings that cells refer to by their number.
#[derive(Default)]
pub(super) struct Strings {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Strings {
    pub(super) fn read(document: &[u8]) -> Self {
        let mut strings = Self::default();
        let (mut in_text, mut in_phonetic) = (false, false);
        for part in parts(document) {
            match part {
                Part::Open { name: b"t", .. } => in_text = true,
                Part::Close { name: b"t" } => in_text = false,
                Part::Open { name: b"rPh", .. } => in_phonetic = true,
                Part::Close { name: b"rPh" } => in_phonetic = false,
                Part::Text(text) if in_text && !in_phonetic => strings.text.extend_from_slice(text),
                Part::Close { name: b"si" } | Part::Empty { name: b"si", .. } => strings.ends.push(strings.text.len()),
                _ => {}
            }
        }
        strings
    }

    fn get(&self, index: usize) -> Option<&[u8]> {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start..*self.ends.get(index)?)
    }
}

/// Which styles of cells show a date.
#[derive(Default)]
pub(super) struct Styles {
    is_date: Vec<bool>,
}

impl Styles {
    pub(super) fn read(document: &[u8]) -> Self {
        let (mut formats, mut is_date, mut in_cells) = (Vec::new(), Vec::new(), false);
        for part in parts(document) {
            match part {
                Part::Empty { name: b"numFmt", attributes } | Part::Open { name: b"numFmt", attributes } => {
                    let code = attribute(attributes, b"formatCode").unwrap_or_default();
                    if memchr::memchr2(b'y', b'Y', code).is_some() {
                        formats.extend(number(attribute(attributes, b"numFmtId")));
                    }
                }
                Part::Open { name: b"cellXfs", .. } => in_cells = true,
                Part::Close { name: b"cellXfs" } => in_cells = false,
                Part::Open { name: b"xf", attributes } | Part::Empty { name: b"xf", attributes } if in_cells => {
                    let format = number(attribute(attributes, b"numFmtId")).unwrap_or(0);
                    // The built-in formats with a day, month and year.
                    is_date.push(
                        matches!(format, 14..=15 | 22 | 27..=31 | 36 | 50..=54 | 57) || formats.contains(&format),
                    );
                }
                _ => {}
            }
        }
        Self { is_date }
    }
}

fn number(digits: Option<&[u8]>) -> Option<usize> {
    std::str::from_utf8(digits?).ok()?.parse().ok()
}

/// What a cell's value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shared,
    Date,
    Plain,
}

/// Lays a sheet out.
pub(super) fn lay(document: &[u8], strings: &Strings, styles: &Styles, place: Place<'_>, arena: &mut Arena) {
    let (mut kind, mut in_value, mut column) = (Kind::Plain, false, 0);
    let mut value = Vec::new();
    for part in parts(document) {
        match part {
            Part::Open { name: b"c", attributes } => {
                let is_date = |style| styles.is_date.get(style).copied().unwrap_or(false);
                kind = match attribute(attributes, b"t") {
                    Some(b"s") => Kind::Shared,
                    None | Some(b"n") if number(attribute(attributes, b"s")).is_some_and(is_date) => Kind::Date,
                    _ => Kind::Plain,
                };
                let at = attribute(attributes, b"r").and_then(column_of).unwrap_or(column + 1);
                for _ in 0..at.saturating_sub(column.max(1)).min(MAX_EMPTY_COLUMNS) {
                    arena.separator(b"\t");
                }
                column = at;
            }
            Part::Open { name: b"v" | b"t", .. } => in_value = true,
            Part::Close { name: b"v" | b"t" } => in_value = false,
            Part::Text(text) if in_value => value.extend_from_slice(text),
            Part::Close { name: b"c" } => {
                match kind {
                    Kind::Shared => {
                        place.lay(number(Some(&value)).and_then(|index| strings.get(index)).unwrap_or_default(), arena)
                    }
                    Kind::Date => place.lay(date(&value).as_deref().unwrap_or(&value), arena),
                    Kind::Plain => place.lay(&value, arena),
                }
                value.clear();
            }
            Part::Close { name: b"row" } => {
                arena.separator(b"\n");
                column = 0;
            }
            _ => {}
        }
    }
}

/// The number of the column in a reference such as `C7`, from 1.
fn column_of(reference: &[u8]) -> Option<usize> {
    let letters = reference.iter().take_while(|byte| byte.is_ascii_uppercase()).take(3);
    let column = letters.fold(0, |column, letter| column * 26 + usize::from(letter - b'A') + 1);
    (column > 0).then_some(column)
}

/// Days since the end of 1899, as year, month and day.
fn date(serial: &[u8]) -> Option<Vec<u8>> {
    let serial: f64 = std::str::from_utf8(serial).ok()?.parse().ok()?;
    // The format believes that 1900 was a leap year; from its March on, day 0 is 30 December 1899.
    if !(61.0..2_958_466.0).contains(&serial) {
        return None;
    }
    let date = jiff::civil::date(1899, 12, 30).checked_add(jiff::Span::new().days(serial as i64)).ok()?;
    Some(date.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_columns_are_read() {
        assert_eq!(date(b"22753").as_deref(), Some(&b"1962-04-17"[..]));
        assert_eq!(date(b"45000.75").as_deref(), Some(&b"2023-03-15"[..]));
        assert_eq!((date(b"12"), date(b"x"), date(b"1e300")), (None, None, None));
        assert_eq!((column_of(b"A1"), column_of(b"AB12"), column_of(b"7")), (Some(1), Some(28), None));
    }
}
