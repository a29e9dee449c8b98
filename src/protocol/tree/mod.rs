//! The streams of a flow as a tree: the flow's own, and those that tunnels (CONNECT, Upgrade) carry in it.
//! In: [`StreamEvent`]s of the flow; out: each dissector's events to a [`TreeSink`], with the stream they are of.
//! The tree recognises the protocol of each stream, keeps what a dissector could not consume yet (in the common case
//! bytes go through uncopied), opens child streams, and tries the second copy of an overlap that differs.
//! Bounds: [`Settings`]; a stream that no protocol wants is let go, and the flow told so.

mod recognise;
mod side;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    Cap, Dissector, DoneReason, End, ExchangeId, Progress, Protocol, ProtocolEvent, ProtocolSink, Settings, Start,
    StreamId,
};
use crate::event::Direction;
use crate::flow::{Interest, StreamEvent};
use recognise::{Phase, Question, Verdict};
use side::Side;

/// How often a stream may turn out to be of another protocol than the one being read, after bytes were consumed.
const MAX_REOPENINGS: u8 = 4;

/// Bytes appended at once to what is buffered, so that a buffer stays near what the dissector asked for.
const APPEND_BYTES: usize = 16 << 10;

/// Which stream an event is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    pub id: StreamId,
    /// The stream and exchange that carry this one.
    pub parent: Option<(StreamId, ExchangeId)>,
    /// EVE's `app_proto`; empty while it is not known.
    pub protocol: &'static str,
}

/// Takes the events of a flow's streams.
pub trait TreeSink {
    /// `Interest::Nothing` says that no more of the event's exchange is wanted: an encrypted session's bytes are
    /// counted no further, a body is not handed on. When nothing of the flow is left, the flow is told to stop.
    fn event(&mut self, stream: &StreamInfo, event: ProtocolEvent<'_>) -> Interest;

    /// Nothing more of the stream will be told. Once per stream.
    fn done(&mut self, _stream: &StreamInfo, _reason: DoneReason) {}
}

/// A flow's streams.
pub struct StreamTree {
    protocols: &'static [Protocol],
    settings: Arc<Settings>,
    /// The flow's own stream is the first; a closed child leaves a free place.
    nodes: SmallVec<[Option<Node>; 1]>,
    /// Streams opened so far: the next id.
    opened: u32,
    /// Too many streams was told once.
    told_streams: bool,
}

struct Node {
    info: StreamInfo,
    depth: u8,
    /// Its beginning, or something before the protocol was known, was not seen.
    midstream: bool,
    state: State,
    sides: [Side; 2],
    /// Bit per protocol: turned down.
    excluded: u64,
    reopenings: u8,
    /// Exchanges that nobody wants more of; the dissector has not been told yet.
    unwanted: SmallVec<[ExchangeId; 2]>,
    /// A dissector turned the stream down; what it gave back is to be recognised again.
    reconsider: bool,
}

enum State {
    Recognising,
    Open(Open),
    /// The dissector is at work, further up the call stack.
    Lent,
    Done,
}

struct Open {
    dissector: Box<dyn Dissector>,
    protocol: usize,
    /// Nothing was consumed yet: it may still turn out to be another.
    fresh: bool,
}

/// How a run of pushes ended.
enum Outcome {
    /// All was consumed, or the rest waits.
    Waiting,
    NotMine,
    Done(DoneReason),
}

impl StreamTree {
    /// `midstream`: the flow's beginning was not seen.
    #[must_use]
    pub fn new(protocols: &'static [Protocol], settings: Arc<Settings>, midstream: bool) -> Self {
        let mut nodes = SmallVec::new();
        nodes.push(Some(Node::new(StreamId(0), None, 0, midstream)));
        Self { protocols, settings, nodes, opened: 1, told_streams: false }
    }

    /// What the flow brings next. Returns what is still wanted of that direction.
    pub fn push(&mut self, direction: Direction, event: StreamEvent<'_>, out: &mut dyn TreeSink) -> Interest {
        self.input(0, direction, event, out);
        self.interest(direction)
    }

