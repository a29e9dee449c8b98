//! One datagram on its way to be whole: pieces that do not overlap, in order. In: fragments; out: its bytes. Bounds:
//! `max_fragments_per_datagram`; each fragment adds a piece at most, and one for each hole that it fills.

use std::mem;

use super::{
    Fragment, Loss,
    finished::{MAX_MARKS, Mark},
};
use crate::{
    event::{Timestamp, Tunnel},
    packet::DropReason,
};

/// Bytes of the datagram that came with one fragment.
#[derive(Debug)]
struct Piece {
    start: u32,
    /// By the fragment's length; `bytes` may fall short of it, where a snaplen cut it.
    end: u32,
    bytes: Vec<u8>,
}

/// What only the datagram's first bytes tell.
#[derive(Clone, Debug)]
pub(super) struct First {
    pub(super) protocol: u8,
    pub(super) vlans: [u16; 3],
    pub(super) source_mac: Option<[u8; 6]>,
    pub(super) tunnel: Option<Box<Tunnel>>,
}

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Held,
    Whole,
    /// It does not fit what is there.
    Dropped(DropReason),
    /// The datagram is given up, with so many frames that were held, and will never be whole.
    Refused {
        loss: Loss,
        frames: u64,
    },
}

#[derive(Debug)]
pub(super) struct Datagram {
    /// Its place in the order of all.
    pub(super) serial: u64,
    pub(super) began: Timestamp,
    pub(super) first: Option<First>,
    /// Where it ends, once its last fragment came.
    pub(super) end: Option<u32>,
    /// Frames held.
    pub(super) frames: u64,
    /// Other bytes came for a place that was taken.
    pub(super) differs: bool,
    pieces: Vec<Piece>,
    /// Of its fragments.
    marks: Vec<Mark>,
    /// Bytes of all pieces, with what a snaplen cut off them.
    covered: u32,
    held_bytes: usize,
    /// Given up: what still comes of it is dropped.
    refused: bool,
    /// `differs` was raised by the last fragment.
    conflict: bool,
}

impl Datagram {
    /// What a datagram takes beside its pieces: its places in table and order.
    pub(super) const OVERHEAD_BYTES: usize = mem::size_of::<Self>() + 128;
    /// What a piece takes beside its bytes.
    const PIECE_BYTES: usize = mem::size_of::<Piece>() + 16;

