//! Feeding a dissector: bytes go through uncopied where they can, what it could not consume is kept and pushed again,
//! second copies of overlaps reach it, and what it answers is carried out. In: a direction's bytes; out: its events.
//! Bounds: `max_stream_buffer_bytes` a direction; [`MAX_REOPENINGS`] changes of mind about the protocol.

use std::mem;

use super::super::{Cap, DoneReason, End, Progress, ProtocolEvent, Start};
use super::node::{Open, Outcome, State};
use super::recognise::Phase;
use super::{NodeSink, StreamInfo, StreamTree, TreeSink};
use crate::event::Direction;

/// How often a stream may turn out to be of another protocol than the one being read, after bytes were consumed.
const MAX_REOPENINGS: u8 = 4;

/// Bytes appended at once to what is buffered, so that a buffer stays near what the dissector asked for.
const APPEND_BYTES: usize = 16 << 10;

impl StreamTree {
    /// Gives the stream to a protocol, with what is there of both directions.
    pub(super) fn open(
        &mut self,
        slot: usize,
        direction: Direction,
        protocol: usize,
        start: Start,
        bytes: &[u8],
        out: &mut dyn TreeSink,
    ) {
        let Some(entry) = self.protocols.get(protocol) else { return };
        let dissector = (entry.open)(&self.settings, start);
        let Some(node) = self.node(slot) else { return };
        node.info.protocol = entry.name;
        node.state = State::Open(Open { dissector, protocol: Some(protocol), fresh: true });
        for side in &mut node.sides {
            side.needed = 0;
            side.blocked = false;
        }
        let other = direction.reverse();
        // An end that came before these bytes is told before them: after them it would come after as many of them as
        // the cuts put into this push.
        let already = Some(node.side(other)).filter(|side| side.buffer.is_empty()).and_then(|side| side.ended);
        if let Some(end) = already {
            self.tell_end(slot, other, end, out);
        }
        self.feed(slot, direction, bytes, out);
        self.drain(slot, other, out);
        self.unblock(slot, direction, out);
        for direction in [other, direction] {
            let told = direction == other && already.is_some();
            if let Some(end) = self.node(slot).and_then(|node| node.side(direction).ended).filter(|_| !told) {
                self.finish(slot, direction, end, out);
            }
        }
    }

    /// Pushes bytes of a direction to the dissector, after what is buffered of it.
    pub(super) fn feed(&mut self, slot: usize, direction: Direction, mut bytes: &[u8], out: &mut dyn TreeSink) {
        let cap = self.settings.max_stream_buffer_bytes;
        while !bytes.is_empty() {
            let Some(node) = self.node(slot) else { return };
            let State::Open(_) = node.state else {
                if let State::Recognising = node.state {
                    self.recognise(slot, direction, bytes, false, out);
                }
                return;
            };
            let side = node.side(direction);
            if side.phase == Phase::Exhausted {
                side.position = side.position.saturating_add(bytes.len() as u64);
                return;
            }
            if side.buffer.is_empty() {
                let consumed = self.run(slot, direction, bytes, out);
                self.keep(slot, direction, bytes.get(consumed..).unwrap_or_default());
                break;
            }
            let held = side.buffer.len();
            let wanted = side.needed.saturating_sub(held).max(APPEND_BYTES).min(cap.saturating_sub(held));
            let (now, later) = bytes.split_at(wanted.min(bytes.len()));
            side.buffer.extend_from_slice(now);
            bytes = later;
            if now.is_empty() {
                let info = node.info;
                out.event(&info, ProtocolEvent::Capped(Cap::StreamBuffer));
                return self.abandon(slot, DoneReason::TooLarge, out);
            }
            self.drain(slot, direction, out);
        }
    }

    /// Pushes what is buffered, when it is as much as was asked for.
    pub(super) fn drain(&mut self, slot: usize, direction: Direction, out: &mut dyn TreeSink) {
        let Some(node) = self.node(slot) else { return };
        let open = matches!(node.state, State::Open(_));
        let side = node.side(direction);
        if !open || side.buffer.is_empty() || side.buffer.len() < side.needed {
            return;
        }
        let mut held = mem::take(&mut side.buffer);
        let consumed = self.run(slot, direction, &held, out);
        if consumed < held.len() {
            held.drain(..consumed);
            self.give_back(slot, direction, held);
        }
    }

