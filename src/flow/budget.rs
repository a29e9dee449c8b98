//! Counts the bytes that reassembly holds, over all flows of a table.

/// Bytes held, and how many may be.
#[derive(Debug)]
pub(super) struct Budget {
    used: usize,
    max: usize,
}

impl Budget {
    pub(super) fn new(max: usize) -> Self {
        Self { used: 0, max }
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        self.used.saturating_add(bytes) <= self.max
    }

    pub(super) fn is_overdrawn(&self) -> bool {
        self.used > self.max
    }

    pub(super) fn charge(&mut self, bytes: usize) {
        self.used = self.used.saturating_add(bytes);
    }

    pub(super) fn release(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.used, "released more than was charged");
        self.used = self.used.saturating_sub(bytes);
    }
}
