//! Text laid end to end, with a map from each byte to its path and source byte. In: runs, decoded characters and
//! separators as they come; out: windows of text, and places. Text that is no longer needed is given back, so a long
//! body never lies whole in memory.
//!
//! The map is a list of pieces, one per escape or jump, never one per byte: a piece is a few decoded bytes that stem
//! from one range of the source, or a separator of ours in place of such a range, then a run that stands in the source
//! byte for byte. Paths are kept once per unit.
//! Bounds: 24 bytes per piece, 32 bytes and the path per unit, all given back with the text they describe.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

/// Where a byte of the text came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// E.g. `messages[1].content`; empty for plain text.
    pub path: &'a str,
    /// Byte offset in the source.
    pub source: u64,
}

/// `decoded` bytes of the arena from `start` on stem, all of them, from the `consumed` source bytes at `source`; each
/// byte after them stems from the next `stride` source bytes. It ends where the next piece starts.
#[derive(Clone, Copy)]
struct Piece {
    start: u64,
    source: u64,
    consumed: u32,
    decoded: u16,
    stride: u8,
    /// The decoded bytes are ours; `consumed` is what the source has in their place, which they do not stand for.
    is_separator: bool,
}

impl Piece {
    /// The source range of the byte `delta` bytes after the start.
    fn range(&self, delta: u64) -> (u64, u64) {
        let run = self.source + u64::from(self.consumed);
        match delta.checked_sub(u64::from(self.decoded)) {
            None if self.is_separator => (self.source, self.source),
            None => (self.source, run),
            Some(into_run) => {
                let stride = u64::from(self.stride);
                let start = run.saturating_add(into_run.saturating_mul(stride));
                (start, start.saturating_add(stride))
            }
        }
    }
}

/// Text from `start` on lies at the path held at `path_start` (absolute in the path buffer's count).
#[derive(Clone, Copy)]
struct Unit {
    start: u64,
    path_start: u64,
    path_len: usize,
}

/// A vector whose front is given back: the move happens only when more than half of it is waste, so that each element
/// is moved at most about once.
struct Trimmed<T> {
    items: Vec<T>,
    head: usize,
}

impl<T> Default for Trimmed<T> {
    fn default() -> Self {
        Self { items: Vec::new(), head: 0 }
    }
}

impl<T: Copy> Trimmed<T> {
    /// Capacity beyond which memory that stays unused is returned to the allocator: 512 KiB, some large pushes.
    const KEEP_ITEMS: usize = (512 << 10) / size_of::<T>();

    /// Empties it; memory up to `KEEP_ITEMS` stays for the next use.
    fn clear(&mut self) {
        self.items.clear();
        self.items.shrink_to(Self::KEEP_ITEMS);
        self.head = 0;
    }

    fn live(&self) -> &[T] {
        self.items.get(self.head..).unwrap_or_default()
    }

    fn discard(&mut self, count: usize) {
        self.head = self.head.saturating_add(count).min(self.items.len());
        if self.head * 2 >= self.items.len() {
            self.items.copy_within(self.head.., 0);
            self.items.truncate(self.items.len() - self.head);
            self.head = 0;
            if self.items.capacity() > Self::KEEP_ITEMS && self.items.len() < self.items.capacity() / 4 {
                self.items.shrink_to(Self::KEEP_ITEMS.max(self.items.len() * 2));
            }
        }
    }
}

/// The text and its map. Offsets are absolute: they count from the first byte laid and never move.
#[derive(Default)]
pub(super) struct Layout {
    base: u64,
    text: Trimmed<u8>,
    pieces: Trimmed<Piece>,
    units: Trimmed<Unit>,
    paths: Trimmed<u8>,
    /// Absolute offset of the first path byte still held.
    paths_base: u64,
    /// The source byte and the stride with which the last piece goes on.
    next_source: u64,
    stride: u8,
    /// The last piece is a separator that no run follows yet.
    after_separator: bool,
    /// The last byte laid; it may have been given back.
    last: Option<u8>,
}

