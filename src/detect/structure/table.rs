//! Tables with heads: CSV, TSV, Markdown, Confluence, aligned columns, as people paste them and databases print them.
//! In: a line that may be the head, then the rows; out: the fields whose columns are known.
//!
//! A line is a head when all its cells read like heads and one at least is known. Columns of people count only where
//! the table is not about staff: one with an NPI or a shift but no patient's column is. The table ends with two lines
//! that have another number of cells.

use std::ops::Range;

use memchr::memchr_iter;
use smallvec::SmallVec;

use super::super::candidate::Sign;
use super::super::rules::Named;
use super::Field;
use super::columns::{Columns, Head, Whose};

/// Most columns of a table.
pub(super) const MAX_COLUMNS: usize = 128;
/// Longest line that may be a head, in bytes.
const MAX_HEAD_LINE_BYTES: usize = 2048;
/// Lines of another form that end a table.
const MAX_MISFITS: u8 = 2;

type Cells = SmallVec<[Range<usize>; 16]>;

/// What stands between two cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delimiter {
    Byte(u8),
    /// `||`
    DoublePipe,
    /// Two blanks or more.
    Blanks,
}

/// A table whose head was read.
pub(super) struct Table {
    delimiter: Delimiter,
    /// Name of each column's kind, where it is known.
    columns: SmallVec<[Option<Named>; 16]>,
    /// For aligned columns: where each begins in its line.
    starts: SmallVec<[usize; 16]>,
    misfits: u8,
    /// It is about those who treat.
    staff: bool,
}

/// What became of a line.
pub(super) enum Row {
    Read,
    /// The table ended before it, or a head begins another.
    Ends,
}

impl Table {
    /// Whether a quoted cell may hold line ends.
    pub(super) fn quotes(&self) -> bool {
        matches!(self.delimiter, Delimiter::Byte(b',' | b';' | b'\t'))
    }

    /// Whether its people are those who treat.
    pub(super) fn is_of_staff(&self) -> bool {
        self.staff
    }

    /// The table that a line is the head of.
    pub(super) fn of_head(columns: &Columns, text: &[u8], line: Range<usize>) -> Option<Self> {
        if line.len() > MAX_HEAD_LINE_BYTES || line.len() < 5 {
            return None;
        }
        let bytes = text.get(line.clone())?;
        if !begins_with_cell(bytes) {
            return None;
        }
        let delimiter = delimiter(bytes)?;
        let cells = cells(text, line.clone(), delimiter)?;
        let heads = heads(columns, text, &cells)?;
        let of_patient = heads.iter().any(|head| head.of_patient || head.whose == Whose::Patients);
        let of_staff = heads.iter().any(|head| head.of_staff && !head.of_patient);
        let named = |head: &Head| head.named.filter(|_| head.whose != Whose::Anybodys || of_patient || !of_staff);
        let columns: SmallVec<[Option<Named>; 16]> = heads.iter().map(named).collect();
        let staff = of_staff && !of_patient;
        if columns.iter().all(Option::is_none) && !staff {
            return None;
        }
        let starts = cells.iter().map(|cell| cell.start - line.start).collect();
        Some(Self { delimiter, columns, starts, misfits: 0, staff })
    }

    /// Reads a row.
    pub(super) fn row(&mut self, columns: &Columns, text: &[u8], line: Range<usize>, fields: &mut Vec<Field>) -> Row {
        let Some(bytes) = text.get(line.clone()) else { return Row::Ends };
        if is_ruler(bytes) {
            self.misfits += u8::from(bytes.trim_ascii().is_empty());
            return if self.misfits > MAX_MISFITS { Row::Ends } else { Row::Read };
        }
        let Some(cells) = cells(text, line.clone(), self.delimiter).filter(|cells| cells.len() > 1) else {
            return self.misfit();
        };
        // Two heads at once: the second line of a head, or another table.
        if heads(columns, text, &cells)
            .is_some_and(|heads| heads.iter().filter(|head| head.whole && head.named.is_some()).count() > 1)
        {
            return Row::Ends;
        }
        let Some(cells) = self.assign(text, cells, line.start) else { return self.misfit() };
        self.misfits = 0;
        let named = self.columns.iter().zip(cells).filter_map(|(named, range)| Some(((*named)?, range)));
        fields.extend(named.map(|(named, range)| Field { sign: Sign::Column(named), range }));
        Row::Read
    }

    fn misfit(&mut self) -> Row {
        self.misfits += 1;
        if self.misfits >= MAX_MISFITS { Row::Ends } else { Row::Read }
    }