    /// What is still wanted of a direction of the flow.
    #[must_use]
    pub fn interest(&self, direction: Direction) -> Interest {
        match self.nodes.first() {
            Some(Some(node)) if node.wants(direction) => Interest::Data,
            _ => Interest::Nothing,
        }
    }

    /// Nothing more of the flow is wanted; no further event comes.
    pub fn ignore(&mut self) {
        self.nodes.truncate(1);
        if let Some(Some(node)) = self.nodes.first_mut() {
            node.stop();
        }
    }

    /// The flow ended: ends what is still open, innermost streams first.
    pub fn close(&mut self, out: &mut dyn TreeSink) {
        for slot in (0..self.nodes.len()).rev() {
            self.end(slot, Direction::ToServer, End::Cut, out);
            self.end(slot, Direction::ToClient, End::Cut, out);
            self.reconsider(slot, out);
        }
    }

    /// Bytes held for this flow beyond the tree itself.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let nodes = self.nodes.iter().flatten();
        nodes
            .map(|node| {
                let dissector = match &node.state {
                    State::Open(open) => mem::size_of_val(&*open.dissector) + open.dissector.held_bytes(),
                    _ => 0,
                };
                dissector + node.sides.iter().map(|side| side.buffer.capacity()).sum::<usize>()
            })
            .sum()
    }

    fn node(&mut self, slot: usize) -> Option<&mut Node> {
        self.nodes.get_mut(slot)?.as_mut()
    }

    fn input(&mut self, slot: usize, direction: Direction, event: StreamEvent<'_>, out: &mut dyn TreeSink) {
        match event {
            StreamEvent::Data(bytes) => self.data(slot, direction, bytes, out),
            StreamEvent::Gap(lost) => self.gap(slot, direction, lost, out),
            StreamEvent::Conflict { back, bytes } => self.conflict(slot, direction, back, bytes, out),
            StreamEvent::Fin => self.end(slot, direction, End::Fin, out),
            // Data in flight may follow; the flow's end comes with `close`.
            StreamEvent::Reset => {}
            // No protocol over datagrams is read yet.
            StreamEvent::Datagram(_) => self.retire(slot, DoneReason::Unrecognised, out),
        }
        self.reconsider(slot, out);
    }

    /// Recognises again what dissectors gave back. Each round turns a protocol down, so there are few.
    fn reconsider(&mut self, slot: usize, out: &mut dyn TreeSink) {
        while let Some(node) = self.node(slot) {
            if !mem::take(&mut node.reconsider) {
                return;
            }
            for direction in [Direction::ToServer, Direction::ToClient] {
                let Some(Node { state: State::Recognising, sides, .. }) = self.node(slot) else { continue };
                let Some(side) = sides.get(direction.index()) else { continue };
                let last = side.ended.is_some();
                if last || !side.buffer.is_empty() {
                    self.recognise(slot, direction, &[], last, out);
                }
            }
        }
    }

    fn data(&mut self, slot: usize, direction: Direction, bytes: &[u8], out: &mut dyn TreeSink) {
        let Some(node) = self.node(slot) else { return };
        if bytes.is_empty() {
            return;
        }
        // Data after a FIN shows that the FIN was forged.
        node.side(direction).ended = None;
        match node.state {
            State::Recognising => self.recognise(slot, direction, bytes, false, out),
            State::Open(_) => {
                self.feed(slot, direction, bytes, out);
                self.unblock(slot, direction.reverse(), out);
            }
            State::Lent | State::Done => {}
        }
    }