    /// Pushes again what waited for the other direction.
    pub(super) fn unblock(&mut self, slot: usize, direction: Direction, out: &mut dyn TreeSink) {
        let Some(node) = self.node(slot) else { return };
        if mem::take(&mut node.side(direction).blocked) {
            self.drain(slot, direction, out);
        }
    }

    pub(super) fn keep(&mut self, slot: usize, direction: Direction, rest: &[u8]) {
        if !rest.is_empty() {
            self.give_back(slot, direction, rest.to_vec());
        }
    }

    pub(super) fn give_back(&mut self, slot: usize, direction: Direction, rest: Vec<u8>) {
        if let Some(node) = self.node(slot).filter(|node| !matches!(node.state, State::Done)) {
            node.side(direction).buffer = rest;
        }
    }

    /// Pushes `bytes` until the dissector wants no more of them now. Returns how many it consumed.
    pub(super) fn run(&mut self, slot: usize, direction: Direction, bytes: &[u8], out: &mut dyn TreeSink) -> usize {
        let Some((mut open, info)) = self.lend(slot) else { return 0 };
        let (consumed, outcome) = self.run_lent(slot, direction, bytes, &mut open, info, out);
        let rest = bytes.get(consumed..).unwrap_or_default();
        consumed + self.take_back(slot, direction, open, outcome, rest, out).unwrap_or_default()
    }

    /// The same with the dissector in hand.
    fn run_lent(
        &mut self,
        slot: usize,
        direction: Direction,
        bytes: &[u8],
        open: &mut Open,
        info: StreamInfo,
        out: &mut dyn TreeSink,
    ) -> (usize, Outcome) {
        let mut consumed = 0;
        let mut outcome = Outcome::Waiting;
        while let Some(rest) = bytes.get(consumed..).filter(|rest| !rest.is_empty()) {
            let told_before = self.told;
            let mut sink = NodeSink { tree: self, slot, info, out };
            let progress = open.dissector.push(direction, rest, &mut sink);
            let Some(node) = self.node(slot) else { break };
            let side = node.side(direction);
            match progress {
                Progress::Consumed(count) if count > 0 => {
                    let count = count.min(rest.len());
                    consumed += count;
                    side.position = side.position.saturating_add(count as u64);
                    side.needed = 0;
                    open.fresh = false;
                }
                // Against the contract, and pushing again would never end.
                Progress::Consumed(_) => outcome = Outcome::Done(DoneReason::Malformed),
                Progress::NeedMore(needed) => {
                    side.needed = needed.max(rest.len() + 1);
                    break;
                }
                Progress::Blocked => {
                    side.needed = 0;
                    side.blocked = true;
                    break;
                }
                Progress::Done(reason) => outcome = Outcome::Done(reason),
                Progress::NotMine => outcome = Outcome::NotMine,
            }
            if let Some(ended) = self.settle(slot, direction, open, out) {
                outcome = Outcome::Done(ended);
            }
            if matches!(outcome, Outcome::Waiting) && self.told != told_before {
                outcome = self.run_blocked(slot, direction.reverse(), open, info, out);
            }
            if !matches!(outcome, Outcome::Waiting) {
                break;
            }
        }
        (consumed, outcome)
    }

    /// Pushes again what waited for the other direction as soon as that told something, not after as much of it as one
    /// push holds.
    fn run_blocked(
        &mut self,
        slot: usize,
        direction: Direction,
        open: &mut Open,
        info: StreamInfo,
        out: &mut dyn TreeSink,
    ) -> Outcome {
        let Some(side) = self.node(slot).map(|node| node.side(direction)) else { return Outcome::Waiting };
        if !mem::take(&mut side.blocked) {
            return Outcome::Waiting;
        }
        let mut held = mem::take(&mut side.buffer);
        let (consumed, outcome) = self.run_lent(slot, direction, &held, open, info, out);
        held.drain(..consumed);
        self.give_back(slot, direction, held);
        outcome
    }