impl Layout {
    /// Makes it as new for another exchange, save that it keeps its memory.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.pieces.clear();
        self.units.clear();
        self.paths.clear();
        let Self { text, pieces, units, paths, .. } = std::mem::take(self);
        *self = Self { text, pieces, units, paths, ..Self::default() };
    }

    /// Whether what is laid next lies at `path` already.
    pub(super) fn is_at(&self, path: &[u8]) -> bool {
        self.path() == path
    }

    /// Where what is laid next lies.
    pub(super) fn path(&self) -> &[u8] {
        self.units.items.last().map_or(&[], |last| self.path_bytes(last))
    }

    /// The last byte laid.
    pub(super) fn last(&self) -> Option<u8> {
        self.last
    }

    /// Starts a unit: what follows lies at `path`, which is UTF-8.
    pub(super) fn begin_at(&mut self, path: &[u8]) {
        let end = self.end();
        if let Some(last) = self.units.items.last().copied() {
            let held = self.path_bytes(&last);
            if held == path {
                return;
            }
            if last.start == end {
                // The last unit got no text: it gives way.
                let held_len = held.len();
                self.units.items.pop();
                self.paths.items.truncate(self.paths.items.len().saturating_sub(held_len));
                return self.begin_at(path);
            }
        } else if path.is_empty() {
            return;
        }
        let path_start = self.paths_base + self.paths.live().len() as u64;
        self.paths.items.extend_from_slice(path);
        self.units.items.push(Unit { start: end, path_start, path_len: path.len() });
    }

    /// Text each byte of which stands for `stride` source bytes, from `source` on (ASCII in UTF-16: 2).
    #[inline]
    pub(super) fn push_strided(&mut self, bytes: &[u8], source: u64, stride: u8) {
        if bytes.is_empty() {
            return;
        }
        if self.after_separator || source != self.next_source || stride != self.stride || self.pieces.items.is_empty() {
            self.start_run(source, stride);
        }
        self.text.items.extend_from_slice(bytes);
        self.last = bytes.last().copied();
        self.next_source = source.saturating_add(bytes.len() as u64 * u64::from(stride));
    }

    /// Starts a run that does not go on with the last: in the piece of the separator before it, or a new one.
    fn start_run(&mut self, source: u64, stride: u8) {
        let jump = source.checked_sub(self.next_source).and_then(|jump| u32::try_from(jump).ok());
        match (self.pieces.items.last_mut(), jump) {
            (Some(separator), Some(jump)) if self.after_separator => {
                separator.consumed = jump;
                separator.stride = stride;
            }
            _ => {
                let start = self.end();
                let piece = Piece { start, source, consumed: 0, decoded: 0, stride, is_separator: false };
                self.pieces.items.push(piece);
            }
        }
        self.stride = stride;
        self.after_separator = false;
    }

    /// Decoded text that came from `source_len` source bytes from `source` on (an escape, an entity).
    #[inline]
    pub(super) fn push_decoded(&mut self, bytes: &[u8], source: u64, source_len: u32) {
        let Ok(decoded) = u16::try_from(bytes.len()) else {
            // More than 64 KiB from one escape does not happen, but is no reason to be wrong.
            return bytes.chunks(usize::from(u16::MAX)).for_each(|part| self.push_decoded(part, source, source_len));
        };
        if decoded == 0 {
            return;
        }
        let piece = Piece { start: self.end(), source, consumed: source_len, decoded, stride: 1, is_separator: false };
        self.pieces.items.push(piece);
        match bytes {
            [byte] => self.text.items.push(*byte),
            _ => self.text.items.extend_from_slice(bytes),
        }
        self.last = bytes.last().copied();
        self.next_source = source.saturating_add(u64::from(source_len));
        self.stride = 1;
        self.after_separator = false;
    }

    /// Hands all its text on, paths and all, as decoded from what begins at `source` of the other arena's.
    pub(super) fn pour(&mut self, into: &mut Self, source: u64) {
        let (mut at, end) = (self.base, self.end());
        let units = self.units.live();
        for (index, unit) in units.iter().enumerate() {
            let unit_end = units.get(index + 1).map_or(end, |next| next.start);
            let range = (at - self.base) as usize..(unit_end.max(at) - self.base) as usize;
            let text = self.text().get(range).unwrap_or_default();
            if !text.is_empty() {
                into.begin_at(self.path_bytes(unit));
                into.push_decoded(text, source, 0);
                at = unit_end;
            }
        }
        let text = self.text().get((at - self.base) as usize..).unwrap_or_default();
        into.push_decoded(text, source, 0);
        self.discard_before(end);
    }

    /// A separator of ours that stands nowhere in the source.
    #[inline]
    pub(super) fn separator(&mut self, bytes: &[u8]) {
        self.push_decoded(bytes, self.next_source, 0);
        if let Some(piece) = self.pieces.items.last_mut().filter(|_| !bytes.is_empty()) {
            piece.is_separator = true;
            self.after_separator = true;
        }
    }

    /// Absolute offset of the first byte still held.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// Absolute offset after the last byte.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.base + (self.text.items.len() - self.text.head) as u64
    }

    /// The text still held, from `base()` to `end()`.
    pub(super) fn text(&self) -> &[u8] {
        self.text.live()
    }

    /// Where the byte at `offset` came from. Offsets before `base()` give the nearest place still known.
    pub(super) fn place(&self, offset: u64) -> Place<'_> {
        let path = last_at(self.units.live(), |unit| unit.start <= offset)
            .and_then(|unit| std::str::from_utf8(self.path_bytes(unit)).ok())
            .unwrap_or_default();
        Place { path, source: self.range(offset).0 }
    }

    /// Whether a value begins at `offset`: a path of its own does.
    pub(super) fn begins_value(&self, offset: u64) -> bool {
        last_at(self.units.live(), |unit| unit.start <= offset).is_some_and(|unit| unit.start == offset)
    }

    /// Where the byte before `offset` ended in the source: the exclusive end of a finding.
    pub(super) fn source_end(&self, offset: u64) -> u64 {
        offset.checked_sub(1).map_or(0, |last| self.range(last).1)
    }

    /// Gives back what lies before `offset`.
    pub(super) fn discard_before(&mut self, offset: u64) {
        let count = offset.min(self.end()).saturating_sub(self.base);
        if count == 0 {
            return;
        }
        self.base += count;
        self.text.discard(usize::try_from(count).unwrap_or(usize::MAX));
        // The byte before `base` stays known, so that `source_end(base)` holds.
        let known = self.base - 1;
        self.pieces.discard(index_of_last(self.pieces.live(), |piece| piece.start <= known));
        self.units.discard(index_of_last(self.units.live(), |unit| unit.start <= known));
        let first_path = self.units.live().first().map_or(self.paths_base, |unit| unit.path_start);
        let stale = first_path.saturating_sub(self.paths_base);
        self.paths_base += stale;
        self.paths.discard(usize::try_from(stale).unwrap_or(usize::MAX));
    }

    /// Bytes of memory in use, for caps and tests.
    pub(super) fn memory_bytes(&self) -> usize {
        self.text.items.capacity()
            + self.pieces.items.capacity() * size_of::<Piece>()
            + self.units.items.capacity() * size_of::<Unit>()
            + self.paths.items.capacity()
    }

    fn range(&self, offset: u64) -> (u64, u64) {
        last_at(self.pieces.live(), |piece| piece.start <= offset)
            .or(self.pieces.live().first())
            .map_or((offset, offset + 1), |piece| piece.range(offset.saturating_sub(piece.start)))
    }

    fn path_bytes(&self, unit: &Unit) -> &[u8] {
        let start = usize::try_from(unit.path_start.saturating_sub(self.paths_base)).unwrap_or(usize::MAX);
        self.paths.live().get(start..start.saturating_add(unit.path_len)).unwrap_or_default()
    }
}

