//! One direction of a stream: what its dissector could not consume yet, and differing second copies of it.
//! Positions count bytes since the stream's first, lost ones included.

use super::super::End;
use super::recognise::Phase;

/// Second copies kept at most, however short.
const MAX_CONFLICTS: usize = 16;

pub(super) struct Side {
    pub(super) phase: Phase,
    /// Delivered and not consumed.
    pub(super) buffer: Vec<u8>,
    /// The dissector asked for at least so many bytes in the buffer.
    pub(super) needed: usize,
    /// The dissector waits for the other direction.
    pub(super) blocked: bool,
    /// Position of the buffer's first byte.
    pub(super) position: u64,
    /// Where recognition began: 0, or after the last gap before it.
    pub(super) origin: u64,
    pub(super) ended: Option<End>,
    /// Second copies with their position, of bytes not consumed yet.
    conflicts: Vec<(u64, Vec<u8>)>,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            phase: Phase::Probing,
            buffer: Vec::new(),
            needed: 0,
            blocked: false,
            position: 0,
            origin: 0,
            ended: None,
            conflicts: Vec::new(),
        }
    }
}

impl Side {
    /// Position after the last byte delivered.
    pub(super) fn end(&self) -> u64 {
        self.position.saturating_add(self.buffer.len() as u64)
    }

    /// Keeps a second copy. False when the bound does not allow it.
    pub(super) fn keep_conflict(&mut self, start: u64, bytes: &[u8], max_bytes: usize) -> bool {
        let held: usize = self.conflicts.iter().map(|(_, copy)| copy.len()).sum();
        let fits = self.conflicts.len() < MAX_CONFLICTS && held.saturating_add(bytes.len()) <= max_bytes;
        if fits {
            self.conflicts.push((start, bytes.to_vec()));
        }
        fits
    }

    /// A second copy of which at least the first byte is consumed by now, and how far back that is.
    pub(super) fn take_passed_conflict(&mut self) -> Option<(u64, Vec<u8>)> {
        let place = self.conflicts.iter().position(|(start, _)| *start < self.position)?;
        let (start, copy) = self.conflicts.remove(place);
        Some((self.position - start, copy))
    }

    /// `bytes`, which begin at `self.position`, with the second copies laid over them; these are forgotten.
    /// `None` when there are none.
    pub(super) fn overlay(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.conflicts.is_empty() {
            return None;
        }
        let mut second = bytes.to_vec();
        for (start, copy) in std::mem::take(&mut self.conflicts) {
            let Some(offset) = start.checked_sub(self.position).and_then(|offset| usize::try_from(offset).ok()) else {
                continue;
            };
            let Some(target) = second.get_mut(offset..) else { continue };
            for (old, new) in target.iter_mut().zip(copy) {
                *old = new;
            }
        }
        Some(second)
    }

    /// Forgets what is buffered; returns how many bytes that was.
    pub(super) fn discard(&mut self) -> u64 {
        let held = self.buffer.len() as u64;
        self.position = self.position.saturating_add(held);
        self.buffer = Vec::new();
        self.conflicts = Vec::new();
        self.needed = 0;
        self.blocked = false;
        held
    }
}