    pub(super) fn lend(&mut self, slot: usize) -> Option<(Open, StreamInfo)> {
        let node = self.node(slot)?;
        match mem::replace(&mut node.state, State::Lent) {
            State::Open(open) => Some((open, node.info)),
            other => {
                node.state = other;
                None
            }
        }
    }

    /// After a call to the dissector: hands it second copies of what it consumed, and tells it what nobody wants.
    pub(super) fn settle(
        &mut self,
        slot: usize,
        direction: Direction,
        open: &mut Open,
        out: &mut dyn TreeSink,
    ) -> Option<DoneReason> {
        if !open.fresh {
            while let Some((back, copy)) = self.node(slot)?.side(direction).take_passed_conflict() {
                let info = self.node(slot)?.info;
                open.dissector.conflict(direction, back, &copy, &mut NodeSink { tree: self, slot, info, out });
            }
        }
        loop {
            let node = self.node(slot)?;
            let info = node.info;
            let exchange = node.unwanted.pop()?;
            if open.dissector.ignore(exchange, &mut NodeSink { tree: self, slot, info, out }) {
                return Some(DoneReason::Unwanted);
            }
        }
    }

    /// Puts the dissector back, or deals with its end. Returns bytes of `rest` that were dealt with otherwise.
    pub(super) fn take_back(
        &mut self,
        slot: usize,
        direction: Direction,
        open: Open,
        outcome: Outcome,
        rest: &[u8],
        out: &mut dyn TreeSink,
    ) -> Option<usize> {
        let node = self.node(slot)?;
        let wrong = matches!(outcome, Outcome::NotMine | Outcome::Done(DoneReason::Malformed));
        if wrong
            && open.fresh
            && let Some(second) = node.side(direction).overlay(rest)
        {
            // The first copy of an overlap is nothing: give the second its chance.
            node.forget_protocol();
            self.recognise(slot, direction, &second, false, out);
            return Some(rest.len());
        }
        match outcome {
            Outcome::Waiting => node.state = State::Open(open),
            Outcome::Done(reason) => self.retire(slot, reason, out),
            Outcome::NotMine if open.fresh => {
                let place = open.protocol.and_then(|place| u32::try_from(place).ok());
                node.excluded |= place.and_then(|place| 1u64.checked_shl(place)).unwrap_or(0);
                node.forget_protocol();
            }
            Outcome::NotMine if node.reopenings < MAX_REOPENINGS => {
                node.reopenings += 1;
                node.midstream = true;
                let left = self.settings.max_midstream_search_bytes;
                let node = self.node(slot)?;
                for side in &mut node.sides {
                    side.phase = Phase::Searching { left };
                }
                node.forget_protocol();
            }
            Outcome::NotMine => self.retire(slot, DoneReason::Unrecognised, out),
        }
        None
    }

    /// A direction ended; when both did, so does the stream.
    pub(super) fn finish(&mut self, slot: usize, direction: Direction, end: End, out: &mut dyn TreeSink) {
        if !self.tell_end(slot, direction, end, out) {
            return;
        }
        let Some(node) = self.node(slot) else { return };
        if node.sides.iter().all(|side| side.ended.is_some()) && !node.waits() {
            self.retire(slot, DoneReason::Complete, out);
        }
    }

    /// Tells the dissector that a direction ended. False when there is none.
    fn tell_end(&mut self, slot: usize, direction: Direction, end: End, out: &mut dyn TreeSink) -> bool {
        let Some((mut open, info)) = self.lend(slot) else { return false };
        let Some(node) = self.node(slot) else { return false };
        let rest = mem::take(&mut node.side(direction).buffer);
        open.dissector.finish(direction, &rest, end, &mut NodeSink { tree: self, slot, info, out });
        let unwanted = self.settle(slot, direction, &mut open, out);
        self.take_back(slot, direction, open, unwanted.map_or(Outcome::Waiting, Outcome::Done), &[], out);
        self.unblock(slot, direction.reverse(), out);
        true
    }
}
