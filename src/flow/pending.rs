//! Bytes of one direction that wait for others before them. In: segments in any order; out: pieces in order of their
//! position. The first copy of a byte is kept as the stream's; a later copy that differs is kept beside it, as a
//! conflict, until its place is delivered. Bounds: each piece counts with its overhead ([`PIECE_OVERHEAD`]), conflicts up
//! to [`MAX_CONFLICT_BYTES`]; the owner looks at [`Pending::cost`].

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::budget::Budget;

/// What a piece costs beside its bytes, so that a flood of tiny segments is bounded too.
const PIECE_OVERHEAD: usize = 96;
/// Bytes of differing copies kept per direction.
const MAX_CONFLICT_BYTES: usize = 64 << 10;

/// What stands at a position.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Bytes(Box<[u8]>),
    /// Bytes that the capture cut off.
    Missing(u64),
    /// Zero bytes on a pure acknowledgment: Ethernet padding, unless what follows shows that they are data.
    Zeros(u64),
}

impl Piece {
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Missing(length) | Self::Zeros(length) => *length,
        }
    }

    fn cost(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len() + PIECE_OVERHEAD,
            Self::Missing(_) | Self::Zeros(_) => PIECE_OVERHEAD,
        }
    }
}

/// What became of a segment's overlap with bytes that waited already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Overlap {
    pub(super) differs: bool,
    /// It differed, and there was no room to keep it.
    pub(super) dropped: bool,
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    pieces: BTreeMap<u64, Piece>,
    /// Differing copies by position.
    conflicts: Vec<(u64, Box<[u8]>)>,
    conflict_bytes: usize,
    cost: usize,
}

