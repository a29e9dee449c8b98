//! The last delivered bytes of a direction, as long as the other side has not acknowledged them: what a retransmission
//! is compared with. Once acknowledged, the receiver has made up its mind, and so may we.
//! Bounds: `max_history_bytes_per_direction`; nothing is kept when the table's budget is used up.

use super::budget::Budget;

/// Bytes that end where the next delivered byte begins.
#[derive(Debug, Default)]
pub(super) struct History {
    bytes: Vec<u8>,
}

impl History {
    /// Appends bytes delivered at `at`. `acknowledged` is the position before which nothing needs to be kept.
    #[inline]
    pub(super) fn append(&mut self, at: u64, bytes: &[u8], acknowledged: u64, max_bytes: usize, budget: &mut Budget) {
        if acknowledged >= at {
            self.clear(budget);
            if acknowledged >= at + bytes.len() as u64 {
                return;
            }
        }
        // Half is dropped at once, so that a byte is moved once at most.
        let bytes = bytes.get(bytes.len().saturating_sub(max_bytes)..).unwrap_or_default();
        if self.bytes.len() + bytes.len() > max_bytes {
            let kept = (max_bytes / 2).min(max_bytes - bytes.len()).min(self.bytes.len());
            self.bytes.drain(..self.bytes.len() - kept);
        }
        let needed = self.bytes.len() + bytes.len();
        let capacity = self.bytes.capacity();
        if needed > capacity {
            if !budget.has_room_for(needed.next_power_of_two() - capacity) {
                self.clear(budget);
                return;
            }
            let mut grown = budget.take_buffer(needed);
            grown.extend_from_slice(&self.bytes);
            budget.return_buffer(std::mem::replace(&mut self.bytes, grown));
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Position of the first kept byte, when the next to deliver is `next`.
    pub(super) fn start(&self, next: u64) -> u64 {
        next - self.bytes.len() as u64
    }

    /// The kept bytes from position `from` up to `to`, both within what is kept.
    pub(super) fn range(&self, next: u64, from: u64, to: u64) -> Option<&[u8]> {
        let start = self.start(next);
        let from = usize::try_from(from.checked_sub(start)?).ok()?;
        let to = usize::try_from(to.checked_sub(start)?).ok()?;
        self.bytes.get(from..to)
    }

    /// Forgets all, as what comes next does not follow on it.
    pub(super) fn cut(&mut self) {
        self.bytes.clear();
    }

    /// Forgets all and gives its memory back.
    #[inline]
    pub(super) fn clear(&mut self, budget: &mut Budget) {
        if self.bytes.capacity() == 0 {
            return;
        }
        budget.return_buffer(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_acknowledged_is_forgotten_and_the_rest_compared() {
        let mut budget = Budget::new(1 << 20);
        let mut history = History::default();
        history.append(100, b"abcdef", 0, 64, &mut budget);
        assert_eq!(history.range(106, 102, 104), Some(&b"cd"[..]));
        history.append(106, b"ghi", 106, 64, &mut budget);
        assert_eq!(history.start(109), 106);
        assert_eq!(history.range(109, 106, 109), Some(&b"ghi"[..]));
        assert_eq!(history.range(109, 104, 109), None);
    }

    #[test]
    fn history_stays_within_its_bound_and_pays_back_all_it_took() {
        let mut budget = Budget::new(1 << 20);
        let mut history = History::default();
        let mut at = 1000;
        for length in [1_usize, 63, 64, 65, 200, 30, 30, 30] {
            let bytes: Vec<u8> = (0..length).map(|i| (at as usize + i) as u8).collect();
            history.append(at, &bytes, 0, 64, &mut budget);
            at += length as u64;
            assert!(history.bytes.len() <= 64);
            let start = history.start(at);
            for (i, byte) in history.bytes.iter().enumerate() {
                assert_eq!(*byte, (start as usize + i) as u8);
            }
        }
        assert!(budget.used() >= history.bytes.len());
        history.clear(&mut budget);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn without_budget_nothing_is_kept() {
        let mut budget = Budget::new(10);
        let mut history = History::default();
        history.append(1 << 33, &[1; 100], 0, 1000, &mut budget);
        assert_eq!((history.bytes.len(), budget.used()), (0, 0));
    }
}