    /// A cell for each column.
    fn assign(&self, text: &[u8], mut cells: Cells, line_start: usize) -> Option<Cells> {
        let wanted = self.columns.len();
        if cells.len() > wanted && self.delimiter == Delimiter::Byte(b',') {
            // The comma between two rows of SQL begins no cell.
            cells.truncate(cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1));
            let whole = joined(text, &cells);
            cells = if whole.len() == wanted { whole } else { cells };
        }
        match self.delimiter {
            _ if cells.len() == wanted => Some(cells),
            Delimiter::Blanks => Some(self.by_place(&cells, line_start)),
            // Empty cells at the end are often left out.
            _ if cells.len() < wanted && cells.len() * 2 >= wanted => Some(cells),
            _ => None,
        }
    }

    /// Aligned cells belong to the column whose head begins nearest.
    fn by_place(&self, cells: &Cells, line_start: usize) -> Cells {
        let mut placed: Cells = self.columns.iter().map(|_| 0..0).collect();
        for cell in cells {
            let at = cell.start - line_start;
            let nearest = (0..self.starts.len())
                .min_by_key(|index| self.starts.get(*index).map_or(usize::MAX, |start| start.abs_diff(at)));
            if let Some(place) = nearest.and_then(|index| placed.get_mut(index)) {
                *place = cell.clone();
            }
        }
        placed
    }
}

/// Cells in which a comma before a blank separates nothing: "Smith, John" without quotes.
fn joined(text: &[u8], cells: &Cells) -> Cells {
    let mut joined = Cells::new();
    for cell in cells {
        match joined.last_mut().filter(|_| text.get(cell.start) == Some(&b' ')) {
            Some(last) => last.end = cell.end,
            None => joined.push(cell.clone()),
        }
    }
    joined
}

/// A row of a known head and its values: `Soc. Sec. No. | 536-22-8741`.
pub(super) fn key_and_values(columns: &Columns, text: &[u8], line: Range<usize>, fields: &mut Vec<Field>) {
    let Some(bytes) = text.get(line.clone()).filter(|bytes| bytes.len() <= MAX_HEAD_LINE_BYTES) else { return };
    if !begins_with_cell(bytes) {
        return;
    }
    let Some(delimiter) = delimiter(bytes).filter(|delimiter| *delimiter != Delimiter::Byte(b',')) else { return };
    let Some(cells) = cells(text, line, delimiter) else { return };
    let Some((key, values)) = cells.split_first() else { return };
    let head = text.get(key.clone()).and_then(|key| columns.read(key));
    let Some(named) = head.filter(|head| head.whole).and_then(|head| head.named) else { return };
    fields.extend(values.iter().map(|range| Field { sign: Sign::Column(named), range: range.clone() }));
}

/// Length of the keys that a line of the arena begins with, `record: mrn: `; 0 when it has none.
pub(super) fn keys(line: &[u8]) -> usize {
    let mut length = 0;
    while let Some(rest) = line.get(length..) {
        let is_key = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | 0x80..);
        let word = rest.iter().take_while(is_key).count();
        if word == 0 || !rest.get(word..).is_some_and(|rest| rest.starts_with(b": ")) {
            break;
        }
        length += word + 2;
    }
    length
}

/// End of the row that `text` begins with; a quoted cell holds line ends. `None`: it is not there.
pub(super) fn row_end(text: &[u8], quotes: bool) -> Option<usize> {
    let mut open = false;
    let mut from = 0;
    for end in memchr_iter(b'\n', text) {
        if quotes {
            let marks = text.get(from..end).map_or(0, |part| memchr_iter(b'"', part).count());
            open ^= marks % 2 == 1;
            from = end;
            if open {
                continue;
            }
        }
        return Some(end);
    }
    // A quote that nothing closes is an inch or a typing error.
    if open && text.len() as u64 >= super::MAX_LINE_BYTES { memchr::memchr(b'\n', text) } else { None }
}

/// What all cells say, if there are two, all read like heads and one is known.
fn heads(columns: &Columns, text: &[u8], cells: &Cells) -> Option<SmallVec<[Head; 16]>> {
    // Looks come first: what a head says is worth reading only where all look like heads.
    let (mut unlike, mut filled) = (0, 0);
    for (count, cell) in cells.iter().enumerate() {
        let bytes = trim(text.get(cell.clone())?);
        unlike += usize::from(!bytes.is_empty() && !head_like(bytes));
        filled += usize::from(!bytes.is_empty());
        if unlike * 4 > count + 1 {
            return None;
        }
    }
    if filled < 2 {
        return None;
    }
    let read = |cell: &Range<usize>| {
        let bytes = trim(text.get(cell.clone()).unwrap_or_default());
        head_like(bytes).then(|| columns.read(bytes)).flatten().unwrap_or_default()
    };
    let heads: SmallVec<[Head; 16]> = cells.iter().map(read).collect();
    heads.iter().any(|head: &Head| head.named.is_some() || head.of_staff).then_some(heads)
}