    /// More bytes of a direction whose protocol is not known.
    fn recognise(&mut self, slot: usize, direction: Direction, bytes: &[u8], last: bool, out: &mut dyn TreeSink) {
        let protocols = self.protocols;
        let settings = Arc::clone(&self.settings);
        let Some(node) = self.node(slot) else { return };
        let question = Question {
            protocols,
            excluded: node.excluded,
            settings: &settings,
            direction,
            midstream: node.midstream,
            last,
        };
        let side = node.side(direction);
        let mut held = mem::take(&mut side.buffer);
        let mut bytes = if held.is_empty() {
            Cow::Borrowed(bytes)
        } else {
            held.extend_from_slice(bytes);
            Cow::Owned(held)
        };
        let was_probing = side.phase == Phase::Probing;
        let start = if was_probing && !question.midstream { Start::Beginning } else { Start::Middle };
        let mut verdict = question.decide(&mut side.phase, &bytes);
        if was_probing && side.phase != Phase::Probing && !matches!(verdict, Verdict::Open { .. }) {
            // The first copy is of no protocol: perhaps the second is.
            if let Some(second) = side.overlay(&bytes) {
                if let (super::Probe::Certain, protocol) = question.probe(&second) {
                    bytes = Cow::Owned(second);
                    verdict = Verdict::Open { protocol, at: 0 };
                }
            }
        }
        match verdict {
            Verdict::Open { protocol, at } => {
                side.position = side.position.saturating_add(at as u64);
                let rest = bytes.get(at..).unwrap_or_default();
                self.open(slot, direction, protocol, start, rest, out);
            }
            Verdict::Wait { keep } => {
                side.position = side.position.saturating_add(keep as u64);
                side.buffer = match bytes {
                    Cow::Borrowed(bytes) => bytes.get(keep..).unwrap_or_default().to_vec(),
                    Cow::Owned(mut bytes) => {
                        bytes.drain(..keep.min(bytes.len()));
                        bytes
                    }
                };
            }
            Verdict::Exhausted => {
                side.position = side.position.saturating_add(bytes.len() as u64);
                side.discard();
                if node.sides.iter().all(|side| side.phase == Phase::Exhausted || side.ended.is_some()) {
                    self.retire(slot, DoneReason::Unrecognised, out);
                }
            }
        }
    }

    /// Gives the stream to a protocol, with what is there of both directions.
    fn open(
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
        node.state = State::Open(Open { dissector, protocol, fresh: true });
        for side in &mut node.sides {
            side.needed = 0;
            side.blocked = false;
        }
        self.feed(slot, direction, bytes, out);
        let other = direction.reverse();
        self.drain(slot, other, out);
        self.unblock(slot, direction, out);
        for direction in [other, direction] {
            if let Some(end) = self.node(slot).and_then(|node| node.side(direction).ended) {
                self.finish(slot, direction, end, out);
            }
        }
    }