impl Pending {
    /// Bytes held, overhead included.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.conflicts.is_empty()
    }

    /// Position of the first piece.
    pub(super) fn first(&self) -> Option<u64> {
        self.pieces.first_key_value().map(|(at, _)| *at)
    }

    /// Position of the first piece that is surely of the stream.
    pub(super) fn first_certain(&self) -> Option<u64> {
        self.pieces.iter().find(|(_, piece)| !matches!(piece, Piece::Zeros(_))).map(|(at, _)| *at)
    }

    /// Whether a piece begins at `at`.
    pub(super) fn begins_at(&self, at: u64) -> bool {
        self.pieces.contains_key(&at)
    }

    /// The first piece, if it begins at `at`.
    pub(super) fn peek_at(&self, at: u64) -> Option<&Piece> {
        self.pieces.first_key_value().filter(|(first, _)| **first == at).map(|(_, piece)| piece)
    }

    pub(super) fn pop_first(&mut self, budget: &mut Budget) -> Option<(u64, Piece)> {
        let (at, piece) = self.pieces.pop_first()?;
        self.pay_back(piece.cost(), budget);
        Some((at, piece))
    }

    /// Takes a segment: `bytes` at `at`, then `missing` bytes that the capture cut off.
    pub(super) fn insert(&mut self, at: u64, bytes: &[u8], missing: u64, budget: &mut Budget) -> Overlap {
        let end = at + bytes.len() as u64;
        let mut free: SmallVec<[(u64, u64); 4]> = SmallVec::new();
        let mut doubtful: SmallVec<[u64; 4]> = SmallVec::new();
        let mut differing: Option<(u64, u64)> = None;
        let mut cursor = at;
        for (start, piece) in self.pieces.range(self.overlap_from(at)..end) {
            let piece_end = start + piece.length();
            if piece_end <= at {
                continue;
            }
            if matches!(piece, Piece::Zeros(_)) {
                doubtful.push(*start);
                continue;
            }
            if *start > cursor {
                free.push((cursor, *start));
            }
            let (from, to) = ((*start).max(at), piece_end.min(end));
            if let Piece::Bytes(waiting) = piece
                && slice(waiting, *start, from, to) != slice(bytes, at, from, to)
            {
                differing = Some((differing.map_or(from, |(first, _)| first), to));
            }
            cursor = cursor.max(piece_end);
        }
        if cursor < end {
            free.push((cursor, end));
        }
        for start in doubtful {
            self.remove(start, budget);
        }
        for (from, to) in free {
            self.put(from, Piece::Bytes(slice(bytes, at, from, to).into()), budget);
        }
        if missing > 0 {
            self.insert_missing(end, missing, budget);
        }
        match differing {
            Some((from, to)) => self.keep_conflict(from, slice(bytes, at, from, to), budget),
            None => Overlap::default(),
        }
    }

    /// Takes zero bytes of a pure acknowledgment, unless something stands there already.
    pub(super) fn insert_zeros(&mut self, at: u64, length: u64, budget: &mut Budget) {
        let taken =
            self.pieces.range(self.overlap_from(at)..at + length).any(|(start, piece)| start + piece.length() > at);
        if !taken {
            self.put(at, Piece::Zeros(length), budget);
        }
    }

    fn insert_missing(&mut self, at: u64, missing: u64, budget: &mut Budget) {
        let covered = self.pieces.range(self.overlap_from(at)..=at).any(|(start, piece)| start + piece.length() > at);
        if covered {
            return;
        }
        let next = self.pieces.range(at..).next().map_or(u64::MAX, |(start, _)| *start);
        self.put(at, Piece::Missing(missing.min(next - at)), budget);
    }

    /// The stream begins at `at`: nothing before it was ever part of it.
    pub(super) fn begin_at(&mut self, at: u64, budget: &mut Budget) {
        self.drop_before(at, budget);
        let conflicts = std::mem::take(&mut self.conflicts);
        for (start, bytes) in conflicts {
            if start >= at {
                self.conflicts.push((start, bytes));
            } else {
                self.conflict_bytes -= bytes.len();
                self.pay_back(bytes.len() + PIECE_OVERHEAD, budget);
            }
        }
    }

    /// Drops what lies before `at`.
    pub(super) fn drop_before(&mut self, at: u64, budget: &mut Budget) {
        while self.first().is_some_and(|first| first < at) {
            let Some((start, piece)) = self.pop_first(budget) else { return };
            let cut = at - start;
            match piece {
                Piece::Bytes(bytes) => {
                    if let Some(rest) = usize::try_from(cut).ok().and_then(|cut| bytes.get(cut..))
                        && !rest.is_empty()
                    {
                        self.put(at, Piece::Bytes(rest.into()), budget);
                    }
                }
                Piece::Missing(length) if length > cut => self.put(at, Piece::Missing(length - cut), budget),
                Piece::Missing(_) | Piece::Zeros(_) => {}
            }
        }
    }

    /// A differing copy that ends at or before `next`, so that all of its first copy was delivered.
    pub(super) fn pop_conflict(&mut self, next: u64, budget: &mut Budget) -> Option<(u64, Box<[u8]>)> {
        let index = self.conflicts.iter().position(|(at, bytes)| at + bytes.len() as u64 <= next)?;
        let (at, bytes) = self.conflicts.remove(index);
        self.conflict_bytes -= bytes.len();
        self.pay_back(bytes.len() + PIECE_OVERHEAD, budget);
        Some((at, bytes))
    }

    /// Gives all of it back to the budget.
    pub(super) fn give_up(self, budget: &mut Budget) {
        budget.release(self.cost);
    }

    fn keep_conflict(&mut self, at: u64, bytes: &[u8], budget: &mut Budget) -> Overlap {
        if self.conflicts.iter().any(|(known_at, known)| *known_at == at && **known == *bytes) {
            return Overlap { differs: true, dropped: false };
        }
        if self.conflict_bytes + bytes.len() + self.conflicts.len() * PIECE_OVERHEAD > MAX_CONFLICT_BYTES {
            return Overlap { differs: true, dropped: true };
        }
        self.conflict_bytes += bytes.len();
        let cost = bytes.len() + PIECE_OVERHEAD;
        self.cost += cost;
        budget.charge(cost);
        self.conflicts.push((at, bytes.into()));
        Overlap { differs: true, dropped: false }
    }

    /// Where to look from for pieces that reach beyond `at`.
    fn overlap_from(&self, at: u64) -> u64 {
        self.pieces.range(..=at).next_back().map_or(at, |(start, _)| *start)
    }

    fn put(&mut self, at: u64, piece: Piece, budget: &mut Budget) {
        let cost = piece.cost();
        self.cost += cost;
        budget.charge(cost);
        self.pieces.insert(at, piece);
    }

    fn remove(&mut self, at: u64, budget: &mut Budget) {
        if let Some(piece) = self.pieces.remove(&at) {
            self.pay_back(piece.cost(), budget);
        }
    }

    fn pay_back(&mut self, cost: usize, budget: &mut Budget) {
        self.cost -= cost;
        budget.release(cost);
    }
}

