//! Counts the bytes that reassembly holds, over all flows of a table, and keeps buffers that are idle for the next
//! flow: to give them back to the allocator and take them anew costs more than filling them.

/// Bytes held, and how many may be.
#[derive(Debug)]
pub(super) struct Budget {
    used: usize,
    max: usize,
    /// By capacity: the one at `i` holds buffers of `1 << i` bytes.
    idle: [Vec<Vec<u8>>; CLASSES],
    idle_bytes: usize,
}

/// Buffers of up to 512 KiB are kept; larger ones are rare.
const CLASSES: usize = 20;
/// Idle buffers of a table, in bytes together, beside what is in use.
const MAX_IDLE_BYTES: usize = 4 << 20;

impl Budget {
    pub(super) fn new(max: usize) -> Self {
        Self { used: 0, max, idle: Default::default(), idle_bytes: 0 }
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

    /// An empty buffer for `least` bytes, charged with its capacity, a power of two.
    pub(super) fn take_buffer(&mut self, least: usize) -> Vec<u8> {
        let capacity = least.next_power_of_two();
        let idle = self.idle.get_mut(capacity.trailing_zeros() as usize).and_then(Vec::pop);
        if idle.is_some() {
            self.idle_bytes -= capacity;
        }
        let buffer = idle.unwrap_or_else(|| Vec::with_capacity(capacity));
        self.charge(buffer.capacity());
        buffer
    }

    /// Takes back a buffer of [`Self::take_buffer`].
    pub(super) fn return_buffer(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        self.release(capacity);
        if capacity.is_power_of_two()
            && self.idle_bytes + capacity <= MAX_IDLE_BYTES
            && let Some(idle) = self.idle.get_mut(capacity.trailing_zeros() as usize)
        {
            buffer.clear();
            idle.push(buffer);
            self.idle_bytes += capacity;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_and_is_charged_only_while_it_is_used() {
        let mut budget = Budget::new(1 << 20);
        let mut buffer = budget.take_buffer(1000);
        assert_eq!((buffer.capacity(), budget.used()), (1024, 1024));
        buffer.extend_from_slice(b"old");
        let place = buffer.as_ptr();
        budget.return_buffer(buffer);
        assert_eq!((budget.used(), budget.idle_bytes), (0, 1024));
        let again = budget.take_buffer(513);
        assert_eq!((again.as_ptr(), again.len(), budget.idle_bytes), (place, 0, 0));
    }

    #[test]
    fn idle_buffers_stay_within_their_bound() {
        let mut budget = Budget::new(usize::MAX);
        let buffers: Vec<_> = (0..100).map(|_| budget.take_buffer(100_000)).collect();
        buffers.into_iter().for_each(|buffer| budget.return_buffer(buffer));
        assert!(budget.idle_bytes <= MAX_IDLE_BYTES);
        assert_eq!(budget.used(), 0);
    }
}
