//! What the structure of a text says of its values: the columns of tables, rows of a key and its values, the fields of
//! HL7 segments. In: a window, line by line; out: [`Field`]s, whose kind is known by where they stand.
//!
//! Lines of prose are looked at when they end; those of a table are read whole before anything that the engine hit in
//! them. Bounds: [`MAX_LINE_BYTES`] of a line, [`table::MAX_COLUMNS`].
//! Does not: read tables whose columns have no head.

pub(super) mod columns;
pub(super) mod hl7;
pub(super) mod table;

use std::ops::Range;

use memchr::memchr;

use super::candidate::Sign;
use super::detector::Detector;
use super::window::Window;
use table::{Row, Table};

/// Longest line that is read as a row, in bytes; a longer one is cut there.
pub(super) const MAX_LINE_BYTES: u64 = 4096;

/// A value whose kind is known by where it stands.
pub(super) struct Field {
    pub(super) sign: Sign,
    /// In the window, with what surrounds the value.
    pub(super) range: Range<usize>,
}

/// The next line, as an event among the hits.
pub(super) enum LineEvent {
    /// It is not all there.
    Waits { position: u64 },
    /// `line` in the window, without its end.
    Ready { position: u64, line: Range<usize> },
}

impl LineEvent {
    pub(super) fn position(&self) -> u64 {
        match self {
            Self::Waits { position } | Self::Ready { position, .. } => *position,
        }
    }
}

/// Where the lines of a text stand, and the table that they belong to.
#[derive(Default)]
pub(super) struct Structure {
    /// Arena offset of the current line.
    start: u64,
    /// No line ends between `start` and here.
    looked: u64,
    /// Arena offset after the line that was handed out last.
    next: u64,
    table: Option<Table>,
    pub(super) hl7: hl7::Separators,
}

impl Structure {
    /// The next line that is not taken yet, of those that begin before `searched`.
    pub(super) fn next(&mut self, window: &Window<'_>, searched: u64, ends: bool) -> Option<LineEvent> {
        if self.table.is_some() {
            self.next_row(window, searched, ends)
        } else {
            self.next_prose(window, searched, ends)
        }
    }

    /// Whether the current line stands in a table of those who treat.
    pub(super) fn is_of_staff(&self) -> bool {
        self.table.as_ref().is_some_and(Table::is_of_staff)
    }

    /// Text before it is no longer needed.
    pub(super) fn keeps_from(&self, searched: u64) -> u64 {
        if self.table.is_some() || searched - self.start.min(searched) <= MAX_LINE_BYTES {
            self.start
        } else {
            searched
        }
    }

    /// A line of prose is looked at when it has ended.
    fn next_prose(&mut self, window: &Window<'_>, searched: u64, ends: bool) -> Option<LineEvent> {
        loop {
            let from = self.looked.max(self.start).max(window.base);
            let unseen = window.text.get((from - window.base) as usize..(searched.max(from) - window.base) as usize)?;
            let (end, next) = match memchr(b'\n', unseen) {
                Some(at) => (from + at as u64, from + at as u64 + 1),
                None if ends && searched > self.start => (searched, searched),
                None => {
                    self.looked = searched;
                    return None;
                }
            };
            if end - self.start <= MAX_LINE_BYTES && self.start >= window.base {
                self.looked = end;
                self.next = next;
                return Some(LineEvent::Ready { position: next, line: local(window, self.start, end) });
            }
            (self.start, self.looked) = (next, next);
            if next == searched {
                return None;
            }
        }
    }

    /// A row is read when it begins, once all of it is there.
    fn next_row(&mut self, window: &Window<'_>, searched: u64, ends: bool) -> Option<LineEvent> {
        if self.start >= searched {
            return None;
        }
        let position = self.start;
        let rest = window.text.get((self.start.checked_sub(window.base)?) as usize..)?;
        let most = rest.get(..MAX_LINE_BYTES as usize).unwrap_or(rest);
        let quoted = self.table.as_ref().is_some_and(Table::quotes);
        let (length, behind) = match table::row_end(most, quoted) {
            Some(end) => (end, 1),
            None if ends || most.len() as u64 == MAX_LINE_BYTES => (most.len(), 0),
            None => return Some(LineEvent::Waits { position }),
        };
        self.next = self.start + length as u64 + behind;
        let line = local(window, self.start, self.start + length as u64);
        Some(LineEvent::Ready { position, line })
    }

    /// Reads the line that [`Self::next`] told of.
    pub(super) fn line(
        &mut self,
        detector: &Detector,
        window: &Window<'_>,
        line: Range<usize>,
        fields: &mut Vec<Field>,
    ) {
        self.start = self.next;
        self.looked = self.next;
        let columns = &detector.rules.columns;
        if let Some(table) = &mut self.table {
            match table.row(columns, window.text, line.clone(), fields) {
                Row::Read => return,
                Row::Ends => self.table = None,
            }
        }
        let key = table::keys(window.text.get(line.clone()).unwrap_or_default());
        let value = line.start + key..line.end;
        match Table::of_head(columns, window.text, value.clone()) {
            Some(table) => self.table = Some(table),
            None => {
                table::key_and_values(columns, window.text, line.clone(), fields);
                // Only the first line of a value has keys before it or, in an array, a path of its own.
                let start = window.base + value.start as u64;
                if key > 0 || window.arena.begins_value(start) {
                    let place = window.arena.place(start);
                    let named = columns.of_path(place.path);
                    fields.extend(named.map(|named| Field { sign: Sign::Column(named), range: value }));
                }
            }
        }
    }
}

fn local(window: &Window<'_>, start: u64, end: u64) -> Range<usize> {
    (start - window.base) as usize..(end - window.base) as usize
}
