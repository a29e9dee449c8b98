//! Deadlines of flows in one heap. A flow has one armed entry, which may lie before its true deadline: packets move
//! deadlines on all the time, and only when the entry comes up is it looked at and put back. What comes out is in order
//! of (deadline, last frame of the flow), whatever was armed when.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::slab::Handle;
use crate::event::Timestamp;

/// When a flow is due; ties go by its last frame, which no two flows share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) deadline: Timestamp,
    pub(super) last_frame: u64,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Due, Handle)>>,
}

/// Entries of ended flows are cleared out when they outnumber the living by so much.
const SPARE_ENTRIES: usize = 1024;

impl Timers {
    pub(super) fn arm(&mut self, due: Due, handle: Handle) {
        self.heap.push(Reverse((due, handle)));
    }

    /// The first entry that is due at `now`, taken out.
    #[inline]
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<(Due, Handle)> {
        if self.heap.peek().is_none_or(|Reverse((due, _))| due.deadline > now) {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Drops the entries that `is_live` denies, once there are far more entries than `flows`.
    pub(super) fn clear_out(&mut self, flows: usize, mut is_live: impl FnMut(Due, Handle) -> bool) {
        if self.heap.len() > flows.saturating_mul(3).saturating_add(SPARE_ENTRIES) {
            self.heap.retain(|Reverse((due, handle))| is_live(*due, *handle));
        }
    }
}