/// The last of the items, sorted by it, that `holds`.
fn last_at<T>(items: &[T], holds: impl Fn(&T) -> bool) -> Option<&T> {
    items.partition_point(holds).checked_sub(1).and_then(|index| items.get(index))
}

fn index_of_last<T>(items: &[T], holds: impl Fn(&T) -> bool) -> usize {
    items.partition_point(holds).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(layout: &Layout, offset: u64) -> (&str, u64, u64) {
        let place = layout.place(offset);
        (place.path, place.source, layout.source_end(offset + 1))
    }

    #[test]
    fn a_byte_after_an_escape_maps_past_the_escape() {
        let mut layout = Layout::default();
        layout.begin_at(b"a.b");
        layout.push_strided(b"ab", 10, 1);
        layout.push_decoded("é".as_bytes(), 12, 6);
        layout.push_strided(b"c", 18, 1);
        layout.begin_at(b"a.c");
        layout.push_strided(b"d", 30, 1);
        assert_eq!(layout.text(), "abécd".as_bytes());
        assert_eq!(place(&layout, 1), ("a.b", 11, 12));
        assert_eq!(place(&layout, 2), ("a.b", 12, 18));
        assert_eq!(place(&layout, 3), ("a.b", 12, 18));
        assert_eq!(place(&layout, 4), ("a.b", 18, 19));
        assert_eq!(place(&layout, 5), ("a.c", 30, 31));
        assert_eq!(layout.pieces.live().len(), 3, "an escape and the run after it are one piece");
    }

    #[test]
    fn a_separator_has_a_place_but_no_length_in_the_source() {
        let mut layout = Layout::default();
        layout.push_strided(b"key", 1, 1);
        layout.separator(b": ");
        layout.push_strided(b"value", 7, 1);
        assert_eq!(place(&layout, 3), ("", 4, 4));
        assert_eq!(place(&layout, 4), ("", 4, 4));
        assert_eq!(place(&layout, 5), ("", 7, 8));
        assert_eq!(layout.pieces.live().len(), 2, "a separator and the run after it are one piece");
        layout.separator(b"\n");
        layout.separator(b"\n");
        layout.push_decoded(b"x", 20, 6);
        layout.push_strided(b"y", 26, 1);
        assert_eq!(place(&layout, 11), ("", 12, 12));
        assert_eq!(place(&layout, 12), ("", 20, 26));
        assert_eq!(place(&layout, 13), ("", 26, 27));
    }

    #[test]
    fn a_strided_run_is_one_piece() {
        let mut layout = Layout::default();
        layout.push_strided(b"abc", 2, 2);
        layout.push_strided(b"de", 8, 2);
        layout.push_strided(b"f", 12, 1);
        assert_eq!(layout.pieces.live().len(), 2);
        assert_eq!(place(&layout, 4), ("", 10, 12));
        assert_eq!(place(&layout, 5), ("", 12, 13));
    }

    #[test]
    fn places_and_text_outlive_any_discard() {
        let build = || {
            let mut layout = Layout::default();
            for number in 0..200_u64 {
                layout.begin_at(format!("list[{number}]").as_bytes());
                layout.push_strided(b"some text", number * 20, 1);
                layout.push_decoded(b"\n", number * 20 + 9, 2);
                layout.push_strided(b"more", number * 20 + 11, 1);
            }
            layout
        };
        let whole = build();
        for step in [1, 7, 14, 100, 1999] {
            let mut layout = build();
            let mut offset = 0;
            while offset < layout.end() {
                layout.discard_before(offset);
                assert_eq!(layout.base(), offset);
                assert_eq!(layout.text(), &whole.text()[offset as usize..]);
                for at in [offset, offset + 5, whole.end() - 1] {
                    let at = at.min(whole.end() - 1);
                    assert_eq!(layout.place(at), whole.place(at));
                    assert_eq!(layout.source_end(at), whole.source_end(at));
                }
                offset += step;
            }
        }
    }

    #[test]
    fn memory_stays_bounded_when_scanned_text_is_given_back() {
        let mut layout = Layout::default();
        let mut source = 0;
        for number in 0..100_000_u64 {
            layout.begin_at(format!("list[{number}].value").as_bytes());
            layout.push_strided(&[b'x'; 60], source, 1);
            layout.push_decoded(b"\n", source + 60, 2);
            source += 62;
            layout.discard_before(layout.end().saturating_sub(1000));
        }
        assert_eq!(layout.end(), 6_100_000);
        assert!(layout.memory_bytes() < 64 << 10, "{} bytes", layout.memory_bytes());
    }

    #[test]
    fn a_unit_without_text_leaves_nothing_behind() {
        let mut layout = Layout::default();
        for _ in 0..1000 {
            layout.begin_at(b"a");
            layout.begin_at(b"b");
        }
        layout.push_strided(b"x", 0, 1);
        assert_eq!(layout.place(0).path, "b");
        assert_eq!((layout.units.live().len(), layout.paths.live().len()), (1, 1));
    }
}
