//! The streams of a flow as a tree: the flow's own, and those that tunnels (CONNECT, Upgrade, decrypted TLS) carry in
//! it.
//! In: [`StreamEvent`]s of the flow; out: each dissector's events to a [`TreeSink`], with the stream they are of.
//! The tree recognises the protocol of each stream, keeps what a dissector could not consume yet (in the common case
//! bytes go through uncopied), opens child streams, and tries the second copy of an overlap that differs.
//! Bounds: [`Settings`]; a stream that no protocol wants is let go, and the flow told so.

mod feed;
mod node;
mod recognise;
mod side;

#[cfg(test)]
mod tests;

use std::mem;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    Cap, DoneReason, End, ExchangeId, Progress, Protocol, ProtocolEvent, ProtocolSink, Settings, Start, StreamId,
    Upgrade,
};
use crate::event::Direction;
use crate::flow::{Interest, StreamEvent};
use node::{Node, Open, Outcome, State};
use recognise::Phase;

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
    /// Counts what dissectors told, bulk left out: after it, what waited for the other direction may go on.
    told: u64,
}

impl StreamTree {
    /// `midstream`: the flow's beginning was not seen.
    #[must_use]
    pub fn new(protocols: &'static [Protocol], settings: Arc<Settings>, midstream: bool) -> Self {
        let mut nodes = SmallVec::new();
        nodes.push(Some(Node::new(StreamId(0), None, 0, midstream)));
        Self { protocols, settings, nodes, opened: 1, told_streams: false, told: 0 }
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
            self.end_for_good(slot, out);
            self.reconsider(slot, out);
        }
    }

    fn end_for_good(&mut self, slot: usize, out: &mut dyn TreeSink) {
        self.end(slot, Direction::ToServer, End::Cut, out);
        self.end(slot, Direction::ToClient, End::Cut, out);
        if self.node(slot).is_some_and(|node| node.waits()) {
            self.finish(slot, Direction::ToServer, End::Cut, out);
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

    /// Whether bytes came that make no whole of anything yet.
    #[must_use]
    pub fn holds_bytes(&self) -> bool {
        self.nodes.iter().flatten().any(|node| node.sides.iter().any(|side| !side.buffer.is_empty()))
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
            StreamEvent::Datagram(_) => self.abandon(slot, DoneReason::Unrecognised, out),
        }
        self.reconsider(slot, out);
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

    /// Reads a stream no further: its dissector first closes what it opened.
    fn abandon(&mut self, slot: usize, reason: DoneReason, out: &mut dyn TreeSink) {
        if let Some((mut open, info)) = self.lend(slot) {
            for direction in [Direction::ToServer, Direction::ToClient] {
                let Some(side) = self.node(slot).map(|node| node.side(direction)) else { continue };
                if side.ended.replace(End::Cut).is_none() {
                    let rest = mem::take(&mut side.buffer);
                    open.dissector.finish(direction, &rest, End::Cut, &mut NodeSink { tree: self, slot, info, out });
                }
            }
        }
        self.retire(slot, reason, out);
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
        self.end_for_good(slot, out);
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

    /// Opens the child stream of an exchange whose protocol the parent knows.
    fn upgrade(&mut self, parent: usize, exchange: ExchangeId, to: Upgrade, out: &mut dyn TreeSink) {
        let Some(node) = self.node(parent) else { return };
        let (info, depth) = (node.info, node.depth);
        let Some(slot) = self.open_child(info, exchange, depth, out) else { return };
        let protocol = to.protocol();
        let dissector = (protocol.open)(&self.settings, Start::Beginning);
        let Some(child) = self.node(slot) else { return };
        child.info.protocol = protocol.name;
        child.state = State::Open(Open { dissector, protocol: None, fresh: true });
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
            ProtocolEvent::Upgraded { exchange, to } => {
                self.tree.upgrade(self.slot, exchange, to, self.out);
                event
            }
            other => other,
        };
        let bulk =
            matches!(event, ProtocolEvent::Body { .. } | ProtocolEvent::BodyGap { .. } | ProtocolEvent::Message { .. });
        if !bulk && !matches!(event, ProtocolEvent::Encrypted { .. } | ProtocolEvent::Decrypted { .. }) {
            self.tree.told = self.tree.told.wrapping_add(1);
        }
        let closed = matches!(event, ProtocolEvent::Closed { .. });
        let exchange = event.exchange();
        if closed {
            for child in self.tree.children(self.info.id, exchange) {
                self.tree.close_child(child, self.out);
            }
        }
        if self.out.event(&self.info, event) == Interest::Nothing
            && !closed
            && let (Some(exchange), Some(node)) = (exchange, self.tree.node(self.slot))
            && !node.unwanted.contains(&exchange)
        {
            node.unwanted.push(exchange);
        }
    }
}