/// Whether a cell may be a head: a few words that begin with a letter.
fn head_like(cell: &[u8]) -> bool {
    let digits = cell.iter().filter(|byte| byte.is_ascii_digit()).count();
    let blanks = cell.iter().filter(|byte| **byte == b' ').count();
    cell.len() <= super::columns::MAX_HEAD_BYTES
        && digits <= 3
        && blanks <= 5
        && cell.first().is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, b'#' | b'_' | b'(' | 0x80..))
        && !cell.ends_with(b".")
        && !cell.contains(&b'@')
}

/// Whether the line begins with something as short as a head: most prose does not.
fn begins_with_cell(line: &[u8]) -> bool {
    let first = line.get(..super::columns::MAX_HEAD_BYTES + 4).unwrap_or(line);
    memchr::memchr3(b'\t', b'|', b',', first).is_some()
        || memchr::memchr(b';', first).is_some()
        || memchr::memmem::find(first, b"  ").is_some()
}

/// Cells without what surrounds them.
fn trim(cell: &[u8]) -> &[u8] {
    let is_around = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'"' | b'\'' | b'*' | b'`' | b'|');
    let start = cell.iter().position(|byte| !is_around(byte)).unwrap_or(cell.len());
    let end = cell.iter().rposition(|byte| !is_around(byte)).map_or(start, |last| last + 1);
    cell.get(start..end).unwrap_or_default()
}

/// A line between head and rows, or an empty one.
fn is_ruler(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b'-' | b'+' | b'|' | b':' | b'=' | b' ' | b'\t' | b'\r' | b'_'))
}

/// What separates the cells of a line, if it has any.
fn delimiter(line: &[u8]) -> Option<Delimiter> {
    let count = |byte: u8| memchr_iter(byte, line).count();
    if line.contains(&b'\t') {
        return Some(Delimiter::Byte(b'\t'));
    }
    if line.trim_ascii_start().starts_with(b"||") {
        return Some(Delimiter::DoublePipe);
    }
    match (count(b'|'), count(b';'), count(b',')) {
        (1.., _, _) => Some(Delimiter::Byte(b'|')),
        (_, 1.., 0) => Some(Delimiter::Byte(b';')),
        (_, semicolons, commas) if semicolons > commas => Some(Delimiter::Byte(b';')),
        (_, _, 1..) => Some(Delimiter::Byte(b',')),
        _ => memchr::memmem::find(line.trim_ascii(), b"  ").map(|_| Delimiter::Blanks),
    }
}

/// The cells of a line; `None` when there are too many.
fn cells(text: &[u8], line: Range<usize>, delimiter: Delimiter) -> Option<Cells> {
    let bytes = text.get(line.clone())?;
    let mut cells = Cells::new();
    let (mut at, end) = match delimiter {
        // Markdown's outer bars.
        Delimiter::Byte(b'|') | Delimiter::DoublePipe => outer_bars(bytes),
        _ => (0, bytes.trim_ascii_end().len()),
    };
    if delimiter == Delimiter::Blanks {
        at += bytes.iter().take_while(|byte| **byte == b' ').count();
    }
    while at <= end {
        let rest = bytes.get(at..end)?;
        let length = cell_length(rest, delimiter);
        cells.push(line.start + at..line.start + at + length);
        if cells.len() > MAX_COLUMNS {
            return None;
        }
        let behind = rest.get(length..).unwrap_or_default();
        at += length
            + match delimiter {
                Delimiter::Byte(_) => 1,
                Delimiter::DoublePipe => behind.iter().take_while(|byte| **byte == b'|').count().max(1),
                Delimiter::Blanks => behind.iter().take_while(|byte| **byte == b' ').count().max(1),
            };
    }
    Some(cells)
}

/// Length of the cell that `rest` begins with.
fn cell_length(rest: &[u8], delimiter: Delimiter) -> usize {
    match delimiter {
        Delimiter::Byte(byte @ (b',' | b';' | b'\t')) if rest.trim_ascii_start().starts_with(b"\"") => {
            let mut quotes = false;
            let ends = |at: &u8| {
                quotes ^= *at == b'"';
                *at == byte && !quotes
            };
            rest.iter().position(ends).unwrap_or(rest.len())
        }
        Delimiter::Byte(byte) => memchr::memchr(byte, rest).unwrap_or(rest.len()),
        Delimiter::DoublePipe => memchr::memchr(b'|', rest).unwrap_or(rest.len()),
        Delimiter::Blanks => memchr::memmem::find(rest, b"  ").unwrap_or(rest.len()),
    }
}

/// Start and end of a line without its outer bars.
fn outer_bars(line: &[u8]) -> (usize, usize) {
    let end = line.trim_ascii_end().len();
    let start = line.len() - line.trim_ascii_start().len();
    let trimmed = line.get(start.min(end)..end).unwrap_or_default();
    let head = trimmed.iter().take_while(|byte| **byte == b'|').count();
    if head == 0 {
        return (start.min(end), end);
    }
    let tail = trimmed.iter().rev().take_while(|byte| **byte == b'|').count();
    (start + head, (end - tail).max(start + head))
}
