//! Where one direction may end: the FINs that were seen of it. In: positions of FINs; out: the one that counts. Anybody can
//! send a FIN that the receiver drops, so two that differ are kept: the nearest and the farthest. Bound: these two.

use super::{Half, Outlet};
use crate::flow::{Interest, StreamEvent};

#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// [`u64::MAX`] and 0 where no FIN was seen: a position is neither.
    nearest: u64,
    farthest: u64,
}

impl Ends {
    pub(super) fn none() -> Self {
        Self { nearest: u64::MAX, farthest: 0 }
    }

    pub(super) fn see(&mut self, end: u64) {
        self.nearest = self.nearest.min(end);
        self.farthest = self.farthest.max(end);
    }

    /// Whether a FIN stands that nothing was sent beyond; `next` is the position of the next byte. What follows a FIN is
    /// numbered as if the FIN were a byte.
    pub(super) fn hold_at(self, next: u64) -> bool {
        self.farthest().is_some_and(|end| end + 1 >= next)
    }

    pub(super) fn hold(self, end: u64) -> bool {
        self.nearest == end || self.farthest == end
    }

    /// Two FINs at two places: one of them is forged.
    pub(super) fn differ(self) -> bool {
        self.nearest < self.farthest
    }

    pub(super) fn nearest(self) -> Option<u64> {
        (self.farthest != 0).then_some(self.nearest)
    }

    pub(super) fn farthest(self) -> Option<u64> {
        (self.farthest != 0).then_some(self.farthest)
    }

    /// The FIN that the other side took, which expects `acknowledged` next.
    pub(super) fn taken(self, acknowledged: u64) -> Option<u64> {
        let exactly = self.nearest().filter(|end| end + 1 == acknowledged);
        exactly.or(self.farthest().filter(|end| *end < acknowledged))
    }

    /// The stream goes on to `next`. True when it passes a FIN, which was forged then.
    #[inline]
    pub(super) fn pass(&mut self, next: u64) -> bool {
        let passes = self.nearest < next;
        if passes {
            *self = if self.farthest < next { Self::none() } else { Self { nearest: self.farthest, ..*self } };
        }
        passes
    }

    /// Nothing ends beyond `next`. True when a FIN said so.
    pub(super) fn cut(&mut self, next: u64) -> bool {
        let beyond = self.farthest > next;
        if beyond {
            *self = if self.nearest > next { Self::none() } else { Self { farthest: self.nearest, ..*self } };
        }
        beyond
    }
}

impl Half {
    /// Whether a FIN was seen, and nothing beyond it.
    pub(in crate::flow) fn has_fin(&self) -> bool {
        self.ends.hold_at(self.next)
    }

    /// Whether the other side acknowledged the FIN.
    pub(in crate::flow) fn is_ended(&self) -> bool {
        self.has_fin() && self.ends.taken(self.acknowledged).is_some()
    }

    pub(super) fn see_end(&mut self, end: u64, out: &mut impl Outlet) {
        self.ends.see(end);
        // No sender ends twice.
        out.notes().tampered |= self.ends.differ();
    }

    /// A FIN that the other side did not acknowledge may be one that it never took.
    #[inline]
    pub(super) fn end_if_acknowledged(&mut self, out: &mut impl Outlet) {
        if self.ends.taken(self.acknowledged).is_some_and(|end| end <= self.next) {
            self.end(out);
        }
    }

    pub(super) fn end(&mut self, out: &mut impl Outlet) {
        if !self.fin_delivered && self.interest == Interest::Data {
            self.fin_delivered = true;
            self.interest = out.put(StreamEvent::Fin);
        }
    }

    /// Where the other side took all that was delivered and no more, nothing was sent beyond, whatever a FIN far ahead says.
    pub(super) fn refute_ends(&mut self, out: &mut impl Outlet) {
        let end = match self.acknowledged.checked_sub(self.next) {
            Some(0) => self.next,
            Some(1) if self.ends.nearest() == Some(self.next) => self.next,
            // A FIN, or a byte that was lost.
            Some(1) => self.next + 1,
            _ => return,
        };
        // The flow may also have broken off before all was sent that the FIN counts.
        let is_forged = self.ends.cut(end) && self.acknowledged > self.next;
        out.notes().tampered |= is_forged;
    }

    /// Where the stream ends as far as a FIN or the other side's acknowledgment tells. Without the FIN itself, the last
    /// number acknowledged may be the FIN's own, so a single one is no byte.
    pub(super) fn known_end(&self) -> u64 {
        if let Some(end) = self.ends.farthest() {
            return end;
        }
        if self.acknowledged > self.next + 1 { self.acknowledged } else { self.next }
    }
}
