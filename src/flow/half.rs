//! Reassembly of one direction of a TCP flow. In: segments as the mirror shows them; out: [`StreamEvent`]s in order.
//!
//! Positions are sequence numbers unfolded to 64 bits, so that nothing here knows of their wrap. In-order bytes go
//! straight from the frame to the consumer. A FIN counts once it is acknowledged, or when the flow ends ([`Ends`]). An
//! acknowledgment of bytes not seen is no proof of loss, as mirrors reorder:
//! a hole becomes a `Gap` when it is older than `hole_timeout`, or when more waits behind it than may.
//! Bounds: [`Pending`], [`History`]; segments beyond `max_window_bytes` are taken only when three follow each other.

mod ends;
mod fits;

use self::ends::Ends;
use super::{
    FlowNotes, FlowTableCounters, Interest, Settings, StreamEvent,
    budget::Budget,
    history::History,
    pending::{Pending, Piece},
    segment::{MAX_PADDING, Segment},
};
use crate::event::Timestamp;

/// Where unfolded positions begin: far enough from 0 that nothing before the first byte seen falls below it.
const FIRST_POSITION: u64 = 1 << 33;
/// Segments beyond the window that must follow each other to be believed.
const BELIEVED_STRAYS: u8 = 3;
/// Bytes that a SYN may carry (RFC 7413): what one packet holds.
const MAX_SYN_DATA: u32 = 64 << 10;
/// How many times longer a hole is waited for while the receiver waits for it too.
const RETRANSMISSION_PATIENCE: u32 = 10;

/// Takes what a direction brings.
pub(super) trait Outlet {
    fn put(&mut self, event: StreamEvent<'_>) -> Interest;
    fn notes(&mut self) -> &mut FlowNotes;
}

/// What reassembly needs to know and to count beside the segment.
pub(super) struct Context<'a> {
    pub(super) settings: &'a Settings,
    pub(super) budget: &'a mut Budget,
    pub(super) counters: &'a mut FlowTableCounters,
    pub(super) now: Timestamp,
    /// What this direction may hold: the flow's cap, less what the other direction holds.
    pub(super) room: usize,
    /// The flow is long enough in sight that no SYN is to be expected any more.
    pub(super) settled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No packet tells where the stream stands.
    Unseen,
    /// Packets were seen, but not where the stream begins.
    Waiting,
    Started,
}

#[derive(Debug)]
pub(super) struct Half {
    phase: Phase,
    interest: Interest,
    /// Position of the next byte to deliver; before the start, the lowest seen.
    next: u64,
    /// Position of the first byte, once started.
    start: u64,
    /// Position that the other side acknowledged; 0 when it never did.
    acknowledged: u64,
    ends: Ends,
    fin_delivered: bool,
    delivered_any: bool,
    /// Since when bytes wait for others.
    hole_since: Option<Timestamp>,
    /// Where a run of segments beyond the window goes on, and how many it had.
    stray_next: u32,
    strays: u8,
    history: History,
    pending: Option<Box<Pending>>,
}