/// The bytes at positions `from..to`, of `bytes` that begin at position `at`.
fn slice(bytes: &[u8], at: u64, from: u64, to: u64) -> &[u8] {
    let index = |position: u64| usize::try_from(position.saturating_sub(at)).unwrap_or(usize::MAX);
    bytes.get(index(from)..index(to)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(mut pending: Pending, budget: &mut Budget) -> Vec<(u64, Piece)> {
        std::iter::from_fn(|| pending.pop_first(budget)).collect()
    }

    fn bytes(text: &str) -> Piece {
        Piece::Bytes(text.as_bytes().into())
    }

    #[test]
    fn the_first_copy_stands_and_a_differing_one_is_kept_beside_it() {
        let mut budget = Budget::new(usize::MAX);
        let mut pending = Pending::default();
        assert_eq!(pending.insert(10, b"cdef", 0, &mut budget), Overlap::default());
        assert_eq!(pending.insert(8, b"abcX", 0, &mut budget), Overlap { differs: true, dropped: false });
        assert_eq!(pending.pop_conflict(11, &mut budget), None);
        assert_eq!(pending.pop_conflict(12, &mut budget), Some((10, b"cX"[..].into())));
        assert_eq!(drained(pending, &mut budget), [(8, bytes("ab")), (10, bytes("cdef"))]);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_segment_over_many_pieces_fills_what_is_between() {
        let mut budget = Budget::new(usize::MAX);
        let mut pending = Pending::default();
        pending.insert(12, b"c", 0, &mut budget);
        pending.insert(16, b"g", 0, &mut budget);
        assert_eq!(pending.insert(10, b"abcdefghi", 0, &mut budget), Overlap::default());
        let whole: Vec<u8> = drained(pending, &mut budget)
            .into_iter()
            .flat_map(|(_, piece)| match piece {
                Piece::Bytes(bytes) => bytes.into_vec(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(whole, b"abcdefghi");
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn zeros_give_way_to_data_and_never_displace_it() {
        let mut budget = Budget::new(usize::MAX);
        let mut pending = Pending::default();
        pending.insert_zeros(10, 2, &mut budget);
        assert_eq!(pending.first_certain(), None);
        assert_eq!(pending.insert(10, b"hello", 0, &mut budget), Overlap::default());
        pending.insert_zeros(12, 6, &mut budget);
        assert_eq!(drained(pending, &mut budget), [(10, bytes("hello"))]);
    }

    #[test]
    fn what_a_snaplen_cut_off_reaches_to_the_next_piece_at_most() {
        let mut budget = Budget::new(usize::MAX);
        let mut pending = Pending::default();
        pending.insert(20, b"next", 0, &mut budget);
        pending.insert(10, b"head", 100, &mut budget);
        assert_eq!(drained(pending, &mut budget), [(10, bytes("head")), (14, Piece::Missing(6)), (20, bytes("next"))]);
    }

    #[test]
    fn what_lies_before_the_start_is_dropped_byte_by_byte() {
        let mut budget = Budget::new(usize::MAX);
        let mut pending = Pending::default();
        pending.insert(10, b"abcd", 0, &mut budget);
        pending.insert(20, b"efgh", 0, &mut budget);
        pending.drop_before(22, &mut budget);
        assert_eq!(drained(pending, &mut budget), [(22, bytes("gh"))]);
    }
}