    /// Pushes bytes of a direction to the dissector, after what is buffered of it.
    fn feed(&mut self, slot: usize, direction: Direction, mut bytes: &[u8], out: &mut dyn TreeSink) {
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
                return self.retire(slot, DoneReason::TooLarge, out);
            }
            self.drain(slot, direction, out);
        }
    }

    /// Pushes what is buffered, when it is as much as was asked for.
    fn drain(&mut self, slot: usize, direction: Direction, out: &mut dyn TreeSink) {
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
    fn unblock(&mut self, slot: usize, direction: Direction, out: &mut dyn TreeSink) {
        let Some(node) = self.node(slot) else { return };
        if mem::take(&mut node.side(direction).blocked) {
            self.drain(slot, direction, out);
        }
    }

    fn keep(&mut self, slot: usize, direction: Direction, rest: &[u8]) {
        if !rest.is_empty() {
            self.give_back(slot, direction, rest.to_vec());
        }
    }

    fn give_back(&mut self, slot: usize, direction: Direction, rest: Vec<u8>) {
        if let Some(node) = self.node(slot) {
            if !matches!(node.state, State::Done) {
                node.side(direction).buffer = rest;
            }
        }
    }

    /// Pushes `bytes` until the dissector wants no more of them now. Returns how many it consumed.
    fn run(&mut self, slot: usize, direction: Direction, bytes: &[u8], out: &mut dyn TreeSink) -> usize {
        let Some((mut open, info)) = self.lend(slot) else { return 0 };
        let mut consumed = 0;
        let mut outcome = Outcome::Waiting;
        while let Some(rest) = bytes.get(consumed..).filter(|rest| !rest.is_empty()) {
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
            if let Some(ended) = self.settle(slot, direction, &mut open, out) {
                outcome = Outcome::Done(ended);
            }
            if !matches!(outcome, Outcome::Waiting) {
                break;
            }
        }
        let rest = bytes.get(consumed..).unwrap_or_default();
        if let Some(count) = self.take_back(slot, direction, open, outcome, rest, out) {
            return consumed + count;
        }
        consumed
    }

    fn lend(&mut self, slot: usize) -> Option<(Open, StreamInfo)> {
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
    fn settle(
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
    fn take_back(
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
        if wrong && open.fresh {
            if let Some(second) = node.side(direction).overlay(rest) {
                // The first copy of an overlap is nothing: give the second its chance.
                node.forget_protocol();
                self.recognise(slot, direction, &second, false, out);
                return Some(rest.len());
            }
        }
        match outcome {
            Outcome::Waiting => node.state = State::Open(open),
            Outcome::Done(reason) => self.retire(slot, reason, out),
            Outcome::NotMine if open.fresh => {
                node.excluded |= 1u64.checked_shl(u32::try_from(open.protocol).unwrap_or(u32::MAX)).unwrap_or(0);
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

    fn gap(&mut self, slot: usize, direction: Direction, lost: u64, out: &mut dyn TreeSink) {
        let Some(node) = self.node(slot) else { return };
        let side = node.side(direction);
        if side.ended.is_some() || lost == 0 {
            return;
        }
        let missing = side.discard().saturating_add(lost);
        side.position = side.position.saturating_add(lost);
        if let State::Recognising = node.state {
            let was_midstream = mem::replace(&mut node.midstream, true);
            let side = node.side(direction);
            if side.phase != Phase::Exhausted && !was_midstream {
                side.phase = Phase::Probing;
            }
            side.origin = side.position;
            return;
        }
        let Some((mut open, info)) = self.lend(slot) else { return };
        let progress = open.dissector.gap(direction, missing, &mut NodeSink { tree: self, slot, info, out });
        open.fresh = false;
        let outcome = match progress {
            Progress::Done(reason) => Outcome::Done(reason),
            Progress::NotMine => Outcome::NotMine,
            _ => self.settle(slot, direction, &mut open, out).map_or(Outcome::Waiting, Outcome::Done),
        };
        self.take_back(slot, direction, open, outcome, &[], out);
        self.unblock(slot, direction.reverse(), out);
    }

    /// A second copy that differs, of bytes that end `back` before what was delivered or come next.
    fn conflict(&mut self, slot: usize, direction: Direction, back: u64, bytes: &[u8], out: &mut dyn TreeSink) {
        let max_bytes = self.settings.max_conflict_bytes;
        let Some(node) = self.node(slot) else { return };
        let info = node.info;
        let recognising = matches!(node.state, State::Recognising);
        let done = matches!(node.state, State::Done);
        let side = node.side(direction);
        if side.ended.is_some() || bytes.is_empty() || done {
            return;
        }
        let start = side.end().saturating_sub(back);
        let consumed = side.position;
        if start >= side.position {
            if !side.keep_conflict(start, bytes, max_bytes) {
                out.event(&info, ProtocolEvent::Capped(Cap::ConflictBytes));
            }
        } else if recognising {
            self.recognise_copy(slot, direction, start, bytes, out);
        } else if let Some((mut open, info)) = self.lend(slot) {
            open.dissector.conflict(direction, consumed - start, bytes, &mut NodeSink { tree: self, slot, info, out });
            let outcome = self.settle(slot, direction, &mut open, out).map_or(Outcome::Waiting, Outcome::Done);
            self.take_back(slot, direction, open, outcome, &[], out);
        }
    }

    /// A second copy of bytes whose first copy was of no protocol.
    fn recognise_copy(&mut self, slot: usize, direction: Direction, start: u64, bytes: &[u8], out: &mut dyn TreeSink) {
        let protocols = self.protocols;
        let settings = Arc::clone(&self.settings);
        let Some(node) = self.node(slot) else { return };
        let (excluded, midstream) = (node.excluded, node.midstream);
        let side = node.side(direction);
        let delivered = side.end();
        let known = usize::try_from(delivered.saturating_sub(start)).unwrap_or(usize::MAX);
        let bytes = bytes.get(..known).unwrap_or(bytes);
        let question = Question { protocols, excluded, settings: &settings, direction, midstream, last: true };
        let mut phase = if start == side.origin {
            Phase::Probing
        } else {
            Phase::Searching { left: settings.max_upgrade_search_bytes }
        };
        let begins_at_start = phase == Phase::Probing;
        let Verdict::Open { protocol, at } = question.decide(&mut phase, bytes) else { return };
        let start_kind = if begins_at_start && at == 0 && !midstream { Start::Beginning } else { Start::Middle };
        let side = node.side(direction);
        side.discard();
        side.position = start.saturating_add(at as u64);
        self.open(slot, direction, protocol, start_kind, bytes.get(at..).unwrap_or_default(), out);
        // What of the first copy lay behind the second is gone.
        let Some(node) = self.node(slot) else { return };
        let behind = delivered.saturating_sub(node.side(direction).end());
        self.gap(slot, direction, behind, out);
    }

    fn end(&mut self, slot: usize, direction: Direction, end: End, out: &mut dyn TreeSink) {
        let Some(node) = self.node(slot) else { return };
        if matches!(node.state, State::Done | State::Lent) || node.side(direction).ended.is_some() {
            return;
        }
        node.side(direction).ended = Some(end);
        if let State::Recognising = node.state {
            self.recognise(slot, direction, &[], true, out);
        } else {
            self.finish(slot, direction, end, out);
        }
    }

    /// Tells the dissector that a direction ended.
    fn finish(&mut self, slot: usize, direction: Direction, end: End, out: &mut dyn TreeSink) {
        let Some((mut open, info)) = self.lend(slot) else { return };
        let Some(node) = self.node(slot) else { return };
        let rest = mem::take(&mut node.side(direction).buffer);
        open.dissector.finish(direction, &rest, end, &mut NodeSink { tree: self, slot, info, out });
        let unwanted = self.settle(slot, direction, &mut open, out);
        self.take_back(slot, direction, open, unwanted.map_or(Outcome::Waiting, Outcome::Done), &[], out);
        self.unblock(slot, direction.reverse(), out);
        let Some(node) = self.node(slot) else { return };
        if node.sides.iter().all(|side| side.ended.is_some()) {
            self.retire(slot, DoneReason::Complete, out);
        }
    }

    /// The stream is done: frees what it holds and ends its children.
    fn retire(&mut self, slot: usize, reason: DoneReason, out: &mut dyn TreeSink) {
        let Some(node) = self.node(slot) else { return };
        if matches!(node.state, State::Done) {
            return;
        }
        node.stop();
        let info = node.info;
        for child in self.children(info.id, None) {
            self.close_child(child, out);
        }
        out.done(&info, reason);
        if let Some((parent, exchange)) = info.parent {
            let mut nodes = self.nodes.iter_mut().flatten();
            if let Some(parent) = nodes.find(|node| node.info.id == parent) {
                parent.unwanted.push(exchange);
            }
        }
    }

    /// Slots of the streams that `parent`'s exchange carries; of all its exchanges with `None`.
    fn children(&self, parent: StreamId, exchange: Option<ExchangeId>) -> SmallVec<[usize; 2]> {
        let carried = |node: &Node| {
            node.info.parent.is_some_and(|(id, of)| id == parent && exchange.is_none_or(|exchange| exchange == of))
        };
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(|(_, node)| node.as_ref().is_some_and(carried)).map(|(slot, _)| slot).collect()
    }

    fn close_child(&mut self, slot: usize, out: &mut dyn TreeSink) {
        self.end(slot, Direction::ToServer, End::Cut, out);
        self.end(slot, Direction::ToClient, End::Cut, out);
        self.retire(slot, DoneReason::Ended, out);
        if let Some(place) = self.nodes.get_mut(slot) {
            *place = None;
        }
    }

    /// What a tunnel brings goes to its child stream, which the first of it opens.
    fn tunnel(
        &mut self,
        parent: usize,
        exchange: ExchangeId,
        direction: Direction,
        event: StreamEvent<'_>,
        out: &mut dyn TreeSink,
    ) {
        let Some(node) = self.node(parent) else { return };
        let (info, depth) = (node.info, node.depth);
        let slot = match self.children(info.id, Some(exchange)).first() {
            Some(slot) => *slot,
            None => match self.open_child(info, exchange, depth, out) {
                Some(slot) => slot,
                None => return,
            },
        };
        self.input(slot, direction, event, out);
    }

    fn open_child(
        &mut self,
        parent: StreamInfo,
        exchange: ExchangeId,
        depth: u8,
        out: &mut dyn TreeSink,
    ) -> Option<usize> {
        let free = self.nodes.iter().position(Option::is_none);
        let (too_deep, too_many) =
            (depth >= self.settings.max_tunnel_depth, free.is_none() && self.nodes.len() >= self.settings.max_streams);
        if too_deep || too_many {
            if !mem::replace(&mut self.told_streams, true) {
                let cap = if too_deep { Cap::TunnelDepth } else { Cap::Streams };
                out.event(&parent, ProtocolEvent::Capped(cap));
            }
            return None;
        }
        let id = StreamId(self.opened);
        self.opened = self.opened.wrapping_add(1);
        let node = Some(Node::new(id, Some((parent.id, exchange)), depth + 1, false));
        if let Some(place) = free.and_then(|slot| self.nodes.get_mut(slot)) {
            *place = node;
            return free;
        }
        self.nodes.push(node);
        Some(self.nodes.len() - 1)
    }
}

impl Node {
    fn new(id: StreamId, parent: Option<(StreamId, ExchangeId)>, depth: u8, midstream: bool) -> Self {
        Self {
            info: StreamInfo { id, parent, protocol: "" },
            depth,
            midstream,
            state: State::Recognising,
            sides: [Side::default(), Side::default()],
            excluded: 0,
            reopenings: 0,
            unwanted: SmallVec::new(),
            reconsider: false,
        }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        let [to_server, to_client] = &mut self.sides;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }

    fn wants(&self, direction: Direction) -> bool {
        let [to_server, to_client] = &self.sides;
        let side = if direction == Direction::ToServer { to_server } else { to_client };
        !matches!(self.state, State::Done) && side.phase != Phase::Exhausted
    }

    fn forget_protocol(&mut self) {
        self.state = State::Recognising;
        self.info.protocol = "";
        self.reconsider = true;
    }

    fn stop(&mut self) {
        self.state = State::Done;
        for side in &mut self.sides {
            side.discard();
        }
    }
}

/// A dissector's events on their way to the sink; what it tunnels turns off into the child stream.
struct NodeSink<'a> {
    tree: &'a mut StreamTree,
    slot: usize,
    info: StreamInfo,
    out: &'a mut dyn TreeSink,
}

impl ProtocolSink for NodeSink<'_> {
    fn event(&mut self, event: ProtocolEvent<'_>) {
        let event = match event {
            ProtocolEvent::Tunnel { exchange, direction, event } => {
                return self.tree.tunnel(self.slot, exchange, direction, event, self.out);
            }
            other => other,
        };
        let closed = matches!(event, ProtocolEvent::Closed { .. });
        let exchange = event.exchange();
        if closed {
            for child in self.tree.children(self.info.id, exchange) {
                self.tree.close_child(child, self.out);
            }
        }
        if self.out.event(&self.info, event) == Interest::Nothing && !closed {
            if let (Some(exchange), Some(node)) = (exchange, self.tree.node(self.slot)) {
                if !node.unwanted.contains(&exchange) {
                    node.unwanted.push(exchange);
                }
            }
        }
    }
}