impl Half {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Unseen,
            interest: Interest::Data,
            next: 0,
            start: 0,
            acknowledged: 0,
            ends: Ends::none(),
            fin_delivered: false,
            delivered_any: false,
            hole_since: None,
            stray_next: 0,
            strays: 0,
            history: History::default(),
            pending: None,
        }
    }

    /// Something of where it begins and ends.
    #[inline]
    pub(super) fn fetched(&self) -> u64 {
        self.next ^ self.acknowledged ^ u64::from(self.strays) ^ self.hole_since.map_or(0, |since| since.0)
    }

    /// Neither packets nor acknowledgments tell of it.
    pub(super) fn is_unseen(&self) -> bool {
        self.phase == Phase::Unseen
    }

    pub(super) fn is_started(&self) -> bool {
        self.phase == Phase::Started
    }

    pub(super) fn delivered_any(&self) -> bool {
        self.delivered_any
    }

    pub(super) fn interest(&self) -> Interest {
        self.interest
    }

    /// Bytes that wait, overhead included.
    pub(super) fn pending_cost(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.cost())
    }

    /// Whether the next byte to deliver has this sequence number.
    pub(super) fn is_at(&self, sequence: u32) -> bool {
        self.is_started() && self.next as u32 == sequence
    }

    /// A position near which what comes is expected. Of a direction that only its acknowledgments tell of, that is
    /// the last of them.
    fn reference(&self) -> u64 {
        if self.phase == Phase::Waiting { self.next.max(self.acknowledged) } else { self.next }
    }

    #[inline]
    fn unfold(&self, sequence: u32) -> u64 {
        let reference = self.reference();
        let distance = sequence.wrapping_sub(reference as u32) as i32;
        reference.saturating_add_signed(i64::from(distance))
    }

    /// Hands on what is no part of the stream: a datagram, a reset.
    pub(super) fn pass(&mut self, event: StreamEvent<'_>, out: &mut impl Outlet) {
        if self.interest == Interest::Data {
            self.interest = out.put(event);
        }
    }

    /// The other side expects the byte of this sequence number next.
    #[inline]
    pub(super) fn acknowledge(&mut self, sequence: u32, context: &mut Context<'_>, out: &mut impl Outlet) {
        if self.phase == Phase::Unseen {
            self.phase = Phase::Waiting;
            self.next = FIRST_POSITION + u64::from(sequence);
        }
        let position = self.unfold(sequence);
        let implausible = self.is_started() && position > self.next + u64::from(context.settings.max_window_bytes);
        if position <= self.acknowledged || implausible {
            return;
        }
        if self.acknowledged <= self.next && position > self.next && self.hole_since.is_some() {
            self.hole_since = Some(context.now);
        }
        self.acknowledged = position;
        if position >= self.next {
            // At once, so that the next flow gets its memory while it is in the cache.
            self.history.clear(context.budget);
        }
        if self.is_started() {
            self.end_if_acknowledged(out);
        }
    }

    /// The stream begins with this sequence number: a SYN or its acknowledgment said so. Later word replaces earlier
    /// as long as nothing was delivered.
    pub(super) fn begin(&mut self, sequence: u32, context: &mut Context<'_>, out: &mut impl Outlet) {
        if self.delivered_any {
            return;
        }
        let position = match self.phase {
            Phase::Unseen => FIRST_POSITION + u64::from(sequence),
            Phase::Waiting | Phase::Started => self.unfold(sequence),
        };
        self.begin_at(position, context, out);
    }

    /// The server's acknowledgment of the SYN. It stands over a SYN that was seen (of two, it tells which one counted),
    /// but it may also reach over data on the SYN.
    pub(super) fn begin_as_acknowledged(&mut self, sequence: u32, context: &mut Context<'_>, out: &mut impl Outlet) {
        let ahead = sequence.wrapping_sub(self.start as u32);
        if !self.is_started() || ahead > MAX_SYN_DATA {
            self.begin(sequence, context, out);
        }
    }

    /// No SYN came: what was seen first is the beginning.
    pub(super) fn begin_midstream(&mut self, context: &mut Context<'_>, out: &mut impl Outlet) {
        if self.phase == Phase::Waiting
            && let Some(first) = self.pending.as_ref().and_then(|pending| pending.first_certain())
        {
            self.begin_at(first, context, out);
        }
    }

    fn begin_at(&mut self, position: u64, context: &mut Context<'_>, out: &mut impl Outlet) {
        self.phase = Phase::Started;
        self.next = position;
        self.start = position;
        self.hole_since = None;
        if let Some(pending) = &mut self.pending {
            pending.begin_at(position, context.budget);
        }
        self.drain(context, out);
        self.settle(context, out);
    }

    /// Takes a segment.
    #[inline]
    pub(super) fn receive(&mut self, segment: Segment<'_>, context: &mut Context<'_>, out: &mut impl Outlet) {
        if self.interest == Interest::Nothing {
            self.follow(segment);
            return;
        }
        if self.is_at(segment.sequence) && self.pending.is_none() && !segment.is_padding() {
            self.strays = 0;
            self.deliver(segment.bytes, u64::from(segment.missing), context, out);
            if segment.fin {
                self.see_end(self.next, out);
            }
            self.end_if_acknowledged(out);
            return;
        }
        self.receive_elsewhere(segment, context, out);
    }

    /// Keeps count of where the stream stands, for a consumer that wants no more of it.
    #[inline]
    fn follow(&mut self, segment: Segment<'_>) {
        let end = self.unfold(segment.sequence) + segment.length();
        self.next = self.next.max(end);
        if segment.fin {
            self.ends.pass(end);
            self.ends.see(end);
        }
    }

    /// A segment that is not simply the next one.
    fn receive_elsewhere(&mut self, segment: Segment<'_>, context: &mut Context<'_>, out: &mut impl Outlet) {
        if self.phase == Phase::Unseen {
            self.phase = Phase::Waiting;
            self.next = FIRST_POSITION + u64::from(segment.sequence);
        }
        let at = self.unfold(segment.sequence);
        if at.abs_diff(self.reference()) > u64::from(context.settings.max_window_bytes) {
            self.stray(segment, context, out);
            return;
        }
        self.strays = 0;
        let end = at + segment.length();
        // One before what was delivered is forged, or an older one that came to nothing.
        if segment.fin && !(self.is_started() && end < self.next) {
            self.see_end(end, out);
        }
        match self.phase {
            Phase::Started => self.place(at, segment, context, out),
            _ => self.wait(at, segment, context, out),
        }
        if self.interest == Interest::Data {
            self.settle(context, out);
        }
    }

    /// The beginning is not known yet.
    fn wait(&mut self, at: u64, segment: Segment<'_>, context: &mut Context<'_>, out: &mut impl Outlet) {
        let follows_on = at == self.acknowledged || at.wrapping_sub(self.next) <= 1;
        self.next = self.next.min(at);
        if segment.length() == 0 {
            return;
        }
        if context.settled && follows_on && !segment.is_padding() && self.pending.is_none() {
            self.begin_at(at, context, out);
            self.place(at, segment, context, out);
            return;
        }
        self.keep(at, segment, context, out);
    }

    /// Puts a segment that is near where the stream stands to its place.
    fn place(&mut self, at: u64, segment: Segment<'_>, context: &mut Context<'_>, out: &mut impl Outlet) {
        let length = segment.length();
        // A keep-alive carries a byte of no meaning just before the next, or just after the end.
        let probe = length == 1 && (at + 1 == self.next || self.fin_delivered);
        if length == 0 || probe {
            return;
        }
        let mut segment = segment;
        let mut at = at;
        if at < self.next {
            context.counters.retransmitted_segments += 1;
            if !segment.is_padding() {
                self.compare(at, segment.bytes, context, out);
            }
            if at + length <= self.next || self.interest == Interest::Nothing {
                return;
            }
            let old = self.next - at;
            let old_bytes = usize::try_from(old).unwrap_or(usize::MAX).min(segment.bytes.len());
            segment.bytes = segment.bytes.get(old_bytes..).unwrap_or_default();
            segment.missing -= u32::try_from(old - old_bytes as u64).unwrap_or(0).min(segment.missing);
            at = self.next;
        }
        let room_before_pending =
            self.pending.as_ref().and_then(|pending| pending.first()).is_none_or(|first| first >= at + length);
        if at == self.next && room_before_pending && !segment.is_padding() {
            self.deliver(segment.bytes, u64::from(segment.missing), context, out);
        } else {
            if at > self.next {
                context.counters.out_of_order_segments += 1;
            }
            self.keep(at, segment, context, out);
        }
        self.drain(context, out);
    }

    /// Lets a segment wait. At a cap, the hole before it is given up.
    fn keep(&mut self, at: u64, segment: Segment<'_>, context: &mut Context<'_>, out: &mut impl Outlet) {
        let pending = self.pending.get_or_insert_default();
        if segment.is_padding() {
            pending.insert_zeros(at, segment.bytes.len() as u64, context.budget);
        } else {
            let overlap = pending.insert(at, segment.bytes, u64::from(segment.missing), context.budget);
            if overlap.differs {
                context.counters.conflicts += 1;
                out.notes().tampered = true;
            }
            if overlap.dropped {
                context.counters.conflicts_dropped += 1;
                out.notes().cap = true;
            }
        }
        // Each turn hands on a piece at least.
        while self.pending_cost() > context.room || (context.budget.is_overdrawn() && self.pending.is_some()) {
            if context.budget.is_overdrawn() {
                context.counters.total_cap_hits += 1;
                out.notes().cap = true;
            } else {
                context.counters.flow_cap_hits += 1;
            }
            if !self.give_up_hole(context, out) {
                self.forget_pending(context);
            }
        }
    }

    /// Hands over what differs in a second copy of bytes that were delivered and not yet acknowledged.
    fn compare(&mut self, at: u64, bytes: &[u8], context: &mut Context<'_>, out: &mut impl Outlet) {
        let from = at.max(self.history.start(self.next)).max(self.acknowledged);
        let to = (at + bytes.len() as u64).min(self.next);
        if from >= to {
            return;
        }
        let (Ok(first), Ok(last)) = (usize::try_from(from - at), usize::try_from(to - at)) else { return };
        let copy = bytes.get(first..last).unwrap_or_default();
        if self.history.range(self.next, from, to).is_none_or(|delivered| delivered == copy) {
            return;
        }
        context.counters.conflicts += 1;
        out.notes().tampered = true;
        self.interest = out.put(StreamEvent::Conflict { back: self.next - from, bytes: copy });
        if self.interest == Interest::Nothing {
            self.forget(context);
        }
    }

    /// Hands on bytes that are next, and the loss of those after them that the capture cut off.
    #[inline]
    fn deliver(&mut self, bytes: &[u8], missing: u64, context: &mut Context<'_>, out: &mut impl Outlet) {
        if !bytes.is_empty() {
            let max_history = context.settings.max_history_bytes_per_direction;
            self.history.append(self.next, bytes, self.acknowledged, max_history, context.budget);
            self.next += bytes.len() as u64;
            self.advanced(context.now);
            if self.ends.pass(self.next) {
                // What its sender says more shows that the FIN was forged.
                self.fin_delivered = false;
                out.notes().tampered = true;
            }
            self.interest = out.put(StreamEvent::Data(bytes));
        }
        if missing > 0 && self.interest == Interest::Data {
            self.lose(missing, context, out);
        }
        if self.interest == Interest::Nothing {
            self.forget(context);
        }
    }

    #[inline]
    fn advanced(&mut self, now: Timestamp) {
        self.delivered_any = true;
        if self.hole_since.is_some() {
            self.hole_since = Some(now);
        }
    }

    /// So many bytes will never come.
    fn lose(&mut self, bytes: u64, context: &mut Context<'_>, out: &mut impl Outlet) {
        context.counters.gaps += 1;
        context.counters.gap_bytes += bytes;
        out.notes().gaps = true;
        self.history.cut();
        self.next += bytes;
        self.advanced(context.now);
        self.interest = out.put(StreamEvent::Gap(bytes));
    }

    /// Hands on what waited and is next now.
    fn drain(&mut self, context: &mut Context<'_>, out: &mut impl Outlet) {
        while self.interest == Interest::Data
            && let Some(pending) = &mut self.pending
        {
            pending.drop_before(self.next, context.budget);
            let certain = match pending.peek_at(self.next) {
                Some(Piece::Zeros(length)) => {
                    // A sender counts padding nowhere: whatever it sends from `end` on says that it sent these.
                    let end = self.next + length;
                    pending.begins_at(end) || self.ends.hold(end)
                }
                Some(_) => true,
                None => false,
            };
            if !certain {
                break;
            }
            match pending.pop_first(context.budget) {
                Some((_, Piece::Bytes(bytes))) => self.deliver(&bytes, 0, context, out),
                Some((_, Piece::Missing(length))) => self.deliver(&[], length, context, out),
                Some((_, Piece::Zeros(length))) => {
                    let zeros = [0; MAX_PADDING];
                    let length = usize::try_from(length).unwrap_or(MAX_PADDING);
                    self.deliver(zeros.get(..length).unwrap_or(&zeros), 0, context, out);
                }
                None => break,
            }
            self.hand_over_conflicts(context, out);
        }
        if self.interest == Interest::Nothing {
            self.forget(context);
        } else if self.pending.as_ref().is_some_and(|pending| pending.is_empty()) {
            self.pending = None;
        }
    }

    fn hand_over_conflicts(&mut self, context: &mut Context<'_>, out: &mut impl Outlet) {
        while self.interest == Interest::Data
            && let Some((at, bytes)) =
                self.pending.as_mut().and_then(|pending| pending.pop_conflict(self.next, context.budget))
        {
            self.interest = out.put(StreamEvent::Conflict { back: self.next - at, bytes: &bytes });
        }
    }

    /// After a change: ends the direction if its end is reached, and sees whether bytes wait for others now.
    fn settle(&mut self, context: &Context<'_>, out: &mut impl Outlet) {
        if self.is_started() {
            self.end_if_acknowledged(out);
        }
        let waits = self.pending.as_ref().is_some_and(|pending| pending.first_certain().is_some());
        self.hole_since = if waits { self.hole_since.or(Some(context.now)) } else { None };
    }

    /// When what waits is to be handed on without what is missing.
    pub(super) fn deadline(&self, settings: &Settings) -> Option<Timestamp> {
        let since = self.hole_since?;
        Some(match self.phase {
            Phase::Started if self.acknowledged != 0 && self.acknowledged <= self.next => {
                since.after(settings.hole_timeout() * RETRANSMISSION_PATIENCE)
            }
            Phase::Started => since.after(settings.hole_timeout()),
            _ => since.after(settings.midstream_timeout()),
        })
    }

    /// The deadline has come.
    pub(super) fn expire(&mut self, context: &mut Context<'_>, out: &mut impl Outlet) {
        if self.is_started() {
            self.give_up_hole(context, out);
        } else {
            self.begin_midstream(context, out);
        }
        self.settle(context, out);
    }

    /// Goes on behind the hole. False when nothing waits there.
    fn give_up_hole(&mut self, context: &mut Context<'_>, out: &mut impl Outlet) -> bool {
        let Some(first) = self.pending.as_ref().and_then(|pending| pending.first_certain()) else { return false };
        if !self.is_started() {
            self.begin_at(first, context, out);
            return true;
        }
        if first > self.next {
            self.lose(first - self.next, context, out);
        }
        self.drain(context, out);
        true
    }

    /// A segment far from where the stream stands: forged, or the capture lost more than a window.
    fn stray(&mut self, segment: Segment<'_>, context: &mut Context<'_>, out: &mut impl Outlet) {
        context.counters.stray_segments += 1;
        let length = segment.length();
        if length == 0 {
            return;
        }
        self.strays = if self.strays > 0 && self.stray_next == segment.sequence { self.strays + 1 } else { 1 };
        self.stray_next = segment.sequence.wrapping_add(length as u32);
        if self.strays < BELIEVED_STRAYS {
            return;
        }
        self.strays = 0;
        // Whatever waits nearer belongs to before the jump.
        while self.interest == Interest::Data && self.is_started() && self.give_up_hole(context, out) {}
        if self.interest == Interest::Nothing {
            return;
        }
        self.forget_pending(context);
        if !self.is_started() {
            let position = self.unfold(segment.sequence);
            self.begin_at(position, context, out);
        } else {
            // After a jump backwards, how much is lost can't be told.
            let ahead = segment.sequence.wrapping_sub(self.next as u32);
            let known = if (ahead as i32) < 0 { 1 } else { ahead };
            self.lose(u64::from(known), context, out);
            self.next += u64::from(ahead - known);
        }
        if self.interest == Interest::Data {
            self.deliver(segment.bytes, u64::from(segment.missing), context, out);
        }
        if self.interest == Interest::Data {
            self.settle(context, out);
        }
    }

    /// The flow ends: all that waits is handed on, with the gaps between, and what is known to be missing at the end.
    pub(super) fn finish(&mut self, context: &mut Context<'_>, out: &mut impl Outlet) {
        self.begin_midstream(context, out);
        while self.interest == Interest::Data && self.is_started() && self.give_up_hole(context, out) {}
        if self.interest == Interest::Data && self.is_started() {
            self.refute_ends(out);
            let lost = self.known_end().saturating_sub(self.next);
            if lost > 0 {
                self.lose(lost, context, out);
            }
            if self.ends.nearest().is_some_and(|end| end <= self.next) {
                self.end(out);
            }
        }
        self.forget(context);
    }

    /// Gives all memory back; nothing of this direction is wanted any more, or can come.
    pub(super) fn forget(&mut self, context: &mut Context<'_>) {
        self.history.clear(context.budget);
        self.forget_pending(context);
    }

    fn forget_pending(&mut self, context: &mut Context<'_>) {
        if let Some(pending) = self.pending.take() {
            pending.give_up(context.budget);
        }
        self.hole_since = None;
    }
}