    pub(super) fn new(serial: u64, began: Timestamp) -> Self {
        Self {
            serial,
            began,
            first: None,
            end: None,
            frames: 0,
            differs: false,
            pieces: Vec::new(),
            marks: Vec::new(),
            covered: 0,
            held_bytes: 0,
            refused: false,
            conflict: false,
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Whether the last fragment had other bytes than came first.
    pub(super) fn take_conflict(&mut self) -> bool {
        mem::take(&mut self.conflict)
    }

    /// What its fragments are known by.
    pub(super) fn take_marks(&mut self) -> Vec<Mark> {
        mem::take(&mut self.marks)
    }

    /// Takes a fragment; `max_fragments` of one datagram are taken.
    pub(super) fn add(&mut self, fragment: &Fragment<'_>, mark: Mark, max_fragments: usize) -> Added {
        if self.refused {
            return Added::Dropped(DropReason::Fragment);
        }
        if !self.fits(fragment) {
            return Added::Dropped(DropReason::Malformed);
        }
        if self.frames >= max_fragments as u64 {
            return self.refuse(Loss::MaxFragments);
        }
        let is_ipv6 = !fragment.key.source.is_ipv4();
        if is_ipv6 && self.overlaps(fragment) && !self.is_copy(fragment) {
            self.conflict = self.disagrees(fragment);
            return self.refuse(Loss::Overlap);
        }
        self.frames += 1;
        if self.marks.len() < MAX_MARKS {
            self.marks.push(mark);
            self.held_bytes += size_of::<Mark>();
        }
        if !fragment.more {
            self.end = Some(fragment.end);
        }
        if fragment.start == 0 && self.first.is_none() {
            let Fragment { protocol, vlans, source_mac, .. } = *fragment;
            let tunnel = fragment.tunnel.clone();
            self.first = Some(First { protocol, vlans, source_mac, tunnel });
        }
        self.conflict = self.disagrees(fragment);
        self.differs |= self.conflict;
        self.fill(fragment);
        if self.end == Some(self.covered) { Added::Whole } else { Added::Held }
    }

    /// The bytes up to the first that the capture lacks.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.covered as usize);
        for piece in &self.pieces {
            if piece.start as usize != bytes.len() {
                break;
            }
            bytes.extend_from_slice(&piece.bytes);
        }
        bytes
    }

    /// Nothing lies beyond the end that the last fragment gives the datagram. The first to say where it is is believed.
    fn fits(&self, fragment: &Fragment<'_>) -> bool {
        match self.end {
            Some(end) if fragment.more => fragment.end <= end,
            Some(end) => fragment.end == end,
            None => fragment.more || self.pieces.last().is_none_or(|piece| piece.end <= fragment.end),
        }
    }

    fn refuse(&mut self, loss: Loss) -> Added {
        self.refused = true;
        self.pieces = Vec::new();
        self.marks = Vec::new();
        self.held_bytes = 0;
        Added::Refused { loss, frames: mem::take(&mut self.frames) }
    }

    /// The pieces that lie in the fragment's range.
    fn overlapped(&self, fragment: &Fragment<'_>) -> &[Piece] {
        let first = self.pieces.partition_point(|piece| piece.end <= fragment.start);
        let last = self.pieces.partition_point(|piece| piece.start < fragment.end);
        self.pieces.get(first..last).unwrap_or_default()
    }

    fn overlaps(&self, fragment: &Fragment<'_>) -> bool {
        !self.overlapped(fragment).is_empty()
    }

    /// The same fragment once more: copied by the network, or mirrored twice.
    fn is_copy(&self, fragment: &Fragment<'_>) -> bool {
        let same_range = |piece: &Piece| (piece.start, piece.end) == (fragment.start, fragment.end);
        matches!(self.overlapped(fragment), [piece] if same_range(piece)) && !self.disagrees(fragment)
    }

    /// Whether it has other bytes for a place that is taken.
    fn disagrees(&self, fragment: &Fragment<'_>) -> bool {
        self.overlapped(fragment).iter().any(|piece| {
            let from = piece.start.max(fragment.start);
            let held = piece.bytes.get((from - piece.start) as usize..).unwrap_or_default();
            let brought = fragment.bytes.get((from - fragment.start) as usize..).unwrap_or_default();
            held.iter().zip(brought).any(|(held, brought)| held != brought)
        })
    }

    /// Puts the fragment's bytes where nothing is yet: first bytes win, as in streams.
    fn fill(&mut self, fragment: &Fragment<'_>) {
        let mut index = self.pieces.partition_point(|piece| piece.end <= fragment.start);
        let mut at = fragment.start;
        while at < fragment.end {
            let (hole_end, next) = match self.pieces.get(index) {
                Some(piece) if piece.start < fragment.end => (piece.start.max(at), piece.end),
                _ => (fragment.end, fragment.end),
            };
            if at < hole_end {
                self.insert(index, at, hole_end, fragment);
                index += 1;
            }
            at = next;
            index += 1;
        }
    }

    fn insert(&mut self, index: usize, start: u32, end: u32, fragment: &Fragment<'_>) {
        let (from, to) = ((start - fragment.start) as usize, (end - fragment.start) as usize);
        let held = fragment.bytes.len();
        let bytes = fragment.bytes.get(from.min(held)..to.min(held)).unwrap_or_default().to_vec();
        self.held_bytes += bytes.len() + Self::PIECE_BYTES;
        self.covered += end - start;
        self.pieces.insert(index, Piece { start, end, bytes });
    }
}
